//! Average pooling, LeNet's trainable subsampling and the global mean.
//! Push: y = w_c · Σ x / n + b_c. Pull: each value is spread evenly over its window.

use super::{Descent, Layer, Push, Recorded, expect, max_pool::check, optional};
use crate::error::Result;
use crate::kernel::{elementwise, pool};
use crate::spec::Weight;
use crate::tensor::{Rect, Shape, View, ViewMut};
use crate::window::Window;

/// A window's mean, or its sum times a trained weight plus a trained bias (LC98's S2 and S4).
pub struct Average {
    window: Window,
    ceil: bool,
    include_pad: bool,
    trained: Option<(Vec<f32>, Vec<f32>)>,
}

impl Average {
    /// Plain average pooling.
    pub fn mean(window: Window, ceil: bool, include_pad: bool) -> Result<Average> {
        check(&window)?;
        Ok(Average { window, ceil, include_pad, trained: None })
    }

    /// LeNet's subsampling: `weight` and `bias` hold one number per map.
    pub fn subsample(
        window: Window,
        channels: usize,
        weight: Option<Weight>,
        bias: Option<Weight>,
    ) -> Result<Average> {
        check(&window)?;
        let weight = expect(weight, "weight", &[channels])?.into_f32();
        let bias = optional(bias, "bias", &[channels])?.map_or(vec![0.0; channels], Weight::into_f32);
        Ok(Average { window, ceil: false, include_pad: false, trained: Some((weight, bias)) })
    }

    fn kernel(&self, input: Shape) -> pool::AvgPool {
        pool::AvgPool {
            window: self.window,
            include_pad: self.include_pad,
            divide: self.trained.is_none(),
            input,
        }
    }
}

impl Layer for Average {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let [h, w] = self.window.output(inputs[0].h, inputs[0].w, self.ceil)?;
        Ok(Shape::new(inputs[0].c, h, w))
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            self.kernel(p.shapes[0]).forward(p.inputs[0], p.output.borrow());
            if let Some((w, b)) = &self.trained {
                elementwise::affine(p.output.borrow(), w, b);
            }
        }
    }

    fn pull(&self, at: &Recorded, _: &Descent, signal: View, _: usize, out: ViewMut) {
        let kernel = self.kernel(at.shapes[0]);
        match &self.trained {
            None => kernel.transpose(signal, out),
            Some((w, _)) => {
                let mut scaled = signal.to_tensor();
                elementwise::affine(scaled.view_mut(), w, &[]);
                kernel.transpose(scaled.view(), out);
            }
        }
    }

    fn reads(&self, out: &Rect, _: Shape) -> Rect {
        self.window.reads(out)
    }

    fn reaches(&self, input: &Rect, _: Shape) -> Rect {
        self.window.reaches(input)
    }

    fn parameters(&self) -> usize {
        self.trained.as_ref().map_or(0, |(w, b)| w.len() + b.len())
    }

    fn work(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1]
    }
}

/// The mean of each whole map.
pub struct Global;

impl Global {
    fn kernel(&self, input: Shape) -> pool::AvgPool {
        let window = Window { kernel: [input.h, input.w], ..Window::square(1, 1, 0) };
        pool::AvgPool { window, include_pad: false, divide: true, input }
    }
}

impl Layer for Global {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(Shape::new(inputs[0].c, 1, 1))
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            self.kernel(p.shapes[0]).forward(p.inputs[0], p.output.borrow());
        }
    }

    fn pull(&self, at: &Recorded, _: &Descent, signal: View, _: usize, out: ViewMut) {
        self.kernel(at.shapes[0]).transpose(signal, out);
    }

    fn updates(&self) -> bool {
        true
    }

    fn update(&self, old: View, new: View, input: Shape, out: ViewMut) {
        let n = (input.h * input.w) as f64;
        for c in 0..new.channels {
            let mut change = 0.0;
            for y in new.rect.y0..new.rect.y1 {
                let pairs = new.line(c, y).iter().zip(old.line(c, y));
                change += pairs.map(|(a, b)| f64::from(a - b)).sum::<f64>();
            }
            let i = out.index(c, 0, 0);
            out.data[i] += (change / n) as f32;
        }
    }

    fn reads(&self, out: &Rect, input: Shape) -> Rect {
        if out.is_empty() { Rect::default() } else { input.rect() }
    }

    fn reaches(&self, input: &Rect, output: Shape) -> Rect {
        if input.is_empty() { Rect::default() } else { output.rect() }
    }
}
