//! Convolutions with few outputs on small planes, stride 1: LeNet's, forward and back.
//!
//! There the im2col matrix costs more than the product. Instead each item is copied once into planes with zeros around them;
//! with rows R apart, what tap (ky, kx) reads for output p = y·R + x stands at p + ky·R + kx, so the matrix's rows are the planes
//! themselves, shifted. The R − width columns between two rows of outputs are computed and thrown away. The order of every
//! sum, and so every bit of it, is that of [`super::direct`].

use super::direct::{Packed, Pass};
use super::pack::ABSENT;
use super::{Geometry, Item};
use crate::kernel::gemm::{ROWS, step};
use crate::kernel::simd::{Simd, Task, dispatch};
use crate::kernel::{parallel, scratch};
use crate::tensor::Rect;
use std::sync::{Mutex, PoisonError};

/// Most outputs: with more of them the matrix is worth its making.
const OUTPUTS: usize = 16;
/// Most values of an item's planes: half of an L2 cache.
const VALUES: usize = 1 << 16;
/// What a panel may read past its last column.
const SLACK: usize = 32;

/// An item's planes with zeros around them, and what of them one output sees.
struct Planes {
    output: Rect,
    /// Rows and columns of taps: lowest, and how many more there are.
    first: [isize; 2],
    row: usize,
    plane: usize,
}

impl Planes {
    fn new(pass: &Pass, output: Rect) -> Planes {
        let range = |of: fn(&super::pack::Tap) -> isize| {
            let least = pass.taps.iter().map(of).min().unwrap_or(0);
            (least, (pass.taps.iter().map(of).max().unwrap_or(0) - least) as usize)
        };
        let ((dy, rows), (du, columns)) = (range(|t| t.dy), range(|t| t.du));
        let row = output.w() + columns;
        Planes { output, first: [dy, du], row, plane: row * (output.h() + rows) }
    }

    fn columns(&self) -> usize {
        (self.output.h() - 1) * self.row + self.output.w()
    }

    /// Where each row of the matrix begins.
    fn offsets(&self, pass: &Pass) -> Vec<u32> {
        let at = |c: usize, dy: isize, du: isize| {
            c * self.plane + (dy - self.first[0]) as usize * self.row + (du - self.first[1]) as usize
        };
        let n = pass.channels.len();
        pass.taps.iter().flat_map(|t| (0..n).map(move |c| at(c, t.dy, t.du) as u32)).collect()
    }

    fn fill(&self, pass: &Pass, item: &Item, out: &mut [f32]) {
        let rect = item.input.rect;
        let x0 = self.output.x0 + self.first[1];
        let left = (rect.x0 - x0).clamp(0, self.row as isize) as usize;
        let right = (rect.x1 - x0).clamp(left as isize, self.row as isize) as usize;
        let skip = (x0 - rect.x0).max(0) as usize;
        for (plane, &c) in out.chunks_exact_mut(self.plane.max(1)).zip(&pass.channels) {
            for (y, row) in (self.output.y0 + self.first[0]..).zip(plane.chunks_exact_mut(self.row)) {
                if c == ABSENT || y < rect.y0 || y >= rect.y1 || left == right {
                    row.fill(0.0);
                    continue;
                }
                row[..left].fill(0.0);
                row[left..right].copy_from_slice(&item.input.line(c as usize, y)[skip..][..right - left]);
                row[right..].fill(0.0);
            }
        }
    }
}

/// Whether this way pays: few outputs, planes that stay in the cache, and an item for every thread.
pub fn fits(g: &Geometry, transposed: bool, pass: &Pass, items: &[Item], threads: usize) -> bool {
    let (own, window) = (if transposed { g.inputs } else { g.outputs } / g.groups, &g.window);
    let small = |i: &Item| {
        let planes = Planes::new(pass, i.output.rect);
        let area = i.output.rect.area();
        area == 0 || (pass.channels.len() * planes.plane <= VALUES && 2 * planes.columns() <= 3 * area)
    };
    window.stride == [1, 1]
        && window.kernel != [1, 1]
        && own <= OUTPUTS
        && items.len() >= threads
        && items.iter().all(small)
}

/// One group of all items.
pub fn run(pass: &Pass, packed: &Packed, bias: &[f32], items: &mut [Item], threads: usize, rectify: bool) {
    // Each lock is taken once: it only carries an item to its thread.
    let cells: Vec<Mutex<&mut Item>> = items.iter_mut().map(Mutex::new).collect();
    parallel::for_each(cells.len(), threads, &|i| {
        let mut item = cells[i].lock().unwrap_or_else(PoisonError::into_inner);
        if item.output.rect.area() > 0 {
            dispatch(One { pass, packed, bias, item: &mut item, rectify });
        }
    });
}

struct One<'a, 'b> {
    pass: &'a Pass,
    packed: &'a Packed,
    bias: &'a [f32],
    item: &'a mut Item<'b>,
    rectify: bool,
}

impl Task for One<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let One { pass, packed, bias, item, rectify } = self;
        let r = item.output.rect;
        let planes = Planes::new(pass, r);
        let offsets = planes.offsets(pass);
        let (wide, tiles) = (S::LANES * S::PANEL, pass.rows.div_ceil(ROWS));
        let columns = planes.columns().next_multiple_of(wide);
        let mut room = scratch::take(pass.channels.len() * planes.plane + SLACK);
        planes.fill(pass, item, &mut room);
        let mut out = scratch::take(tiles * ROWS * columns);
        assert!(wide <= SLACK && offsets.len() == pass.k());
        let weights = &packed.values[pass.weights..];
        let product = Product { pass, offsets: &offsets, weights, b: &room, bias, columns, rectify };
        // SAFETY: the last offset's row ends with its plane, and a panel reaches less than SLACK beyond it.
        unsafe {
            match S::PANEL {
                2 => product.run::<S, 2>(&mut out),
                3 => product.run::<S, 3>(&mut out),
                _ => unreachable!("panels have two or three vectors"),
            }
        }
        for (c, sums) in out.chunks_exact(columns).take(pass.rows).enumerate() {
            for (y, sums) in (r.y0..r.y1).zip(sums.chunks(planes.row)) {
                let at = item.output.index(pass.output + c, y, r.x0);
                item.output.data[at..][..r.w()].copy_from_slice(&sums[..r.w()]);
            }
        }
    }
}

struct Product<'a> {
    pass: &'a Pass,
    offsets: &'a [u32],
    weights: &'a [f32],
    b: &'a [f32],
    bias: &'a [f32],
    columns: usize,
    rectify: bool,
}

impl Product<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd, const N: usize>(&self, out: &mut [f32]) {
        let (pass, wide) = (self.pass, N * S::LANES);
        let tiles = pass.rows.div_ceil(ROWS);
        for j in (0..self.columns).step_by(wide) {
            for tile in 0..tiles {
                let mut acc = [[S::splat(0.0); N]; ROWS];
                for (i, acc) in acc.iter_mut().enumerate() {
                    if let Some(b) = self.bias.get(pass.output + tile * ROWS + i) {
                        *acc = [S::splat(*b); N];
                    }
                }
                // SAFETY: the caller's promise; tiles of weights are there for all rows, four and four.
                unsafe {
                    let (a, b) = (self.weights.as_ptr().add(tile * pass.tile), self.b.as_ptr().add(j));
                    if pass.blocks.is_empty() {
                        along(self.offsets, a, b, &mut acc);
                    } else {
                        across(&pass.blocks, self.offsets, a, b, &mut acc);
                    }
                    for (i, row) in acc.iter().enumerate() {
                        let to = out.as_mut_ptr().add((tile * ROWS + i) * self.columns + j);
                        for (v, x) in row.iter().enumerate() {
                            let x = if self.rectify { x.relu() } else { *x };
                            x.store(to.add(v * S::LANES));
                        }
                    }
                }
            }
        }
    }
}

/// acc[i] += Σ_k a[4k + i] · b[offsets[k] ..].
#[inline(always)]
unsafe fn along<S: Simd, const N: usize>(
    offsets: &[u32],
    mut a: *const f32,
    b: *const f32,
    acc: &mut [[S; N]; ROWS],
) {
    let mut sum = *acc;
    for &at in offsets {
        // SAFETY: the caller's promise.
        unsafe {
            step(&mut sum, a, 1, b.add(at as usize));
            a = a.add(ROWS);
        }
    }
    *acc = sum;
}

/// acc[i] += Σ_q Σ_{k<4} a[blocks[q] + 4i + k] · b[offsets[4q + k] ..].
#[inline(always)]
unsafe fn across<S: Simd, const N: usize>(
    blocks: &[u32],
    offsets: &[u32],
    a: *const f32,
    b: *const f32,
    acc: &mut [[S; N]; ROWS],
) {
    let mut sum = *acc;
    // Hidden from the compiler, which would unroll: V8 then spills registers.
    let four = std::hint::black_box(ROWS);
    for (&q, at) in blocks.iter().zip(offsets.chunks_exact(ROWS)) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut a = a.add(q as usize);
            for at in at.iter().take(four) {
                step(&mut sum, a, ROWS, b.add(*at as usize));
                a = a.add(1);
            }
        }
    }
    *acc = sum;
}
