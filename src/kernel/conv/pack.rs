//! Implicit im2col: the rows of the right-hand matrix, copied for one block of columns at a time.

use super::Item;
use crate::kernel::simd::{F4, Simd};
use crate::tensor::{Rect, View};

/// An item's input as packing sees it: columns with the same remainder by the stride lie together, so
/// that what a tap reads for neighbouring outputs is contiguous whatever the stride.
#[derive(Clone, Copy)]
pub struct Source {
    data: *const f32,
    len: usize,
    plane: usize,
    row: usize,
    rect: Rect,
    /// Horizontal stride.
    stride: isize,
    /// Distance between column phases (0: the stride is 1).
    phase: usize,
}

// SAFETY: only read, while the views it was made from are borrowed.
unsafe impl Send for Source {}
unsafe impl Sync for Source {}

impl Source {
    /// Straight from a view, for horizontal stride 1.
    pub fn view(v: &View) -> Source {
        let (data, len) = (v.data.as_ptr(), v.data.len());
        Source { data, len, plane: v.plane, row: v.row, rect: v.rect, stride: 1, phase: 0 }
    }

    /// Room that [`Source::split`] needs.
    pub fn room(channels: usize, rect: Rect, stride: usize) -> usize {
        channels * rect.h() * stride * (rect.w().div_ceil(stride) + 1)
    }

    /// Sorts the columns of `rect` by their remainder; writes channel `c` of the copy.
    pub fn split(v: &View, rect: Rect, stride: usize, room: *mut f32, len: usize) -> Source {
        let phase = rect.w().div_ceil(stride) + 1;
        let row = stride * phase;
        let stride = stride as isize;
        debug_assert!(len >= v.channels * rect.h() * row);
        Source { data: room, len, plane: rect.h() * row, row, rect, stride, phase }
    }

    /// Fills one channel of a split copy.
    ///
    /// # Safety
    /// The source must have been made by `split` from `v`; one thread per channel.
    pub unsafe fn fill(&self, v: &View, c: usize) {
        for y in self.rect.y0..self.rect.y1 {
            for phase in 0..self.stride {
                let (u0, u1) = self.columns(phase);
                let n = (u1 - u0).max(0) as usize;
                if n == 0 {
                    continue;
                }
                let from = &v.data[v.index(c, y, u0 * self.stride + phase)..];
                let to = self.offset(phase, y, u0) + c * self.plane;
                debug_assert!(to + n <= self.len);
                for i in 0..n {
                    // SAFETY: within the room by the assertion, within the row by `columns`.
                    unsafe { *self.data.cast_mut().add(to + i) = from[i * self.stride as usize] };
                }
            }
        }
    }

    /// Columns u of a phase, those with u·stride + phase inside the rectangle.
    #[inline(always)]
    fn columns(&self, phase: isize) -> (isize, isize) {
        if self.stride == 1 {
            return (self.rect.x0, self.rect.x1);
        }
        let up = |x: isize| -(-(x - phase)).div_euclid(self.stride);
        (up(self.rect.x0), up(self.rect.x1))
    }

    #[inline(always)]
    fn offset(&self, phase: isize, y: isize, u: isize) -> usize {
        (y - self.rect.y0) as usize * self.row
            + phase as usize * self.phase
            + (u - self.columns(phase).0) as usize
    }
}

/// One tap of a pass: what it reads for output (v, u) is row v·stride + dy, column u + du of a phase.
#[derive(Clone, Copy, Debug)]
pub struct Tap {
    /// Row offset.
    pub dy: isize,
    /// Column phase.
    pub phase: isize,
    /// Column offset within the phase.
    pub du: isize,
}

/// Neighbouring columns of the product that come from one row of one item.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Which item.
    pub item: u32,
    /// First column within its block.
    pub column: u32,
    /// Number of columns.
    pub n: u32,
    /// Row of its first output, in the pass's own count.
    pub v: i32,
    /// Column of its first output.
    pub u: i32,
    /// Index of its first output in the item's data, channel 0.
    pub at: usize,
}

/// A channel that does not exist: a row of zeros.
pub const ABSENT: u32 = u32::MAX;

/// Rows `from..to` of k = (tap, channel), one after the other with distance `ldb`.
///
/// # Safety
/// `out` must be valid for (to − from)·ldb + 4 values, and ldb at least 4 above the columns of the runs.
#[inline(always)]
pub unsafe fn pack(
    sources: &[Source],
    taps: &[Tap],
    channels: &[u32],
    stride: isize,
    runs: &[Run],
    [from, to]: [usize; 2],
    out: *mut f32,
    ldb: usize,
) {
    let mut k = from;
    while k < to {
        let (tap, first) = (taps[k / channels.len()], k % channels.len());
        let n = (channels.len() - first).min(to - k);
        let channels = &channels[first..first + n];
        // SAFETY: rows k − from .. k − from + n are inside `out`.
        unsafe { rows(sources, tap, channels, stride, runs, out.add((k - from) * ldb), ldb) };
        k += n;
    }
}

#[inline(always)]
unsafe fn rows(
    sources: &[Source],
    tap: Tap,
    channels: &[u32],
    stride: isize,
    runs: &[Run],
    out: *mut f32,
    ldb: usize,
) {
    let most = channels.iter().filter(|c| **c != ABSENT).max().copied().unwrap_or(0) as usize;
    let plain = !channels.contains(&ABSENT);
    for run in runs {
        let source = &sources[run.item as usize];
        let n = run.n as usize;
        // SAFETY: the run's columns of every row are inside `out`.
        unsafe {
            let mut to = out.add(run.column as usize);
            let y = run.v as isize * stride + tap.dy;
            let (u0, u1) = source.columns(tap.phase);
            let u = run.u as isize + tap.du;
            let (left, right) =
                ((u0 - u).clamp(0, n as isize) as usize, (u1 - u).clamp(0, n as isize) as usize);
            if y < source.rect.y0 || y >= source.rect.y1 || left >= right {
                for _ in channels {
                    zero(to, n);
                    to = to.add(ldb);
                }
                continue;
            }
            let inside = right - left;
            let at = source.offset(tap.phase, y, u + left as isize);
            debug_assert!(at + most * source.plane + inside <= source.len);
            let from = source.data.add(at);
            // Whole vectors where that stays inside the slice; what is too much is overwritten by the
            // next run, or by nobody: ldb leaves room.
            let roomy = at + most * source.plane + inside.next_multiple_of(4) <= source.len;
            if plain && roomy && left == 0 && right == n {
                let vectors = n.div_ceil(4);
                for &c in channels {
                    let from = from.add(c as usize * source.plane);
                    for i in 0..vectors {
                        F4::load(from.add(4 * i)).store(to.add(4 * i));
                    }
                    to = to.add(ldb);
                }
                continue;
            }
            for &c in channels {
                if c == ABSENT {
                    zero(to, n);
                } else {
                    let from = from.add(c as usize * source.plane);
                    if roomy {
                        for i in 0..inside.div_ceil(4) {
                            F4::load(from.add(4 * i)).store(to.add(left + 4 * i));
                        }
                    } else {
                        for i in 0..inside {
                            *to.add(left + i) = *from.add(i);
                        }
                    }
                    zero(to, left);
                    zero(to.add(right), n - right);
                }
                to = to.add(ldb);
            }
        }
    }
}

#[inline(always)]
unsafe fn zero(to: *mut f32, n: usize) {
    for i in 0..n {
        // SAFETY: the caller grants n values.
        unsafe { *to.add(i) = 0.0 };
    }
}

/// Where a run starts in its item's input, channel 0, if all of it lies inside.
pub fn contiguous(items: &[Item], run: &Run, tap: Tap) -> Option<usize> {
    let v = &items[run.item as usize].input;
    let (y, x) = (run.v as isize + tap.dy, run.u as isize + tap.du);
    let inside = v.rect.holds(y, x) && x + run.n as isize <= v.rect.x1;
    inside.then(|| v.index(0, y, x))
}
