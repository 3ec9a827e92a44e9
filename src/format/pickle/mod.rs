//! Python pickles, read without Python and without its danger: a pickle is a program that may call
//! anything, this reader runs one that can only build lists, tuples, dicts, text, numbers and NumPy
//! arrays. Every other callable is refused by name before anything is built.
//!
//! Values live in one arena and refer to each other by index, so shared and cyclic references cost
//! nothing, and memory stays in proportion to the file. Opcodes: CPython's `pickletools`.

mod numpy;
mod opcode;
#[cfg(test)]
mod tests;
mod vm;

pub use numpy::Array;

use super::number::Number;
use crate::error::{Error, Result};

/// Most values in one file. Real checkpoints have some thousands; arrays count as one.
const MAX_VALUES: usize = 1 << 20;
/// Nesting followed when arrays are collected.
const MAX_DEPTH: usize = 64;

/// Index of a value in its [`Pickle`].
type Id = usize;

/// One value. Text and bytes borrow from the file where they stand there as they are.
#[derive(Debug, Clone)]
enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// An integer beyond 64 bits, or one number of a NumPy type: nothing here needs its value.
    Number,
    Text(std::borrow::Cow<'a, str>),
    Bytes(Bytes<'a>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(numpy::Callable),
    Dtype(numpy::Dtype),
    Array(Array<'a>),
    /// PyTorch: where a tensor's numbers are.
    Storage {
        number: Number,
        key: std::borrow::Cow<'a, str>,
    },
    Tensor(std::rc::Rc<numpy::TensorParts<'a>>),
}

/// Bytes in the file, or decoded from text and then shared: copies cost nothing.
#[derive(Debug, Clone)]
enum Bytes<'a> {
    File(&'a [u8]),
    Decoded(std::rc::Rc<[u8]>),
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::File(bytes) => bytes,
            Bytes::Decoded(bytes) => bytes,
        }
    }
}

/// A pickle that has been run.
#[derive(Debug)]
pub struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

/// Whether the bytes start like a pickle of protocol 2 or later. Older ones have no signature.
pub fn is_pickle(bytes: &[u8]) -> bool {
    bytes.len() > 2 && bytes[0] == opcode::PROTO && (2..=5).contains(&bytes[1])
}

/// Runs a pickle. Errors: Malformed; Unsupported for callables and opcodes outside the list above;
/// Limit for more than a million values.
pub fn read(bytes: &[u8]) -> Result<Pickle<'_>> {
    vm::run(bytes).map(|(pickle, _)| pickle)
}

/// Runs the pickle that the bytes begin with; how many of them it was.
pub fn read_prefix(bytes: &[u8]) -> Result<(Pickle<'_>, usize)> {
    vm::run(bytes)
}

/// A PyTorch tensor: a window into a storage that is kept outside of the pickle.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'s> {
    /// Type of every number.
    pub number: Number,
    /// Name of the storage.
    pub key: &'s str,
    /// Numbers before its first.
    pub offset: usize,
    /// Outermost dimension first.
    pub size: Vec<usize>,
    /// Distance between neighbours along each dimension, in numbers.
    pub stride: Vec<usize>,
}

/// One value of a pickle, to walk through what it holds.
#[derive(Clone, Copy)]
pub struct Node<'p, 'a> {
    pickle: &'p Pickle<'a>,
    id: Id,
}

impl<'p, 'a> Node<'p, 'a> {
    fn value(&self) -> &'p Value<'a> {
        &self.pickle.values[self.id]
    }

    fn string(&self) -> Option<&'p str> {
        match self.value() {
            Value::Text(text) => Some(text),
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The value under a key of a dict.
    pub fn get(&self, key: &str) -> Option<Node<'p, 'a>> {
        let Value::Dict(items) = self.value() else { return None };
        let node = |&id: &Id| Node { pickle: self.pickle, id };
        items.iter().find(|(k, _)| node(k).string() == Some(key)).map(|(_, v)| node(v))
    }

    /// The values of a list or tuple.
    pub fn items(&self) -> Vec<Node<'p, 'a>> {
        match self.value() {
            Value::List(items) | Value::Tuple(items) => {
                items.iter().map(|&id| Node { pickle: self.pickle, id }).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A text under a key.
    pub fn text(&self, key: &str) -> Option<&'p str> {
        self.get(key)?.string()
    }

    /// A number.
    pub fn number(&self) -> Option<f64> {
        match self.value() {
            Value::Int(v) => Some(*v as f64),
            Value::Float(v) => Some(*v),
            Value::Bool(v) => Some(f64::from(u8::from(*v))),
            _ => None,
        }
    }

    /// The whole numbers of a list.
    pub fn integers(&self) -> Vec<i64> {
        let whole = |n: Node| if let Value::Int(v) = n.value() { Some(*v) } else { None };
        self.items().into_iter().filter_map(whole).collect()
    }

    /// A size under a key.
    pub fn size(&self, key: &str) -> Option<usize> {
        let v = self.get(key)?.number()?;
        ((0.0..1e9).contains(&v) && v.fract() == 0.0).then_some(v as usize)
    }

    /// The same, or the first of a list of sizes.
    pub fn first_size(&self, key: &str) -> Option<usize> {
        let first =
            || usize::try_from(*self.get(key)?.integers().first()?).ok().filter(|v| *v < 1_000_000_000);
        self.size(key).or_else(first)
    }

    /// A NumPy array whose shape and bytes agree.
    pub fn array(&self) -> Option<&'p Array<'a>> {
        match self.value() {
            Value::Array(array) if array.check().is_ok() => Some(array),
            _ => None,
        }
    }
}

impl<'a> Pickle<'a> {
    /// The whole value.
    pub fn root(&self) -> Node<'_, 'a> {
        Node { pickle: self, id: self.root }
    }

    /// All arrays with their paths, in the order they stand: keys and indices joined by `/`.
    /// An array that is referred to twice appears twice, one that contains itself is an error.
    pub fn arrays(&self) -> Result<Vec<(String, &Array<'a>)>> {
        let mut out = Vec::new();
        self.walk(&mut |path, value| {
            if let Value::Array(array) = value {
                array.check()?;
                out.push((path.to_string(), array));
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// The same for PyTorch's tensors.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor<'_>)>> {
        let mut out = Vec::new();
        self.walk(&mut |path, value| {
            if let Value::Tensor(t) = value {
                let (size, stride) = (t.size.clone(), t.stride.clone());
                out.push((
                    path.to_string(),
                    Tensor { number: t.number, key: &t.key, offset: t.offset, size, stride },
                ));
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// The texts of a list at the root.
    pub fn texts(&self) -> Vec<String> {
        let text = |id: &Id| match &self.values[*id] {
            Value::Text(text) => Some(text.to_string()),
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        };
        match &self.values[self.root] {
            Value::List(items) | Value::Tuple(items) => items.iter().filter_map(text).collect(),
            _ => Vec::new(),
        }
    }

    fn walk<'s>(&'s self, visit: &mut dyn FnMut(&str, &'s Value<'a>) -> Result<()>) -> Result<()> {
        self.collect(self.root, &mut String::new(), 0, &mut MAX_VALUES.clone(), visit)
    }

    fn collect<'s>(
        &'s self,
        id: Id,
        path: &mut String,
        depth: usize,
        budget: &mut usize,
        visit: &mut dyn FnMut(&str, &'s Value<'a>) -> Result<()>,
    ) -> Result<()> {
        // References may fan out exponentially, or run in circles: what is visited is counted.
        *budget = budget.checked_sub(1 + path.len() / 64).filter(|_| depth < MAX_DEPTH).ok_or_else(|| {
            Error::Limit("pickle: values nested too deep or referring to each other too often".into())
        })?;
        visit(path, &self.values[id])?;
        let mut step = |name: &dyn std::fmt::Display, id: Id| -> Result<()> {
            let length = path.len();
            if length > 0 {
                path.push('/');
            }
            path.push_str(&name.to_string());
            let result = self.collect(id, path, depth + 1, budget, visit);
            path.truncate(length);
            result
        };
        match &self.values[id] {
            Value::List(items) | Value::Tuple(items) => {
                for (i, &item) in items.iter().enumerate() {
                    step(&i, item)?;
                }
            }
            Value::Dict(items) => {
                for &(key, value) in items {
                    match &self.values[key] {
                        Value::Text(text) => step(text, value)?,
                        Value::Bytes(bytes) => step(&String::from_utf8_lossy(bytes), value)?,
                        Value::Int(number) => step(number, value)?,
                        _ => {
                            return Err(Error::Unsupported(format!(
                                "pickle: a dict at `{path}` has a key that is neither text nor a number"
                            )));
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}
