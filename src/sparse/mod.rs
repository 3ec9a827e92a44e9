//! Sparse deconvolution: given a response y and the filters that made it, the few inputs that explain it.
//!
//! One problem throughout (semantics of ADN11 and BT09): min over z of (λ/2)‖Fz − y‖² + ‖z‖₁, where F is a linear map
//! known by what it does, and by what its transpose does.
//!
//! - [`operator`]: the map F with its transpose Fᵀ; the convolution of a layer, in either direction; ‖F‖² by power iteration.
//! - [`solver`]: the problem and its iterations; [`ista`] and [`fista`] are one step of each, [`smooth`] one for pixels.
//! - [`weight`]: λ for a wanted share of values that are not zero; [`course`]: a problem's whole course, ‖F‖², λ, iterations.
//! - [`invert`]: a layer's input from its response, then the layer below from that, down to the pixels; [`known`]: what is
//!   known of a response that came down through switches.
//! - [`pool3d`]: pooling over space and maps, the sign kept; [`layers`]: R_l, several layers as one linear map at fixed switches.
//! - [`photo`], [`contrast`]: what a photo becomes before it is coded; [`code`]: the photo in a dictionary, layer by layer;
//!   [`decompose`]: what one activation is made of; [`path`]: error and sparsity against λ.
//! - [`learn`]: a dictionary from photos.
//!
//! Knows kernels and tensors, not networks: `explain::inversion` takes layers of a network and hands them over.

pub mod code;
pub mod contrast;
pub mod course;
pub mod decompose;
pub mod fista;
pub mod invert;
pub mod ista;
pub mod known;
pub mod layers;
pub mod learn;
pub mod operator;
pub mod path;
pub mod photo;
pub mod pool3d;
pub mod smooth;
pub mod solver;
pub mod weight;

pub use solver::{Method, Solver};
