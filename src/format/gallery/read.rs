//! Untrusted bytes → a gallery in which every index points somewhere and every list is in order.

use super::super::number::Number;
use super::super::safetensors::{Entry as Raw, File};
use super::{Document, Entry, Gallery, Header, Layer, MOST_SCALES, MOST_TOP, Map, Photo, VERSION};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// More maps than any network has in one layer.
const MOST_MAPS: usize = 1 << 20;

fn malformed(what: impl std::fmt::Display) -> Error {
    Error::Malformed(format!("gallery file: {what}; get the file again or build it anew"))
}

/// Reads a gallery. Errors: those of [`File::parse`]; Unsupported for other files and later versions;
/// Malformed for what cannot be; Limit for absurd sizes. Whether it belongs to a network is for the
/// caller to ask.
pub fn read(bytes: &[u8]) -> Result<Gallery> {
    if bytes.len() > 8 && bytes[8] != b'{' {
        return Err(Error::Malformed("this is no gallery; give it one written by `unpool gallery`".into()));
    }
    let file = File::parse(bytes)?;
    let Some(json) = file.metadata.get("gallery") else {
        return Err(Error::Unsupported(
            "this safetensors file is no gallery; give it one written by `unpool gallery`".into(),
        ));
    };
    let document: Document = serde_json::from_str(json)
        .map_err(|e| malformed(format_args!("its description cannot be read: {e}")))?;
    if document.version != VERSION {
        return Err(Error::Unsupported(format!(
            "a gallery of version {}, version {VERSION} is known here; use a newer Unpool",
            document.version
        )));
    }
    let Document { search: header, photos, layers: names, .. } = document;
    check_header(&header)?;
    check_photos(&photos)?;
    let mut tensors = file.tensors;
    let mut layers: Vec<Layer> = Vec::new();
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name.clone()) {
            return Err(malformed(format_args!("layer `{name}` is listed twice")));
        }
        let maps = maps(&mut tensors, &name, &header, photos.len())
            .map_err(|e| e.at(&format!("gallery file: {name}")))?;
        layers.push(Layer { name, maps });
    }
    if let Some(name) = tensors.keys().next() {
        return Err(malformed(format_args!("array `{name}` belongs to no layer")));
    }
    let mut used = vec![false; photos.len()];
    let entries = layers.iter().flat_map(|l| &l.maps).flat_map(|m| &m.entries);
    entries.for_each(|e| used[e.photo as usize] = true);
    if let Some(i) = used.iter().position(|u| !u) {
        return Err(malformed(format_args!("no map points to photo `{}`", photos[i].name)));
    }
    Ok(Gallery { header, photos, layers })
}

fn check_header(h: &Header) -> Result<()> {
    if h.top == 0 || h.top > MOST_TOP {
        return Err(Error::Limit(format!(
            "gallery file: {} entries a map; 1 to {MOST_TOP} are taken",
            h.top
        )));
    }
    if h.scales == 0 || h.scales > MOST_SCALES {
        return Err(malformed(format_args!("photos searched in {} scales", h.scales)));
    }
    Ok(())
}

/// Names must be relative and stay inside the folder: pages and programs fetch them from there.
fn check_photos(photos: &[Photo]) -> Result<()> {
    for p in photos {
        let strange = |part: &str| part.is_empty() || part == "." || part == "..";
        if p.name.split('/').any(strange) || p.name.contains(['\\', '\0']) {
            return Err(malformed(format_args!("`{}` is no path inside a folder", p.name)));
        }
        if p.height == 0 || p.width == 0 {
            return Err(malformed(format_args!("photo `{}` has no pixels", p.name)));
        }
    }
    match photos.windows(2).find(|w| w[0].name >= w[1].name) {
        Some(w) => {
            Err(malformed(format_args!("photos `{}` and `{}` are out of order", w[0].name, w[1].name)))
        }
        None => Ok(()),
    }
}

fn maps(
    tensors: &mut BTreeMap<String, Raw>,
    layer: &str,
    header: &Header,
    photos: usize,
) -> Result<Vec<Map>> {
    let mut take = |part: &str, number: Number| {
        let raw = tensors
            .remove(&format!("{layer}/{part}"))
            .ok_or_else(|| Error::Malformed(format!("the array `{part}` is missing")))?;
        if raw.number != number {
            return Err(Error::Malformed(format!(
                "the array `{part}` is stored as {}",
                raw.number.safetensors()
            )));
        }
        Ok(raw)
    };
    let (photo, window) = (take("photo", Number::U32)?, take("window", Number::U8)?);
    let (at, value) = (take("at", Number::U16)?, take("value", Number::F32)?);
    let bounds = take("bounds", Number::U32)?;
    let (bins, counts) = (take("bins", Number::U16)?, take("counts", Number::U32)?);
    let &[count, n] = photo.shape.as_slice() else {
        return Err(Error::Malformed("the array `photo` must be maps × entries".into()));
    };
    if count > MOST_MAPS {
        return Err(Error::Limit(format!("{count} maps; at most {MOST_MAPS} are taken")));
    }
    let expected = header.searched.min(header.top as u64) as usize;
    if n != expected || window.shape != [count, n] || value.shape != [count, n] || at.shape != [count, n, 2] {
        return Err(Error::Malformed(format!("its arrays are not {count} maps × {expected} entries")));
    }
    if bounds.shape != [count + 1] || bins.shape.len() != 1 || bins.shape != counts.shape {
        return Err(Error::Malformed("the arrays of its histogram do not fit together".into()));
    }
    let bounds: Vec<usize> = words(bounds.bytes).map(|v| v as usize).collect();
    let (bins, counts): (Vec<u16>, Vec<u32>) = (halves(bins.bytes).collect(), words(counts.bytes).collect());
    let ascending = bounds.windows(2).all(|w| w[0] <= w[1]);
    if bounds.first() != Some(&0) || bounds.last() != Some(&bins.len()) || !ascending {
        return Err(Error::Malformed("the bounds of its histogram are out of order".into()));
    }
    let (photo, value): (Vec<u32>, Vec<f32>) =
        (words(photo.bytes).collect(), words(value.bytes).map(f32::from_bits).collect());
    let at: Vec<u16> = halves(at.bytes).collect();
    let entry = |i: usize| Entry {
        photo: photo[i],
        window: window.bytes[i],
        at: [at[2 * i], at[2 * i + 1]],
        value: value[i],
    };
    let mut maps = Vec::with_capacity(count);
    for m in 0..count {
        let map = Map {
            entries: (m * n..(m + 1) * n).map(entry).collect(),
            histogram: (bounds[m]..bounds[m + 1]).map(|i| (bins[i], counts[i])).collect(),
        };
        check_map(&map, header.searched, photos)
            .map_err(|what| Error::Malformed(format!("map {m}: {what}")))?;
        maps.push(map);
    }
    Ok(maps)
}

fn check_map(map: &Map, searched: u64, photos: usize) -> std::result::Result<(), &'static str> {
    if map.entries.iter().any(|e| e.photo as usize >= photos) {
        return Err("an entry points to a photo that is not there");
    }
    if map.entries.iter().any(|e| e.value.is_nan()) {
        return Err("an entry has no number as its value");
    }
    let key = |e: &Entry| (std::cmp::Reverse(super::order(e.value)), e.photo);
    if map.entries.windows(2).any(|w| key(&w[0]) >= key(&w[1])) {
        return Err("its entries are out of order");
    }
    let total: u64 = map.histogram.iter().map(|(_, n)| u64::from(*n)).sum();
    let ascending = map.histogram.windows(2).all(|w| w[0].0 < w[1].0);
    if total != searched || !ascending || map.histogram.iter().any(|(bin, n)| *bin >= 1 << 13 || *n == 0) {
        return Err("its histogram does not count the inputs searched");
    }
    Ok(())
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]))
}

#[cfg(test)]
mod tests {
    use super::super::super::{mutate, safetensors};
    use super::super::{bin, write};
    use super::*;

    fn sample() -> Gallery {
        let entry = |photo, value| Entry { photo, window: 1, at: [3, 4], value };
        let map = |a: f32, b: f32| Map {
            entries: vec![entry(1, a), entry(0, b)],
            histogram: vec![(bin(b), 1), (bin(a), 1)],
        };
        let header = Header {
            model: "tiny".into(),
            weights: "crc32:00000000".into(),
            top: 9,
            scales: 2,
            searched: 2,
            skipped: 1,
            unfinished: None,
        };
        let photo = |name: &str| Photo { name: name.into(), height: 20, width: 30 };
        let photos = vec![photo("a/b.jpg"), photo("ä.png")];
        let layers = vec![
            Layer { name: "fire2/concat".into(), maps: vec![map(2.0, 1.0), map(5.0, -0.5)] },
            Layer { name: "relu1".into(), maps: vec![map(9.0, 0.0)] },
        ];
        Gallery { header, photos, layers }
    }

    #[test]
    fn a_gallery_survives_the_round_trip() {
        let gallery = sample();
        let bytes = write(&gallery);
        assert_eq!(read(&bytes).unwrap(), gallery);
        assert_eq!(write(&read(&bytes).unwrap()), bytes);
    }

    #[test]
    fn each_fault_has_its_error() {
        let fault = |change: &dyn Fn(&mut Gallery)| {
            let mut g = sample();
            change(&mut g);
            read(&write(&g)).unwrap_err()
        };
        let says = |e: Error, kind: &str, what: &str| {
            assert_eq!(e.kind(), kind, "{e}");
            assert!(e.message().contains(what), "{e}");
        };
        says(read(b"<!doctype html>").unwrap_err(), "Malformed", "no gallery");
        let model = safetensors::write(&BTreeMap::new(), &BTreeMap::new());
        says(read(&model).unwrap_err(), "Unsupported", "no gallery");
        says(fault(&|g| g.header.top = 0), "Limit", "0 entries");
        says(fault(&|g| g.header.top = 1_000_000), "Limit", "entries a map");
        says(fault(&|g| g.header.scales = 9), "Malformed", "9 scales");
        says(fault(&|g| g.header.searched = 3), "Malformed", "2 maps × 3 entries");
        says(fault(&|g| g.photos[0].name = "../b.jpg".into()), "Malformed", "no path inside");
        says(fault(&|g| g.photos[0].name = "/b.jpg".into()), "Malformed", "no path inside");
        says(fault(&|g| g.photos[0].name = "ö".into()), "Malformed", "out of order");
        says(fault(&|g| g.photos[0].width = 0), "Malformed", "no pixels");
        says(fault(&|g| g.layers[1].maps[0].entries[0].photo = 7), "Malformed", "not there");
        says(fault(&|g| g.layers[1].maps[0].entries[0].value = -1.0), "Malformed", "out of order");
        says(fault(&|g| g.layers[1].maps[0].entries[0].value = f32::NAN), "Malformed", "no number");
        says(fault(&|g| g.layers[1].maps[0].histogram[0].1 = 2), "Malformed", "does not count");
        says(fault(&|g| g.layers[1].name = "fire2/concat".into()), "Malformed", "twice");
        let other = |g: &mut Gallery| {
            g.photos.push(Photo { name: "ö".into(), height: 1, width: 1 });
        };
        says(fault(&other), "Malformed", "no map points");
    }

    #[test]
    fn no_mutation_panics() {
        mutate::each(&write(&sample()), |bytes| read(bytes).map(drop));
    }
}
