//! Softmax over channels at each position. Pull: the paper starts below it, so the deconvnet passes
//! the signal unchanged (ours); gradient and guided use the true derivative p ⊙ (s − ⟨p, s⟩), or s − p Σ s for
//! the logarithm.

use super::{Descent, Layer, Push, Recorded, Rule};
use crate::error::Result;
use crate::kernel::elementwise;
use crate::tensor::{Shape, View, ViewMut};

/// exp(x_c) / Σ exp(x_d), or its logarithm.
pub struct Softmax {
    /// Whether the logarithm is taken.
    pub log: bool,
}

impl Layer for Softmax {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(inputs[0])
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            if self.log {
                elementwise::log_softmax(p.inputs[0], p.output.borrow());
            } else {
                elementwise::softmax(p.inputs[0], p.output.borrow());
            }
        }
    }

    fn pull(&self, at: &Recorded, descent: &Descent, signal: View, _: usize, mut out: ViewMut) {
        out.fill(0.0);
        out.copy_from(signal);
        let (Rule::Gradient | Rule::Guided, Some(p)) = (descent.rule, at.output) else { return };
        let r = out.rect;
        for y in r.y0..r.y1 {
            for x in r.x0..r.x1 {
                let weight = |c| if self.log { 1.0 } else { p.at(c, y, x) };
                let mean: f32 = (0..p.channels).map(|c| weight(c) * signal.at(c, y, x)).sum();
                for c in 0..p.channels {
                    let (i, s, p) = (out.index(c, y, x), signal.at(c, y, x), p.at(c, y, x));
                    out.data[i] = if self.log { s - p.exp() * mean } else { p * (s - mean) };
                }
            }
        }
    }

    fn work(&self) -> usize {
        8
    }
}
