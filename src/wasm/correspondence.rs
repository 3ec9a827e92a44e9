//! Correspondence between parts of several photos, stepped by the worker.

use super::stepped::Stepped;
use super::trace::Trace;
use super::value::{Answer, json, object, plain, thrown};
use crate::error::Result;
use crate::explain::correspondence::{Correspondence, Options};
use crate::net;
use crate::tensor::Rect;
use js_sys::Array;
use serde::Deserialize;
use std::sync::Arc;
use wasm_bindgen::prelude::*;

/// `CorrespondenceOptions`, checked by unpool.js.
#[derive(Deserialize)]
struct Request {
    layers: Vec<String>,
    random: usize,
    seed: u64,
}

/// Photos with their marked parts, to be compared.
#[wasm_bindgen]
#[derive(Default)]
pub struct Marks {
    images: Vec<(Arc<net::Trace>, Rect)>,
}

#[wasm_bindgen]
impl Marks {
    /// None yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Marks {
        Marks::default()
    }

    /// One more photo, and its part in pixels of the input.
    pub fn add(&mut self, trace: &Trace, y0: i32, x0: i32, y1: i32, x1: i32) {
        let [y0, x0, y1, x1] = [y0, x0, y1, x1].map(|v| v as isize);
        self.images.push((trace.shared(), Rect::new(y0, x0, y1, x1)));
    }

    /// Starts the comparison; `options` as `CorrespondenceOptions`.
    pub fn compare(self, options: &str) -> std::result::Result<CorrespondenceJob, JsValue> {
        CorrespondenceJob::new(self.images, options).map_err(thrown)
    }
}

/// A comparison under way.
#[wasm_bindgen]
pub struct CorrespondenceJob {
    job: Stepped<Correspondence>,
    layers: Vec<String>,
}

impl CorrespondenceJob {
    fn new(images: Vec<(Arc<net::Trace>, Rect)>, options: &str) -> Result<CorrespondenceJob> {
        let Request { layers, random, seed } = json(options, "correspondence options")?;
        let find = |l: &String| images.first().map(|(trace, _)| trace.net().find(l));
        let nodes = layers.iter().filter_map(find).collect::<Result<_>>()?;
        let options = Options { nodes, fill: None, draws: random, seed };
        Ok(CorrespondenceJob { job: Stepped::new(Correspondence::new(images, &options)?), layers })
    }
}

#[wasm_bindgen]
impl CorrespondenceJob {
    /// Works for about so many milliseconds; true when nothing is left.
    pub fn step(&mut self, milliseconds: f64) -> std::result::Result<bool, JsValue> {
        self.job.step(milliseconds)
    }

    /// `CorrespondencePart`: everything known so far.
    pub fn part(&self) -> Answer {
        let (same, control) = (self.job.same(), self.job.control());
        let layers = Array::new();
        for (i, layer) in self.layers.iter().enumerate() {
            let random = control[i];
            let control = (random.draws > 0).then(|| plain(&random)).transpose()?;
            layers.push(&object([
                ("layer", layer.into()),
                ("same", same.map(|s| plain(&s[i])).transpose()?.unwrap_or(JsValue::NULL)),
                ("random", control.unwrap_or(JsValue::NULL)),
            ]));
        }
        Ok(self.job.part([("layers", layers.into())]))
    }
}
