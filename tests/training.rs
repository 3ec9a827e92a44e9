//! Training against float64 references (tests/data/training), and what a run promises: the same seed gives the same
//! numbers, a checkpoint goes on exactly, a run that diverges says so and keeps its last good state.

#![cfg(not(target_arch = "wasm32"))]

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use unpool::Error;
use unpool::explain::deconvnet::{Options, Seed, project};
use unpool::job::{self, Job};
use unpool::net::Net;
use unpool::spec::{Input, LayerSpec, Order, Spec, Weight, Weights};
use unpool::tensor::{Shape, Tensor};
use unpool::train::data::{Image, Part};
use unpool::train::evolution::{self, Evolution};
use unpool::train::gather;
use unpool::train::recipe::{Recipe, Schedule, Task};
use unpool::train::{Data, Experiment, Run, checkpoint};

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/data/training/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn floats(v: &Value) -> Vec<f32> {
    v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

/// The fixture's network, data and weights.
fn parts(f: &Value) -> (Experiment, Arc<Data>, Weights) {
    let shape: [usize; 3] = serde_json::from_value(f["shape"].clone()).unwrap();
    let shape = Shape::from(shape);
    let layers: Vec<LayerSpec> = serde_json::from_value(f["layers"].clone()).unwrap();
    let input = Input { shape, mean: vec![128.0], std: vec![64.0], order: Order::Rgb };
    let input = Input { mean: vec![128.0; shape.c], std: vec![64.0; shape.c], ..input };
    let network = Spec { input, layers, ..Spec::new("fixture", shape) };
    let bytes: Vec<u8> = serde_json::from_value(f["images"].clone()).unwrap();
    let images = bytes.chunks(shape.count().unwrap());
    let images = images.map(|p| Image { h: shape.h, w: shape.w, pixels: p.to_vec() }).collect();
    let labels = serde_json::from_value(f["labels"].clone()).unwrap();
    let data = Data {
        channels: shape.c,
        classes: ["a", "b", "c"].map(String::from).to_vec(),
        train: Part { images, labels },
        test: Part::default(),
    };
    let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_value(f["shapes"].clone()).unwrap();
    let weight = |(k, s): (String, Vec<usize>)| {
        let w = Weight::new(s, floats(&f["weights"][&k])).unwrap();
        (k, w)
    };
    let weights = shapes.into_iter().map(weight).collect();
    (Experiment { network, training: Recipe::default() }, Arc::new(data), weights)
}

fn close(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
    let scale = want.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{what}[{i}]: {a}, reference {b} (largest {scale})");
    }
}

#[test]
fn every_gradient_agrees_with_the_reference() {
    for name in ["plain", "lenet", "branches", "others"] {
        let f = fixture(name);
        let (experiment, data, weights) = parts(&f);
        let mut run = Run::new(experiment, data, weights).unwrap();
        let (loss, gradient) = run.gradient(4);
        assert!((loss - f["loss"].as_f64().unwrap()).abs() < 1e-5, "{name}: {loss}");
        assert_eq!(gradient.len(), f["gradient"].as_object().unwrap().len());
        for (k, g) in gradient {
            close(&format!("{name}: {k}"), &g.to_f32(), &floats(&f["gradient"][&k]), 2e-4);
        }
    }
}

#[test]
fn steps_follow_the_formulas() {
    let f = fixture("lenet");
    for case in f["runs"].as_array().unwrap() {
        let (mut experiment, data, weights) = parts(&f);
        experiment.training = serde_json::from_value(case["settings"].clone()).unwrap();
        let mut run = Run::new(experiment, data, weights).unwrap();
        for _ in 0..5 {
            run.step_on(4).unwrap();
        }
        for (k, w) in run.model().weights {
            close(&format!("{}: {k}", case["settings"]), &w.to_f32(), &floats(&case["weights"][&k]), 2e-4);
        }
    }
}

/// Two classes that differ in where they are bright, with some noise, for a network of a few hundred weights.
fn easy(images: usize) -> (Experiment, Arc<Data>) {
    let mut state = 7u32;
    let mut noise = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 25) as u8
    };
    let mut part = |n: usize| {
        let mut part = Part::default();
        for i in 0..n {
            let pixels =
                (0..64).map(|p| noise() + if (p % 8 < 4) == (i % 2 == 0) { 90 } else { 0 }).collect();
            part.images.push(Image { h: 8, w: 8, pixels });
            part.labels.push(i % 2);
        }
        part
    };
    let (train, test) = (part(images), part(40));
    let data = Data { channels: 1, classes: vec!["left".into(), "right".into()], train, test };
    let text = r#"{"network": {"name": "easy", "input": {"shape": [1, 8, 8], "mean": [100], "std": [60]}, "layers": [
        {"name": "conv1", "kind": "conv", "filters": 4, "kernel": [3, 3]}, {"name": "relu1", "kind": "relu"},
        {"name": "pool1", "kind": "max_pool", "kernel": [2, 2], "stride": [2, 2]},
        {"name": "fc2", "kind": "dense", "units": 6}, {"name": "relu2", "kind": "relu"}, {"name": "drop2", "kind": "dropout"},
        {"name": "fc3", "kind": "dense", "units": 2}, {"name": "prob", "kind": "softmax"}]},
        "training": {"epochs": 3, "batch": 20, "rate": 0.05, "flip": false, "shift": 1, "dropout": 0.2,
        "dropconnect": {"fc2": 0.3}, "nesterov": true, "l2": 0.001, "schedule": {"kind": "step", "every": 2, "factor": 0.5}}}"#;
    (Experiment::parse(text).unwrap(), Arc::new(data))
}

#[test]
fn a_run_learns_and_the_same_seed_gives_the_same_run() {
    let (experiment, data) = easy(100);
    let all = |threads: usize, seed: u64| {
        let mut experiment = experiment.clone();
        experiment.training.seed = seed;
        let mut run = Run::new(experiment, data.clone(), Weights::new()).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| job::run(&mut run)).unwrap();
        run
    };
    let run = all(1, 1);
    let last = run.history().last().unwrap();
    assert_eq!((run.history().len(), last.rate), (3, 0.025));
    assert!(last.test.unwrap().accuracy > 0.9, "{last:?}");
    assert_eq!(all(3, 1).model().weights, run.model().weights, "however many threads");
    assert_ne!(all(1, 2).model().weights, run.model().weights);
}

#[test]
fn a_checkpoint_goes_on_exactly_also_within_an_epoch() {
    let (experiment, data) = easy(100);
    let mut whole = Run::new(experiment.clone(), data.clone(), Weights::new()).unwrap();
    job::run(&mut whole).unwrap();
    let mut first = Run::new(experiment.clone(), data.clone(), Weights::new()).unwrap();
    for _ in 0..9 {
        // No time at all: one piece each, so this stops within the second epoch.
        first.step(Duration::ZERO).unwrap();
    }
    assert_eq!(first.epoch(), 1);
    let mut second = checkpoint::resume(&first.save(), data.clone(), Some(experiment.clone())).unwrap();
    job::run(&mut second).unwrap();
    assert_eq!(second.model().weights, whole.model().weights);
    let strip = |r: &Run| r.history().iter().map(|e| (e.epoch, e.rate, e.train, e.test)).collect::<Vec<_>>();
    assert_eq!(strip(&second), strip(&whole));
}

#[test]
fn checkpoints_of_something_else_are_refused() {
    let (experiment, data) = easy(40);
    let run = Run::new(experiment.clone(), data.clone(), Weights::new()).unwrap();
    let bytes = run.save();
    assert!(checkpoint::is_checkpoint(&bytes));
    let fails = |bytes: &[u8], data: &Arc<Data>, wanted: Option<Experiment>, what: &str| {
        let e = checkpoint::resume(bytes, data.clone(), wanted).err().unwrap();
        assert!(e.message().contains(what), "{e}");
    };
    let mut other = experiment.clone();
    other.network.layers.remove(1);
    fails(&bytes, &data, Some(other), "another network");
    fails(&bytes, &easy(42).1, None, "other data");
    fails(&bytes[..bytes.len() - 1], &data, None, "safetensors");
    let model = unpool::format::model::write(&run.model());
    assert!(!checkpoint::is_checkpoint(&model));
    fails(&model, &data, None, "no checkpoint");
    for i in (0..bytes.len()).step_by(97) {
        let mut damaged = bytes.clone();
        damaged[i] ^= 0x15;
        let _ = checkpoint::resume(&damaged, data.clone(), None).map(drop);
    }
}

#[test]
fn a_run_that_diverges_says_so_and_keeps_its_last_good_state() {
    let (experiment, data) = easy(100);
    let mut run = Run::new(experiment, data, Weights::new()).unwrap();
    while run.epoch() < 1 {
        run.step(Duration::from_secs(10)).unwrap();
    }
    let good = run.model().weights;
    run.set_rate(1e20).unwrap();
    let e = job::run(&mut run).unwrap_err();
    assert!(
        matches!(&e, Error::Parameter(m) if m.contains("diverged") && m.contains("after epoch 1")),
        "{e}"
    );
    assert_eq!((run.epoch(), run.model().weights == good), (1, true));
    run.set_rate(0.01).unwrap();
    job::run(&mut run).unwrap();
    assert!(run.set_rate(0.0).is_err() && run.set_rate(f32::NAN).is_err());
}

#[test]
fn schedules_change_the_rate() {
    let (mut experiment, data) = easy(40);
    experiment.training.epochs = 4;
    experiment.training.schedule = Schedule::Cosine;
    let mut run = Run::new(experiment.clone(), data.clone(), Weights::new()).unwrap();
    assert_eq!(run.rate(), 0.05);
    job::run(&mut run).unwrap();
    assert!(run.history()[1].rate < 0.03 && run.rate() < 1e-6);
    // A rate this small changes nothing that can be measured, so the loss does not fall for long.
    experiment.training.rate = 1e-12;
    experiment.training.schedule = Schedule::Plateau { patience: 1, factor: 0.5 };
    let mut run = Run::new(experiment, data, Weights::new()).unwrap();
    job::run(&mut run).unwrap();
    assert!(run.rate() <= 0.5e-12, "{}", run.rate());
}

#[test]
fn what_does_not_fit_is_refused_before_anything_runs() {
    let (experiment, data) = easy(40);
    let fails = |change: &dyn Fn(&mut Experiment), what: &str| {
        let mut e = experiment.clone();
        change(&mut e);
        let e = Run::new(e, data.clone(), Weights::new()).err().unwrap();
        assert!(e.message().contains(what), "{e}");
    };
    let layer = |text: &str| serde_json::from_str::<LayerSpec>(text).unwrap();
    fails(
        &|e| {
            e.network.layers[0] =
                layer(r#"{"name": "conv1", "kind": "conv", "filters": 4, "kernel": [9, 9]}"#)
        },
        "conv1",
    );
    fails(&|e| e.network.layers[6] = layer(r#"{"name": "fc3", "kind": "dense", "units": 3}"#), "3 outputs");
    fails(&|e| drop(e.network.layers.pop()), "softmax");
    fails(
        &|e| e.network.layers[1] = layer(r#"{"name": "relu1", "kind": "batch_norm", "eps": 1e-5}"#),
        "batch normalisation",
    );
    fails(
        &|e| e.network.layers[3] = layer(r#"{"name": "fc2", "kind": "dense", "units": 99999999999}"#),
        "fc2",
    );
    fails(&|e| e.network.input.shape.c = 3, "3 input channels");
    fails(&|e| e.training.rate = 0.0, "learning rate");
    fails(&|e| _ = e.training.dropconnect.insert("conv1".into(), 0.1), "conv1 is none");
    fails(&|e| e.training.task = Task::Rotations, "2 outputs");
}

#[test]
fn rotations_are_learned_from_photos_without_labels() {
    let picture = |i: usize| {
        // Bright above, dark below, whatever else is there.
        let rgba = (0..40 * 48).flat_map(|p| {
            let v = (230 - 4 * (p / 48) + (p * (i + 3)) % 17) as u8;
            [v, v, v, 255]
        });
        unpool::image::Picture::new(48, 40, rgba.collect()).unwrap()
    };
    let (mut experiment, _) = easy(4);
    experiment.network.input.shape = Shape::new(1, 16, 16);
    let units = r#"{"name": "fc3", "kind": "dense", "units": 4}"#;
    experiment.network.layers[6] = serde_json::from_str(units).unwrap();
    experiment.network.classes.clear();
    experiment.training = Recipe {
        task: Task::Rotations,
        windows: 6,
        epochs: 20,
        batch: 16,
        rate: 0.02,
        seed: 3,
        dropout: 0.0,
        flip: true,
        ..Recipe::default()
    };
    let data = Data::photos((0..20).map(picture), experiment.network.input.shape).unwrap();
    assert_eq!((data.train.images.len(), data.test.images.len()), (36, 4));
    let mut run = Run::new(experiment, Arc::new(data), Weights::new()).unwrap();
    job::run(&mut run).unwrap();
    let last = run.history().last().unwrap();
    assert!(last.test.unwrap().accuracy > 0.9, "{last:?}");
    assert_eq!(run.model().spec.classes, ["0°", "90°", "180°", "270°"]);
}

#[test]
fn winners_are_those_of_a_search_by_brute_force_however_many_threads() {
    let (experiment, data) = easy(70);
    let mut run = Run::new(experiment, data.clone(), Weights::new()).unwrap();
    job::run(&mut run).unwrap();
    let net = Arc::new(Net::new(run.model()).unwrap());
    let (node, maps) = (net.find("pool1").unwrap(), [2, 0, 2]);
    let search = |threads: usize, images: usize| {
        let mut all = Evolution::new(net.clone(), data.clone(), "pool1", &maps, images).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| job::run(&mut all)).unwrap();
        all
    };
    let all = search(1, 50);
    assert_eq!(search(3, 50).winners(), all.winners());
    let traces: Vec<_> = data.train.images[..50]
        .iter()
        .map(|image| {
            let values = image.pixels.iter().map(|v| (f32::from(*v) - 100.0) * (1.0 / 60.0)).collect();
            net.forward(Tensor::new(Shape::new(1, 8, 8), values).unwrap()).unwrap()
        })
        .collect();
    for (winner, (&map, cell)) in all.winners().iter().zip(maps.iter().zip(all.cells())) {
        let mut best = (f32::NEG_INFINITY, 0, [0, 0]);
        for (i, trace) in traces.iter().enumerate() {
            let plane = trace.map(node, map).unwrap();
            for (p, &v) in plane.data().iter().enumerate() {
                if v > best.0 {
                    best = (v, i, [p / plane.rect.w(), p % plane.rect.w()]);
                }
            }
        }
        assert_eq!((winner.map, winner.value, winner.image, winner.at), (map, best.0, best.1, best.2));
        let seed = Seed::Unit { map, at: Some(winner.at) };
        let want = project(&traces[winner.image], node, &seed, &Options::default()).unwrap();
        assert_eq!((&cell.winner, &cell.projection), (winner, &want));
        assert_eq!(cell.input.data(), traces[winner.image].activation(0).data());
    }
    // Of fewer images others win; then the feature has jumped.
    let (i, winner) = all.winners().iter().enumerate().find(|(_, w)| w.image > 0).unwrap();
    assert!(evolution::jumped(&search(1, winner.image).winners()[i], winner));
    assert!(!evolution::jumped(&all.winners()[0], &all.winners()[2]), "the same map");
    assert_eq!(search(1, 1000).images(), 70, "no more than there are");
    let refused = |layer: &str, maps: &[usize]| {
        Evolution::new(net.clone(), data.clone(), layer, maps, 1).err().unwrap().message().to_owned()
    };
    assert!(refused("pool9", &[0]).contains("pool9"));
    assert!(refused("pool1", &[4]).contains("maps 0 to 3, there is no map 4"));
}

#[test]
fn files_are_told_apart_by_what_is_in_them() {
    let file = |name: &str, head: &[u8], values: usize| {
        (name.to_owned(), [head, &(0..values).map(|v| (v / 3 % 2) as u8).collect::<Vec<u8>>()].concat())
    };
    let images = |name: &str| file(name, &[0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 2, 0, 0, 0, 2], 48);
    let labels = |name: &str| file(name, &[0, 0, 8, 1, 0, 0, 0, 12], 12);
    let read = |files: &[(String, Vec<u8>)], every| gather::sorted(files, Vec::new(), every);
    let held = read(&[labels("a"), images("b")], 3).unwrap();
    assert_eq!((held.train.images.len(), held.test.labels.clone()), (8, vec![0, 1, 0, 1]));
    assert_eq!(read(&[labels("a"), images("b")], 0).unwrap().train.images.len(), 12);
    let whole = [images("train"), labels("l"), images("T10k"), labels("my-test-labels")];
    assert_eq!(read(&whole, 3).unwrap().test.images.len(), 12);
    let says = |files: &[(String, Vec<u8>)], what: &str| {
        let e = read(files, 10).unwrap_err();
        assert!(e.message().contains(what), "{e}");
    };
    says(&[], "no images to train on");
    says(&whole[2..], "no images to train on");
    says(&whole[..1], "no training labels to go with train");
    says(&whole[..3], "no test labels to go with T10k");
    says(&[images("x"), images("y")], "x and y both hold training images");
    says(&[("x".into(), vec![1, 2, 3])], "x: IDX file");
}
