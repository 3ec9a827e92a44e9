//! Numbers as other programs store them, turned into float32.

use crate::kernel::pages;
use half::{bf16, f16};

/// How one stored number is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// IEEE half precision.
    F16,
    /// The upper half of a float32.
    Bf16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
    /// Signed, 1 byte.
    I8,
    /// Signed, 2 bytes.
    I16,
    /// Signed, 4 bytes.
    I32,
    /// Signed, 8 bytes.
    I64,
    /// Unsigned, 1 byte.
    U8,
    /// Unsigned, 2 bytes.
    U16,
    /// Unsigned, 4 bytes.
    U32,
    /// Unsigned, 8 bytes.
    U64,
    /// One byte, zero or not.
    Bool,
}

/// Number, name in safetensors, type code in NumPy (which has no bfloat16).
const NAMES: [(Number, &str, &str); 13] = [
    (Number::F16, "F16", "f2"),
    (Number::Bf16, "BF16", ""),
    (Number::F32, "F32", "f4"),
    (Number::F64, "F64", "f8"),
    (Number::I8, "I8", "i1"),
    (Number::I16, "I16", "i2"),
    (Number::I32, "I32", "i4"),
    (Number::I64, "I64", "i8"),
    (Number::U8, "U8", "u1"),
    (Number::U16, "U16", "u2"),
    (Number::U32, "U32", "u4"),
    (Number::U64, "U64", "u8"),
    (Number::Bool, "BOOL", "b1"),
];

impl Number {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Number::I8 | Number::U8 | Number::Bool => 1,
            Number::F16 | Number::Bf16 | Number::I16 | Number::U16 => 2,
            Number::F32 | Number::I32 | Number::U32 => 4,
            Number::F64 | Number::I64 | Number::U64 => 8,
        }
    }

    /// Whether it is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Number::F16 | Number::Bf16 | Number::F32 | Number::F64)
    }

    /// From the name that safetensors uses: `F32`.
    pub fn from_safetensors(name: &str) -> Option<Number> {
        NAMES.iter().find(|n| n.1 == name).map(|n| n.0)
    }

    /// The name that safetensors uses.
    pub fn safetensors(self) -> &'static str {
        NAMES.iter().find(|n| n.0 == self).map_or("", |n| n.1)
    }

    /// From NumPy's type code without the byte order: `f4`.
    pub fn from_numpy(code: &str) -> Option<Number> {
        NAMES.iter().find(|n| !code.is_empty() && n.2 == code).map(|n| n.0)
    }

    /// Little-endian floating-point numbers as float32; `None` for integers. All that our own files need: every other
    /// type's reader stays out of the engine's package.
    pub fn floats(self, bytes: &[u8]) -> Option<Vec<f32>> {
        fn each<const N: usize>(bytes: &[u8], to: impl Fn([u8; N]) -> f32) -> Option<Vec<f32>> {
            let mut out = pages::room(bytes.len() / N);
            out.extend(bytes.chunks_exact(N).map(|b| to(b.try_into().expect("chunks are exact"))));
            Some(out)
        }
        match self {
            Number::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Number::Bf16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Number::F32 => each(bytes, f32::from_le_bytes),
            Number::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
            _ => None,
        }
    }

    /// The numbers in `bytes` as float32, rounded where they need it; a last incomplete one is left out.
    pub fn to_f32(self, bytes: &[u8], big_endian: bool) -> Vec<f32> {
        let mut out = pages::room(bytes.len() / self.size());
        self.append(bytes, big_endian, &mut out);
        out
    }

    /// The same behind what is there.
    pub fn append(self, bytes: &[u8], big_endian: bool, out: &mut Vec<f32>) {
        macro_rules! read {
            ($t:ty, $to:expr) => {{
                let to: fn($t) -> f32 = $to;
                let exact = |b: &[u8]| b.try_into().expect("chunks are exact");
                let chunks = bytes.chunks_exact(size_of::<$t>());
                if big_endian {
                    out.extend(chunks.map(|b| to(<$t>::from_be_bytes(exact(b)))));
                } else {
                    out.extend(chunks.map(|b| to(<$t>::from_le_bytes(exact(b)))));
                }
            }};
        }
        match self {
            Number::F16 => read!(f16, f16::to_f32),
            Number::Bf16 => read!(bf16, bf16::to_f32),
            Number::F32 => read!(f32, |v| v),
            Number::F64 => read!(f64, |v| v as f32),
            Number::I8 => read!(i8, |v| v as f32),
            Number::I16 => read!(i16, |v| v as f32),
            Number::I32 => read!(i32, |v| v as f32),
            Number::I64 => read!(i64, |v| v as f32),
            Number::U8 => read!(u8, |v| v as f32),
            Number::U16 => read!(u16, |v| v as f32),
            Number::U32 => read!(u32, |v| v as f32),
            Number::U64 => read!(u64, |v| v as f32),
            Number::Bool => read!(u8, |v| (v != 0) as u8 as f32),
        }
    }
}

/// Product of the dimensions, unless it does not fit.
pub fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_in_both_byte_orders() {
        assert_eq!(Number::F16.to_f32(&[0x00, 0x3c, 0x00, 0xc0], false), [1.0, -2.0]);
        assert_eq!(Number::F16.to_f32(&[0x3c, 0x00], true), [1.0]);
        assert_eq!(Number::Bf16.to_f32(&[0x80, 0x3f], false), [1.0]);
        assert_eq!(Number::F32.to_f32(&1.5f32.to_le_bytes(), false), [1.5]);
        assert_eq!(Number::F64.to_f32(&(-0.25f64).to_be_bytes(), true), [-0.25]);
        assert_eq!(Number::I8.to_f32(&[255, 3], false), [-1.0, 3.0]);
        assert_eq!(Number::I16.to_f32(&[1, 2], true), [258.0]);
        assert_eq!(Number::I32.to_f32(&(-7i32).to_le_bytes(), false), [-7.0]);
        assert_eq!(Number::I64.to_f32(&(-7i64).to_be_bytes(), true), [-7.0]);
        assert_eq!(Number::U8.to_f32(&[200], false), [200.0]);
        assert_eq!(Number::U16.to_f32(&[1, 2], false), [513.0]);
        assert_eq!(Number::U32.to_f32(&u32::MAX.to_le_bytes(), false), [4294967295.0]);
        assert_eq!(Number::U64.to_f32(&9u64.to_le_bytes(), false), [9.0]);
        assert_eq!(Number::Bool.to_f32(&[0, 1, 7], false), [0.0, 1.0, 1.0]);
        assert_eq!(Number::F32.to_f32(&[0; 7], false).len(), 1);
        let bytes: Vec<u8> = (0..32).collect();
        for (number, ..) in NAMES {
            let floats = number.floats(&bytes);
            assert_eq!(floats.is_some(), number.is_float());
            assert!(floats.is_none_or(|f| f == number.to_f32(&bytes, false)));
        }
    }

    #[test]
    fn names_lead_there_and_back() {
        for (number, safetensors, numpy) in NAMES {
            assert_eq!(Number::from_safetensors(safetensors), Some(number));
            assert_eq!(number.safetensors(), safetensors);
            if !numpy.is_empty() {
                assert_eq!(Number::from_numpy(numpy), Some(number));
                assert_eq!(numpy[1..].parse(), Ok(number.size()));
            }
        }
        assert_eq!(Number::from_numpy(""), None);
        assert_eq!(Number::from_numpy("c8"), None);
    }

    #[test]
    fn a_shape_that_overflows_has_no_count() {
        assert_eq!(count(&[2, 3, 4]), Some(24));
        assert_eq!(count(&[]), Some(1));
        assert_eq!(count(&[usize::MAX, 2]), None);
    }
}
