//! NumPy's `.npz`: several `.npy` arrays in an uncompressed ZIP archive (APPNOTE 6.3, no ZIP64).

use super::npy;
use crate::error::{Error, Result};

/// One array of an archive.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// `<f4`.
    Float(&'a [f32]),
    /// `<i4`.
    Integer(&'a [i32]),
}

/// Writes named arrays; the same arrays give the same bytes (no times inside).
/// Errors: Shape where values do not fill their shape, Limit above 4 GiB.
pub fn write(arrays: &[(&str, &[usize], Values)]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, shape, values) in arrays {
        let bytes = match values {
            Values::Float(v) => npy::write(shape, v)?,
            Values::Integer(v) => npy::write_i32(shape, v)?,
        };
        let name = format!("{name}.npy");
        let offset = fits(out.len())?;
        let size = fits(bytes.len())?;
        let crc = crc32fast::hash(&bytes);
        // Shared by the local header and the directory: version 2.0, no flags, stored, 1980-01-01, then
        // the sum, the size twice, the length of the name, no extra field.
        let mut common = Vec::new();
        for v in [20u16, 0, 0, 0, 0x21] {
            common.extend(v.to_le_bytes());
        }
        for v in [crc, size, size] {
            common.extend(v.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(bytes);
        directory.extend(b"PK\x01\x02");
        directory.extend(20u16.to_le_bytes());
        directory.extend(&common);
        // No comment, disk 0, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, length) = (fits(out.len())?, fits(directory.len())?);
    out.extend(directory);
    out.extend(b"PK\x05\x06");
    out.extend([0; 4]);
    let count =
        u16::try_from(arrays.len()).map_err(|_| Error::Limit("an .npz of more than 65535 arrays".into()))?;
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    Ok(out)
}

fn fits(n: usize) -> Result<u32> {
    u32::try_from(n)
        .map_err(|_| Error::Limit("an .npz above 4 GiB cannot be written; write less at once".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The archive that Python's `zipfile` and `numpy.load` accepted when this was written, by its sums.
    #[test]
    fn directory_and_entries_agree() {
        let p = [0.5f32, 0.25];
        let top = [3i32, -1];
        let bytes =
            write(&[("p", &[1, 2], Values::Float(&p)), ("top", &[2], Values::Integer(&top))]).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let end = bytes.len() - 22;
        assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
        let mut at = word(end + 16);
        assert_eq!(at + word(end + 12), end);
        for name in ["p.npy", "top.npy"] {
            let offset = word(at + 42);
            assert_eq!(&bytes[at + 46..at + 46 + name.len()], name.as_bytes());
            assert_eq!(&bytes[offset..offset + 4], b"PK\x03\x04");
            let start = offset + 30 + name.len();
            let data = &bytes[start..start + word(at + 24)];
            assert_eq!(crc32fast::hash(data) as usize, word(at + 16));
            assert!(npy::read(data).unwrap().values.len() == 2);
            at += 46 + name.len();
        }
    }

    #[test]
    fn values_must_fill_their_shape() {
        assert!(matches!(write(&[("p", &[3], Values::Float(&[1.0]))]), Err(Error::Shape(_))));
    }
}
