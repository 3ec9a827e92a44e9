//! A contact sheet: for each map its strongest patches and, beside them, their projections.

use super::super::input::{self, Opened};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use unpool::explain::gallery::{Cell, Entry, Gallery, cells};
use unpool::format::gallery::Layer;
use unpool::image::{self, Picture};
use unpool::net::Net;
use unpool::{Error, Result};

/// Sizes of the sheet.
pub struct Look {
    /// Of a patch, in pixels.
    pub side: usize,
    /// Maps in a row.
    pub columns: usize,
}

/// Between patches, and between maps.
const GAP: usize = 2;
const SPACE: usize = 10;

/// An entry with the number of its map on the sheet and its own in the map.
type Placed = (usize, usize, Entry);

/// Draws the maps; also how many entries are not what they were when they were stored.
pub fn draw(
    gallery: &Gallery,
    net: &Arc<Net>,
    layer: &Layer,
    maps: &[usize],
    folders: &[PathBuf],
    look: &Look,
) -> Result<(Picture, usize)> {
    let node = net.find(&layer.name)?;
    let n = maps.iter().map(|&m| layer.maps[m].entries.len()).max().unwrap_or(0).max(1);
    let line = (n as f64).sqrt().ceil() as usize;
    let block_h = line * (look.side + GAP) - GAP;
    let block_w = 2 * block_h + 2 * GAP;
    let columns = look.columns.min(maps.len()).max(1);
    let rows = maps.len().div_ceil(columns);
    let mut sheet =
        Sheet::new(rows * (block_h + SPACE) + SPACE, columns * (block_w + SPACE) + SPACE, look.side)?;
    // What one forward pass serves stands together.
    let mut jobs: BTreeMap<(u32, u8), Vec<Placed>> = BTreeMap::new();
    for (place, &m) in maps.iter().enumerate() {
        for (i, e) in layer.maps[m].entries.iter().enumerate() {
            jobs.entry((e.photo, e.window)).or_default().push((place, i, *e));
        }
    }
    let mut stale = 0;
    let mut photo: Option<(u32, Opened)> = None;
    for ((index, window), entries) in jobs {
        if photo.as_ref().is_none_or(|(i, _)| *i != index) {
            photo = Some((index, open(gallery, index, folders)?));
        }
        let Some((_, opened)) = &photo else { continue };
        let (tensor, seen) = see(gallery, net, index, window, opened)?;
        let wanted: Vec<(usize, Entry)> = entries.iter().map(|&(place, _, e)| (maps[place], e)).collect();
        for ((place, i, _), cell) in entries.iter().zip(cells(net, node, tensor, &wanted)?) {
            stale += usize::from(cell.is_stale());
            let (patch, projection) = pictures(net, &seen, &cell, look.side)?;
            let y = SPACE + place / columns * (block_h + SPACE) + i / line * (look.side + GAP);
            let x = SPACE + place % columns * (block_w + SPACE) + i % line * (look.side + GAP);
            sheet.put(&patch, y, x);
            sheet.put(&projection, y, x + block_h + 2 * GAP);
        }
    }
    Ok((Picture::new(sheet.width, sheet.rgba.len() / 4 / sheet.width, sheet.rgba)?, stale))
}

fn open(gallery: &Gallery, index: u32, folders: &[PathBuf]) -> Result<Opened> {
    let photo = &gallery.photos[index as usize];
    let path = folders.iter().map(|f| f.join(&photo.name)).find(|p| p.is_file()).ok_or_else(|| {
        Error::Parameter(format!("{} is not there; say with --photos which folder was searched", photo.name))
    })?;
    input::open(&path)
}

/// The network's input for a window, and how it looks.
fn see(
    gallery: &Gallery,
    net: &Net,
    index: u32,
    window: u8,
    opened: &Opened,
) -> Result<(unpool::tensor::Tensor, Picture)> {
    let input = &net.spec().input;
    match opened {
        Opened::Picture(picture) => {
            let rect = unpool::explain::gallery::window(gallery, net, index, window, picture)?;
            let seen = picture.cut(rect, input.shape.h, input.shape.w)?;
            Ok((image::normalise(&seen, input)?, seen))
        }
        Opened::Tensor(given) => Ok((given.tensor.clone(), image::restore(&given.tensor, input)?)),
    }
}

fn pictures(net: &Net, seen: &Picture, cell: &Cell, side: usize) -> Result<(Picture, Picture)> {
    let p = &cell.projection;
    // What is reduced keeps its largest magnitudes: averaging would cancel what alternates.
    let small = image::shrink(image::padded(&p.pixels, p.receptive_field).view(), side, side)?;
    let (projection, _) = image::display(&small, small.rect, net.spec().input.order, None)?;
    Ok((image::patch(seen, p.receptive_field)?, projection))
}

/// White paper to lay squares on.
struct Sheet {
    width: usize,
    side: usize,
    rgba: Vec<u8>,
}

impl Sheet {
    fn new(height: usize, width: usize, side: usize) -> Result<Sheet> {
        if (height as u64).saturating_mul(width as u64) > image::MAX_PIXELS {
            return Err(Error::Limit(format!(
                "a sheet of {width}×{height} pixels is too large; ask for fewer maps (--map) or smaller patches (--side)"
            )));
        }
        Ok(Sheet { width, side, rgba: vec![255; height * width * 4] })
    }

    /// The picture in the square at `y`, `x`, in whole pixels where it is enlarged.
    fn put(&mut self, picture: &Picture, y: usize, x: usize) {
        let side = self.side;
        let small = picture.fit(side, side).ok().filter(|_| picture.height().max(picture.width()) > side);
        let from = small.as_ref().unwrap_or(picture);
        for i in 0..side {
            for j in 0..side {
                let rgb = from.rgb(i * from.height() / side, j * from.width() / side);
                let at = ((y + i) * self.width + x + j) * 4;
                self.rgba[at..at + 3].copy_from_slice(&rgb);
            }
        }
    }
}
