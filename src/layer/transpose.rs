//! Transposed convolution: push and pull of a convolution exchanged. Push: y_o = b_o + Σ_c f_{c,o} ∗ x_c, each
//! value spread by its filter. Pull: x̂_c = Σ_o f_{c,o} ⋆ y_o, without bias.

use super::{Descent, Layer, Push, Recorded, expect, optional};
use crate::error::{Error, Result};
use crate::kernel::conv::{Filters, Geometry, Item};
use crate::kernel::elementwise;
use crate::spec::{Weight, shape};
use crate::tensor::{Rect, Shape, View, ViewMut};
use crate::window::Window;

/// The filters of the convolution that is transposed, in both directions.
pub struct ConvTranspose {
    geometry: Geometry,
    output_pad: [usize; 2],
    spread: Filters,
    gather: Filters,
    bias: Vec<f32>,
    weights: usize,
}

impl ConvTranspose {
    /// `weight` is (inputs, filters / groups, kh, kw), `bias` (filters) or absent.
    pub fn new(
        input: Shape,
        filters: usize,
        window: Window,
        groups: usize,
        output_pad: [usize; 2],
        [weight, bias]: [Option<Weight>; 2],
    ) -> Result<ConvTranspose> {
        window.check()?;
        shape::transposed(&window, output_pad, input)?;
        if filters == 0 || groups == 0 || !input.c.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
            return Err(Error::Shape(format!(
                "{groups} groups do not divide {} input and {filters} output maps",
                input.c
            )));
        }
        let [kh, kw] = window.kernel;
        let weight = expect(weight, "weight", &[input.c, filters / groups, kh, kw])?.into_f32();
        let bias = optional(bias, "bias", &[filters])?.map_or(vec![0.0; filters], Weight::into_f32);
        // Seen from the convolution, the inputs here are its outputs.
        let geometry = Geometry { inputs: filters, outputs: input.c, groups, window };
        let gather = Filters::forward(&weight, &[], geometry.clone());
        let spread = gather.transposed();
        Ok(ConvTranspose { geometry, output_pad, spread, gather, bias, weights: weight.len() })
    }
}

impl Layer for ConvTranspose {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        if inputs[0].c != self.geometry.outputs {
            return Err(Error::Shape(format!(
                "made for {} input maps, got {}",
                self.geometry.outputs, inputs[0].c
            )));
        }
        let [h, w] = shape::transposed(&self.geometry.window, self.output_pad, inputs[0])?;
        Ok(Shape::new(self.geometry.inputs, h, w))
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        let mut spread: Vec<Item> =
            items.iter_mut().map(|p| Item { input: p.inputs[0], output: p.output.borrow() }).collect();
        self.spread.run(&mut spread, false);
        let ones = vec![1.0; self.bias.len()];
        for p in items {
            elementwise::affine(p.output.borrow(), &ones, &self.bias);
        }
    }

    fn pull(&self, _: &Recorded, _: &Descent, signal: View, _: usize, out: ViewMut) {
        self.gather.run(&mut [Item { input: signal, output: out }], false);
    }

    fn reads(&self, out: &Rect, _: Shape) -> Rect {
        self.geometry.window.reaches(out)
    }

    fn reaches(&self, input: &Rect, output: Shape) -> Rect {
        self.geometry.window.reads(input).intersect(&output.rect())
    }

    fn grid(&self) -> usize {
        self.spread.grid()
    }

    fn parameters(&self) -> usize {
        self.weights + self.bias.len()
    }

    fn work(&self) -> usize {
        self.weights / self.geometry.inputs
    }

    fn bytes(&self) -> usize {
        self.gather.bytes()
    }
}
