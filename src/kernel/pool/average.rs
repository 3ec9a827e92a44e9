//! Average pooling.

use super::Planes;
use crate::kernel::parallel;
use crate::kernel::simd::{F4, Simd};
use crate::tensor::{Rect, Shape, View, ViewMut};
use crate::window::Window;

/// Mean (or, with `divide` false, sum) over each window. The divisor counts the window's pixels
/// inside the plane, or with `include_pad` inside the plane and its padding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AvgPool {
    /// Kernel, stride, padding.
    pub window: Window,
    /// Whether padding counts in the divisor.
    pub include_pad: bool,
    /// False: plain sums (LeNet's subsampling).
    pub divide: bool,
    /// The whole input.
    pub input: Shape,
}

impl AvgPool {
    fn scale(&self, y: isize, x: isize) -> f32 {
        if !self.divide {
            return 1.0;
        }
        let [t, l, b, r] = self.window.pad.map(|p| p as isize);
        let counted = if self.include_pad {
            Rect::new(-t, -l, self.input.h as isize + b, self.input.w as isize + r)
        } else {
            self.input.rect()
        };
        let n = self.window.reads(&Rect::unit(y, x)).intersect(&counted).area();
        if n == 0 { 0.0 } else { 1.0 / n as f32 }
    }

    /// Computes the output's rectangle.
    pub fn forward(&self, input: View, mut output: ViewMut) {
        let r = output.rect;
        let planes = Planes::new(&mut output);
        let work = planes.channels * r.area() * self.window.kernel[0] * self.window.kernel[1];
        each_channel(planes.channels, work, &|c| {
            for y in r.y0..r.y1 {
                // SAFETY: the only slice of this row alive.
                let line = unsafe { planes.line(c, y) };
                for (o, x) in line.iter_mut().zip(r.x0..) {
                    let win = self.window.reads(&Rect::unit(y, x)).intersect(&input.rect);
                    let mut total = 0.0;
                    if !win.is_empty() {
                        for iy in win.y0..win.y1 {
                            total += sum(&input.data[input.index(c, iy, win.x0)..][..win.w()]);
                        }
                    }
                    *o = total * self.scale(y, x);
                }
            }
        });
    }

    /// Spreads every value evenly over its window; overwrites `out`.
    pub fn transpose(&self, signal: View, mut out: ViewMut) {
        let r = signal.rect;
        let planes = Planes::new(&mut out);
        let work = planes.channels * r.area() * self.window.kernel[0] * self.window.kernel[1];
        each_channel(planes.channels, work + planes.channels * planes.rect.area(), &|c| {
            // SAFETY (here and below): one row of this channel at a time.
            (planes.rect.y0..planes.rect.y1).for_each(|y| unsafe { planes.line(c, y) }.fill(0.0));
            for y in r.y0..r.y1 {
                for (v, x) in signal.line(c, y).iter().zip(r.x0..) {
                    let v = v * self.scale(y, x);
                    let win = self.window.reads(&Rect::unit(y, x)).intersect(&planes.rect);
                    if v == 0.0 || win.is_empty() {
                        continue;
                    }
                    let from = (win.x0 - planes.rect.x0) as usize;
                    for iy in win.y0..win.y1 {
                        let line = unsafe { planes.line(c, iy) };
                        line[from..from + win.w()].iter_mut().for_each(|o| *o += v);
                    }
                }
            }
        });
    }
}

fn each_channel(n: usize, work: usize, f: &(dyn Fn(usize) + Sync)) {
    let threads = parallel::threads(work);
    let parts = if threads == 1 { 1 } else { (4 * threads).min(n) };
    parallel::for_each(parts, threads, &|p| (n * p / parts..n * (p + 1) / parts).for_each(f));
}

fn sum(values: &[f32]) -> f32 {
    let mut chunks = values.chunks_exact(4);
    let mut acc = F4::splat(0.0);
    for c in &mut chunks {
        // SAFETY: four values.
        acc = acc.add(unsafe { F4::load(c.as_ptr()) });
    }
    acc.sum() + chunks.remainder().iter().sum::<f32>()
}
