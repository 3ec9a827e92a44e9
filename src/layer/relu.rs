//! Rectification, the one place where the three rules differ (ZF14 §2.1; Springenberg et al. 2015).

use super::{Descent, Layer, Push, Recorded, Rule};
use crate::error::Result;
use crate::kernel::elementwise;
use crate::tensor::{Shape, View, ViewMut};

/// max(x, 0).
pub struct Relu;

impl Relu {
    /// Applies the rule to a signal in place; `forward` is the ReLU's output over the whole plane.
    pub fn gate(rule: Rule, forward: Option<View>, signal: ViewMut) {
        match rule {
            Rule::Deconvnet => elementwise::gate(signal, None, true),
            Rule::Gradient => elementwise::gate(signal, forward, false),
            Rule::Guided => elementwise::gate(signal, forward, true),
        }
    }
}

impl Layer for Relu {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(inputs[0])
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            elementwise::relu(p.inputs[0], p.output.borrow());
        }
    }

    fn pull(&self, at: &Recorded, descent: &Descent, signal: View, _: usize, mut out: ViewMut) {
        out.fill(0.0);
        out.copy_from(signal);
        Relu::gate(descent.rule, at.output, out);
    }
}
