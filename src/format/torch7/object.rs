//! The serialized objects of Torch7 (`File.lua`): numbers, texts, tables, tensors, and classes with a table of fields.
//! Objects refer to each other by index, so sharing costs nothing; nothing in a file is executed.

use crate::error::{Error, Result};
use crate::format::number::{Number, count};
use std::collections::HashMap;

/// Most objects in one file; a network has some thousands.
const MOST: usize = 1 << 20;
/// Nesting followed.
const MAX_DEPTH: usize = 100;

/// Index of a value in its [`File`].
pub type Id = usize;

#[derive(Debug)]
pub enum Value<'a> {
    Nil,
    Bool(bool),
    Number(f64),
    Text(&'a str),
    Table(Vec<(Id, Id)>),
    Object {
        class: &'a str,
        fields: Id,
    },
    Tensor(Tensor),
    Storage {
        number: Number,
        bytes: &'a [u8],
    },
    /// Being read: something inside refers to it.
    Open,
}

/// A window into a storage.
#[derive(Debug)]
pub struct Tensor {
    pub size: Vec<usize>,
    stride: Vec<usize>,
    offset: usize,
    storage: Id,
}

/// A file that has been read.
#[derive(Debug)]
pub struct File<'a> {
    values: Vec<Value<'a>>,
    pub root: Id,
}

fn malformed(what: &str) -> Error {
    Error::Malformed(format!(
        "Torch7 file: {what}; the file is damaged, or in Torch's text format: save it with 'binary'"
    ))
}

impl<'a> File<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<File<'a>> {
        let mut r = Reader { bytes, at: 0, values: Vec::new(), indexed: HashMap::new() };
        let root = r.object(0)?;
        Ok(File { values: r.values, root })
    }

    pub fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id]
    }

    /// Class and fields of a module.
    pub fn object(&self, id: Id) -> Result<(&'a str, Id)> {
        match self.values[id] {
            Value::Object { class, fields } => Ok((class, fields)),
            _ => Err(malformed("a module is expected")),
        }
    }

    pub fn field(&self, table: Id, name: &str) -> Option<Id> {
        let Value::Table(items) = &self.values[table] else { return None };
        items.iter().find(|(k, _)| matches!(self.values[*k], Value::Text(t) if t == name)).map(|(_, v)| *v)
    }

    pub fn number(&self, table: Id, name: &str) -> Option<f64> {
        match self.values[self.field(table, name)?] {
            Value::Number(v) => Some(v),
            Value::Bool(v) => Some(f64::from(u8::from(v))),
            _ => None,
        }
    }

    /// A size or a step: not negative, whole.
    pub fn size(&self, table: Id, name: &str, default: Option<usize>) -> Result<usize> {
        match (self.number(table, name), default) {
            (Some(v), _) if (0.0..=1e9).contains(&v) && v.fract() == 0.0 => Ok(v as usize),
            (None, Some(d)) => Ok(d),
            (given, _) => {
                Err(Error::Malformed(format!("its field `{name}` is {given:?} where a size is expected")))
            }
        }
    }

    /// The values of a list, by their numbers.
    pub fn list(&self, table: Id) -> Vec<Id> {
        let Value::Table(items) = &self.values[table] else { return Vec::new() };
        let mut numbered: Vec<(f64, Id)> = items
            .iter()
            .filter_map(|(k, v)| if let Value::Number(n) = self.values[*k] { Some((n, *v)) } else { None })
            .collect();
        numbered.sort_by(|a, b| a.0.total_cmp(&b.0));
        numbered.into_iter().map(|(_, v)| v).collect()
    }

    /// Shape and numbers of a tensor in a field; `None` where it is missing or empty.
    pub fn tensor(&self, table: Id, name: &str) -> Result<Option<(Vec<usize>, Vec<f32>)>> {
        let Some(Value::Tensor(t)) = self.field(table, name).map(|id| &self.values[id]) else {
            return Ok(None);
        };
        let n = count(&t.size).ok_or_else(|| malformed("a tensor's size"))?;
        if n == 0 || t.size.is_empty() {
            return Ok(None);
        }
        let Value::Storage { number, bytes } = self.values[t.storage] else {
            return Err(malformed("a tensor without a storage"));
        };
        let held = bytes.len() / number.size();
        let last = t
            .size
            .iter()
            .zip(&t.stride)
            .try_fold(t.offset, |at, (d, s)| at.checked_add((d - 1).checked_mul(*s)?));
        if last.is_none_or(|l| l >= held) || n > held {
            return Err(malformed("a tensor's numbers lie outside of its storage"));
        }
        let mut step = 1;
        let straight = t.size.iter().zip(&t.stride).rev().all(|(d, s)| {
            let fits = *d == 1 || *s == step;
            step *= d;
            fits
        });
        let size = number.size();
        if straight {
            return Ok(Some((t.size.clone(), number.to_f32(&bytes[t.offset * size..][..n * size], false))));
        }
        let all = number.to_f32(bytes, false);
        let pick = |i: usize| {
            let (mut rest, mut at) = (i, t.offset);
            for (d, s) in t.size.iter().zip(&t.stride).rev() {
                at += rest % d * s;
                rest /= d;
            }
            all[at]
        };
        Ok(Some((t.size.clone(), (0..n).map(pick).collect())))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    /// Torch's own numbers of tables and objects.
    indexed: HashMap<i32, Id>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n);
        let out = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| malformed("truncated"))?;
        self.at += n;
        Ok(out)
    }

    fn int(&mut self) -> Result<i32> {
        Ok(i32::from_le_bytes(self.take(4)?.try_into().expect("four were taken")))
    }

    fn long(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.take(8)?.try_into().expect("eight were taken")))
    }

    fn size(&mut self) -> Result<usize> {
        usize::try_from(self.long()?).map_err(|_| malformed("a negative size"))
    }

    fn text(&mut self) -> Result<&'a str> {
        let n = usize::try_from(self.int()?).map_err(|_| malformed("a negative length"))?;
        std::str::from_utf8(self.take(n)?).map_err(|_| malformed("a name is not text"))
    }

    fn push(&mut self, value: Value<'a>) -> Result<Id> {
        if self.values.len() >= MOST {
            return Err(Error::Limit(format!(
                "Torch7 file: more than {MOST} objects; no network has so many"
            )));
        }
        self.values.push(value);
        Ok(self.values.len() - 1)
    }

    fn object(&mut self, depth: usize) -> Result<Id> {
        if depth > MAX_DEPTH {
            return Err(Error::Limit(format!("Torch7 file: objects nested more than {MAX_DEPTH} deep")));
        }
        match self.int()? {
            0 => self.push(Value::Nil),
            1 => {
                let v = f64::from_le_bytes(self.take(8)?.try_into().expect("eight were taken"));
                self.push(Value::Number(v))
            }
            2 => {
                let n = usize::try_from(self.int()?).map_err(|_| malformed("a negative length"))?;
                let bytes = self.take(n)?;
                // Lua's strings are bytes; those that are no text (dumped functions) name nothing here.
                self.push(std::str::from_utf8(bytes).map_or(Value::Nil, Value::Text))
            }
            5 => {
                let v = self.int()? != 0;
                self.push(Value::Bool(v))
            }
            3 => {
                let index = self.int()?;
                if let Some(id) = self.indexed.get(&index) {
                    return Ok(*id);
                }
                let id = self.push(Value::Open)?;
                self.indexed.insert(index, id);
                let n = self.int()?;
                let mut items = Vec::new();
                for _ in 0..n {
                    let key = self.object(depth + 1)?;
                    items.push((key, self.object(depth + 1)?));
                }
                self.values[id] = Value::Table(items);
                Ok(id)
            }
            4 => self.class(depth),
            6..=8 => Err(Error::Unsupported(
                "Torch7 file: it holds a Lua function, which would have to be run; remove hooks and call \
                 model:clearState() before saving"
                    .into(),
            )),
            t => Err(malformed(&format!("a value of type {t}"))),
        }
    }

    fn class(&mut self, depth: usize) -> Result<Id> {
        let index = self.int()?;
        if let Some(id) = self.indexed.get(&index) {
            return Ok(*id);
        }
        let id = self.push(Value::Open)?;
        self.indexed.insert(index, id);
        let version = self.text()?;
        let class = if version.starts_with("V ") { self.text()? } else { version };
        let kind = class.strip_prefix("torch.").map(|c| c.trim_start_matches("Cuda"));
        let value = match kind {
            Some(c) if c.ends_with("Storage") => {
                let number = number(c.trim_end_matches("Storage"), class)?;
                let n = self.size()?;
                let bytes = n.checked_mul(number.size()).ok_or_else(|| malformed("truncated"))?;
                Value::Storage { number, bytes: self.take(bytes)? }
            }
            Some(c) if c.ends_with("Tensor") => {
                number(c.trim_end_matches("Tensor"), class)?;
                let rank = usize::try_from(self.int()?).ok().filter(|r| *r <= 32);
                let rank = rank.ok_or_else(|| malformed("a tensor of so many dimensions"))?;
                let size = (0..rank).map(|_| self.size()).collect::<Result<Vec<_>>>()?;
                let stride = (0..rank).map(|_| self.size()).collect::<Result<Vec<_>>>()?;
                // Counted from one; an empty tensor may say zero.
                let offset = self.size()?.saturating_sub(1);
                let storage = self.object(depth + 1)?;
                Value::Tensor(Tensor { size, stride, offset, storage })
            }
            _ => Value::Object { class, fields: self.object(depth + 1)? },
        };
        self.values[id] = value;
        Ok(id)
    }
}

/// The number type in a class's name; CUDA's without one is float.
fn number(name: &str, class: &str) -> Result<Number> {
    Ok(match name {
        "Float" | "" => Number::F32,
        "Double" => Number::F64,
        "Half" => Number::F16,
        "Long" => Number::I64,
        "Int" => Number::I32,
        "Short" => Number::I16,
        "Char" => Number::I8,
        "Byte" => Number::U8,
        _ => return Err(Error::Unsupported(format!("Torch7 file: `{class}` is not known here"))),
    })
}
