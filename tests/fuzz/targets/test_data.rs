//! Tensors beside an ONNX file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(data) = unpool::format::onnx::test_data::read(bytes, 1 << 24) {
        let _ = data.pictures();
    }
});
