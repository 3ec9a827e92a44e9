//! Rounding that weighs what the inputs are like: the error made on one weight is made good by
//! those not yet rounded, so that the layer's response, not each weight, stays near.
//! Optimal brain surgeon in the form of GPTQ (Frantar et al., ICLR 2023, Alg. 1), with float16 as the grid.

use crate::tensor::Tensor;
use crate::window::Window;
use half::f16;
use ndarray::{Array2, s};

/// Longer filters are rounded plainly: the matrices grow with the square, the gain does not.
pub const MOST_TAPS: usize = 1152;
/// Positions of a plane that are looked at; neighbours say little more.
const POSITIONS: usize = 400;
/// Added to the diagonal, relative to its mean: inputs that never vary must not divide by zero.
const DAMPING: f64 = 0.01;

/// Sum over positions of x xᵀ, where x is what a filter of the given channels sees (C, rows, columns).
pub fn moments(input: &Tensor, channels: std::ops::Range<usize>, window: &Window, into: &mut Array2<f64>) {
    let (h, w) = (input.rect.h(), input.rect.w());
    let Ok([rows, columns]) = window.output(h, w, false) else { return };
    let [kh, kw] = window.kernel;
    let step = (rows * columns).div_ceil(POSITIONS);
    let at: Vec<usize> = (0..rows * columns).step_by(step).collect();
    let mut seen = Array2::<f64>::zeros((into.nrows(), at.len()));
    for (p, &position) in at.iter().enumerate() {
        let y = (position / columns * window.stride[0]) as isize - window.pad[0] as isize;
        let x = (position % columns * window.stride[1]) as isize - window.pad[1] as isize;
        for (i, c) in channels.clone().enumerate() {
            for tap in 0..kh * kw {
                let ty = y + (tap / kw * window.dilation[0]) as isize;
                let tx = x + (tap % kw * window.dilation[1]) as isize;
                seen[(i * kh * kw + tap, p)] = input.at(c, ty, tx).into();
            }
        }
    }
    *into += &seen.dot(&seen.t());
}

/// Rounds filters (each as long as the matrix is wide) to float16 with the least expected change of
/// their response. Plainly where the inputs were all zero.
pub fn round(filters: &[f32], moments: &Array2<f64>) -> Vec<f16> {
    let n = moments.nrows();
    let mean = moments.diag().sum() / n as f64;
    let mut order: Vec<usize> = (0..n).collect();
    // The strongest inputs first: what is left to make good with shrinks towards the end.
    order.sort_by(|&a, &b| moments[(b, b)].total_cmp(&moments[(a, a)]));
    let damped = Array2::from_shape_fn((n, n), |(i, j)| {
        moments[(order[i], order[j])] + if i == j { DAMPING * mean } else { 0.0 }
    });
    let share = cholesky(damped).map(inverse_of_product).and_then(cholesky);
    let Some(share) = share.map(|l| l.t().as_standard_layout().into_owned()) else {
        return filters.iter().map(|&w| f16::from_f32(w)).collect();
    };
    let mut out = vec![f16::ZERO; filters.len()];
    let mut rest = vec![0f64; n];
    for (filter, out) in filters.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
        rest.iter_mut().zip(&order).for_each(|(r, &i)| *r = filter[i].into());
        for i in 0..n {
            let rounded = f16::from_f64(rest[i]);
            out[order[i]] = rounded;
            let error = (rest[i] - rounded.to_f64()) / share[(i, i)];
            for j in i + 1..n {
                rest[j] -= error * share[(i, j)];
            }
        }
    }
    out
}

/// Lower L with L Lᵀ = a; `None` unless a is positive definite.
fn cholesky(a: Array2<f64>) -> Option<Array2<f64>> {
    let n = a.nrows();
    let mut l = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let below = a[(i, j)] - l.slice(s![i, ..j]).dot(&l.slice(s![j, ..j]));
            l[(i, j)] = if i == j { below.sqrt() } else { below / l[(j, j)] };
        }
        if !(l[(i, i)] > 0.0 && l[(i, i)].is_finite()) {
            return None;
        }
    }
    Some(l)
}

/// (L Lᵀ)⁻¹ = L⁻ᵀ L⁻¹.
fn inverse_of_product(l: Array2<f64>) -> Array2<f64> {
    let n = l.nrows();
    let mut transposed = Array2::<f64>::zeros((n, n)); // L⁻ᵀ: rows are columns of L⁻¹, read in one run
    for c in 0..n {
        transposed[(c, c)] = 1.0 / l[(c, c)];
        for i in c + 1..n {
            let sum = l.slice(s![i, c..i]).dot(&transposed.slice(s![c, c..i]));
            transposed[(c, i)] = -sum / l[(i, i)];
        }
    }
    transposed.dot(&transposed.t())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix;
    use crate::tensor::Shape;

    #[test]
    fn factors_multiply_back() {
        let a = ndarray::arr2(&[[4.0, 2.0, 0.4], [2.0, 5.0, 1.0], [0.4, 1.0, 3.0]]);
        let l = cholesky(a.clone()).unwrap();
        let off = |x: &Array2<f64>, y: &Array2<f64>| (x - y).iter().fold(0f64, |m, v| m.max(v.abs()));
        assert!(off(&l.dot(&l.t()), &a) < 1e-12);
        assert!(off(&inverse_of_product(l).dot(&a), &Array2::eye(3)) < 1e-12);
        assert!(cholesky(ndarray::arr2(&[[1.0, 2.0], [2.0, 1.0]])).is_none());
    }

    #[test]
    fn moments_are_those_of_what_the_filter_sees() {
        let input = Tensor::new(Shape::new(2, 1, 2), vec![9.0, 9.0, 1.0, 2.0]).unwrap();
        let window = Window { kernel: [1, 2], pad: [0, 1, 0, 0], ..Window::square(1, 1, 0) };
        let mut m = Array2::zeros((2, 2));
        moments(&input, 1..2, &window, &mut m);
        // It sees (0, 1) and (1, 2).
        assert_eq!(m, ndarray::arr2(&[[1.0, 2.0], [2.0, 5.0]]));
    }

    #[test]
    fn the_response_changes_less_than_by_plain_rounding() {
        let mut random = SplitMix::new(1);
        let n = 40;
        let input: Vec<f32> = (0..n * 200).map(|_| 0.8 + 0.2 * random.uniform() as f32).collect();
        let input = Tensor::new(Shape::new(n, 10, 20), input).unwrap();
        let mut m = Array2::zeros((n, n));
        moments(&input, 0..n, &Window::square(1, 1, 0), &mut m);
        let filters: Vec<f32> = (0..8 * n).map(|_| random.uniform() as f32 - 0.5).collect();
        let plain: Vec<f16> = filters.iter().map(|&w| f16::from_f32(w)).collect();
        let worst = |rounded: &[f16]| {
            let mut worst = 0f64;
            for (f, r) in filters.chunks_exact(n).zip(rounded.chunks_exact(n)) {
                for p in 0..200 {
                    let x = |c: usize| f64::from(input.data()[c * 200 + p]);
                    let off: f64 = (0..n).map(|c| (r[c].to_f64() - f64::from(f[c])) * x(c)).sum();
                    worst = worst.max(off.abs());
                }
            }
            worst
        };
        assert!(worst(&round(&filters, &m)) < 0.3 * worst(&plain));
        assert_eq!(round(&filters, &Array2::zeros((n, n))), plain, "nothing known of the inputs");
    }
}
