//! Where an input stands among those a gallery was built from.

use super::search::{Found, Peak};
use crate::error::{Error, Result};
use crate::format::gallery::{Gallery, Layer, Map, bin, bin_range};
use serde::Serialize;

/// One map's maximum in an input, and its place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rank {
    /// Index into the gallery's layers.
    pub layer: usize,
    /// Feature map.
    pub map: usize,
    /// The maximum.
    pub value: f32,
    /// Row, column of the maximum.
    pub at: [u16; 2],
    /// The window it is in.
    pub window: u8,
    /// 1 where no searched input is stronger, searched + 1 where all are. Exact among the kept entries,
    /// below them interpolated inside a bin of the histogram.
    pub rank: f64,
    /// The value over the largest one found in the search; 0 where the map is dead in it.
    pub share: f32,
}

/// 1 + the number of searched inputs whose maximum is larger.
pub fn rank(map: &Map, value: f32) -> f64 {
    if map.entries.last().is_some_and(|e| value >= e.value) {
        return 1.0 + map.entries.iter().take_while(|e| e.value > value).count() as f64;
    }
    let own = bin(value);
    let mut above = 0.0;
    for &(bin, n) in map.histogram.iter().rev() {
        if bin > own {
            above += f64::from(n);
        } else if bin == own {
            let [from, to] = bin_range(bin).map(f64::from);
            let share = (to - f64::from(value)) / (to - from);
            above += f64::from(n) * if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        }
    }
    // A value below all kept ones stands behind them, however coarse its bin is.
    let kept = map.entries.iter().filter(|e| e.value > value).count() as f64;
    1.0 + above.max(kept)
}

/// The maxima of the one input that `one` was built from, in the layers of `gallery`: searched once, an input can be ranked in
/// galleries of many layers.
///
/// # Errors
/// `Parameter` where `one` holds more inputs than one, or not all of the layers.
pub fn found(gallery: &Gallery, one: &Gallery) -> Result<Found> {
    let [photo] = one.photos.as_slice() else {
        return Err(Error::Parameter(format!(
            "one input is ranked at a time: the gallery given holds {}",
            one.photos.len()
        )));
    };
    let peaks = |layer: &Layer| {
        let own = one.layers.iter().find(|l| l.name == layer.name && l.maps.len() == layer.maps.len());
        let own = own.ok_or_else(|| {
            Error::Parameter(format!(
                "the input was not searched in {}; build its gallery with that layer",
                layer.name
            ))
        })?;
        let none = Peak { value: f32::NEG_INFINITY, at: [0, 0], window: 0 };
        let peak =
            |m: &Map| m.entries.first().map_or(none, |e| Peak { value: e.value, at: e.at, window: e.window });
        Ok(own.maps.iter().map(peak).collect())
    };
    let peaks = gallery.layers.iter().map(peaks).collect::<Result<_>>()?;
    Ok(Found { size: [photo.height as usize, photo.width as usize], peaks })
}

/// The place of every map's maximum, those first in which the input stands highest; of equal places
/// the one nearest to (or furthest above) the strongest of the search. Maps that the input does not
/// excite are left out.
pub fn ranks(gallery: &Gallery, found: &Found) -> Vec<Rank> {
    let mut all = Vec::new();
    for (l, (layer, peaks)) in gallery.layers.iter().zip(&found.peaks).enumerate() {
        for (m, (map, &Peak { value, at, window })) in layer.maps.iter().zip(peaks).enumerate() {
            if value > 0.0 {
                let best = map.entries.first().map_or(0.0, |e| e.value);
                let share = if best > 0.0 { value / best } else { 0.0 };
                all.push(Rank { layer: l, map: m, value, at, window, rank: rank(map, value), share });
            }
        }
    }
    all.sort_by(|a, b| a.rank.total_cmp(&b.rank).then_with(|| b.share.total_cmp(&a.share)));
    all
}
