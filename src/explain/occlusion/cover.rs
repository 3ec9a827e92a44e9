//! What stands in the square.

use crate::error::Result;
use crate::explain::check_colour;
use crate::net::Trace;
use crate::tensor::Tensor;

/// What stands in the square.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Fill {
    /// The training mean: 0 in the input's units.
    #[default]
    Mean,
    /// One value per input channel, in the input's own units and order.
    Colour(Vec<f32>),
    /// The image itself, blurred (σ = side / 4): keeps the colours, takes the shapes.
    Blur,
    /// The image's own pixels in random order, from this seed: keeps the statistics.
    Noise(u64),
}

/// The plane that shows through a square of side `size`, in the input's own units.
///
/// # Errors
/// `Parameter` for a colour with another number of channels than the input, or one that is not finite.
pub fn cover(trace: &Trace, fill: &Fill, size: usize) -> Result<Tensor> {
    let input = trace.shape(0);
    let mut cover = Tensor::zeros(input.c, input.rect());
    match fill {
        Fill::Mean => {}
        Fill::Colour(values) => {
            check_colour(values, input.c)?;
            for (c, v) in values.iter().enumerate() {
                cover.values.index_axis_mut(ndarray::Axis(0), c).fill(*v);
            }
        }
        Fill::Blur => cover = blurred(&trace.activation(0), size as f32 / 4.0),
        Fill::Noise(seed) => {
            let image = trace.activation(0);
            let mut random = crate::random::SplitMix::new(*seed);
            for y in 0..input.h {
                for x in 0..input.w {
                    let (sy, sx) = (random.below(input.h), random.below(input.w));
                    for c in 0..input.c {
                        cover.values[(c, y, x)] = image.values[(c, sy, sx)];
                    }
                }
            }
        }
    }
    Ok(cover)
}

/// Separable Gaussian blur; at the border the weights that fall outside are left out.
fn blurred(image: &Tensor, sigma: f32) -> Tensor {
    let radius = (3.0 * sigma).ceil() as isize;
    let taps: Vec<f32> = (-radius..=radius).map(|d| (-0.5 * (d as f32 / sigma).powi(2)).exp()).collect();
    let pass = |from: &Tensor, dy: isize, dx: isize| {
        let mut to = Tensor::zeros(from.channels(), from.rect);
        for ((c, y, x), v) in to.values.indexed_iter_mut() {
            let (mut sum, mut weight) = (0.0, 0.0);
            for (t, d) in taps.iter().zip(-radius..) {
                let (sy, sx) = (y as isize + d * dy, x as isize + d * dx);
                if from.rect.holds(sy, sx) {
                    sum += t * from.at(c, sy, sx);
                    weight += t;
                }
            }
            *v = sum / weight;
        }
        to
    };
    pass(&pass(image, 1, 0), 0, 1)
}
