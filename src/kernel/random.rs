//! Repeatable numbers for the kernels' tests.

use crate::tensor::{Rect, Tensor};

/// A small generator (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// In from..to.
    pub fn int(&mut self, from: isize, to: isize) -> isize {
        from + ((self.next() >> 33) as isize) % (to - from).max(1)
    }

    pub fn size(&mut self, from: usize, to: usize) -> usize {
        self.int(from as isize, to as isize) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.size(0, 100) < percent
    }

    /// In −1..1.
    pub fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }

    pub fn tensor(&mut self, channels: usize, rect: Rect) -> Tensor {
        let mut t = Tensor::zeros(channels, rect);
        t.data_mut().iter_mut().for_each(|v| *v = self.float());
        t
    }

    /// A rectangle inside another, now and then all of it or nothing.
    pub fn rect(&mut self, within: Rect) -> Rect {
        if self.chance(30) || within.is_empty() {
            return within;
        }
        let (y0, x0) = (self.int(within.y0, within.y1), self.int(within.x0, within.x1));
        let least = if self.chance(5) { 0 } else { 1 };
        Rect::new(y0, x0, self.int(y0 + least, within.y1 + 1), self.int(x0 + least, within.x1 + 1))
    }
}
