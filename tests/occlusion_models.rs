//! The incremental sweep equals full recomputation on every network there is: the fixtures, the built-in
//! architectures with drawn weights, and the published weights where they have been fetched.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{Fixture, Random, drawn};
use std::sync::Arc;
use unpool::explain::occlusion::{Fill, Grid, Occlusion, Options, Sweep};
use unpool::format::model;
use unpool::job;
use unpool::net::Net;
use unpool::spec::{Kind, Model, builtin};
use unpool::tensor::{Shape, Tensor};

/// Largest difference of two sweeps, each output relative to its own largest value.
fn difference(a: &Sweep, b: &Sweep) -> f32 {
    let one = |a: &[f32], b: &[f32]| {
        let scale = b.iter().fold(1e-20f32, |m, v| m.max(v.abs()));
        a.iter().zip(b).fold(0f32, |m, (a, b)| m.max((a - b).abs() / scale))
    };
    let watched = a.watched.iter().zip(&b.watched).map(|(a, b)| one(&a.activation, &b.activation));
    let mut worst = watched.fold(0f32, f32::max);
    if b.class.is_some() {
        assert!(a.p.iter().all(|p| p.is_finite()));
        worst = worst.max(one(&a.p, &b.p)).max(one(&a.logit, &b.logit));
    }
    worst
}

/// A handful of positions on both grids, clipped squares among them.
fn check(name: &str, net: &Arc<Net>, input: Tensor) {
    let side = input.rect.h().min(input.rect.w());
    let trace = Arc::new(net.forward(input).unwrap());
    let mut worst = 0f32;
    for (grid, size, stride) in [(Grid::Centre, side / 4, side * 2 / 5), (Grid::Inside, side / 3, side / 2)] {
        let options = Options {
            size: Some(size.max(1)),
            stride: Some(stride.max(1)),
            grid,
            fill: Fill::Noise(2),
            ..Options::default()
        };
        let mut quick = Occlusion::new(trace.clone(), &options).unwrap();
        let mut full = Occlusion::new(trace.clone(), &Options { full: true, ..options }).unwrap();
        job::run(&mut quick).unwrap();
        job::run(&mut full).unwrap();
        assert_eq!(quick.result().grid, full.result().grid);
        worst = worst.max(difference(quick.result(), full.result()));
    }
    println!("{name:<14} {worst:.1e}");
    assert!(worst < 1e-4, "{name}: incremental and full recomputation differ by {worst:.1e}");
}

#[test]
fn fixtures() {
    for f in Fixture::all() {
        let input = f.data.clone();
        // A network of dense layers alone has no image to cover.
        if input.rect.h() > 1 {
            check(&f.name, &Arc::new(Net::new(f.model()).unwrap()), input);
        }
    }
}

#[test]
fn built_in_architectures() {
    for mut spec in builtin::all() {
        // Dense layers are as deep as in the papers, not as wide: their weights would take seconds to draw.
        let mut dense = false;
        for layer in &mut spec.layers {
            if let Kind::Dense { units } = &mut layer.kind {
                *units = (*units).min(40);
                dense = true;
            }
        }
        spec.classes.clear();
        let mut shape = spec.input.shape;
        let (name, weights) = (spec.name.clone(), drawn(&spec, &mut Random(11)));
        let net = Arc::new(Net::new(Model { spec, weights }).unwrap());
        if !dense {
            (shape.h, shape.w) = (96, 110);
        }
        check(&name, &net, Random(3).tensor(shape));
    }
}

#[test]
fn published_weights() {
    for name in ["squeezenet", "alexnet", "vgg16"] {
        let path = format!("{}/models/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let Ok(bytes) = std::fs::read(path) else {
            println!("{name:<14} not fetched");
            continue;
        };
        let net = Arc::new(Net::new(model::read(&bytes).unwrap()).unwrap());
        check(name, &net, Random(5).tensor(Shape::new(3, 90, 101)));
    }
}
