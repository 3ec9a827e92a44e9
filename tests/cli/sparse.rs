//! `unpool sparse`.

use crate::common::{Bench, noise};

#[test]
fn invert_writes_the_recovered_input_and_says_how_it_went() {
    let bench = Bench::new();
    bench.save("x.npy", &[1, 3, 16, 16], &noise(3 * 16 * 16, 7));
    let out =
        bench.json("sparse invert tiny x.npy --layer conv2 --method ista --iterations 40 --output z.npy");
    let objective: Vec<f64> =
        out["objective"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(objective.len(), 40);
    assert!(objective.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-6)));
    let z = bench.array("z.npy");
    let shape = out["shape"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize);
    assert_eq!(z.shape, [1].into_iter().chain(shape).collect::<Vec<_>>());
    let nonzero = z.values.iter().filter(|v| **v != 0.0).count();
    assert_eq!(out["nonzero"], nonzero);
    assert_eq!(out["support"].as_f64().unwrap(), nonzero as f64 / z.values.len() as f64);
    let (lambda, step) = (out["lambda"].as_f64().unwrap(), out["step"].as_f64().unwrap());
    assert!((step * lambda * out["norm2"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    let given =
        bench.json(&format!("sparse invert tiny x.npy --layer conv2 --lambda {lambda} --iterations 5"));
    assert_eq!(
        (given["lambda"].as_f64().unwrap(), given["objective"].as_array().unwrap().len()),
        (lambda, 5)
    );
    let down =
        bench.json("sparse invert tiny x.npy --layer conv2 --down 1 --iterations 5 --output pixels.npy");
    assert_eq!(down["stages"].as_array().unwrap().len(), 2);
    assert_eq!((&down["input"], bench.array("pixels.npy").shape), (&"data".into(), vec![1, 3, 16, 16]));
    assert!(bench.text("sparse invert tiny x.npy --layer conv1 --iterations 3").contains("data from conv1"));
}

#[test]
fn invert_refuses_what_makes_no_sense() {
    let bench = Bench::new();
    bench.save("x.npy", &[3, 16, 16], &noise(3 * 16 * 16, 7));
    for (arguments, says) in [
        ("--layer conv1 --lambda 0", "λ must be a number above 0"),
        ("--layer conv1 --lambda -2", "λ must be a number above 0"),
        ("--layer conv1 --lambda NaN", "λ must be a number above 0"),
        ("--layer conv1 --step 0", "step β must be"),
        ("--layer conv1 --iterations 0", "iterations must be"),
        ("--layer pool1 ", "is no convolution"),
        ("--layer nothing", "no layer is called"),
        ("--layer conv1 --down 1", "no more convolutions"),
        ("--layer conv1 --method ista --lambda 1 --step 10 --iterations 10000", "diverged: after"),
    ] {
        bench.fails(&format!("sparse invert tiny x.npy --output z.npy {arguments}"), &[says]);
        assert!(!bench.path("z.npy").exists());
    }
}

/// Gratings of several directions, as PNG.
fn photos(bench: &Bench, count: usize) {
    std::fs::create_dir_all(bench.path("photos")).unwrap();
    for k in 0..count {
        let noise = noise(40 * 36, k as u32 + 1);
        let rgba = (0..40 * 36)
            .flat_map(|i| {
                let (y, x) = ((i / 40) as f32, (i % 40) as f32);
                let angle = k as f32 * 0.7;
                let wave = ((x * angle.cos() + y * angle.sin()) / 2.0).sin();
                let v = (128.0 + 80.0 * wave + 20.0 * noise[i]) as u8;
                [v, v, v / 2, 255]
            })
            .collect();
        let picture = unpool::image::Picture::new(40, 36, rgba).unwrap();
        bench.write(&format!("photos/{k}.png"), &unpool::image::encode_png(&picture).unwrap());
    }
}

#[test]
fn a_dictionary_is_learned_reproducibly_and_a_photo_coded_in_it() {
    let bench = Bench::new();
    photos(&bench, 5);
    let line = "sparse learn photos --layers 2 --maps 6,4 --side 36 --epochs 2 --batch 2 --iterations 5 --share 0.05,0.05 --held-out 5";
    let out = bench.json(&format!("{line} --output d.safetensors --sheet d.png"));
    assert_eq!((&out["photos"], &out["held_out"]), (&4.into(), &1.into()));
    for layer in out["layers"].as_array().unwrap() {
        assert_eq!(layer["spec"]["objective"].as_array().unwrap().len(), 2);
        assert!(layer["spec"]["held_out_error"].as_f64().unwrap() < 1.0);
    }
    assert!(bench.path("d.png").exists() && !bench.path("d.safetensors.part").exists());
    bench.text(&format!("{line} --output again.safetensors --threads 1"));
    assert_eq!(
        bench.read("d.safetensors"),
        bench.read("again.safetensors"),
        "the same photos, options and seed"
    );

    let shown = bench.json("sparse show d.safetensors");
    for (a, b) in shown["layers"].as_array().unwrap().iter().zip(out["layers"].as_array().unwrap()) {
        assert_eq!((&a["shape"], &a["spec"]["reseeded"]), (&b["shape"], &b["spec"]["reseeded"]));
        let last = |v: &serde_json::Value| v["spec"]["objective"][1].as_f64().unwrap();
        assert!((last(a) / last(b) - 1.0).abs() < 1e-9, "what learning said is in the file");
    }
    let text = bench.text("sparse show d.safetensors --sheet shown.png");
    assert!(text.contains("layer 2: 4 filters") && text.contains("seed 1, 2 epochs"), "{text}");
    // The file holds half precision: a level apart at most.
    let [drawn, learned] =
        ["shown.png", "d.png"].map(|name| unpool::image::decode(&bench.read(name)).unwrap());
    assert_eq!((drawn.width(), drawn.height()), (learned.width(), learned.height()));
    assert!(drawn.rgba().iter().zip(learned.rgba()).all(|(a, b)| a.abs_diff(*b) <= 1));

    let out = bench.json("sparse code d.safetensors photos/1.png --iterations 6 --output coded");
    let layers = out["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    for (l, layer) in layers.iter().enumerate() {
        assert_eq!(layer["objective"].as_array().unwrap().len(), 6);
        let rebuilt = bench.array(&format!("coded/reconstruction{}.npy", l + 1));
        let image = bench.array("coded/image.npy");
        let off: f64 = image.values.iter().zip(&rebuilt.values).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let all: f64 = image.values.iter().map(|a| f64::from(*a).powi(2)).sum();
        assert!(((off / all).sqrt() - layer["error"].as_f64().unwrap()).abs() < 1e-3);
        for file in ["z#.npy", "reconstruction#.png", "filters#.png"] {
            assert!(
                bench.path(&format!("coded/{}", file.replace('#', &(l + 1).to_string()))).exists(),
                "{file}"
            );
        }
    }
    assert!(bench.text("sparse code d.safetensors photos/1.png --layers 1 --lambda 3").contains("λ 3.0000"));
}

#[test]
fn learning_goes_on_from_what_there_is() {
    let bench = Bench::new();
    photos(&bench, 4);
    let line =
        "sparse learn photos --layers 1 --maps 6 --side 36 --epochs 3 --batch 2 --iterations 5 --held-out 0";
    bench.text(&format!("{line} --output whole.safetensors"));
    // What a run leaves behind that was stopped: the file of the same making, with fewer passes.
    let short = line.replace("--epochs 3", "--epochs 1");
    bench.text(&format!("{short} --output one.safetensors"));
    let mut part = unpool::format::dictionary::read(&bench.read("one.safetensors")).unwrap();
    part.about.origin = part.about.origin.replace("1 epochs", "3 epochs");
    bench.write("more.safetensors.part", &unpool::format::dictionary::write_exact(&part));
    bench.text(&format!("{line} --output more.safetensors"));
    let read = |name: &str| unpool::format::dictionary::read(&bench.read(name)).unwrap();
    let (whole, more) = (read("whole.safetensors"), read("more.safetensors"));
    assert_eq!(more.layers[0].spec.objective.len(), 3);
    assert_eq!(whole.layers[0].spec.lambda, more.layers[0].spec.lambda);
    let (a, b) = (whole.layers[0].spec.objective[2], more.layers[0].spec.objective[2]);
    assert!((a / b - 1.0).abs() < 0.05, "about where a run in one piece ends: {a} and {b}");
    bench.write("x.safetensors.part", &unpool::format::dictionary::write_exact(&part));
    bench.fails(
        &format!("{} --output x.safetensors", line.replace("--batch 2", "--batch 3")),
        &["other options"],
    );
}

#[test]
fn code_and_learn_refuse_what_makes_no_sense() {
    let bench = Bench::new();
    photos(&bench, 2);
    bench.text(
        "sparse learn photos --layers 1 --maps 6 --side 36 --epochs 1 --held-out 0 --output d.safetensors",
    );
    bench.save("colour.npy", &[3, 30, 30], &noise(2700, 1));
    bench.save("small.npy", &[1, 5, 5], &noise(25, 1));
    bench.save("nan.npy", &[1, 30, 30], &[f32::NAN; 900]);
    for (line, says) in [
        ("code d.safetensors colour.npy", "grey"),
        ("code d.safetensors small.npy", "larger than"),
        ("code d.safetensors nan.npy", "not finite"),
        ("code d.safetensors photos/0.png --lambda 0", "λ must be"),
        ("code d.safetensors photos/0.png --layers 2", "has 1 layers"),
        ("code d.safetensors photos/0.png --iterations 0", "iterations must be"),
        ("code models/tiny.safetensors photos/0.png", "no dictionary"),
        ("code photos/0.png photos/0.png", "safetensors"),
        ("learn photos --output e.safetensors --epochs 0", "epochs must be"),
        ("learn photos --output e.safetensors --side 5", "larger than"),
        ("learn photos --output e.safetensors --layers 1 --maps 7", "divide the filters"),
        ("learn photos --output e.safetensors --layers 1 --share 2", "share is between"),
        ("learn nowhere --output e.safetensors", "nowhere"),
        ("learn photos --output e.safetensors --only CC0-1.0", "credits.json"),
    ] {
        bench.fails(&format!("sparse {line}"), &[says]);
        assert!(!bench.path("e.safetensors").exists());
    }
    bench.usage("sparse learn photos --output e.safetensors --layers 9", "layers are from 1 to 4");
}
