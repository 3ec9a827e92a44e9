//! What a forward pass left behind, and the projections of it.

use super::invariance::{InvarianceJob, moved};
use super::inversion::layers;
use super::occlusion::{OcclusionJob, covered};
use super::value::{Answer, floats, json, numbers, object, plain, position, rect, shape, tensor, thrown};
use crate::error::Result;
use crate::explain::deconvnet::{Descent, LrnRule, Options, Rule, Seed, Unpool, project};
use crate::explain::{self, Pooled};
use crate::image::shrink;
use crate::net;
use js_sys::{Array, Int32Array, Object, Reflect, Uint8Array, Uint8ClampedArray};
use serde::Deserialize;
use std::sync::Arc;
use wasm_bindgen::prelude::*;

/// `ProjectOptions` without the signal, checked and completed by unpool.js, as JSON: its reader is here anyway.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    layer: String,
    map: usize,
    at: Option<[usize; 2]>,
    whole_map: bool,
    strongest: Option<usize>,
    rule: Rule,
    unpool: Unpool,
    lrn: Option<LrnRule>,
    randomise: Option<u64>,
}

impl Request {
    fn read(options: &str) -> Result<Request> {
        json(options, "projection options")
    }

    fn seed(&self) -> Seed {
        let map = self.map;
        match self.strongest {
            Some(k) => Seed::Strongest { map, k },
            None if self.whole_map => Seed::Map { map },
            None => Seed::Unit { map, at: self.at },
        }
    }

    fn options(&self) -> Options {
        let descent = Descent { rule: self.rule, unpool: self.unpool, lrn: self.lrn };
        Options { descent, randomise: self.randomise }
    }
}

/// A finished forward pass.
#[wasm_bindgen]
pub struct Trace {
    trace: Arc<net::Trace>,
}

impl Trace {
    pub(super) fn new(trace: net::Trace) -> Trace {
        Trace { trace: Arc::new(trace) }
    }

    /// The same trace, for a job that may outlive this handle.
    pub(super) fn shared(&self) -> Arc<net::Trace> {
        self.trace.clone()
    }

    fn find(&self, layer: &str) -> std::result::Result<usize, JsValue> {
        self.trace.net().find(layer).map_err(thrown)
    }

    fn name(&self, node: usize) -> JsValue {
        self.trace.net().name(node).into()
    }

    fn pooled(&self, p: &Pooled) -> JsValue {
        let axes = |v: [usize; 2]| position(v);
        object([
            ("layer", self.name(p.node)),
            ("rect", rect(p.rect)),
            ("data", floats(&p.data)),
            ("switches", Int32Array::from(p.switches.as_slice()).into()),
            ("kernel", axes(p.window.kernel)),
            ("stride", axes(p.window.stride)),
            ("pad", axes([p.window.pad[0], p.window.pad[1]])),
        ])
    }
}

#[wasm_bindgen]
impl Trace {
    /// `[channels, height, width]` of every layer by name, the input's as `data`.
    pub fn shapes(&self) -> JsValue {
        let all = Object::new();
        for (node, s) in self.trace.shapes().iter().enumerate() {
            // Setting a field of a fresh object cannot fail.
            let _ = Reflect::set(&all, &self.name(node), &shape(*s));
        }
        all.into()
    }

    /// `Prediction[]`.
    pub fn top(&self, k: usize) -> Answer {
        plain(&self.trace.top(k).map_err(thrown)?)
    }

    /// `{ data, shape }` of a layer.
    pub fn activation(&self, layer: &str) -> Answer {
        Ok(tensor(&self.trace.activation(self.find(layer)?)))
    }

    /// `{ data, shape }` of one feature map, its shape `[height, width]`.
    pub fn map(&self, layer: &str, map: usize) -> Answer {
        let t = self.trace.map(self.find(layer)?, map).map_err(thrown)?;
        let sides = numbers([t.rect.h() as f64, t.rect.w() as f64]);
        Ok(object([("data", floats(t.data())), ("shape", sides)]))
    }

    /// `MapInfo[]`.
    pub fn maps(&self, layer: &str) -> Answer {
        plain(&self.trace.maps(self.find(layer)?))
    }

    /// `{ data: Uint8Array, shape }`: each map reduced to at most `side`, the value of largest magnitude
    /// winning, its largest value 255; what is negative is 0.
    pub fn thumbnails(&self, layer: &str, side: usize) -> Answer {
        let node = self.find(layer)?;
        let s = self.trace.shape(node);
        let longest = s.h.max(s.w);
        let reduced = |n: usize| if longest > side { (n * side).div_ceil(longest) } else { n };
        let small = self.trace.with(node, |v| shrink(v, reduced(s.h), reduced(s.w))).map_err(thrown)?;
        let plane = small.rect.area();
        let mut bytes = Vec::with_capacity(small.data().len());
        for map in small.data().chunks_exact(plane) {
            let peak = map.iter().copied().fold(0.0, f32::max);
            let scale = if peak > 0.0 { 255.0 / peak } else { 0.0 };
            bytes.extend(map.iter().map(|v| (v * scale).round().max(0.0) as u8));
        }
        let data = Uint8Array::from(bytes.as_slice());
        Ok(object([("data", data.into()), ("shape", shape(small.shape()))]))
    }

    /// `Rect` of the input that a unit sees.
    #[wasm_bindgen(js_name = receptiveField)]
    pub fn receptive_field(&self, layer: &str, y: usize, x: usize) -> Answer {
        let node = self.find(layer)?;
        self.trace.check_unit(node, 0, [y, x]).map_err(thrown)?;
        Ok(rect(self.trace.receptive_field(node, [y, x])))
    }

    /// `{ at, value }`.
    #[wasm_bindgen(js_name = unitAt)]
    pub fn unit_at(&self, layer: &str, map: usize, y: usize, x: usize) -> Answer {
        let pixel = [y as isize, x as isize];
        let (at, value) = self.trace.unit_at(self.find(layer)?, map, pixel).map_err(thrown)?;
        Ok(object([("at", position(at)), ("value", value.into())]))
    }

    /// `Projection`.
    pub fn project(&self, options: &str) -> Answer {
        let request = Request::read(options).map_err(thrown)?;
        let node = self.find(&request.layer)?;
        let p = project(&self.trace, node, &request.seed(), &request.options()).map_err(thrown)?;
        Ok(object([
            ("data", floats(p.pixels.data())),
            ("shape", shape(p.pixels.shape())),
            ("layer", self.name(node)),
            ("map", (p.map as f64).into()),
            ("rule", plain(&request.rule)?),
            ("at", position(p.at)),
            ("value", p.value.into()),
            ("units", (p.units as f64).into()),
            ("receptiveField", rect(p.receptive_field)),
        ]))
    }

    /// `Step[]`.
    pub fn way(&self, options: &str) -> Answer {
        let request = Request::read(options).map_err(thrown)?;
        let node = self.find(&request.layer)?;
        let steps = explain::way(&self.trace, node, &request.seed(), &request.options()).map_err(thrown)?;
        let step = |s: &explain::Step| {
            object([
                ("layer", self.name(s.node)),
                ("operation", s.operation.into()),
                ("shape", shape(s.shape)),
                ("rect", rect(s.rect)),
                ("extent", floats(&s.extent)),
                ("strongest", (s.strongest as f64).into()),
                ("peak", s.peak.into()),
            ])
        };
        Ok(steps.iter().map(step).collect::<Array>().into())
    }

    /// Starts an occlusion sweep over this input; `options` as `OccludeOptions`.
    pub fn occlude(&self, options: &str) -> std::result::Result<OcclusionJob, JsValue> {
        OcclusionJob::new(self.trace.clone(), options).map_err(thrown)
    }

    /// What the occluding square shows, over the whole input, RGBA; `options` as `OccludeOptions`.
    pub fn cover(&self, options: &str) -> std::result::Result<Uint8ClampedArray, JsValue> {
        covered(&self.trace, options).map_err(thrown)
    }

    /// Starts an invariance sweep; `options` as `InvarianceOptions`.
    pub fn invariance(&self, options: &str) -> std::result::Result<InvarianceJob, JsValue> {
        InvarianceJob::new(self.trace.clone(), options).map_err(thrown)
    }

    /// The input moved, scaled or turned by an amount, RGBA.
    pub fn transformed(
        &self,
        transform: &str,
        amount: f64,
    ) -> std::result::Result<Uint8ClampedArray, JsValue> {
        moved(&self.trace, transform, amount).map_err(thrown)
    }

    /// `LabStage[]`: what inverting a layer, and so many below it, takes.
    pub fn stages(&self, layer: &str, depth: usize) -> Answer {
        layers(&self.trace, self.find(layer)?, depth).map_err(thrown)
    }

    /// `StepMap`.
    pub fn step(&self, options: &str, layer: &str, map: usize) -> Answer {
        let request = Request::read(options).map_err(thrown)?;
        let (from, node) = (self.find(&request.layer)?, self.find(layer)?);
        let (seed, options) = (request.seed(), request.options());
        let s = explain::step(&self.trace, from, &seed, &options, node, map).map_err(thrown)?;
        Ok(object([
            ("layer", self.name(node)),
            ("map", (map as f64).into()),
            ("rect", rect(s.rect)),
            ("data", floats(&s.data)),
            ("pooled", s.pooled.as_ref().map_or(JsValue::UNDEFINED, |p| self.pooled(p))),
        ]))
    }
}
