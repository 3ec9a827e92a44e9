//! What the package `lab` needs of a trace to invert its layers: that package holds no network.

use super::value::{floats, numbers, object, shape};
use crate::error::Result;
use crate::explain::inversion::stages;
use crate::net::Trace;
use crate::sparse::invert::{Crossing, Stage};
use js_sys::{Array, Uint32Array};
use wasm_bindgen::JsValue;

/// `LabStage[]`: the convolution `layer` and `depth − 1` more below it.
pub(super) fn layers(trace: &Trace, node: usize, depth: usize) -> Result<JsValue> {
    Ok(stages(trace, node, depth)?.iter().map(stage).collect::<Array>().into())
}

fn stage(s: &Stage) -> JsValue {
    let w = &s.geometry.window;
    let sides = |v: &[usize]| numbers(v.iter().map(|n| *n as f64));
    let window = object([
        ("kernel", sides(&w.kernel)),
        ("stride", sides(&w.stride)),
        ("pad", sides(&w.pad)),
        ("dilation", sides(&w.dilation)),
    ]);
    let layer = object([
        ("name", s.name.as_str().into()),
        ("input", s.input.as_str().into()),
        ("shape", shape(s.truth.shape())),
        ("outputs", (s.geometry.outputs as f64).into()),
        ("groups", (s.geometry.groups as f64).into()),
        ("window", window),
        ("pixels", s.pixels.into()),
    ]);
    object([
        ("layer", layer),
        ("weights", floats(&s.weights)),
        ("bias", floats(&s.bias)),
        ("truth", floats(s.truth.data())),
        ("crossings", s.crossings.iter().map(crossing).collect::<Array>().into()),
    ])
}

fn crossing(c: &Crossing) -> JsValue {
    match c {
        Crossing::Unpool { switches, below } => {
            object([("unpool", Uint32Array::from(switches.as_slice()).into()), ("shape", shape(*below))])
        }
        Crossing::Rectify => object([("rectify", true.into())]),
        Crossing::Scale(by) => object([("scale", floats(by))]),
    }
}
