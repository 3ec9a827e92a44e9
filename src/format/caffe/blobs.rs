//! The numbers of a `.caffemodel`: for each layer name its blobs. The graph in the file is that of
//! training and is not used.

use crate::error::{Error, Result};
use crate::format::number::count;
use crate::format::wire::Fields;
use crate::spec::Weight;
use std::collections::BTreeMap;

/// A layer's blobs in Caffe's order: weights, bias, … None for a layer without any.
pub type Blobs = BTreeMap<String, Vec<Weight>>;

/// Field numbers of caffe.proto: NetParameter's two generations of layers, and where each keeps
/// its name and its blobs.
const NET_V1_LAYERS: u32 = 2;
const NET_LAYER: u32 = 100;
const V1: (u32, u32) = (4, 6);
const V2: (u32, u32) = (1, 7);
/// A V1 layer's pointer to a layer of the generation before it (2013), and what is found there.
const V0_INSIDE_V1: u32 = 1;
const V0_NAME: u32 = 1;
const V0_BLOBS: u32 = 50;

/// The mean of each channel in a `mean.binaryproto`: a picture's blob. Errors: Malformed.
pub fn mean(bytes: &[u8]) -> Result<Vec<f32>> {
    let w = blob(bytes)?;
    let channels = match w.shape.as_slice() {
        [1, c, _, _] | [c, _, _] => *c,
        other => {
            return Err(Error::Malformed(format!(
                "a mean picture of shape {other:?}; channels, height, width are expected"
            )));
        }
    };
    let values = w.into_f32();
    let plane = values.len() / channels.max(1);
    if plane == 0 {
        return Err(Error::Malformed("the mean picture is empty".into()));
    }
    let mean = |p: &[f32]| (p.iter().map(|v| f64::from(*v)).sum::<f64>() / p.len() as f64) as f32;
    Ok(values.chunks_exact(plane).map(mean).collect())
}

/// Reads all blobs, of all three generations. Errors: Malformed.
pub fn read(bytes: &[u8]) -> Result<Blobs> {
    let mut all = Blobs::new();
    for field in Fields::new(bytes) {
        let (number, value) = field?;
        let (name_field, blob_field) = match number {
            NET_LAYER => V2,
            NET_V1_LAYERS => V1,
            _ => continue,
        };
        let (mut name, mut blobs) = (String::new(), Vec::new());
        for field in Fields::new(value.bytes()?) {
            let (inner, value) = field?;
            if inner == name_field {
                name = value.text()?.to_string();
            } else if inner == blob_field {
                blobs.push(blob(value.bytes()?).map_err(|e| e.at(&format!("caffemodel, layer `{name}`")))?);
            } else if number == NET_V1_LAYERS && inner == V0_INSIDE_V1 {
                for field in Fields::new(value.bytes()?) {
                    match field? {
                        (V0_NAME, value) => name = value.text()?.to_string(),
                        (V0_BLOBS, value) => {
                            let read = blob(value.bytes()?);
                            blobs.push(read.map_err(|e| e.at(&format!("caffemodel, layer `{name}`")))?);
                        }
                        _ => {}
                    }
                }
            }
        }
        if !blobs.is_empty() && all.insert(name.clone(), blobs).is_some() {
            return Err(Error::Malformed(format!("caffemodel: two layers with weights are called `{name}`")));
        }
    }
    Ok(all)
}

fn blob(bytes: &[u8]) -> Result<Weight> {
    let (mut dims, mut legacy, mut values) = (None, [None; 4], Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (n @ 1..=4, value) => legacy[n as usize - 1] = Some(value.integer()?),
            (5, value) => value.floats(&mut values)?,
            (7, value) => {
                let mut list = Vec::new();
                for field in Fields::new(value.bytes()?) {
                    if let (1, value) = field? {
                        value.integers(&mut list)?;
                    }
                }
                dims = Some(list);
            }
            (8, value) => value.doubles(&mut values)?,
            _ => {} // diff and double_diff: gradients
        }
    }
    // Num, channels, height, width; a bias stands in the last of the four.
    let dims = dims.unwrap_or_else(|| legacy.map(|d| d.unwrap_or(1)).to_vec());
    let shape: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
    let shape = shape.filter(|s| count(s) == Some(values.len())).ok_or_else(|| {
        Error::Malformed(format!(
            "a blob of shape {dims:?} holds {} values; the file is damaged, get it again",
            values.len()
        ))
    })?;
    Weight::new(shape, values)
}

#[cfg(test)]
pub(in crate::format) mod tests {
    use super::*;
    use crate::format::mutate;

    /// A length-delimited field.
    pub(crate) fn bytes(field: u32, content: &[u8]) -> Vec<u8> {
        [varint((field << 3 | 2).into()), varint(content.len() as u64), content.to_vec()].concat()
    }

    fn varint(mut v: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while v >= 0x80 {
            out.push(v as u8 | 0x80);
            v >>= 7;
        }
        out.push(v as u8);
        out
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    /// A blob with a shape and packed floats.
    pub fn blob(shape: &[u64], values: &[f32]) -> Vec<u8> {
        let dims: Vec<u8> = shape.iter().flat_map(|&d| varint(d)).collect();
        [bytes(7, &bytes(1, &dims)), bytes(5, &floats(values))].concat()
    }

    /// A layer of today's format with its blobs, as a field of the net.
    pub fn layer(name: &str, blobs: &[Vec<u8>]) -> Vec<u8> {
        let blobs: Vec<u8> = blobs.iter().flat_map(|b| bytes(7, b)).collect();
        bytes(100, &[bytes(1, name.as_bytes()), blobs].concat())
    }

    #[test]
    fn both_generations_of_layers_and_blobs() {
        let old = [&[0x08, 1, 0x10, 1, 0x18, 1, 0x20, 2][..], &bytes(5, &floats(&[5.0, 6.0]))].concat();
        let v1 = bytes(2, &[bytes(4, b"old"), bytes(6, &old)].concat());
        let unpacked =
            [&[0x2d][..], &floats(&[7.0]), &[0x2d], &floats(&[8.0]), &bytes(7, &[0x08, 2])].concat();
        let double = [bytes(7, &bytes(1, &[1])), bytes(8, &2.5f64.to_le_bytes())].concat();
        let file =
            [layer("new", &[blob(&[2, 1], &[1.0, 2.0]), unpacked, double]), v1, layer("none", &[])].concat();
        let all = read(&file).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all["old"][0], Weight::new(vec![1, 1, 1, 2], vec![5.0, 6.0]).unwrap());
        assert_eq!(all["new"][0], Weight::new(vec![2, 1], vec![1.0, 2.0]).unwrap());
        assert_eq!(all["new"][1], Weight::new(vec![2], vec![7.0, 8.0]).unwrap());
        assert_eq!(all["new"][2], Weight::new(vec![1], vec![2.5]).unwrap());
    }

    #[test]
    fn the_generation_of_2013_and_a_mean_picture() {
        let v0 = bytes(2, &bytes(1, &[bytes(1, b"c"), bytes(50, &blob(&[2], &[1.0, 2.0]))].concat()));
        assert_eq!(read(&v0).unwrap()["c"][0], Weight::new(vec![2], vec![1.0, 2.0]).unwrap());
        assert_eq!(mean(&blob(&[1, 2, 1, 2], &[1.0, 3.0, 10.0, 20.0])).unwrap(), [2.0, 15.0]);
    }

    #[test]
    fn each_fault_has_its_error() {
        let says = |file: &[u8], kind: &str, what: &str| {
            let e = read(file).unwrap_err();
            assert_eq!(e.kind(), kind, "{e}");
            assert!(e.message().contains(what), "{e}");
        };
        says(&layer("a", &[blob(&[3], &[1.0])]), "Malformed", "layer `a`");
        says(&layer("a", &[blob(&[u64::MAX], &[1.0])]), "Malformed", "-1");
        says(&layer("a", &[blob(&[1 << 40, 1 << 40], &[1.0])]), "Malformed", "damaged");
        let one = layer("a", &[blob(&[1], &[1.0])]);
        says(&[one.clone(), one.clone()].concat(), "Malformed", "two layers");
        says(&one[..one.len() - 1], "Malformed", "truncated");
        assert!(mean(&blob(&[2], &[1.0, 2.0])).is_err() && mean(&blob(&[1, 0, 1, 1], &[])).is_err());
    }

    #[test]
    fn no_mutation_panics() {
        let file = layer("a", &[blob(&[2, 1], &[1.0, 2.0]), blob(&[1], &[3.0])]);
        mutate::each(&file, |bytes| read(bytes).map(drop));
    }
}
