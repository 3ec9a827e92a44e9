//! A gallery as bytes.

use super::super::number::Number;
use super::super::safetensors::{self, Entry};
use super::{Gallery, Layer, RULE, VERSION};
use std::collections::BTreeMap;

/// The arrays of one layer, little-endian.
#[derive(Default)]
struct Arrays {
    photo: Vec<u8>,
    window: Vec<u8>,
    at: Vec<u8>,
    value: Vec<u8>,
    bounds: Vec<u8>,
    bins: Vec<u8>,
    counts: Vec<u8>,
}

impl Arrays {
    fn of(layer: &Layer) -> Arrays {
        let mut a = Arrays::default();
        let mut bound = 0u32;
        a.bounds.extend(bound.to_le_bytes());
        for map in &layer.maps {
            for e in &map.entries {
                a.photo.extend(e.photo.to_le_bytes());
                a.window.push(e.window);
                e.at.iter().for_each(|v| a.at.extend(v.to_le_bytes()));
                a.value.extend(e.value.to_le_bytes());
            }
            for (bin, count) in &map.histogram {
                a.bins.extend(bin.to_le_bytes());
                a.counts.extend(count.to_le_bytes());
            }
            bound += map.histogram.len() as u32;
            a.bounds.extend(bound.to_le_bytes());
        }
        a
    }
}

/// Writes a gallery; the same gallery gives the same bytes. All maps must hold equally many entries,
/// as searches and merges leave them.
pub fn write(gallery: &Gallery) -> Vec<u8> {
    let json = document(gallery);
    let metadata = BTreeMap::from([("format".into(), "unpool-gallery".into()), ("gallery".into(), json)]);
    let arrays: Vec<Arrays> = gallery.layers.iter().map(Arrays::of).collect();
    let mut tensors = BTreeMap::new();
    for (layer, a) in gallery.layers.iter().zip(&arrays) {
        let maps = layer.maps.len();
        let n = layer.maps.first().map_or(0, |m| m.entries.len());
        let bins = a.bins.len() / 2;
        let mut put = |part: &str, number, shape: Vec<usize>, bytes| {
            tensors.insert(format!("{}/{part}", layer.name), Entry { number, shape, bytes });
        };
        put("photo", Number::U32, vec![maps, n], &a.photo[..]);
        put("window", Number::U8, vec![maps, n], &a.window);
        put("at", Number::U16, vec![maps, n, 2], &a.at);
        put("value", Number::F32, vec![maps, n], &a.value);
        put("bounds", Number::U32, vec![maps + 1], &a.bounds);
        put("bins", Number::U16, vec![bins], &a.bins);
        put("counts", Number::U32, vec![bins], &a.counts);
    }
    safetensors::write(&metadata, &tensors)
}

/// The description, by hand: a serialiser for it would be larger than all else here.
fn document(gallery: &Gallery) -> String {
    let h = &gallery.header;
    let text = |s: &str| serde_json::to_string(s).expect("a string always has a JSON form");
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    let unfinished = h.unfinished.as_ref().map_or(String::new(), |u| format!(",\"unfinished\":{}", text(u)));
    let layers = gallery.layers.iter().map(|l| text(&l.name)).collect();
    let photos =
        gallery.photos.iter().map(|p| format!("[{},{},{}]", text(&p.name), p.height, p.width)).collect();
    format!(
        "{{\"version\":{VERSION},\"search\":{{\"model\":{},\"weights\":{},\"top\":{},\"scales\":{},\"searched\":{},\
         \"skipped\":{}{unfinished}}},\"rule\":{},\"layers\":{},\"photos\":{}}}",
        text(&h.model),
        text(&h.weights),
        h.top,
        h.scales,
        h.searched,
        h.skipped,
        text(RULE),
        list(layers),
        list(photos)
    )
}
