//! What must hold in WebAssembly, whichever flavour and host: the numbers of the native tests, errors as errors.

use super::{Fixture, error};
use js_sys::{Array, Error, Float32Array, Reflect, Uint8Array};
use unpool::explain::deconvnet::project;
use unpool::wasm::ModelFile;
use wasm_bindgen::{JsCast, JsValue};
#[cfg(not(feature = "threads"))]
use wasm_bindgen_test::wasm_bindgen_test;

/// Grouped and strided convolutions, overlapping pools, LRN, concatenation, ties, a whole classifier.
fn fixtures() -> Vec<Fixture> {
    macro_rules! read {
        ($($name:literal)*) => {
            vec![$(Fixture::parse($name, include_bytes!(concat!("../data/", $name, ".safetensors")))),*]
        };
    }
    read!("captum" "fire" "grouped" "lenet" "lrn" "overlap" "residual" "stride4" "ties")
}

// With threads, tests/web.rs calls them, after it has started the pool.
#[cfg_attr(not(feature = "threads"), wasm_bindgen_test)]
pub fn activations_and_projections_agree_with_the_reference() {
    let mut compared = 0;
    for f in fixtures() {
        let trace = f.trace();
        let output = trace.net().output();
        let expected = f.activation(trace.net().name(output)).to_f32();
        let e = error(trace.activation(output).data(), &expected);
        assert!(e < 1e-4, "{}: the output is off by {e:.1e} of its maximum", f.name);
        for case in &f.cases {
            let node = trace.net().find(&case.layer).unwrap();
            let p = project(&trace, node, &case.seed, &case.options).unwrap();
            let e = error(p.pixels.view().crop(case.rect).to_tensor().data(), case.pixels.data());
            assert!(e < 1e-4, "{}: {} is off by {e:.1e} of its maximum", f.name, case.text);
            assert_eq!(p.at, case.at, "{}: {}", f.name, case.text);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} projections");
}

/// Field of a JavaScript object.
fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap()
}

fn model(f: &Fixture) -> Vec<u8> {
    unpool::format::model::write(&f.model())
}

#[cfg_attr(not(feature = "threads"), wasm_bindgen_test)]
pub fn bindings_hand_out_what_the_crate_computes() {
    let f = Fixture::parse("fire", include_bytes!("../data/fire.safetensors"));
    let bytes = model(&f);
    let mut file = ModelFile::new(bytes.len() as f64).unwrap();
    for piece in bytes.chunks(1000) {
        file.push(&Uint8Array::from(piece)).unwrap();
    }
    let net = file.open().unwrap();
    let layers: Array = get(&net.info().unwrap(), "layers").unchecked_into();
    assert_eq!(layers.length() as usize, f.spec.layers.len());
    let s = f.data.shape();
    let mut pass = net.start_tensor(f.data.data().to_vec(), s.c, s.h, s.w).unwrap();
    while pass.step(0.0).unwrap() < 1.0 {}
    assert!(pass.pixels().is_none());
    let trace = pass.finish().unwrap();
    let native = f.trace();
    for layer in &f.spec.layers {
        let answer = trace.activation(&layer.name).unwrap();
        let data: Float32Array = get(&answer, "data").unchecked_into();
        let node = native.net().find(&layer.name).unwrap();
        assert_eq!(data.to_vec(), native.activation(node).data(), "{}", layer.name);
    }
}

#[cfg_attr(not(feature = "threads"), wasm_bindgen_test)]
pub fn errors_cross_as_errors() {
    let text = ModelFile::new(0.0).and_then(|mut file| {
        file.push(&Uint8Array::from(&b"<!doctype html><p>not found"[..]))?;
        file.open()
    });
    let f = Fixture::parse("fire", include_bytes!("../data/fire.safetensors"));
    let mut file = ModelFile::new(0.0).unwrap();
    file.push(&Uint8Array::from(model(&f).as_slice())).unwrap();
    let net = file.open().unwrap();
    let kinds = [
        (text.err(), "Malformed"),
        (net.start_tensor(vec![0.0; 3], 1, 1, 3).err(), "Shape"),
        (net.start_tensor(vec![0.0; 5], 3, 9, 9).err(), "Shape"),
        (net.start_picture(0, 0, wasm_bindgen::Clamped(vec![])).err(), "Malformed"),
        (net.filters("no such layer").err(), "Parameter"),
        (ModelFile::new(1e15).err(), "Limit"),
        (net.batch(&[0.0; 3], 2, 1, 1, 1).err(), "Shape"),
    ];
    for (i, (error, kind)) in kinds.into_iter().enumerate() {
        let error: Error = error.unwrap_or_else(|| panic!("case {i} was accepted")).dyn_into().unwrap();
        assert_eq!(error.name(), kind, "case {i}: {}", error.message());
        assert!(String::from(error.message()).len() > 20, "case {i}");
    }
}
