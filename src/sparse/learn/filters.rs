//! The filter update: Σ_i ½‖P_i(z_i ∗ f) − y_i‖² over the filters f at fixed codes z_i, by conjugate gradient.

use crate::error::Result;
use crate::kernel::atoms::{Atoms, correlate};
use crate::kernel::shrink::{dot, norm2};
use crate::sparse::layers::{self, Below};
use crate::tensor::{Shape, View, ViewMut};

/// One photo of a minibatch: its code at the layer being learned, and P_i, the way from there to its pixels.
pub struct Sample {
    /// The maps z_i.
    pub z: Vec<f32>,
    /// y_i.
    pub y: Vec<f32>,
    /// Layers below, the nearest first; none for layer 1.
    pub below: Vec<Below>,
}

/// Sizes of the layer.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Filters: maps, below, rows, columns.
    pub filters: [usize; 4],
    /// The maps.
    pub maps: Shape,
    /// What they draw on.
    pub plane: Shape,
}

/// `steps` of conjugate gradient on the normal equations, from the filters as they are.
pub fn update(weights: &mut [f32], sizes: &Sizes, batch: &[Sample], steps: usize) -> Result<()> {
    let mut residuals = Vec::with_capacity(batch.len());
    for s in batch {
        // y − A f
        let mut r = forward(weights, sizes, s)?;
        r.iter_mut().zip(&s.y).for_each(|(r, y)| *r = y - *r);
        residuals.push(r);
    }
    // CG for least squares: the gradient is Aᵀr.
    let mut gradient = backward(sizes, batch, &residuals);
    let mut direction = gradient.clone();
    let mut power = dot(&gradient, &gradient);
    for _ in 0..steps {
        if power == 0.0 {
            break;
        }
        let images = batch.iter().map(|s| forward(&direction, sizes, s)).collect::<Result<Vec<_>>>()?;
        let along: f64 = images.iter().map(|v| norm2(v)).sum();
        if along == 0.0 {
            break;
        }
        let a = (power / along) as f32;
        weights.iter_mut().zip(&direction).for_each(|(w, d)| *w += a * d);
        for (r, v) in residuals.iter_mut().zip(&images) {
            r.iter_mut().zip(v).for_each(|(r, v)| *r -= a * v);
        }
        gradient = backward(sizes, batch, &residuals);
        let next = dot(&gradient, &gradient);
        let b = (next / power) as f32;
        direction.iter_mut().zip(&gradient).for_each(|(d, g)| *d = g + b * *d);
        power = next;
    }
    Ok(())
}

/// A f: what these filters draw with a photo's code.
fn forward(weights: &[f32], sizes: &Sizes, s: &Sample) -> Result<Vec<f32>> {
    let [_, _, kh, kw] = sizes.filters;
    let atoms = Atoms::new(weights, sizes.filters, [kh - 1, kw - 1])?;
    let mut drawn = vec![0.0; sizes.plane.size()];
    atoms.run(View::whole(&s.z, sizes.maps), ViewMut::whole(&mut drawn, sizes.plane));
    Ok(layers::down(&s.below, drawn))
}

/// Σ Aᵀr over the batch.
fn backward(sizes: &Sizes, batch: &[Sample], residuals: &[Vec<f32>]) -> Vec<f32> {
    let [maps, reads, kh, kw] = sizes.filters;
    let mut sum = vec![0.0f32; maps * reads * kh * kw];
    for (s, r) in batch.iter().zip(residuals) {
        let signal = layers::up(&s.below, r);
        let g = correlate(
            View::whole(&s.z, sizes.maps),
            View::whole(&signal, sizes.plane),
            [kh, kw],
            [kh - 1, kw - 1],
        );
        sum.iter_mut().zip(&g).for_each(|(s, g)| *s += g);
    }
    sum
}

/// Every filter to unit norm; what is zero stays.
pub fn normalise(weights: &mut [f32], filters: usize) {
    let one = weights.len() / filters.max(1);
    for filter in weights.chunks_exact_mut(one.max(1)) {
        let norm = norm2(filter).sqrt();
        if norm > 0.0 {
            filter.iter_mut().for_each(|w| *w = (f64::from(*w) / norm) as f32);
        }
    }
}
