//! Where a run stands, and what it has been through.

use serde::{Deserialize, Serialize};

/// Loss and accuracy over a set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Mean cross-entropy.
    pub loss: f64,
    /// Share of right predictions.
    pub accuracy: f64,
}

/// What an epoch brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Learning rate at its end.
    pub rate: f32,
    /// Over its training images, as they were seen (with dropout and augmentation).
    pub train: Outcome,
    /// Over the test images at its end; absent where there are none.
    pub test: Option<Outcome>,
    /// Time since the run's start, pauses not counted.
    pub seconds: f64,
}

/// One step's loss, for a live curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Steps done.
    pub step: usize,
    /// Mean cross-entropy of the batch.
    pub loss: f64,
    /// Share of right predictions in the batch.
    pub accuracy: f64,
}

/// Where a run stands, apart from its numbers: what a checkpoint holds beside them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(super) struct State {
    /// Epochs done.
    pub epoch: usize,
    /// Batches done of the next one.
    pub batch: usize,
    /// Steps done in all.
    pub step: usize,
    /// Learning rate before the schedule; may have been changed on the way.
    pub rate: f32,
    /// Factor of a plateau schedule so far.
    pub reduced: f32,
    /// Lowest test loss so far, and epochs since.
    pub best: Option<f64>,
    pub waited: usize,
    /// Sums over the epoch under way.
    pub loss: f64,
    pub right: usize,
    pub seen: usize,
    pub seconds: f64,
    pub history: Vec<Epoch>,
}
