//! Parameter gradients: what training adds to the walk down. Each layer's is the transpose of its push with
//! respect to its weights, at the same recorded values. Apart from [`super::Layer`], so that a package that only
//! looks does not carry them.

use super::dense::contiguous;
use crate::error::{Error, Result};
use crate::kernel::{conv::Geometry, gradient, pool};
use crate::spec::Kind;
use crate::tensor::{Shape, View};
use std::borrow::Cow;

/// One image's part: the layer's input and the signal at its output, both whole planes.
pub struct Pair<'a> {
    /// What the layer read.
    pub input: View<'a>,
    /// The loss's derivative with respect to what it wrote.
    pub signal: View<'a>,
}

/// The trained tensors of a layer of this kind: name's last part, shape, and whether decay and random initial values apply
/// (a bias has neither). Unsupported for batch normalisation, whose statistics are not trained by gradients.
pub fn parameters(kind: &Kind, input: Shape) -> Result<Vec<(&'static str, Vec<usize>, bool)>> {
    Ok(match kind {
        Kind::Conv { filters, window, groups, .. } => {
            let per = input.c / (*groups).max(1);
            vec![
                ("weight", vec![*filters, per, window.kernel[0], window.kernel[1]], true),
                ("bias", vec![*filters], false),
            ]
        }
        Kind::ConvTranspose { filters, window, groups, .. } => {
            let per = filters / (*groups).max(1);
            vec![
                ("weight", vec![input.c, per, window.kernel[0], window.kernel[1]], true),
                ("bias", vec![*filters], false),
            ]
        }
        Kind::Dense { units } => {
            vec![("weight", vec![*units, input.count()?], true), ("bias", vec![*units], false)]
        }
        Kind::Subsample { .. } | Kind::Scale => {
            vec![("weight", vec![input.c], false), ("bias", vec![input.c], false)]
        }
        Kind::Prelu => vec![("slope", vec![input.c], false)],
        Kind::BatchNorm { .. } => {
            return Err(Error::Unsupported(
                "batch normalisation is not trained here; leave it out, or put a `scale` layer in its place"
                    .into(),
            ));
        }
        _ => Vec::new(),
    })
}

/// Adds the gradients of some images to `parts`, in the order of [`parameters`].
pub fn add(kind: &Kind, pairs: &[Pair], parts: &mut [&mut [f32]]) {
    match (kind, parts) {
        (Kind::Conv { filters, window, groups, connections }, [weight, bias]) => {
            let Some(inputs) = pairs.first().map(|p| p.input.channels) else { return };
            let g = Geometry { inputs, outputs: *filters, groups: *groups, window: *window };
            let both: Vec<(View, View)> = pairs.iter().map(|p| (p.input, p.signal)).collect();
            gradient::conv(&g, &both, weight);
            pairs.iter().for_each(|p| gradient::sums(p.signal, bias));
            if let Some(table) = connections {
                // What is not connected stays so.
                let taps = window.kernel[0] * window.kernel[1];
                for (i, w) in weight.chunks_exact_mut(taps).enumerate() {
                    if !table[i / inputs].contains(&(i % inputs)) {
                        w.fill(0.0);
                    }
                }
            }
        }
        (Kind::ConvTranspose { window, groups, .. }, [weight, bias]) => {
            // The convolution that it transposes reads its output and writes its input.
            let Some((inputs, outputs)) = pairs.first().map(|p| (p.signal.channels, p.input.channels)) else {
                return;
            };
            let g = Geometry { inputs, outputs, groups: *groups, window: *window };
            let both: Vec<(View, View)> = pairs.iter().map(|p| (p.signal, p.input)).collect();
            gradient::conv(&g, &both, weight);
            pairs.iter().for_each(|p| gradient::sums(p.signal, bias));
        }
        (Kind::Dense { .. }, [weight, bias]) => {
            let x: Vec<Cow<[f32]>> = pairs.iter().map(|p| contiguous(&p.input)).collect();
            let s: Vec<Cow<[f32]>> = pairs.iter().map(|p| contiguous(&p.signal)).collect();
            let x: Vec<&[f32]> = x.iter().map(|v| v.as_ref()).collect();
            let s: Vec<&[f32]> = s.iter().map(|v| v.as_ref()).collect();
            gradient::dense(&x, &s, weight);
            for s in s {
                bias.iter_mut().zip(s).for_each(|(b, v)| *b += v);
            }
        }
        (Kind::Subsample { window }, [weight, bias]) => {
            for p in pairs {
                let input = Shape::new(p.input.channels, p.input.rect.h(), p.input.rect.w());
                let kernel = pool::AvgPool { window: *window, include_pad: false, divide: false, input };
                let mut sums = crate::tensor::Tensor::zeros(p.signal.channels, p.signal.rect);
                kernel.forward(p.input, sums.view_mut());
                scale(sums.view(), p.signal, weight);
                gradient::sums(p.signal, bias);
            }
        }
        (Kind::Scale, [weight, bias]) => {
            for p in pairs {
                scale(p.input, p.signal, weight);
                gradient::sums(p.signal, bias);
            }
        }
        (Kind::Prelu, [slope]) => {
            for p in pairs {
                each(p.input, p.signal, |c, x, s| slope[c] += if x < 0.0 { x * s } else { 0.0 });
            }
        }
        _ => {}
    }
}

/// out[c] += Σ x[c] · s[c]: the gradient of one factor per map.
fn scale(x: View, signal: View, out: &mut [f32]) {
    each(x, signal, |c, x, s| out[c] += x * s);
}

fn each(x: View, signal: View, mut f: impl FnMut(usize, f32, f32)) {
    for c in 0..signal.channels {
        for y in signal.rect.y0..signal.rect.y1 {
            x.line(c, y).iter().zip(signal.line(c, y)).for_each(|(x, s)| f(c, *x, *s));
        }
    }
}
