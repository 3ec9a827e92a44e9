//! What sparse coding does to its values one by one: the gradient step with its soft threshold, residuals, extrapolation.
//!
//! Each is one pass over memory, cut into chunks for the threads; sums are kept in float64, chunk by chunk in
//! order, so that the same values give the same sums on any number of threads.

use super::parallel;

/// Values of a chunk: a few chunks for each thread of a usual image.
const CHUNK: usize = 1 << 13;
/// Values summed in float32 before the sum goes on in float64: 64 in each lane.
const SUM: usize = 512;

/// What a soft threshold leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Left {
    /// Σ|z|.
    pub l1: f64,
    /// Values that are not zero.
    pub support: usize,
}

/// z := max(|v| − threshold, 0)·sign(v) with v = z − rate·g.
pub fn step(z: &mut [f32], g: &[f32], rate: f32, threshold: f32) -> Left {
    assert_eq!(z.len(), g.len(), "a gradient value for every value");
    let parts = chunks(z, |from, z| {
        let mut left = Left::default();
        for (z, g) in z.chunks_mut(SUM).zip(g[from..].chunks(SUM)) {
            // Rows of eight lanes, so that no sum waits for its neighbour.
            let (mut sums, mut counts) = ([0.0f32; 8], [0u32; 8]);
            let mut each = |z: &mut f32, g: f32, lane: usize| {
                let v = *z - rate * g;
                let m = v.abs() - threshold;
                // A NaN stays one: divergence must show.
                let m = if m <= 0.0 { 0.0 } else { m };
                *z = m.copysign(v);
                sums[lane] += m;
                counts[lane] += u32::from(m != 0.0);
            };
            let (mut za, mut ga) = (z.chunks_exact_mut(8), g.chunks_exact(8));
            for (z, g) in (&mut za).zip(&mut ga) {
                for lane in 0..8 {
                    each(&mut z[lane], g[lane], lane);
                }
            }
            for (lane, (z, g)) in za.into_remainder().iter_mut().zip(ga.remainder()).enumerate() {
                each(z, *g, lane);
            }
            left.l1 += sums.iter().map(|s| f64::from(*s)).sum::<f64>();
            left.support += counts.iter().map(|c| *c as usize).sum::<usize>();
        }
        left
    });
    parts.iter().fold(Left::default(), |a, b| Left { l1: a.l1 + b.l1, support: a.support + b.support })
}

/// r := r − y; returns ‖r‖².
pub fn subtract(r: &mut [f32], y: &[f32]) -> f64 {
    assert_eq!(r.len(), y.len(), "a value to subtract from every value");
    let parts = chunks(r, |from, r| {
        let y = &y[from..from + r.len()];
        r.iter_mut().zip(y).for_each(|(r, y)| *r -= y);
        squares(r)
    });
    parts.iter().sum()
}

/// old := new + a·(new − old), the point from which FISTA steps.
pub fn extrapolate(old: &mut [f32], new: &[f32], a: f32) {
    assert_eq!(old.len(), new.len(), "two points of one space");
    chunks(old, |from, old| {
        let new = &new[from..from + old.len()];
        old.iter_mut().zip(new).for_each(|(old, new)| *old = new + a * (new - *old));
    });
}

/// v := s·v.
pub fn scale(v: &mut [f32], s: f32) {
    chunks(v, |_, v| v.iter_mut().for_each(|v| *v *= s));
}

/// ‖v‖².
pub fn norm2(v: &[f32]) -> f64 {
    v.chunks(CHUNK).map(squares).sum()
}

/// Σ a·b.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "two points of one space");
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn squares(v: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 4];
    let rows = v.chunks_exact(4);
    let rest: f64 = rows.remainder().iter().map(|v| f64::from(*v).powi(2)).sum();
    for row in rows {
        lanes.iter_mut().zip(row).for_each(|(l, v)| *l += f64::from(*v) * f64::from(*v));
    }
    lanes.iter().sum::<f64>() + rest
}

/// Calls `f(first index, chunk)` for every chunk, on several threads where that pays; the answers in order.
fn chunks<T: Send + Default + Clone>(v: &mut [f32], f: impl Fn(usize, &mut [f32]) -> T + Sync) -> Vec<T> {
    let n = v.len().div_ceil(CHUNK);
    let mut answers = vec![T::default(); n];
    let (data, len, to) = (v.as_mut_ptr() as usize, v.len(), answers.as_mut_ptr() as usize);
    parallel::for_each(n, parallel::threads(2 * len), &|i| {
        let from = i * CHUNK;
        // SAFETY: chunks do not overlap, and each has its own answer.
        unsafe {
            let chunk = std::slice::from_raw_parts_mut((data as *mut f32).add(from), CHUNK.min(len - from));
            *(to as *mut T).add(i) = f(from, chunk);
        }
    });
    answers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::Random;

    #[test]
    fn a_step_is_the_formula_and_counts_what_it_leaves() {
        let mut random = Random::new(3);
        for n in [0, 1, 7, 8, 100, 3 * CHUNK + 5] {
            let (mut z, g) = (random.floats(n), random.floats(n));
            let expected: Vec<f32> = z
                .iter()
                .zip(&g)
                .map(|(z, g)| {
                    let v = z - 0.5 * g;
                    if v.abs() > 0.3 { (v.abs() - 0.3) * v.signum() } else { 0.0 }
                })
                .collect();
            let left = step(&mut z, &g, 0.5, 0.3);
            assert!(z.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6));
            assert_eq!(left.support, z.iter().filter(|v| **v != 0.0).count());
            let l1: f64 = z.iter().map(|v| f64::from(v.abs())).sum();
            assert!((left.l1 - l1).abs() <= 1e-5 * l1, "{} {l1}", left.l1);
        }
    }

    #[test]
    fn what_is_not_a_number_stays_visible() {
        let mut z = vec![f32::NAN, 1.0];
        assert!(step(&mut z, &[0.0, 0.0], 1.0, 0.1).l1.is_nan());
        assert!(z[0].is_nan());
    }

    #[test]
    fn residual_and_extrapolation() {
        let mut r = vec![3.0; CHUNK + 1];
        assert_eq!(subtract(&mut r, &vec![1.0; CHUNK + 1]), 4.0 * (CHUNK + 1) as f64);
        let mut old = vec![1.0];
        extrapolate(&mut old, &[2.0], 0.5);
        assert_eq!(old, [2.5]);
        assert_eq!((norm2(&[3.0, 4.0]), dot(&[1.0, 2.0], &[3.0, 4.0])), (25.0, 11.0));
    }
}
