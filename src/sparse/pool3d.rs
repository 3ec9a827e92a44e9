//! Pooling over space and neighbouring maps by largest magnitude, the sign kept (ADN11): what goes up, and where it came from.

use crate::error::{Error, Result};
use crate::kernel::pool::{self, MaxPool};
use crate::tensor::{Shape, View, ViewMut};
use crate::window::Window;
use serde::{Deserialize, Serialize};

/// Sizes: `side` × `side` positions of `maps` neighbouring maps share one value. Windows do not overlap; at the
/// right and lower border they may be cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool3d {
    /// Rows and columns.
    pub side: usize,
    /// Maps.
    pub maps: usize,
}

impl Pool3d {
    fn window(&self) -> Window {
        Window::square(self.side, self.side, 0)
    }

    /// Shape of what is pooled from maps of the given shape. Errors: Shape where groups do not divide the maps.
    pub fn shape(&self, maps: Shape) -> Result<Shape> {
        if self.maps == 0 || !maps.c.is_multiple_of(self.maps) {
            return Err(Error::Shape(format!("groups of {} maps do not divide {} maps", self.maps, maps.c)));
        }
        if maps.count()? >= pool::NONE as usize {
            return Err(Error::Limit(format!("switches cannot index {maps} values; use a smaller image")));
        }
        let [h, w] = self.window().output(maps.h, maps.w, true)?;
        Ok(Shape::new(maps.c / self.maps, h, w))
    }

    /// The values pooled, and their switches: flat indices into z. Where all is zero: the first.
    pub fn run(&self, z: &[f32], maps: Shape) -> Result<(Vec<f32>, Vec<u32>)> {
        let shape = self.shape(maps)?;
        let n = shape.count()?;
        let magnitude: Vec<f32> = z.iter().map(|v| v.abs()).collect();
        let (mut pooled, mut switches) = (vec![0.0; n], vec![0; n]);
        let kernel = MaxPool { window: self.window(), maps: self.maps, input: maps };
        kernel.forward(View::whole(&magnitude, maps), ViewMut::whole(&mut pooled, shape), &mut switches);
        // The sign is kept.
        pooled.iter_mut().zip(&switches).for_each(|(p, s)| *p = z[*s as usize]);
        Ok((pooled, switches))
    }
}

/// Puts every pooled value at its switch, zeros elsewhere.
pub fn unpool(pooled: &[f32], of: Shape, switches: &[u32], out: &mut [f32], maps: Shape) {
    pool::unpool(View::whole(pooled, of), switches, of.rect(), maps, ViewMut::whole(out, maps));
}
