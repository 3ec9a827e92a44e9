//! Max pooling: value and switch of four windows at a time.

use super::{NONE, Planes};
use crate::kernel::parallel;
use crate::kernel::simd::{F4, Simd, Task, dispatch};
use crate::tensor::{Rect, Shape, View, ViewMut};
use crate::window::Window;

/// Sizes of a max pooling: `maps` neighbouring channels compete (1: ordinary pooling).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxPool {
    /// Kernel, stride, padding.
    pub window: Window,
    /// Channels that compete with each other.
    pub maps: usize,
    /// The whole input: switches index it.
    pub input: Shape,
}

impl MaxPool {
    /// Maximum and switch of each window in the output's rectangle. Ties go to the first index in
    /// scan order: maps, rows, columns; a NaN wins only if it comes first. `switches` is
    /// channels × rect.h × rect.w of the output. The input view must hold everything the windows read of
    /// the plane.
    pub fn forward(&self, input: View, mut output: ViewMut, switches: &mut [u32]) {
        let (r, n) = (output.rect, output.channels);
        if r.is_empty() || n == 0 {
            return;
        }
        assert_eq!(switches.len(), n * r.area(), "one switch per output value");
        let taps = self.window.kernel[0] * self.window.kernel[1] * self.maps;
        let threads = parallel::threads(n * r.area() * taps * 2);
        let parts = if threads == 1 { 1 } else { (4 * threads).min(n) };
        let planes = Planes::new(&mut output);
        let at = switches.as_mut_ptr() as usize;
        parallel::for_each(parts, threads, &|p| {
            let (from, to) = (n * p / parts, n * (p + 1) / parts);
            // SAFETY: the switches of channels from..to, which no other part has.
            let switches = unsafe {
                std::slice::from_raw_parts_mut((at as *mut u32).add(from * r.area()), (to - from) * r.area())
            };
            dispatch(Channels { pool: self, input, planes, from, to, switches });
        });
    }
}

struct Channels<'a> {
    pool: &'a MaxPool,
    input: View<'a>,
    planes: Planes,
    from: usize,
    to: usize,
    switches: &'a mut [u32],
}

impl Task for Channels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Channels { pool, input, planes, from, to, switches } = self;
        let r = planes.rect;
        let window = &pool.window;
        let [kx, sx, px] = [window.kernel[1] as isize, window.stride[1] as isize, window.pad[1] as isize];
        // Outputs whose windows are not clipped left or right.
        let low = (px + sx - 1).div_euclid(sx).clamp(r.x0, r.x1);
        let high = ((pool.input.w as isize + px - kx).div_euclid(sx) + 1).clamp(low, r.x1);
        let mut rows = switches.chunks_exact_mut(r.w());
        for c in from..to {
            for y in r.y0..r.y1 {
                let switches = rows.next().expect("one row of switches per row of outputs");
                // SAFETY: the only slice of this row alive.
                let line = unsafe { planes.line(c, y) };
                let win = window.reads(&Rect::new(y, 0, y + 1, 1));
                let (y0, y1) = (win.y0.max(0), win.y1.min(pool.input.h as isize));
                let mut one = |x: isize| {
                    let i = (x - r.x0) as usize;
                    (line[i], switches[i]) = pool.one(&input, c, [y0, y1], x);
                };
                (r.x0..low).for_each(&mut one);
                (high..r.x1).for_each(&mut one);
                let mut x = low;
                while x < high {
                    // The last four may overlap those before.
                    let start = x.min(high - 4);
                    let room = start >= low && sx <= 2 && y0 < y1 && {
                        let last = input.index(c * pool.maps + pool.maps - 1, y1 - 1, start * sx - px);
                        last + kx as usize + 3 * sx as usize <= input.data.len()
                    };
                    if room {
                        let i = (start - r.x0) as usize;
                        // SAFETY: `room`: the last tap's vectors end inside the input's data.
                        let (best, at) = unsafe { pool.four(&input, c, [y0, y1], start) };
                        // SAFETY: start + 4 ≤ high ≤ r.x1.
                        unsafe {
                            best.store(line.as_mut_ptr().add(i));
                            at.store(switches.as_mut_ptr().add(i).cast());
                        }
                    } else {
                        (x..high.min(x + 4)).for_each(|x| {
                            let i = (x - r.x0) as usize;
                            (line[i], switches[i]) = pool.one(&input, c, [y0, y1], x);
                        });
                    }
                    x += 4;
                }
            }
        }
    }
}

impl MaxPool {
    /// One window, clipped to the plane.
    #[inline(always)]
    fn one(&self, input: &View, c: usize, [y0, y1]: [isize; 2], x: isize) -> (f32, u32) {
        let win = self.window.reads(&Rect::new(0, x, 1, x + 1));
        let (x0, x1) = (win.x0.max(0), win.x1.min(self.input.w as isize));
        let (mut best, mut at) = (0.0, NONE);
        if x0 >= x1 {
            return (best, at);
        }
        for m in c * self.maps..(c + 1) * self.maps {
            for iy in y0..y1 {
                let from = input.index(m, iy, x0);
                let index = ((m * self.input.h + iy as usize) * self.input.w + x0 as usize) as u32;
                for (i, v) in input.data[from..from + (x1 - x0) as usize].iter().enumerate() {
                    if *v > best || at == NONE {
                        (best, at) = (*v, index + i as u32);
                    }
                }
            }
        }
        (best, at)
    }

    /// Four neighbouring windows that are not clipped left or right; stride 1 or 2.
    #[inline(always)]
    unsafe fn four(&self, input: &View, c: usize, [y0, y1]: [isize; 2], x: isize) -> (F4, F4) {
        let stride = self.window.stride[1];
        let x0 = x * stride as isize - self.window.pad[1] as isize;
        let lanes = [0, 1, 2, 3].map(|i| i * stride as u32);
        let stand = |m: usize, iy: isize| {
            let index = ((m * self.input.h + iy as usize) * self.input.w + x0 as usize) as u32;
            F4::integers(lanes.map(|l| l + index))
        };
        // SAFETY: the caller checked the last tap of the last row; what lies before it ends earlier. With
        // stride 2 the tap's four values are lanes 0, 2 from its place and lanes 1, 3 from three later.
        let tap = |m: usize, iy: isize, k: usize| unsafe {
            let p = input.data.as_ptr().add(input.index(m, iy, x0) + k);
            if stride == 1 { F4::load(p) } else { F4::load(p).pick(F4::load(p.add(3))) }
        };
        let one = F4::integers([1; 4]);
        let mut best = tap(c * self.maps, y0, 0);
        let mut at = stand(c * self.maps, y0);
        for m in c * self.maps..(c + 1) * self.maps {
            for iy in y0..y1 {
                let mut index = stand(m, iy);
                for k in 0..self.window.kernel[1] {
                    let v = tap(m, iy, k);
                    let better = v.above(best);
                    best = better.choose(v, best);
                    at = better.choose(index, at);
                    index = index.add_integers(one);
                }
            }
        }
        (best, at)
    }
}
