//! The occlusion sweep, stepped by the worker.

use super::stepped::Stepped;
use super::value::{Answer, floats, json, numbers, object};
use crate::error::{Error, Result};
use crate::explain::occlusion::{Fill, Grid, Occlusion, Options, Sweep, cover};
use crate::image::{colour, restore};
use crate::net::Trace;
use js_sys::{Array, Int32Array, Uint8ClampedArray};
use serde::Deserialize;
use std::sync::Arc;
use wasm_bindgen::prelude::*;

/// `OccludeOptions`, checked by unpool.js, as JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    class: Option<usize>,
    size: Option<usize>,
    stride: Option<usize>,
    grid: Grid,
    fill: String,
    colour: Option<[f32; 3]>,
    watch: Vec<Watch>,
    full: bool,
}

impl Request {
    fn read(options: &str) -> Result<Request> {
        json(options, "occlusion options")
    }

    fn fill(&self, trace: &Trace) -> Result<Fill> {
        match (self.fill.as_str(), self.colour) {
            (_, Some(rgb)) => Ok(Fill::Colour(colour(&trace.net().spec().input, rgb)?)),
            ("mean", None) => Ok(Fill::Mean),
            ("blur", None) => Ok(Fill::Blur),
            ("noise", None) => Ok(Fill::Noise(1)),
            (name, None) => Err(Error::Parameter(format!(
                "there is no fill “{name}”; use mean, blur, noise or [r, g, b]"
            ))),
        }
    }
}

#[derive(Deserialize)]
struct Watch {
    layer: Option<String>,
    map: Option<usize>,
}

/// The whole input as the square would show it, RGBA.
pub(super) fn covered(trace: &Trace, options: &str) -> Result<Uint8ClampedArray> {
    let request = Request::read(options)?;
    let shape = trace.shape(0);
    let size = request.size.unwrap_or(((shape.h.min(shape.w) as f64 / 4.5).round() as usize).max(1));
    let plane = cover(trace, &request.fill(trace)?, size)?;
    Ok(Uint8ClampedArray::from(restore(&plane, &trace.net().spec().input)?.rgba()))
}

/// A sweep under way.
#[wasm_bindgen]
pub struct OcclusionJob {
    sweep: Stepped<Occlusion>,
    trace: Arc<Trace>,
}

impl OcclusionJob {
    pub(super) fn new(trace: Arc<Trace>, options: &str) -> Result<OcclusionJob> {
        let request = Request::read(options)?;
        let fill = request.fill(&trace)?;
        let find = |w: &Watch| Ok((w.layer.as_ref().map(|l| trace.net().find(l)).transpose()?, w.map));
        let watch = request.watch.iter().map(find).collect::<Result<Vec<_>>>()?;
        let Request { class, size, stride, grid, full, .. } = request;
        let options = Options { class, size, stride, grid, fill, watch, full };
        let sweep = Stepped::new(Occlusion::new(trace.clone(), &options)?);
        Ok(OcclusionJob { sweep, trace })
    }

    fn watched(&self, sweep: &Sweep) -> JsValue {
        let one = |w: &crate::explain::occlusion::Watched| {
            object([
                ("layer", self.trace.net().name(w.node).into()),
                ("map", (w.map as f64).into()),
                ("activation0", w.base.into()),
                ("activation", floats(&w.activation)),
            ])
        };
        sweep.watched.iter().map(one).collect::<Array>().into()
    }
}

#[wasm_bindgen]
impl OcclusionJob {
    /// Works for about so many milliseconds; true when nothing is left.
    pub fn step(&mut self, milliseconds: f64) -> std::result::Result<bool, JsValue> {
        self.sweep.step(milliseconds)
    }

    /// `OcclusionPart`: everything known so far.
    pub fn part(&self) -> Answer {
        let s = self.sweep.result();
        let (seconds, left) = self.sweep.seconds();
        let squares = self.sweep.positions().iter().flat_map(|r| <[isize; 4]>::from(*r));
        let squares: Vec<i32> = squares.map(|v| v as i32).collect();
        let classes: Vec<i32> = s.best.iter().flatten().map(|b| b.0).collect();
        let probabilities: Vec<f32> = s.best.iter().flatten().map(|b| b.1).collect();
        let label =
            |c: usize| self.trace.net().spec().classes.get(c).cloned().unwrap_or_else(|| c.to_string());
        Ok(self.sweep.part([
            ("shape", numbers(s.grid.map(|n| n as f64))),
            ("size", (s.size as f64).into()),
            ("stride", (s.stride as f64).into()),
            ("squares", Int32Array::from(squares.as_slice()).into()),
            ("class", s.class.map_or(JsValue::NULL, |c| (c as f64).into())),
            ("label", s.class.map_or(JsValue::NULL, |c| label(c).into())),
            ("p0", s.p0.into()),
            ("logit0", s.logit0.into()),
            ("p", floats(&s.p)),
            ("logit", floats(&s.logit)),
            ("top", Int32Array::from(s.top.as_slice()).into()),
            ("best", Int32Array::from(classes.as_slice()).into()),
            ("bestP", floats(&probabilities)),
            ("watched", self.watched(s)),
            ("seconds", seconds.into()),
            ("secondsLeft", left.into()),
        ]))
    }
}
