//! Correspondence: the incremental comparison equals full forward passes, and says no in words.
#![cfg(not(target_arch = "wasm32"))]

use std::sync::Arc;
use unpool::explain::correspondence::{Correspondence, Options};
use unpool::job;
use unpool::net::{Net, Trace};
use unpool::spec::{Kind, LayerSpec, Model, Spec, Weight, Weights};
use unpool::tensor::{Rect, Shape, Tensor};
use unpool::window::Window;

fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut random = unpool::random::SplitMix::new(seed);
    (0..n).map(|_| random.normal() as f32).collect()
}

fn net() -> Arc<Net> {
    let mut spec = Spec::new("faces", Shape::new(3, 30, 26));
    let mut weights = Weights::new();
    let conv =
        |filters| Kind::Conv { filters, window: Window::square(3, 1, 1), groups: 1, connections: None };
    let pool = Kind::MaxPool { window: Window::square(3, 2, 0), ceil: true, maps: 1 };
    for (name, inputs, kind) in [
        ("conv1", 3, conv(6)),
        ("relu1", 0, Kind::Relu),
        ("pool1", 0, pool),
        ("conv2", 6, conv(8)),
        ("relu2", 0, Kind::Relu),
    ] {
        if let Kind::Conv { filters, .. } = kind {
            let shape = vec![filters, inputs, 3, 3];
            let values = noise(filters * inputs * 9, 7).iter().map(|v| v * 0.3).collect();
            weights.insert(format!("{name}.weight"), Weight::new(shape, values).unwrap());
            weights.insert(format!("{name}.bias"), Weight::new(vec![filters], noise(filters, 9)).unwrap());
        }
        spec.layers.push(LayerSpec { name: name.into(), inputs: vec![], kind });
    }
    Arc::new(Net::new(Model { spec, weights }).unwrap())
}

fn traces(net: &Arc<Net>, n: u64) -> Vec<Arc<Trace>> {
    let shape = net.spec().input.shape;
    let input = |seed| Tensor::new(shape, noise(shape.c * shape.h * shape.w, 100 + seed)).unwrap();
    (0..n).map(|seed| Arc::new(net.forward(input(seed)).unwrap())).collect()
}

/// sign(x − x̃) by a full pass with the part at 0.
fn full(trace: &Trace, part: Rect, node: usize) -> Vec<f32> {
    let mut input = trace.activation(0);
    let hidden = Tensor::zeros(input.channels(), part);
    input.view_mut().copy_from(hidden.view());
    let after = trace.net().forward(input).unwrap().activation(node);
    let before = trace.activation(node);
    before.data().iter().zip(after.data()).map(|(a, b)| if a == b { 0.0 } else { (a - b).signum() }).collect()
}

#[test]
fn it_equals_the_definition_by_full_passes() {
    let net = net();
    let images = traces(&net, 4);
    let parts = [
        Rect::new(3, 4, 10, 11),
        Rect::new(5, 4, 12, 11),
        Rect::new(20, 18, 27, 25),
        Rect::new(-3, -3, 4, 4),
    ];
    let nodes: Vec<usize> = ["relu1", "pool1", "relu2"].iter().map(|n| net.find(n).unwrap()).collect();
    let options = Options { nodes: nodes.clone(), fill: None, draws: 3, seed: 5 };
    let pairs: Vec<_> = images.iter().cloned().zip(parts).collect();
    let mut job = Correspondence::new(pairs, &options).unwrap();
    // Nothing is known before all images have been done once.
    let progress = job::Job::step(&mut job, std::time::Duration::ZERO).unwrap();
    assert!(job.same().is_none() && progress.fraction == 1.0 / 16.0);
    job::run(&mut job).unwrap();
    for (l, &node) in nodes.iter().enumerate() {
        let signs: Vec<_> =
            images.iter().zip(parts).map(|(t, r)| full(t, r.intersect(&t.shape(0).rect()), node)).collect();
        let mut distances = Vec::new();
        for i in 0..4 {
            for j in 0..i {
                let differ = signs[i].iter().zip(&signs[j]).filter(|(a, b)| a != b).count();
                distances.push(differ as f64 / signs[i].len() as f64);
            }
        }
        let mean = distances.iter().sum::<f64>() / 6.0;
        let same = &job.same().unwrap()[l];
        assert!((same.mean - mean).abs() < 1e-3, "{}: {} for {mean}", net.name(node), same.mean);
        assert!((same.sum - 12.0 * same.mean).abs() < 1e-9 && same.pairs == 6 && same.deviation > 0.0);
        let control = job.control()[l];
        assert!(control.draws == 3 && control.mean > 0.0 && control.deviation.is_finite());
    }
}

#[test]
fn what_cannot_be_compared_is_refused_in_words() {
    let (net, other) = (net(), net());
    let images = traces(&net, 2);
    let part = Rect::new(0, 0, 5, 5);
    let nodes = vec![net.find("relu2").unwrap()];
    let good = Options { nodes, fill: None, draws: 1, seed: 1 };
    let refused = |images: Vec<(Arc<Trace>, Rect)>, options: &Options| {
        let error = Correspondence::new(images, options).err().expect("refused");
        (error.kind(), error.message().to_owned())
    };
    let both = || vec![(images[0].clone(), part), (images[1].clone(), part)];
    assert_eq!(refused(both()[..1].to_vec(), &good).0, "Parameter");
    let outside = vec![(images[0].clone(), part), (images[1].clone(), Rect::new(40, 40, 50, 50))];
    let (kind, message) = refused(outside, &good);
    assert!(kind == "Parameter" && message.contains("image 2"), "{message}");
    let stranger = vec![(images[0].clone(), part), (traces(&other, 1)[0].clone(), part)];
    assert_eq!(refused(stranger, &good).0, "Shape");
    for bad in [
        Options { nodes: vec![], ..good.clone() },
        Options { nodes: vec![99], ..good.clone() },
        Options { fill: Some(vec![0.0]), ..good.clone() },
        Options { draws: 100_000, ..good.clone() },
    ] {
        assert_eq!(refused(both(), &bad).0, "Parameter");
    }
}
