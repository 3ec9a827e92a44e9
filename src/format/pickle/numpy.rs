//! The few callables that NumPy's arrays need, carried out on plain values.

use super::{Bytes, Id, Value};
use crate::error::{Error, Result};
use crate::format::npy;
use crate::format::number::{Number, count};

/// What a pickle may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callable {
    /// An empty array, to be filled by BUILD.
    Reconstruct,
    /// The class itself, as an argument of the former.
    Ndarray,
    /// A number type.
    Dtype,
    /// One number of a NumPy type.
    Scalar,
    /// An array from its bytes (protocol 5).
    FromBuffer,
    /// Bytes written as text (protocols 0 to 2).
    Encode,
    /// Empty bytes (protocols 0 to 2).
    Bytes,
    /// A dict that remembers its order.
    OrderedDict,
    /// PyTorch: a tensor as a window into a storage.
    RebuildTensor,
    /// PyTorch: a tensor that was trained; here the tensor.
    RebuildParameter,
    /// PyTorch: the class of a storage, which says its number type.
    Storage(Number),
}

/// Modules (before and since NumPy 2), name, meaning.
const CALLABLES: [(&[&str], &str, Callable); 20] = [
    (&["numpy.core.multiarray", "numpy._core.multiarray"], "_reconstruct", Callable::Reconstruct),
    (&["numpy.core.multiarray", "numpy._core.multiarray"], "scalar", Callable::Scalar),
    (&["numpy.core.numeric", "numpy._core.numeric"], "_frombuffer", Callable::FromBuffer),
    (&["numpy"], "ndarray", Callable::Ndarray),
    (&["numpy"], "dtype", Callable::Dtype),
    (&["_codecs"], "encode", Callable::Encode),
    (&["__builtin__", "builtins"], "bytes", Callable::Bytes),
    (&["collections"], "OrderedDict", Callable::OrderedDict),
    (&["torch._utils"], "_rebuild_tensor_v2", Callable::RebuildTensor),
    (&["torch._utils"], "_rebuild_parameter", Callable::RebuildParameter),
    (&["torch"], "FloatStorage", Callable::Storage(Number::F32)),
    (&["torch"], "HalfStorage", Callable::Storage(Number::F16)),
    (&["torch"], "BFloat16Storage", Callable::Storage(Number::Bf16)),
    (&["torch"], "DoubleStorage", Callable::Storage(Number::F64)),
    (&["torch"], "LongStorage", Callable::Storage(Number::I64)),
    (&["torch"], "IntStorage", Callable::Storage(Number::I32)),
    (&["torch"], "ShortStorage", Callable::Storage(Number::I16)),
    (&["torch"], "CharStorage", Callable::Storage(Number::I8)),
    (&["torch"], "ByteStorage", Callable::Storage(Number::U8)),
    (&["torch"], "BoolStorage", Callable::Storage(Number::Bool)),
];

impl Callable {
    /// By module and name; anything else is refused by name.
    pub fn find(module: &str, name: &str) -> Result<Callable> {
        let found = CALLABLES.iter().find(|c| c.0.contains(&module) && c.1 == name);
        found.map(|c| c.2).ok_or_else(|| {
            let short = |s: &str| s.chars().take(60).collect::<String>();
            Error::Unsupported(format!(
                "the pickle asks for `{}.{}`, which is not carried out; only plain values, NumPy arrays \
                 and PyTorch tensors are read. Save model.state_dict(), or a dict of NumPy arrays",
                short(module),
                short(name)
            ))
        })
    }
}

/// A number type and its byte order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dtype {
    number: Number,
    big_endian: bool,
}

/// An array whose numbers still stand in the file.
#[derive(Debug, Clone)]
pub struct Array<'a> {
    shape: Vec<usize>,
    dtype: Dtype,
    fortran: bool,
    /// `None` before BUILD.
    bytes: Option<Bytes<'a>>,
}

impl Array<'_> {
    /// Outermost dimension first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers as float32 in C order.
    pub fn to_f32(&self) -> Vec<f32> {
        let values = self.dtype.number.to_f32(self.bytes.as_deref().unwrap_or(&[]), self.dtype.big_endian);
        if self.fortran { npy::from_fortran(&self.shape, &values) } else { values }
    }

    /// Whether shape and bytes agree.
    pub(super) fn check(&self) -> Result<()> {
        let needs = count(&self.shape).and_then(|n| n.checked_mul(self.dtype.number.size()));
        match &self.bytes {
            Some(bytes) if needs == Some(bytes.len()) => Ok(()),
            Some(bytes) => Err(malformed(&format!(
                "an array of shape {:?} has {} bytes, which do not fit",
                self.shape,
                bytes.len()
            ))),
            None => Err(malformed("an array without contents")),
        }
    }
}

fn malformed(what: &str) -> Error {
    Error::Malformed(format!("{what}; the pickle is damaged, or of a kind not known here"))
}

fn text<'v>(value: &'v Value) -> Option<&'v str> {
    match value {
        Value::Text(t) => Some(t),
        Value::Bytes(b) => std::str::from_utf8(b).ok(),
        _ => None,
    }
}

fn shape(value: &Value, values: &[Value]) -> Result<Vec<usize>> {
    let Value::Tuple(items) = value else { return Err(malformed("an array's shape is no tuple")) };
    if items.len() > 32 {
        return Err(malformed("an array of more than 32 dimensions"));
    }
    let dimension = |&i: &Id| match values[i] {
        Value::Int(n) => usize::try_from(n).map_err(|_| malformed("an array's side is negative")),
        _ => Err(malformed("an array's side is no integer")),
    };
    items.iter().map(dimension).collect()
}

/// What a pickle says of a PyTorch tensor; its numbers stand elsewhere.
#[derive(Debug)]
pub struct TensorParts<'a> {
    pub number: Number,
    pub key: std::borrow::Cow<'a, str>,
    pub offset: usize,
    pub size: Vec<usize>,
    pub stride: Vec<usize>,
}

/// Carries out a call. Allocates at most the size of its arguments.
pub fn call<'a>(callable: Callable, arguments: &[&Value<'a>], values: &[Value<'a>]) -> Result<Value<'a>> {
    match (callable, arguments) {
        (Callable::Reconstruct, [Value::Global(Callable::Ndarray), ..]) => Ok(Value::Array(Array {
            shape: Vec::new(),
            dtype: Dtype { number: Number::F32, big_endian: false },
            fortran: false,
            bytes: None,
        })),
        (Callable::Dtype, [code, ..]) => {
            let code = text(code).ok_or_else(|| malformed("a NumPy type is not given as text"))?;
            let (number, big_endian) = npy::dtype(code)?;
            Ok(Value::Dtype(Dtype { number, big_endian }))
        }
        (Callable::Scalar, [Value::Dtype(dtype), Value::Bytes(bytes)])
            if bytes.len() == dtype.number.size() =>
        {
            Ok(Value::Number)
        }
        (Callable::FromBuffer, [Value::Bytes(bytes), Value::Dtype(dtype), sides, order]) => {
            let fortran = text(order) == Some("F");
            let shape = shape(sides, values)?;
            Ok(Value::Array(Array { shape, dtype: *dtype, fortran, bytes: Some(bytes.clone()) }))
        }
        (Callable::Encode, [Value::Text(content), encoding]) if text(encoding) == Some("latin1") => {
            let bytes: std::result::Result<Vec<u8>, _> =
                content.chars().map(|c| u8::try_from(u32::from(c))).collect();
            let bytes = bytes.map_err(|_| malformed("bytes written as text hold a character above 255"))?;
            Ok(Value::Bytes(Bytes::Decoded(bytes.into())))
        }
        (Callable::OrderedDict, []) => Ok(Value::Dict(Vec::new())),
        (Callable::RebuildTensor, [Value::Storage { number, key }, Value::Int(offset), size, stride, ..]) => {
            let (size, stride) = (shape(size, values)?, shape(stride, values)?);
            let offset =
                usize::try_from(*offset).map_err(|_| malformed("a tensor starts before its storage"))?;
            if size.len() != stride.len() {
                return Err(malformed("a tensor's size and stride do not fit each other"));
            }
            Ok(Value::Tensor(std::rc::Rc::new(TensorParts {
                number: *number,
                key: key.clone(),
                offset,
                size,
                stride,
            })))
        }
        (Callable::RebuildParameter, [Value::Tensor(t), ..]) => Ok(Value::Tensor(t.clone())),
        (Callable::Bytes, []) => Ok(Value::Bytes(Bytes::File(&[]))),
        _ => Err(malformed(&format!("{callable:?} is called with arguments that are not its own"))),
    }
}

/// Carries out BINPERSID: PyTorch names a storage by its class, its key, its device and its length.
pub fn storage<'a>(id: &Value<'a>, values: &[Value<'a>]) -> Result<Value<'a>> {
    let Value::Tuple(items) = id else { return Err(malformed("a reference out of the pickle is no tuple")) };
    let items: Vec<&Value> = items.iter().map(|&i| &values[i]).collect();
    match items.as_slice() {
        [kind, Value::Global(Callable::Storage(number)), key, _, Value::Int(_), view @ ..]
            if text(kind) == Some("storage") && matches!(view, [] | [Value::None]) =>
        {
            let key = match key {
                Value::Text(key) => key.clone(),
                other => text(other).ok_or_else(|| malformed("a storage has no name"))?.to_string().into(),
            };
            Ok(Value::Storage { number: *number, key })
        }
        _ => Err(Error::Unsupported(
            "the pickle refers to something outside that is no PyTorch storage; save model.state_dict()"
                .into(),
        )),
    }
}

/// Carries out BUILD: gives an array its contents, a type its byte order.
pub fn build<'a>(object: &Value<'a>, state: &Value<'a>, values: &[Value<'a>]) -> Result<Value<'a>> {
    let Value::Tuple(items) = state else {
        return Err(malformed("an object is given a state that is no tuple"));
    };
    let state: Vec<&Value> = items.iter().map(|&i| &values[i]).collect();
    match (object, state.as_slice()) {
        // version, shape, type, column-major, contents
        (Value::Array(_), [_, sides, Value::Dtype(dtype), Value::Bool(fortran), Value::Bytes(bytes)]) => {
            let shape = shape(sides, values)?;
            let array = Array { shape, dtype: *dtype, fortran: *fortran, bytes: Some(bytes.clone()) };
            array.check()?;
            Ok(Value::Array(array))
        }
        (Value::Array(_), [_, _, Value::Dtype(_), _, Value::List(_)]) => {
            Err(Error::Unsupported("an array of Python objects; convert it with .astype('float32')".into()))
        }
        // version, byte order, then what only structured types have
        (Value::Dtype(dtype), [_, order, ..]) => {
            let big_endian = match text(order) {
                Some("<" | "|" | "=") => false,
                Some(">") => true,
                _ => return Err(malformed("a NumPy type has no known byte order")),
            };
            Ok(Value::Dtype(Dtype { big_endian, ..*dtype }))
        }
        _ => Err(malformed("an object is given a state that is not its own")),
    }
}
