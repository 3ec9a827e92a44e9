//! Values and errors across the boundary.

use crate::error::Error;
use crate::tensor::{Rect, Shape, Tensor};
use js_sys::{Array, Float32Array, Object, Reflect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

/// What every binding answers.
pub(super) type Answer = Result<JsValue, JsValue>;

/// An `Error` whose `name` is the kind.
pub(super) fn thrown(error: Error) -> JsValue {
    let e = js_sys::Error::new(error.message());
    e.set_name(error.kind());
    e.into()
}

/// Structs become objects, sequences arrays.
pub(super) fn plain(value: &impl Serialize) -> Answer {
    value.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).map_err(JsValue::from)
}

/// What crosses as JSON. Error: Parameter that says of what.
pub(super) fn json<T: DeserializeOwned>(text: &str, what: &str) -> crate::Result<T> {
    serde_json::from_str(text).map_err(|e| Error::Parameter(format!("{what}: {e}")))
}

/// An object from its fields.
pub(super) fn object<'a>(fields: impl IntoIterator<Item = (&'a str, JsValue)>) -> JsValue {
    let o = Object::new();
    for (key, value) in fields {
        // Setting a field of a fresh object cannot fail.
        let _ = Reflect::set(&o, &key.into(), &value);
    }
    o.into()
}

/// A copy that belongs to JavaScript.
pub(super) fn floats(data: &[f32]) -> JsValue {
    Float32Array::from(data).into()
}

/// Numbers as an array.
pub(super) fn numbers(values: impl IntoIterator<Item = f64>) -> JsValue {
    values.into_iter().map(JsValue::from_f64).collect::<Array>().into()
}

/// `[channels, height, width]`.
pub(super) fn shape(s: Shape) -> JsValue {
    numbers([s.c as f64, s.h as f64, s.w as f64])
}

/// `[y0, x0, y1, x1]`.
pub(super) fn rect(r: Rect) -> JsValue {
    numbers([r.y0 as f64, r.x0 as f64, r.y1 as f64, r.x1 as f64])
}

/// `[row, column]`.
pub(super) fn position(at: [usize; 2]) -> JsValue {
    numbers(at.map(|v| v as f64))
}

/// `{ data, shape }`.
pub(super) fn tensor(t: &Tensor) -> JsValue {
    object([("data", floats(t.data())), ("shape", shape(t.shape()))])
}
