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
    let (seen, input) = see(net, window(gallery, net, entry.photo, entry.window, picture)?, picture)?;
    let trace = pass(net, node, input, std::iter::once(entry))?;
    Ok((seen, from_trace(&trace, node, map, entry)?))
}

/// What the network sees of a photo's [`window`], as pixels and as its input.
///
/// # Errors
/// `Parameter` for a window outside the photo, `Shape` for an input that takes no pictures.
pub fn see(net: &Net, window: [f64; 4], picture: &Picture) -> Result<(Picture, Tensor)> {
    let input = &net.spec().input;
    let seen = picture.cut(window, input.shape.h, input.shape.w)?;
    let tensor = image::normalise(&seen, input)?;
    Ok((seen, tensor))
}

/// The forward pass of entries of one layer that share photo and window; only what their units depend on: of the low
/// layers a few pixels.
///
/// # Errors
/// Those of the forward pass.
pub fn pass<'a>(
    net: &Arc<Net>,
    node: usize,
    input: Tensor,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Trace> {
    let rect = entries.into_iter().fold(Rect::default(), |r, e| r.union(&unit(e)));
    net.forward_part(input, node, rect)
}

/// Which entries of one layer should share a forward pass: of the same photo and window, and so near each other that what
/// they need together is less than what each needs alone. Numbers of `entries`, in their order.
///
/// # Errors
/// `Shape` where the network does not take its own input.
pub fn together(net: &Net, node: usize, entries: &[Entry]) -> Result<Vec<Vec<usize>>> {
    let shape = net.spec().input.shape;
    let shapes = net.shapes(shape)?;
    let area = |r: Rect| net.field(node, r, &shapes).intersect(&shape.rect()).area();
    let mut groups: Vec<(Rect, usize, Vec<usize>)> = Vec::new();
    for (i, e) in entries.iter().enumerate() {
        let (own, same) = (unit(e), |j: usize| (entries[j].photo, entries[j].window) == (e.photo, e.window));
        let near = groups.iter_mut().find_map(|g| {
            let both = g.0.union(&own);
            let needed = area(both);
            (same(g.2[0]) && needed <= g.1 + area(own)).then_some((g, both, needed))
        });
        match near {
            Some((g, both, needed)) => {
                (g.0, g.1) = (both, needed);
                g.2.push(i);
            }
            None => groups.push((own, area(own), vec![i])),
        }
    }
    Ok(groups.into_iter().map(|g| g.2).collect())
}

/// The same for entries of one layer that share photo and window, and so one forward pass.
///
/// # Errors
/// Those of the forward pass; `Parameter` for a position the layer does not have.
pub fn cells(net: &Arc<Net>, node: usize, input: Tensor, entries: &[(usize, Entry)]) -> Result<Vec<Cell>> {
    let trace = pass(net, node, input, entries.iter().map(|(_, e)| e))?;
    entries.iter().map(|(map, entry)| from_trace(&trace, node, *map, entry)).collect()
}

/// An entry of a map from a pass that [`pass`] made for it.
///
/// # Errors
/// `Parameter` for a position the layer does not have.
pub fn from_trace(trace: &Trace, node: usize, map: usize, entry: &Entry) -> Result<Cell> {
    let seed = Seed::Unit { map, at: Some(entry.at.map(usize::from)) };
    let projection = project(trace, node, &seed, &Options::default())?;
    let value = projection.value;
    let difference = (value - entry.value).abs() / value.abs().max(entry.value.abs()).max(f32::MIN_POSITIVE);
    Ok(Cell { projection, value, difference })
}
