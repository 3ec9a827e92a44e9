//! A photo as sparse coding takes it.

use crate::error::Result;
use crate::image::{self, Picture};
use crate::spec::{Input, Order};
use crate::tensor::{Shape, Tensor};

/// Reduced to `side` × `side` around its middle, grey (1 channel) or red, green, blue (3), 0–255; its contrast is not normalised yet.
pub fn read(picture: &Picture, channels: usize, side: usize) -> Result<Tensor> {
    let shape = Shape::new(channels, side, side);
    let input = Input { shape, mean: Vec::new(), std: Vec::new(), order: Order::Rgb };
    Ok(image::prepare(picture, &input)?.0)
}
