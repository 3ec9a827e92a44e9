//! Local response normalisation (AK12). Push: y_c = x_c / (κ + α/n Σ x_d²)^β. Pull: the identity, a
//! division by the same coefficients, or the true derivative, as the descent says.

use super::{Descent, Layer, LrnRule, Push, Recorded};
use crate::error::{Error, Result};
use crate::kernel::lrn;
use crate::tensor::{Shape, View, ViewMut};

/// The four numbers live in the kernel.
pub struct Lrn(lrn::Lrn);

impl Lrn {
    /// Refuses sizes of zero and a base that could reach zero.
    pub fn new(size: usize, alpha: f32, beta: f32, k: f32) -> Result<Lrn> {
        let finite = [alpha, beta, k].iter().all(|v| v.is_finite());
        if size == 0 || !finite || alpha < 0.0 || k <= 0.0 {
            return Err(Error::Parameter(format!(
                "LRN needs size ≥ 1, alpha ≥ 0, k > 0 and finite numbers, got size {size}, alpha {alpha}, beta {beta}, k {k}"
            )));
        }
        Ok(Lrn(lrn::Lrn { size, alpha, beta, k }))
    }
}

impl Layer for Lrn {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(inputs[0])
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            self.0.forward(p.inputs[0], p.output.borrow());
        }
    }

    fn pull(&self, at: &Recorded, descent: &Descent, signal: View, _: usize, mut out: ViewMut) {
        match (descent.lrn(), at.inputs[0]) {
            (LrnRule::Divide, Some(input)) => self.0.divide(input, signal, out),
            (LrnRule::Derivative, Some(input)) => self.0.gradient(input, signal, out),
            _ => {
                out.fill(0.0);
                out.copy_from(signal);
            }
        }
    }

    fn work(&self) -> usize {
        self.0.size.saturating_add(8)
    }
}
