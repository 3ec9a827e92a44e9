//! The invariance sweep, stepped by the worker.

use super::stepped::Stepped;
use super::value::{Answer, floats, json, numbers};
use crate::error::{Error, Result};
use crate::explain::invariance::{Invariance, Options, Transform, transformed};
use crate::image::restore;
use crate::net::Trace;
use js_sys::{Array, Uint8ClampedArray};
use serde::Deserialize;
use std::sync::Arc;
use wasm_bindgen::prelude::*;

/// `InvarianceOptions`, checked by unpool.js.
#[derive(Deserialize)]
struct Request {
    transform: Transform,
    from: f64,
    to: f64,
    steps: usize,
    layers: Vec<String>,
    class: Option<usize>,
}

/// A sweep under way.
#[wasm_bindgen]
pub struct InvarianceJob {
    sweep: Stepped<Invariance>,
    trace: Arc<Trace>,
    layers: Vec<String>,
}

impl InvarianceJob {
    pub(super) fn new(trace: Arc<Trace>, options: &str) -> Result<InvarianceJob> {
        let Request { transform, from, to, steps, layers, class } = json(options, "invariance options")?;
        let nodes = layers.iter().map(|l| trace.net().find(l)).collect::<Result<Vec<_>>>()?;
        let options = Options { transform, from, to, steps, nodes, class, fill: None };
        let sweep = Stepped::new(Invariance::new(trace.clone(), &options)?);
        Ok(InvarianceJob { sweep, trace, layers })
    }
}

#[wasm_bindgen]
impl InvarianceJob {
    /// Works for about so many milliseconds; true when nothing is left.
    pub fn step(&mut self, milliseconds: f64) -> std::result::Result<bool, JsValue> {
        self.sweep.step(milliseconds)
    }

    /// `InvariancePart`: everything known so far.
    pub fn part(&self) -> Answer {
        let c = self.sweep.curves();
        let single = |v: &Vec<f64>| floats(&v.iter().map(|v| *v as f32).collect::<Vec<f32>>());
        let label = c.class.map(|k| self.trace.net().spec().classes.get(k).cloned().unwrap_or_default());
        Ok(self.sweep.part([
            ("amounts", numbers(c.amounts.iter().copied())),
            ("layers", self.layers.iter().map(JsValue::from).collect::<Array>().into()),
            ("distances", c.distances.iter().map(single).collect::<Array>().into()),
            ("class", c.class.map_or(JsValue::NULL, |k| (k as f64).into())),
            ("label", label.map_or(JsValue::NULL, JsValue::from)),
            ("p", floats(&c.p)),
        ]))
    }
}

/// The input moved, scaled or turned, RGBA.
pub(super) fn moved(trace: &Trace, transform: &str, amount: f64) -> Result<Uint8ClampedArray> {
    let transform: Transform =
        serde_json::from_value(transform.into()).map_err(|e| Error::Parameter(format!("transform: {e}")))?;
    if !amount.is_finite() || (transform == Transform::Scale && amount <= 0.0) {
        return Err(Error::Parameter(format!(
            "an amount of {amount} is not possible; scales must be positive"
        )));
    }
    let mean = vec![0.0; trace.shape(0).c];
    let input = transformed(&trace.activation(0), transform, amount, &mean);
    Ok(Uint8ClampedArray::from(restore(&input, &trace.net().spec().input)?.rgba()))
}
