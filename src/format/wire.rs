//! Protocol buffers on the wire: a walk over fields that borrows and never allocates.
//! Encoding: protobuf.dev, "Encoding". Messages nest by calling [`Fields::new`] on a field's bytes.

use crate::error::{Error, Result};
use crate::kernel::pages;

/// One field's value as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wire<'a> {
    /// Integers, booleans, enums.
    Varint(u64),
    /// Eight bytes: double, fixed64.
    Fixed64([u8; 8]),
    /// Text, bytes, messages, packed numbers.
    Bytes(&'a [u8]),
    /// Four bytes: float, fixed32.
    Fixed32([u8; 4]),
}

/// Iterates over the fields of one message.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

fn truncated() -> Error {
    Error::Malformed("protobuf: the file ends inside a field; it is truncated, get it again".into())
}

impl<'a> Fields<'a> {
    /// The fields of the message in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields { rest: bytes }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.take(1)?[0];
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::Malformed("protobuf: a number longer than 64 bits; this is not a model file".into()))
    }

    fn field(&mut self) -> Result<(u32, Wire<'a>)> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|&n| n != 0 && n < 1 << 29).ok_or_else(|| {
            Error::Malformed(format!(
                "protobuf: field number {} cannot be; this is not a model file",
                key >> 3
            ))
        })?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.take(8)?.try_into().expect("eight were taken")),
            2 => {
                let n = self.varint()?;
                Wire::Bytes(self.take(usize::try_from(n).map_err(|_| truncated())?)?)
            }
            5 => Wire::Fixed32(self.take(4)?.try_into().expect("four were taken")),
            t => {
                return Err(Error::Malformed(format!(
                    "protobuf: wire type {t} in field {number}; this is not a model file"
                )));
            }
        };
        Ok((number, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[]; // Nothing after a broken field can be trusted.
        }
        Some(field)
    }
}

impl<'a> Wire<'a> {
    fn wrong(&self, wanted: &str) -> Error {
        Error::Malformed(format!(
            "protobuf: {wanted} was expected in a field; this is not a model file of that kind"
        ))
    }

    /// The bytes of a text, message or packed field.
    pub fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Wire::Bytes(b) => Ok(b),
            _ => Err(self.wrong("a message or text")),
        }
    }

    /// Text.
    pub fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| self.wrong("readable text"))
    }

    /// An integer, boolean or enum.
    pub fn integer(self) -> Result<i64> {
        match self {
            Wire::Varint(v) => Ok(v as i64),
            _ => Err(self.wrong("an integer")),
        }
    }

    /// Appends one float or a packed run of them.
    pub fn floats(self, to: &mut Vec<f32>) -> Result<()> {
        match self {
            Wire::Fixed32(b) => to.push(f32::from_le_bytes(b)),
            Wire::Bytes(b) if b.len() % 4 == 0 => {
                if to.is_empty() {
                    *to = pages::room(b.len() / 4);
                }
                to.extend(b.chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().expect("exact"))))
            }
            _ => return Err(self.wrong("a run of floats")),
        }
        Ok(())
    }

    /// Appends one double or a packed run of them, rounded to float32.
    pub fn doubles(self, to: &mut Vec<f32>) -> Result<()> {
        match self {
            Wire::Fixed64(b) => to.push(f64::from_le_bytes(b) as f32),
            Wire::Bytes(b) if b.len() % 8 == 0 => {
                to.extend(b.chunks_exact(8).map(|c| f64::from_le_bytes(c.try_into().expect("exact")) as f32))
            }
            _ => return Err(self.wrong("a run of doubles")),
        }
        Ok(())
    }

    /// Appends one integer or a packed run of them.
    pub fn integers(self, to: &mut Vec<i64>) -> Result<()> {
        match self {
            Wire::Varint(v) => to.push(v as i64),
            Wire::Bytes(b) => {
                let mut run = Fields::new(b);
                while !run.rest.is_empty() {
                    to.push(run.varint()? as i64);
                }
            }
            _ => return Err(self.wrong("a run of integers")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::mutate;
    use super::*;

    const SAMPLE: &[u8] =
        &[0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f, 0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];

    fn all(bytes: &[u8]) -> Result<Vec<(u32, Wire<'_>)>> {
        Fields::new(bytes).collect()
    }

    #[test]
    fn the_four_wire_types() {
        let fields = all(SAMPLE).unwrap();
        assert_eq!(fields[0], (1, Wire::Varint(150)));
        assert_eq!(fields[1].1.text().unwrap(), "hi");
        let mut floats = Vec::new();
        fields[2].1.floats(&mut floats).unwrap();
        fields[3].1.doubles(&mut floats).unwrap();
        Wire::Bytes(&[0, 0, 0, 0x40]).floats(&mut floats).unwrap();
        assert_eq!(floats, [1.0, 1.0, 2.0]);
        let mut integers = Vec::new();
        Wire::Bytes(&[1, 0x80, 1]).integers(&mut integers).unwrap();
        fields[0].1.integers(&mut integers).unwrap();
        assert_eq!(integers, [1, 128, 150]);
        assert_eq!(Wire::Varint(u64::MAX).integer().unwrap(), -1);
    }

    #[test]
    fn each_fault_has_its_error() {
        for bytes in [
            &[0x08][..],                                             // no value
            &[0x12, 5, 1],                                           // fewer bytes than announced
            &[0x0d, 1, 2],                                           // half a float
            &[0x00, 1],                                              // field 0
            &[0x0b],                                                 // group
            &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], // 65 bits
            &[0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], // length 2^64 - 1
        ] {
            assert!(matches!(all(bytes), Err(Error::Malformed(_))), "{bytes:?}");
        }
        assert!(Wire::Bytes(&[1, 2, 3]).floats(&mut vec![]).is_err());
        assert!(Wire::Bytes(&[255]).text().is_err());
        assert!(Wire::Varint(1).bytes().is_err());
        assert!(Wire::Bytes(&[]).integer().is_err());
        assert!(Wire::Bytes(&[0x80]).integers(&mut vec![]).is_err());
    }

    #[test]
    fn no_mutation_panics() {
        mutate::each(SAMPLE, |bytes| all(bytes).map(drop));
    }
}
