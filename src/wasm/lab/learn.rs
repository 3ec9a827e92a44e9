//! Learning a dictionary from the visitor's photos, stepped by the worker.

use super::super::stepped::Stepped;
use super::super::value::{Answer, floats, numbers, object, thrown};
use super::dictionary::Dictionary;
use super::read;
use crate::error::Result;
use crate::format::dictionary::About;
use crate::image::Picture;
use crate::sparse::learn::{Learning, Options, plan};
use crate::sparse::photo;
use crate::tensor::Tensor;
use serde::Deserialize;
use wasm_bindgen::Clamped;
use wasm_bindgen::prelude::*;

/// `LearnOptions`, checked by lab.js.
#[derive(Deserialize)]
struct Request {
    about: About,
    layers: usize,
    maps: Vec<usize>,
    share: Vec<f64>,
    epochs: usize,
    batch: usize,
    iterations: usize,
    steps: usize,
    seed: u64,
}

/// Photos on their way in, then a dictionary being learned from them.
#[wasm_bindgen]
pub struct LearnJob {
    request: Request,
    photos: Vec<Tensor>,
    job: Option<Stepped<Learning>>,
}

#[wasm_bindgen]
impl LearnJob {
    /// No photos yet.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &str) -> std::result::Result<LearnJob, JsValue> {
        let request = read(options).map_err(thrown)?;
        Ok(LearnJob { request, photos: Vec::new(), job: None })
    }

    /// One more photo (RGBA, reading order).
    pub fn add(
        &mut self,
        width: usize,
        height: usize,
        rgba: Clamped<Vec<u8>>,
    ) -> std::result::Result<(), JsValue> {
        let read = || -> Result<Tensor> {
            let about = &self.request.about;
            photo::read(&Picture::new(width, height, rgba.0)?, about.channels, about.side)
        };
        self.photos.push(read().map_err(thrown)?);
        Ok(())
    }

    /// Begins, or goes on with a dictionary that was learned so far.
    pub fn begin(&mut self, from: Option<Vec<u8>>) -> std::result::Result<(), JsValue> {
        let begin = || -> Result<Learning> {
            let from = from.map(|bytes| crate::format::dictionary::read(&bytes)).transpose()?;
            let r = &self.request;
            let Request { epochs, batch, iterations, steps, seed, .. } = *r;
            let plan = plan(r.layers, &r.maps, &r.share)?;
            let options = Options { plan, epochs, batch, iterations, steps, seed };
            Learning::new(&self.photos, r.about.clone(), options, from)
        };
        self.job = Some(Stepped::new(begin().map_err(thrown)?));
        self.photos = Vec::new();
        Ok(())
    }

    /// Works for about so many milliseconds; true when nothing is left.
    pub fn step(&mut self, milliseconds: f64) -> std::result::Result<bool, JsValue> {
        self.job.as_mut().map_or(Ok(true), |job| job.step(milliseconds))
    }

    /// `LearnPart`: everything known so far.
    pub fn part(&self) -> Answer {
        let Some(job) = &self.job else { return Ok(JsValue::NULL) };
        let (layer, passes) = job.position();
        let at = job.dictionary().layers.get(layer - 1).or(job.dictionary().layers.last());
        let filters = at.map_or(JsValue::NULL, |l| {
            object([("data", floats(&l.weights)), ("shape", numbers(l.shape.map(|n| n as f64)))])
        });
        let spec = at.map(|l| l.spec.clone());
        let reseeded = spec.as_ref().map_or([0, 0], |s| s.reseeded);
        Ok(job.part([
            ("layer", (layer as f64).into()),
            ("passes", (passes as f64).into()),
            ("photos", (job.photos() as f64).into()),
            ("filters", filters),
            ("lambda", spec.as_ref().map_or(JsValue::NULL, |s| s.lambda.into())),
            ("objective", numbers(spec.map_or_else(Vec::new, |s| s.objective))),
            ("reseeded", numbers(reseeded.map(|n| n as f64))),
        ]))
    }

    /// What is learned so far as a file in float32, to go on from; undefined before a layer has begun.
    pub fn bytes(&self) -> Option<js_sys::Uint8Array> {
        let dictionary = self.job.as_ref()?.dictionary();
        let bytes = crate::format::dictionary::write_exact(dictionary);
        Some(js_sys::Uint8Array::from(bytes.as_slice()))
    }

    /// What is learned so far, to code photos in.
    pub fn dictionary(&self) -> Option<Dictionary> {
        Some(Dictionary::new(self.job.as_ref()?.dictionary().clone()))
    }
}
