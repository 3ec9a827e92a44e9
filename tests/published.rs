//! The published networks at full width with drawn weights (make_large.py): the sizes at which the
//! kernels take their blocked and threaded paths, which small fixtures never reach.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{Random, cases, error, spec_and_tensors};
use std::collections::BTreeMap;
use std::sync::Arc;
use unpool::explain::deconvnet::project;
use unpool::net::Net;
use unpool::spec::{Kind, Model, Spec, Weight, Weights, builtin};
use unpool::tensor::Tensor;

const TOLERANCE: f32 = 1e-4;

/// FNV-1a of the name seeds the generator; make_large.py does the same.
fn draw(name: &str, n: usize, scale: f32) -> Vec<f32> {
    let seed =
        name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
    let mut rng = Random(seed);
    (0..n).map(|_| rng.value() * scale).collect()
}

fn weights(spec: &Spec) -> Weights {
    let mut maps = BTreeMap::from([("data", spec.input.shape.c)]);
    let (mut out, mut before) = (Weights::new(), "data");
    for l in &spec.layers {
        let reads: Vec<&str> =
            if l.inputs.is_empty() { vec![before] } else { l.inputs.iter().map(|i| i.as_str()).collect() };
        let mut c: usize = reads.iter().map(|i| maps[i]).sum();
        if let Kind::Conv { filters, window, groups, .. } = &l.kind {
            let shape = vec![*filters, c / groups, window.kernel[0], window.kernel[1]];
            let fan: usize = shape[1..].iter().product();
            for (part, shape, scale) in
                [("weight", shape, (6.0 / fan as f32).sqrt()), ("bias", vec![*filters], 0.1)]
            {
                let name = format!("{}.{part}", l.name);
                let values = draw(&name, shape.iter().product(), scale);
                out.insert(name, Weight::new(shape, values).unwrap());
            }
            c = *filters;
        }
        maps.insert(&l.name, c);
        before = &l.name;
    }
    out
}

/// Values at flat indices, as the fixture stores them: got and expected.
fn pick(values: &Tensor, pairs: &Weight) -> (Vec<f32>, Vec<f32>) {
    let pairs = pairs.to_f32();
    pairs.chunks_exact(2).map(|p| (values.data()[p[0] as usize], p[1])).unzip()
}

fn magnitudes(t: &Tensor) -> f32 {
    t.data().iter().map(|v| f64::from(v.abs())).sum::<f64>() as f32
}

fn check(name: &str) {
    let path = format!("{}/tests/data/large/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let (spec, metadata, tensors) = spec_and_tensors(&std::fs::read(path).unwrap());
    let model = Model { weights: weights(&spec), spec: spec.clone() };
    let shape = spec.input.shape;
    let input = Tensor::new(shape, draw("data", shape.c * shape.h * shape.w, 1.0)).unwrap();
    let trace = Arc::new(Net::new(model).unwrap()).forward(input).unwrap();
    let (mut up, mut down) = ((0f32, String::new()), (0f32, String::new()));
    for (i, layer) in spec.layers.iter().enumerate() {
        let y = trace.activation(i + 1);
        let (got, expected) = pick(&y, &tensors[&format!("activation/{}", layer.name)]);
        let e = error(&got, &expected);
        if e >= up.0 {
            up = (e, layer.name.clone());
        }
        let (norm, all) = (magnitudes(&y), tensors["norms"].to_f32()[i]);
        assert!(e < TOLERANCE, "{name}: {} is off by {e:.1e}", layer.name);
        assert!((norm - all).abs() < 1e-5 * all, "{name}: {} sums to {norm}, not {all}", layer.name);
    }
    for (i, (case, norm)) in cases(&metadata).iter().enumerate() {
        let node = trace.net().find(&case.layer).unwrap();
        let p = project(&trace, node, &case.seed, &case.options).unwrap();
        assert_eq!(p.at, case.at, "{name}: {}", case.text);
        let (got, expected) = pick(&p.pixels, &tensors[&format!("p{i}")]);
        let e = error(&got, &expected);
        if e >= down.0 {
            down = (e, case.text.clone());
        }
        assert!(e < TOLERANCE, "{name}: {} is off by {e:.1e}", case.text);
        let all = magnitudes(&p.pixels);
        assert!((all - norm).abs() < 1e-4 * norm, "{name}: {} sums to {all}, not {norm}", case.text);
        assert!(p.receptive_field.covers(&case.rect), "{name}: {}", case.text);
    }
    println!("{name:<11} worst up {:.1e} ({}), down {:.1e} ({})", up.0, up.1, down.0, down.1);
}

#[test]
fn alexnet_of_2012() {
    check("alexnet2012");
}

#[test]
fn zfnet() {
    check("zfnet");
}

#[test]
fn squeezenet() {
    check("squeezenet");
}

#[test]
fn vgg16() {
    check("vgg16");
}

/// The architectures known by heart are those written down independently beside the references.
#[test]
fn built_in_architectures_are_the_published_ones() {
    for (mine, dir, name, convolutional) in [
        (builtin::alexnet2012(), "large/", "alexnet2012", true),
        (builtin::zfnet(), "large/", "zfnet", true),
        (builtin::vgg16(), "large/", "vgg16", true),
        (builtin::lenet5(), "", "lenet", false),
    ] {
        let path = format!("{}/tests/data/{dir}{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let theirs = spec_and_tensors(&std::fs::read(path).unwrap()).0;
        if convolutional {
            let n = theirs.layers.len();
            assert_eq!(mine.layers[..n], theirs.layers[..], "{name}");
        } else {
            let table = |s: &Spec| s.layers.iter().find(|l| l.name == "c3").unwrap().kind.clone();
            assert_eq!(table(&mine), table(&theirs), "{name}");
        }
    }
}
