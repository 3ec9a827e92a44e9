//! A model file, the network in it, and a forward pass that lets the worker breathe.

use super::alarm;
use super::trace::Trace;
use super::value::{Answer, floats, numbers, object, plain, thrown};
use crate::error::Error;
use crate::format;
use crate::image::{self, Picture};
use crate::job::Job;
use crate::net::{self, Forward};
use crate::tensor::{Shape, Tensor};
use js_sys::{Uint8Array, Uint8ClampedArray};
use std::sync::Arc;
use std::time::Duration;
use wasm_bindgen::Clamped;
use wasm_bindgen::prelude::*;

/// A model file as it streams in: each piece is copied once, to where the reader will find it.
#[wasm_bindgen]
pub struct ModelFile {
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl ModelFile {
    /// `expected`: bytes to come, 0 where nobody knows.
    #[wasm_bindgen(constructor)]
    pub fn new(expected: f64) -> Result<ModelFile, JsValue> {
        let mut file = ModelFile { bytes: Vec::new() };
        file.reserve(expected as usize).map_err(thrown)?;
        Ok(file)
    }

    /// The next piece.
    pub fn push(&mut self, piece: &Uint8Array) -> Result<(), JsValue> {
        let (from, n) = (self.bytes.len(), piece.length() as usize);
        self.reserve(n).map_err(thrown)?;
        self.bytes.resize(from + n, 0);
        piece.copy_to(&mut self.bytes[from..]);
        Ok(())
    }

    fn reserve(&mut self, more: usize) -> Result<(), Error> {
        let most = alarm::limit() / 3;
        let all = self.bytes.len().saturating_add(more);
        if all > most || self.bytes.try_reserve(more).is_err() {
            return Err(Error::Limit(format!(
                "a model of {} MB does not fit the {} MB that this page may use for files; use a smaller one, or half precision",
                all >> 20,
                most >> 20
            )));
        }
        Ok(())
    }

    /// The network in it; the bytes are freed.
    pub fn open(self) -> Result<Net, JsValue> {
        let model = format::model::read(&self.bytes).map_err(thrown)?;
        drop(self);
        let net = net::Net::new(model).map_err(thrown)?;
        Ok(Net { net: Arc::new(net) })
    }
}

/// A network.
#[wasm_bindgen]
pub struct Net {
    net: Arc<net::Net>,
}

impl Net {
    /// The network behind the binding.
    pub(super) fn inner(&self) -> Arc<net::Net> {
        self.net.clone()
    }
}

#[wasm_bindgen]
impl Net {
    /// `NetInfo`.
    pub fn info(&self) -> Answer {
        plain(&self.net.info())
    }

    /// `{ data, shape: [out, in, height, width] }`.
    pub fn filters(&self, layer: &str) -> Answer {
        let node = self.net.find(layer).map_err(thrown)?;
        let (shape, data) = self.net.filters(node).map_err(thrown)?;
        let shape = numbers(shape.map(|n| n as f64));
        Ok(object([("data", floats(&data)), ("shape", shape)]))
    }

    /// Starts a forward pass of a picture (RGBA, reading order), resized and cropped as the model says.
    #[wasm_bindgen(js_name = startPicture)]
    pub fn start_picture(
        &self,
        width: usize,
        height: usize,
        rgba: Clamped<Vec<u8>>,
    ) -> Result<Pass, JsValue> {
        let picture = Picture::new(width, height, rgba.0).map_err(thrown)?;
        let (tensor, seen) = image::prepare(&picture, &self.net.spec().input).map_err(thrown)?;
        drop(picture);
        self.start(tensor, Some(seen))
    }

    /// Starts a forward pass of values that are used as they are.
    #[wasm_bindgen(js_name = startTensor)]
    pub fn start_tensor(&self, data: Vec<f32>, c: usize, h: usize, w: usize) -> Result<Pass, JsValue> {
        let tensor = Tensor::new(Shape::new(c, h, w), data).map_err(thrown)?;
        self.start(tensor, None)
    }

    /// Synchronously, for benchmarks inside a worker. `x`: n × c × h × w values; the network's output for each,
    /// one after the other.
    pub fn batch(&self, x: &[f32], n: usize, c: usize, h: usize, w: usize) -> Result<Vec<f32>, JsValue> {
        let shape = Shape::new(c, h, w);
        let one = shape.count().map_err(thrown)?;
        if one == 0 || one.checked_mul(n) != Some(x.len()) {
            return Err(thrown(Error::Shape(format!("{} values given for {n} inputs of {shape}", x.len()))));
        }
        let inputs =
            x.chunks_exact(one).map(|x| Tensor::new(shape, x.to_vec())).collect::<crate::Result<_>>();
        let traces = inputs.and_then(|inputs| self.net.forward_batch(inputs)).map_err(thrown)?;
        let mut flat = Vec::new();
        for trace in traces {
            flat.extend_from_slice(trace.activation(self.net.output()).data());
        }
        Ok(flat)
    }

    fn start(&self, input: Tensor, seen: Option<Picture>) -> Result<Pass, JsValue> {
        self.check_memory(input.shape()).map_err(thrown)?;
        let forward = self.net.start(vec![input]).map_err(thrown)?;
        Ok(Pass { forward, seen })
    }

    /// Memory that cannot grow traps; so what an input will need is asked for beforehand.
    fn check_memory(&self, input: Shape) -> Result<(), Error> {
        let mut bytes = self.net.info().bytes;
        for shape in self.net.shapes(input)? {
            bytes = bytes.saturating_add(shape.count()?.saturating_mul(4));
        }
        if bytes <= alarm::limit() {
            return Ok(());
        }
        Err(Error::Limit(format!(
            "an input of {input} needs about {} MB, the engine may use {} MB here; use a smaller input",
            bytes >> 20,
            alarm::limit() >> 20
        )))
    }
}

/// A forward pass under way.
#[wasm_bindgen]
pub struct Pass {
    forward: Forward,
    seen: Option<Picture>,
}

impl Pass {
    /// Of a photo that is already prepared.
    pub(super) fn new(forward: Forward, seen: Picture) -> Pass {
        Pass { forward, seen: Some(seen) }
    }
}

#[wasm_bindgen]
impl Pass {
    /// Works for about so many milliseconds; the share done, 1 at the end.
    pub fn step(&mut self, milliseconds: f64) -> Result<f64, JsValue> {
        let progress = self.forward.step(Duration::from_secs_f64(milliseconds / 1e3)).map_err(thrown)?;
        Ok(if progress.done { 1.0 } else { progress.fraction.min(0.999) })
    }

    /// What the network is given of a picture, RGBA in the input's size; undefined for a tensor.
    pub fn pixels(&self) -> Option<Uint8ClampedArray> {
        self.seen.as_ref().map(|p| Uint8ClampedArray::from(p.rgba()))
    }

    /// What it left behind, once step() has said 1.
    pub fn finish(self) -> Result<Trace, JsValue> {
        let mut traces = self.forward.finish().map_err(thrown)?;
        Ok(Trace::new(traces.pop().expect("one input was given")))
    }
}
