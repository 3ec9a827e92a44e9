//! What a forward pass leaves behind: activations and switches, and the questions one asks of them.

use super::Net;
use super::partial::{Parts, aligned};
use super::plan::Place;
use crate::error::{Error, Result};
use crate::tensor::{Rect, Shape, Tensor, View};
use serde::Serialize;
use std::sync::{Arc, Mutex};

/// One feature map in a line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MapInfo {
    /// Its number.
    pub map: usize,
    /// Its largest value.
    pub peak: f32,
    /// Row and column of that value (the first of equals).
    pub at: [usize; 2],
    /// The sum of its values.
    pub sum: f64,
}

/// One class in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Class number.
    pub index: usize,
    /// Class name; its number where the model names none.
    pub label: String,
    /// Probability.
    pub p: f32,
}

/// Everything a forward pass computed.
pub struct Trace {
    net: Arc<Net>,
    shapes: Arc<[Shape]>,
    pub(super) values: Vec<Option<Tensor>>,
    pub(super) switches: Vec<Option<Vec<u32>>>,
    /// Where only parts of the planes were computed: which.
    pub(super) parts: Option<Arc<Parts>>,
    /// The last layer that was recomputed because it is not kept.
    again: Mutex<Option<(usize, Arc<Tensor>)>>,
}

impl Trace {
    pub(super) fn new(net: Arc<Net>, shapes: Arc<[Shape]>, input: Tensor) -> Trace {
        let n = net.nodes.len();
        let mut values: Vec<Option<Tensor>> = (0..n).map(|_| None).collect();
        values[0] = Some(input);
        let switches = (0..n).map(|_| None).collect();
        Trace { net, shapes, values, switches, parts: None, again: Mutex::new(None) }
    }

    /// The network that was run.
    pub fn net(&self) -> &Arc<Net> {
        &self.net
    }

    /// Shapes of all nodes for this input.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// A node's shape.
    pub fn shape(&self, node: usize) -> Shape {
        self.shapes[node]
    }

    /// What was computed of a node's plane.
    pub(crate) fn part(&self, node: usize) -> Rect {
        self.parts.as_ref().map_or(self.shapes[node].rect(), |p| p.need[node])
    }

    /// What of its plane the array of a node covers that has one.
    pub(super) fn extent(&self, owner: usize) -> Rect {
        self.parts.as_ref().map_or(self.shapes[owner].rect(), |p| p.extent[owner])
    }

    /// A node's switches, channels × rows × columns of its output, if it is a max pooling.
    pub fn switches(&self, node: usize) -> Option<&[u32]> {
        self.switches[node].as_deref()
    }

    /// A node's value where it is kept: everything but a layer whose only reader is a ReLU.
    pub(crate) fn view(&self, node: usize) -> Option<View<'_>> {
        let (owner, channel) = self.net.locate(node, &self.shapes);
        if self.net.nodes[owner].place == Place::Fused {
            return None;
        }
        self.values[owner].as_ref().map(|t| t.view().slice(channel, self.shapes[node].c))
    }

    /// Runs `read` on a node's whole value, recomputed where it is not kept.
    pub(crate) fn with<T>(&self, node: usize, read: impl FnOnce(View) -> T) -> T {
        if let Some(v) = self.view(node) {
            return read(v);
        }
        let (node, _) = self.net.locate(node, &self.shapes);
        let mut again = self.again.lock().unwrap_or_else(|e| e.into_inner());
        if !matches!(&*again, Some((n, _)) if *n == node) {
            let t = self.net.rectangle(self, node, self.shapes[node].rect());
            *again = Some((node, Arc::new(t)));
        }
        let tensor = again.as_ref().expect("just filled").1.clone();
        drop(again);
        read(tensor.view())
    }

    /// A layer's whole activation.
    pub fn activation(&self, node: usize) -> Tensor {
        self.with(node, |v| v.to_tensor())
    }

    /// One feature map.
    pub fn map(&self, node: usize, map: usize) -> Result<Tensor> {
        self.check_map(node, map)?;
        Ok(self.with(node, |v| v.slice(map, 1).to_tensor()))
    }

    /// The value of one unit.
    pub fn value(&self, node: usize, map: usize, at: [usize; 2]) -> Result<f32> {
        self.check_unit(node, map, at)?;
        let (y, x) = (at[0] as isize, at[1] as isize);
        Ok(match self.view(node) {
            Some(v) => v.at(map, y, x),
            None => {
                // As part of the whole plane it is computed, so that both are equal to the bit.
                let (node, _) = self.net.locate(node, &self.shapes);
                let square = aligned(Rect::unit(y, x), self.net.nodes[node].layer.grid());
                self.net.rectangle(self, node, square.intersect(&self.shapes[node].rect())).at(map, y, x)
            }
        })
    }

    /// Peak, its position and the sum of every map.
    pub fn maps(&self, node: usize) -> Vec<MapInfo> {
        self.with(node, |v| (0..v.channels).map(|c| summary(v, c)).collect())
    }

    /// The same for one map.
    pub fn summary(&self, node: usize, map: usize) -> Result<MapInfo> {
        self.check_map(node, map)?;
        Ok(self.with(node, |v| summary(v, map)))
    }

    /// The most probable classes first. Unsupported where the network ends in no softmax, or in one
    /// that is spread over several positions; Malformed where broken weights or an overflow left no number.
    pub fn top(&self, k: usize) -> Result<Vec<Prediction>> {
        let name = &self.net.spec.name;
        let node = self.net.classifier().ok_or_else(|| {
            Error::Unsupported(format!(
                "{name} has no classifier: only its convolutional part is here, so there is no prediction"
            ))
        })?;
        if self.shape(node).h * self.shape(node).w != 1 {
            return Err(Error::Unsupported(format!(
                "{name} predicts at {}×{} positions for this input; use the model's own input size",
                self.shape(node).h,
                self.shape(node).w
            )));
        }
        let p = self.activation(node);
        if p.data().iter().any(|v| v.is_nan()) {
            let why = match self.net.broken() {
                0 => "activations overflow float32".into(),
                1 => "1 of its weights is NaN or infinite".into(),
                n => format!("{n} of its weights are NaN or infinite"),
            };
            return Err(Error::Malformed(format!(
                "{name}'s prediction is no number: {why}; use another checkpoint"
            )));
        }
        let mut order: Vec<usize> = (0..p.channels()).collect();
        order.sort_by(|&a, &b| p.data()[b].total_cmp(&p.data()[a]).then(a.cmp(&b)));
        let label = |i: usize| self.net.spec.classes.get(i).cloned().unwrap_or_else(|| i.to_string());
        Ok(order
            .into_iter()
            .take(k)
            .map(|i| Prediction { index: i, label: label(i), p: p.data()[i] })
            .collect())
    }

    /// The part of the input that a unit sees, unclipped.
    pub fn receptive_field(&self, node: usize, at: [usize; 2]) -> Rect {
        let unit = Rect::unit(at[0] as isize, at[1] as isize);
        self.net.field(node, unit, &self.shapes)
    }

    /// The strongest unit of a map among those whose receptive field's centre lies less than one
    /// stride from an input position: at most 2 × 2 of them, at least the nearest one.
    pub fn unit_at(&self, node: usize, map: usize, pixel: [isize; 2]) -> Result<([usize; 2], f32)> {
        self.check_map(node, map)?;
        let s = self.shape(node);
        let axis = |a: usize| {
            let n = [s.h, s.w][a];
            let centre = |i: usize| {
                let mut at = [0, 0];
                at[a] = i;
                let r = self.receptive_field(node, at);
                let (lo, hi) = if a == 0 { (r.y0, r.y1) } else { (r.x0, r.x1) };
                (lo + hi - 1) as f64 / 2.0
            };
            let stride = if n > 1 { centre(1) - centre(0) } else { f64::INFINITY };
            let off = |i: usize| (centre(i) - pixel[a] as f64).abs();
            let nearest = (0..n).min_by(|&i, &k| off(i).total_cmp(&off(k))).unwrap_or(0);
            (nearest.saturating_sub(1)..(nearest + 2).min(n))
                .filter(move |&i| i == nearest || off(i) < stride)
                .collect::<Vec<_>>()
        };
        let (rows, columns) = (axis(0), axis(1));
        Ok(self.with(node, |v| {
            let mut best = ([rows[0], columns[0]], f32::NEG_INFINITY);
            for &y in &rows {
                for &x in &columns {
                    let value = v.at(map, y as isize, x as isize);
                    if value > best.1 {
                        best = ([y, x], value);
                    }
                }
            }
            best
        }))
    }

    pub(crate) fn check_map(&self, node: usize, map: usize) -> Result<()> {
        let s = self.shape(node);
        if map < s.c {
            return Ok(());
        }
        let name = self.net.name(node);
        Err(Error::Parameter(format!("{name} has maps 0 to {}, there is no map {map}", s.c - 1)))
    }

    pub(crate) fn check_unit(&self, node: usize, map: usize, at: [usize; 2]) -> Result<()> {
        self.check_map(node, map)?;
        let s = self.shape(node);
        if at[0] < s.h && at[1] < s.w {
            return Ok(());
        }
        let name = self.net.name(node);
        Err(Error::Parameter(format!(
            "maps of {name} have {} rows and {} columns here, counted from 0; there is no position {},{}",
            s.h, s.w, at[0], at[1]
        )))
    }
}

fn summary(v: View, map: usize) -> MapInfo {
    let mut best = MapInfo { map, peak: f32::NEG_INFINITY, at: [0, 0], sum: 0.0 };
    for y in 0..v.rect.h() {
        let line = v.line(map, y as isize);
        for (x, &value) in line.iter().enumerate() {
            best.sum += f64::from(value);
            if value > best.peak {
                best.peak = value;
                best.at = [y, x];
            }
        }
    }
    best
}
