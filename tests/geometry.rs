//! Sizes and receptive fields of the published architectures (semantics §1), and where units look.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use serde_json::{Value, json};
use std::sync::Arc;
use unpool::net::Net;
use unpool::spec::{Kind, Model, Weight, Weights};
use unpool::tensor::{Rect, Shape, Tensor};

/// A network of two maps a layer (sizes and fields do not depend on how many), with zero weights.
fn net(input: [usize; 3], layers: Value) -> Arc<Net> {
    let spec: unpool::spec::Spec =
        serde_json::from_value(json!({"name": "net", "input": {"shape": input}, "layers": layers})).unwrap();
    let mut weights = Weights::new();
    let mut maps = input[0];
    for l in &spec.layers {
        if let Kind::Conv { filters, window, groups, .. } = &l.kind {
            let [kh, kw] = window.kernel;
            let shape = vec![*filters, maps / groups, kh, kw];
            let n = shape.iter().product();
            weights.insert(format!("{}.weight", l.name), Weight::new(shape, vec![0.0; n]).unwrap());
            maps = *filters;
        }
    }
    Arc::new(Net::new(Model { spec, weights }).unwrap())
}

fn conv(name: &str, k: usize, s: usize, p: usize, groups: usize) -> Value {
    json!({"name": name, "kind": "conv", "filters": 2, "kernel": [k, k], "stride": [s, s], "pad": [p, p, p, p], "groups": groups})
}

fn pool(name: &str, ceil: bool) -> Value {
    json!({"name": name, "kind": "max_pool", "kernel": [3, 3], "stride": [2, 2], "ceil": ceil})
}

fn plain(name: &str, kind: &str) -> Value {
    match kind {
        "lrn" => json!({"name": name, "kind": kind, "size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0}),
        _ => json!({"name": name, "kind": kind}),
    }
}

/// AK12, with LRN and groups.
#[rustfmt::skip]
fn alexnet() -> Arc<Net> {
    net(
        [3, 227, 227],
        json!([
            conv("conv1", 11, 4, 0, 1), plain("relu1", "relu"), pool("pool1", false), plain("norm1", "lrn"),
            conv("conv2", 5, 1, 2, 2), plain("relu2", "relu"), pool("pool2", false), plain("norm2", "lrn"),
            conv("conv3", 3, 1, 1, 1), plain("relu3", "relu"), conv("conv4", 3, 1, 1, 2), plain("relu4", "relu"),
            conv("conv5", 3, 1, 1, 2), plain("relu5", "relu"), pool("pool5", false),
        ]),
    )
}

/// ZF14.
#[rustfmt::skip]
fn zfnet() -> Arc<Net> {
    net(
        [3, 224, 224],
        json!([
            conv("conv1", 7, 2, 1, 1), plain("relu1", "relu"), pool("pool1", true), plain("norm1", "lrn"),
            conv("conv2", 5, 2, 0, 1), plain("relu2", "relu"), pool("pool2", true), plain("norm2", "lrn"),
            conv("conv3", 3, 1, 1, 1), plain("relu3", "relu"), conv("conv4", 3, 1, 1, 1), plain("relu4", "relu"),
            conv("conv5", 3, 1, 1, 1), plain("relu5", "relu"), pool("pool5", false),
        ]),
    )
}

#[test]
fn sizes_and_fields_are_the_published_ones() {
    for (net, sides, fields) in [
        (alexnet(), [55, 27, 27, 13, 13, 13, 13, 6], [11, 51, 99, 131, 163]),
        (zfnet(), [110, 55, 26, 13, 13, 13, 13, 6], [7, 27, 75, 107, 139]),
    ] {
        let info = net.info();
        let at = |name: &str| info.layers.iter().find(|l| l.name == name).unwrap();
        let names = ["conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5"];
        assert_eq!(names.map(|n| (at(n).shape.h, at(n).shape.w)), sides.map(|s| (s, s)));
        let convs = ["conv1", "conv2", "conv3", "conv4", "conv5"];
        assert_eq!(convs.map(|n| at(n).receptive_field), fields.map(|f| [f, f]));
    }
    assert_eq!(alexnet().info().layers[8].stride, [16, 16]);
}

#[test]
fn fields_are_not_clipped_and_move_by_the_stride() {
    let net = zfnet();
    let trace = net.forward(Tensor::zeros(3, Rect::full(224, 224))).unwrap();
    let node = net.find("conv3").unwrap();
    // conv1 pad 1, then pool, conv2, pool at strides 2, 4, 8; conv3 starts one unit (16 pixels) earlier.
    let start = -1 - 16;
    assert_eq!(trace.receptive_field(node, [0, 0]), Rect::new(start, start, start + 75, start + 75));
    assert_eq!(
        trace.receptive_field(node, [12, 2]),
        Rect::new(start + 192, start + 32, start + 267, start + 107)
    );
}

#[test]
fn a_pixel_finds_the_strongest_unit_that_looks_at_it() {
    // One 3×3 filter that copies its middle: the activation is the photo.
    let layers = json!([{"name": "conv", "kind": "conv", "filters": 1, "kernel": [3, 3], "stride": [2, 2], "pad": [1, 1, 1, 1]}]);
    let spec: unpool::spec::Spec =
        serde_json::from_value(json!({"name": "n", "input": {"shape": [1, 12, 12]}, "layers": layers}))
            .unwrap();
    let mut middle = vec![0.0; 9];
    middle[4] = 1.0;
    let weights = Weights::from([("conv.weight".into(), Weight::new(vec![1, 1, 3, 3], middle).unwrap())]);
    let net = Arc::new(Net::new(Model { spec, weights }).unwrap());
    let photo = Tensor::new(Shape::new(1, 12, 12), (0..144).map(|v| v as f32).collect()).unwrap();
    let trace = net.forward(photo).unwrap();
    // Exactly at a centre only that unit is near; between centres the strongest of four wins.
    assert_eq!(trace.unit_at(1, 0, [4, 6]).unwrap(), ([2, 3], 54.0));
    assert_eq!(trace.unit_at(1, 0, [5, 7]).unwrap(), ([3, 4], 80.0));
    assert_eq!(trace.unit_at(1, 0, [-50, 500]).unwrap().0, [0, 5]);
    assert!(trace.unit_at(1, 1, [0, 0]).is_err());
}

/// Other sizes than the model's own give what a network made for that size gives.
#[test]
fn any_size_the_layers_allow() {
    let f = common::Fixture::named("squeezenet");
    let net = Arc::new(Net::new(f.model()).unwrap());
    let mut rng = common::Random(3);
    for (h, w) in [(31, 64), (90, 47), (40, 40)] {
        let shape = Shape::new(3, h, w);
        let mut model = f.model();
        model.spec.input.shape = shape;
        let own = Arc::new(Net::new(model).unwrap());
        let input = rng.tensor(shape);
        let (a, b) = (net.forward(input.clone()).unwrap(), own.forward(input).unwrap());
        assert_eq!(net.shapes(shape).unwrap(), a.shapes());
        for node in 1..net.len() {
            assert_eq!(a.shape(node), own.info().layers[node - 1].shape);
            assert_eq!(a.activation(node), b.activation(node), "{}", net.name(node));
        }
    }
}
