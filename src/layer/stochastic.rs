//! Stochastic pooling (Zeiler, Fergus, ICLR 2013). In training each window gives one of its activations, drawn with
//! probability p_i = a_i / Σ a; at test time, here, their mean weighted by the same probabilities: y = Σ p_i a_i.
//! Pull: the signal is spread by p, what unpooling at the drawn places does on average (ours); the gradient's rules use the
//! true derivative. Negative activations count as 0, as behind a ReLU.

use super::{Descent, Layer, Push, Recorded, Rule, max_pool::check};
use crate::error::Result;
use crate::kernel::pool::NONE;
use crate::random::SplitMix;
use crate::tensor::{Rect, Shape, View, ViewMut};
use crate::window::Window;

/// Windows as max pooling has them.
pub struct Stochastic {
    window: Window,
    ceil: bool,
}

impl Stochastic {
    /// Refuses dilation and windows that could lie wholly in the padding.
    pub fn new(window: Window, ceil: bool) -> Result<Stochastic> {
        check(&window)?;
        Ok(Stochastic { window, ceil })
    }

    /// Calls `f` with every position of a window inside the input and its activation.
    fn each(&self, input: View, whole: Rect, c: usize, at: [isize; 2], mut f: impl FnMut(isize, isize, f32)) {
        let r = self.window.reads(&Rect::unit(at[0], at[1])).intersect(&whole);
        for y in r.y0..r.y1 {
            for x in r.x0..r.x1 {
                f(y, x, input.at(c, y, x).max(0.0));
            }
        }
    }

    /// Σ a and Σ a² of a window.
    fn sums(&self, input: View, whole: Rect, c: usize, at: [isize; 2]) -> (f32, f32) {
        let (mut sum, mut square) = (0.0, 0.0);
        self.each(input, whole, c, at, |_, _, a| {
            sum += a;
            square += a * a;
        });
        (sum, square)
    }
}

/// The pass of training: draws one activation of each window and records where it stood, as max pooling's switches do.
pub fn draw(window: Window, input: View, output: ViewMut, switches: &mut [u32], random: &mut SplitMix) {
    let layer = Stochastic { window, ceil: false };
    let (whole, r) = (input.rect, output.rect);
    let (h, w) = (whole.h(), whole.w());
    for c in 0..output.channels {
        for (i, p) in (0..r.area()).enumerate() {
            let at = [(p / r.w()) as isize, (p % r.w()) as isize];
            let (sum, _) = layer.sums(input, whole, c, at);
            let (mut left, mut chosen) = ((random.uniform() * f64::from(sum)) as f32, (NONE, 0.0));
            layer.each(input, whole, c, at, |y, x, a| {
                if a > 0.0 && left >= 0.0 {
                    chosen = (((c * h + y as usize) * w + x as usize) as u32, a);
                    left -= a;
                }
            });
            let o = output.index(c, at[0], at[1]);
            output.data[o] = chosen.1;
            switches[c * r.area() + i] = chosen.0;
        }
    }
}

impl Layer for Stochastic {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let [h, w] = self.window.output(inputs[0].h, inputs[0].w, self.ceil)?;
        Ok(Shape::new(inputs[0].c, h, w))
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            let (r, whole) = (p.output.rect, p.shapes[0].rect());
            for c in 0..p.output.channels {
                for y in r.y0..r.y1 {
                    for x in r.x0..r.x1 {
                        let (sum, square) = self.sums(p.inputs[0], whole, c, [y, x]);
                        let o = p.output.index(c, y, x);
                        p.output.data[o] = if sum > 0.0 { square / sum } else { 0.0 };
                    }
                }
            }
        }
    }

    fn pull(&self, at: &Recorded, descent: &Descent, signal: View, _: usize, mut out: ViewMut) {
        out.fill(0.0);
        let (Some(input), whole, r) = (at.inputs[0], at.shapes[0].rect(), signal.rect) else { return };
        let derivative = descent.rule != Rule::Deconvnet;
        for c in 0..signal.channels {
            for y in r.y0..r.y1 {
                for x in r.x0..r.x1 {
                    let (s, (sum, square)) = (signal.at(c, y, x), self.sums(input, whole, c, [y, x]));
                    if s == 0.0 || sum <= 0.0 {
                        continue;
                    }
                    self.each(input, whole, c, [y, x], |iy, ix, a| {
                        if a > 0.0 && out.rect.holds(iy, ix) {
                            let slope = if derivative { (2.0 * a - square / sum) / sum } else { a / sum };
                            let i = out.index(c, iy, ix);
                            out.data[i] += s * slope;
                        }
                    });
                }
            }
        }
    }

    fn reads(&self, out: &Rect, _: Shape) -> Rect {
        self.window.reads(out)
    }

    fn reaches(&self, input: &Rect, _: Shape) -> Rect {
        self.window.reaches(input)
    }

    fn work(&self) -> usize {
        2 * self.window.kernel[0] * self.window.kernel[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn what_is_drawn_is_on_average_what_testing_gives() {
        let values = vec![1.0, 3.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0];
        let input = Tensor::new(Shape::new(2, 2, 2), values).unwrap();
        let layer = Stochastic::new(Window::square(2, 2, 0), false).unwrap();
        let shapes = [Shape::new(2, 2, 2)];
        let mut tested = Tensor::zeros(2, Rect::full(1, 1));
        let view = [input.view()];
        let output = tested.view_mut();
        layer.forward(&mut [Push { inputs: &view, shapes: &shapes, output, switches: None }], false);
        assert_eq!(tested.data(), [2.5, 0.0]);
        let (mut random, mut sum) = (SplitMix::new(3), 0.0);
        for _ in 0..4000 {
            let (mut drawn, mut switches) = (Tensor::zeros(2, Rect::full(1, 1)), [0; 2]);
            draw(Window::square(2, 2, 0), input.view(), drawn.view_mut(), &mut switches, &mut random);
            assert!((drawn.data()[0], switches[0]) == (1.0, 0) || (drawn.data()[0], switches[0]) == (3.0, 1));
            assert_eq!((drawn.data()[1], switches[1]), (0.0, NONE));
            sum += drawn.data()[0];
        }
        assert!((sum / 4000.0 - 2.5).abs() < 0.06, "{}", sum / 4000.0);
    }
}
