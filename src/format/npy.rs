//! NumPy's `.npy`: one array, a short header in Python syntax in front of it.
//! Format: numpy.lib.format, versions 1.0 to 3.0.

use super::number::{Number, count};
use crate::error::{Error, Result};
use crate::kernel::pages;
use std::fmt;

const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy itself refuses longer headers from strangers.
const MAX_HEADER: usize = 64 << 10;

/// An array as float32 in C order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// As many as the shape says.
    pub values: Vec<f32>,
}

/// Whether the bytes start like a `.npy` file.
pub fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn malformed(what: impl fmt::Display) -> Error {
    Error::Malformed(format!(".npy file: {what}; write it again with numpy.save"))
}

/// Reads an array of any real number type, either byte order, C or Fortran layout.
/// Errors: Malformed; Unsupported for complex, structured, text and object arrays.
pub fn read(bytes: &[u8]) -> Result<Array> {
    let layout = layout(bytes, bytes.len())?;
    let values = layout.gather(|sink| {
        sink(bytes);
        Ok(())
    })?;
    Ok(Array { shape: layout.header.shape, values })
}

/// Where an array's numbers stand in its file, and how.
#[derive(Debug)]
pub struct Layout {
    header: Header,
    number: Number,
    big_endian: bool,
    start: usize,
}

/// No header ends later than this.
pub const HEAD: usize = 12 + MAX_HEADER;

impl Layout {
    /// From the beginning of a file of so many bytes, [`HEAD`] of them or all. Errors as [`read`].
    pub fn read(bytes: &[u8], total: usize) -> Result<Layout> {
        layout(bytes, total)
    }

    /// Outermost dimension first.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The numbers in C order, from all of the file's pieces one after the other.
    pub fn gather(&self, pieces: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<()>) -> Result<Vec<f32>> {
        let size = self.number.size();
        let mut values = pages::room(count(&self.header.shape).unwrap_or_default());
        let (mut skip, mut rest) = (self.start, Vec::with_capacity(size));
        pieces(&mut |piece| {
            let passed = skip.min(piece.len());
            skip -= passed;
            let mut piece = &piece[passed..];
            if !rest.is_empty() {
                let (head, tail) = piece.split_at((size - rest.len()).min(piece.len()));
                rest.extend_from_slice(head);
                piece = tail;
                if rest.len() == size {
                    self.number.append(&rest, self.big_endian, &mut values);
                    rest.clear();
                }
            }
            let whole = piece.len() / size * size;
            self.number.append(&piece[..whole], self.big_endian, &mut values);
            rest.extend_from_slice(&piece[whole..]);
        })?;
        Ok(if self.header.fortran { from_fortran(&self.header.shape, &values) } else { values })
    }
}

fn layout(bytes: &[u8], total: usize) -> Result<Layout> {
    if !is_npy(bytes) {
        return Err(malformed("it does not start with NumPy's signature"));
    }
    let truncated = || malformed("truncated inside the header");
    let version = *bytes.get(6).ok_or_else(truncated)?;
    let (length, start) = match version {
        1 => (bytes.get(8..10).map(|b| u16::from_le_bytes([b[0], b[1]]) as usize), 10),
        2 | 3 => (bytes.get(8..12).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize), 12),
        v => {
            return Err(Error::Unsupported(format!(
                ".npy format version {v} is not known; versions 1 to 3 are"
            )));
        }
    };
    let length = length.ok_or_else(truncated)?;
    if length > MAX_HEADER {
        return Err(malformed(format_args!("a header of {length} bytes is announced")));
    }
    let header = bytes.get(start..start + length).ok_or_else(truncated)?;
    let header = std::str::from_utf8(header).map_err(|_| malformed("the header is not text"))?;
    let header = Header::parse(header)?;
    let (number, big_endian) = dtype(&header.descr)?;
    let start = start + length;
    let data = total.saturating_sub(start);
    let needs = count(&header.shape).and_then(|n| n.checked_mul(number.size()));
    if needs != Some(data) {
        return Err(malformed(format_args!(
            "{data} bytes of data do not fit shape {:?} in `{}`",
            header.shape, header.descr
        )));
    }
    Ok(Layout { header, number, big_endian, start })
}

/// Writes float32 as version 1.0, C order. Error: Shape when the values do not fill the shape.
pub fn write(shape: &[usize], values: &[f32]) -> Result<Vec<u8>> {
    if count(shape) != Some(values.len()) {
        return Err(Error::Shape(format!("{} values do not fill an array of shape {shape:?}", values.len())));
    }
    let mut out = header("<f4", shape);
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    Ok(out)
}

/// Writes int32 as version 1.0, C order. Error: Shape when the values do not fill the shape.
pub fn write_i32(shape: &[usize], values: &[i32]) -> Result<Vec<u8>> {
    if count(shape) != Some(values.len()) {
        return Err(Error::Shape(format!("{} values do not fill an array of shape {shape:?}", values.len())));
    }
    let mut out = header("<i4", shape);
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    Ok(out)
}

/// Signature and header for numbers of the given NumPy type, padded so that data start at a multiple of 64.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let comma = if shape.len() == 1 { "," } else { "" };
    let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}{comma}), }}");
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((length as u16).to_le_bytes());
    out.extend(format!("{text:<0$}\n", length - 1).as_bytes());
    out
}

/// NumPy's type string with its byte order: `<f4`, `>i2`, `|u1`. Returns the type and whether it is big-endian.
pub(super) fn dtype(descr: &str) -> Result<(Number, bool)> {
    let (order, code) = match descr.as_bytes().first() {
        Some(b'<' | b'>' | b'|' | b'=') => descr.split_at(1),
        _ => ("<", descr),
    };
    let number = Number::from_numpy(code).ok_or_else(|| {
        Error::Unsupported(format!(
            "NumPy type `{descr}` is not a real number type; convert it with .astype('float32')"
        ))
    })?;
    Ok((number, order == ">"))
}

/// From first-index-fastest to C order.
pub(super) fn from_fortran(shape: &[usize], values: &[f32]) -> Vec<f32> {
    let mut steps = Vec::with_capacity(shape.len());
    let mut step = 1;
    for &d in shape {
        steps.push(step);
        step *= d;
    }
    let mut at = vec![0; shape.len()];
    let mut from = 0;
    let mut out = Vec::with_capacity(values.len());
    while out.len() < values.len() {
        out.push(values[from]);
        for axis in (0..shape.len()).rev() {
            at[axis] += 1;
            from += steps[axis];
            if at[axis] < shape[axis] {
                break;
            }
            from -= at[axis] * steps[axis];
            at[axis] = 0;
        }
    }
    out
}

#[derive(Debug)]
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// A Python dictionary literal with exactly the three keys.
    fn parse(text: &str) -> Result<Header> {
        let wrong = |what: &str| malformed(format_args!("{what} in the header {:?}", text.trim()));
        let inner = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}'));
        let mut rest = inner.ok_or_else(|| wrong("no dictionary"))?.trim();
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest).ok_or_else(|| wrong("no key"))?;
            let after = after.trim_start().strip_prefix(':').ok_or_else(|| wrong("no colon"))?.trim_start();
            rest = match key {
                "descr" if after.starts_with('[') => {
                    return Err(Error::Unsupported(
                        "a structured NumPy array holds several fields; save one field alone".into(),
                    ));
                }
                "descr" => {
                    let (value, after) = quoted(after).ok_or_else(|| wrong("no type"))?;
                    descr = Some(value.to_string());
                    after
                }
                "fortran_order" => {
                    let yes = after.starts_with("True");
                    fortran = Some(yes);
                    after.strip_prefix(if yes { "True" } else { "False" }).ok_or_else(|| wrong("no order"))?
                }
                "shape" => {
                    let tuple = after.strip_prefix('(').and_then(|t| t.split_once(')'));
                    let (numbers, after) = tuple.ok_or_else(|| wrong("no shape"))?;
                    let numbers = numbers.split(',').map(str::trim).filter(|n| !n.is_empty());
                    let parsed: std::result::Result<Vec<usize>, _> =
                        numbers.map(|n| n.trim_end_matches('L').parse()).collect();
                    shape = Some(parsed.map_err(|_| wrong("no shape"))?);
                    after
                }
                _ => return Err(wrong("an unknown key")),
            };
            rest = rest.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Header { descr, fortran, shape }),
            _ => Err(wrong("a missing key")),
        }
    }
}

/// A quoted string without escapes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::super::mutate;
    use super::*;

    fn file(version: u8, dict: &str, data: &[u8]) -> Vec<u8> {
        let mut out = [MAGIC, &[version, 0]].concat();
        match version {
            1 => out.extend((dict.len() as u16).to_le_bytes()),
            _ => out.extend((dict.len() as u32).to_le_bytes()),
        }
        out.extend(dict.as_bytes());
        out.extend(data);
        out
    }

    fn dict(descr: &str, fortran: &str, shape: &str) -> String {
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
    }

    #[test]
    fn what_is_written_is_read_back() {
        for shape in [&[2, 3][..], &[6], &[1, 2, 3, 1], &[0, 4], &[]] {
            let values: Vec<f32> = (0..count(shape).unwrap()).map(|i| i as f32 - 0.5).collect();
            let bytes = write(shape, &values).unwrap();
            assert_eq!((bytes.len() - 4 * values.len()) % 64, 0);
            assert_eq!(read(&bytes).unwrap(), Array { shape: shape.to_vec(), values });
        }
        assert!(matches!(write(&[2], &[1.0]), Err(Error::Shape(_))));
    }

    #[test]
    fn versions_orders_and_layouts() {
        let data: Vec<u8> = (1..=6u16).flat_map(u16::to_be_bytes).collect();
        for version in 1..=3 {
            let c = read(&file(version, &dict(">u2", "False", "(2, 3)"), &data)).unwrap();
            assert_eq!(c.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            let f = read(&file(version, &dict(">u2", "True", "(2, 3)"), &data)).unwrap();
            assert_eq!(f.values, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        }
        assert_eq!(read(&file(1, &dict("|b1", "False", "(2,)"), &[0, 1])).unwrap().values, [0.0, 1.0]);
        assert_eq!(from_fortran(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]), [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn each_fault_has_its_error() {
        let says = |bytes: &[u8], kind: &str, what: &str| {
            let e = read(bytes).unwrap_err();
            assert_eq!(e.kind(), kind, "{e}");
            assert!(e.message().contains(what), "{e}");
        };
        let good = dict("<f4", "False", "(1,)");
        says(b"PK", "Malformed", "signature");
        says(b"\x93NUMPY\x01", "Malformed", "truncated");
        says(&file(1, &good, &[])[..30], "Malformed", "truncated");
        says(&file(9, &good, &[0; 4]), "Unsupported", "version 9");
        says(&file(1, &good, &[0; 3]), "Malformed", "do not fit");
        says(&file(1, &good.replace("(1,)", "(-1,)"), &[0; 4]), "Malformed", "no shape");
        says(&file(1, &good.replace("(1,)", "(9999999999, 9999999999)"), &[0; 4]), "Malformed", "do not fit");
        says(&file(1, &good.replace("<f4", "<c8"), &[0; 8]), "Unsupported", "<c8");
        says(&file(1, &good.replace("<f4", "|O"), &[0; 8]), "Unsupported", "|O");
        says(&file(1, &good.replace("'<f4'", "[('a', '<f4')]"), &[0; 4]), "Unsupported", "structured");
        says(&file(1, "{'descr': '<f4'}", &[]), "Malformed", "missing key");
        says(&file(1, "{'other': 1}", &[]), "Malformed", "unknown key");
        says(&file(1, "nothing", &[]), "Malformed", "no dictionary");
        says(
            &file(2, "", &[]).iter().map(|&b| if b == 0 { 255 } else { b }).collect::<Vec<_>>(),
            "Malformed",
            "",
        );
    }

    #[test]
    fn no_mutation_panics() {
        mutate::each(&write(&[2, 2], &[1.0; 4]).unwrap(), |bytes| read(bytes).map(drop));
    }
}
