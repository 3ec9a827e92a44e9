//! Fully connected layers: y = W x + b, and x̂ = Wᵀ y.
//!
//! At batch 1 every weight is used once, so the layer is bound by how fast the weights stream by:
//! float16 weights stay float16 and are widened in registers. A batch reads them from memory once.

use super::parallel;
use super::scratch;
use super::simd::{Simd, Task, dispatch};
use half::f16;

/// A weight matrix (units × inputs, C order) as stored.
#[derive(Debug, Clone)]
pub enum Matrix {
    /// 4 bytes a weight.
    F32(Vec<f32>),
    /// 2 bytes a weight.
    F16(Vec<f16>),
}

/// Rows that share a read of x: with two vectors each they make eight sums, enough to hide the latency.
const ROWS: usize = 4;
/// Columns of the transpose that stay in the L1 cache while the rows go by.
const COLUMNS: usize = 2048;
/// Of a batch: groups of four rows, items and inputs taken together. A slice of 16 rows (16 KiB) and of 32 items
/// (32 KiB) share the L1 cache, the rows stream from memory once and in order, their sums wait in a table.
const GROUPS: usize = 4;
const ITEMS: usize = 32;
const SLICE: usize = 256;

impl Matrix {
    /// `out[b, u] = Σ_i W[u, i] · x[b, i] + bias[u]` for each batch item; `bias` may be empty.
    pub fn forward(&self, bias: &[f32], x: &[&[f32]], out: &mut [&mut [f32]], rectify: bool) {
        let Some(n) = x.first().map(|x| x.len()) else { return };
        let units = out[0].len();
        assert!(x.iter().all(|x| x.len() == n) && out.iter().all(|o| o.len() == units));
        assert_eq!(self.len(), units * n, "the matrix has units × inputs weights");
        let (scaled, back) = (self.scale(x), self.unscale(x));
        let mut room = scratch::take(if scaled == 1.0 { 0 } else { n * x.len() });
        for (room, x) in room.chunks_mut(n.max(1)).zip(x) {
            room.iter_mut().zip(*x).for_each(|(r, v)| *r = v * scaled);
        }
        let room: Vec<&[f32]> = room.chunks(n.max(1)).collect();
        let x = if scaled == 1.0 { x } else { &room };
        let targets: Vec<usize> = out.iter_mut().map(|o| o.as_mut_ptr() as usize).collect();
        let threads = parallel::threads(units * n * x.len());
        let tiles = units.div_ceil(ROWS);
        // Several parts a thread: memory does not serve both alike.
        let parts = if threads == 1 { 1 } else { (4 * threads).min(tiles) };
        parallel::for_each(parts, threads, &|p| {
            let rows = [tiles * p / parts * ROWS, (tiles * (p + 1) / parts * ROWS).min(units)];
            dispatch(Rows { matrix: self, n, rows, x, bias, out: &targets, back, rectify });
        });
    }

    /// `out[i] = Σ_u W[u, i] · signal[u]`. Rows whose signal is zero are skipped: a single unit's
    /// seed reads one row only.
    pub fn transpose(&self, signal: &[f32], out: &mut [f32]) {
        let n = out.len();
        assert_eq!(self.len(), signal.len() * n, "the matrix has units × inputs weights");
        let scale = self.scale(&[signal]);
        let back = self.unscale(&[signal]);
        let rows: Vec<(usize, f32)> =
            signal.iter().enumerate().filter(|(_, s)| **s != 0.0).map(|(u, s)| (u * n, s * scale)).collect();
        let threads = parallel::threads(rows.len() * n);
        let at = out.as_mut_ptr() as usize;
        let chunk = n.div_ceil(threads).next_multiple_of(8).clamp(8, COLUMNS);
        parallel::for_each(n.div_ceil(chunk), threads, &|p| {
            let (from, to) = (p * chunk, ((p + 1) * chunk).min(n));
            // SAFETY: chunks are disjoint parts of `out`.
            let out = unsafe { std::slice::from_raw_parts_mut((at as *mut f32).add(from), to - from) };
            out.fill(0.0);
            dispatch(Columns { matrix: self, rows: &rows, from, out, back });
        });
    }

    fn len(&self) -> usize {
        match self {
            Matrix::F32(v) => v.len(),
            Matrix::F16(v) => v.len(),
        }
    }

    /// What x is multiplied by beforehand: where float16 bits are read 2⁻¹¹² too small, products must not
    /// fall among the denormals, so the largest value goes to about 2¹⁰⁰.
    fn scale(&self, x: &[&[f32]]) -> f32 {
        exp2(self.shift(x))
    }

    /// What the sum is multiplied by afterwards.
    fn unscale(&self, x: &[&[f32]]) -> f32 {
        if self.shift(x) == 0 { 1.0 } else { exp2(112 - self.shift(x)) }
    }

    fn shift(&self, x: &[&[f32]]) -> i32 {
        struct Scale;
        impl Task for Scale {
            type Output = f32;
            #[inline(always)]
            fn run<S: Simd>(self) -> f32 {
                S::HALF_SCALE
            }
        }
        if matches!(self, Matrix::F32(_)) || dispatch(Scale) == 1.0 {
            return 0;
        }
        let most = x.iter().flat_map(|x| x.iter()).fold(0.0f32, |m, v| m.max(v.abs()));
        // 2^e is just above it.
        let e = ((most.to_bits() >> 23) as i32 - 126).clamp(-20, 100);
        100 - e
    }
}

fn exp2(e: i32) -> f32 {
    f32::from_bits(((127 + e.clamp(-126, 127)) as u32) << 23)
}

struct Rows<'a> {
    matrix: &'a Matrix,
    n: usize,
    rows: [usize; 2],
    x: &'a [&'a [f32]],
    bias: &'a [f32],
    out: &'a [usize],
    back: f32,
    rectify: bool,
}

impl Task for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        if self.x.len() > 2 {
            return self.batch::<S>();
        }
        let mut u = self.rows[0];
        while u < self.rows[1] {
            // Past the last row the last one is computed again.
            let at: [usize; ROWS] = std::array::from_fn(|i| (u + i).min(self.rows[1] - 1));
            let mut b = 0;
            while b + 2 <= self.x.len() {
                let sums = self.dot::<S, 2>(at, [self.x[b], self.x[b + 1]]);
                self.write(at, b, sums[0]);
                self.write(at, b + 1, sums[1]);
                b += 2;
            }
            if b < self.x.len() {
                let [sums] = self.dot::<S, 1>(at, [self.x[b]]);
                self.write(at, b, sums);
            }
            u += ROWS;
        }
    }
}

impl Rows<'_> {
    /// Many items: slice by slice of the inputs, so that weights and values are read from the L1 cache.
    #[inline(always)]
    fn batch<S: Simd>(&self) {
        let end = self.n / S::LANES * S::LANES;
        let mut sums = [[S::splat(0.0); ROWS]; GROUPS * ITEMS];
        for first in (0..self.x.len()).step_by(ITEMS) {
            let items = &self.x[first..(first + ITEMS).min(self.x.len())];
            for top in (self.rows[0]..self.rows[1]).step_by(ROWS * GROUPS) {
                let at: [[usize; ROWS]; GROUPS] = std::array::from_fn(|g| {
                    std::array::from_fn(|i| (top + g * ROWS + i).min(self.rows[1] - 1))
                });
                let groups = (self.rows[1] - top).div_ceil(ROWS).min(GROUPS);
                sums.fill([S::splat(0.0); ROWS]);
                for from in (0..end).step_by(SLICE) {
                    let part = [from, (from + SLICE).min(end)];
                    for (sums, at) in sums.chunks_exact_mut(ITEMS).zip(&at).take(groups) {
                        for (sums, x) in sums.chunks_mut(2).zip(items.chunks(2)) {
                            // SAFETY: `part` ends before n, which rows and items hold.
                            unsafe {
                                match x {
                                    [a, b] => self.add::<S, 2>(sums, at, [a, b], part),
                                    [a] => self.add::<S, 1>(sums, at, [a], part),
                                    _ => unreachable!("chunks of one or two"),
                                }
                            }
                        }
                    }
                }
                for (g, at) in at.iter().enumerate().take(groups) {
                    for (b, x) in items.iter().enumerate() {
                        let sums: [f32; ROWS] = std::array::from_fn(|r| {
                            let rest =
                                (end..self.n).map(|j| self.matrix.single::<S>(at[r] * self.n + j) * x[j]);
                            sums[g * ITEMS + b][r].sum() + rest.sum::<f32>()
                        });
                        self.write(*at, first + b, sums);
                    }
                }
            }
        }
    }

    /// sums[b][r] += Σ_{i in part} W[at[r], i] · x[b][i], lane by lane: eight sums, which fit in the registers
    /// that V8 has.
    #[inline(always)]
    unsafe fn add<S: Simd, const B: usize>(
        &self,
        sums: &mut [[S; ROWS]],
        at: &[usize; ROWS],
        x: [&[f32]; B],
        [from, to]: [usize; 2],
    ) {
        let mut acc: [[S; ROWS]; B] = std::array::from_fn(|b| sums[b]);
        let rows = at.map(|r| r * self.n);
        let mut i = from;
        while i < to {
            // SAFETY: the caller's promise.
            unsafe {
                let xs: [S; B] = std::array::from_fn(|b| S::load(x[b].as_ptr().add(i)));
                for r in 0..ROWS {
                    let w = self.matrix.vector::<S>(rows[r] + i);
                    for b in 0..B {
                        acc[b][r] = w.mul_add(xs[b], acc[b][r]);
                    }
                }
            }
            i += S::LANES;
        }
        sums[..B].copy_from_slice(&acc);
    }

    #[inline(always)]
    fn write(&self, at: [usize; ROWS], b: usize, sums: [f32; ROWS]) {
        for (u, sum) in at.into_iter().zip(sums) {
            let y = sum * self.back + self.bias.get(u).copied().unwrap_or(0.0);
            // SAFETY: u is one of this task's own rows, of the output's length.
            unsafe { *(self.out[b] as *mut f32).add(u) = if self.rectify && y <= 0.0 { 0.0 } else { y } };
        }
    }

    #[inline(always)]
    fn dot<S: Simd, const B: usize>(&self, at: [usize; ROWS], x: [&[f32]; B]) -> [[f32; ROWS]; B] {
        let mut acc = [[S::splat(0.0); ROWS]; B];
        let mut more = [[S::splat(0.0); ROWS]; B];
        let mut i = 0;
        // SAFETY: vectors from i stay below n, in x and in each row.
        unsafe {
            while i + 2 * S::LANES <= self.n {
                for (acc, i) in [(&mut acc, i), (&mut more, i + S::LANES)] {
                    let xs: [S; B] = std::array::from_fn(|b| S::load(x[b].as_ptr().add(i)));
                    for r in 0..ROWS {
                        let w = self.matrix.vector::<S>(at[r] * self.n + i);
                        for b in 0..B {
                            acc[b][r] = w.mul_add(xs[b], acc[b][r]);
                        }
                    }
                }
                i += 2 * S::LANES;
            }
        }
        std::array::from_fn(|b| {
            std::array::from_fn(|r| {
                let mut sum = acc[b][r].add(more[b][r]).sum();
                for j in i..self.n {
                    sum += self.matrix.single::<S>(at[r] * self.n + j) * x[b][j];
                }
                sum
            })
        })
    }
}

impl Matrix {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, i: usize) -> S {
        // SAFETY: the caller keeps i + LANES within the matrix.
        unsafe {
            match self {
                Matrix::F32(v) => S::load(v.as_ptr().add(i)),
                Matrix::F16(v) => S::load_half(v.as_ptr().add(i).cast()),
            }
        }
    }

    #[inline(always)]
    fn single<S: Simd>(&self, i: usize) -> f32 {
        match self {
            Matrix::F32(v) => v[i],
            Matrix::F16(v) => v[i].to_f32() * S::HALF_SCALE,
        }
    }
}

struct Columns<'a> {
    matrix: &'a Matrix,
    rows: &'a [(usize, f32)],
    from: usize,
    out: &'a mut [f32],
    back: f32,
}

impl Task for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let n = self.out.len();
        for rows in self.rows.chunks(ROWS) {
            // Missing rows of the last chunk count with weight zero.
            let at: [usize; ROWS] = std::array::from_fn(|r| rows[r.min(rows.len() - 1)].0 + self.from);
            let s: [f32; ROWS] = std::array::from_fn(|r| rows.get(r).map_or(0.0, |r| r.1));
            let by = s.map(S::splat);
            let mut i = 0;
            while i + S::LANES <= n {
                // SAFETY: i + LANES ≤ n columns from each row's part.
                unsafe {
                    let p = self.out.as_mut_ptr().add(i);
                    let mut sum = S::load(p);
                    for r in 0..ROWS {
                        sum = self.matrix.vector::<S>(at[r] + i).mul_add(by[r], sum);
                    }
                    sum.store(p);
                }
                i += S::LANES;
            }
            for i in i..n {
                for r in 0..ROWS {
                    self.out[i] += self.matrix.single::<S>(at[r] + i) * s[r];
                }
            }
        }
        if self.back != 1.0 {
            self.out.iter_mut().for_each(|v| *v *= self.back);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::Random;

    fn value(m: &Matrix, i: usize) -> f64 {
        match m {
            Matrix::F32(v) => v[i] as f64,
            Matrix::F16(v) => v[i].to_f64(),
        }
    }

    fn close(got: &[f32], want: &[f64]) {
        let most = want.iter().fold(1e-30f64, |m, v| m.max(v.abs()));
        for (g, w) in got.iter().zip(want) {
            assert!((*g as f64 - w).abs() < 1e-5 * most, "{g} for {w}");
        }
    }

    #[test]
    fn both_directions_agree_with_the_definition() {
        for seed in 0..if cfg!(miri) { 4 } else { 120 } {
            let r = &mut Random::new(seed);
            // Some longer than a slice, and more items than are taken together.
            let n = if r.chance(10) { SLICE + r.size(1, 90) } else { r.size(1, 90) };
            let batch = if r.chance(10) { ITEMS + r.size(1, 4) } else { r.size(1, 6) };
            let units = r.size(1, 40);
            let mut w = r.floats(units * n);
            // Subnormal halves too.
            w.iter_mut().for_each(|v| *v *= if r.chance(20) { 1e-5 } else { 0.1 });
            let matrix = if r.chance(50) {
                Matrix::F16(w.iter().map(|v| f16::from_f32(*v)).collect())
            } else {
                Matrix::F32(w)
            };
            let size = [1.0, 1e-6, 1e4][r.size(0, 3)];
            let x: Vec<Vec<f32>> =
                (0..batch).map(|_| r.floats(n).iter().map(|v| v * size).collect()).collect();
            let bias = if r.chance(50) { r.floats(units) } else { Vec::new() };
            let rectify = r.chance(50);
            let mut out = vec![vec![7.0f32; units]; batch];
            let views: Vec<&[f32]> = x.iter().map(|x| x.as_slice()).collect();
            let mut outs: Vec<&mut [f32]> = out.iter_mut().map(|o| o.as_mut_slice()).collect();
            matrix.forward(&bias, &views, &mut outs, rectify);
            for (x, out) in x.iter().zip(&out) {
                let want: Vec<f64> = (0..units)
                    .map(|u| {
                        let sum: f64 = (0..n).map(|i| value(&matrix, u * n + i) * x[i] as f64).sum();
                        let y = sum + bias.get(u).copied().unwrap_or(0.0) as f64;
                        if rectify { y.max(0.0) } else { y }
                    })
                    .collect();
                close(out, &want);
            }
            let mut signal = r.floats(units);
            signal.iter_mut().for_each(|s| *s = if r.chance(40) { 0.0 } else { *s * size });
            let mut down = vec![3.0f32; n];
            matrix.transpose(&signal, &mut down);
            let want: Vec<f64> = (0..n)
                .map(|i| (0..units).map(|u| value(&matrix, u * n + i) * signal[u] as f64).sum())
                .collect();
            close(&down, &want);
        }
    }
}
