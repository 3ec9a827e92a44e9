//! A response of which only a part is known.

use super::operator::Operator;
use crate::tensor::Shape;
use std::sync::Arc;

/// F, of whose response only some values count: F followed by a mask. What was not carried down through the switches and the ReLU may
/// have been anything, so it must not be explained as zero.
pub struct Known {
    operator: Arc<dyn Operator>,
    known: Vec<bool>,
}

impl Known {
    /// `known`: one for each value of the response.
    pub fn new(operator: Arc<dyn Operator>, known: Vec<bool>) -> Known {
        Known { operator, known }
    }
}

impl Operator for Known {
    fn domain(&self) -> Shape {
        self.operator.domain()
    }

    fn range(&self) -> Shape {
        self.operator.range()
    }

    fn apply(&self, z: &[f32], support: Option<usize>, out: &mut [f32]) {
        self.operator.apply(z, support, out);
        out.iter_mut().zip(&self.known).filter(|(_, known)| !**known).for_each(|(o, _)| *o = 0.0);
    }

    fn adjoint(&self, r: &[f32], out: &mut [f32]) {
        let masked: Vec<f32> =
            r.iter().zip(&self.known).map(|(r, known)| if *known { *r } else { 0.0 }).collect();
        self.operator.adjoint(&masked, out);
    }
}
