//! Fully connected layer. Push: y = W x + b with x in C,H,W order. Pull: x̂ = Wᵀ y.
//!
//! Under a changed input it is computed whole, not as y₀ + W Δx over what changed. Below fc6 an occluder of 50 pixels
//! reaches 78 % of AlexNet's 6×6 grid on average and 72 % of ZFNet's (484 and more positions, stride 8), and all of fc7
//! and fc8: of 276 and 352 million multiplications a position the change alone would save 8 and 11, 3 %. And it would
//! lose more: the positions of a batch share one pass over the weights, which is what a dense layer costs; each with
//! columns of its own they could not.

use super::{Descent, Layer, Push, Recorded, expect, optional};
use crate::error::{Error, Result};
use crate::kernel::dense::Matrix;
use crate::spec::{Values, Weight};
use crate::tensor::{Rect, Shape, View, ViewMut};
use std::borrow::Cow;

/// Weights as stored: float16 stays float16.
pub struct Dense {
    inputs: usize,
    units: usize,
    weight: Matrix,
    bias: Vec<f32>,
}

impl Dense {
    /// `weight` is (units, inputs) or (units, C, H, W), `bias` (units) or absent.
    pub fn new(inputs: usize, units: usize, weight: Option<Weight>, bias: Option<Weight>) -> Result<Dense> {
        if units == 0 {
            return Err(Error::Shape("a dense layer needs at least one unit".into()));
        }
        let weight = weight.map(|mut w| {
            let flat = w.shape.len() > 2
                && w.shape[1..].iter().try_fold(1usize, |n, &d| n.checked_mul(d)) == Some(inputs);
            if flat {
                w.shape = vec![w.shape[0], inputs];
            }
            w
        });
        let weight = match expect(weight, "weight", &[units, inputs])?.values {
            Values::F32(v) => Matrix::F32(v),
            Values::F16(v) => Matrix::F16(v),
        };
        let bias = optional(bias, "bias", &[units])?.map(Weight::into_f32).unwrap_or_default();
        Ok(Dense { inputs, units, weight, bias })
    }
}

/// The values of a view in C order, copied only where it has gaps.
pub(super) fn contiguous<'a>(v: &View<'a>) -> Cow<'a, [f32]> {
    let n = v.channels * v.rect.area();
    if v.row == v.rect.w() && v.plane == v.rect.area() {
        Cow::Borrowed(&v.data[..n])
    } else {
        Cow::Owned(v.to_tensor().data().to_vec())
    }
}

impl Layer for Dense {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let s = inputs[0];
        if s.count()? != self.inputs {
            return Err(Error::Shape(format!(
                "made for {} inputs, got {s} = {}; a network with dense layers needs its own input size",
                self.inputs,
                s.count()?
            )));
        }
        Ok(Shape::new(self.units, 1, 1))
    }

    fn forward(&self, items: &mut [Push], rectify: bool) {
        let x: Vec<Cow<[f32]>> = items.iter().map(|p| contiguous(&p.inputs[0])).collect();
        let x: Vec<&[f32]> = x.iter().map(|x| x.as_ref()).collect();
        // A dense output's plane is one position, so its channels may lie apart in a joined buffer only
        // by `plane`; that is 1 wherever it can be stored.
        let mut out: Vec<&mut [f32]> = items.iter_mut().map(|p| &mut p.output.data[..self.units]).collect();
        self.weight.forward(&self.bias, &x, &mut out, rectify);
    }

    fn pull(&self, at: &Recorded, _: &Descent, signal: View, _: usize, mut out: ViewMut) {
        let signal = contiguous(&signal);
        if signal.is_empty() {
            return out.fill(0.0);
        }
        let shape = at.shapes[0];
        if out.rect == shape.rect() && out.row == shape.w && out.plane == shape.h * shape.w {
            return self.weight.transpose(&signal, &mut out.data[..self.inputs]);
        }
        let mut whole = vec![0.0; self.inputs];
        self.weight.transpose(&signal, &mut whole);
        let whole = View {
            data: &whole,
            channels: shape.c,
            rect: shape.rect(),
            row: shape.w,
            plane: shape.h * shape.w,
        };
        out.copy_from(whole);
    }

    fn reads(&self, out: &Rect, input: Shape) -> Rect {
        if out.is_empty() { Rect::default() } else { input.rect() }
    }

    fn reaches(&self, input: &Rect, output: Shape) -> Rect {
        if input.is_empty() { Rect::default() } else { output.rect() }
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn packs(&self) -> bool {
        true
    }

    fn parameters(&self) -> usize {
        self.inputs * self.units + self.bias.len()
    }

    fn work(&self) -> usize {
        self.inputs
    }

    fn bytes(&self) -> usize {
        let each = match self.weight {
            Matrix::F32(_) => 4,
            Matrix::F16(_) => 2,
        };
        self.inputs * self.units * each + self.bias.len() * 4
    }

    fn randomised(&self, seed: u64) -> Option<Box<dyn Layer>> {
        let values: Vec<f32> = match &self.weight {
            Matrix::F32(v) => v.clone(),
            Matrix::F16(v) => v.iter().map(|x| x.to_f32()).collect(),
        };
        let weight = Matrix::F32(super::random_like(&values, seed));
        Some(Box::new(Dense { inputs: self.inputs, units: self.units, weight, bias: Vec::new() }))
    }
}
