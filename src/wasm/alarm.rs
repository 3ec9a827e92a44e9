//! What happens when the engine breaks: whoever waits for it hears of it, instead of waiting for ever.
//!
//! A trap in the worker itself reaches its JavaScript as an exception. One in a thread of the pool
//! does not: the worker waits, blocked, for a thread that is gone. So threads tell the page directly.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasm_bindgen::prelude::*;
use web_sys::BroadcastChannel;

static CHANNEL: OnceLock<String> = OnceLock::new();
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// To be called once, before anything else. `id`: the engine's own, for its alarm; `limit`: bytes
/// that the memory may grow to.
#[wasm_bindgen]
pub fn start(id: &str, limit: f64) {
    // Statics are shared by all threads; only the first engine of a memory can set them.
    let _ = CHANNEL.set(format!("unpool-{id}"));
    LIMIT.store(limit as usize, Ordering::Relaxed);
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        if let Some(channel) = channel() {
            let _ = channel.post_message(&JsValue::from_str(&info.to_string()));
        }
    }));
}

/// Bytes that the memory may grow to.
#[cfg(not(feature = "lab"))]
pub(super) fn limit() -> usize {
    LIMIT.load(Ordering::Relaxed)
}

fn channel() -> Option<BroadcastChannel> {
    BroadcastChannel::new(CHANNEL.get()?).ok()
}

/// To be called when the pool stands: every thread of it reports when it dies of something that is
/// no panic, such as memory that could not grow.
#[cfg(feature = "threads")]
#[wasm_bindgen]
pub fn watch() {
    rayon::broadcast(|_| listen());
}

#[cfg(feature = "threads")]
fn listen() -> Option<()> {
    use js_sys::{Function, Reflect};
    let channel = channel()?;
    let post: Function = Reflect::get(&channel, &"postMessage".into()).ok()?.dyn_into().ok()?;
    // Bound in JavaScript, so that nothing of this module runs after the trap.
    let post = post.bind1(&channel, &"a thread died, most likely for want of memory".into());
    let worker: web_sys::EventTarget = js_sys::global().unchecked_into();
    worker.add_event_listener_with_callback("unhandledrejection", post.unchecked_ref()).ok()
}
