//! Untrusted bytes → a network's spec and weights. Each format has its own file; all of them check
//! before they allocate, and name the layer, tensor or operator that they refuse.
//!
//! [`model`] is our own format, [`gallery`] that of galleries: all that the page needs;
//! [`convert`](mod@convert) takes every other one (ONNX, caffemodel with prototxt, pickled NumPy arrays)
//! and says in a [`report`] what it did.

mod arrays;
pub mod caffe;
pub mod convert;
mod cuda_convnet;
pub mod dictionary;
pub mod gallery;
pub mod idx;
pub mod model;
#[cfg(test)]
mod mutate;
pub mod npy;
pub mod npz;
pub mod number;
pub mod onnx;
pub mod pickle;
pub mod report;
pub mod safetensors;
pub mod sniff;
mod statedict;
pub mod torch;
pub mod torch7;
pub mod wire;
pub mod zip;

pub use convert::{Options, convert};
pub use report::Report;
