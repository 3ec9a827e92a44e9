//! The incremental sweep equals full recomputation, on graphs with everything that could go wrong.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{Random, drawn};
use std::sync::Arc;
use unpool::explain::occlusion::{Fill, Grid, Occlusion, Options};
use unpool::job;
use unpool::net::Net;
use unpool::spec::{Kind, LayerSpec, Model, Spec};
use unpool::tensor::{Shape, Tensor};
use unpool::window::Window;

fn conv(filters: usize, k: usize, s: usize, p: usize, groups: usize) -> Kind {
    Kind::Conv { filters, window: Window::square(k, s, p), groups, connections: None }
}

fn pool(k: usize, s: usize, p: usize, ceil: bool) -> Kind {
    Kind::MaxPool { window: Window::square(k, s, p), ceil, maps: 1 }
}

/// Builds a network with random weights; layers are (name, inputs, kind).
fn net(input: Shape, layers: &[(&str, &[&str], Kind)], random: &mut Random) -> Arc<Net> {
    let mut spec = Spec::new("test", input);
    spec.layers = layers
        .iter()
        .map(|(name, inputs, kind)| LayerSpec {
            name: name.to_string(),
            inputs: inputs.iter().map(|s| s.to_string()).collect(),
            kind: kind.clone(),
        })
        .collect();
    let weights = drawn(&spec, random);
    Arc::new(Net::new(Model { spec, weights }).unwrap())
}

fn nets(random: &mut Random) -> Vec<(&'static str, Arc<Net>)> {
    let lrn = Kind::Lrn { size: 5, alpha: 1e-2, beta: 0.75, k: 1.0 };
    let average = Kind::AvgPool { window: Window::square(2, 2, 0), ceil: true, include_pad: true };
    let none: &[&str] = &[];
    vec![
        (
            "AlexNet-like: strided, groups, LRN, overlapping ceil pools, dense, not square",
            net(
                Shape::new(3, 63, 51),
                &[
                    ("conv1", none, conv(8, 7, 2, 1, 1)),
                    ("relu1", none, Kind::Relu),
                    ("pool1", none, pool(3, 2, 0, true)),
                    ("norm1", none, lrn),
                    ("conv2", none, conv(12, 5, 1, 2, 2)),
                    ("relu2", none, Kind::Relu),
                    ("pool2", none, pool(3, 2, 1, true)),
                    ("conv3", none, conv(12, 3, 1, 1, 1)),
                    ("relu3", none, Kind::Relu),
                    ("fc", none, Kind::Dense { units: 20 }),
                    ("relu4", none, Kind::Relu),
                    ("drop", none, Kind::Dropout),
                    ("fc2", none, Kind::Dense { units: 7 }),
                    ("prob", none, Kind::Softmax),
                ],
                random,
            ),
        ),
        (
            "SqueezeNet-like: fire modules, a residual sum, global average",
            net(
                Shape::new(3, 48, 57),
                &[
                    ("conv1", none, conv(8, 3, 2, 0, 1)),
                    ("relu1", none, Kind::Relu),
                    ("pool1", none, pool(3, 2, 0, true)),
                    ("sq", none, conv(4, 1, 1, 0, 1)),
                    ("relu_sq", none, Kind::Relu),
                    ("e1", &["relu_sq"], conv(6, 1, 1, 0, 1)),
                    ("relu_e1", none, Kind::Relu),
                    ("e3", &["relu_sq"], conv(6, 3, 1, 1, 1)),
                    ("relu_e3", none, Kind::Relu),
                    ("cat", &["relu_e1", "relu_e3"], Kind::Concat),
                    ("res", none, conv(12, 3, 1, 1, 1)),
                    ("sum", &["res", "cat"], Kind::Sum),
                    ("relu_sum", none, Kind::Relu),
                    ("avg", none, average),
                    ("conv10", none, conv(7, 1, 1, 0, 1)),
                    ("relu10", none, Kind::Relu),
                    ("pool10", none, Kind::GlobalAvg),
                    ("prob", none, Kind::Softmax),
                ],
                random,
            ),
        ),
        (
            "no classifier",
            net(
                Shape::new(1, 40, 40),
                &[
                    ("conv1", none, conv(5, 11, 4, 2, 1)),
                    ("relu1", none, Kind::Relu),
                    ("pool1", none, pool(3, 2, 0, false)),
                ],
                random,
            ),
        ),
    ]
}

#[test]
fn incremental_equals_full_recomputation() {
    let mut random = Random(7);
    for (what, net) in nets(&mut random) {
        let shape = net.spec().input.shape;
        let n = shape.c * shape.h * shape.w;
        let trace = Arc::new(net.forward(Tensor::new(shape, random.values(n)).unwrap()).unwrap());
        for (grid, size, stride) in [
            (Grid::Centre, 11, 5),
            (Grid::Inside, 8, 6),
            (Grid::Centre, 40, 7),
            (Grid::Inside, 1, 9),
            (Grid::Centre, 3, 39),
        ] {
            for node in [None, Some(net.find("conv1").unwrap())] {
                let fill = [Fill::Colour(random.values(shape.c)), Fill::Blur, Fill::Noise(3), Fill::Mean]
                    [stride % 4]
                    .clone();
                let watch = vec![(node, None), (None, Some(1))];
                let options = Options {
                    size: Some(size),
                    stride: Some(stride),
                    grid,
                    fill,
                    watch,
                    ..Options::default()
                };
                let mut quick = Occlusion::new(trace.clone(), &options).unwrap();
                let mut full = Occlusion::new(trace.clone(), &Options { full: true, ..options }).unwrap();
                job::run(&mut quick).unwrap();
                job::run(&mut full).unwrap();
                let (quick, full) = (quick.result(), full.result());
                for (quick, full) in quick.watched.iter().zip(&full.watched) {
                    let scale = full.activation.iter().fold(0f32, |m, v| m.max(v.abs()));
                    for (i, (a, b)) in quick.activation.iter().zip(&full.activation).enumerate() {
                        assert!((a - b).abs() <= 1e-4 * scale, "{what}: activation at {i}: {a}, {b}");
                    }
                }
                for i in 0..full.p.len() {
                    if full.class.is_some() {
                        assert!(
                            (quick.p[i] - full.p[i]).abs() <= 1e-4 * full.p[i].max(1e-3),
                            "{what}: p at {i}"
                        );
                        assert!(
                            (quick.logit[i] - full.logit[i]).abs() <= 1e-4 * full.logit[i].abs().max(1.0),
                            "{what}"
                        );
                        assert!(quick.p[i].is_finite() && quick.top[i] >= 0);
                    }
                }
            }
        }
    }
}

#[test]
fn bad_options_are_refused_in_words() {
    let mut random = Random(1);
    let all = nets(&mut random);
    let run = |net: &Arc<Net>, options: Options| {
        let s = net.spec().input.shape;
        let input = Tensor::new(s, Random(3).values(s.c * s.h * s.w)).unwrap();
        Occlusion::new(Arc::new(net.forward(input).unwrap()), &options).map(|_| ()).unwrap_err()
    };
    let alex = &all[0].1;
    assert_eq!(run(alex, Options { size: Some(52), ..Options::default() }).kind(), "Parameter");
    assert_eq!(run(alex, Options { stride: Some(0), ..Options::default() }).kind(), "Parameter");
    assert_eq!(run(alex, Options { class: Some(7), ..Options::default() }).kind(), "Parameter");
    assert_eq!(
        run(alex, Options { watch: vec![(None, Some(99))], ..Options::default() }).kind(),
        "Parameter"
    );
    assert_eq!(
        run(alex, Options { fill: Fill::Colour(vec![0.0]), ..Options::default() }).kind(),
        "Parameter"
    );
    assert_eq!(
        run(alex, Options { fill: Fill::Colour(vec![f32::NAN; 3]), ..Options::default() }).kind(),
        "Parameter"
    );
    assert_eq!(run(&all[2].1, Options { class: Some(0), ..Options::default() }).kind(), "Unsupported");
}

#[test]
fn a_stopped_sweep_keeps_what_it_has() {
    let mut random = Random(5);
    let net = nets(&mut random).remove(1).1;
    let s = net.spec().input.shape;
    let input = Tensor::new(s, random.values(s.c * s.h * s.w)).unwrap();
    let trace = Arc::new(net.forward(input).unwrap());
    let options = Options { size: Some(9), stride: Some(2), ..Options::default() };
    let mut sweep = Occlusion::new(trace, &options).unwrap();
    let progress = job::Job::step(&mut sweep, std::time::Duration::ZERO).unwrap();
    assert!(progress.fraction > 0.0 && !progress.done);
    let known = sweep.result().p.iter().filter(|v| v.is_finite()).count();
    assert_eq!(known, (progress.fraction * sweep.len() as f64).round() as usize);
    assert!(sweep.seconds().1 > 0.0);
}
