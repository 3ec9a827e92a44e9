//! MODEL: where it is looked for, and what is refused.

use crate::common::{Bench, noise, tiny};
use unpool::format::model;
use unpool::spec::{Kind, Values, Weight};

#[test]
fn models_are_found_by_name_and_by_file() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("elsewhere")).unwrap();
    bench.write("elsewhere/other.safetensors", &model::write(&tiny(true)));
    let with = |line: &str| bench.command(line).env("UNPOOL_MODELS", "elsewhere").output().unwrap();
    assert!(with("info other").status.success());
    assert!(with("info tiny").status.success(), "./models comes second");
    bench.fails("info other", &["“other”", "models", "blind, tiny"]);
    bench.text("info elsewhere/other.safetensors");
    bench.fails("info elsewhere/none.safetensors", &["elsewhere/none.safetensors"]);
    std::fs::remove_dir_all(bench.path("models")).unwrap();
    bench.fails("info tiny", &["./build.sh models"]);
}

#[test]
fn what_is_no_model_is_refused() {
    let bench = Bench::new();
    let whole = bench.read("models/tiny.safetensors");
    bench.write("g.npy", b"untouched");
    bench.save("x.npy", &[3, 16, 16], &noise(768, 1));
    let case = |bytes: &[u8], says: &[&str]| {
        bench.write("bad.safetensors", bytes);
        bench.fails("project bad.safetensors x.npy --layer conv2 --map 0 --output g.npy", says);
    };
    case(b"", &["bad.safetensors"]);
    case(b"GIF89a is no network at all, however long it goes on", &["bad.safetensors"]);
    for n in [4, 100, whole.len() / 2, whole.len() - 1] {
        case(&whole[..n], &["bad.safetensors"]);
    }
    let mut wrong = tiny(true);
    wrong.weights.insert("conv2.weight".into(), Weight::new(vec![5, 3, 3, 3], noise(135, 1)).unwrap());
    case(&model::write(&wrong), &["bad.safetensors", "conv2"]);
    let mut missing = tiny(true);
    missing.weights.remove("conv1.weight");
    case(&model::write(&missing), &["bad.safetensors", "conv1"]);
    let mut large = tiny(true);
    let Kind::MaxPool { window, .. } = &mut large.spec.layers[2].kind else { panic!("pool1 moved") };
    window.kernel = [40, 40];
    case(&model::write(&large), &["bad.safetensors", "pool1"]);
    // A photo, a folder and nothing at all.
    bench.write("photo.png", &bench.data("quarters.png"));
    bench.fails("info photo.png", &["photo.png"]);
    bench.fails("info ./models", &["./models"]);
    assert_eq!(bench.read("g.npy"), b"untouched");
}

#[test]
fn convert_rounds_renames_and_measures() {
    let bench = Bench::new();
    bench.write("photo.png", &bench.data("quarters.png"));
    bench.write("names.txt", "n01440764 one\ntwo\nthree\nfour\nfive\n".as_bytes());
    bench.save("x.npy", &[3, 16, 16], &noise(768, 5));
    let line = "convert models/tiny.safetensors --half --probe photo.png x.npy --labels names.txt --mean 1,2,3 --std 4 \
                --order rgb --name small --output small.safetensors";
    let out = bench.json(line);
    let (rounding, report) = (&out["rounding"], &out["report"]);
    assert_eq!(
        (&out["name"], &report["layers"], &report["parameters"]),
        (&"small".into(), &6.into(), &292.into())
    );
    let error = rounding["error"].as_f64().unwrap();
    assert!(
        error > 0.0 && error <= 1e-3 && rounding["probes"] == 2 && rounding["half"] == true,
        "{rounding}"
    );
    let half = model::read(&bench.read("small.safetensors")).unwrap();
    assert!(half.weights.values().all(|w| matches!(w.values, Values::F16(_))));
    assert!(half.spec.notes.contains("float16") && half.spec.notes.contains("measured on 2 inputs"));
    assert_eq!((half.spec.classes[0].as_str(), half.spec.input.std.clone()), ("one", vec![4.0; 3]));
    // The rounded model is the one that runs.
    bench.text("run small.safetensors x.npy --layer conv2 --output a.npy");
    bench.text("run tiny x.npy --layer conv2 --output b.npy");
    let (a, b) = (bench.array("a.npy").values, bench.array("b.npy").values);
    let max = b.iter().fold(0f32, |m, v| m.max(v.abs()));
    assert!(a != b && a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-3 * max));
    // Without --half the numbers stay, and the same input gives the same bytes.
    bench.text("convert models/tiny.safetensors --output c.safetensors");
    assert_eq!(model::read(&bench.read("c.safetensors")).unwrap().weights, tiny(true).weights);
    bench.text("convert c.safetensors --output d.safetensors");
    assert!(bench.read("c.safetensors") == bench.read("d.safetensors"));
}

#[test]
fn float16_that_changes_too_much_is_not_stored() {
    let bench = Bench::new();
    let mut model = tiny(true);
    // A bias that cancels almost all of a sum leaves a difference of which rounding is a large part.
    model.spec.layers.truncate(1);
    let Kind::Conv { window, .. } = &mut model.spec.layers[0].kind else { panic!("conv1 moved") };
    window.pad = [0; 4];
    model.spec.classes.clear();
    model.weights.remove("conv2.weight");
    model
        .weights
        .insert("conv1.weight".into(), Weight::new(vec![4, 3, 3, 3], vec![1.0 / 27.03; 108]).unwrap());
    model.weights.insert("conv1.bias".into(), Weight::new(vec![4], vec![-99.88; 4]).unwrap());
    bench.write("m.safetensors", &model::write(&model));
    bench.save("x.npy", &[3, 16, 16], &[100.0; 768]);
    let out = bench.json("convert m.safetensors --half --probe x.npy --output n.safetensors");
    assert_eq!(out["rounding"]["half"], false, "{out}");
    let kept = model::read(&bench.read("n.safetensors")).unwrap();
    assert!(kept.weights.values().all(|w| matches!(w.values, Values::F32(_))));
    assert!(kept.spec.notes.contains("float16 would change"), "{}", kept.spec.notes);
}

#[test]
fn what_cannot_be_converted_is_refused() {
    let bench = Bench::new();
    bench.write("m.safetensors", b"untouched");
    bench.write("net.prototxt", b"layer {");
    bench.write("net.caffemodel", b"\x0a\x03net\xff\xff\xff");
    bench.write("labels.txt", b"\xff\xfe");
    bench.fails("convert net.caffemodel --output m.safetensors", &["net.caffemodel", "--prototxt"]);
    bench.fails("convert net.caffemodel --prototxt net.prototxt --output m.safetensors", &["net.caffemodel"]);
    bench.fails(
        "convert models/tiny.safetensors --labels labels.txt --output m.safetensors",
        &["labels.txt", "UTF-8"],
    );
    bench
        .fails("convert models/tiny.safetensors --mean 1,2 --output m.safetensors", &["--mean has 2 values"]);
    bench.fails("convert none --output m.safetensors", &["none"]);
    bench.usage("convert models/tiny.safetensors --output m.onnx", ".safetensors");
    bench.usage("convert models/tiny.safetensors --probe x.npy --output m.safetensors", "--half");
    assert_eq!(bench.read("m.safetensors"), b"untouched");
}

/// A tensor's message as the ONNX project stores test data: dimensions, float32, raw bytes.
fn message(shape: &[u8], values: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut out: Vec<u8> = shape.iter().flat_map(|d| [0x08, *d]).chain([0x10, 1, 0x4a]).collect();
    let mut n = raw.len();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    [out, raw].concat()
}

#[test]
fn an_imported_network_is_compared_with_its_own_test_data() {
    let bench = Bench::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/onnx/residual");
    bench.write("net.onnx", &std::fs::read(format!("{folder}.onnx")).unwrap());
    let bytes = std::fs::read(format!("{folder}.safetensors")).unwrap();
    let file = unpool::format::safetensors::File::parse(&bytes).unwrap();
    let values = |name: &str| file.tensors[name].number.to_f32(file.tensors[name].bytes, false);
    let (x, mut y) = (values("x"), values("fc"));
    let shape: Vec<u8> = file.tensors["x"].shape.iter().map(|d| *d as u8).collect();
    let shape = &shape[shape.len() - 3..];
    let line = "convert net.onnx --output m.safetensors";
    assert!(!bench.text(line).contains("test data"));
    for set in ["test_data_set_0", "test_data_set_1", "other"] {
        std::fs::create_dir(bench.path(set)).unwrap();
        bench.write(&format!("{set}/input_0.pb"), &message(&[&[1], shape].concat(), &x));
        bench.write(&format!("{set}/output_0.pb"), &message(&[1, y.len() as u8], &y));
        y[1] += 0.5;
    }
    let said = bench.text(line);
    assert!(said.contains("note: test data `test_data_set_0`: all 5 numbers"), "{said}");
    assert!(said.contains("look out: test data `test_data_set_1`: 1 of 5 numbers"), "{said}");
    assert!(!said.contains("`other`"), "{said}");
    let said = bench.text(&format!("{line} --test-data other"));
    assert!(said.contains("`other`: 1 of 5") && !said.contains("set_0"), "{said}");
    bench.write("other/input_0.pb", &message(shape, &x));
    let said = bench.text(&format!("{line} --test-data other"));
    assert!(
        said.contains("note: test data `other` was not compared: ") && said.contains("channels"),
        "{said}"
    );
    bench.write("other/input_0.pb", b"\x08");
    let said = bench.text(&format!("{line} --test-data other"));
    assert!(said.contains("not compared: input_0.pb"), "{said}");
    bench.fails(&format!("{line} --test-data models"), &["models holds no output_0.pb"]);
}

/// The training of somebody's network may have diverged: it can be looked at, and every command says so.
#[test]
fn weights_that_are_no_numbers_are_loaded_and_reported() {
    let bench = Bench::new();
    bench.save("x.npy", &[3, 16, 16], &noise(768, 1));
    let broken = |weight: &str| {
        let mut nan = tiny(true);
        let Values::F32(values) = &mut nan.weights.get_mut(weight).unwrap().values else { panic!("not f32") };
        values[0] = f32::NAN;
        bench.write("nan.safetensors", &model::write(&nan));
    };
    // A ReLU takes NaN as 0: the prediction is a number, and means nothing.
    broken("conv1.weight");
    assert_eq!(bench.json("info nan.safetensors")["broken"], 1);
    for line in [
        "run nan.safetensors x.npy --output y.npy",
        "project nan.safetensors x.npy --layer conv1 --map 0 --output g.npy",
        "occlude nan.safetensors x.npy --layer conv1 --output o.npz",
        "classify nan.safetensors x.npy",
        "invariance nan.safetensors x.npy --transform rotate --steps 2",
        "correspondence nan.safetensors x.npy:0,0,4,4 x.npy:8,8,12,12",
        "filters nan.safetensors",
    ] {
        let out = bench.output(&format!("{line} --json"));
        let err = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(0), "{line}: {err}");
        assert!(err.starts_with("warning: 1 weight is NaN or infinite in tiny: "), "{line}: {err:?}");
        assert_eq!(err.trim_end().lines().count(), 1, "{line}: {err:?}");
        serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap();
    }
    // Behind the last ReLU there is no prediction, and a failure still says one line.
    broken("conv2.weight");
    bench.fails("classify nan.safetensors x.npy", &["no number", "1 of its weights is NaN"]);
}
