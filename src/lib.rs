//! Unpool shows what a convolutional network sees: a forward pass that remembers its switches, and
//! the deconvnet (Zeiler & Fergus, ECCV 2014) that projects any activation back to the pixels.
//!
//! Three ideas carry everything. **Push and pull**: every layer pushes activations up and pulls a
//! signal down, its transpose at what the forward pass recorded; all explanations are one downward
//! walk. **Rectangles**: every spatial kernel computes a rectangle of its output; the whole image is
//! only the largest one. **Jobs**: everything longer than a frame is stepped, so that it can show
//! progress and be stopped.
//!
//! In reading order:
//!
//! - [`error`]: one error, sorted by whose fault it was.
//! - [`tensor`]: values on rectangles of a layer's plane; [`window`]: what a sliding window reads.
//! - [`job`]: the trait of resumable long work; [`random`]: seeded noise.
//! - [`kernel`]: slices in, slices out; the only place with SIMD, threads and `unsafe`.
//! - [`layer`]: one file per layer, push and pull under each other with the paper's formulas.
//! - [`spec`]: a network as data; [`net`]: the graph, its forward pass and the [`net::Trace`] it leaves.
//! - [`explain`]: the deconvnet and the way down; they fit on a screen because the layers do the work.
//!   Then occlusion, invariance and correspondence, which run the network again and compare.
//! - [`sparse`]: sparse deconvolution: a layer's input from its response, by ISTA and FISTA.
//! - [`analysis`]: what is wrong with the first layers: dead filters, missing frequencies, aliasing.
//! - [`train`]: the same walk down with parameter gradients: networks learned, checkpointed, watched.
//! - [`format`]: untrusted bytes to spec and weights.
//! - [`precision`]: what weights in float16 cost, measured.
//! - [`image`]: pixels to tensors and back.
//!
//! Each uses those above it only, but for three that are listed later than they are built: [`image`] and [`format`]
//! know tensors and specs alone and are used wherever photos and files are; [`sparse`] knows no network, and
//! [`explain::inversion`] uses it. The command line and the bindings use all; tests of a module may use those after it.
//!
//! ```
//! # fn main() -> unpool::Result<()> {
//! use std::sync::Arc;
//! use unpool::explain::deconvnet::{Options, Seed, project};
//! use unpool::{net::Net, spec::*, tensor::{Shape, Tensor}, window::Window};
//!
//! let kind = Kind::Conv { filters: 1, window: Window::square(3, 1, 1), groups: 1, connections: None };
//! let layers = vec![LayerSpec { name: "conv1".into(), inputs: vec![], kind }];
//! let spec = Spec { layers, ..Spec::new("tiny", Shape::new(1, 5, 5)) };
//! let weights = Weights::from([("conv1.weight".into(), Weight::new(vec![1, 1, 3, 3], vec![1.0; 9])?)]);
//! let net = Arc::new(Net::new(Model { spec, weights })?);
//! let trace = net.forward(Tensor::new(Shape::new(1, 5, 5), vec![1.0; 25])?)?;
//! let seed = Seed::Unit { map: 0, at: Some([2, 2]) };
//! let projection = project(&trace, net.find("conv1")?, &seed, &Options::default())?;
//! assert_eq!(projection.value, 9.0);
//! assert_eq!(projection.pixels.at(0, 1, 1), 9.0); // the filter, times the unit's value
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

pub mod analysis;
pub mod error;
pub mod explain;
pub mod format;
pub mod image;
pub mod job;
pub mod kernel;
pub mod layer;
pub mod net;
pub mod precision;
pub mod random;
pub mod sparse;
pub mod spec;
pub mod tensor;
pub mod train;
#[cfg(target_arch = "wasm32")]
pub mod wasm;
pub mod window;

pub use error::{Error, Result};
