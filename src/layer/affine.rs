//! y = s · x + t with fixed s, t: batch normalisation at test time, sums and products with constants. Normally
//! folded into the layer before it; this is for the places where there is nothing to fold into. Pull: s · signal.

use super::{Descent, Layer, Push, Recorded, expect, optional};
use crate::error::{Error, Result};
use crate::kernel::elementwise;
use crate::spec::Weight;
use crate::tensor::{Shape, View, ViewMut};

/// One scale and one shift per map, or per value.
pub struct Affine {
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Set where every value has its own.
    each: Option<Shape>,
}

impl Affine {
    /// From the stored parts: mean, variance, and optionally weight (γ) and bias (β).
    pub fn batch_norm(channels: usize, eps: f32, parts: [Option<Weight>; 4]) -> Result<Affine> {
        let [mean, var, weight, bias] = parts;
        let mean = expect(mean, "mean", &[channels])?.into_f32();
        let var = expect(var, "var", &[channels])?.into_f32();
        let weight = optional(weight, "weight", &[channels])?.map_or(vec![1.0; channels], Weight::into_f32);
        let bias = optional(bias, "bias", &[channels])?.map_or(vec![0.0; channels], Weight::into_f32);
        // In float64: the fold multiplies every filter by it.
        let scale: Vec<f32> = (0..channels)
            .map(|c| (f64::from(weight[c]) / (f64::from(var[c]) + f64::from(eps)).sqrt()) as f32)
            .collect();
        // Not so where the statistics themselves are no numbers: those are loaded as they are, and reported.
        if var.iter().any(|v| f64::from(*v) + f64::from(eps) <= 0.0) {
            return Err(Error::Malformed(
                "a variance plus eps is not positive; the statistics are damaged".into(),
            ));
        }
        let shift = (0..channels).map(|c| bias[c] - scale[c] * mean[c]).collect();
        Ok(Affine { scale, shift, each: None })
    }

    /// From constants: `weight` and `bias` hold one number per map or one per value.
    pub fn scale(input: Shape, weight: Option<Weight>, bias: Option<Weight>) -> Result<Affine> {
        let n = input.count()?;
        // One of them says how many there are; nothing is made for what a spec merely claims.
        let held = [&weight, &bias].into_iter().flatten().map(Weight::len).max();
        if held.is_none_or(|held| held != input.c && held != n) {
            return Err(Error::Shape(format!(
                "constants for {input} are needed, one per map or per value, as .weight, .bias or both"
            )));
        }
        let whole = [&weight, &bias].into_iter().flatten().any(|w| w.len() != input.c);
        let full = [input.c, input.h, input.w];
        let take = |w: Option<Weight>, part: &str, none: f32| -> Result<Vec<f32>> {
            let each = w.as_ref().is_some_and(|w| w.len() != input.c);
            let given = optional(w, part, if each { &full } else { &full[..1] })?.map(Weight::into_f32);
            Ok(match given {
                None => vec![none; if whole { n } else { input.c }],
                Some(v) if whole && !each => {
                    v.iter().flat_map(|x| std::iter::repeat_n(*x, input.h * input.w)).collect()
                }
                Some(v) => v,
            })
        };
        let (scale, shift) = (take(weight, "weight", 1.0)?, take(bias, "bias", 0.0)?);
        Ok(Affine { scale, shift, each: whole.then_some(input) })
    }

    fn apply(&self, mut values: ViewMut, shift: bool) {
        let Some(s) = self.each else {
            return elementwise::affine(values, &self.scale, if shift { &self.shift } else { &[] });
        };
        let r = values.rect;
        for c in 0..values.channels {
            for y in r.y0..r.y1 {
                let from = (c * s.h + y as usize) * s.w + r.x0 as usize;
                let (a, b) = (&self.scale[from..from + r.w()], &self.shift[from..from + r.w()]);
                for (v, (a, b)) in values.line(c, y).iter_mut().zip(a.iter().zip(b)) {
                    *v = if shift { *v * a + b } else { *v * a };
                }
            }
        }
    }

    /// Folds into the weights (first dimension: channels) and bias of the layer before.
    pub fn fold(&self, weight: &mut [f32], bias: &mut [f32]) {
        let each = weight.len() / self.scale.len();
        for (c, (s, t)) in self.scale.iter().zip(&self.shift).enumerate() {
            weight[c * each..][..each].iter_mut().for_each(|w| *w *= s);
            bias[c] = bias[c] * s + t;
        }
    }
}

impl Layer for Affine {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        match self.each {
            Some(own) if own != inputs[0] => Err(Error::Shape(format!(
                "its constants are for {own}, got {}; a network with such a layer needs its own input size",
                inputs[0]
            ))),
            _ => Ok(inputs[0]),
        }
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            p.output.copy_from(p.inputs[0]);
            self.apply(p.output.borrow(), true);
        }
    }

    fn pull(&self, _: &Recorded, _: &Descent, signal: View, _: usize, mut out: ViewMut) {
        out.fill(0.0);
        out.copy_from(signal);
        self.apply(out, false);
    }

    fn parameters(&self) -> usize {
        2 * self.scale.len()
    }
}
