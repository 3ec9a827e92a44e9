//! Diagnosis of an architecture from its first layers (ZF14 §4.1, Fig. 6): filters that are dead or
//! dominate, frequencies that no filter covers, and the stride's grid in the second layer.

mod compare;
mod filters;
mod grid;
mod spectrum;
mod survey;

pub use compare::{Comparison, Finding, compare};
pub use filters::{Filter, Flag, Layer, Rules, diagnose};
pub use grid::{Grid, line as grid_line};
pub use spectrum::{BINS, Dip};
pub use survey::{Diagnosis, Survey};
