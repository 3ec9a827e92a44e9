//! A dictionary, and what is coded in it.

use super::super::value::{Answer, floats, numbers, object, plain, thrown};
use super::code::{CodeJob, PathJob};
use super::read;
use crate::error::{Error, Result};
use crate::format::dictionary;
use crate::image::Picture;
use crate::sparse::code::{Coding, Options};
use crate::sparse::path::Path;
use crate::sparse::photo;
use crate::sparse::solver::Method;
use crate::tensor::{Shape, Tensor};
use js_sys::Uint8Array;
use serde::Deserialize;
use std::sync::Arc;
use wasm_bindgen::Clamped;
use wasm_bindgen::prelude::*;

/// `CodeOptions`, checked by lab.js.
#[derive(Deserialize)]
struct Request {
    layers: Option<usize>,
    lambda: Vec<f64>,
    automatic: bool,
    method: Method,
    iterations: usize,
}

/// `PathOptions`.
#[derive(Deserialize)]
struct PathRequest {
    lambda: Vec<f64>,
    count: usize,
    iterations: usize,
}

/// Layers of filters.
#[wasm_bindgen]
pub struct Dictionary {
    inner: Arc<dictionary::Dictionary>,
}

impl Dictionary {
    pub(super) fn new(inner: dictionary::Dictionary) -> Dictionary {
        Dictionary { inner: Arc::new(inner) }
    }
}

#[wasm_bindgen]
impl Dictionary {
    /// From a file.
    pub fn open(bytes: Vec<u8>) -> std::result::Result<Dictionary, JsValue> {
        dictionary::read(&bytes).map(Dictionary::new).map_err(thrown)
    }

    /// As a file.
    pub fn bytes(&self) -> Uint8Array {
        Uint8Array::from(dictionary::write(&self.inner).as_slice())
    }

    /// `DictionaryInfo`.
    pub fn info(&self) -> Answer {
        let layers = self.inner.layers.iter().map(|l| {
            let info = plain(&l.spec)?;
            // Setting a field of a fresh object cannot fail.
            let _ = js_sys::Reflect::set(&info, &"shape".into(), &numbers(l.shape.map(|n| n as f64)));
            Ok(info)
        });
        let layers = layers.collect::<std::result::Result<js_sys::Array, JsValue>>()?;
        Ok(object([("about", plain(&self.inner.about)?), ("layers", layers.into())]))
    }

    /// `{ data, shape: [maps, below, height, width] }` of a layer, counted from 1.
    pub fn filters(&self, layer: usize) -> Answer {
        let found = layer.checked_sub(1).and_then(|l| self.inner.layers.get(l)).ok_or_else(|| {
            thrown(Error::Parameter(format!(
                "the dictionary has layers 1 to {}, there is no layer {layer}",
                self.inner.layers.len()
            )))
        })?;
        let shape = numbers(found.shape.map(|n| n as f64));
        Ok(object([("data", floats(&found.weights)), ("shape", shape)]))
    }

    /// Starts coding a photo (RGBA, reading order).
    pub fn code(
        &self,
        width: usize,
        height: usize,
        rgba: Clamped<Vec<u8>>,
        options: &str,
    ) -> std::result::Result<CodeJob, JsValue> {
        self.photo(width, height, rgba.0).and_then(|image| self.start(&image, options)).map_err(thrown)
    }

    /// The same for channels × rows × columns of any size; with `normalised` used as it is.
    #[wasm_bindgen(js_name = codeTensor)]
    pub fn code_tensor(
        &self,
        data: Vec<f32>,
        c: usize,
        h: usize,
        w: usize,
        options: &str,
        normalised: bool,
    ) -> std::result::Result<CodeJob, JsValue> {
        let start = |image| {
            if normalised { self.start_as_it_is(image, options) } else { self.start(&image, options) }
        };
        Tensor::new(Shape::new(c, h, w), data).and_then(start).map_err(thrown)
    }

    /// Starts a regularisation path over a photo.
    pub fn path(
        &self,
        width: usize,
        height: usize,
        rgba: Clamped<Vec<u8>>,
        options: &str,
    ) -> std::result::Result<PathJob, JsValue> {
        self.photo(width, height, rgba.0).and_then(|image| self.along(&image, options)).map_err(thrown)
    }

    /// The same for channels × rows × columns of any size.
    #[wasm_bindgen(js_name = pathTensor)]
    pub fn path_tensor(
        &self,
        data: Vec<f32>,
        c: usize,
        h: usize,
        w: usize,
        options: &str,
    ) -> std::result::Result<PathJob, JsValue> {
        Tensor::new(Shape::new(c, h, w), data).and_then(|image| self.along(&image, options)).map_err(thrown)
    }
}

impl Dictionary {
    fn photo(&self, width: usize, height: usize, rgba: Vec<u8>) -> Result<Tensor> {
        let about = &self.inner.about;
        photo::read(&Picture::new(width, height, rgba)?, about.channels, about.side)
    }

    fn start(&self, image: &Tensor, options: &str) -> Result<CodeJob> {
        Ok(CodeJob::new(Coding::new(self.inner.clone(), image, &coding(options)?)?))
    }

    fn start_as_it_is(&self, image: Tensor, options: &str) -> Result<CodeJob> {
        Ok(CodeJob::new(Coding::of_normalised(self.inner.clone(), image, &coding(options)?)?))
    }

    fn along(&self, image: &Tensor, options: &str) -> Result<PathJob> {
        let PathRequest { lambda, count, iterations } = read(options)?;
        Ok(PathJob::new(Path::new(&self.inner, image, &lambda, count, iterations)?))
    }
}

fn coding(options: &str) -> Result<Options> {
    let Request { layers, lambda, automatic, method, iterations } = read(options)?;
    Ok(Options { layers, lambda, automatic, method, iterations })
}
