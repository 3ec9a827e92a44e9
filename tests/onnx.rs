//! Networks imported from ONNX agree in every layer with the ONNX project's reference evaluator
//! (`tests/data/make_onnx.py`).
#![cfg(not(target_arch = "wasm32"))]

use std::sync::Arc;
use unpool::format::number::Number;
use unpool::format::safetensors::File;
use unpool::format::{Options, Report, convert};
use unpool::net::Net;
use unpool::tensor::{Shape, Tensor};

fn path(name: &str, ending: &str) -> String {
    format!("{}/tests/data/onnx/{name}.{ending}", env!("CARGO_MANIFEST_DIR"))
}

fn import(name: &str) -> (Arc<Net>, Report) {
    let (model, report) = convert(&std::fs::read(path(name, "onnx")).unwrap(), &Options::default()).unwrap();
    (Arc::new(Net::new(model).unwrap()), report)
}

/// Compares every layer that has the name of a node; returns how many.
fn agrees(name: &str, input: impl Fn(&[f32]) -> Vec<f32>) -> (usize, Report) {
    let (net, report) = import(name);
    let bytes = std::fs::read(path(name, "safetensors")).unwrap();
    let file = File::parse(&bytes).unwrap();
    let values = |name: &str| {
        let e = &file.tensors[name];
        assert_eq!(e.number, Number::F32);
        e.number.to_f32(e.bytes, false)
    };
    let shape = net.shapes(net.spec().input.shape).unwrap()[0];
    let trace = net.forward(Tensor::new(shape, input(&values("x"))).unwrap()).unwrap();
    let mut compared = 0;
    for node in 1..net.len() {
        let layer = net.name(node);
        if !file.tensors.contains_key(layer) {
            continue;
        }
        let (got, want) = (trace.activation(node), values(layer));
        assert_eq!(got.data().len(), want.len(), "{name}: {layer}");
        let scale = want.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
        let off = got.data().iter().zip(&want).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        // A convolution before its folded normalisation is not what the file calls it.
        let folded =
            net.spec().layers.get(node).is_some_and(|l| ["batch_norm", "scale"].contains(&l.kind.name()));
        assert!(folded || off < 1e-4 * scale, "{name}: {layer} is off by {off:.1e} of {scale:.1e}");
        compared += 1;
    }
    (compared, report)
}

#[test]
fn a_residual_network_with_groups_and_normalisation() {
    let (compared, report) = agrees("residual", <[f32]>::to_vec);
    assert_eq!((compared, report.output.as_str()), (10, "fc"));
    assert!(report.guesses.iter().any(|g| g.text.contains("softmax")), "{report:?}");
    assert!(report.missing.iter().any(|m| m.text.contains("mean")), "{report:?}");
}

#[test]
fn rows_columns_channels_and_computed_shapes() {
    let chw = |x: &[f32]| -> Vec<f32> {
        (0..3).flat_map(|c| (0..63).map(move |p| p * 3 + c)).map(|i| x[i]).collect()
    };
    let (compared, report) = agrees("keras", chw);
    assert_eq!(compared, 6);
    assert!(report.folded.iter().any(|f| f.text.contains("to_chw")), "{report:?}");
    assert_eq!(import("keras").0.spec().input.shape, Shape::new(3, 7, 9));
}

#[test]
fn quantised_weights_gates_and_transposed_convolutions() {
    let (compared, report) = agrees("decoder", <[f32]>::to_vec);
    assert_eq!(compared, 14);
    assert!(report.notes.iter().any(|n| n.text.contains("sigmoid")), "{report:?}");
}
