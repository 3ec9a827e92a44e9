//! Caffe's layers, with weights for one convolution.
#![no_main]

use libfuzzer_sys::fuzz_target;
use unpool::format::{Options, convert};

/// A layer `c` with eighteen weights and one bias.
fn weights() -> Vec<u8> {
    let blob = |n: usize| {
        let mut out = vec![0x08, 1, 0x10, if n == 18 { 2 } else { 1 }, 0x18, if n == 18 { 3 } else { 1 }];
        out.extend([0x20, if n == 18 { 3 } else { 1 }, 0x2a, (4 * n) as u8]);
        out.extend(std::iter::repeat_n([0, 0, 0, 0x3f], n).flatten());
        out
    };
    let mut layer = vec![0x0a, 1, b'c'];
    for n in [18, 1] {
        let b = blob(n);
        layer.extend([0x3a, b.len() as u8]);
        layer.extend(b);
    }
    let mut file = vec![0xa2, 0x06, layer.len() as u8];
    file.extend(layer);
    file
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let options = Options { file_name: "x.caffemodel", prototxt: Some(text), ..Options::default() };
    if let Ok((model, _)) = convert(&weights(), &options) {
        let _ = unpool::net::Net::new(model);
    }
});
