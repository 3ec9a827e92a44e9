//! Entries made visible again, several at a time.

use super::{Bound, Gallery};
use crate::error::Result;
use crate::explain::gallery;
use crate::format::gallery::Entry;
use crate::image::{self, Picture, patch};
use crate::kernel::parallel;
use crate::tensor::Rect;
use crate::wasm::value::{numbers, object, position, rect, thrown};
use js_sys::{Array, Uint8ClampedArray};
use wasm_bindgen::Clamped;
use wasm_bindgen::prelude::*;

/// Entries of one gallery asked for together: each is computed on a thread of its own, which wastes less than sharing one
/// among all.
#[wasm_bindgen]
#[derive(Default)]
pub struct GalleryCells {
    asked: Vec<Asked>,
}

struct Asked {
    layer: usize,
    map: usize,
    entry: Entry,
    photo: Picture,
    /// Most pixels of a side; 0: not reduced.
    side: usize,
    /// Without the projection.
    patch_only: bool,
}

/// What a cell shows.
struct Shown {
    patch: Picture,
    field: Rect,
    window: [f64; 4],
    projected: Option<Projected>,
}

struct Projected {
    picture: Picture,
    contrast: f32,
    cell: gallery::Cell,
}

#[wasm_bindgen]
impl GalleryCells {
    /// Nothing asked for.
    #[wasm_bindgen(constructor)]
    pub fn new() -> GalleryCells {
        GalleryCells::default()
    }
}

#[wasm_bindgen]
impl Gallery {
    /// Asks for one entry, from its photo.
    #[allow(clippy::too_many_arguments)] // as the call comes from JavaScript
    pub fn ask(
        &self,
        cells: &mut GalleryCells,
        layer: &str,
        map: usize,
        entry: usize,
        width: usize,
        height: usize,
        rgba: Clamped<Vec<u8>>,
        side: usize,
        patch_only: bool,
    ) -> Bound<()> {
        let (layer, &entry) = self.entry(layer, map, entry).map_err(thrown)?;
        let photo = Picture::new(width, height, rgba.0).map_err(thrown)?;
        cells.asked.push(Asked { layer, map, entry, photo, side, patch_only });
        Ok(())
    }

    /// `GalleryCell` for each entry asked for, in that order, or the `Error` in its place.
    pub fn answer(&self, cells: &GalleryCells) -> Array {
        let asked = &cells.asked;
        let shown = match asked.as_slice() {
            // All threads for the only one.
            [one] => vec![self.show(one)],
            many => parallel::map(many.len(), &|i| self.show(&many[i])),
        };
        let value =
            |(asked, shown): (&Asked, Result<Shown>)| shown.map_or_else(thrown, |s| answer(asked, &s));
        asked.iter().zip(shown).map(value).collect()
    }
}

impl Gallery {
    fn show(&self, asked: &Asked) -> Result<Shown> {
        let Asked { layer, map, entry, ref photo, side, patch_only } = *asked;
        let node = self.nodes[layer];
        let window = gallery::window(&self.gallery, &self.net, entry.photo, entry.window, photo)?;
        let (seen, cell) = if patch_only {
            let s = self.net.spec().input.shape;
            (photo.cut(window, s.h, s.w)?, None)
        } else {
            let (seen, cell) = gallery::cell(&self.gallery, &self.net, node, map, &entry, photo)?;
            (seen, Some(cell))
        };
        let field = gallery::field(&self.net, node, &entry)?;
        // What is reduced keeps its largest magnitudes: averaging would cancel what alternates.
        let reduce = side > 0 && field.h().max(field.w()) > side;
        let order = self.net.spec().input.order;
        let projected = match cell {
            None => None,
            Some(cell) => {
                let pixels = &cell.projection.pixels;
                let (picture, contrast) = if reduce {
                    let small = image::shrink(image::padded(pixels, field).view(), side, side)?;
                    image::display(&small, small.rect, order, None)?
                } else {
                    image::display(pixels, field, order, None)?
                };
                Some(Projected { picture, contrast, cell })
            }
        };
        let patch = patch(&seen, field)?;
        let patch = if reduce { patch.fit(side.min(field.h()), side.min(field.w()))? } else { patch };
        Ok(Shown { patch, field, window, projected })
    }
}

fn answer(asked: &Asked, shown: &Shown) -> JsValue {
    let pixels = |p: &Picture| Uint8ClampedArray::from(p.rgba());
    let Shown { patch, field, window, projected } = shown;
    let shape = numbers([patch.height() as f64, patch.width() as f64]);
    let common = [
        ("shape", shape),
        ("patch", pixels(patch).into()),
        ("receptiveField", rect(*field)),
        ("window", numbers(*window)),
        ("at", position(asked.entry.at.map(usize::from))),
        ("stored", asked.entry.value.into()),
    ];
    let Some(Projected { picture, contrast, cell }) = projected else { return object(common) };
    let [shape, patch, field, window, at, stored] = common;
    object([
        shape,
        patch,
        field,
        window,
        at,
        stored,
        ("projection", pixels(picture).into()),
        ("contrast", (*contrast).into()),
        ("value", cell.value.into()),
        ("difference", cell.difference.into()),
        ("stale", cell.is_stale().into()),
    ])
}
