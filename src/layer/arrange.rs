//! Values moved, none changed: a border, another shape, other axes. Push: y_p = x_{q(p)}, or a constant where
//! a border has no source. Pull, under every rule: x̂_q = Σ y_p over all p that read q.

use super::{Descent, Layer, Push, Recorded};
use crate::error::{Error, Result};
use crate::spec::{PadMode, shape};
use crate::tensor::{Rect, Shape, View, ViewMut};

/// Where each output value comes from.
pub enum Arrange {
    /// Top, left, bottom, right; what the border holds; its constant.
    Pad([usize; 4], PadMode, f32),
    /// The same values in C order.
    Reshape(Shape),
    /// Axis `i` is axis `order[i]` of the input.
    Transpose([usize; 3]),
}

impl Arrange {
    /// The input position that an output position shows.
    fn source(&self, [c, y, x]: [usize; 3], input: Shape, output: Shape) -> Option<[usize; 3]> {
        match self {
            Arrange::Pad(pad, mode, _) => {
                let y = inside(y as isize - pad[0] as isize, input.h, *mode)?;
                let x = inside(x as isize - pad[1] as isize, input.w, *mode)?;
                Some([c, y, x])
            }
            Arrange::Reshape(_) => {
                let flat = (c * output.h + y) * output.w + x;
                Some([flat / (input.h * input.w), flat / input.w % input.h, flat % input.w])
            }
            Arrange::Transpose(order) => {
                let mut at = [0; 3];
                for (i, &axis) in order.iter().enumerate() {
                    at[axis] = [c, y, x][i];
                }
                Some(at)
            }
        }
    }
}

/// A row or column outside, as the border's mode says.
fn inside(i: isize, n: usize, mode: PadMode) -> Option<usize> {
    let last = n as isize - 1;
    match mode {
        PadMode::Constant => (0..=last).contains(&i).then_some(i as usize),
        PadMode::Edge => Some(i.clamp(0, last) as usize),
        PadMode::Reflect => Some(if i < 0 {
            -i
        } else if i > last {
            2 * last - i
        } else {
            i
        } as usize),
    }
}

impl Layer for Arrange {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let s = inputs[0];
        match *self {
            Arrange::Pad(pad, mode, _) => {
                let [t, l, b, r] = pad;
                if mode == PadMode::Reflect && (t.max(b) >= s.h || l.max(r) >= s.w) {
                    return Err(Error::Shape(format!(
                        "a mirrored border of {pad:?} is wider than {s} allows"
                    )));
                }
                shape::padded(pad, s)
            }
            Arrange::Reshape(to) if to.count()? == s.count()? => Ok(to),
            Arrange::Reshape(to) => Err(Error::Shape(format!(
                "{s} cannot be seen as {to}; a network with a fixed shape inside needs its own input size"
            ))),
            Arrange::Transpose(order) => shape::permuted(order, s),
        }
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            let (input, r) = (p.shapes[0], p.output.rect);
            let output = self.shape(p.shapes).unwrap_or(input);
            let fill = if let Arrange::Pad(_, _, value) = self { *value } else { 0.0 };
            for c in 0..p.output.channels {
                for y in r.y0..r.y1 {
                    for x in r.x0..r.x1 {
                        let from = self.source([c, y as usize, x as usize], input, output);
                        let i = p.output.index(c, y, x);
                        p.output.data[i] =
                            from.map_or(fill, |[c, y, x]| p.inputs[0].at(c, y as isize, x as isize));
                    }
                }
            }
        }
    }

    fn pull(&self, at: &Recorded, _: &Descent, signal: View, _: usize, mut out: ViewMut) {
        out.fill(0.0);
        let r = signal.rect;
        let output = self.shape(at.shapes).unwrap_or(at.shapes[0]);
        for c in 0..signal.channels {
            for y in r.y0..r.y1 {
                for x in r.x0..r.x1 {
                    let from = self.source([c, y as usize, x as usize], at.shapes[0], output);
                    if let Some([fc, fy, fx]) = from
                        && out.rect.holds(fy as isize, fx as isize)
                    {
                        let i = out.index(fc, fy as isize, fx as isize);
                        out.data[i] += signal.at(c, y, x);
                    }
                }
            }
        }
    }

    fn reads(&self, out: &Rect, input: Shape) -> Rect {
        match self {
            _ if out.is_empty() => Rect::default(),
            Arrange::Pad(pad, PadMode::Constant, _) => shifted(out, pad, -1),
            _ => input.rect(),
        }
    }

    fn reaches(&self, input: &Rect, output: Shape) -> Rect {
        match self {
            _ if input.is_empty() => Rect::default(),
            Arrange::Pad(pad, PadMode::Constant, _) => shifted(input, pad, 1),
            _ => output.rect(),
        }
    }
}

fn shifted(r: &Rect, pad: &[usize; 4], by: isize) -> Rect {
    let (dy, dx) = (by * pad[0] as isize, by * pad[1] as isize);
    Rect::new(r.y0 + dy, r.x0 + dx, r.y1 + dy, r.x1 + dx)
}
