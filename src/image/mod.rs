//! Pixels ↔ tensors: what a photograph becomes before the network sees it, and what a projection
//! becomes before a person does.
//!
//! The page and the command line both come through here, so that the same pixels give the same
//! numbers. The resampling is fixed-point and bit-equal on every machine, WebAssembly included.

mod complete;
#[cfg(not(target_arch = "wasm32"))]
mod decode;
mod display;
mod picture;
mod windows;

pub use complete::is_complete;
#[cfg(not(target_arch = "wasm32"))]
pub use decode::{decode, encode_png};
pub use display::{contrast, display, padded, patch, shrink};
pub use picture::{MAX_PIXELS, Picture, colour, normalise, prepare, restore};
pub use windows::windows;
