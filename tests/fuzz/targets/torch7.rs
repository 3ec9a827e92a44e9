//! Torch7 modules, and the network that comes out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use unpool::format::{Options, convert};

fuzz_target!(|bytes: &[u8]| {
    let options = Options { file_name: "x.t7", limit: Some(1 << 24), ..Options::default() };
    if let Ok((model, _)) = convert(bytes, &options) {
        let _ = unpool::net::Net::new(model);
    }
});
