//! The package `lab`: sparse coding, training, and the diagnosis of filters; a page fetches it when such a view is opened.

mod code;
mod dictionary;
mod filters;
mod invert;
mod learn;
mod train;

pub use code::{CodeJob, PathJob};
pub use dictionary::Dictionary;
pub use filters::Filters;
pub use invert::{Inversion, InvertJob};
pub use learn::LearnJob;
pub use train::{EvolveJob, TrainJob, TrainingData, TrainingSource, experiment, sizes};

use super::value::{json, numbers};
use crate::error::Result;
use crate::sparse::Solver;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

/// Options that cross as JSON.
fn read<T: DeserializeOwned>(options: &str) -> Result<T> {
    json(options, "options")
}

/// What every layer that is solved says of its problem; null until the iterations have begun.
fn solving(norm2: f64, solver: Option<&Solver>) -> [(&'static str, JsValue); 8] {
    let objective = solver.map_or(&[] as &[f64], |s| s.objective());
    [
        ("norm2", norm2.into()),
        ("lambda", number(solver.map(|s| s.problem().lambda))),
        ("step", number(solver.map(|s| s.problem().step))),
        ("objective", numbers(objective.iter().copied())),
        ("start", number(solver.map(|s| s.start()))),
        ("nonzero", number(solver.map(|s| s.support() as f64))),
        ("support", number(solver.map(|s| s.support() as f64 / s.z().len() as f64))),
        ("error", number(solver.map(|s| s.error()))),
    ]
}

fn number(v: Option<f64>) -> JsValue {
    v.map_or(JsValue::NULL, JsValue::from_f64)
}
