//! Parameter gradients of convolutions and dense layers, as products on the same micro-kernel as the forward pass:
//! dW[o, (c, k)] += Σ_p dy[o, p] · x[c, s·p + d·k − pad]. The signal takes the place of the weights (rows of four,
//! packed step by step), the patches that of the columns; the steps are the output positions.

use super::gemm::{Product, ROWS, Segment, Weights};
use super::simd::{Simd, Task, dispatch};
use super::{conv::Geometry, scratch};
use crate::tensor::{Rect, View};

/// Output positions that share a packed block of patches: with 600 columns 300 KiB, in the L2 cache.
const STEPS: usize = 128;
/// Columns are padded to whole vectors of the widest instruction set.
const LANES: usize = 8;
/// What a panel may read past its last column.
const SLACK: usize = 32;

/// Adds the weight gradient of some images to `out` (outputs, inputs / groups, kh, kw). Each pair is an input and the signal at the
/// output, whole planes.
pub fn conv(geometry: &Geometry, pairs: &[(View, View)], out: &mut [f32]) {
    let Geometry { inputs, outputs, groups, window } = geometry;
    let [kh, kw] = window.kernel;
    let (ci, co) = (inputs / groups, outputs / groups);
    let columns = ci * kh * kw;
    assert_eq!(out.len(), outputs * columns, "one gradient for every weight");
    // Rows of whole vectors, also in the sums: a last column by itself would go through a side buffer.
    let ldb = columns.next_multiple_of(LANES);
    let tiles = co.div_ceil(ROWS);
    let mut patches = scratch::take(STEPS * ldb + SLACK);
    patches.fill(0.0);
    let mut packed = scratch::take(tiles * STEPS * ROWS);
    let mut sums = scratch::take(co * ldb);
    let most = pairs.iter().map(|(input, _)| Bordered::new(geometry, input.rect)).map(|b| ci * b.plane).max();
    let mut room = scratch::take(most.unwrap_or(0) + SLACK);
    for (g, out) in out.chunks_exact_mut(co * columns).enumerate() {
        let mut first = true;
        for (input, signal) in pairs {
            assert!(input.channels == *inputs && signal.channels == *outputs, "channels are the layer's");
            let planes = Bordered::new(geometry, input.rect);
            planes.fill(*input, g * ci, &mut room[..ci * planes.plane]);
            let positions = signal.rect.area();
            for from in (0..positions).step_by(STEPS) {
                let n = STEPS.min(positions - from);
                let (mut y, mut x) = (from / signal.rect.w(), from % signal.rect.w());
                for r in 0..n {
                    planes.patch(geometry, &room, [y, x], &mut patches[r * ldb..]);
                    x += 1;
                    if x == signal.rect.w() {
                        (y, x) = (y + 1, 0);
                    }
                }
                pack(*signal, g * co, co, [from, n], &mut packed[..tiles * n * ROWS]);
                multiply(&packed, n, &patches, ldb, co, first, &mut sums);
                first = false;
            }
        }
        if !first {
            add_rows(&sums, ldb, columns, out);
        }
    }
}

/// Rows of padded sums to where they belong.
fn add_rows(sums: &[f32], ldb: usize, columns: usize, out: &mut [f32]) {
    for (row, sums) in out.chunks_exact_mut(columns).zip(sums.chunks_exact(ldb)) {
        row.iter_mut().zip(sums).for_each(|(o, s)| *o += s);
    }
}

/// An input with its padding around it, so that no window reaches beyond it.
struct Bordered {
    rect: Rect,
    pad: [usize; 2],
    row: usize,
    plane: usize,
}

impl Bordered {
    fn new(geometry: &Geometry, rect: Rect) -> Bordered {
        let [top, left, bottom, right] = geometry.window.pad;
        let row = rect.w() + left + right;
        Bordered { rect, pad: [top, left], row, plane: row * (rect.h() + top + bottom) }
    }

    fn fill(&self, input: View, first: usize, out: &mut [f32]) {
        let [top, left] = self.pad;
        out.fill(0.0);
        for (c, plane) in out.chunks_exact_mut(self.plane.max(1)).enumerate() {
            for (y, row) in (self.rect.y0..self.rect.y1).zip(plane.chunks_exact_mut(self.row).skip(top)) {
                row[left..][..self.rect.w()].copy_from_slice(input.line(first + c, y));
            }
        }
    }

    /// One window's values, channel by channel, and up to seven more behind them.
    fn patch(&self, geometry: &Geometry, planes: &[f32], [y, x]: [usize; 2], out: &mut [f32]) {
        let w = &geometry.window;
        let [kh, kw] = w.kernel;
        let from = y * w.stride[0] * self.row + x * w.stride[1];
        let lines = (0..geometry.inputs / geometry.groups)
            .flat_map(|c| (0..kh).map(move |k| c * self.plane + k * w.dilation[0] * self.row + from));
        match (w.dilation[1], kw) {
            // A fixed length is two vectors; a call to copy each few values would take longer than all else.
            (1, ..=8) => {
                for (i, at) in lines.enumerate() {
                    out[i * kw..][..8].copy_from_slice(&planes[at..][..8]);
                }
            }
            (1, _) => {
                for (i, at) in lines.enumerate() {
                    out[i * kw..][..kw].copy_from_slice(&planes[at..][..kw]);
                }
            }
            (apart, _) => {
                for (i, at) in lines.enumerate() {
                    for (k, v) in out[i * kw..][..kw].iter_mut().enumerate() {
                        *v = planes[at + k * apart];
                    }
                }
            }
        }
    }
}

/// Channels `first..first + count` of the signal in tiles of four, for `n` positions from `from` on.
fn pack(signal: View, first: usize, count: usize, [from, n]: [usize; 2], out: &mut [f32]) {
    let w = signal.rect.w();
    for (t, tile) in out.chunks_exact_mut(n * ROWS).enumerate() {
        if signal.row == w && (t + 1) * ROWS <= count {
            let [a, b, c, d] =
                [0, 1, 2, 3].map(|i| &signal.data[(first + t * ROWS + i) * signal.plane + from..][..n]);
            for (four, (((a, b), c), d)) in tile.chunks_exact_mut(ROWS).zip(a.iter().zip(b).zip(c).zip(d)) {
                four.copy_from_slice(&[*a, *b, *c, *d]);
            }
            continue;
        }
        for i in 0..ROWS {
            let c = t * ROWS + i;
            if c >= count {
                tile.iter_mut().skip(i).step_by(ROWS).for_each(|v| *v = 0.0);
                continue;
            }
            let plane = (first + c) * signal.plane;
            if signal.row == w {
                let values = &signal.data[plane + from..][..n];
                tile.iter_mut().skip(i).step_by(ROWS).zip(values).for_each(|(v, s)| *v = *s);
            } else {
                for (s, v) in tile.iter_mut().skip(i).step_by(ROWS).enumerate() {
                    let p = from + s;
                    *v = signal.data[plane + p / w * signal.row + p % w];
                }
            }
        }
    }
}

/// Adds the weight gradient of a batch to `out` (units, inputs): dW[u, i] += Σ_b dy[b, u] · x[b, i].
pub fn dense(x: &[&[f32]], signal: &[&[f32]], out: &mut [f32]) {
    let (Some(inputs), Some(units)) = (x.first().map(|x| x.len()), signal.first().map(|s| s.len())) else {
        return;
    };
    assert_eq!(out.len(), inputs * units, "one gradient for every weight");
    let (n, ldb, tiles) = (x.len(), inputs.next_multiple_of(LANES), units.div_ceil(ROWS));
    let mut rows = scratch::take(n * ldb + SLACK);
    rows.fill(0.0);
    let mut sums = scratch::take(units * ldb);
    rows.chunks_exact_mut(ldb).zip(x).for_each(|(r, x)| r[..inputs].copy_from_slice(x));
    let mut packed = scratch::take(tiles * n * ROWS);
    for (t, tile) in packed.chunks_exact_mut(n * ROWS).enumerate() {
        for (b, four) in tile.chunks_exact_mut(ROWS).enumerate() {
            for (i, v) in four.iter_mut().enumerate() {
                *v = signal[b].get(t * ROWS + i).copied().unwrap_or(0.0);
            }
        }
    }
    multiply(&packed, n, &rows, ldb, units, true, &mut sums);
    add_rows(&sums, ldb, inputs, out);
}

/// out[row, column] (+)= Σ_k packed[row, k] · b[k, column], rows of `ldb` columns; `first`: instead of adding.
fn multiply(packed: &[f32], k: usize, b: &[f32], ldb: usize, rows: usize, first: bool, out: &mut [f32]) {
    struct Run<'a>(Product<'a>);
    impl Task for Run<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            // SAFETY: `multiply` checked the sizes, and its output is borrowed for this call alone.
            unsafe { self.0.run::<S>() }
        }
    }
    let tiles = rows.div_ceil(ROWS);
    assert!(packed.len() >= tiles * k * ROWS && out.len() >= rows * ldb);
    assert!(b.len() >= k * ldb + SLACK);
    let segments = [Segment { column: 0, n: ldb, at: out.as_mut_ptr(), step: 1, plane: ldb }];
    dispatch(Run(Product {
        weights: Weights { at: packed.as_ptr(), tile: k * ROWS, blocks: None },
        k,
        b: b.as_ptr(),
        ldb,
        columns: ldb,
        segments: &segments,
        tiles: [0, tiles],
        rows,
        first,
        bias: &[],
        rectify: false,
    }));
}

/// Adds the sum of every channel's signal to `out`: the gradient of a bias.
pub fn sums(signal: View, out: &mut [f32]) {
    for (c, o) in out.iter_mut().enumerate() {
        let mut sum = 0.0;
        for y in signal.rect.y0..signal.rect.y1 {
            let mut lanes = [0.0f32; 8];
            let mut chunks = signal.line(c, y).chunks_exact(8);
            for chunk in &mut chunks {
                lanes.iter_mut().zip(chunk).for_each(|(a, b)| *a += b);
            }
            sum += lanes.iter().sum::<f32>() + chunks.remainder().iter().sum::<f32>();
        }
        *o += sum;
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;
    use crate::tensor::{Shape, Tensor};
    use crate::window::Window;

    fn noise(n: usize, seed: u64) -> Vec<f32> {
        Random::new(seed).floats(n)
    }

    fn close(got: &[f32], want: &[f64]) {
        let scale = want.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (i, (a, b)) in got.iter().zip(want).enumerate() {
            assert!((f64::from(*a) - b).abs() <= 1e-5 * scale, "{i}: {a}, {b}");
        }
    }

    #[test]
    fn convolutions_agree_with_the_definition() {
        let shapes = [
            (3, 5, 1, Window::square(3, 1, 1), 9, 11),
            (4, 6, 2, Window::square(5, 2, 2), 13, 10),
            (3, 7, 1, Window::square(11, 4, 2), 27, 31),
            (2, 4, 1, Window { dilation: [2, 3], ..Window::square(3, 1, 2) }, 12, 14),
            (2, 2, 2, Window { pad: [0, 1, 2, 0], ..Window::square(4, 3, 0) }, 17, 16),
        ];
        for (inputs, outputs, groups, window, h, w) in shapes {
            let g = Geometry { inputs, outputs, groups, window };
            let x = Tensor::new(Shape::new(inputs, h, w), noise(inputs * h * w, 1)).unwrap();
            let [oh, ow] = window.output(h, w, false).unwrap();
            let dy = Tensor::new(Shape::new(outputs, oh, ow), noise(outputs * oh * ow, 2)).unwrap();
            let (ci, co, [kh, kw]) = (inputs / groups, outputs / groups, window.kernel);
            let start = noise(outputs * ci * kh * kw, 3);
            let mut want: Vec<f64> = start.iter().map(|v| f64::from(*v)).collect();
            for (i, v) in want.iter_mut().enumerate() {
                let (o, c, ky, kx) = (i / (ci * kh * kw), i / (kh * kw) % ci, i / kw % kh, i % kw);
                for p in 0..oh * ow {
                    let at = |a: usize, p: usize, k: usize| {
                        (p * window.stride[a] + k * window.dilation[a]) as isize - window.pad[a] as isize
                    };
                    let (y, x_at) = (at(0, p / ow, ky), at(1, p % ow, kx));
                    let value = x.at(o / co * ci + c, y, x_at);
                    *v += f64::from(value) * f64::from(dy.data()[o * oh * ow + p]);
                }
            }
            let mut got = start;
            conv(&g, &[(x.view(), dy.view())], &mut got);
            close(&got, &want);
        }
    }

    #[test]
    fn dense_layers_agree_with_the_definition() {
        for (batch, inputs, units) in [(1, 3, 1), (16, 50, 10), (7, 129, 33)] {
            let (x, dy) = (noise(batch * inputs, 4), noise(batch * units, 5));
            let mut got = vec![0.5; inputs * units];
            let xs: Vec<&[f32]> = x.chunks(inputs).collect();
            let dys: Vec<&[f32]> = dy.chunks(units).collect();
            dense(&xs, &dys, &mut got);
            let sum = |i: usize| -> f64 {
                (0..batch)
                    .map(|b| f64::from(dy[b * units + i / inputs]) * f64::from(x[b * inputs + i % inputs]))
                    .sum()
            };
            let want: Vec<f64> = (0..inputs * units).map(|i| 0.5 + sum(i)).collect();
            close(&got, &want);
        }
    }
}
