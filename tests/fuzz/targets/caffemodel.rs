//! Caffe's weights, under a fixed prototxt.
#![no_main]

use libfuzzer_sys::fuzz_target;
use unpool::format::{Options, convert};

const PROTOTXT: &str = "input: 'data' input_dim: 1 input_dim: 2 input_dim: 4 input_dim: 4
    layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 1 kernel_size: 3 } }
    layer { name: 'b' type: 'BatchNorm' bottom: 'c' top: 'c' } layer { name: 's' type: 'Scale' bottom: 'c' top: 'c' }";

fuzz_target!(|bytes: &[u8]| {
    let options = Options { file_name: "x.caffemodel", prototxt: Some(PROTOTXT), ..Options::default() };
    if let Ok((model, _)) = convert(bytes, &options) {
        let _ = unpool::net::Net::new(model);
    }
    let _ = unpool::format::caffe::mean(bytes);
});
