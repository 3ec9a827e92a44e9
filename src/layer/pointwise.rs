//! Activation functions that the paper never met. Push: y = f(x), value by value.
//!
//! Pull: gradient uses f′. The deconvnet of ZF14 passes the signal through the layer's own rectification, so
//! what rectifies still does (ours): leaky and PReLU scale what is negative by their slope, a clip whose lower
//! bound is not negative keeps what is positive, without the ceiling, since a signal has no natural size.
//! Sigmoid, tanh and clips around zero rectify nothing: the signal passes. Guided does both.

use super::{Descent, Layer, Push, Recorded, Rule, optional};
use crate::error::{Error, Result};
use crate::spec::Weight;
use crate::tensor::{Shape, View, ViewMut};

/// Which function.
pub enum Pointwise {
    /// One slope below zero for each map, or one for all.
    Leaky(Vec<f32>),
    /// Two bounds.
    Clip(f32, f32),
    /// 1 / (1 + e^−x).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
}

impl Pointwise {
    /// With one slope for all maps.
    pub fn leaky(alpha: f32) -> Result<Pointwise> {
        if !alpha.is_finite() {
            return Err(Error::Parameter(format!("a slope of {alpha} below zero")));
        }
        Ok(Pointwise::Leaky(vec![alpha]))
    }

    /// With trained slopes: one for all maps, or one for each.
    pub fn prelu(slope: Option<Weight>, channels: usize) -> Result<Pointwise> {
        let one = slope.as_ref().is_some_and(|w| w.len() == 1);
        let slope = optional(slope, "slope", &[if one { 1 } else { channels }])?
            .ok_or_else(|| Error::Shape("the weights hold no tensor .slope".into()))?
            .into_f32();
        Ok(Pointwise::Leaky(slope))
    }

    /// A missing bound bounds nothing.
    pub fn clip(min: Option<f32>, max: Option<f32>) -> Result<Pointwise> {
        let (lo, hi) = (min.unwrap_or(f32::NEG_INFINITY), max.unwrap_or(f32::INFINITY));
        if lo <= hi {
            Ok(Pointwise::Clip(lo, hi))
        } else {
            Err(Error::Parameter(format!("a clip between {lo} and {hi}")))
        }
    }

    fn slope(slopes: &[f32], c: usize) -> f32 {
        slopes[if slopes.len() == 1 { 0 } else { c }]
    }

    fn push(&self, c: usize, x: f32) -> f32 {
        match self {
            Pointwise::Leaky(slope) => {
                if x > 0.0 {
                    x
                } else {
                    Self::slope(slope, c) * x
                }
            }
            Pointwise::Clip(lo, hi) => {
                if x < *lo {
                    *lo
                } else if x > *hi {
                    *hi
                } else {
                    x
                }
            }
            Pointwise::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Pointwise::Tanh => x.tanh(),
        }
    }

    fn derivative(&self, c: usize, x: f32) -> f32 {
        match self {
            Pointwise::Leaky(slope) => {
                if x > 0.0 {
                    1.0
                } else {
                    Self::slope(slope, c)
                }
            }
            Pointwise::Clip(lo, hi) => {
                if x > *lo && x < *hi {
                    1.0
                } else {
                    0.0
                }
            }
            Pointwise::Sigmoid => {
                let y = self.push(c, x);
                y * (1.0 - y)
            }
            Pointwise::Tanh => 1.0 - x.tanh().powi(2),
        }
    }

    fn rectify(&self, c: usize, s: f32) -> f32 {
        match self {
            Pointwise::Leaky(_) => self.push(c, s),
            Pointwise::Clip(lo, _) if *lo >= 0.0 => s.max(0.0),
            _ => s,
        }
    }
}

impl Layer for Pointwise {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(inputs[0])
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            let r = p.output.rect;
            let input = p.inputs[0].crop(r);
            for c in 0..p.output.channels {
                for y in r.y0..r.y1 {
                    for (o, x) in p.output.line(c, y).iter_mut().zip(input.line(c, y)) {
                        *o = self.push(c, *x);
                    }
                }
            }
        }
    }

    fn pull(&self, at: &Recorded, descent: &Descent, signal: View, _: usize, mut out: ViewMut) {
        out.fill(0.0);
        out.copy_from(signal);
        let input = at.inputs[0].filter(|_| descent.rule != Rule::Deconvnet);
        let r = out.rect;
        for c in 0..out.channels {
            for y in r.y0..r.y1 {
                let line = out.line(c, y);
                if let Some(input) = input {
                    let x = input.crop(r).line(c, y);
                    line.iter_mut().zip(x).for_each(|(s, x)| *s *= self.derivative(c, *x));
                }
                if descent.rule != Rule::Gradient {
                    line.iter_mut().for_each(|s| *s = self.rectify(c, *s));
                }
            }
        }
    }

    fn parameters(&self) -> usize {
        match self {
            Pointwise::Leaky(slope) => slope.len(),
            _ => 0,
        }
    }

    fn work(&self) -> usize {
        4
    }
}
