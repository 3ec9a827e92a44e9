//! The way down, step by step: what a projection's signal looks like at every layer it passes.

use super::deconvnet::{Options, Seed, descend, plant};
use crate::error::{Error, Result};
use crate::layer::operation;
use crate::net::Trace;
use crate::spec::Kind;
use crate::tensor::{Rect, Shape, Tensor};
use crate::window::Window;

/// The signal as it arrived at one layer's output.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which node.
    pub node: usize,
    /// What was done to get here: `seed`, or the operation of the layer above.
    pub operation: &'static str,
    /// The layer's whole shape.
    pub shape: Shape,
    /// Where the signal can be non-zero.
    pub rect: Rect,
    /// The signal over `rect`, reduced over channels by largest magnitude.
    pub extent: Vec<f32>,
    /// The channel of the largest magnitude.
    pub strongest: usize,
    /// The value there.
    pub peak: f32,
}

/// One map of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepMap {
    /// Where the values stand.
    pub rect: Rect,
    /// The signal of this map over `rect`.
    pub data: Vec<f32>,
    /// Where a max pooling lies above: what came down to it and where that went.
    pub pooled: Option<Pooled>,
}

/// The signal above an unpooling.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// The pooling node.
    pub node: usize,
    /// Where the pooled values stand, in the pooling layer's plane.
    pub rect: Rect,
    /// The pooled signal of this map.
    pub data: Vec<f32>,
    /// Row and column in the plane below for each value; −1, −1 where it went to another map or nowhere.
    pub switches: Vec<i32>,
    /// The pooling window.
    pub window: Window,
}

/// All steps of a projection, the seed first, the pixels last.
pub fn way(trace: &Trace, node: usize, seed: &Seed, options: &Options) -> Result<Vec<Step>> {
    let seeded = plant(trace, node, seed)?;
    let mut steps = Vec::new();
    let mut reached = vec![false; node + 1];
    descend(trace, node, seeded.signal, options, |i, signal| {
        reached[i] = true;
        steps.push(describe(trace, i, node, &reached, signal));
    });
    Ok(steps)
}

fn describe(trace: &Trace, i: usize, from: usize, reached: &[bool], signal: &Tensor) -> Step {
    let area = signal.rect.area();
    let mut extent = vec![0f32; area];
    let (mut strongest, mut peak) = (0, 0f32);
    for c in 0..signal.channels() {
        for (e, &v) in extent.iter_mut().zip(&signal.data()[c * area..][..area]) {
            if v.abs() > e.abs() {
                *e = v;
                if v.abs() > peak.abs() {
                    (strongest, peak) = (c, v);
                }
            }
        }
    }
    let net = trace.net();
    let operation = if i == from {
        "seed"
    } else {
        let above = net.nodes[i].readers.iter().find(|&&r| r <= from && reached[r]);
        above.and_then(|&r| net.kind(r)).map_or("pass", operation)
    };
    Step { node: i, operation, shape: trace.shape(i), rect: signal.rect, extent, strongest, peak }
}

/// One map of the step at `layer`, with the switches of the max pooling above it, if there is one on the way.
pub fn step(
    trace: &Trace,
    node: usize,
    seed: &Seed,
    options: &Options,
    layer: usize,
    map: usize,
) -> Result<StepMap> {
    trace.check_map(layer, map)?;
    let seeded = plant(trace, node, seed)?;
    let net = trace.net();
    let pool = net.nodes[layer]
        .readers
        .iter()
        .copied()
        .find(|&r| r <= node && matches!(net.kind(r), Some(Kind::MaxPool { .. })));
    let (mut found, mut above) = (None, None);
    descend(trace, node, seeded.signal, options, |i, signal| {
        if i == layer {
            let area = signal.rect.area();
            found = Some((signal.rect, signal.data()[map * area..][..area].to_vec()));
        }
        if Some(i) == pool {
            above = pooled(trace, i, signal, map, trace.shape(layer));
        }
    });
    let (rect, data) = found.ok_or_else(|| {
        Error::Parameter(format!("the way down from {} does not pass {}", net.name(node), net.name(layer)))
    })?;
    Ok(StepMap { rect, data, pooled: above })
}

fn pooled(trace: &Trace, pool: usize, signal: &Tensor, map: usize, below: Shape) -> Option<Pooled> {
    let Some(Kind::MaxPool { window, maps, .. }) = trace.net().kind(pool) else { return None };
    let all = trace.switches(pool)?;
    let (group, rect, over) = (map / maps, signal.rect, trace.shape(pool));
    let area = rect.area();
    let data = signal.data()[group * area..][..area].to_vec();
    let mut switches = Vec::with_capacity(2 * area);
    for y in rect.y0..rect.y1 {
        for x in rect.x0..rect.x1 {
            let at = all[(group * over.h + y as usize) * over.w + x as usize] as usize;
            let (iy, ix, m) = (at / below.w % below.h, at % below.w, at / (below.w * below.h));
            switches.extend(if m == map { [iy as i32, ix as i32] } else { [-1, -1] });
        }
    }
    Some(Pooled { node: pool, rect, data, switches, window: *window })
}
