//! The transpose of a convolution at a signal that is mostly zero: every value that is not adds its filter.
//!
//! A sparse code has about one value in twenty. Dense products would multiply the other nineteen, and a picture of one
//! channel leaves three of the four rows of their tiles idle: for 15 maps of 156 × 156 and filters of 7 × 7, 0.2 ms here, 1.6 dense.

mod at;

use super::parallel;
use super::simd::{Simd, Task, dispatch};
use crate::error::{Error, Result};
use crate::tensor::{View, ViewMut};

/// Row length of the stored filters: whole vectors of eight.
const WIDE: usize = 8;

/// Filters as rows to be added: of a convolution with stride 1, no dilation, one group.
pub struct Atoms {
    /// `[filter][channel][ky][row of whole vectors]`.
    rows: Vec<f32>,
    filters: usize,
    channels: usize,
    kernel: [usize; 2],
    pad: [usize; 2],
    /// Values in a stored row.
    row: usize,
}

/// What of one line of one map is not zero.
#[derive(Default)]
struct Line {
    at: Vec<(u32, f32)>,
}

impl Atoms {
    /// `weights` is (filters, channels, kh, kw), `pad` the convolution's padding at the top and the left.
    pub fn new(weights: &[f32], [filters, channels, kh, kw]: [usize; 4], pad: [usize; 2]) -> Result<Atoms> {
        if weights.len() != filters * channels * kh * kw {
            return Err(Error::Shape(format!(
                "{} weights for {filters}×{channels}×{kh}×{kw}",
                weights.len()
            )));
        }
        let row = kw.next_multiple_of(WIDE);
        let mut rows = vec![0.0; filters * channels * kh * row];
        for (to, from) in rows.chunks_exact_mut(row).zip(weights.chunks_exact(kw)) {
            to[..kw].copy_from_slice(from);
        }
        Ok(Atoms { rows, filters, channels, kernel: [kh, kw], pad, row })
    }

    /// out[c, y + ky − pad, x + kx − pad] = Σ z[o, y, x] · w[o, c, ky, kx]; the output's rectangle is overwritten.
    pub fn run(&self, z: View, mut out: ViewMut) {
        assert!(z.channels == self.filters && out.channels == self.channels, "maps as the filters have them");
        let (lines, nonzero) = lines(&z);
        let r = out.rect;
        let work = nonzero * self.channels * self.kernel[0] * self.row + self.channels * r.area();
        let threads = parallel::threads(work);
        // Bands overlap by a filter's height in what they read, so not too many of them.
        let bands = if threads == 1 {
            1
        } else {
            (2 * threads).div_ceil(self.channels).min(r.h().div_ceil(16)).max(1)
        };
        let (data, row, plane) = (out.data.as_mut_ptr() as usize, out.row, out.plane);
        parallel::for_each(self.channels * bands, threads, &|i| {
            let (c, band) = (i / bands, i % bands);
            let (y0, y1) = (r.h() * band / bands, r.h() * (band + 1) / bands);
            // Margins on both sides: what hangs over the border needs no case of its own.
            let width = r.w() + 2 * self.row;
            let mut room = vec![0.0f32; (y1 - y0) * width];
            dispatch(Band {
                atoms: self,
                lines: &lines,
                z: &z,
                c,
                from: r.y0 + y0 as isize,
                x0: r.x0,
                width,
                room: &mut room,
            });
            for (y, line) in room.chunks_exact(width).enumerate() {
                // SAFETY: rows of this band and channel, which no other task has.
                let to = unsafe {
                    std::slice::from_raw_parts_mut((data as *mut f32).add(c * plane + (y0 + y) * row), r.w())
                };
                to.copy_from_slice(&line[self.row..self.row + r.w()]);
            }
        });
        let _ = &mut out;
    }
}

/// `g` in a frame of zeros, `kh` rows and `row` columns wide, so that what hangs over the border needs no case of its own; and a row's
/// length of zeros at its end. With its height and width.
fn frame(g: View, kh: usize, row: usize) -> (Vec<f32>, usize, usize) {
    let r = g.rect;
    let (height, width) = (r.h() + 2 * kh, r.w() + 2 * row);
    let mut framed = vec![0.0f32; g.channels * height * width + row];
    for c in 0..g.channels {
        for y in 0..r.h() {
            let to = (c * height + y + kh) * width + row;
            framed[to..to + r.w()].copy_from_slice(g.line(c, r.y0 + y as isize));
        }
    }
    (framed, height, width)
}

/// The other transpose, with respect to the filters: Σ over positions of z[o, y, x] · g[c, y + ky − pad, x + kx − pad], as
/// (filters, channels, kh, kw): what a residual g says about every filter. `z` mostly zero.
pub fn correlate(z: View, g: View, [kh, kw]: [usize; 2], pad: [usize; 2]) -> Vec<f32> {
    let (lines, nonzero) = lines(&z);
    let row = kw.next_multiple_of(WIDE);
    let (framed, height, width) = frame(g, kh, row);
    let r = g.rect;
    let one = g.channels * kh * row;
    let mut sums = vec![0.0f32; z.channels * one];
    let data = sums.as_mut_ptr() as usize;
    parallel::for_each(z.channels, parallel::threads(nonzero * one), &|o| {
        // SAFETY: every filter's sums once.
        let sums = unsafe { std::slice::from_raw_parts_mut((data as *mut f32).add(o * one), one) };
        let from = [r.y0 + pad[0] as isize - kh as isize, r.x0 + pad[1] as isize - row as isize];
        dispatch(Correlation {
            lines: &lines,
            z: &z,
            o,
            framed: &framed,
            size: [height, width, row, kh, kw],
            from,
            sums,
        });
    });
    sums.chunks_exact(row).flat_map(|line| line[..kw].iter().copied()).collect()
}

struct Correlation<'a> {
    lines: &'a [Line],
    z: &'a View<'a>,
    o: usize,
    framed: &'a [f32],
    /// Rows and columns of a framed channel, length of a stored row, rows and columns of a filter.
    size: [usize; 5],
    /// The place in z's plane whose filter starts at the frame's corner.
    from: [isize; 2],
    sums: &'a mut [f32],
}

impl Task for Correlation<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Correlation { lines, z, o, framed, size: [height, width, row, kh, kw], from, sums } = self;
        let channels = sums.len() / (kh * row);
        for y in 0..z.rect.h() {
            let top = z.rect.y0 + y as isize - from[0];
            if top < 0 || top as usize + kh > height {
                continue;
            }
            for &(x, v) in &lines[o * z.rect.h() + y].at {
                let left = z.rect.x0 + x as isize - from[1];
                if left < 0 || left as usize + kw > width {
                    continue;
                }
                let v = S::splat(v);
                for c in 0..channels {
                    for ky in 0..kh {
                        // SAFETY: checked above, and the frame ends in a row's length of zeros.
                        unsafe {
                            let g =
                                framed.as_ptr().add((c * height + top as usize + ky) * width + left as usize);
                            let to = sums.as_mut_ptr().add((c * kh + ky) * row);
                            for k in (0..row).step_by(S::LANES) {
                                v.mul_add(S::load(g.add(k)), S::load(to.add(k))).store(to.add(k));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The values of every line of every map, and how many there are.
fn lines(z: &View) -> (Vec<Line>, usize) {
    let (h, w) = (z.rect.h(), z.rect.w());
    let mut all: Vec<Line> = Vec::with_capacity(z.channels * h);
    let mut nonzero = 0;
    for o in 0..z.channels {
        for y in z.rect.y0..z.rect.y1 {
            let mut line = Line::default();
            for (i, eight) in z.line(o, y).chunks(8).enumerate() {
                if eight.iter().all(|v| *v == 0.0) {
                    continue;
                }
                for (k, v) in eight.iter().enumerate() {
                    if *v != 0.0 {
                        line.at.push(((8 * i + k) as u32, *v));
                    }
                }
            }
            nonzero += line.at.len();
            all.push(line);
        }
    }
    debug_assert_eq!(all.len(), z.channels * h);
    let _ = w;
    (all, nonzero)
}

struct Band<'a> {
    atoms: &'a Atoms,
    lines: &'a [Line],
    z: &'a View<'a>,
    c: usize,
    /// First row of the band and first column of the output, in the plane.
    from: isize,
    x0: isize,
    width: usize,
    room: &'a mut [f32],
}

impl Task for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Band { atoms, lines, z, c, from, x0, width, room } = self;
        let [kh, kw] = atoms.kernel.map(|k| k as isize);
        let [py, px] = atoms.pad.map(|p| p as isize);
        let rows = (room.len() / width) as isize;
        let margin = atoms.row as isize;
        for o in 0..atoms.filters {
            let filter = &atoms.rows[(o * atoms.channels + c) * atoms.kernel[0] * atoms.row..];
            // Lines whose filters reach the band.
            let first = (from + py - kh + 1).max(z.rect.y0);
            let last = (from + rows + py).min(z.rect.y1);
            for y in first..last {
                let top = y - py - from;
                let taps = (-top).max(0)..kh.min(rows - top);
                for &(x, v) in &lines[o * z.rect.h() + (y - z.rect.y0) as usize].at {
                    let left = z.rect.x0 + x as isize - px - x0 + margin;
                    // Wholly outside: nothing of it shows.
                    if left + kw <= margin || left >= width as isize - margin {
                        continue;
                    }
                    let v = S::splat(v);
                    for ky in taps.clone() {
                        // SAFETY: `left` is within a margin of the rectangle and rows are whole vectors no longer than
                        // the margin; `taps` keeps to the band's rows.
                        unsafe {
                            let w = filter.as_ptr().add(ky as usize * atoms.row);
                            let to = room.as_mut_ptr().add((top + ky) as usize * width + left as usize);
                            for k in (0..atoms.row).step_by(S::LANES) {
                                v.mul_add(S::load(w.add(k)), S::load(to.add(k))).store(to.add(k));
                            }
                        }
                    }
                }
            }
        }
    }
}
