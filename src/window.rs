//! Geometry of sliding windows: which input a window reads, which windows read an input.

use crate::error::{Error, Result};
use crate::tensor::Rect;
use serde::{Deserialize, Serialize};

/// A sliding window, as convolution and pooling share it. Pairs are rows, columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Side lengths in taps.
    pub kernel: [usize; 2],
    /// Step between neighbouring windows.
    #[serde(default = "one")]
    pub stride: [usize; 2],
    /// Padding: top, left, bottom, right.
    #[serde(default)]
    pub pad: [usize; 4],
    /// Distance between neighbouring taps.
    #[serde(default = "one")]
    pub dilation: [usize; 2],
}

fn one() -> [usize; 2] {
    [1, 1]
}

impl Window {
    /// Square window without dilation, padded alike on all sides.
    pub const fn square(kernel: usize, stride: usize, pad: usize) -> Window {
        Window { kernel: [kernel; 2], stride: [stride; 2], pad: [pad; 4], dilation: [1, 1] }
    }

    /// Extent of the window in the input: (k − 1)·d + 1.
    pub fn extent(&self) -> [usize; 2] {
        [0, 1].map(|a| (self.kernel[a].max(1) - 1) * self.dilation[a] + 1)
    }

    /// Refuses zero kernels, strides and dilations, and sizes no image has.
    pub fn check(&self) -> Result<()> {
        let all = self.kernel.iter().chain(&self.stride).chain(&self.dilation);
        if all.clone().any(|&v| v == 0) {
            return Err(Error::Shape("kernel, stride and dilation must be at least 1".into()));
        }
        if all.chain(&self.pad).any(|&v| v > 1 << 16) {
            return Err(Error::Limit("a window side, stride, padding or dilation above 65536".into()));
        }
        Ok(())
    }

    /// Output size for an input of `h × w`. `ceil` rounds up as Caffe does: the last window must
    /// still start inside the input or its leading padding.
    pub fn output(&self, h: usize, w: usize, ceil: bool) -> Result<[usize; 2]> {
        self.check()?;
        let (size, extent) = ([h, w], self.extent());
        let mut out = [0; 2];
        for a in 0..2 {
            let padded = size[a] + self.pad[a] + self.pad[a + 2];
            if size[a] == 0 || padded < extent[a] {
                return Err(Error::Shape(format!(
                    "a window of {}×{} does not fit an input of {h}×{w} with padding {:?}; use a larger input",
                    extent[0], extent[1], self.pad
                )));
            }
            let room = padded - extent[a];
            out[a] = if ceil { room.div_ceil(self.stride[a]) } else { room / self.stride[a] } + 1;
            if ceil && (out[a] - 1) * self.stride[a] >= size[a] + self.pad[a] {
                out[a] -= 1;
            }
        }
        Ok(out)
    }

    /// The input rectangle (unclipped) that the outputs in `out` read.
    pub fn reads(&self, out: &Rect) -> Rect {
        if out.is_empty() {
            return Rect::default();
        }
        let [sy, sx] = self.stride.map(|s| s as isize);
        let [ey, ex] = self.extent().map(|e| e as isize);
        let (py, px) = (self.pad[0] as isize, self.pad[1] as isize);
        Rect::new(
            out.y0 * sy - py,
            out.x0 * sx - px,
            (out.y1 - 1) * sy - py + ey,
            (out.x1 - 1) * sx - px + ex,
        )
    }

    /// The outputs (unclipped) whose windows touch `input`. Its adjoint in the sense that
    /// `reads(o)` meets `input` exactly for the `o` inside (gaps of a dilated window aside).
    pub fn reaches(&self, input: &Rect) -> Rect {
        if input.is_empty() {
            return Rect::default();
        }
        let [sy, sx] = self.stride.map(|s| s as isize);
        let [ey, ex] = self.extent().map(|e| e as isize);
        let (py, px) = (self.pad[0] as isize, self.pad[1] as isize);
        let first = |i: isize, p: isize, e: isize, s: isize| (i + p - e + 1 + s - 1).div_euclid(s);
        let last = |i: isize, p: isize, s: isize| (i - 1 + p).div_euclid(s) + 1;
        Rect::new(
            first(input.y0, py, ey, sy),
            first(input.x0, px, ex, sx),
            last(input.y1, py, sy),
            last(input.x1, px, sx),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_sizes_follow_caffe_and_pytorch() {
        let pool = Window::square(3, 2, 0);
        assert_eq!(pool.output(113, 113, true).unwrap(), [56, 56]);
        assert_eq!(pool.output(110, 110, true).unwrap(), [55, 55]);
        assert_eq!(pool.output(110, 110, false).unwrap(), [54, 54]);
        // Caffe drops a window that would start in the trailing padding.
        assert_eq!(Window::square(2, 2, 1).output(3, 3, true).unwrap(), [2, 2]);
        assert_eq!(Window::square(11, 4, 2).output(224, 224, false).unwrap(), [55, 55]);
        assert!(matches!(pool.output(2, 5, true), Err(Error::Shape(_))));
    }

    #[test]
    fn reads_and_reaches_agree() {
        for (k, s, p, d) in [(3, 2, 1, 1), (5, 1, 2, 1), (11, 4, 2, 1), (3, 3, 0, 1), (1, 2, 0, 1)] {
            let w = Window { dilation: [d; 2], ..Window::square(k, s, p) };
            for i in -3..12isize {
                let input = Rect::new(i, i, i + 3, i + 2);
                let out = w.reaches(&input);
                for o in -6..16isize {
                    let r = w.reads(&Rect::unit(o, 0));
                    let meets = r.y0 < input.y1 && r.y1 > input.y0;
                    assert_eq!(meets, o >= out.y0 && o < out.y1, "k{k} s{s} p{p} i{i} o{o}");
                }
            }
        }
    }
}
