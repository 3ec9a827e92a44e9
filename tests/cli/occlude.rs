//! `unpool occlude`, `invariance`, `correspondence`: the numbers, and what it says to wrong arguments.

use crate::common::{Bench, noise, tiny};
use std::collections::HashMap;

fn bench() -> Bench {
    let bench = Bench::new();
    let values = noise(3 * 16 * 16, 5);
    bench.write("x.npy", &unpool::format::npy::write(&[3, 16, 16], &values).unwrap());
    bench
}

/// The float arrays of an archive that is not compressed.
fn arrays(bytes: &[u8]) -> HashMap<String, Vec<f32>> {
    let number =
        |at: usize, n: usize| bytes[at..at + n].iter().rev().fold(0, |v, b| v << 8 | usize::from(*b));
    let mut found = HashMap::new();
    let mut at = 0;
    while bytes[at..].starts_with(b"PK\x03\x04") {
        let (size, name) = (number(at + 22, 4), number(at + 26, 2));
        let start = at + 30 + name + number(at + 28, 2);
        let key = String::from_utf8(bytes[at + 30..at + 30 + name].to_vec()).unwrap();
        if let Ok(array) = unpool::format::npy::read(&bytes[start..start + size]) {
            found.insert(key.trim_end_matches(".npy").to_string(), array.values);
        }
        at = start + size;
    }
    found
}

#[test]
fn the_sweep_and_full_recomputation_agree() {
    let bench = bench();
    let quick = bench.json("occlude tiny x.npy --size 5 --stride 3 --output quick.npz");
    let full = bench.json("occlude tiny x.npy --size 5 --stride 3 --full --output full.npz");
    assert_eq!((&quick["positions"], &quick["grid"]), (&36.into(), &serde_json::json!([6, 6])));
    for key in ["class", "label", "p0", "layer", "map"] {
        assert_eq!(quick[key], full[key], "{key}");
    }
    let (quick, full) = (bench.read("quick.npz"), bench.read("full.npz"));
    assert!(quick.starts_with(b"PK") && quick.len() == full.len());
    for name in ["p.npy", "logit.npy", "activation.npy", "top.npy"] {
        assert!(quick.windows(name.len()).any(|w| w == name.as_bytes()), "{name}");
    }
}

#[test]
fn a_network_without_classifier_gives_activations() {
    let bench = bench();
    let all = bench.json("occlude blind x.npy --grid inside --size 4 --stride 4 --output o.npz");
    assert!(all["class"].is_null() && all["p0"].is_null() && all["positions"] == 16);
    assert!(all["no_class"].as_str().unwrap().contains("ends in feature maps"));
    bench.fails("occlude blind x.npy --class 1", &["no classifier"]);
}

/// Why there is no class: in feature maps, in plain scores, in a softmax over several positions.
#[test]
fn what_is_no_distribution_is_said_and_the_activation_swept() {
    let bench = bench();
    let mut spread = tiny(true);
    spread.spec.layers.remove(4);
    bench.write("models/spread.safetensors", &unpool::format::model::write(&spread));
    let mut scores = tiny(true);
    scores.spec.layers.truncate(5);
    bench.write("models/scores.safetensors", &unpool::format::model::write(&scores));
    for (name, why) in [
        ("blind", "blind has no classifier: it ends in feature maps"),
        ("scores", "tiny ends in plain scores"),
        ("spread", "tiny's softmax stands over 8×8 positions"),
    ] {
        let text = bench.text(&format!("occlude {name} x.npy --size 5 --stride 4"));
        assert!(text.contains(&format!("no class is followed: {why}")), "{text}");
        assert!(text.contains("total activation") && text.contains("4 × 4 positions"), "{text}");
        let text = bench.text(&format!("invariance {name} x.npy --transform rotate --steps 3"));
        assert!(text.contains(why), "{text}");
        let json = bench.json(&format!("occlude {name} x.npy --size 5 --stride 4"));
        assert!(json["class"].is_null() && json["no_class"].as_str().unwrap().contains(why));
        bench.fails(&format!("occlude {name} x.npy --class 1"), &[why]);
    }
    assert!(bench.json("occlude tiny x.npy --size 5 --stride 4")["no_class"].is_null());
}

#[test]
fn any_layers_are_followed_in_one_sweep() {
    let bench = bench();
    let line =
        "occlude tiny x.npy --size 5 --stride 3 --layer relu1:2 --layer pool1 --layer relu1:0 --output o.npz";
    let all = bench.json(line);
    let watched = all["watched"].as_array().unwrap();
    let names: Vec<_> = watched.iter().map(|w| w["array"].as_str().unwrap()).collect();
    assert_eq!(names, ["activation", "activation_2", "activation_3"]);
    assert_eq!((&watched[0]["layer"], &watched[0]["map"]), (&"relu1".into(), &2.into()));
    assert_eq!((&all["layer"], &all["map"]), (&"relu1".into(), &2.into()));
    assert_eq!((&watched[2]["layer"], &watched[2]["map"]), (&"relu1".into(), &0.into()));
    // The same as each alone.
    let arrays = arrays(&bench.read("o.npz"));
    for (array, how) in
        [("activation", "relu1 --map 2"), ("activation_2", "pool1"), ("activation_3", "relu1:0")]
    {
        bench.json(&format!("occlude tiny x.npy --size 5 --stride 3 --layer {how} --output one.npz"));
        assert_eq!(arrays[array], crate::occlude::arrays(&bench.read("one.npz"))["activation"], "{array}");
    }
    let text = bench.text("occlude tiny x.npy --size 5 --layer relu1:2 --layer pool1");
    assert!(text.contains("relu1 map 2: total") && text.contains("pool1 map "), "{text}");
    bench.usage("occlude tiny x.npy --layer relu1 --layer pool1 --map 1", "NAME:M");
    bench.fails("occlude tiny x.npy --layer relu1:99", &["99"]);
    bench.fails("occlude tiny x.npy --layer nothing:1", &["nothing"]);
}

#[test]
fn a_folder_that_is_not_there_is_said_before_the_sweep() {
    let bench = bench();
    // The network is not even looked for.
    bench.fails("occlude missing x.npy --output no/o.npz", &["cannot write no/o.npz"]);
    bench.fails("invariance missing x.npy --transform rotate --output no/o.npz", &["cannot write no/o.npz"]);
}

#[test]
fn how_long_thousands_of_positions_take_is_said_first() {
    let bench = bench();
    bench.save("wide.npy", &[3, 80, 80], &noise(3 * 80 * 80, 6));
    let out = bench.output("occlude blind wide.npy --size 3 --stride 1 --json");
    let err = String::from_utf8(out.stderr).unwrap();
    assert!(err.starts_with("note: 6400 positions take about ") && err.lines().count() == 1, "{err:?}");
    assert!(err.contains(" s more, measured on the first "), "{err:?}");
    let all: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(all["positions"], 6400);
    // Fewer are not worth a word.
    bench.json("occlude blind wide.npy --size 3 --stride 2");
}

#[test]
fn a_stride_beyond_the_image_is_clamped_and_said() {
    let bench = bench();
    let out = bench.output("occlude tiny x.npy --size 5 --stride 99 --json");
    let err = String::from_utf8(out.stderr).unwrap();
    assert_eq!(err, "note: a stride of 99 is larger than the input; 16 is taken\n");
    let all: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&all["stride"], &all["positions"]), (&16.into(), &1.into()));
}

#[test]
fn a_photo_smaller_than_the_square_is_as_large_as_the_input() {
    let bench = bench();
    // The square is measured on what the network is given: 16×16, whatever the photo was.
    bench.write("photo.png", &bench.data("quarters.png"));
    assert_eq!(bench.json("occlude tiny photo.png --size 16")["size"], 16);
    bench.fails("occlude tiny photo.png --size 17", &["a square of side 17", "16 rows and 16 columns"]);
    bench.save("small.npy", &[3, 8, 12], &noise(3 * 8 * 12, 7));
    bench.fails("occlude blind small.npy --size 9", &["a square of side 9", "8 rows and 12 columns"]);
}

#[test]
fn refusals() {
    let bench = bench();
    bench.fails("occlude tiny x.npy --size 17", &["17", "larger than the image"]);
    bench.fails("occlude tiny x.npy --stride 0", &["stride (0)"]);
    bench.fails("occlude tiny x.npy --class 99", &["no class 99"]);
    bench.fails("occlude tiny x.npy --layer nothing", &["nothing"]);
    bench.fails("occlude tiny x.npy --map 99", &["99"]);
    bench.fails("occlude tiny x.npy --fill 1,2", &["3 input channels"]);
    for usage in ["--fill red", "--output o.npy", "--grid outside"] {
        assert_eq!(bench.output(&format!("occlude tiny x.npy {usage}")).status.code(), Some(2), "{usage}");
    }
}

#[test]
fn invariance_is_zero_where_nothing_moves() {
    let bench = bench();
    let line = "invariance tiny x.npy --transform shift-vertically --from -4 --to 4 --steps 5 --output i.npz";
    let curves = bench.json(line);
    assert_eq!(curves["amounts"], serde_json::json!([-4.0, -2.0, 0.0, 2.0, 4.0]));
    let first = curves["distances"][0].as_array().unwrap();
    assert_eq!(first[2], 0.0);
    assert!(first[0].as_f64().unwrap() > 0.0 && first[4].as_f64().unwrap() > 0.0);
    assert_eq!(curves["p"].as_array().unwrap().len(), 5);
    assert!(bench.read("i.npz").starts_with(b"PK"));
    bench.fails("invariance tiny x.npy --transform scale --from 0", &["positive"]);
    bench.fails("invariance tiny x.npy --transform rotate --steps 1", &["steps"]);
    bench.fails("invariance tiny x.npy --transform rotate --layers no", &["no layer"]);
}

#[test]
fn the_same_part_of_the_same_photo_corresponds_perfectly() {
    let bench = bench();
    let same = bench.json("correspondence tiny x.npy:2,2,9,9 x.npy:2,2,9,9 --random 3");
    let layer = &same["layers"][0];
    assert_eq!((&layer["mean"], &layer["pairs"]), (&0.0.into(), &1.into()));
    assert!(layer["random"]["mean"].as_f64().unwrap() > 0.0);
    bench.fails("correspondence tiny x.npy:2,2,9,9 x.npy:90,90,99,99", &["outside"]);
    for usage in ["x.npy:2,2,9,9", "x.npy x.npy", "x.npy:3,3,2,2 x.npy:1,1,2,2"] {
        assert_eq!(bench.output(&format!("correspondence tiny {usage}")).status.code(), Some(2), "{usage}");
    }
}
