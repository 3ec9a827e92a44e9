//! Local contrast normalisation: what sparse coding is given of a photo, so that bright and dark parts count alike.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// x ← (x − mean) / max(deviation, its average), mean and deviation weighted by a Gaussian of `sigma` pixels around every
/// pixel. The deviation is common to all channels, so that colours stay. Borders are mirrored. A flat image becomes zero.
///
/// Error: Parameter for a `sigma` that is no number above 0 (or above 1000); Malformed for pixels that are no numbers.
pub fn normalise(image: &Tensor, sigma: f32) -> Result<Tensor> {
    if !(sigma > 0.0 && sigma <= 1000.0) {
        return Err(Error::Parameter(format!(
            "the contrast's reach must be from 0 to 1000 pixels, got {sigma}"
        )));
    }
    if image.data().iter().any(|v| !v.is_finite()) {
        return Err(Error::Malformed("the image holds values that are not finite numbers".into()));
    }
    let s = image.shape();
    let plane = s.h * s.w;
    let taps = gaussian(sigma);
    let mut out = image.clone();
    let mut power = vec![0.0f32; plane];
    for channel in out.data_mut().chunks_exact_mut(plane.max(1)) {
        let mean = blur(channel, s.h, s.w, &taps);
        channel.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m);
        power.iter_mut().zip(&*channel).for_each(|(p, v)| *p += v * v / s.c as f32);
    }
    let deviation: Vec<f32> = blur(&power, s.h, s.w, &taps).into_iter().map(|p| p.max(0.0).sqrt()).collect();
    let average = (deviation.iter().map(|v| f64::from(*v)).sum::<f64>() / plane.max(1) as f64) as f32;
    // Rounding alone makes a flat image's deviation a little more than zero.
    let least = if average > 1e-4 { average } else { f32::INFINITY };
    for channel in out.data_mut().chunks_exact_mut(plane.max(1)) {
        channel.iter_mut().zip(&deviation).for_each(|(v, d)| *v /= d.max(least));
    }
    Ok(out)
}

/// Half of a symmetric kernel, the middle first; sums to 1 with its mirror image.
fn gaussian(sigma: f32) -> Vec<f32> {
    let reach = (4.0 * sigma).ceil() as usize;
    let half: Vec<f32> = (0..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let sum = 2.0 * half.iter().sum::<f32>() - half[0];
    half.into_iter().map(|v| v / sum).collect()
}

fn blur(plane: &[f32], h: usize, w: usize, taps: &[f32]) -> Vec<f32> {
    // Mirrored at the border, the border pixel twice (SciPy's `reflect`).
    let mirror = |i: isize, n: usize| {
        let n = n as isize;
        let m = i.rem_euclid(2 * n);
        (if m < n { m } else { 2 * n - 1 - m }) as usize
    };
    let along = |n: usize, at: &dyn Fn(usize) -> f32, out: &mut dyn FnMut(usize, f32)| {
        for i in 0..n {
            let mut sum = taps[0] * at(i);
            for (k, t) in taps.iter().enumerate().skip(1) {
                let (a, b) = (mirror(i as isize - k as isize, n), mirror((i + k) as isize, n));
                sum += t * (at(a) + at(b));
            }
            out(i, sum);
        }
    };
    let mut rows = vec![0.0; plane.len()];
    for y in 0..h {
        along(w, &|x| plane[y * w + x], &mut |x, v| rows[y * w + x] = v);
    }
    let mut out = vec![0.0; plane.len()];
    for x in 0..w {
        along(h, &|y| rows[y * w + x], &mut |y, v| out[y * w + x] = v);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Shape;

    #[test]
    fn a_flat_image_becomes_zero_and_brightness_does_not_count() {
        let flat = Tensor::new(Shape::new(1, 9, 8), vec![77.0; 72]).unwrap();
        assert!(normalise(&flat, 3.0).unwrap().data().iter().all(|v| *v == 0.0));
        let pattern = |scale: f32, shift: f32| {
            let values = (0..400).map(|i| ((i * 37) % 101) as f32 * scale + shift).collect();
            normalise(&Tensor::new(Shape::new(1, 20, 20), values).unwrap(), 3.0).unwrap()
        };
        let (a, b) = (pattern(1.0, 0.0), pattern(3.0, 50.0));
        assert!(a.data().iter().zip(b.data()).all(|(a, b)| (a - b).abs() < 1e-3));
        let power = a.data().iter().map(|v| v * v).sum::<f32>() / 400.0;
        assert!(power > 0.5 && power < 1.5, "about unit power, got {power}");
    }

    #[test]
    fn bad_input_is_refused() {
        let nan = Tensor::new(Shape::new(1, 1, 2), vec![f32::NAN, 0.0]).unwrap();
        assert!(matches!(normalise(&nan, 3.0), Err(Error::Malformed(_))));
        let zero = Tensor::new(Shape::new(1, 1, 1), vec![0.0]).unwrap();
        assert!(matches!(normalise(&zero, f32::NAN), Err(Error::Parameter(_))));
    }
}
