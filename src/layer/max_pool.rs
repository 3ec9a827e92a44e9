//! Max pooling. Push: the largest value of each window, and the switch: where it stood.
//! Pull: each value returns to its switch, all else is zero; values that meet sum (semantics §2).

use super::{Descent, Layer, Push, Recorded, Unpool};
use crate::error::{Error, Result};
use crate::kernel::pool;
use crate::tensor::{Rect, Shape, View, ViewMut};
use crate::window::Window;

/// Floor or ceil, padded, overlapping; with `maps` > 1 neighbouring maps compete too (3-D).
pub struct MaxPool {
    window: Window,
    ceil: bool,
    maps: usize,
    global: bool,
}

impl MaxPool {
    /// Refuses dilation and windows that could lie wholly in the padding.
    pub fn new(window: Window, ceil: bool, maps: usize) -> Result<MaxPool> {
        check(&window)?;
        if maps == 0 {
            return Err(Error::Shape("3-D pooling needs at least one map in a group".into()));
        }
        Ok(MaxPool { window, ceil, maps, global: false })
    }

    /// One window over the whole plane.
    pub fn global() -> MaxPool {
        MaxPool { window: Window::square(1, 1, 0), ceil: false, maps: 1, global: true }
    }

    fn window(&self, input: Shape) -> Window {
        if self.global { Window { kernel: [input.h, input.w], ..self.window } } else { self.window }
    }

    fn kernel(&self, input: Shape) -> pool::MaxPool {
        pool::MaxPool { window: self.window(input), maps: self.maps, input }
    }

    /// The "no switches" ablation: every value goes to pixel ⌊k/2⌋, ⌊k/2⌋ of the unclipped window,
    /// clipped into the image (3-D: to map ⌊maps/2⌋ of its group).
    fn centres(&self, over: Rect, channels: usize, input: Shape) -> Vec<u32> {
        let mut out = Vec::with_capacity(channels * over.area());
        let window = self.window(input);
        for c in 0..channels {
            let m = c * self.maps + self.maps / 2;
            for y in over.y0..over.y1 {
                for x in over.x0..over.x1 {
                    let r = window.reads(&Rect::unit(y, x));
                    let cy = (r.y0 + (window.kernel[0] / 2) as isize).clamp(0, input.h as isize - 1);
                    let cx = (r.x0 + (window.kernel[1] / 2) as isize).clamp(0, input.w as isize - 1);
                    out.push(((m * input.h + cy as usize) * input.w + cx as usize) as u32);
                }
            }
        }
        out
    }
}

/// Shared by all pools: no dilation, padding smaller than the window.
pub(super) fn check(window: &Window) -> Result<()> {
    window.check()?;
    if window.dilation != [1, 1] {
        return Err(Error::Unsupported("pooling with dilation; use dilation 1".into()));
    }
    let [kh, kw] = window.kernel;
    let [t, l, b, r] = window.pad;
    if t >= kh || b >= kh || l >= kw || r >= kw {
        return Err(Error::Shape(format!(
            "padding {:?} as large as the pooling window {kh}×{kw}: some windows would see no pixel",
            window.pad
        )));
    }
    Ok(())
}

impl Layer for MaxPool {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let s = inputs[0];
        if !s.c.is_multiple_of(self.maps) {
            return Err(Error::Shape(format!("groups of {} maps do not divide {} maps", self.maps, s.c)));
        }
        if s.count()? >= pool::NONE as usize {
            return Err(Error::Limit(format!("switches cannot index {s} values; use a smaller input")));
        }
        let [h, w] = self.window(s).output(s.h, s.w, self.ceil)?;
        Ok(Shape::new(s.c / self.maps, h, w))
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            let kernel = self.kernel(p.shapes[0]);
            match &mut p.switches {
                Some(s) => kernel.forward(p.inputs[0], p.output.borrow(), s),
                None => {
                    let mut s = vec![0; p.output.channels * p.output.rect.area()];
                    kernel.forward(p.inputs[0], p.output.borrow(), &mut s);
                }
            }
        }
    }

    fn pull(&self, at: &Recorded, descent: &Descent, signal: View, _: usize, out: ViewMut) {
        let input = at.shapes[0];
        match (descent.unpool, at.switches) {
            (Unpool::Switches, Some(switches)) => pool::unpool(signal, switches, at.over, input, out),
            _ => {
                let centres = self.centres(signal.rect, signal.channels, input);
                pool::unpool(signal, &centres, signal.rect, input, out);
            }
        }
    }

    fn reads(&self, out: &Rect, input: Shape) -> Rect {
        self.window(input).reads(out)
    }

    fn reaches(&self, input: &Rect, output: Shape) -> Rect {
        match self.global {
            true if input.is_empty() => Rect::default(),
            true => output.rect(),
            false => self.window.reaches(input),
        }
    }

    fn has_switches(&self) -> bool {
        true
    }

    fn work(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * self.maps / 4
    }
}
