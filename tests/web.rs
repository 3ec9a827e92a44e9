//! The WebAssembly packages in a worker of a browser, as the page runs them.
#![cfg(target_arch = "wasm32")]

mod common;

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[cfg(not(feature = "threads"))]
#[wasm_bindgen_test]
fn one_thread_does_it() {
    assert_eq!(rayon::current_num_threads(), 1);
}

/// One test, because the pool must be started before anything runs: whatever runs first without one makes a pool of
/// the calling thread, for good.
#[cfg(feature = "threads")]
#[wasm_bindgen_test]
async fn the_pool_starts_and_gives_the_same_numbers() {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    wasm_bindgen_futures::JsFuture::from(unpool::wasm::init_thread_pool(2)).await.unwrap();
    unpool::wasm::watch();
    assert_eq!(rayon::current_num_threads(), 2);
    let seen = Mutex::new(BTreeSet::new());
    rayon::broadcast(|c| seen.lock().unwrap().insert(c.index()));
    assert_eq!(seen.into_inner().unwrap().len(), 2);
    common::wasm::activations_and_projections_agree_with_the_reference();
    common::wasm::bindings_hand_out_what_the_crate_computes();
    common::wasm::errors_cross_as_errors();
}
