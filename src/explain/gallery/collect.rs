//! Maxima into a gallery.

use super::search::{Found, Peak, Search};
use crate::format::gallery::{Entry, Gallery, Header, Layer, Map, Photo, bin, order};
use std::cmp::Ordering;

/// Photos that no map keeps any more may pile up to this many before they are cleared away.
const SPARE_PHOTOS: usize = 4096;

/// A gallery of no inputs.
pub fn empty(search: &Search) -> Gallery {
    let layer = |&node: &usize| Layer {
        name: search.net.name(node).into(),
        maps: vec![Map::default(); search.net.maps(node)],
    };
    let header = Header {
        model: search.net.spec().name.clone(),
        weights: search.net.fingerprint(),
        top: search.top,
        scales: search.scales,
        searched: 0,
        skipped: 0,
        unfinished: None,
    };
    Gallery { header, photos: Vec::new(), layers: search.nodes.iter().map(layer).collect() }
}

/// Adds one input's maxima. `name` must be new. Call [`settle`] before the gallery is read or written.
pub fn add(gallery: &mut Gallery, name: &str, found: &Found) {
    let new = gallery.photos.len() as u32;
    let Gallery { header, photos, layers } = gallery;
    photos.push(Photo { name: name.into(), height: found.size[0] as u32, width: found.size[1] as u32 });
    header.searched += 1;
    // No more than this many can be in use.
    let most = SPARE_PHOTOS.max(layers.iter().map(|l| l.maps.len()).sum::<usize>() * header.top);
    let mut kept = false;
    for (layer, peaks) in layers.iter_mut().zip(&found.peaks) {
        for (map, &Peak { value, at, window }) in layer.maps.iter_mut().zip(peaks) {
            count(map, bin(value), 1);
            kept |= insert(map, Entry { photo: new, window, at, value }, header.top, photos);
        }
    }
    if !kept {
        photos.pop();
    } else if photos.len() > 2 * most {
        settle(gallery);
    }
}

/// Adds `n` maxima to a bin.
pub(super) fn count(map: &mut Map, bin: u16, n: u32) {
    match map.histogram.binary_search_by_key(&bin, |b| b.0) {
        Ok(i) => map.histogram[i].1 = map.histogram[i].1.saturating_add(n),
        Err(i) => map.histogram.insert(i, (bin, n)),
    }
}

/// Puts an entry in its place among the strongest; whether it has one.
pub(super) fn insert(map: &mut Map, entry: Entry, top: usize, photos: &[Photo]) -> bool {
    let full = map.entries.len() >= top;
    let ahead = |e: &Entry| compare(e, &entry, photos) == Ordering::Less;
    if full && map.entries.last().is_none_or(ahead) {
        return false;
    }
    let place = map.entries.partition_point(ahead);
    map.entries.truncate(top - 1);
    map.entries.insert(place, entry);
    true
}

/// Strongest first, then by name: an order that no split of the inputs changes.
fn compare(a: &Entry, b: &Entry, photos: &[Photo]) -> Ordering {
    let name = |e: &Entry| &photos[e.photo as usize].name;
    order(b.value).cmp(&order(a.value)).then_with(|| name(a).cmp(name(b)))
}

fn used(gallery: &Gallery) -> Vec<bool> {
    let mut used = vec![false; gallery.photos.len()];
    let entries = gallery.layers.iter().flat_map(|l| &l.maps).flat_map(|m| &m.entries);
    entries.for_each(|e| used[e.photo as usize] = true);
    used
}

/// Brings the photos into their order and drops those that no map keeps: the one form a gallery has.
pub fn settle(gallery: &mut Gallery) {
    let used = used(gallery);
    let mut order: Vec<usize> = (0..used.len()).filter(|&i| used[i]).collect();
    order.sort_by(|&a, &b| gallery.photos[a].name.cmp(&gallery.photos[b].name));
    let mut new = vec![0u32; used.len()];
    order.iter().enumerate().for_each(|(i, &old)| new[old] = i as u32);
    gallery.photos = order.iter().map(|&old| gallery.photos[old].clone()).collect();
    let entries = gallery.layers.iter_mut().flat_map(|l| &mut l.maps).flat_map(|m| &mut m.entries);
    entries.for_each(|e| e.photo = new[e.photo as usize]);
}
