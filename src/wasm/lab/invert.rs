//! A layer's input from its response, stepped by the worker.

use super::super::stepped::Stepped;
use super::super::value::{Answer, floats, object, shape, tensor, thrown};
use super::{number, read, solving};
use crate::error::Result;
use crate::kernel::conv::Geometry;
use crate::sparse::invert::{Crossing, Inversion as Sparse, Options, Recovery, Stage};
use crate::sparse::solver::{Method, Prior, Start};
use crate::tensor::{Shape, Tensor};
use crate::window::Window;
use js_sys::Array;
use serde::Deserialize;
use wasm_bindgen::prelude::*;

/// A convolution, as JSON: what `Trace.stages` of the engine gives.
#[derive(Deserialize)]
struct Layer {
    name: String,
    input: String,
    shape: Shape,
    outputs: usize,
    groups: usize,
    window: Window,
    pixels: bool,
}

/// `InvertOptions`, checked by lab.js.
#[derive(Deserialize)]
struct Request {
    lambda: Vec<f64>,
    prior: Vec<Prior>,
    step: Option<f64>,
    method: Method,
    start: Start,
    iterations: usize,
}

/// Layers on their way in, the one asked for first; what lies below a layer follows it.
#[wasm_bindgen]
#[derive(Default)]
pub struct Inversion {
    stages: Vec<Stage>,
}

#[wasm_bindgen]
impl Inversion {
    /// None yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Inversion {
        Inversion::default()
    }

    /// One more convolution.
    pub fn stage(
        &mut self,
        layer: &str,
        weights: Vec<f32>,
        bias: Vec<f32>,
        truth: Vec<f32>,
    ) -> std::result::Result<(), JsValue> {
        let read = || -> Result<Stage> {
            let Layer { name, input, shape, outputs, groups, window, pixels } = read(layer)?;
            let geometry = Geometry { inputs: shape.c, outputs, groups, window };
            let truth = Tensor::new(shape, truth)?;
            Ok(Stage { name, input, geometry, weights, bias, truth, crossings: Vec::new(), pixels })
        };
        self.stages.push(read().map_err(thrown)?);
        Ok(())
    }

    /// Below it a max pooling that read `c` × `h` × `w` values.
    pub fn unpool(&mut self, switches: Vec<u32>, c: usize, h: usize, w: usize) {
        self.cross(Crossing::Unpool { switches, below: Shape::new(c, h, w) });
    }

    /// Below it a ReLU.
    pub fn rectify(&mut self) {
        self.cross(Crossing::Rectify);
    }

    /// Below it a normalisation.
    pub fn scale(&mut self, by: Vec<f32>) {
        self.cross(Crossing::Scale(by));
    }

    /// Starts; `options` as `InvertOptions`.
    pub fn start(self, options: &str) -> std::result::Result<InvertJob, JsValue> {
        let start = || -> Result<InvertJob> {
            let Request { lambda, prior, step, method, start, iterations } = read(options)?;
            let options = Options { lambda, prior, step, method, start, iterations };
            Ok(InvertJob { job: Stepped::new(Sparse::new(self.stages, &options)?) })
        };
        start().map_err(thrown)
    }

    fn cross(&mut self, crossing: Crossing) {
        if let Some(stage) = self.stages.last_mut() {
            stage.crossings.push(crossing);
        }
    }
}

/// An inversion under way.
#[wasm_bindgen]
pub struct InvertJob {
    job: Stepped<Sparse>,
}

#[wasm_bindgen]
impl InvertJob {
    /// Works for about so many milliseconds; true when nothing is left.
    pub fn step(&mut self, milliseconds: f64) -> std::result::Result<bool, JsValue> {
        self.job.step(milliseconds)
    }

    /// `InvertPart`: everything known so far.
    pub fn part(&self) -> Answer {
        let stages = self.job.recovered().iter().map(stage).collect::<Array>();
        Ok(self.job.part([("stages", stages.into())]))
    }
}

/// `InvertStage`.
fn stage(r: &Recovery) -> JsValue {
    let solver = r.solver();
    let residual = solver.map_or(JsValue::NULL, |s| floats(s.residual()));
    let own = [
        ("layer", r.name().into()),
        ("input", r.input().into()),
        ("distance", number(r.distance())),
        ("likeness", number(r.likeness())),
        ("transposeLikeness", r.transpose_likeness().into()),
        ("z", tensor(&r.z())),
        ("truth", tensor(r.truth())),
        ("transpose", object([("data", floats(r.transpose())), ("shape", shape(r.truth().shape()))])),
        ("response", object([("data", floats(r.response())), ("shape", shape(r.response_shape()))])),
        ("residual", residual),
        ("known", r.known().into()),
        ("prior", r.prior().name().into()),
        ("diverged", r.statement().map_or(JsValue::NULL, JsValue::from)),
    ];
    object(own.into_iter().chain(solving(r.norm2(), solver)))
}
