//! Invariance (ZF14 §4.1, Fig. 5): move, scale or rotate the input and see how far each layer's features go.

use super::{check_colour, class_to_follow, single_classifier};
use crate::error::{Error, Result};
use crate::job::{Clock, Job, Progress};
use crate::net::Trace;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What is done to the input; the amounts are pixels, a factor, or degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Up (negative) or down, in pixels.
    ShiftVertically,
    /// Left (negative) or right, in pixels.
    ShiftHorizontally,
    /// About the centre, by a factor.
    Scale,
    /// About the centre, counter-clockwise, in degrees.
    Rotate,
}

/// Most steps of one sweep.
const MOST_STEPS: usize = 1000;

/// What to sweep and what to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What is done.
    pub transform: Transform,
    /// First amount.
    pub from: f64,
    /// Last amount.
    pub to: f64,
    /// Number of amounts, evenly spaced, both ends included.
    pub steps: usize,
    /// Nodes whose features are compared.
    pub nodes: Vec<usize>,
    /// Class whose probability is followed; default: the prediction for the untransformed input.
    pub class: Option<usize>,
    /// One value per channel where the transformed input shows what lies outside; default 0, the mean.
    pub fill: Option<Vec<f32>>,
}

/// Curves over the amounts; values not computed yet are NaN.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curves {
    /// The amounts.
    pub amounts: Vec<f64>,
    /// Per node: Euclidean distance of its features to those of the untransformed input.
    pub distances: Vec<Vec<f64>>,
    /// The class followed; `None` without a classifier.
    pub class: Option<usize>,
    /// Its probability.
    pub p: Vec<f32>,
}

/// A sweep under way.
pub struct Invariance {
    trace: Arc<Trace>,
    transform: Transform,
    nodes: Vec<usize>,
    fill: Vec<f32>,
    done: usize,
    curves: Curves,
}

impl Invariance {
    /// Checks the options; nothing is computed yet.
    pub fn new(trace: Arc<Trace>, options: &Options) -> Result<Invariance> {
        let Options { transform, from, to, steps, .. } = *options;
        if !(2..=MOST_STEPS).contains(&steps) {
            return Err(Error::Parameter(format!("{steps} steps; choose 2 to {MOST_STEPS}")));
        }
        if !from.is_finite() || !to.is_finite() || (transform == Transform::Scale && from.min(to) <= 0.0) {
            return Err(Error::Parameter(format!(
                "a range from {from} to {to} is not possible; scales must be positive"
            )));
        }
        if let Some(&n) = options.nodes.iter().find(|&&n| n >= trace.net().len()) {
            return Err(Error::Parameter(format!("there is no node {n}")));
        }
        let channels = trace.shape(0).c;
        let fill = options.fill.clone().unwrap_or_else(|| vec![0.0; channels]);
        check_colour(&fill, channels)?;
        let class = class_to_follow(&trace, options.class)?.map(|(_, class)| class);
        let amounts = (0..steps).map(|i| from + (to - from) * i as f64 / (steps - 1) as f64).collect();
        let distances = vec![vec![f64::NAN; steps]; options.nodes.len()];
        let curves = Curves { amounts, distances, class, p: vec![f32::NAN; steps] };
        Ok(Invariance { trace, transform, nodes: options.nodes.clone(), fill, done: 0, curves })
    }

    /// What is known so far.
    pub fn curves(&self) -> &Curves {
        &self.curves
    }

    /// The transformed input at one amount, as the network sees it.
    pub fn input(&self, amount: f64) -> Tensor {
        transformed(&self.trace.activation(0), self.transform, amount, &self.fill)
    }
}

impl Job for Invariance {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        let n = self.curves.amounts.len();
        while self.done < n {
            let i = self.done;
            let trace = self.trace.net().forward(self.input(self.curves.amounts[i]))?;
            for (distances, &node) in self.curves.distances.iter_mut().zip(&self.nodes) {
                let (a, b) = (trace.activation(node), self.trace.activation(node));
                let squares =
                    a.data().iter().zip(b.data()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
                distances[i] = squares.sum::<f64>().sqrt();
            }
            if let (Some(class), Some(node)) = (self.curves.class, single_classifier(&trace)) {
                self.curves.p[i] = trace.value(node, class, [0, 0])?;
            }
            self.done += 1;
            if clock.elapsed() >= budget {
                break;
            }
        }
        Ok(Progress { fraction: self.done as f64 / n as f64, done: self.done == n })
    }
}

/// The input moved, scaled or rotated about its centre, sampled bilinearly; `fill` shows where
/// nothing of the input is.
pub fn transformed(input: &Tensor, transform: Transform, amount: f64, fill: &[f32]) -> Tensor {
    let (h, w) = (input.rect.h(), input.rect.w());
    let (cy, cx) = ((h as f64 - 1.0) / 2.0, (w as f64 - 1.0) / 2.0);
    // Where an output pixel comes from: the inverse of the transformation.
    let source = |y: f64, x: f64| match transform {
        Transform::ShiftVertically => (y - amount, x),
        Transform::ShiftHorizontally => (y, x - amount),
        Transform::Scale => (cy + (y - cy) / amount, cx + (x - cx) / amount),
        Transform::Rotate => {
            let (sin, cos) = amount.to_radians().sin_cos();
            let (dy, dx) = (y - cy, x - cx);
            (cy + dx * sin + dy * cos, cx + dx * cos - dy * sin)
        }
    };
    let mut out = Tensor::zeros(input.channels(), input.rect);
    for y in 0..h {
        for x in 0..w {
            let (sy, sx) = source(y as f64, x as f64);
            let (fy, fx) = (sy.floor(), sx.floor());
            let (ty, tx) = ((sy - fy) as f32, (sx - fx) as f32);
            for (c, &outside) in fill.iter().enumerate() {
                let at = |dy: isize, dx: isize| {
                    let (iy, ix) = (fy as isize + dy, fx as isize + dx);
                    if input.rect.holds(iy, ix) { input.at(c, iy, ix) } else { outside }
                };
                let top = at(0, 0) * (1.0 - tx) + at(0, 1) * tx;
                let bottom = at(1, 0) * (1.0 - tx) + at(1, 1) * tx;
                out.values[(c, y, x)] = top * (1.0 - ty) + bottom * ty;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Shape;

    fn ramp() -> Tensor {
        Tensor::new(Shape::new(1, 5, 7), (0..35).map(|v| v as f32).collect()).unwrap()
    }

    #[test]
    fn nothing_is_done_at_the_neutral_amounts() {
        let neutral = [
            (Transform::ShiftVertically, 0.0),
            (Transform::ShiftHorizontally, 0.0),
            (Transform::Scale, 1.0),
            (Transform::Rotate, 0.0),
        ];
        for (t, amount) in neutral {
            assert_eq!(transformed(&ramp(), t, amount, &[9.0]), ramp());
        }
    }

    #[test]
    fn shifts_move_pixels_and_fill_what_appears() {
        let t = transformed(&ramp(), Transform::ShiftVertically, 2.0, &[-1.0]);
        assert_eq!((t.at(0, 2, 3), t.at(0, 0, 3), t.at(0, 1, 0)), (3.0, -1.0, -1.0));
        let t = transformed(&ramp(), Transform::ShiftHorizontally, -1.0, &[-1.0]);
        assert_eq!((t.at(0, 0, 0), t.at(0, 0, 6)), (1.0, -1.0));
    }

    #[test]
    fn a_quarter_turn_moves_the_right_end_to_the_top() {
        let square = Tensor::new(Shape::new(1, 3, 3), vec![0., 1., 2., 3., 4., 5., 6., 7., 8.]).unwrap();
        let t = transformed(&square, Transform::Rotate, 90.0, &[0.0]);
        let rounded: Vec<f32> = t.data().iter().map(|v| v.round()).collect();
        assert_eq!(rounded, [2., 5., 8., 1., 4., 7., 0., 3., 6.]);
    }
}
