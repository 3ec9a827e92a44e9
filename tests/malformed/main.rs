//! Bad networks and bad requests: an error of the right kind that names the layer; never a panic,
//! never memory for what a spec merely claims.

#[path = "../common/mod.rs"]
mod common;
mod graphs;
mod requests;
mod specs;
mod weights;

use common::{Fixture, Random};
use serde_json::{Value, json};
use std::sync::Arc;
use unpool::error::{Error, Result};
use unpool::explain::deconvnet::{Options, Seed, project};
use unpool::explain::{step, way};
use unpool::net::{Net, Trace};
use unpool::spec::{Model, Spec, Weight, Weights};
use unpool::tensor::{Rect, Shape, Tensor};

const HUGE: u64 = 1 << 40;

/// Two maps of 6×6 in; convolutions named `a` (3 filters 3×3) and `b` (4 filters 1×1) have weights.
fn model(layers: Value) -> Model {
    model_of(json!({"shape": [2, 6, 6]}), layers)
}

fn model_of(input: Value, layers: Value) -> Model {
    let spec = json!({"name": "net", "input": input, "layers": layers});
    let spec: Spec = serde_json::from_value(spec).unwrap();
    let mut weights = Weights::new();
    for (name, shape) in [("a", vec![3, 2, 3, 3]), ("b", vec![4, 3, 1, 1])] {
        if spec.layers.iter().any(|l| l.name == name) {
            let n = shape.iter().product();
            weights.insert(format!("{name}.bias"), Weight::new(vec![shape[0]], vec![0.1; shape[0]]).unwrap());
            weights.insert(format!("{name}.weight"), Weight::new(shape, vec![0.2; n]).unwrap());
        }
    }
    Model { spec, weights }
}

fn a() -> Value {
    json!({"name": "a", "kind": "conv", "filters": 3, "kernel": [3, 3]})
}

fn b() -> Value {
    json!({"name": "b", "kind": "conv", "filters": 4, "kernel": [1, 1]})
}

fn with(mut base: Value, key: &str, value: Value) -> Value {
    base[key] = value;
    base
}

#[track_caller]
fn refused<T>(result: Result<T>, kind: &str, says: &[&str]) {
    let Err(e) = result else { panic!("taken, though {kind} was due: {says:?}") };
    assert_eq!(e.kind(), kind, "{e}");
    for part in says {
        assert!(e.message().contains(part), "“{part}” is missing in: {e}");
    }
    assert!(e.message().len() < 600, "too long to read: {e}");
}

#[track_caller]
fn net_refused(layers: Value, kind: &str, says: &[&str]) {
    refused(Net::new(model(layers)), kind, says);
}

fn trace(layers: Value) -> Trace {
    let net = Arc::new(Net::new(model(layers)).unwrap());
    let ramp = (0..72).map(|v| v as f32 / 72.0).collect();
    net.forward(Tensor::new(Shape::new(2, 6, 6), ramp).unwrap()).unwrap()
}
