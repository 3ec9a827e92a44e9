//! The transpose of a strided convolution with few inputs (the first layer) as one convolution.
//!
//! The outputs q = s·v + φ of a phase φ are a gathering convolution of their own (see the module above), but with
//! three rows each, for which its share of the signal would be packed again: s² times in all, and packing takes
//! longer than multiplying. So the phases become rows of one convolution with stride 1 over all the taps that
//! any of them has (zero where one has not), and its maps are interleaved afterwards. AlexNet's conv1: 4.7 ms → 1.3.

use super::{Filters, Geometry, Item, Weights, direct};
use crate::kernel::{parallel, scratch};
use crate::tensor::{Rect, ViewMut};
use crate::window::Window;
use std::sync::Arc;

/// Inputs (rows of a phase) up to which this is faster: a tile of the product has four.
const FEW: usize = 4;

/// Filters of all phases: row (c·s + φ_y)·s + φ_x of input channel c.
pub struct Phases {
    filters: Filters,
    stride: [usize; 2],
}

impl Phases {
    /// From (outputs, inputs, kh, kw), where this way is the faster one.
    pub fn fit(weights: &[f32], g: &Geometry) -> Option<Phases> {
        let w = &g.window;
        let stride = w.stride;
        let several = stride[0] * stride[1] > 1;
        if !several || g.inputs > FEW || g.groups != 1 || w.dilation != [1, 1] || g.outputs < 8 {
            return None;
        }
        // Output q = s·v + φ reads position v + d through tap k where φ + pad − s·d = k.
        let (mut kernel, mut before) = ([0; 2], [0; 2]);
        for a in 0..2 {
            let (s, pad, k) = (stride[a] as isize, w.pad[a] as isize, w.kernel[a] as isize);
            let (first, last) = (-((k - 1 - pad).div_euclid(s)), (s - 1 + pad).div_euclid(s));
            if first > 0 || k - 1 < pad {
                return None;
            }
            (kernel[a], before[a]) = ((last - first + 1) as usize, -first as usize);
        }
        let taps = kernel[0] * kernel[1];
        let outputs = g.inputs * stride[0] * stride[1];
        let mut values = vec![0.0; outputs * g.outputs * taps];
        for row in 0..outputs {
            let (c, phase) = (row / (stride[0] * stride[1]), row % (stride[0] * stride[1]));
            let phase = [phase / stride[1], phase % stride[1]];
            for t in 0..taps {
                let at = [t / kernel[1], t % kernel[1]];
                // Which tap of the filter this is; outside of it for some phases.
                let tap = |a: usize| {
                    let d = at[a] as isize - before[a] as isize;
                    let k = (phase[a] + w.pad[a]) as isize - stride[a] as isize * d;
                    usize::try_from(k).ok().filter(|k| *k < w.kernel[a])
                };
                let (Some(ky), Some(kx)) = (tap(0), tap(1)) else { continue };
                for o in 0..g.outputs {
                    let from = ((o * g.inputs + c) * w.kernel[0] + ky) * w.kernel[1] + kx;
                    values[(row * g.outputs + o) * taps + t] = weights[from];
                }
            }
        }
        let pad = [before[0], before[1], kernel[0] - 1 - before[0], kernel[1] - 1 - before[1]];
        let window = Window { kernel, stride: [1, 1], pad, dilation: [1, 1] };
        let geometry = Geometry { inputs: g.outputs, outputs, groups: 1, window };
        let weights = Arc::new(Weights::Direct(direct::Packed::new(&values, &geometry), None));
        let filters = Filters { geometry, transposed: false, weights, bias: [].into() };
        Some(Phases { filters, stride })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.filters.bytes()
    }

    /// Whether so many tiles of four channels carry a signal that this is faster than the phases one by one, which
    /// leave out the others.
    pub fn pays(&self, active: usize) -> bool {
        16 * active >= self.filters.geometry.inputs
    }

    /// Computes the transpose.
    pub fn run(&self, items: &mut [Item], rectify: bool) {
        let [sy, sx] = self.stride.map(|s| s as isize);
        let up = |q: isize, s: isize| -(-q).div_euclid(s);
        let inner: Vec<Rect> = items
            .iter()
            .map(|i| {
                let r = i.output.rect;
                Rect::new(r.y0.div_euclid(sy), r.x0.div_euclid(sx), up(r.y1, sy), up(r.x1, sx))
            })
            .collect();
        let maps = self.filters.geometry.outputs;
        let mut room = scratch::take(inner.iter().map(|r| maps * r.area()).sum());
        let mut rest = &mut room[..];
        let mut phases: Vec<Item> = Vec::with_capacity(items.len());
        for (item, rect) in items.iter().zip(&inner) {
            let (data, after) = rest.split_at_mut(maps * rect.area());
            rest = after;
            let output = ViewMut { data, channels: maps, rect: *rect, row: rect.w(), plane: rect.area() };
            phases.push(Item { input: item.input, output });
        }
        self.filters.run(&mut phases, rectify);
        for (item, phases) in items.iter_mut().zip(&phases) {
            self.interleave(phases, &mut item.output);
        }
    }

    fn interleave(&self, phases: &Item, out: &mut ViewMut) {
        let (from, r) = (&phases.output, out.rect);
        let [sy, sx] = self.stride;
        let (data, row, plane) = (out.data.as_mut_ptr() as usize, out.row, out.plane);
        let threads = parallel::threads(out.channels * r.area() * 4);
        parallel::for_each(out.channels * r.h(), threads, &|i| {
            let (c, y) = (i / r.h(), i % r.h());
            // SAFETY: every row of the output's rectangle once, and the rows do not overlap.
            let line =
                unsafe { std::slice::from_raw_parts_mut((data as *mut f32).add(c * plane + y * row), r.w()) };
            let y = r.y0 + y as isize;
            let (v, phase) = (y.div_euclid(sy as isize), y.rem_euclid(sy as isize) as usize);
            for px in 0..sx {
                let map =
                    &from.data[from.index((c * sy + phase) * sx + px, v, from.rect.x0)..][..from.rect.w()];
                let first = from.rect.x0 * sx as isize + px as isize - r.x0;
                let skip = if first < 0 { 1 } else { 0 };
                let start = (first + (skip * sx) as isize) as usize;
                for (to, value) in line.iter_mut().skip(start).step_by(sx).zip(&map[skip..]) {
                    *to = *value;
                }
            }
        });
    }
}
