//! IDX files, in which MNIST and Fashion-MNIST come (LeCun's form): two zero bytes, a type, the number of axes, their
//! lengths as big-endian 32-bit numbers, then the values in C order. Only bytes (type 8) are read.

use crate::error::{Error, Result};

/// Sides and values of a file of bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Idx<'a> {
    /// Outermost axis first: images, then rows and columns.
    pub shape: Vec<usize>,
    /// In C order.
    pub values: &'a [u8],
}

/// Reads one. Errors: Malformed for other or damaged files, Unsupported for other types than bytes.
pub fn read(bytes: &[u8]) -> Result<Idx<'_>> {
    let bad = |what: String| Error::Malformed(format!("IDX file: {what}; get the file again, unpacked"));
    let Some(&[0, 0, kind, axes]) = bytes.get(..4) else {
        return Err(bad("it does not start with two zero bytes".into()));
    };
    if kind != 8 {
        return Err(Error::Unsupported(format!("IDX file of type {kind:#x}; only bytes (0x8) are read")));
    }
    let head = 4 + 4 * usize::from(axes);
    let sides = bytes.get(4..head).ok_or_else(|| bad("its header is cut short".into()))?;
    let shape: Vec<usize> =
        sides.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let values = &bytes[head..];
    if axes == 0 || axes > 4 || count != Some(values.len()) {
        return Err(bad(format!("{} bytes follow a header of {shape:?}", values.len())));
    }
    Ok(Idx { shape, values })
}

#[cfg(test)]
mod tests {
    use super::super::mutate;
    use super::*;

    #[test]
    fn headers_are_checked_against_what_follows() {
        let file = [&[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3][..], &[1, 2, 3, 4, 5, 6]].concat();
        assert_eq!(read(&file).unwrap(), Idx { shape: vec![2, 3], values: &[1, 2, 3, 4, 5, 6] });
        for n in 0..file.len() {
            assert!(matches!(read(&file[..n]), Err(Error::Malformed(_))), "{n}");
        }
        assert!(matches!(read(&[0, 0, 13, 0]), Err(Error::Unsupported(_))));
        assert!(matches!(read(&[0x1f, 0x8b, 8, 0]), Err(Error::Malformed(_))), "still packed");
        mutate::each(&file, |bytes| read(bytes).map(drop));
    }
}
