//! The diagnosis of a first layer, for `www/filters-worker.js`: filters, peaks and projections in, numbers out.

use super::super::value::{Answer, json, plain, thrown};
use crate::analysis::{self, Diagnosis, Grid, Rules};
use crate::error::Error;
use crate::tensor::{Shape, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

/// What is known before anything is measured.
#[derive(Deserialize)]
struct Head {
    model: String,
    layer: String,
    shape: [usize; 4],
    stride: [usize; 2],
}

/// One network's first layer, and what its inputs made of it so far.
#[wasm_bindgen]
pub struct Filters {
    head: Head,
    weights: Vec<f32>,
    rules: Rules,
    inputs: usize,
    peaks: Option<Vec<f32>>,
    /// The second layer, the pixels between windows of the first, and a spectrum for each of its maps.
    second: String,
    step: usize,
    lines: BTreeMap<usize, Vec<f64>>,
}

#[wasm_bindgen]
impl Filters {
    /// `head`: `{ model, layer, shape: [filters, inputs, rows, columns], stride: [rows, columns] }` as JSON.
    #[wasm_bindgen(constructor)]
    pub fn new(head: &str, weights: Vec<f32>) -> Result<Filters, JsValue> {
        std::panic::set_hook(Box::new(console_error_panic_hook::hook));
        Ok(Filters {
            head: json(head, "the layer").map_err(thrown)?,
            weights,
            rules: Rules::default(),
            inputs: 0,
            peaks: None,
            second: String::new(),
            step: 1,
            lines: BTreeMap::new(),
        })
    }

    /// Each filter's largest activation over so many inputs.
    pub fn found(&mut self, inputs: usize, peaks: Vec<f32>) {
        self.inputs = inputs;
        self.peaks = Some(peaks);
    }

    /// The second layer, and how many pixels lie between neighbouring windows of the first.
    pub fn second(&mut self, layer: String, step: usize) {
        self.second = layer;
        self.step = step;
    }

    /// A projection of one of the second layer's maps, cut to what its unit sees of the image: its spectrum along rows
    /// and columns, none where it is blank.
    pub fn projection(
        &mut self,
        map: usize,
        data: Vec<f32>,
        channels: usize,
        height: usize,
        width: usize,
    ) -> Result<Option<Vec<f64>>, JsValue> {
        let pixels = Tensor::new(Shape::new(channels, height, width), data).map_err(thrown)?;
        let line = analysis::grid_line(pixels.view());
        if let Some(line) = &line {
            self.lines.insert(map, line.clone());
        }
        Ok(line)
    }

    /// `Diagnosis` by these rules, as JSON; those left out are the defaults.
    pub fn diagnose(&mut self, rules: &str) -> Answer {
        self.rules = json(rules, "the rules").map_err(thrown)?;
        plain(&self.diagnosis().map_err(thrown)?)
    }

    /// `Comparison`: this network with the one that was there before, each by the rules it was diagnosed by last.
    pub fn against(&self, before: &Filters) -> Answer {
        let both = before.diagnosis().and_then(|a| Ok((a, self.diagnosis()?)));
        let (a, b) = both.map_err(thrown)?;
        plain(&analysis::compare(&a, &b))
    }
}

impl Filters {
    fn diagnosis(&self) -> Result<Diagnosis, Error> {
        let Head { model, layer, shape, stride } = &self.head;
        let lines: Vec<Vec<f64>> = self.lines.values().cloned().collect();
        let aliasing = (!lines.is_empty()).then(|| Grid::of(&self.second, self.step, &lines));
        Ok(Diagnosis {
            model: model.clone(),
            layer: layer.clone(),
            shape: *shape,
            stride: *stride,
            inputs: self.inputs,
            filters: analysis::diagnose(*shape, &self.weights, self.peaks.as_deref(), self.rules)?,
            aliasing,
        })
    }
}
