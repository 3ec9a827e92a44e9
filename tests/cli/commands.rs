//! What each command does when all is well, and what it says to wrong arguments.

use crate::common::{Bench, noise, tiny};
use std::sync::Arc;
use unpool::explain::deconvnet::{Descent, Options, Rule, Seed, Unpool, project};
use unpool::net::{Net, Trace};
use unpool::tensor::{Shape, Tensor};

/// The library's own pass over the same numbers.
fn trace(values: &[f32], h: usize, w: usize) -> Trace {
    let net = Arc::new(Net::new(tiny(true)).unwrap());
    net.forward(Tensor::new(Shape::new(3, h, w), values.to_vec()).unwrap()).unwrap()
}

fn near(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    let max = b.iter().fold(0f32, |m, v| m.max(v.abs()));
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= 1e-6 * max, "{x} is not {y}");
    }
}

#[test]
fn info_lists_layers() {
    let bench = Bench::new();
    let info = bench.json("info tiny");
    assert_eq!(info["input"]["shape"], serde_json::json!([3, 16, 16]));
    assert_eq!(info["input"]["order"], "bgr");
    assert_eq!(info["classes"][4], "eel");
    let conv2 = info["layers"].as_array().unwrap().iter().find(|l| l["name"] == "conv2").unwrap();
    assert_eq!(conv2["shape"], serde_json::json!([5, 8, 8]));
    assert_eq!((&conv2["kind"], &conv2["parameters"]), (&"conv".into(), &180.into()));
    assert_eq!(conv2["receptive_field"], serde_json::json!([9, 9]));
    assert_eq!(conv2["stride"], serde_json::json!([2, 2]));
    let text = bench.text("info tiny");
    for line in [
        "Tiny (tiny)",
        "licence: CC0-1.0",
        "input: 3×16×16, BGR, mean 104, 117, 123, std 50, 50, 50",
        "conv2",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn run_writes_the_activation_in_the_inputs_rank() {
    let bench = Bench::new();
    let values = noise(3 * 16 * 16, 7);
    bench.save("x.npy", &[3, 16, 16], &values);
    bench.save("x4.npy", &[1, 3, 16, 16], &values);
    let t = trace(&values, 16, 16);
    let out = bench.json("run tiny x.npy --layer conv2 --output y.npy");
    assert_eq!((&out["layer"], &out["shape"]), (&"conv2".into(), &serde_json::json!([5, 8, 8])));
    let y = bench.array("y.npy");
    assert_eq!(y.shape, [5, 8, 8]);
    near(&y.values, t.activation(t.net().find("conv2").unwrap()).data());
    bench.text("run tiny x4.npy --layer conv2 -o y.npy --threads 1");
    let y4 = bench.array("y.npy");
    assert_eq!(y4.shape, [1, 5, 8, 8]);
    near(&y4.values, &y.values);
    // Without a layer: the network's output.
    bench.text("run tiny x.npy --output p.npy");
    assert!((bench.array("p.npy").values.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    // Another size, not square, where the layers allow it.
    let wide = noise(3 * 16 * 40, 8);
    bench.save("wide.npy", &[3, 16, 40], &wide);
    bench.text("run blind wide.npy --output y.npy");
    assert_eq!(bench.array("y.npy").shape, [5, 8, 20]);
    near(&bench.array("y.npy").values, trace(&wide, 16, 40).activation(4).data());
}

#[test]
fn dense_networks_take_one_k() {
    use unpool::spec::{Input, Kind, LayerSpec, Model, Weight, Weights};
    let bench = Bench::new();
    let mut spec = tiny(false).spec;
    spec.input = Input { shape: Shape::new(4, 1, 1), mean: vec![], std: vec![], order: Default::default() };
    spec.layers = vec![LayerSpec { name: "fc".into(), inputs: vec![], kind: Kind::Dense { units: 2 } }];
    let w = Weight::new(vec![2, 4], vec![1., 0., 0., 0., 0., 2., 0., 0.]).unwrap();
    let model = Model { spec, weights: Weights::from([("fc.weight".into(), w)]) };
    bench.write("dense.safetensors", &unpool::format::model::write(&model));
    bench.save("x.npy", &[1, 4], &[3.0, 5.0, 7.0, 9.0]);
    bench.text("run dense.safetensors x.npy --output y.npy");
    assert_eq!((bench.array("y.npy").shape, bench.array("y.npy").values), (vec![1, 2], vec![3.0, 10.0]));
    bench.text("project dense.safetensors x.npy --layer fc --map 1 --at 0,0 --output g.npy");
    assert_eq!(
        (bench.array("g.npy").shape, bench.array("g.npy").values),
        (vec![1, 4], vec![0., 20., 0., 0.])
    );
}

#[test]
fn classify_sorts_by_probability() {
    let bench = Bench::new();
    bench.write("photo.png", &bench.data("quarters.png"));
    let top = bench.json("classify tiny photo.png --top 3");
    let top = top.as_array().unwrap();
    assert_eq!(top.len(), 3);
    let p: Vec<f64> = top.iter().map(|t| t["p"].as_f64().unwrap()).collect();
    assert!(p[0] >= p[1] && p[1] >= p[2] && p[0] <= 1.0);
    let label = ["ant", "bee", "cat", "dog", "eel"][top[0]["index"].as_u64().unwrap() as usize];
    assert_eq!(top[0]["label"], label);
    let text = bench.text("classify tiny photo.png");
    assert_eq!(text.lines().count(), 6);
    assert!(text.lines().nth(1).unwrap().ends_with(label), "{text}");
    // Normalising differently changes the answer's numbers.
    let other = bench.json("classify tiny photo.png --mean=-10,0,10 --std 20,30,40");
    assert_ne!(other[0]["p"], top[0]["p"]);
    bench.fails("classify blind photo.png", &["blind has no classifier"]);
}

#[test]
fn project_writes_numbers_and_pictures() {
    let bench = Bench::new();
    let values = noise(3 * 16 * 16, 9);
    bench.save("x.npy", &[3, 16, 16], &values);
    let t = trace(&values, 16, 16);
    let node = t.net().find("conv2").unwrap();
    let go = |seed| project(&t, node, &seed, &Options::default()).unwrap();
    let own = go(Seed::Unit { map: 2, at: None });
    let out = bench.json("project tiny x.npy --layer conv2 --map 2 --output g.npy");
    assert_eq!((&out["layer"], &out["map"], &out["units"]), (&"conv2".into(), &2.into(), &1.into()));
    assert_eq!(out["at"], serde_json::json!(own.at));
    assert_eq!(out["value"].as_f64().unwrap() as f32, own.value);
    assert_eq!(out["receptive_field"], serde_json::to_value(own.receptive_field).unwrap());
    assert_eq!(bench.array("g.npy").shape, [3, 16, 16]);
    near(&bench.array("g.npy").values, own.pixels.data());

    bench.text("project tiny x.npy --layer conv2 --map 2 --at 3,4 --output g.npy");
    near(&bench.array("g.npy").values, go(Seed::Unit { map: 2, at: Some([3, 4]) }).pixels.data());
    let out = bench.json("project tiny x.npy --layer conv2 --map 2 --whole-map --output g.npy");
    assert_eq!(out["units"], 64);
    near(&bench.array("g.npy").values, go(Seed::Map { map: 2 }).pixels.data());
    let out = bench.json("project tiny x.npy --layer conv2 --map 2 --strongest 3 --output g.npy");
    assert_eq!(out["units"], 3);
    near(&bench.array("g.npy").values, go(Seed::Strongest { map: 2, k: 3 }).pixels.data());
    for (words, descent) in [
        ("--rule gradient", Descent { rule: Rule::Gradient, ..Descent::default() }),
        ("--rule guided", Descent { rule: Rule::Guided, ..Descent::default() }),
        ("--unpool centre", Descent { unpool: Unpool::Centre, ..Descent::default() }),
    ] {
        bench.text(&format!("project tiny x.npy --layer conv2 --map 2 --strongest 3 {words} --output o.npy"));
        let seed = Seed::Strongest { map: 2, k: 3 };
        let own = project(&t, node, &seed, &Options { descent, randomise: None }).unwrap();
        near(&bench.array("o.npy").values, own.pixels.data());
    }
    assert!(bench.read("o.npy") != bench.read("g.npy"), "centre is not switches");

    let out = bench.json("project tiny x.npy --layer conv2 --map 2 --at 0,0 --output g.png");
    let png = image::load_from_memory(&bench.read("g.png")).unwrap().into_rgb8();
    assert_eq!(png.dimensions(), (16, 16));
    assert_eq!(png.get_pixel(15, 15).0, [128; 3], "zero is mid-grey");
    assert!(out["contrast"].as_f64().unwrap() >= 1.0);
    bench.text("project tiny x.npy --layer conv2 --map 2 --at 0,0 --crop --contrast 1 --output g.png");
    let crop = image::load_from_memory(&bench.read("g.png")).unwrap().into_rgb8();
    // The receptive field is 9×9 and reaches three pixels beyond the corner.
    assert_eq!((crop.dimensions(), crop.get_pixel(0, 0).0), ((9, 9), [128; 3]));
    assert!(
        crop.pixels().any(|p| p.0.iter().any(|&v| v == 0 || v == 255)),
        "at c = 1 only the maximum is full"
    );
}

#[test]
fn unknown_names_are_named() {
    let bench = Bench::new();
    bench.save("x.npy", &[3, 16, 16], &noise(768, 1));
    bench.write("y.npy", b"untouched");
    bench.fails("run tiny x.npy --layer conv9 --output y.npy", &["conv9", "conv2"]);
    bench.fails("project tiny x.npy --layer nope --map 0 --output y.npy", &["nope"]);
    bench.fails("project tiny x.npy --layer conv2 --map 5 --output y.npy", &["conv2", "0 to 4", "5"]);
    bench.fails("project tiny x.npy --layer conv2 --map 4 --at 8,0 --output y.npy", &["conv2", "8"]);
    bench.fails("run tiny missing.npy --output y.npy", &["missing.npy"]);
    bench.fails("run tiny x.npy --output no/such/folder/y.npy", &["no/such/folder"]);
    assert_eq!(bench.read("y.npy"), b"untouched");
    bench.text("run tiny x.npy --output y.npy");
    assert!(bench.read("y.npy").starts_with(b"\x93NUMPY"));
    // A link stays one: what it points to is replaced.
    #[cfg(unix)]
    {
        bench.write("real.npy", b"old");
        std::os::unix::fs::symlink("real.npy", bench.path("link.npy")).unwrap();
        bench.text("run tiny x.npy --output link.npy");
        assert!(std::fs::symlink_metadata(bench.path("link.npy")).unwrap().is_symlink());
        assert!(bench.read("real.npy") == bench.read("y.npy"));
    }
    let left: Vec<_> = std::fs::read_dir(bench.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|n| !n.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let bench = Bench::new();
    let case = |shape: &[usize], values: &[f32], says: &[&str]| {
        bench.save("x.npy", shape, values);
        bench.fails("run tiny x.npy", says);
    };
    case(&[2, 3, 16, 16], &noise(1536, 1), &["x.npy", "batch of 2"]);
    case(&[16, 16], &noise(256, 1), &["batch of 16"]);
    case(&[768], &noise(768, 1), &["C,H,W"]);
    case(&[4, 16, 16], &noise(1024, 1), &["3 input channels"]);
    case(&[3, 0, 16], &[], &["conv1"]);
    let mut nan = noise(768, 1);
    nan[300] = f32::NAN;
    case(&[3, 16, 16], &nan, &["finite", "channel 1, row 2, column 12"]);
    bench.save("x.npy", &[3, 16, 16], &noise(768, 1));
    let whole = bench.read("x.npy");
    bench.write("x.npy", &whole[..whole.len() - 1]);
    bench.fails("run tiny x.npy", &["x.npy"]);
    bench.write("x.npy", b"not an array");
    bench.fails("run tiny x.npy", &["x.npy", "NumPy"]);
}

#[test]
fn wrong_usage_exits_with_2() {
    let bench = Bench::new();
    for (line, says) in [
        ("frobnicate", "frobnicate"),
        ("info", "MODEL"),
        ("run tiny", "INPUT"),
        ("run tiny x.npy --output y.png", ".npy"),
        ("project tiny x.npy --layer conv2", "--map"),
        ("project tiny x.npy --layer conv2 --map x", "--map"),
        ("project tiny x.npy --layer conv2 --map 1 --at 3", "row,column"),
        ("project tiny x.npy --layer conv2 --map 1 --at 3,3 --whole-map", "cannot be used with"),
        ("project tiny x.npy --layer conv2 --map 1 --rule magic", "deconvnet"),
        ("project tiny x.npy --layer conv2 --map 1 --output g.gif", ".npy or .png"),
        ("project tiny x.npy --layer conv2 --map 1 --crop --output g.npy", "--crop"),
        ("project tiny x.npy --layer conv2 --map 1 --strongest 0", "--strongest"),
        ("classify tiny x.npy --top 0", "--top"),
        ("classify tiny x.npy --std 0", "--std"),
        ("info tiny --threads 0", "--threads"),
        ("serve --port 65536", "--port"),
    ] {
        bench.usage(line, says);
    }
    assert!(bench.text("--help").contains("project"));
}
