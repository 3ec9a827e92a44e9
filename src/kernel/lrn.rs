//! Local response normalisation across channels, Caffe's convention:
//! y_c = x_c / (κ + α/n · Σ_{d within n/2 of c} x_d²)^β.

use super::simd::{Simd, Task, dispatch};
use super::{parallel, scratch};
use crate::tensor::{Rect, View, ViewMut};

/// The four numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lrn {
    /// n: channels summed over.
    pub size: usize,
    /// α.
    pub alpha: f32,
    /// β.
    pub beta: f32,
    /// κ.
    pub k: f32,
}

impl Lrn {
    /// Channels whose squares count for channel `c`. For an even size one more lies above than below (ONNX).
    fn near(&self, c: usize, channels: usize) -> (usize, usize) {
        let (below, above) = self.reach();
        (c.saturating_sub(below), (c + above + 1).min(channels))
    }

    fn reach(&self) -> (usize, usize) {
        let below = (self.size - 1) / 2;
        (below, self.size - 1 - below)
    }

    /// Normalises the output's rectangle.
    pub fn forward(&self, input: View, mut output: ViewMut) {
        self.divide(input, input, output.borrow());
    }

    /// `signal / (…)^β` with the coefficients of the forward pass (`input`): "local renormalisation".
    /// The input must cover the output's rectangle; the signal is zero where it does not.
    pub fn divide(&self, input: View, signal: View, output: ViewMut) {
        self.rows(input, signal, output, false);
    }

    /// The true derivative: Jᵀ · signal at `input`, over the output's rectangle.
    pub fn gradient(&self, input: View, signal: View, output: ViewMut) {
        self.rows(input, signal, output, true);
    }

    fn rows(&self, input: View, signal: View, mut output: ViewMut, gradient: bool) {
        let r = output.rect.intersect(&signal.rect);
        // Where there is no signal nothing comes out, in both.
        if r != output.rect {
            output.fill(0.0);
        }
        if r.is_empty() {
            return;
        }
        let (data, row, plane) = (output.data.as_mut_ptr() as usize, output.row, output.plane);
        let start = output.index(0, r.y0, r.x0);
        let threads = parallel::threads(r.area() * input.channels * 16);
        let parts = if threads == 1 { 1 } else { (2 * threads).min(r.h()) };
        parallel::for_each(parts, threads, &|p| {
            let at = |p: usize| r.y0 + (r.h() * p / parts) as isize;
            let rect = Rect { y0: at(p), y1: at(p + 1), ..r };
            let skip = start + (rect.y0 - r.y0) as usize * row;
            let out = (data as *mut f32).wrapping_add(skip);
            dispatch(Band { lrn: self, input, signal, rect, out, row, plane, gradient });
        });
    }
}

/// Some rows of the output.
struct Band<'a> {
    lrn: &'a Lrn,
    input: View<'a>,
    signal: View<'a>,
    rect: Rect,
    out: *mut f32,
    row: usize,
    plane: usize,
    gradient: bool,
}

impl Task for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Band { lrn, input, signal, rect, .. } = self;
        let (n, w) = (input.channels, rect.w());
        let pitch = w.next_multiple_of(S::LANES);
        let ratio = 2.0 * lrn.alpha * lrn.beta / lrn.size as f32;
        let (below, above) = lrn.reach();
        // A row of all channels at a time, in whole vectors: squares, then (for the gradient) products.
        let mut room = scratch::take(2 * n * pitch + pitch);
        let (squares, rest) = room.split_at_mut(n * pitch);
        let (products, line) = rest.split_at_mut(n * pitch);
        for (i, y) in (rect.y0..rect.y1).enumerate() {
            for c in 0..n {
                let from = &input.data[input.index(c, y, rect.x0)..][..w];
                let to = &mut squares[c * pitch..][..pitch];
                to[w..].fill(0.0);
                to.iter_mut().zip(from).for_each(|(t, x)| *t = x * x);
            }
            for c in 0..n {
                let x = &input.data[input.index(c, y, rect.x0)..][..w];
                let s = &signal.data[signal.index(c, y, rect.x0)..][..w];
                let (from, to) = lrn.near(c, n);
                self.bases::<S>(&squares[..n * pitch], pitch, from, to, line);
                // SAFETY: the row of channel c inside the output's rectangle; no other band has it.
                let out =
                    unsafe { std::slice::from_raw_parts_mut(self.out.add(c * self.plane + i * self.row), w) };
                if self.gradient {
                    let q = &mut products[c * pitch..][..pitch];
                    q[w..].fill(0.0);
                    for j in 0..w {
                        let power = line[j].powf(-lrn.beta);
                        out[j] = s[j] * power;
                        q[j] = ratio * s[j] * x[j] * power / line[j];
                    }
                } else if lrn.beta == 0.75 {
                    // b^¾ = √b · √√b: two roots and a division for a vector.
                    for j in (0..w).step_by(S::LANES) {
                        // SAFETY: `line` has whole vectors.
                        unsafe {
                            let root = S::load(line.as_ptr().add(j)).sqrt();
                            S::splat(1.0).div(root.mul(root.sqrt())).store(line.as_mut_ptr().add(j));
                        }
                    }
                    for j in 0..w {
                        out[j] = s[j] * line[j];
                    }
                } else {
                    for j in 0..w {
                        out[j] = s[j] * line[j].powf(-lrn.beta);
                    }
                }
            }
            if self.gradient {
                for c in 0..n {
                    // Channels whose sums count x_c: the mirror image of `near`.
                    let (from, to) = (c.saturating_sub(above), (c + below + 1).min(n));
                    let x = &input.data[input.index(c, y, rect.x0)..][..w];
                    // SAFETY: as above.
                    let out = unsafe {
                        std::slice::from_raw_parts_mut(self.out.add(c * self.plane + i * self.row), w)
                    };
                    line.fill(0.0);
                    for e in from..to {
                        line.iter_mut().zip(&products[e * pitch..][..pitch]).for_each(|(l, q)| *l += q);
                    }
                    for j in 0..w {
                        out[j] -= x[j] * line[j];
                    }
                }
            }
        }
    }
}

impl Band<'_> {
    /// κ + α/n · Σ of the squares of channels from..to.
    #[inline(always)]
    fn bases<S: Simd>(&self, squares: &[f32], pitch: usize, from: usize, to: usize, line: &mut [f32]) {
        let (share, k) = (S::splat(self.lrn.alpha / self.lrn.size as f32), S::splat(self.lrn.k));
        for j in (0..pitch).step_by(S::LANES) {
            // SAFETY: rows of squares and the line have `pitch` values, a multiple of LANES.
            unsafe {
                let mut sum = S::splat(0.0);
                for d in from..to {
                    sum = sum.add(S::load(squares.as_ptr().add(d * pitch + j)));
                }
                sum.mul_add(share, k).store(line.as_mut_ptr().add(j));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::Random;
    use crate::tensor::Tensor;

    /// The definitions, in float64.
    fn naive(l: &Lrn, input: &Tensor, signal: &Tensor, gradient: bool, c: usize, y: isize, x: isize) -> f64 {
        let n = input.channels();
        let base = |c: usize| {
            let (from, to) = l.near(c, n);
            let sum: f64 = (from..to).map(|d| (input.at(d, y, x) as f64).powi(2)).sum();
            l.k as f64 + l.alpha as f64 / l.size as f64 * sum
        };
        let mut g = signal.at(c, y, x) as f64 * base(c).powf(-l.beta as f64);
        for e in 0..if gradient { n } else { 0 } {
            let (from, to) = l.near(e, n);
            if c >= from && c < to {
                g -= 2.0 * (l.alpha * l.beta) as f64 / l.size as f64
                    * (input.at(c, y, x) * signal.at(e, y, x) * input.at(e, y, x)) as f64
                    * base(e).powf(-l.beta as f64 - 1.0);
            }
        }
        g
    }

    #[test]
    fn forward_division_and_gradient_agree_with_the_definition() {
        for seed in 0..if cfg!(miri) { 3 } else { 120 } {
            let r = &mut Random::new(seed);
            let plane = Rect::full(r.size(1, 9), r.size(1, 12));
            let channels = r.size(1, 12);
            let beta = [0.75, 0.5, 1.0][r.size(0, 3)];
            let l = Lrn { size: r.size(1, 8), alpha: 0.5, beta, k: 1.0 + r.float().abs() };
            let input = r.tensor(channels, plane);
            let rect = r.rect(plane);
            let signal = r.tensor(channels, rect);
            let into = r.rect(plane);
            for gradient in [false, true] {
                let mut out = r.tensor(channels, into);
                if gradient {
                    l.gradient(input.view(), signal.view(), out.view_mut());
                } else {
                    l.divide(input.view(), signal.view(), out.view_mut());
                }
                for c in 0..channels {
                    for y in into.y0..into.y1 {
                        for x in into.x0..into.x1 {
                            let want = naive(&l, &input, &signal, gradient, c, y, x);
                            let got = out.at(c, y, x) as f64;
                            assert!(
                                (got - want).abs() < 1e-5,
                                "{got} for {want}, {l:?}, gradient {gradient}"
                            );
                        }
                    }
                }
            }
        }
    }
}
