//! Slices in, slices out: the only place with SIMD, rayon and `unsafe`.
//!
//! Every kernel computes the rectangle of its output view, reading whatever it needs from its
//! input views. Values of the plane outside an input view's rectangle are zero (pools: absent).

// Micro-kernels index fixed arrays of registers: iterators over them leave the registers in V8. Packing
// takes what a product is made of, one by one.
#![allow(clippy::needless_range_loop, clippy::too_many_arguments)]

pub mod atoms;
pub mod conv;
pub mod dense;
pub mod elementwise;
mod gemm;
pub mod gradient;
pub mod lrn;
pub mod pages;
pub(crate) mod parallel;
pub mod pool;
mod scratch;
pub mod shrink;
mod simd;

pub use parallel::inside;

#[cfg(test)]
mod random;
