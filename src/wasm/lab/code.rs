//! A photo being coded, and its regularisation path, stepped by the worker.

use super::super::stepped::Stepped;
use super::super::value::{Answer, floats, object, plain, position, rect, shape, tensor, thrown};
use super::solving;
use crate::sparse::code::{Coded, Coding};
use crate::sparse::decompose::Part;
use crate::sparse::path::Path;
use js_sys::Array;
use wasm_bindgen::prelude::*;

/// A coding under way, or finished and open to questions.
#[wasm_bindgen]
pub struct CodeJob {
    job: Stepped<Coding>,
}

impl CodeJob {
    pub(super) fn new(job: Coding) -> CodeJob {
        CodeJob { job: Stepped::new(job) }
    }
}

#[wasm_bindgen]
impl CodeJob {
    /// Works for about so many milliseconds; true when nothing is left.
    pub fn step(&mut self, milliseconds: f64) -> std::result::Result<bool, JsValue> {
        self.job.step(milliseconds)
    }

    /// `CodePart`: everything known so far.
    pub fn part(&self) -> Answer {
        let y = self.job.image();
        let layers =
            self.job.coded().iter().enumerate().map(|(i, c)| layer(i + 1, c, y.data(), shape(y.shape())));
        Ok(self.job.part([("image", tensor(y)), ("layers", layers.collect::<Array>().into())]))
    }

    /// `Part[]`: what each map of a layer draws at its strongest; null where this photo does not use it.
    pub fn filters(&self, layer: usize) -> Answer {
        let parts = self.job.filters(layer).map_err(thrown)?;
        Ok(parts.iter().map(|p| p.as_ref().map_or(JsValue::NULL, part)).collect::<Array>().into())
    }

    /// `Level[]` of an activation; without row and column the map's strongest, without a map the layer's.
    /// Empty where all are zero.
    pub fn decompose(
        &self,
        layer: usize,
        map: Option<usize>,
        y: Option<usize>,
        x: Option<usize>,
        most: usize,
    ) -> Answer {
        let at = match (map, y, x) {
            (Some(map), Some(y), Some(x)) => Some([map, y, x]),
            _ => self.job.strongest(layer, map).map_err(thrown)?,
        };
        let levels = at.map(|at| self.job.decompose(layer, at, most)).transpose().map_err(thrown)?;
        let level = |l: crate::sparse::decompose::Level| {
            object([
                ("layer", (l.layer as f64).into()),
                ("count", (l.count as f64).into()),
                ("parts", l.parts.iter().map(part).collect::<Array>().into()),
            ])
        };
        Ok(levels.unwrap_or_default().into_iter().map(level).collect::<Array>().into())
    }
}

/// `CodeLayer`.
fn layer(index: usize, c: &Coded, y: &[f32], image: JsValue) -> JsValue {
    let (pooled, pooled_shape) = c.pooled();
    let own = [
        ("layer", (index as f64).into()),
        ("z", object([("data", floats(&c.z())), ("shape", shape(c.shape()))])),
        ("pooled", object([("data", floats(pooled)), ("shape", shape(pooled_shape))])),
        ("reconstruction", object([("data", floats(&c.reconstruction(y))), ("shape", image)])),
    ];
    object(own.into_iter().chain(solving(c.norm2(), c.solver())))
}

/// `Part`.
fn part(p: &Part) -> JsValue {
    object([
        ("map", (p.at[0] as f64).into()),
        ("at", position([p.at[1], p.at[2]])),
        ("value", p.value.into()),
        ("rect", rect(p.rect)),
        ("data", floats(p.pixels.data())),
        ("shape", shape(p.pixels.shape())),
    ])
}

/// A regularisation path under way.
#[wasm_bindgen]
pub struct PathJob {
    job: Stepped<Path>,
}

impl PathJob {
    pub(super) fn new(job: Path) -> PathJob {
        PathJob { job: Stepped::new(job) }
    }
}

#[wasm_bindgen]
impl PathJob {
    /// Works for about so many milliseconds; true when nothing is left.
    pub fn step(&mut self, milliseconds: f64) -> std::result::Result<bool, JsValue> {
        self.job.step(milliseconds)
    }

    /// `PathPart`.
    pub fn part(&self) -> Answer {
        Ok(self.job.part([("points", plain(&self.job.points())?)]))
    }
}
