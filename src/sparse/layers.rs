//! R_l = F₁U_{s₁}F₂U_{s₂}…F_l, the map from layer l's maps to the pixels through the switches below, and its transpose (ADN11).

use super::operator::{Conv, Operator};
use super::pool3d;
use crate::error::{Error, Result};
use crate::kernel::conv::Geometry;
use crate::tensor::Shape;
use crate::window::Window;
use std::borrow::Cow;
use std::sync::Arc;

/// A layer below, with what it pooled.
#[derive(Clone)]
pub struct Below {
    /// Its filters: from its maps to what lies under it.
    pub conv: Arc<Conv>,
    /// Where each pooled value stood in its maps.
    pub switches: Arc<[u32]>,
    /// Shape of what was pooled: what the layer above draws on.
    pub pooled: Shape,
}

/// R_l at fixed switches.
pub struct Stack {
    top: Arc<Conv>,
    /// From the layer just below down to layer 1.
    below: Vec<Below>,
}

/// Σ_k z_k ∗ f_k without stride, drawn on a plane that the maps overhang by the filters' side less one, so that every pixel is
/// covered alike. `weights` is (maps, below, side, side): a filter appears on the plane as it is written.
pub fn draws(weights: &[f32], [maps, below, kh, kw]: [usize; 4], plane: Shape) -> Result<Conv> {
    if plane.h < kh || plane.w < kw {
        return Err(Error::Shape(format!(
            "filters of {kh}×{kw} are larger than the {}×{} they draw on; use a larger image",
            plane.h, plane.w
        )));
    }
    let window = Window {
        kernel: [kh, kw],
        stride: [1, 1],
        pad: [kh.saturating_sub(1), kw.saturating_sub(1), kh.saturating_sub(1), kw.saturating_sub(1)],
        dilation: [1, 1],
    };
    Conv::pull(weights, &Geometry { inputs: below, outputs: maps, groups: 1, window }, plane)
}

impl Stack {
    /// `below`: layers l−1 … 1. Errors: Shape where one does not draw on what the next has pooled.
    pub fn new(top: Arc<Conv>, below: Vec<Below>) -> Result<Stack> {
        let mut plane = top.range();
        for b in &below {
            if plane != b.pooled || b.switches.len() != plane.count()? {
                return Err(Error::Shape(format!(
                    "a layer draws on {plane}, below it {} values are pooled as {}",
                    b.switches.len(),
                    b.pooled
                )));
            }
            let n = b.conv.domain().count()?;
            if b.switches.iter().any(|s| *s as usize >= n) {
                return Err(Error::Shape(format!(
                    "a switch points outside the {} it was pooled from",
                    b.conv.domain()
                )));
            }
            plane = b.conv.range();
        }
        Ok(Stack { top, below })
    }
}

impl Operator for Stack {
    fn domain(&self) -> Shape {
        self.top.domain()
    }

    fn range(&self) -> Shape {
        self.below.last().map_or(self.top.range(), |b| b.conv.range())
    }

    fn apply(&self, z: &[f32], support: Option<usize>, out: &mut [f32]) {
        if self.below.is_empty() {
            return self.top.apply(z, support, out);
        }
        let mut drawn = vec![0.0; self.top.range().size()];
        self.top.apply(z, support, &mut drawn);
        out.copy_from_slice(&down(&self.below, drawn));
    }

    fn adjoint(&self, r: &[f32], out: &mut [f32]) {
        let signal = up(&self.below, r);
        self.top.adjoint(&signal, out);
    }
}

/// What the layers below, the nearest first, make of what is drawn on the topmost of them: unpooled and filtered down to the
/// pixels. At most one value of every pooled group is there, and often none.
pub(super) fn down(below: &[Below], mut drawn: Vec<f32>) -> Vec<f32> {
    for b in below {
        let mut maps = vec![0.0; b.conv.domain().size()];
        pool3d::unpool(&drawn, b.pooled, &b.switches, &mut maps, b.conv.domain());
        let support = drawn.iter().filter(|v| **v != 0.0).count();
        drawn = vec![0.0; b.conv.range().size()];
        b.conv.apply(&maps, Some(support), &mut drawn);
    }
    drawn
}

/// Its transpose: from the pixels up.
pub(super) fn up<'a>(below: &[Below], r: &'a [f32]) -> Cow<'a, [f32]> {
    let mut signal = Cow::Borrowed(r);
    for b in below.iter().rev() {
        let mut pooled = vec![0.0; b.pooled.size()];
        b.conv.adjoint_at(&signal, &b.switches, &mut pooled);
        signal = pooled.into();
    }
    signal
}
