//! Occlusion (ZF14 §4.2, Fig. 7): a square hides part of the input; what happens to the prediction?
//!
//! One sweep yields every output at every position. Only what the square changes is recomputed on
//! top of the unoccluded trace, many positions at once; the result is that of full recomputation.

mod cover;
mod square;

pub use cover::{Fill, cover};
pub use square::Grid;

use super::{class_to_follow, last_features, single_classifier};
use crate::error::Result;
use crate::job::{Clock, Job, Progress};
use crate::kernel::inside;
use crate::net::Trace;
use crate::tensor::{Rect, Tensor};
use square::{coarse, coarse_to_fine, positions};
use std::sync::Arc;
use std::time::Duration;

/// Bytes that the patches of one batch may take.
const BATCH_BYTES: usize = 32 << 20;
/// Beyond this many positions a batch gains nothing, and a step would take too long to stop.
const MOST_IN_BATCH: usize = 32;
/// Classes kept for every position.
pub const TOP: usize = 5;

/// What to sweep and what to watch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Class whose probability is followed; default: the unoccluded prediction.
    pub class: Option<usize>,
    /// Side of the square in pixels; default: the input's shorter side / 4.5.
    pub size: Option<usize>,
    /// Pixels between neighbouring positions, at most the input's shorter side; default 8.
    pub stride: Option<usize>,
    /// Where the square stands.
    pub grid: Grid,
    /// What stands in the square.
    pub fill: Fill,
    /// Nodes and maps whose total activation is followed; default: the last layer before the
    /// classifier. Without a map the one with the largest peak.
    pub watch: Vec<(Option<usize>, Option<usize>)>,
    /// Recompute everything at every position: for comparison.
    pub full: bool,
}

/// A sweep under way. Values not computed yet are NaN, classes −1.
pub struct Occlusion {
    trace: Arc<Trace>,
    /// What the square shows at each position of the whole plane.
    cover: Tensor,
    full: bool,
    positions: Vec<Rect>,
    order: Vec<usize>,
    done: usize,
    batch: usize,
    seconds: f64,
    /// Node of the classifier and of what goes into it.
    outputs: Option<(usize, usize)>,
    result: Sweep,
}

/// Everything a sweep yields; arrays are rows × columns of positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// Rows and columns of positions.
    pub grid: [usize; 2],
    /// Side and stride that were used.
    pub size: usize,
    /// Pixels between positions.
    pub stride: usize,
    /// The class followed; `None` without a classifier.
    pub class: Option<usize>,
    /// Its unoccluded probability.
    pub p0: f32,
    /// Its unoccluded logit.
    pub logit0: f32,
    /// The maps followed, at least one.
    pub watched: Vec<Watched>,
    /// Probability of the class.
    pub p: Vec<f32>,
    /// The softmax's input for the class.
    pub logit: Vec<f32>,
    /// The most probable class.
    pub top: Vec<i32>,
    /// The five most probable classes at each position, and their probabilities.
    pub best: Vec<[(i32, f32); TOP]>,
}

/// One map's total activation, summed over space.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// The layer.
    pub node: usize,
    /// The map.
    pub map: usize,
    /// Unoccluded.
    pub base: f64,
    /// At every position.
    pub activation: Vec<f32>,
}

impl Occlusion {
    /// Checks the options and plans the sweep; nothing is computed yet.
    pub fn new(trace: Arc<Trace>, options: &Options) -> Result<Occlusion> {
        let net = trace.net().clone();
        let input = trace.shape(0);
        let side = ((input.h.min(input.w) as f64 / 4.5).round() as usize).max(1);
        let size = options.size.unwrap_or(side);
        // A larger step would put the only square beyond the image.
        let stride = options.stride.unwrap_or(8).min(input.h.min(input.w));
        let (positions, grid) = positions(input, size, stride, options.grid)?;
        let cover = cover(&trace, &options.fill, size)?;
        let outputs = single_classifier(&trace).map(|n| (n, net.inputs(n)[0]));
        let class = class_to_follow(&trace, options.class)?.map(|(_, class)| class);
        let (p0, logit0) = match (outputs, class) {
            (Some((softmax, logits)), Some(class)) => {
                (trace.value(softmax, class, [0, 0])?, trace.value(logits, class, [0, 0])?)
            }
            _ => (f32::NAN, f32::NAN),
        };
        let n = positions.len();
        let default = [(None, None)];
        let watch = if options.watch.is_empty() { &default[..] } else { &options.watch };
        let mut watched = Vec::new();
        for &(node, map) in watch {
            let node = node.unwrap_or_else(|| last_features(&net, trace.shapes()));
            let map = map.unwrap_or_else(|| strongest(&trace, node));
            let base = trace.summary(node, map)?.sum;
            watched.push(Watched { node, map, base, activation: vec![f32::NAN; n] });
        }
        let largest = positions.iter().copied().max_by_key(Rect::area).unwrap_or_default();
        let bytes = if options.full {
            trace.shapes().iter().map(|s| s.c * s.h * s.w * 4).sum()
        } else {
            net.recompute_bytes(&trace, largest)
        };
        let result = Sweep {
            grid,
            size,
            stride,
            class,
            p0,
            logit0,
            watched,
            p: vec![f32::NAN; n],
            logit: vec![f32::NAN; n],
            top: vec![-1; n],
            best: vec![[(-1, f32::NAN); TOP]; n],
        };
        let batch = (BATCH_BYTES / bytes.max(1)).clamp(1, MOST_IN_BATCH);
        let order = coarse_to_fine(grid);
        Ok(Occlusion {
            trace,
            cover,
            full: options.full,
            positions,
            order,
            done: 0,
            batch,
            seconds: 0.0,
            outputs,
            result,
        })
    }

    /// Number of positions.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Never: a sweep has at least one position.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The occluded rectangles, rows × columns, clipped to the image.
    pub fn positions(&self) -> &[Rect] {
        &self.positions
    }

    /// What is known so far.
    pub fn result(&self) -> &Sweep {
        &self.result
    }

    /// Seconds worked so far, and by that rate still to come.
    pub fn seconds(&self) -> (f64, f64) {
        let left = (self.len() - self.done) as f64;
        (self.seconds, if self.done == 0 { f64::NAN } else { self.seconds / self.done as f64 * left })
    }

    /// What the square shows, over its rectangle.
    fn occluded(&self, position: usize) -> Tensor {
        self.cover.view().crop(self.positions[position]).to_tensor()
    }

    fn batch(&mut self) -> Result<()> {
        // The coarse map in batches of equal size, and nothing else before it is complete.
        let coarse = coarse(self.result.grid);
        let left = if self.done < coarse { coarse - self.done } else { self.len() - self.done };
        let n = left.div_ceil(left.div_ceil(self.batch).max(1));
        let ids: Vec<usize> = self.order[self.done..].iter().copied().take(n).collect();
        let changes: Vec<Tensor> = ids.iter().map(|&i| self.occluded(i)).collect();
        let trace = self.trace.clone();
        if self.full {
            for (&id, change) in ids.iter().zip(&changes) {
                let mut input = trace.activation(0);
                input.view_mut().copy_from(change.view());
                let t = trace.net().forward(input)?;
                let sums = self.result.watched.iter().map(|w| Ok(t.summary(w.node, w.map)?.sum));
                let sums = sums.collect::<Result<Vec<f64>>>()?;
                let out = self.outputs.map(|(s, l)| (t.activation(s), t.activation(l)));
                self.record(id, &sums, out);
            }
        } else {
            let mut keep: Vec<usize> = self.result.watched.iter().map(|w| w.node).collect();
            let first_output = keep.len();
            keep.extend(self.outputs.iter().flat_map(|&(s, l)| [s, l]));
            let changed = trace.net().recompute(&trace, &changes, &keep);
            for (&id, kept) in ids.iter().zip(changed) {
                let followed = self.result.watched.iter().zip(&kept);
                let sums: Vec<f64> =
                    followed.map(|(w, new)| w.base + change_of_sum(&trace, w, &new.values)).collect();
                // A change that does not reach the output leaves it as it was.
                let out = self.outputs.map(|(s, l)| {
                    let pick = |i: usize, n: usize| {
                        let values = &kept[first_output + i].values;
                        if values.rect.is_empty() { trace.activation(n) } else { values.clone() }
                    };
                    (pick(0, s), pick(1, l))
                });
                self.record(id, &sums, out);
            }
        }
        self.done += ids.len();
        Ok(())
    }

    fn record(&mut self, id: usize, sums: &[f64], out: Option<(Tensor, Tensor)>) {
        let r = &mut self.result;
        for (w, sum) in r.watched.iter_mut().zip(sums) {
            w.activation[id] = *sum as f32;
        }
        let (Some((p, logits)), Some(class)) = (out, r.class) else { return };
        r.p[id] = p.data()[class];
        r.logit[id] = logits.data()[class];
        r.best[id] = best(p.data());
        r.top[id] = r.best[id][0].0;
    }
}

impl Job for Occlusion {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        inside(|| {
            while self.done < self.len() {
                self.batch()?;
                if clock.elapsed() >= budget {
                    break;
                }
            }
            Ok(())
        })?;
        self.seconds += clock.elapsed().as_secs_f64();
        Ok(Progress { fraction: self.done as f64 / self.len() as f64, done: self.done == self.len() })
    }
}

/// How much a map's sum changes with its new values over a rectangle.
fn change_of_sum(trace: &Trace, watched: &Watched, new: &Tensor) -> f64 {
    trace.with(watched.node, |old| {
        let (old, r) = (old.crop(new.rect), new.rect);
        let lines =
            (r.y0..r.y1).map(|y| new.view().line(watched.map, y).iter().zip(old.line(watched.map, y)));
        lines.flatten().map(|(a, b)| f64::from(*a) - f64::from(*b)).sum()
    })
}

/// The five largest, the first of equals first.
fn best(p: &[f32]) -> [(i32, f32); TOP] {
    let mut best = [(-1, f32::NEG_INFINITY); TOP];
    for (i, &v) in p.iter().enumerate() {
        if v > best[TOP - 1].1 {
            let at = best.iter().position(|b| v > b.1).unwrap_or(TOP - 1);
            best[at..].rotate_right(1);
            best[at] = (i as i32, v);
        }
    }
    best
}

/// The map with the largest peak.
fn strongest(trace: &Trace, node: usize) -> usize {
    let maps = trace.maps(node);
    maps.iter().copied().reduce(|a, b| if b.peak > a.peak { b } else { a }).map_or(0, |m| m.map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_best_are_in_order() {
        let p = [0.1, 0.3, 0.05, 0.3, 0.15, 0.02, 0.08];
        assert_eq!(best(&p).map(|b| b.0), [1, 3, 4, 0, 6]);
    }
}
