//! Convolution. Push: y_o = b_o + Σ_c f_{o,c} ⋆ x_c (cross-correlation over the connected maps).
//! Pull: x̂_c = Σ_o f_{o,c} ∗ y_o, the same filters flipped vertically and horizontally, no bias (ZF14 §2.1).

use super::{Descent, Layer, Push, Recorded, expect, optional};
use crate::error::{Error, Result};
use crate::kernel::conv::{Filters, Geometry, Item};
use crate::spec::{Values, Weight};
use crate::tensor::{Rect, Shape, View, ViewMut};
use crate::window::Window;

/// Filters in both directions, which share their packed weights.
pub struct Conv {
    geometry: Geometry,
    weight: Weight,
    forward: Filters,
    transpose: Filters,
    parameters: usize,
}

impl Conv {
    /// `weight` is (filters, inputs / groups, kh, kw), `bias` (filters) or absent; `connections` lists the inputs of each filter.
    pub fn new(
        inputs: usize,
        filters: usize,
        window: Window,
        groups: usize,
        connections: Option<&[Vec<usize>]>,
        weight: Option<Weight>,
        bias: Option<Weight>,
    ) -> Result<Conv> {
        window.check()?;
        if filters == 0 || groups == 0 || !inputs.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
            return Err(Error::Shape(format!(
                "{groups} groups do not divide {inputs} input and {filters} output maps"
            )));
        }
        let [kh, kw] = window.kernel;
        let shape = [filters, inputs / groups, kh, kw];
        let mut weight = expect(weight, "weight", &shape)?;
        let bias = optional(bias, "bias", &[filters])?.map(Weight::into_f32).unwrap_or_default();
        let mut parameters = weight.len() + bias.len();
        if let Some(table) = connections {
            let (masked, connected) = mask(weight.to_f32(), table, inputs, filters, groups, kh * kw)?;
            parameters = connected * kh * kw + bias.len();
            weight.values = Values::F32(masked);
        }
        let geometry = Geometry { inputs, outputs: filters, groups, window };
        let forward = Filters::forward(&weight.to_f32(), &bias, geometry.clone());
        let transpose = forward.transposed();
        Ok(Conv { geometry, weight, forward, transpose, parameters })
    }
}

/// Unconnected pairs get zero weights: g_{k,c} of the paper; the kernel needs no table.
fn mask(
    mut w: Vec<f32>,
    table: &[Vec<usize>],
    inputs: usize,
    filters: usize,
    groups: usize,
    taps: usize,
) -> Result<(Vec<f32>, usize)> {
    if groups != 1 || table.len() != filters || table.iter().flatten().any(|&k| k >= inputs) {
        return Err(Error::Shape(format!(
            "the connection table must list, for each of {filters} filters in one group, which of {inputs} maps it reads"
        )));
    }
    let mut connected = 0;
    for (o, reads) in table.iter().enumerate() {
        for k in 0..inputs {
            if reads.contains(&k) {
                connected += 1;
            } else {
                w[(o * inputs + k) * taps..][..taps].fill(0.0);
            }
        }
    }
    Ok((w, connected))
}

impl Layer for Conv {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let s = inputs[0];
        if s.c != self.geometry.inputs {
            return Err(Error::Shape(format!("made for {} input maps, got {}", self.geometry.inputs, s.c)));
        }
        let [h, w] = self.geometry.window.output(s.h, s.w, false)?;
        Ok(Shape::new(self.geometry.outputs, h, w))
    }

    fn forward(&self, items: &mut [Push], rectify: bool) {
        let mut items: Vec<Item> =
            items.iter_mut().map(|p| Item { input: p.inputs[0], output: p.output.borrow() }).collect();
        self.forward.run(&mut items, rectify);
    }

    fn pull(&self, _: &Recorded, _: &Descent, signal: View, _: usize, out: ViewMut) {
        self.transpose.run(&mut [Item { input: signal, output: out }], false);
    }

    fn reads(&self, out: &Rect, _: Shape) -> Rect {
        self.geometry.window.reads(out)
    }

    fn reaches(&self, input: &Rect, _: Shape) -> Rect {
        self.geometry.window.reaches(input)
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn packs(&self) -> bool {
        true
    }

    fn grid(&self) -> usize {
        self.forward.grid()
    }

    fn parameters(&self) -> usize {
        self.parameters
    }

    fn work(&self) -> usize {
        self.weight.len() / self.geometry.outputs
    }

    fn bytes(&self) -> usize {
        let stored = match self.weight.values {
            Values::F32(_) => 4,
            Values::F16(_) => 2,
        };
        self.weight.len() * stored + self.forward.bytes()
    }

    fn filters(&self) -> Option<([usize; 4], Vec<f32>)> {
        let s = &self.weight.shape;
        Some(([s[0], s[1], s[2], s[3]], self.weight.to_f32()))
    }

    fn bias(&self) -> &[f32] {
        self.forward.bias()
    }

    fn transposed(&self) -> Option<&Filters> {
        Some(&self.transpose)
    }

    fn randomised(&self, seed: u64) -> Option<Box<dyn Layer>> {
        let values = super::random_like(&self.weight.to_f32(), seed);
        let weight = Weight { shape: self.weight.shape.clone(), values: Values::F32(values) };
        let g = &self.geometry;
        Conv::new(g.inputs, g.outputs, g.window, g.groups, None, Some(weight), None)
            .ok()
            .map(|c| Box::new(c) as Box<dyn Layer>)
    }
}
