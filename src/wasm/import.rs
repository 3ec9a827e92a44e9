//! Another tool's file → a file of ours, in a package of its own: a page fetches it when somebody drops such a file.
//!
//! The file streams in, the network streams out tensor by tensor, each freed as it goes: at most twice the
//! file's size is held.

use crate::error::{Error, Result};
use crate::format::convert::LIMIT;
use crate::format::onnx::test_data;
use crate::format::{self, Options, model};
use crate::spec::Order;
use crate::tensor::Shape;
use js_sys::Uint8Array;
use serde::Deserialize;
use wasm_bindgen::prelude::*;

/// What the visitor adds, as JSON.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Request {
    file_name: String,
    prototxt: Option<String>,
    labels: Option<String>,
    mean: Option<Vec<f32>>,
    std: Option<Vec<f32>>,
    order: Option<Order>,
    input: Option<Shape>,
    limit: Option<usize>,
}

/// A tensor of test data (`output_0.pb`): its numbers in C order.
#[wasm_bindgen(js_name = testNumbers)]
pub fn test_numbers(bytes: &[u8]) -> std::result::Result<Vec<f32>, JsValue> {
    Ok(test_data::read(bytes, LIMIT).map_err(thrown)?.values)
}

/// What goes in (`input_0.pb`): the same, and channels, rows and columns of each picture in it.
#[wasm_bindgen(js_name = testPictures)]
pub fn test_pictures(bytes: &[u8]) -> std::result::Result<js_sys::Array, JsValue> {
    let data = test_data::read(bytes, LIMIT).map_err(thrown)?;
    let (_, shape) = data.pictures().map_err(thrown)?;
    let shape: js_sys::Array =
        [shape.c, shape.h, shape.w].map(|d| JsValue::from(d as f64)).into_iter().collect();
    Ok(js_sys::Array::of2(&shape, &js_sys::Float32Array::from(data.values.as_slice())))
}

/// A file on its way in, then a network on its way out.
#[wasm_bindgen]
pub struct Importer {
    bytes: Vec<u8>,
    pieces: Option<model::Pieces>,
    sum: u32,
    first: bool,
}

#[wasm_bindgen]
impl Importer {
    /// `expected`: bytes to come; refused where they would not fit.
    #[wasm_bindgen(constructor)]
    pub fn new(expected: f64) -> std::result::Result<Importer, JsValue> {
        std::panic::set_hook(Box::new(console_error_panic_hook::hook));
        let mut bytes = Vec::new();
        let room = bytes.try_reserve_exact(expected as usize);
        room.map_err(|_| {
            thrown(Error::Limit(format!(
                "a file of {:.0} MB does not fit this browser's memory; convert it with the command line (unpool convert --half)",
                expected / 1e6
            )))
        })?;
        Ok(Importer { bytes, pieces: None, sum: 0, first: true })
    }

    /// The next piece of the file.
    pub fn push(&mut self, piece: &Uint8Array) -> std::result::Result<(), JsValue> {
        let from = self.bytes.len();
        self.bytes
            .try_reserve(piece.length() as usize)
            .map_err(|_| thrown(Error::Limit("the file does not fit this browser's memory".into())))?;
        self.bytes.resize(from + piece.length() as usize, 0);
        piece.copy_to(&mut self.bytes[from..]);
        Ok(())
    }

    /// Reads the network; its report as JSON. `options`: see `Request`.
    pub fn convert(&mut self, options: &str) -> std::result::Result<String, JsValue> {
        self.read(options).map_err(thrown)
    }

    /// The next piece of our file; nothing after the last.
    pub fn piece(&mut self) -> Option<Uint8Array> {
        let piece = self.pieces.as_mut()?.next()?;
        // The header holds what may be changed later: names of classes, the normalisation.
        if !std::mem::take(&mut self.first) {
            let mut hasher = crc32fast::Hasher::new_with_initial(self.sum);
            hasher.update(&piece);
            self.sum = hasher.finalize();
        }
        Some(Uint8Array::from(piece.as_slice()))
    }

    /// Eight digits that tell these weights from others.
    pub fn hash(&self) -> String {
        format!("{:08x}", self.sum)
    }
}

impl Importer {
    fn read(&mut self, options: &str) -> Result<String> {
        let request: Request =
            serde_json::from_str(options).map_err(|e| Error::Parameter(format!("import options: {e}")))?;
        let bytes = std::mem::take(&mut self.bytes);
        let (model, report) = format::convert(
            &bytes,
            &Options {
                file_name: &request.file_name,
                prototxt: request.prototxt.as_deref(),
                labels: request.labels.as_deref(),
                mean: request.mean,
                std: request.std,
                order: request.order,
                input: request.input,
                limit: request.limit,
                ..Options::default()
            },
        )?;
        drop(bytes);
        self.pieces = Some(model::pieces(model));
        serde_json::to_string(&report).map_err(|e| Error::Parameter(format!("report: {e}")))
    }
}

/// An `Error` whose `name` is the kind.
fn thrown(error: Error) -> JsValue {
    let e = js_sys::Error::new(error.message());
    e.set_name(error.kind());
    e.into()
}
