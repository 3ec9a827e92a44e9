//! Dictionaries of sparse coding as files: safetensors whose metadata says what each layer pools and how photos are prepared.

use super::number::Number;
use super::safetensors::{self, Entry, File};
use crate::error::{Error, Result};
use half::f16;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Layers of a dictionary, from the pixels up.
#[derive(Debug, Clone, PartialEq)]
pub struct Dictionary {
    /// All but the numbers.
    pub about: About,
    /// At least one.
    pub layers: Vec<Layer>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Maps, maps pooled below (channels of the photo for the first), rows, columns.
    pub shape: [usize; 4],
    /// As many; a filter of unit norm for each map.
    pub weights: Vec<f32>,
    /// How it codes.
    pub spec: LayerSpec,
}

/// How a layer codes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerSpec {
    /// λ.
    pub lambda: f64,
    /// Side of the pooled windows.
    pub pool_side: usize,
    /// Maps that share one pooled value.
    pub pool_maps: usize,
    /// What learning it recorded: the objective after each pass over the photos, averaged over photos.
    #[serde(default)]
    pub objective: Vec<f64>,
    /// ‖R_l z − y‖ / ‖y‖ on the photos it was learned from.
    #[serde(default)]
    pub error: Option<f64>,
    /// The same on photos it was not learned from.
    #[serde(default)]
    pub held_out_error: Option<f64>,
    /// Share of values that are not zero, on those.
    #[serde(default)]
    pub support: Option<f64>,
    /// Filters drawn anew while learning: because no photo used them, because they repeated another.
    #[serde(default)]
    pub reseeded: [usize; 2],
}

/// What is known of the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Name for people.
    #[serde(default)]
    pub title: String,
    /// Of the photos it was learned from.
    #[serde(default)]
    pub licence: String,
    /// How it was made.
    #[serde(default)]
    pub origin: String,
    /// Side to which photos are reduced.
    pub side: usize,
    /// Reach of the contrast normalisation, in pixels.
    pub sigma: f32,
    /// Channels of the photos: 1 grey, 3 red, green, blue.
    pub channels: usize,
}

/// As in the metadata.
#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(flatten)]
    about: About,
    layers: Vec<LayerSpec>,
}

/// Limits of what is read: layers, maps, side of filters and photos.
const MOST: [usize; 4] = [8, 4096, 64, 4096];

impl Dictionary {
    /// Refuses what does not fit together. Errors: Shape, Limit, Malformed, Parameter.
    pub fn check(&self) -> Result<()> {
        let about = &self.about;
        if ![1, 3].contains(&about.channels) {
            return Err(Error::Shape(format!(
                "a dictionary is grey (1 channel) or in colour (3), not {}",
                about.channels
            )));
        }
        if about.side == 0 || about.side > MOST[3] || !(about.sigma > 0.0 && about.sigma <= 1000.0) {
            return Err(Error::Malformed(format!(
                "a dictionary for photos of side {} with a contrast's reach of {}",
                about.side, about.sigma
            )));
        }
        if self.layers.is_empty() || self.layers.len() > MOST[0] {
            return Err(Error::Malformed(format!(
                "a dictionary has 1 to {} layers, not {}",
                MOST[0],
                self.layers.len()
            )));
        }
        let mut below = about.channels;
        for (i, layer) in self.layers.iter().enumerate() {
            let place = format!("layer {} of the dictionary", i + 1);
            let [maps, reads, kh, kw] = layer.shape;
            if maps == 0 || maps > MOST[1] || kh == 0 || kw == 0 || kh > MOST[2] || kw > MOST[2] {
                return Err(Error::Limit(format!("{place}: {maps} filters of {kh}×{kw}")));
            }
            if reads != below {
                return Err(Error::Shape(format!(
                    "{place}: filters for {reads} maps, below it there are {below}"
                )));
            }
            if layer.weights.len() != maps * reads * kh * kw {
                return Err(Error::Shape(format!(
                    "{place}: {} weights for {:?}",
                    layer.weights.len(),
                    layer.shape
                )));
            }
            if layer.weights.iter().any(|w| !w.is_finite()) {
                return Err(Error::Malformed(format!(
                    "{place}: a weight is not a finite number; learn it again"
                )));
            }
            let s = &layer.spec;
            if !(s.lambda > 0.0 && s.lambda.is_finite()) {
                return Err(Error::Malformed(format!("{place}: λ is {}, it must be above 0", s.lambda)));
            }
            if s.pool_side == 0 || s.pool_maps == 0 || s.pool_side > 64 || !maps.is_multiple_of(s.pool_maps) {
                return Err(Error::Malformed(format!(
                    "{place}: pools of {}×{}×{} do not divide {maps} maps",
                    s.pool_side, s.pool_side, s.pool_maps
                )));
            }
            below = maps / s.pool_maps;
        }
        Ok(())
    }
}

/// Reads a dictionary. Errors: those of [`File::parse`] and [`Dictionary::check`]; Unsupported for another kind of file.
pub fn read(bytes: &[u8]) -> Result<Dictionary> {
    let file = File::parse(bytes)?;
    let header = file.metadata.get("dictionary").ok_or_else(|| {
        Error::Unsupported(
            "this safetensors file is no dictionary of sparse coding; use one written by `unpool sparse learn`".into(),
        )
    })?;
    let header: Header = serde_json::from_str(header)
        .map_err(|e| Error::Malformed(format!("the dictionary's description cannot be read: {e}")))?;
    let mut layers = Vec::new();
    for (i, spec) in header.layers.into_iter().enumerate() {
        let name = format!("layer{}.weight", i + 1);
        let entry = file.tensors.get(&name).ok_or_else(|| {
            Error::Malformed(format!("the dictionary has no tensor {name}; get the file again"))
        })?;
        let shape: [usize; 4] = entry.shape.as_slice().try_into().map_err(|_| {
            Error::Shape(format!(
                "{name} has shape {:?}, expected maps, maps below, rows, columns",
                entry.shape
            ))
        })?;
        let weights = entry.number.floats(entry.bytes).ok_or_else(|| {
            Error::Unsupported(format!(
                "{name} is stored as {}; store it as F32 or F16",
                entry.number.safetensors()
            ))
        })?;
        layers.push(Layer { shape, weights, spec });
    }
    let dictionary = Dictionary { about: header.about, layers };
    dictionary.check()?;
    Ok(dictionary)
}

/// Writes a dictionary, in float16: filters of unit norm lose nothing that shows. The same dictionary gives the same bytes.
pub fn write(dictionary: &Dictionary) -> Vec<u8> {
    bytes(dictionary, Number::F16)
}

/// The same in float32, to go on learning from.
pub fn write_exact(dictionary: &Dictionary) -> Vec<u8> {
    bytes(dictionary, Number::F32)
}

fn bytes(dictionary: &Dictionary, number: Number) -> Vec<u8> {
    let layers = dictionary.layers.iter().map(|l| l.spec.clone()).collect();
    let header = Header { about: dictionary.about.clone(), layers };
    let header = serde_json::to_string(&header).expect("numbers and strings always have a JSON form");
    let metadata = BTreeMap::from([("format".into(), "unpool".into()), ("dictionary".into(), header)]);
    let number_bytes = |w: &f32| match number {
        Number::F16 => f16::from_f32(*w).to_le_bytes().to_vec(),
        _ => w.to_le_bytes().to_vec(),
    };
    let numbers: Vec<Vec<u8>> =
        dictionary.layers.iter().map(|l| l.weights.iter().flat_map(number_bytes).collect()).collect();
    let tensors = dictionary
        .layers
        .iter()
        .zip(&numbers)
        .enumerate()
        .map(|(i, (l, bytes))| {
            let entry = Entry { number, shape: l.shape.to_vec(), bytes };
            (format!("layer{}.weight", i + 1), entry)
        })
        .collect();
    safetensors::write(&metadata, &tensors)
}

#[cfg(test)]
mod tests {
    use super::super::mutate;
    use super::*;

    #[test]
    fn no_mutation_panics() {
        let spec = LayerSpec {
            lambda: 1.0,
            pool_side: 2,
            pool_maps: 1,
            objective: vec![2.0],
            error: None,
            held_out_error: None,
            support: None,
            reseeded: [0, 1],
        };
        let layers = vec![Layer { shape: [2, 1, 2, 2], weights: vec![0.5; 8], spec }];
        let about = About {
            title: "t".into(),
            licence: String::new(),
            origin: String::new(),
            side: 9,
            sigma: 3.0,
            channels: 1,
        };
        let bytes = write(&Dictionary { about, layers });
        assert!(read(&bytes).is_ok());
        mutate::each(&bytes, |bytes| read(bytes).map(drop));
    }
}
