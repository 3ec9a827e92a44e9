//! float16 weights where no activation changes visibly, and the sentence about it in the model's notes.

use serde::Serialize;
use unpool::Result;
use unpool::format::convert::to_half;
use unpool::precision;
use unpool::spec::Model;
use unpool::tensor::Tensor;

/// What was decided and why.
#[derive(Serialize)]
pub struct Rounding {
    half: bool,
    /// Largest change of an activation, relative to its layer's maximum; nothing where not measured.
    error: Option<f32>,
    /// Where that was.
    layer: Option<String>,
    /// On how many inputs.
    probes: usize,
    /// Whether rounding followed what the probes are like.
    adapted: bool,
    /// Tensors that stayed float32.
    kept: Vec<String>,
}

impl Rounding {
    pub fn sentence(&self) -> String {
        let mut s = match (self.half, self.adapted) {
            (true, false) => "Weights stored as float16",
            (true, true) => "Weights stored as float16, rounded so that each layer's response stays near",
            (false, _) => "Weights stored as float32",
        }
        .to_owned();
        if let (Some(e), Some(layer)) = (self.error, &self.layer) {
            let verb = if self.half { "this changes" } else { "float16 would change" };
            let mirrored = if self.adapted { ", mirrored ones among them" } else { "" };
            s += &format!(
                "; {verb} activations by at most {e:.1e} of their layer's maximum (in {layer}, measured on {} inputs{mirrored})",
                self.probes
            );
        } else if self.half {
            s += "; what this changes was not measured";
        }
        match self.kept.len() {
            0 => {}
            n @ 1..=4 => s += &format!("; float32: {n} tensors ({})", self.kept.join(", ")),
            n => s += &format!("; float32: {n} small tensors"),
        }
        s + "."
    }
}

/// Rounds a model's weights to float16 if the probes allow it, and says so in its notes.
pub fn store(model: &mut Model, probes: &[Tensor]) -> Result<Rounding> {
    let rounding = if probes.is_empty() {
        let kept = to_half(model);
        Rounding { half: true, error: None, layer: None, probes: 0, adapted: false, kept }
    } else {
        let stored = precision::store(model, probes)?;
        *model = stored.model;
        Rounding {
            half: stored.half,
            error: Some(stored.change.relative),
            layer: Some(stored.change.layer),
            probes: stored.inputs,
            adapted: stored.adapted,
            kept: stored.kept,
        }
    };
    let notes = &mut model.spec.notes;
    *notes = format!("{notes} {}", rounding.sentence()).trim().to_owned();
    Ok(rounding)
}
