//! Tensors that are known before the network runs: weights, and the numbers from which exporters compute shapes.

use super::proto::Attribute;
use crate::error::{Error, Result};
use crate::format::number::{Number, count};
use crate::format::wire::Fields;
use crate::spec::{Values, Weight};
use half::f16;
use std::cell::Cell;

/// Longest list of numbers taken as a shape or as indices.
const MOST_INTEGERS: usize = 1 << 20;

/// A tensor. What the file holds is borrowed; what it merely claims (a value repeated) is not spread out.
#[derive(Debug, Clone)]
pub struct Constant<'a> {
    pub dims: Vec<usize>,
    pub data: Data<'a>,
}

#[derive(Debug, Clone)]
pub enum Data<'a> {
    /// Little-endian, in C order.
    File(Number, &'a [u8]),
    /// One value everywhere.
    Fill(f64),
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

/// Bytes of numbers that may still be made.
#[derive(Debug)]
pub struct Budget {
    pub limit: usize,
    pub left: Cell<usize>,
}

impl Budget {
    pub fn new(limit: usize) -> Budget {
        Budget { limit, left: Cell::new(limit) }
    }

    /// Takes room for so many float32 before they are made.
    pub fn take(&self, numbers: usize) -> Result<()> {
        let left = numbers.checked_mul(4).and_then(|n| self.left.get().checked_sub(n)).ok_or_else(|| {
            Error::Limit(format!(
                "the network's numbers take more than {} MB, the most that is taken here; use a smaller network, or \
                 convert it with the command line and a larger --limit",
                self.limit >> 20
            ))
        })?;
        self.left.set(left);
        Ok(())
    }

    /// Gives room back for what was made on the way only.
    pub fn give(&self, numbers: usize) {
        self.left.set(self.left.get().saturating_add(numbers.saturating_mul(4)).min(self.limit));
    }
}

fn number(code: i64) -> Option<Number> {
    Some(match code {
        1 => Number::F32,
        2 => Number::U8,
        3 => Number::I8,
        4 => Number::U16,
        5 => Number::I16,
        6 => Number::I32,
        7 => Number::I64,
        9 => Number::Bool,
        10 => Number::F16,
        11 => Number::F64,
        12 => Number::U32,
        13 => Number::U64,
        16 => Number::Bf16,
        _ => return None,
    })
}

/// The name of a number type, for people.
pub fn type_name(code: i64) -> &'static str {
    match (number(code), code) {
        (Some(n), _) => n.safetensors(),
        (None, 8) => "text",
        (None, 14 | 15) => "complex numbers",
        _ => "a type not known here",
    }
}

impl<'a> Constant<'a> {
    /// One number of the standard's type code at every place.
    pub fn fill(dims: Vec<usize>, value: f64) -> Result<Constant<'a>> {
        checked(&dims)?;
        Ok(Constant { dims, data: Data::Fill(value) })
    }

    pub fn integers(values: Vec<i64>) -> Constant<'a> {
        Constant { dims: vec![values.len()], data: Data::Integers(values) }
    }

    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    pub fn is_integer(&self) -> bool {
        match &self.data {
            Data::File(n, _) => !n.is_float(),
            Data::Integers(_) => true,
            _ => false,
        }
    }

    /// As integers, for shapes and indices.
    pub fn to_integers(&self) -> Result<Vec<i64>> {
        let n = self.len();
        if n > MOST_INTEGERS {
            return Err(Error::Limit(format!("{n} numbers where a shape or indices are expected")));
        }
        Ok(match &self.data {
            Data::Integers(v) => v.clone(),
            Data::Fill(v) => vec![*v as i64; n],
            Data::Floats(v) => v.iter().map(|v| *v as i64).collect(),
            // Through float32 a large index would be rounded.
            Data::File(Number::I64, bytes) => {
                bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("exact"))).collect()
            }
            Data::File(Number::I32, bytes) => bytes
                .chunks_exact(4)
                .map(|b| i32::from_le_bytes(b.try_into().expect("exact")).into())
                .collect(),
            Data::File(number, bytes) => number.to_f32(bytes, false).iter().map(|v| *v as i64).collect(),
        })
    }

    /// As float32; what it takes is counted.
    pub fn to_floats(&self, budget: &Budget) -> Result<Vec<f32>> {
        let n = self.len();
        budget.take(n)?;
        Ok(match &self.data {
            Data::File(number, bytes) => number.to_f32(bytes, false),
            Data::Fill(v) => vec![*v as f32; n],
            Data::Floats(v) => v.clone(),
            Data::Integers(v) => v.iter().map(|v| *v as f32).collect(),
        })
    }

    /// As a network's weight; float16 stays float16.
    pub fn to_weight(&self, budget: &Budget) -> Result<Weight> {
        if let Data::File(Number::F16, bytes) = self.data {
            budget.take(self.len().div_ceil(2))?;
            let values = bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]])).collect();
            return Ok(Weight { shape: self.dims.clone(), values: Values::F16(values) });
        }
        Ok(Weight { shape: self.dims.clone(), values: Values::F32(self.to_floats(budget)?) })
    }

    /// The only number in it.
    pub fn scalar(&self) -> Option<f32> {
        let unlimited = Budget::new(1 << 10);
        (self.len() == 1).then(|| self.to_floats(&unlimited).ok()?.first().copied()).flatten()
    }

    /// The same numbers under another shape.
    pub fn with_dims(&self, dims: Vec<usize>) -> Result<Constant<'a>> {
        if count(&dims) != Some(self.len()) {
            return Err(Error::Malformed(format!(
                "a constant of shape {:?} cannot have shape {dims:?}",
                self.dims
            )));
        }
        Ok(Constant { dims, data: self.data.clone() })
    }
}

/// Refuses shapes whose number of values no memory holds.
fn checked(dims: &[usize]) -> Result<usize> {
    count(dims).filter(|n| *n <= isize::MAX as usize / 8 && dims.len() <= 64).ok_or_else(|| {
        Error::Limit(format!(
            "a constant of shape {:?} is larger than any memory",
            &dims[..dims.len().min(8)]
        ))
    })
}

/// A tensor's message: its name and what it holds. Errors: Unsupported for data in other files and types
/// that are no numbers; Malformed where shape and numbers disagree.
pub fn tensor(bytes: &[u8]) -> Result<(&str, Constant<'_>)> {
    let (mut name, mut code, mut external) = ("", 0, false);
    let (mut dims, mut raw, mut packed) = (Vec::new(), None, None);
    let (mut floats, mut ints, mut typed) = (Vec::new(), Vec::new(), false);
    for field in Fields::new(bytes) {
        match field? {
            (1, v) => v.integers(&mut dims)?,
            (2, v) => code = v.integer()?,
            // One packed run is the usual form; it stays in the file.
            (4, crate::format::wire::Wire::Bytes(b)) if packed.is_none() && b.len() % 4 == 0 => {
                packed = Some((Number::F32, b))
            }
            (10, crate::format::wire::Wire::Bytes(b)) if packed.is_none() && b.len() % 8 == 0 => {
                packed = Some((Number::F64, b))
            }
            (4, v) => v.floats(&mut floats)?,
            (10, v) => v.doubles(&mut floats)?,
            (5 | 7 | 11, v) => {
                typed = true;
                v.integers(&mut ints)?;
            }
            (8, v) => name = v.text()?,
            (9, v) => raw = Some(v.bytes()?),
            (13, _) => external = true,
            (14, v) => external |= v.integer()? == 1,
            _ => {}
        }
    }
    let place = |e: Error| e.at(&format!("tensor `{name}`"));
    if external {
        return Err(place(Error::Unsupported(
            "its numbers are in another file; save the network with everything inside \
             (onnx.save(model, path, save_as_external_data=False))"
                .into(),
        )));
    }
    let number = number(code).ok_or_else(|| {
        place(Error::Unsupported(format!(
            "it holds {} (ONNX type {code}); only numbers are read",
            type_name(code)
        )))
    })?;
    let dims: Option<Vec<usize>> = dims.iter().map(|d| usize::try_from(*d).ok()).collect();
    let dims = dims.ok_or_else(|| place(Error::Malformed("a dimension is negative".into())))?;
    let n = checked(&dims).map_err(place)?;
    let (data, given) = match (raw, packed) {
        (Some(raw), _) => {
            (Data::File(number, raw), raw.len() / number.size() * usize::from(raw.len() % number.size() == 0))
        }
        (None, Some((stored, b))) if floats.is_empty() => (Data::File(stored, b), b.len() / stored.size()),
        (None, Some(_)) => return Err(place(Error::Malformed("its numbers are in several runs".into()))),
        (None, None) if typed => {
            let given = ints.len();
            let data = match number {
                // Sixteen bits each, as they stand.
                Number::F16 => {
                    Data::Floats(ints.iter().map(|b| f16::from_bits(*b as u16).to_f32()).collect())
                }
                Number::Bf16 => {
                    Data::Floats(ints.iter().map(|b| half::bf16::from_bits(*b as u16).to_f32()).collect())
                }
                _ => Data::Integers(ints),
            };
            (data, given)
        }
        (None, None) => {
            let given = floats.len();
            (Data::Floats(floats), given)
        }
    };
    if given != n {
        return Err(place(Error::Malformed(format!(
            "its shape {dims:?} asks for {n} numbers, the file holds {given}; export it again"
        ))));
    }
    Ok((name, Constant { dims, data }))
}

/// The value of a Constant node's attribute.
pub fn from_attribute<'a>(a: &Attribute<'a>) -> Result<Constant<'a>> {
    if let Some(t) = a.tensor {
        return Ok(tensor(t)?.1);
    }
    Ok(match (a.float, a.int) {
        (Some(f), _) => Constant { dims: vec![], data: Data::Floats(vec![f]) },
        (_, Some(i)) => Constant { dims: vec![], data: Data::Integers(vec![i]) },
        _ if !a.floats.is_empty() => {
            Constant { dims: vec![a.floats.len()], data: Data::Floats(a.floats.clone()) }
        }
        _ if !a.other && a.text.is_none() => Constant::integers(a.ints.clone()),
        _ => return Err(Error::Unsupported(format!("the attribute `{}` holds no numbers", a.name))),
    })
}
