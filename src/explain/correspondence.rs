//! Correspondence (ZF14 §4.3, Table 1): does a network know that the left eye of one face is the left
//! eye of another? Hide the same part in several images; if the layer's features change in the same
//! way, their signs agree. Parts at random places are the control.

use super::check_colour;
use crate::error::{Error, Result};
use crate::job::{Clock, Job, Progress};
use crate::net::Trace;
use crate::random::SplitMix;
use crate::tensor::{Rect, Shape, Tensor};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Most random parts per image.
const MOST_DRAWS: usize = 1000;
/// Most images compared: the pairs grow with the square, and every trace stays in memory.
const MOST_IMAGES: usize = 64;

/// Δ of one layer, and what it was averaged over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delta {
    /// Mean of H(sign ε_i, sign ε_j) over pairs of images, the normalised Hamming distance: 0 where
    /// all changes agree.
    pub mean: f64,
    /// Standard deviation over the pairs.
    pub deviation: f64,
    /// Σ over ordered pairs i ≠ j, the paper's Δ_l.
    pub sum: f64,
    /// Unordered pairs.
    pub pairs: usize,
}

/// What random parts of the same sizes give.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Control {
    /// Mean of the draws' means; NaN before the first.
    pub mean: f64,
    /// Standard deviation of the draws' means.
    pub deviation: f64,
    /// Draws so far.
    pub draws: usize,
}

/// What to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Layers whose features are compared.
    pub nodes: Vec<usize>,
    /// What stands in the hidden part, one value per channel; default 0, the mean.
    pub fill: Option<Vec<f32>>,
    /// Random parts drawn for every image, as the control; may be 0.
    pub draws: usize,
    /// Seed of the random places.
    pub seed: u64,
}

/// A comparison under way: first the marked parts, then one draw of random parts after the other.
pub struct Correspondence {
    images: Vec<(Arc<Trace>, Rect)>,
    nodes: Vec<usize>,
    fill: Vec<f32>,
    draws: usize,
    random: SplitMix,
    /// Images done, over all rounds.
    done: usize,
    /// Of this round: image, node, sign of every change.
    signs: Vec<Vec<Vec<i8>>>,
    same: Option<Vec<Delta>>,
    /// Node, draw.
    means: Vec<Vec<f64>>,
}

impl Correspondence {
    /// Checks the options; nothing is computed yet. Each image has its part; all traces are of one
    /// network and one input size, and a part is clipped to its image.
    ///
    /// # Errors
    /// `Parameter` for fewer than two images, a part outside of its image, a layer that is not there, a fill
    /// that is no colour; `Shape` for traces that cannot be compared.
    pub fn new(images: Vec<(Arc<Trace>, Rect)>, options: &Options) -> Result<Correspondence> {
        let Options { nodes, draws, seed, .. } = options;
        if !(2..=MOST_IMAGES).contains(&images.len()) {
            return Err(Error::Parameter(format!(
                "correspondence compares 2 to {MOST_IMAGES} images with one part each, here are {}",
                images.len()
            )));
        }
        if *draws > MOST_DRAWS {
            return Err(Error::Parameter(format!("{draws} random parts; choose 0 to {MOST_DRAWS}")));
        }
        let first = images[0].0.clone();
        let input = first.shape(0);
        if images.iter().any(|(t, _)| !Arc::ptr_eq(t.net(), first.net()) || t.shapes() != first.shapes()) {
            return Err(Error::Shape("all images must go through the same network at the same size".into()));
        }
        if nodes.is_empty() {
            return Err(Error::Parameter("no layer is named whose features could be compared".into()));
        }
        if let Some(n) = nodes.iter().find(|&&n| n >= first.net().len()) {
            return Err(Error::Parameter(format!("there is no node {n}")));
        }
        let fill = options.fill.clone().unwrap_or_else(|| vec![0.0; input.c]);
        check_colour(&fill, input.c)?;
        let clip = |(i, (trace, part)): (usize, (Arc<Trace>, Rect))| {
            let clipped = part.intersect(&input.rect());
            if clipped.is_empty() {
                return Err(Error::Parameter(format!(
                    "the part marked on image {} lies outside of its {} rows and {} columns",
                    i + 1,
                    input.h,
                    input.w
                )));
            }
            Ok((trace, clipped))
        };
        Ok(Correspondence {
            images: images.into_iter().enumerate().map(clip).collect::<Result<_>>()?,
            nodes: nodes.clone(),
            fill,
            draws: *draws,
            random: SplitMix::new(*seed),
            done: 0,
            signs: Vec::new(),
            same: None,
            means: vec![Vec::new(); nodes.len()],
        })
    }

    /// Per layer, what the marked parts give; `None` until all of them have been hidden.
    pub fn same(&self) -> Option<&[Delta]> {
        self.same.as_deref()
    }

    /// Per layer, what random parts have given so far.
    pub fn control(&self) -> Vec<Control> {
        let one = |means: &Vec<f64>| {
            let (mean, deviation) = mean_and_deviation(means);
            Control { mean, deviation, draws: means.len() }
        };
        self.means.iter().map(one).collect()
    }

    /// sign(x − x̃) of each layer with `part` of an image hidden.
    fn changes(&self, trace: &Trace, part: Rect) -> Vec<Vec<i8>> {
        let mut patch = Tensor::zeros(self.fill.len(), part);
        for (c, v) in self.fill.iter().enumerate() {
            patch.values.index_axis_mut(ndarray::Axis(0), c).fill(*v);
        }
        let changed = trace.net().recompute(trace, &[patch], &self.nodes);
        changed[0].iter().zip(&self.nodes).map(|(new, &node)| signs(trace, node, &new.values)).collect()
    }

    fn one(&mut self) {
        let n = self.images.len();
        let (trace, mut part) = self.images[self.done % n].clone();
        if self.done >= n {
            part = somewhere(&part, trace.shape(0), &mut self.random);
        }
        self.signs.push(self.changes(&trace, part));
        self.done += 1;
        if self.signs.len() < n {
            return;
        }
        let round = std::mem::take(&mut self.signs);
        let of = |l: usize| delta(&round.iter().map(|s| s[l].as_slice()).collect::<Vec<_>>());
        let found: Vec<Delta> = (0..self.nodes.len()).map(of).collect();
        if self.same.is_none() {
            self.same = Some(found);
        } else {
            for (means, d) in self.means.iter_mut().zip(found) {
                means.push(d.mean);
            }
        }
    }
}

impl Job for Correspondence {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        let all = self.images.len() * (1 + self.draws);
        while self.done < all {
            self.one();
            if clock.elapsed() >= budget {
                break;
            }
        }
        Ok(Progress { fraction: self.done as f64 / all as f64, done: self.done == all })
    }
}

/// sign(x − x̃) over a whole layer; 0 wherever the change does not reach.
fn signs(trace: &Trace, node: usize, new: &Tensor) -> Vec<i8> {
    let s = trace.shape(node);
    let mut all = vec![0i8; s.c * s.h * s.w];
    let r = new.rect;
    if r.is_empty() {
        return all;
    }
    trace.with(node, |old| {
        let old = old.crop(r);
        for c in 0..s.c {
            for y in r.y0..r.y1 {
                let to = &mut all[(c * s.h + y as usize) * s.w + r.x0 as usize..][..r.w()];
                for ((sign, before), after) in to.iter_mut().zip(old.line(c, y)).zip(new.view().line(c, y)) {
                    *sign = i8::from(before > after) - i8::from(before < after);
                }
            }
        }
    });
    all
}

/// A rectangle of the same size somewhere in the input.
fn somewhere(r: &Rect, input: Shape, random: &mut SplitMix) -> Rect {
    let (h, w) = (r.h().min(input.h), r.w().min(input.w));
    let (y, x) = (random.below(input.h - h + 1) as isize, random.below(input.w - w + 1) as isize);
    Rect::new(y, x, y + h as isize, x + w as isize)
}

fn delta(signs: &[&[i8]]) -> Delta {
    let mut distances = Vec::new();
    for i in 0..signs.len() {
        for j in 0..i {
            let differ = signs[i].iter().zip(signs[j]).filter(|(a, b)| a != b).count();
            distances.push(differ as f64 / signs[i].len() as f64);
        }
    }
    let (mean, deviation) = mean_and_deviation(&distances);
    Delta { mean, deviation, sum: 2.0 * mean * distances.len() as f64, pairs: distances.len() }
}

/// NaN of nothing.
fn mean_and_deviation(v: &[f64]) -> (f64, f64) {
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    (mean, (v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_changes_have_no_distance_and_opposite_ones_the_largest() {
        let (a, b) = ([1, -1, 0, 1], [-1, 1, 1, -1]);
        assert_eq!(delta(&[&a, &a, &a]), Delta { mean: 0.0, deviation: 0.0, sum: 0.0, pairs: 3 });
        assert_eq!(delta(&[&a, &b]).mean, 1.0);
        let mixed = delta(&[&a, &a, &b]);
        assert!((mixed.mean - 2.0 / 3.0).abs() < 1e-12 && (mixed.sum - 4.0).abs() < 1e-12);
    }

    #[test]
    fn random_parts_keep_their_size_and_stay_inside() {
        let (input, mut random) = (Shape::new(3, 20, 30), SplitMix::new(3));
        for _ in 0..100 {
            let r = somewhere(&Rect::new(2, 3, 9, 14), input, &mut random);
            assert!(r.h() == 7 && r.w() == 11 && r.intersect(&input.rect()) == r);
        }
    }
}
