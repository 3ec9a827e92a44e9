//! Entries made visible again, several at a time.

use super::{Bound, Gallery};
use crate::error::Result;
use crate::explain::gallery;
use crate::format::gallery::Entry;
use crate::image::{self, Picture, patch};
use crate::kernel::parallel;
use crate::net::Trace;
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

/// What the network sees of a window.
struct Seen {
    picture: Picture,
    window: [f64; 4],
    trace: Option<Trace>,
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
        let groups = self.groups(asked);
        // What entries of one window share is computed once, then each for itself; all threads for the only one.
        let each = |n: usize, f: &(dyn Fn(usize) -> Result<Seen> + Sync)| match n {
            1 => vec![f(0)],
            n => parallel::map(n, f),
        };
        let seen = each(groups.len(), &|g| self.see(asked, &groups[g]));
        let mut of = vec![0; asked.len()];
        groups.iter().enumerate().for_each(|(g, all)| all.iter().for_each(|&i| of[i] = g));
        let show = |i: usize| match &seen[of[i]] {
            Ok(seen) => self.show(&asked[i], seen),
            Err(e) => Err(e.clone()),
        };
        let shown = match asked.len() {
            1 => vec![show(0)],
            n => parallel::map(n, &show),
        };
        let value =
            |(asked, shown): (&Asked, Result<Shown>)| shown.map_or_else(thrown, |s| answer(asked, &s));
        asked.iter().zip(shown).map(value).collect()
    }
}

impl Gallery {
    /// Numbers of those asked for that share photo, window and a forward pass.
    fn groups(&self, asked: &[Asked]) -> Vec<Vec<usize>> {
        let mut groups = Vec::new();
        let mut kinds: Vec<(usize, bool)> = asked.iter().map(|a| (a.layer, a.patch_only)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for (layer, patch_only) in kinds {
            let all: Vec<usize> = (0..asked.len())
                .filter(|&i| (asked[i].layer, asked[i].patch_only) == (layer, patch_only))
                .collect();
            let entries: Vec<Entry> = all.iter().map(|&i| asked[i].entry).collect();
            // What cannot be grouped says why when it is computed.
            let found = gallery::together(&self.net, self.nodes[layer], &entries);
            let found = found.unwrap_or_else(|_| (0..all.len()).map(|i| vec![i]).collect());
            groups.extend(found.into_iter().map(|g| g.into_iter().map(|i| all[i]).collect::<Vec<_>>()));
        }
        groups
    }

    /// The window of a group, and its forward pass unless only patches are wanted.
    fn see(&self, asked: &[Asked], group: &[usize]) -> Result<Seen> {
        let first = &asked[group[0]];
        let photo = &first.photo;
        let window = gallery::window(&self.gallery, &self.net, first.entry.photo, first.entry.window, photo)?;
        if first.patch_only {
            let s = self.net.spec().input.shape;
            return Ok(Seen { picture: photo.cut(window, s.h, s.w)?, window, trace: None });
        }
        let (picture, input) = gallery::see(&self.net, window, photo)?;
        let entries = group.iter().map(|&i| &asked[i].entry);
        let trace = gallery::pass(&self.net, self.nodes[first.layer], input, entries)?;
        Ok(Seen { picture, window, trace: Some(trace) })
    }

    fn show(&self, asked: &Asked, seen: &Seen) -> Result<Shown> {
        let &Asked { layer, map, entry, side, .. } = asked;
        let node = self.nodes[layer];
        let cell = seen.trace.as_ref().map(|t| gallery::from_trace(t, node, map, &entry)).transpose()?;
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
        let patch = patch(&seen.picture, field)?;
        let patch = if reduce { patch.fit(side.min(field.h()), side.min(field.w()))? } else { patch };
        Ok(Shown { patch, field, window: seen.window, projected })
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
