//! Aliasing (ZF14 §4.1): a large stride in the first layer samples too coarsely what its filters pass, and
//! the second layer's projections then show the stride's grid as blocks.

use super::spectrum;
use crate::tensor::View;
use serde::Serialize;

/// Bins of the spectrum along an axis, from 0 to half a cycle per pixel.
pub(super) const LINE: usize = 64;
/// Half the width of the bands around the grid's frequencies, cycles per pixel.
const NEAR: f64 = 0.02;
/// How far the neighbourhood reaches against which those bands are measured.
const FAR: f64 = 0.08;

/// The spectrum of projections along rows and columns, and what stands out in it at the stride's frequencies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grid {
    /// The layer whose strongest activations were projected.
    pub layer: String,
    /// Pixels between neighbouring windows of the first layer.
    pub stride: usize,
    /// Projections summed; each counts the same.
    pub projections: usize,
    /// Share of the power (constant part removed) in each of 64 bands of the frequency along rows or columns, from 0 to
    /// 0.5 cycles per pixel.
    pub spectrum: Vec<f64>,
    /// The grid's frequencies in that range: multiples of 1 / stride.
    pub frequencies: Vec<f64>,
    /// Aliasing: the share of the power within 0.02 cycles per pixel of the grid's frequencies.
    pub energy: f64,
    /// The same per band, against the bands beside it (up to 0.08 away): 1 is no grid at all.
    pub excess: f64,
}

/// Power of one projection along both axes, over its receptive field, of total 1. None where it is blank.
pub fn line(pixels: View) -> Option<Vec<f64>> {
    let (h, w) = (pixels.rect.h(), pixels.rect.w());
    let n = (2 * h.max(w)).next_power_of_two().clamp(2 * LINE, 512);
    if h == 0 || w == 0 || h > n || w > n {
        return None;
    }
    let mut power = vec![0.0; n * (n / 2 + 1)];
    for c in 0..pixels.channels {
        let mut plane = Vec::with_capacity(h * w);
        for y in pixels.rect.y0..pixels.rect.y1 {
            plane.extend_from_slice(pixels.line(c, y));
        }
        let mean = plane.iter().map(|v| f64::from(*v)).sum::<f64>() / plane.len() as f64;
        // The edge of the crop must not be taken for structure: it fades out (Hann).
        for (i, v) in plane.iter_mut().enumerate() {
            let fade =
                |i: usize, n: usize| (std::f64::consts::PI * (i as f64 + 0.5) / n as f64).sin().powi(2);
            *v = ((f64::from(*v) - mean) * fade(i / w, h) * fade(i % w, w)) as f32;
        }
        spectrum::power(&plane, h, w, n, &mut power);
    }
    let mut bands = vec![0.0; LINE];
    // Beyond 0 and half a cycle per pixel the axis folds back on itself.
    let half = 0.5 / n as f64;
    spectrum::each(&power, n, |fy, fx, p| {
        for f in [fy.abs(), fx.abs()] {
            spectrum::spread(&mut bands, [(f - half).max(0.0), (f + half).min(0.5)], p / 2.0);
        }
    });
    let total: f64 = bands.iter().sum();
    (total > 0.0 && total.is_finite()).then(|| bands.iter().map(|v| v / total).collect())
}

impl Grid {
    /// Sums up the spectra of projections from a layer, each of which [`line`] gave; `stride` in pixels.
    pub fn of(layer: &str, stride: usize, lines: &[Vec<f64>]) -> Grid {
        sum(layer, stride, lines)
    }
}

fn sum(layer: &str, stride: usize, lines: &[Vec<f64>]) -> Grid {
    let mut spectrum = vec![0.0; LINE];
    for line in lines {
        spectrum.iter_mut().zip(line).for_each(|(s, v)| *s += v / lines.len() as f64);
    }
    let frequencies: Vec<f64> =
        (1..=stride / 2).map(|m| m as f64 / stride as f64).filter(|_| stride > 1).collect();
    let width = 0.5 / LINE as f64;
    let off = |i: usize| {
        let f = (i as f64 + 0.5) * width;
        frequencies.iter().map(|g| (g - f).abs()).fold(f64::INFINITY, f64::min)
    };
    let density = |near: &dyn Fn(f64) -> bool| {
        let chosen: Vec<f64> = (0..LINE).filter(|&i| near(off(i))).map(|i| spectrum[i]).collect();
        (chosen.iter().sum::<f64>(), chosen.len().max(1) as f64)
    };
    let (at, bands) = density(&|d| d <= NEAR);
    let (beside, others) = density(&|d| d > NEAR && d <= FAR);
    let excess = if beside > 0.0 { (at / bands) / (beside / others) } else { 0.0 };
    Grid { layer: layer.into(), stride, projections: lines.len(), spectrum, frequencies, energy: at, excess }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Shape, Tensor};

    fn picture(f: impl Fn(usize, usize) -> f32) -> Tensor {
        Tensor::new(Shape::new(1, 48, 48), (0..48 * 48).map(|i| f(i / 48, i % 48)).collect()).unwrap()
    }

    #[test]
    fn a_point_has_as_much_in_every_band() {
        // The middle of an odd field, so that its fading is even: the same power at every frequency but for the mean.
        let mut point = Tensor::zeros(1, crate::tensor::Rect::new(0, 0, 49, 49));
        point.data_mut()[24 * 49 + 24] = 1.0;
        let bands = line(point.view()).unwrap();
        for (i, v) in bands.iter().enumerate().skip(4) {
            assert!((v * LINE as f64 - 1.0).abs() < 0.02, "band {i}: {v}");
        }
    }

    #[test]
    fn blocks_stand_out_at_the_strides_frequency() {
        let noise = |y: usize, x: usize| ((y * 7919 + x * 104_729) % 97) as f32 / 97.0 - 0.5;
        let blocks = picture(|y, x| noise(y / 4, x / 4) + if x % 4 == 0 || y % 4 == 0 { 1.0 } else { 0.0 });
        let smooth = picture(|y, x| ((x as f32) * 0.3).sin() + ((y as f32) * 0.5).cos() + 0.1 * noise(y, x));
        let of = |t: &Tensor, stride| sum("conv2", stride, &[line(t.view()).unwrap()]);
        let (a, b) = (of(&blocks, 4), of(&smooth, 4));
        assert_eq!(a.frequencies, [0.25, 0.5]);
        assert!(a.excess > 3.0 && b.excess < 1.5, "{} {}", a.excess, b.excess);
        assert!(a.energy > b.energy);
        assert!((a.spectrum.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(of(&blocks, 1).frequencies.is_empty() && of(&blocks, 1).energy == 0.0);
        assert!(line(picture(|_, _| 2.0).view()).is_none(), "a constant has no structure");
    }
}
