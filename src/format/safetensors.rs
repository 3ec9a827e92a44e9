//! The safetensors container: eight bytes of length, a JSON header, then the numbers.
//!
//! Untrusted: offsets are checked, the tensors must cover the data exactly (no overlap, no hole),
//! names are unique, and nothing is allocated for what a header merely claims.

use super::number::{Number, count};
use crate::error::{Error, Result};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// Longest header accepted, in bytes.
pub const MAX_HEADER: usize = 16 << 20;

/// One tensor inside a file: where its bytes are and how to read them.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<'a> {
    /// Type of every number.
    pub number: Number,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// Little-endian, C order; exactly as many as shape and type ask for.
    pub bytes: &'a [u8],
}

/// A parsed file that still borrows its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct File<'a> {
    /// Free text by key (`__metadata__`).
    pub metadata: BTreeMap<String, String>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Entry<'a>>,
}

/// Whether the bytes start like a safetensors file.
pub fn is_safetensors(bytes: &[u8]) -> bool {
    header_length(bytes).is_some_and(|n| n <= MAX_HEADER as u64) && bytes.get(8) == Some(&b'{')
}

fn header_length(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?))
}

fn malformed(what: impl fmt::Display) -> Error {
    Error::Malformed(format!("safetensors file: {what}; get the file again or write it anew"))
}

impl<'a> File<'a> {
    /// Reads the header and checks every offset. Errors: Malformed; Limit for a header above 16 MiB;
    /// Unsupported for an unknown number type.
    pub fn parse(bytes: &'a [u8]) -> Result<File<'a>> {
        let length = header_length(bytes).ok_or_else(|| malformed("shorter than 8 bytes"))?;
        if length > MAX_HEADER as u64 {
            return Err(Error::Limit(format!(
                "safetensors file: a header of {length} bytes is announced, {MAX_HEADER} are allowed; \
                 this is no safetensors file, or a damaged one"
            )));
        }
        let end = 8 + length as usize;
        let header = bytes.get(8..end).ok_or_else(|| {
            malformed(format_args!("truncated: the header takes {end} bytes, {} are there", bytes.len()))
        })?;
        let header: Header = serde_json::from_slice(header)
            .map_err(|e| malformed(format_args!("the header is not what it must be: {e}")))?;
        Ok(File { metadata: header.metadata, tensors: place(header.tensors, &bytes[end..])? })
    }
}

/// Gives every entry its bytes, in the order they stand in the file, so that gaps and overlaps show.
fn place(entries: BTreeMap<String, RawEntry>, data: &[u8]) -> Result<BTreeMap<String, Entry<'_>>> {
    let mut order: Vec<_> = entries.into_iter().collect();
    order.sort_by_key(|(_, e)| e.data_offsets);
    let mut at = 0;
    let mut tensors = BTreeMap::new();
    for (name, raw) in order {
        let number = Number::from_safetensors(&raw.dtype).ok_or_else(|| {
            Error::Unsupported(format!(
                "tensor `{name}`: number type `{}` is not known here; store it as F32 or F16",
                raw.dtype
            ))
        })?;
        let [begin, end] = raw.data_offsets;
        if begin != at || end < begin {
            return Err(malformed(format_args!(
                "tensor `{name}` stands at bytes {begin}..{end} where {at} should be the first"
            )));
        }
        let bytes = data.get(begin..end).ok_or_else(|| {
            malformed(format_args!(
                "truncated: tensor `{name}` ends at byte {end} of the data, {} are there",
                data.len()
            ))
        })?;
        let needs = count(&raw.shape).and_then(|n| n.checked_mul(number.size()));
        if needs != Some(bytes.len()) {
            return Err(malformed(format_args!(
                "tensor `{name}` of shape {:?} in {} does not fit its {} bytes",
                raw.shape,
                raw.dtype,
                bytes.len()
            )));
        }
        at = end;
        tensors.insert(name, Entry { number, shape: raw.shape, bytes });
    }
    if at != data.len() {
        return Err(malformed(format_args!("{} bytes follow the last tensor", data.len() - at)));
    }
    Ok(tensors)
}

/// Writes a file; the same input gives the same bytes.
pub fn write(metadata: &BTreeMap<String, String>, tensors: &BTreeMap<String, Entry>) -> Vec<u8> {
    let sizes =
        tensors.iter().map(|(n, e)| (n.as_str(), e.number, e.shape.as_slice(), e.bytes.len())).collect();
    let (mut out, order) = header(metadata, sizes);
    out.reserve(tensors.values().map(|e| e.bytes.len()).sum());
    order.iter().for_each(|name| out.extend_from_slice(tensors[*name].bytes));
    out
}

/// The length and the header of a file with tensors of these names, types, shapes and bytes, and the order in which their
/// numbers follow: wider numbers first, so that each tensor is aligned to its own size, then names in order.
pub fn header<'n>(
    metadata: &BTreeMap<String, String>,
    mut tensors: Vec<(&'n str, Number, &[usize], usize)>,
) -> (Vec<u8>, Vec<&'n str>) {
    tensors.sort_by_key(|(name, number, ..)| (std::cmp::Reverse(number.size()), *name));
    let mut header = format!("{{\"__metadata__\":{}", json(metadata));
    let mut at = 0;
    for (name, number, shape, bytes) in &tensors {
        let end = at + bytes;
        header += &format!(
            ",{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{at},{end}]}}",
            json(name),
            number.safetensors(),
            json(shape)
        );
        at = end;
    }
    header.push('}');
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let mut out = Vec::with_capacity(8 + header.len());
    out.extend((header.len() as u64).to_le_bytes());
    out.extend(header.as_bytes());
    (out, tensors.into_iter().map(|t| t.0).collect())
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and numbers always have a JSON form")
}

struct Header {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

// By hand, because serde's own maps keep the last of two equal keys without a word.
impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Header, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
                let (mut metadata, mut tensors) = (None, BTreeMap::new());
                while let Some(name) = map.next_key::<String>()? {
                    let again = if name == "__metadata__" {
                        metadata.replace(map.next_value()?).is_some()
                    } else {
                        tensors.insert(name.clone(), map.next_value()?).is_some()
                    };
                    if again {
                        return Err(de::Error::custom(format_args!("`{name}` appears twice")));
                    }
                }
                Ok(Header { metadata: metadata.unwrap_or_default(), tensors })
            }
        }
        from.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::super::mutate;
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    fn error(header: &str, data: &[u8]) -> Error {
        File::parse(&file(header, data)).unwrap_err()
    }

    fn sample() -> Vec<u8> {
        let (a, b) = ([1u8; 6], 2.5f32.to_le_bytes());
        let tensors = BTreeMap::from([
            ("a".to_string(), Entry { number: Number::F16, shape: vec![3], bytes: &a }),
            ("b".to_string(), Entry { number: Number::F32, shape: vec![1, 1], bytes: &b }),
            ("empty".to_string(), Entry { number: Number::F32, shape: vec![0, 7], bytes: &[] }),
        ]);
        write(&BTreeMap::from([("note".to_string(), "ä \"quoted\"".to_string())]), &tensors)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = sample();
        let file = File::parse(&bytes).unwrap();
        assert_eq!(file.metadata["note"], "ä \"quoted\"");
        assert_eq!(file.tensors["a"].bytes, [1; 6]);
        assert_eq!(file.tensors["b"].number.to_f32(file.tensors["b"].bytes, false), [2.5]);
        assert_eq!(file.tensors["empty"].shape, [0, 7]);
        assert_eq!(bytes, write(&file.metadata, &file.tensors), "writing is deterministic");
        let wide = file.tensors["b"].bytes.as_ptr() as usize - bytes.as_ptr() as usize;
        assert_eq!(wide % 8, 0, "wider numbers come first, aligned");
    }

    #[test]
    fn each_fault_has_its_error() {
        let tensor =
            |offsets: &str| format!(r#"{{"a":{{"dtype":"F32","shape":[1],"data_offsets":{offsets}}}}}"#);
        let says = |e: Error, kind: &str, what: &str| {
            assert_eq!(e.kind(), kind, "{e}");
            assert!(e.message().contains(what), "{e}");
        };
        says(File::parse(&[1, 2]).unwrap_err(), "Malformed", "shorter than 8");
        says(File::parse(&[255; 9]).unwrap_err(), "Limit", "header");
        says(File::parse(&[9, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap_err(), "Malformed", "truncated");
        says(error("{nonsense", &[]), "Malformed", "header");
        says(error("[]", &[]), "Malformed", "object");
        says(error(&tensor("[0,4]"), &[0; 3]), "Malformed", "truncated");
        says(error(&tensor("[0,4]"), &[0; 5]), "Malformed", "follow the last");
        says(error(&tensor("[1,5]"), &[0; 5]), "Malformed", "should be the first");
        says(error(&tensor("[4,0]"), &[0; 4]), "Malformed", "should be the first");
        says(error(&tensor("[0,2]"), &[0; 2]), "Malformed", "does not fit");
        says(error(&tensor("[-1,4]"), &[0; 4]), "Malformed", "header");
        says(error(&tensor("[0,4]").replace("F32", "F8"), &[0; 4]), "Unsupported", "F8");
        let huge = tensor("[0,4]").replace("[1]", "[4294967296,4294967296]");
        says(error(&huge, &[0; 4]), "Malformed", "does not fit");
        let a = r#""a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}"#;
        says(error(&format!("{{{a},{a}}}"), &[0; 2]), "Malformed", "twice");
        let b = a.replace("\"a\"", "\"b\"");
        says(error(&format!("{{{a},{b}}}"), &[0; 2]), "Malformed", "should be the first");
        says(error(r#"{"__metadata__":{"k":1}}"#, &[]), "Malformed", "string");
    }

    #[test]
    fn no_mutation_panics() {
        mutate::each(&sample(), |bytes| File::parse(bytes).map(drop));
    }
}
