//! `unpool occlude`, `invariance`, `correspondence`: the numbers, and what it says to wrong arguments.

use crate::common::{Bench, noise};

fn bench() -> Bench {
    let bench = Bench::new();
    let values = noise(3 * 16 * 16, 5);
    bench.write("x.npy", &unpool::format::npy::write(&[3, 16, 16], &values).unwrap());
    bench
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
    bench.fails("occlude blind x.npy --class 1", &["no classifier"]);
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
