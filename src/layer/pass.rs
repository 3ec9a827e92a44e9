//! Layers that do nothing at test time: dropout. Push and pull are the identity.

use super::{Descent, Layer, Push, Recorded};
use crate::error::Result;
use crate::tensor::{Shape, View, ViewMut};

/// The identity.
pub struct Pass;

impl Layer for Pass {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(inputs[0])
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            p.output.copy_from(p.inputs[0]);
        }
    }

    fn pull(&self, _: &Recorded, _: &Descent, signal: View, _: usize, mut out: ViewMut) {
        out.fill(0.0);
        out.copy_from(signal);
    }

    fn is_identity(&self) -> bool {
        true
    }
}
