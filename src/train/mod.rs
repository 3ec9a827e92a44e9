//! Training (AK12; ZF14 §3): minibatch gradient descent on the same layers that explain. The walk down is the
//! deconvnet's with the gradient's rule; each layer adds its parameter gradient to it ([`crate::layer::gradient`]).
//!
//! In reading order: [`recipe`] (how), [`data`] (on what), [`gather`] (from pictures), `parameters` (which numbers), [`sizes`],
//! `plan` and `tape` (one chunk of a batch up and down), `batch` (all of them), `sgd` (the step), [`run`] (the job), [`history`]
//! (where it stands), [`checkpoint`] (to go on exactly), [`evolution`] (ZF14 Fig. 4).

mod batch;
pub mod checkpoint;
pub mod data;
pub mod evolution;
pub mod gather;
pub mod history;
mod parameters;
mod plan;
pub mod recipe;
pub mod run;
mod sgd;
pub mod sizes;
mod tape;

pub use data::Data;
pub use history::Epoch;
pub use recipe::{Experiment, Recipe};
pub use run::Run;
