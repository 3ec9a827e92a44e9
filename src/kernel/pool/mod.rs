//! Max and average pooling with their transposes.
//!
//! A switch is the flat index `(c·H + y)·W + x` of the winner in the whole input, whatever
//! rectangle was computed; [`NONE`] where a window saw no pixel.

mod average;
mod max;
#[cfg(test)]
mod tests;

pub use average::AvgPool;
pub use max::MaxPool;

use super::parallel;
use crate::tensor::{Rect, Shape, View, ViewMut};

/// The switch of a window that saw nothing but padding.
pub const NONE: u32 = u32::MAX;

/// Output channels handed to threads one by one: raw parts of a view to write.
#[derive(Clone, Copy)]
struct Planes {
    data: *mut f32,
    len: usize,
    channels: usize,
    rect: Rect,
    row: usize,
    plane: usize,
}

// SAFETY: made from a mutable borrow; each thread takes its own channels.
unsafe impl Send for Planes {}
unsafe impl Sync for Planes {}

impl Planes {
    fn new(v: &mut ViewMut) -> Planes {
        let (data, len) = (v.data.as_mut_ptr(), v.data.len());
        Planes { data, len, channels: v.channels, rect: v.rect, row: v.row, plane: v.plane }
    }

    /// One row of one channel.
    ///
    /// # Safety
    /// Only one such slice of a row may live at a time.
    #[inline(always)]
    unsafe fn line<'a>(self, c: usize, y: isize) -> &'a mut [f32] {
        let at = c * self.plane + (y - self.rect.y0) as usize * self.row;
        debug_assert!(c < self.channels && self.rect.w() + at <= self.len);
        // SAFETY: inside the view that this was made from, by its own geometry.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(at), self.rect.w()) }
    }
}

/// Puts every value of `signal` at its switch; values that meet on one pixel sum. `switches`
/// covers `over` (channels × over.h × over.w), which must cover the signal's rectangle. `out` is
/// overwritten; switches that point outside its rectangle are dropped.
pub fn unpool(signal: View, switches: &[u32], over: Rect, input: Shape, mut out: ViewMut) {
    // Channels of a group share output maps only with each other: those of one channel are its own.
    let maps = (input.c / signal.channels.max(1)).max(1);
    let (r, n) = (signal.rect, signal.channels);
    let planes = Planes::new(&mut out);
    let threads = parallel::threads((planes.rect.area() * maps + 4 * r.area()) * n);
    let plane = input.h * input.w;
    let parts = if threads == 1 { 1 } else { (4 * threads).min(n) };
    parallel::for_each(parts, threads, &|p| {
        let channels = n * p / parts..n * (p + 1) / parts;
        // SAFETY: maps of this part's channels, which no other part has.
        unsafe {
            for m in channels.start * maps..(channels.end * maps).min(planes.channels) {
                for y in planes.rect.y0..planes.rect.y1 {
                    planes.line(m, y).fill(0.0);
                }
            }
            for c in channels {
                for y in r.y0..r.y1 {
                    let from = (c * over.h() + (y - over.y0) as usize) * over.w() + (r.x0 - over.x0) as usize;
                    for (v, at) in signal.line(c, y).iter().zip(&switches[from..from + r.w()]) {
                        if *v == 0.0 || *at == NONE {
                            continue;
                        }
                        let m = *at as usize / plane;
                        debug_assert_eq!(m / maps, c);
                        let local = *at - (m * plane) as u32;
                        let (iy, ix) = (local / input.w as u32, local % input.w as u32);
                        if m / maps == c && planes.rect.holds(iy as isize, ix as isize) {
                            planes.line(m, iy as isize)[(ix as isize - planes.rect.x0) as usize] += v;
                        }
                    }
                }
            }
        }
    });
    // Maps that belong to no group.
    for m in n * maps..planes.channels {
        for y in planes.rect.y0..planes.rect.y1 {
            // SAFETY: the only slice alive.
            unsafe { planes.line(m, y).fill(0.0) };
        }
    }
}
