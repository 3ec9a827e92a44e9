//! What one activation of a high layer is made of: the activations below that it draws with, down to strokes and pixels
//! (ADN11, Fig. 1); and what every map of a layer draws.

use super::code::{Coded, Coding};
use super::pool3d;
use crate::error::{Error, Result};
use crate::tensor::{Rect, Shape, Tensor};

/// One activation and what it draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Map, row, column.
    pub at: [usize; 3],
    /// Its value: as inferred at the top, further down as the part above it draws it.
    pub value: f32,
    /// What it draws on the image: `pixels` over `rect`, zero elsewhere.
    pub rect: Rect,
    /// channels × rect.
    pub pixels: Tensor,
}

/// One layer of a decomposition.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Layer, counted from 1.
    pub layer: usize,
    /// Activations of this layer that the one at the top amounts to.
    pub count: usize,
    /// The strongest of them.
    pub parts: Vec<Part>,
}

impl Coding {
    /// The strongest activation of a layer (counted from 1), or of one of its maps; `None` where all are zero.
    pub fn strongest(&self, layer: usize, map: Option<usize>) -> Result<Option<[usize; 3]>> {
        let coded = self.layer(layer)?;
        let (s, z) = (coded.shape(), coded.z());
        let maps = match map {
            Some(m) if m >= s.c => return Err(no_map(layer, s, m)),
            Some(m) => m..m + 1,
            None => 0..s.c,
        };
        let plane = s.h * s.w;
        let (mut best, mut most) = (None, 0.0);
        for (i, v) in z.iter().enumerate().take(maps.end * plane).skip(maps.start * plane) {
            if v.abs() > most {
                (most, best) = (v.abs(), Some([i / plane, i % plane / s.w, i % s.w]));
            }
        }
        Ok(best)
    }

    /// Takes an activation apart, layer by layer down to layer 1, `most` parts of each. Errors: Parameter for an activation
    /// that is not there.
    pub fn decompose(&self, layer: usize, at: [usize; 3], most: usize) -> Result<Vec<Level>> {
        let s = self.layer(layer)?.shape();
        if at[0] >= s.c {
            return Err(no_map(layer, s, at[0]));
        }
        if at[1] >= s.h || at[2] >= s.w {
            return Err(Error::Parameter(format!(
                "maps of layer {layer} have {} rows and {} columns, counted from 0; there is no {},{}",
                s.h, s.w, at[1], at[2]
            )));
        }
        let i = (at[0] * s.h + at[1]) * s.w + at[2];
        let mut values = vec![0.0; s.c * s.h * s.w];
        values[i] = self.coded()[layer - 1].z()[i];
        let mut levels = Vec::new();
        for l in (1..=layer).rev() {
            let coded = &self.coded()[l - 1];
            let shape = coded.shape();
            let mut order: Vec<usize> = (0..values.len()).filter(|i| values[*i] != 0.0).collect();
            order.sort_by(|a, b| values[*b].abs().total_cmp(&values[*a].abs()).then(a.cmp(b)));
            let parts = order.iter().take(most).map(|i| self.part(l, shape, *i, values[*i])).collect();
            levels.push(Level { layer: l, count: order.len(), parts });
            if l > 1 {
                let lower = &self.coded()[l - 2];
                let mut drawn = vec![0.0; coded.plane_len()];
                coded.draw(&values, &mut drawn);
                let mut next = vec![0.0; lower.z().len()];
                pool3d::unpool(&drawn, lower.pooled().1, lower.switches(), &mut next, lower.shape());
                values = next;
            }
        }
        Ok(levels)
    }

    /// What each map of a layer draws at its strongest activation in this photo: its filter in pixels. `None` for a map that the
    /// photo does not use.
    pub fn filters(&self, layer: usize) -> Result<Vec<Option<Part>>> {
        let shape = self.layer(layer)?.shape();
        let z = self.coded()[layer - 1].z();
        (0..shape.c)
            .map(|map| {
                let at = self.strongest(layer, Some(map))?;
                Ok(at.map(|[m, y, x]| {
                    let i = (m * shape.h + y) * shape.w + x;
                    self.part(layer, shape, i, z[i])
                }))
            })
            .collect()
    }

    fn layer(&self, layer: usize) -> Result<&Coded> {
        layer.checked_sub(1).and_then(|l| self.coded().get(l)).ok_or_else(|| {
            Error::Parameter(format!(
                "layers 1 to {} are coded, there is no layer {layer}",
                self.coded().len()
            ))
        })
    }

    /// What the activation with this index draws.
    fn part(&self, layer: usize, shape: Shape, index: usize, value: f32) -> Part {
        let mut z = vec![0.0; shape.c * shape.h * shape.w];
        z[index] = value;
        let coded = &self.coded()[layer - 1];
        let image = self.image().shape();
        let mut drawn = Tensor::zeros(image.c, image.rect());
        coded.operator().apply(&z, Some(1), drawn.data_mut());
        let plane = shape.h * shape.w;
        let at = [index / plane, index % plane / shape.w, index % shape.w];
        let rect = bounds(&drawn);
        let pixels = drawn.view().crop(rect).to_tensor();
        Part { at, value, rect, pixels }
    }
}

fn no_map(layer: usize, s: Shape, map: usize) -> Error {
    Error::Parameter(format!("layer {layer} has maps 0 to {}, there is no map {map}", s.c - 1))
}

/// The smallest rectangle that holds everything that is not zero.
fn bounds(t: &Tensor) -> Rect {
    let mut all = Rect::default();
    for c in 0..t.channels() {
        for y in 0..t.rect.y1 {
            let line = t.view().line(c, y);
            if let (Some(first), Some(last)) =
                (line.iter().position(|v| *v != 0.0), line.iter().rposition(|v| *v != 0.0))
            {
                all = all.union(&Rect::new(y, first as isize, y + 1, last as isize + 1));
            }
        }
    }
    all
}
