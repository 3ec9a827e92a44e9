//! The WebAssembly packages in Node, where no thread can be started: rayon works on the calling one.
#![cfg(target_arch = "wasm32")]

mod common;

use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn without_a_pool_one_thread_does_it() {
    assert_eq!(rayon::current_num_threads(), 1);
}
