//! Gathering convolution: one primitive for the forward pass and for its transpose.
//!
//! Forward: y[o, p] = b[o] + Σ_{c,k} w[o, c, k] · x[c, s·p + d·k − pad].
//! Transpose (pull): x̂[c, q] = Σ_{o,k} w[o, c, k] · y[o, p] over all p with s·p + d·k − pad = q. For a
//! fixed q mod s that is again a gathering convolution with stride 1, so the transpose of a strided
//! convolution is s² small forward ones whose outputs interleave.

mod direct;
mod few;
mod pack;
mod subpixel;
#[cfg(test)]
mod tests;
mod transform;
mod winograd;

use crate::tensor::{View, ViewMut};
use crate::window::Window;
use std::sync::Arc;

/// Sizes of a convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    /// Channels of the forward input.
    pub inputs: usize,
    /// Channels of the forward output.
    pub outputs: usize,
    /// Block-diagonal connections.
    pub groups: usize,
    /// Kernel, stride, padding, dilation.
    pub window: Window,
}

impl Geometry {
    /// Multiply-adds for so many outputs of the forward pass, or of the transpose.
    pub fn macs(&self, positions: usize, transposed: bool) -> usize {
        let [kh, kw] = self.window.kernel;
        let [sy, sx] = if transposed { self.window.stride } else { [1, 1] };
        positions * kh * kw * (self.inputs / self.groups) * self.outputs / (sy * sx)
    }
}

/// One image, or one rectangle of one image, of a batch: many of them share one packed GEMM.
pub struct Item<'a> {
    /// What is read; zero outside its rectangle.
    pub input: View<'a>,
    /// What is written: exactly its rectangle.
    pub output: ViewMut<'a>,
}

/// Packed weights, by how they are used.
enum Weights {
    /// With what the transpose uses instead where a stride makes many small passes of it.
    Direct(direct::Packed, Option<subpixel::Phases>),
    Winograd(winograd::Transformed),
}

/// Filters prepared for the forward pass or for the transpose; both read the same packed weights.
#[derive(Clone)]
pub struct Filters {
    geometry: Geometry,
    transposed: bool,
    weights: Arc<Weights>,
    bias: Arc<[f32]>,
}

impl Filters {
    /// For the forward pass; `weights` is (outputs, inputs / groups, kh, kw), `bias` empty or (outputs).
    pub fn forward(weights: &[f32], bias: &[f32], geometry: Geometry) -> Filters {
        let weights = match winograd::Size::fit(&geometry) {
            Some(size) => Weights::Winograd(winograd::Transformed::new(weights, &geometry, size)),
            None => Weights::Direct(
                direct::Packed::new(weights, &geometry),
                subpixel::Phases::fit(weights, &geometry),
            ),
        };
        let weights = Arc::new(weights);
        Filters { geometry, transposed: false, weights, bias: bias.into() }
    }

    /// The transpose of these filters. It shares their memory.
    pub fn transposed(&self) -> Filters {
        Filters { transposed: !self.transposed, ..self.clone() }
    }

    /// One value for each output, or none.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Side of the squares in which outputs are computed.
    pub fn grid(&self) -> usize {
        match &*self.weights {
            Weights::Direct(..) => 1,
            Weights::Winograd(w) => w.grid(),
        }
    }

    /// Bytes that the packed weights take, the transpose included.
    pub fn bytes(&self) -> usize {
        match &*self.weights {
            Weights::Direct(w, phases) => w.bytes() + phases.as_ref().map_or(0, subpixel::Phases::bytes),
            Weights::Winograd(w) => w.bytes(),
        }
    }

    /// Computes every item's output rectangle. `rectify` applies max(·, 0) in the write-back: the
    /// layer's ReLU on the way up, the deconvnet's on the way down.
    pub fn run(&self, items: &mut [Item], rectify: bool) {
        match &*self.weights {
            Weights::Direct(w, phases) => {
                let groups = if self.transposed { 0..self.geometry.groups } else { 0..0 };
                let active: Vec<_> = groups.map(|g| direct::active(&self.geometry, g, items)).collect();
                match phases {
                    Some(phases) if self.transposed && phases.pays(active[0].len()) => {
                        phases.run(items, rectify)
                    }
                    _ => direct::run(self, w, items, &active, rectify),
                }
            }
            Weights::Winograd(w) => w.run(self, items, rectify),
        }
    }
}
