//! Values on rectangles: every array here is channels × a rectangle of some layer's plane.
//!
//! The whole image is only the largest rectangle. A unit's projection stays inside its receptive
//! field, an occluder dirties a rectangle, a thread does a band of rows: one mechanism.

use crate::error::{Error, Result};
use ndarray::{Array3, ArrayView3};
use serde::{Deserialize, Serialize};

/// A half-open rectangle `[y0, x0, y1, x1)` in a layer's plane. It may reach beyond the plane
/// (a receptive field at the border does); whoever reads values clips it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "[isize; 4]", into = "[isize; 4]")]
pub struct Rect {
    /// First row.
    pub y0: isize,
    /// First column.
    pub x0: isize,
    /// One past the last row.
    pub y1: isize,
    /// One past the last column.
    pub x1: isize,
}

impl From<[isize; 4]> for Rect {
    fn from([y0, x0, y1, x1]: [isize; 4]) -> Rect {
        Rect { y0, x0, y1, x1 }
    }
}

impl From<Rect> for [isize; 4] {
    fn from(r: Rect) -> [isize; 4] {
        [r.y0, r.x0, r.y1, r.x1]
    }
}

impl Rect {
    /// From the four numbers in reading order.
    pub const fn new(y0: isize, x0: isize, y1: isize, x1: isize) -> Rect {
        Rect { y0, x0, y1, x1 }
    }

    /// The whole plane of the given size.
    pub const fn full(h: usize, w: usize) -> Rect {
        Rect::new(0, 0, h as isize, w as isize)
    }

    /// The single position `y, x`.
    pub const fn unit(y: isize, x: isize) -> Rect {
        Rect::new(y, x, y + 1, x + 1)
    }

    /// Rows; 0 when empty.
    pub fn h(&self) -> usize {
        (self.y1 - self.y0).max(0) as usize
    }

    /// Columns; 0 when empty.
    pub fn w(&self) -> usize {
        (self.x1 - self.x0).max(0) as usize
    }

    /// Positions inside.
    pub fn area(&self) -> usize {
        self.h() * self.w()
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.y1 <= self.y0 || self.x1 <= self.x0
    }

    /// Whether the position lies inside.
    pub fn holds(&self, y: isize, x: isize) -> bool {
        y >= self.y0 && y < self.y1 && x >= self.x0 && x < self.x1
    }

    /// Whether all of `other` lies inside (an empty one always does).
    pub fn covers(&self, other: &Rect) -> bool {
        other.is_empty()
            || (other.y0 >= self.y0 && other.x0 >= self.x0 && other.y1 <= self.y1 && other.x1 <= self.x1)
    }

    /// The common part.
    pub fn intersect(&self, other: &Rect) -> Rect {
        Rect::new(self.y0.max(other.y0), self.x0.max(other.x0), self.y1.min(other.y1), self.x1.min(other.x1))
    }

    /// The smallest rectangle around both; an empty one adds nothing.
    pub fn union(&self, other: &Rect) -> Rect {
        if self.is_empty() {
            return *other;
        }
        if other.is_empty() {
            return *self;
        }
        Rect::new(self.y0.min(other.y0), self.x0.min(other.x0), self.y1.max(other.y1), self.x1.max(other.x1))
    }
}

/// Channels, height, width of a layer's output; a dense layer has height and width 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[usize; 3]", into = "[usize; 3]")]
pub struct Shape {
    /// Channels (feature maps).
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

impl From<[usize; 3]> for Shape {
    fn from([c, h, w]: [usize; 3]) -> Shape {
        Shape { c, h, w }
    }
}

impl From<Shape> for [usize; 3] {
    fn from(s: Shape) -> [usize; 3] {
        [s.c, s.h, s.w]
    }
}

impl Shape {
    /// Channels, rows, columns.
    pub const fn new(c: usize, h: usize, w: usize) -> Shape {
        Shape { c, h, w }
    }

    /// The rectangle of the whole plane.
    pub fn rect(&self) -> Rect {
        Rect::full(self.h, self.w)
    }

    /// Number of values, or an error where that does not fit the address space.
    pub fn count(&self) -> Result<usize> {
        self.c
            .checked_mul(self.h)
            .and_then(|n| n.checked_mul(self.w))
            .filter(|n| *n <= isize::MAX as usize / 4)
            .ok_or_else(|| {
                Error::Limit(format!("{self} values do not fit this machine's memory; use a smaller input"))
            })
    }

    /// The same for a shape that has been counted before.
    pub(crate) fn size(&self) -> usize {
        self.c * self.h * self.w
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.c, self.h, self.w)
    }
}

/// Values of a layer over a rectangle of its plane, channels first.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// channels × rect.h × rect.w, in standard (C) order.
    pub values: Array3<f32>,
    /// The part of the layer's plane that the values cover.
    pub rect: Rect,
}

impl Tensor {
    /// Zeros over a rectangle.
    pub fn zeros(channels: usize, rect: Rect) -> Tensor {
        Tensor { values: Array3::zeros((channels, rect.h(), rect.w())), rect }
    }

    /// A whole plane from values in C order.
    pub fn new(shape: Shape, values: Vec<f32>) -> Result<Tensor> {
        let n = values.len();
        let values = Array3::from_shape_vec((shape.c, shape.h, shape.w), values)
            .map_err(|_| Error::Shape(format!("{n} values given for {shape}")))?;
        Ok(Tensor { values, rect: shape.rect() })
    }

    /// Channels and the rectangle's sides.
    pub fn shape(&self) -> Shape {
        Shape::new(self.channels(), self.rect.h(), self.rect.w())
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.values.dim().0
    }

    /// The values in C order.
    pub fn data(&self) -> &[f32] {
        self.values.as_slice().expect("tensors are kept in standard order")
    }

    /// The values in C order, to write.
    pub fn data_mut(&mut self) -> &mut [f32] {
        self.values.as_slice_mut().expect("tensors are kept in standard order")
    }

    /// As an `ndarray` view.
    pub fn array(&self) -> ArrayView3<'_, f32> {
        self.values.view()
    }

    /// What kernels read.
    pub fn view(&self) -> View<'_> {
        let (row, plane) = (self.rect.w(), self.rect.area());
        View { data: self.data(), channels: self.channels(), rect: self.rect, row, plane }
    }

    /// What kernels write.
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        let (channels, rect) = (self.channels(), self.rect);
        ViewMut { data: self.data_mut(), channels, rect, row: rect.w(), plane: rect.area() }
    }

    /// The value at a position of the plane; zero outside the rectangle.
    pub fn at(&self, c: usize, y: isize, x: isize) -> f32 {
        if self.rect.holds(y, x) {
            self.values[(c, (y - self.rect.y0) as usize, (x - self.rect.x0) as usize)]
        } else {
            0.0
        }
    }
}

/// Borrowed values over `rect`: channel `c`, row `y`, column `x` of the layer's plane stand at
/// `data[c·plane + (y − rect.y0)·row + (x − rect.x0)]`.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The values, starting at channel 0 and the rectangle's first position.
    pub data: &'a [f32],
    /// Number of channels.
    pub channels: usize,
    /// The part of the plane that is there.
    pub rect: Rect,
    /// Distance between rows.
    pub row: usize,
    /// Distance between channels.
    pub plane: usize,
}

impl<'a> View<'a> {
    /// Whole planes, one after the other.
    pub(crate) fn whole(data: &'a [f32], s: Shape) -> View<'a> {
        View { data, channels: s.c, rect: s.rect(), row: s.w, plane: s.h * s.w }
    }

    /// Where a position inside `rect` stands in `data`.
    #[inline(always)]
    pub fn index(&self, c: usize, y: isize, x: isize) -> usize {
        c * self.plane + (y - self.rect.y0) as usize * self.row + (x - self.rect.x0) as usize
    }

    /// The value at a position, zero outside the rectangle. For tests and small work.
    pub fn at(&self, c: usize, y: isize, x: isize) -> f32 {
        if self.rect.holds(y, x) { self.data[self.index(c, y, x)] } else { 0.0 }
    }

    /// Columns `rect.x0..rect.x1` of one row inside the rectangle.
    #[inline(always)]
    pub fn line(&self, c: usize, y: isize) -> &'a [f32] {
        let i = self.index(c, y, self.rect.x0);
        &self.data[i..i + self.rect.w()]
    }

    /// The same values seen through a smaller rectangle, which must lie inside.
    pub fn crop(&self, rect: Rect) -> View<'a> {
        debug_assert!(self.rect.covers(&rect));
        let i = if rect.is_empty() { 0 } else { self.index(0, rect.y0, rect.x0) };
        View { data: &self.data[i..], rect, ..*self }
    }

    /// Channels `from..from + n`.
    pub fn slice(&self, from: usize, n: usize) -> View<'a> {
        let data = if n == 0 { &[][..] } else { &self.data[from * self.plane..] };
        View { data, channels: n, ..*self }
    }

    /// A copy that owns its values.
    pub fn to_tensor(&self) -> Tensor {
        let mut values = Vec::with_capacity(self.channels * self.rect.area());
        for c in 0..self.channels {
            for y in self.rect.y0..self.rect.y1 {
                values.extend_from_slice(self.line(c, y));
            }
        }
        let sides = (self.channels, self.rect.h(), self.rect.w());
        Tensor {
            values: Array3::from_shape_vec(sides, values).expect("every line was copied"),
            rect: self.rect,
        }
    }
}

/// Like [`View`], to write.
#[derive(Debug)]
pub struct ViewMut<'a> {
    /// The values, starting at channel 0 and the rectangle's first position.
    pub data: &'a mut [f32],
    /// Number of channels.
    pub channels: usize,
    /// The part of the plane to be written.
    pub rect: Rect,
    /// Distance between rows.
    pub row: usize,
    /// Distance between channels.
    pub plane: usize,
}

impl<'a> ViewMut<'a> {
    /// Whole planes, one after the other.
    pub(crate) fn whole(data: &'a mut [f32], s: Shape) -> ViewMut<'a> {
        ViewMut { data, channels: s.c, rect: s.rect(), row: s.w, plane: s.h * s.w }
    }

    /// Where a position inside `rect` stands in `data`.
    #[inline(always)]
    pub fn index(&self, c: usize, y: isize, x: isize) -> usize {
        c * self.plane + (y - self.rect.y0) as usize * self.row + (x - self.rect.x0) as usize
    }

    /// One row, to write.
    #[inline(always)]
    pub fn line(&mut self, c: usize, y: isize) -> &mut [f32] {
        let i = self.index(c, y, self.rect.x0);
        let w = self.rect.w();
        &mut self.data[i..i + w]
    }

    /// A shorter borrow of the same.
    pub fn borrow(&mut self) -> ViewMut<'_> {
        ViewMut {
            data: self.data,
            channels: self.channels,
            rect: self.rect,
            row: self.row,
            plane: self.plane,
        }
    }

    /// Read-only.
    pub fn view(&self) -> View<'_> {
        View { data: self.data, channels: self.channels, rect: self.rect, row: self.row, plane: self.plane }
    }

    /// A smaller rectangle of the same, which must lie inside.
    pub fn crop(self, rect: Rect) -> ViewMut<'a> {
        debug_assert!(self.rect.covers(&rect));
        let i = if rect.is_empty() { 0 } else { self.index(0, rect.y0, rect.x0) };
        ViewMut { data: &mut self.data[i..], channels: self.channels, rect, row: self.row, plane: self.plane }
    }

    /// Channels `from..from + n`.
    pub fn slice(self, from: usize, n: usize) -> ViewMut<'a> {
        let data = if n == 0 { &mut [][..] } else { &mut self.data[from * self.plane..] };
        ViewMut { data, channels: n, rect: self.rect, row: self.row, plane: self.plane }
    }

    /// Copies the common part of the rectangles; channels must agree.
    pub fn copy_from(&mut self, from: View) {
        debug_assert_eq!(self.channels, from.channels);
        let r = self.rect.intersect(&from.rect);
        if r.is_empty() {
            return;
        }
        for c in 0..self.channels {
            for y in r.y0..r.y1 {
                let (to, src) = (self.index(c, y, r.x0), from.index(c, y, r.x0));
                self.data[to..to + r.w()].copy_from_slice(&from.data[src..src + r.w()]);
            }
        }
    }

    /// Writes one value everywhere.
    pub fn fill(&mut self, value: f32) {
        for c in 0..self.channels {
            for y in self.rect.y0..self.rect.y1 {
                self.line(c, y).fill(value);
            }
        }
    }
}
