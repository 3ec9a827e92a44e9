//! Gallery files: for every feature map the inputs that excite it most, and how its maxima are
//! spread over all inputs searched. Safetensors, so that Python reads them too; what is no number
//! stands as JSON in the metadata. Neither times nor absolute paths: the same search gives the same bytes.

mod read;
mod write;

pub use read::read;
pub use write::write;

use serde::Deserialize;

/// Version of the layout, in every file.
const VERSION: u32 = 1;
/// Most entries kept for a map.
pub const MOST_TOP: usize = 1000;
/// Most scales that a photo is searched in.
pub const MOST_SCALES: u8 = 3;

/// What was searched, in which network, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// The network's short name.
    pub model: String,
    /// Fingerprint of its layers and weights, as [`crate::net::Net::fingerprint`] gives it.
    pub weights: String,
    /// Entries kept for each map.
    pub top: usize,
    /// Number of scales that a photo was searched in, 1 to [`MOST_SCALES`].
    pub scales: u8,
    /// Inputs searched: each counts once for each map.
    pub searched: u64,
    /// Files that could not be read or that the network could not take.
    pub skipped: u64,
    /// An unfinished search: what is done of which list of files. Absent in finished galleries.
    #[serde(default)]
    pub unfinished: Option<String>,
}

/// A searched input that some map keeps.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "(String, u32, u32)")]
pub struct Photo {
    /// Path relative to the folder searched, parts separated by `/`.
    pub name: String,
    /// Its own rows, from which its windows follow.
    pub height: u32,
    /// Its own columns.
    pub width: u32,
}

impl From<(String, u32, u32)> for Photo {
    fn from((name, height, width): (String, u32, u32)) -> Photo {
        Photo { name, height, width }
    }
}

/// One of a map's strongest inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Index into [`Gallery::photos`].
    pub photo: u32,
    /// Which of the photo's windows, by the rule of [`crate::image::windows`].
    pub window: u8,
    /// Row and column of the maximum in the layer's plane.
    pub at: [u16; 2],
    /// The maximum.
    pub value: f32,
}

/// What is known of one feature map.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map {
    /// Strongest first; of equals the photo whose name comes first.
    pub entries: Vec<Entry>,
    /// How many inputs have their maximum in which bin, bins ascending, empty ones left out.
    pub histogram: Vec<(u16, u32)>,
}

/// All maps of one layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layer {
    /// Its name in the network.
    pub name: String,
    /// Its maps, by number.
    pub maps: Vec<Map>,
}

/// A whole gallery.
#[derive(Debug, Clone, PartialEq)]
pub struct Gallery {
    /// What was searched.
    pub header: Header,
    /// By name; only those that an entry points to.
    pub photos: Vec<Photo>,
    /// In the network's order.
    pub layers: Vec<Layer>,
}

/// What the metadata holds.
#[derive(Deserialize)]
struct Document {
    version: u32,
    search: Header,
    layers: Vec<String>,
    photos: Vec<Photo>,
}

/// Says in every file what its numbers mean, for readers without this program.
const RULE: &str = "each photo's maximum over its windows counts once for each map; window 0 is the largest \
    centred part of the input's proportions, further windows are squares of the whole and of half that side over \
    the whole photo; a patch is the unit's receptive field in the window, padded with the mean beyond its border; \
    bins: the upper 13 bits of a float32 whose order is that of the values";

/// A whole number that compares as the value does; −0 and 0 are one value.
pub fn order(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// Bin of a maximum: sixteen to an octave, in the order of the values.
pub fn bin(value: f32) -> u16 {
    (order(value) >> 19) as u16
}

/// The values from which on and up to which a bin goes.
pub fn bin_range(bin: u16) -> [f32; 2] {
    let value = |ordered: u32| {
        let bits = if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered };
        let value = f32::from_bits(bits);
        // The outermost bins hold the infinities, and what is beyond them is no number.
        if value.is_nan() { f32::INFINITY.copysign(value) } else { value }
    };
    let from = u32::from(bin) << 19;
    [value(from), value(from | ((1 << 19) - 1))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_keep_the_order_and_hold_their_values() {
        let values = [f32::NEG_INFINITY, -3e9, -1.5, -1e-30, 0.0, 1e-30, 0.1, 1.0, 1.03, 1.07, 7.0, 1e30];
        for pair in values.windows(2) {
            assert!(bin(pair[0]) <= bin(pair[1]), "{pair:?}");
        }
        for v in values {
            let [from, to] = bin_range(bin(v));
            assert!(from <= v && v <= to, "{v}: {from} to {to}");
        }
        assert_eq!(bin(-0.0), bin(0.0));
        assert_ne!(bin(1.0), bin(1.07));
        assert!(bin(f32::INFINITY) < 1 << 13);
    }
}
