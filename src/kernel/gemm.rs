//! The micro-kernel, four rows of weights by a few vectors of columns, and the loop over tiles.
//!
//! Weights are kept once, in tiles of four rows (`[tile][k][4]`), for both directions: the forward
//! pass walks along k and broadcasts the four rows; the transpose stays at four k's, which are then its
//! rows, and walks over the tiles. Both broadcast one weight per row and step, at the same speed.

use super::simd::Simd;

/// Rows of a tile.
pub const ROWS: usize = 4;
/// The widest tile of any instruction set, in columns.
const WIDEST: usize = 24;
/// Weights that stay in the L2 cache while all columns go by: 256 KiB. Of a layer with a thousand outputs a
/// megabyte would else come from farther away for every panel of columns.
const RESIDENT: usize = 1 << 16;

/// Where the weights of a GEMM are.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// The first tile of output rows, at the first step.
    pub at: *const f32,
    /// Distance between neighbouring tiles of output rows.
    pub tile: usize,
    /// None: steps follow each other, four values each. Some: groups of four steps start at these
    /// offsets, each a 4×4 block with the output row outermost.
    pub blocks: Option<&'a [u32]>,
}

/// Columns of the product that lie regularly in memory.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// First column.
    pub column: usize,
    /// Number of columns.
    pub n: usize,
    /// Where its first column of row 0 goes.
    pub at: *mut f32,
    /// Distance between columns.
    pub step: usize,
    /// Distance between rows.
    pub plane: usize,
}

/// out[row, column] (+)= Σ_k weights[row, k] · b[k·ldb + column], a slice of k at a time.
pub struct Product<'a> {
    /// Left-hand side.
    pub weights: Weights<'a>,
    /// Steps of k in this slice.
    pub k: usize,
    /// Right-hand side, readable up to whole vectors of its last row.
    pub b: *const f32,
    /// Distance between rows of b.
    pub ldb: usize,
    /// Columns; covered by `segments` in order.
    pub columns: usize,
    /// Where they go.
    pub segments: &'a [Segment],
    /// Tiles of output rows to compute: from, to.
    pub tiles: [usize; 2],
    /// Output rows in all: the last tile may have fewer than four.
    pub rows: usize,
    /// First slice of k: start from the bias (or from zero if empty) instead of the output.
    pub first: bool,
    /// Added to every column, one per row.
    pub bias: &'a [f32],
    /// max(·, 0), in the last slice.
    pub rectify: bool,
}

impl Product<'_> {
    /// Computes it.
    ///
    /// # Safety
    /// Pointers must be valid for the sizes given; nobody else may touch the segments meanwhile.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self) {
        let chunk = (RESIDENT / (ROWS * self.k.max(1))).max(1);
        let mut from = self.tiles[0];
        while from < self.tiles[1] {
            let to = (from + chunk).min(self.tiles[1]);
            // SAFETY: the caller's promise.
            unsafe { self.tiles::<S>([from, to]) };
            from = to;
        }
    }

    /// All columns of some tiles of rows.
    #[inline(always)]
    unsafe fn tiles<S: Simd>(&self, tiles: [usize; 2]) {
        // Columns outside, rows inside: the panel of b stays in the L1 cache while the weights stream by.
        let (mut j, mut s) = (0, 0);
        while j < self.columns {
            let left = self.columns - j;
            while self.segments[s].column + self.segments[s].n <= j {
                s += 1;
            }
            // SAFETY: the caller's promise; each call gets as many vectors as columns are left.
            unsafe {
                match left.div_ceil(S::LANES).min(S::PANEL) {
                    1 => self.panel::<S, 1>(tiles, j, s),
                    2 => self.panel::<S, 2>(tiles, j, s),
                    _ if S::PANEL >= 3 => self.panel::<S, 3>(tiles, j, s),
                    _ => unreachable!("no more vectors than a panel has"),
                }
            }
            j += S::PANEL * S::LANES;
        }
    }

    #[inline(always)]
    unsafe fn panel<S: Simd, const N: usize>(&self, tiles: [usize; 2], j: usize, s: usize) {
        let seg = self.segments[s];
        let wide = N * S::LANES;
        let whole = seg.step == 1 && j + wide <= seg.column + seg.n;
        let mut side = [0.0f32; ROWS * WIDEST];
        for tile in tiles[0]..tiles[1] {
            let rows = ROWS.min(self.rows - tile * ROWS);
            let mut acc = [[S::splat(0.0); N]; ROWS];
            // SAFETY: `whole` tiles lie in one segment; the others go through `side`.
            unsafe {
                let out = seg.at.add((tile * ROWS) * seg.plane);
                if self.first {
                    if !self.bias.is_empty() {
                        for i in 0..rows {
                            acc[i] = [S::splat(*self.bias.get_unchecked(tile * ROWS + i)); N];
                        }
                    }
                } else if whole {
                    for (i, acc) in acc.iter_mut().enumerate().take(rows) {
                        let p = out.add(i * seg.plane + j - seg.column);
                        *acc = std::array::from_fn(|v| S::load(p.add(v * S::LANES)));
                    }
                } else {
                    self.exchange::<false>(&mut side, tile, rows, j, wide, s);
                    for (i, acc) in acc.iter_mut().enumerate() {
                        *acc = std::array::from_fn(|v| S::load(side.as_ptr().add(i * wide + v * S::LANES)));
                    }
                }
                self.accumulate(tile, j, &mut acc);
                if self.rectify {
                    acc = acc.map(|row| row.map(S::relu));
                }
                if whole {
                    for (i, acc) in acc.iter().enumerate().take(rows) {
                        let p = out.add(i * seg.plane + j - seg.column);
                        for (v, x) in acc.iter().enumerate() {
                            x.store(p.add(v * S::LANES));
                        }
                    }
                } else {
                    for (i, acc) in acc.iter().enumerate() {
                        for (v, x) in acc.iter().enumerate() {
                            x.store(side.as_mut_ptr().add(i * wide + v * S::LANES));
                        }
                    }
                    self.exchange::<true>(&mut side, tile, rows, j, wide, s);
                }
            }
        }
    }

    /// Copies a tile between `side` and the segments that it straddles.
    #[inline(always)]
    unsafe fn exchange<const OUT: bool>(
        &self,
        side: &mut [f32; ROWS * WIDEST],
        tile: usize,
        rows: usize,
        j: usize,
        wide: usize,
        s: usize,
    ) {
        let end = (j + wide).min(self.columns);
        for seg in &self.segments[s..] {
            let (from, to) = (seg.column.max(j), (seg.column + seg.n).min(end));
            if from >= to {
                break;
            }
            for i in 0..rows {
                // SAFETY: from..to lies inside the segment, and inside the tile's columns in `side`.
                unsafe {
                    let mut p = seg.at.add((tile * ROWS + i) * seg.plane + (from - seg.column) * seg.step);
                    for x in side.get_unchecked_mut(i * wide + from - j..i * wide + to - j) {
                        if OUT {
                            *p = *x;
                        } else {
                            *x = *p;
                        }
                        p = p.wrapping_add(seg.step);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn accumulate<S: Simd, const N: usize>(&self, tile: usize, j: usize, acc: &mut [[S; N]; ROWS]) {
        // SAFETY: k steps of weights and of b are there by the caller's promise.
        unsafe {
            let b = self.b.add(j);
            let a = self.weights.at.add(tile * self.weights.tile);
            match self.weights.blocks {
                None => along(self.k, a, b, self.ldb, acc),
                Some(blocks) => across(blocks, a, b, self.ldb, acc),
            }
        }
    }
}

/// acc[i] += Σ_k a[4k + i] · b[k·ldb ..].
#[inline(always)]
pub unsafe fn along<S: Simd, const N: usize>(
    k: usize,
    mut a: *const f32,
    mut b: *const f32,
    ldb: usize,
    acc: &mut [[S; N]; ROWS],
) {
    let mut sum = *acc;
    // SAFETY: the caller's promise.
    unsafe {
        for _ in 0..k {
            step(&mut sum, a, 1, b);
            a = a.add(ROWS);
            b = b.add(ldb);
        }
    }
    *acc = sum;
}

/// acc[i] += Σ_q Σ_{k<4} a[blocks[q] + 4i + k] · b[(4q + k)·ldb ..].
#[inline(always)]
pub unsafe fn across<S: Simd, const N: usize>(
    blocks: &[u32],
    a: *const f32,
    mut b: *const f32,
    ldb: usize,
    acc: &mut [[S; N]; ROWS],
) {
    let mut sum = *acc;
    // Hidden from the compiler, which would unroll: V8 then spills registers (26 against 37 GFLOP/s).
    let four = std::hint::black_box(ROWS);
    for &q in blocks {
        // SAFETY: the caller's promise.
        unsafe {
            let mut a = a.add(q as usize);
            for _ in 0..four {
                step(&mut sum, a, ROWS, b);
                a = a.add(1);
                b = b.add(ldb);
            }
        }
    }
    *acc = sum;
}

/// One step of k: rows are `apart` values from each other.
#[inline(always)]
pub(super) unsafe fn step<S: Simd, const N: usize>(
    acc: &mut [[S; N]; ROWS],
    a: *const f32,
    apart: usize,
    b: *const f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let b: [S; N] = std::array::from_fn(|v| S::load(b.add(v * S::LANES)));
        for i in 0..ROWS {
            let a = S::splat(*a.add(i * apart));
            for v in 0..N {
                acc[i][v] = a.mul_add(b[v], acc[i][v]);
            }
        }
    }
}
