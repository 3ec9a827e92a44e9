//! A job as the worker steps it: every long computation crosses by this one way.

use super::value::{object, thrown};
use crate::job::Job;
use std::ops::Deref;
use std::time::Duration;
use wasm_bindgen::JsValue;

/// A job, and how far it is. What it found is asked of the job itself.
pub(super) struct Stepped<J> {
    job: J,
    fraction: f64,
    done: bool,
}

impl<J: Job> Stepped<J> {
    pub(super) fn new(job: J) -> Stepped<J> {
        Stepped { job, fraction: 0.0, done: false }
    }

    /// Works for about so many milliseconds; true when nothing is left.
    pub(super) fn step(&mut self, milliseconds: f64) -> Result<bool, JsValue> {
        let progress = self.job.step(Duration::from_secs_f64(milliseconds / 1e3)).map_err(thrown)?;
        (self.fraction, self.done) = (progress.fraction, progress.done);
        Ok(self.done)
    }

    /// A part of its results: the fields given, how far it is, and whether that is all.
    pub(super) fn part<const N: usize>(&self, fields: [(&str, JsValue); N]) -> JsValue {
        let progress = [("fraction", self.fraction.into()), ("done", self.done.into())];
        object(fields.into_iter().chain(progress))
    }
}

impl<J> Deref for Stepped<J> {
    type Target = J;

    fn deref(&self) -> &J {
        &self.job
    }
}
