//! An entry made visible again: its patch, and the projection of that one activation.

use super::{Entry, Gallery, Photo, TOLERANCE};
use crate::error::{Error, Result};
use crate::explain::deconvnet::{Options, Projection, Seed, project};
use crate::image::{self, Picture};
use crate::net::{Net, Trace};
use crate::tensor::{Rect, Tensor};
use std::sync::Arc;

/// What an entry shows.
pub struct Cell {
    /// The projection in the window's frame; its receptive field is what patch and projection are cut to.
    pub projection: Projection,
    /// The activation recomputed at the entry's position.
    pub value: f32,
    /// Relative difference of it to the stored value.
    pub difference: f32,
}

impl Cell {
    /// Whether the stored value is another network's, or another photo's.
    pub fn is_stale(&self) -> bool {
        self.difference.is_nan() || self.difference > TOLERANCE
    }
}

/// The part of a photo that a window shows, `[y0, x0, y1, x1)` in its pixels.
///
/// # Errors
/// `Parameter` for a photo of another size than the one searched, `Malformed` for a window it does not have.
pub fn window(gallery: &Gallery, net: &Net, photo: u32, window: u8, picture: &Picture) -> Result<[f64; 4]> {
    let photo = &gallery.photos[photo as usize];
    if (photo.height as usize, photo.width as usize) != (picture.height(), picture.width()) {
        return Err(Error::Parameter(format!(
            "{} has {}×{} pixels, the photo searched under this name had {}×{}; give that one",
            photo.name,
            picture.width(),
            picture.height(),
            photo.width,
            photo.height
        )));
    }
    window_of(gallery, net, photo, window)
}

/// The same from the size that the gallery remembers.
///
/// # Errors
/// `Malformed` for a window it does not have.
pub fn window_of(gallery: &Gallery, net: &Net, photo: &Photo, window: u8) -> Result<[f64; 4]> {
    let s = net.spec().input.shape;
    let (height, width) = (photo.height as usize, photo.width as usize);
    let all = image::windows(height, width, [s.h, s.w], gallery.header.scales);
    all.get(usize::from(window))
        .copied()
        .ok_or_else(|| Error::Malformed(format!("gallery file: {} has no window {window}", photo.name)))
}

/// What an entry's unit sees of its window, `[y0, x0, y1, x1)` in the network's input, unclipped.
///
/// # Errors
/// `Shape` where the network does not take its own input.
pub fn field(net: &Net, node: usize, entry: &Entry) -> Result<Rect> {
    let shapes = net.shapes(net.spec().input.shape)?;
    Ok(net.field(node, unit(entry), &shapes))
}

fn unit(entry: &Entry) -> Rect {
    Rect::unit(entry.at[0] as isize, entry.at[1] as isize)
}

/// Recomputes an entry of a map of `node` from its photo: what the network saw as pixels, and the cell.
///
/// # Errors
/// Those of [`window`] and of the forward pass; `Parameter` for a position the layer does not have.
pub fn cell(
    gallery: &Gallery,
    net: &Arc<Net>,
    node: usize,
    map: usize,
    entry: &Entry,
    picture: &Picture,
) -> Result<(Picture, Cell)> {
    let rect = window(gallery, net, entry.photo, entry.window, picture)?;
    let input = &net.spec().input;
    let seen = picture.cut(rect, input.shape.h, input.shape.w)?;
    // Only what the unit depends on: of the low layers a few pixels.
    let trace = net.forward_part(image::normalise(&seen, input)?, node, unit(entry))?;
    Ok((seen, from_trace(&trace, node, map, entry)?))
}

/// The same for entries of one layer that share photo and window, and so one forward pass.
///
/// # Errors
/// Those of the forward pass; `Parameter` for a position the layer does not have.
pub fn cells(net: &Arc<Net>, node: usize, input: Tensor, entries: &[(usize, Entry)]) -> Result<Vec<Cell>> {
    let trace = net.forward_to(input, node)?;
    entries.iter().map(|(map, entry)| from_trace(&trace, node, *map, entry)).collect()
}

fn from_trace(trace: &Trace, node: usize, map: usize, entry: &Entry) -> Result<Cell> {
    let seed = Seed::Unit { map, at: Some(entry.at.map(usize::from)) };
    let projection = project(trace, node, &seed, &Options::default())?;
    let value = projection.value;
    let difference = (value - entry.value).abs() / value.abs().max(entry.value.abs()).max(f32::MIN_POSITIVE);
    Ok(Cell { projection, value, difference })
}
