//! A run as a file: safetensors with the weights and the optimiser's velocity, and as JSON the network, the settings
//! and how far it is. A run that goes on from it does exactly what it would have done.

use super::data::Data;
use super::history::State;
use super::recipe::{Experiment, Recipe};
use super::run::Run;
use crate::error::{Error, Result};
use crate::format::number::Number;
use crate::format::safetensors::{self, Entry, File};
use crate::spec::{Spec, Weights};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn write(run: &Run) -> Vec<u8> {
    let metadata = BTreeMap::from([
        ("format".into(), "unpool training".into()),
        ("network".into(), json(&run.experiment.network)),
        ("training".into(), json(&run.experiment.training)),
        ("state".into(), json(&run.state)),
        ("data".into(), run.data.fingerprint()),
    ]);
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for part in &run.parameters.parts {
        let r = part.range.clone();
        tensors.push((
            format!("weight/{}", part.name),
            part.shape.clone(),
            bytes(&run.parameters.values[r.clone()]),
        ));
        tensors.push((format!("velocity/{}", part.name), part.shape.clone(), bytes(&run.velocity[r])));
    }
    let entries = tensors
        .iter()
        .map(|(n, shape, b)| (n.clone(), Entry { number: Number::F32, shape: shape.clone(), bytes: b }))
        .collect();
    safetensors::write(&metadata, &entries)
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("settings and states always have a JSON form")
}

/// What a checkpoint says about itself.
pub fn experiment(bytes: &[u8]) -> Result<Experiment> {
    let file = File::parse(bytes)?;
    let network: Spec = field(&file, "network")?;
    let training: Recipe = field(&file, "training")?;
    training.check()?;
    Ok(Experiment { network, training })
}

/// Whether a file is a checkpoint of a run, and not a model.
pub fn is_checkpoint(bytes: &[u8]) -> bool {
    File::parse(bytes).is_ok_and(|f| f.metadata.contains_key("state") && f.metadata.contains_key("training"))
}

/// Goes on from a checkpoint, with the data it was made with. Where an experiment is given its network must be the
/// checkpoint's; its settings count from here on. Errors: Unsupported for files that are no checkpoints; Parameter for another
/// net's or other data; Malformed for damaged ones.
pub fn resume(bytes: &[u8], data: Arc<Data>, wanted: Option<Experiment>) -> Result<Run> {
    let file = File::parse(bytes)?;
    let mut own = experiment(bytes)?;
    let state: State = field(&file, "state")?;
    if let Some(mut wanted) = wanted {
        if wanted.network.classes.is_empty() {
            wanted.network.classes.clone_from(&own.network.classes);
        }
        if wanted.network.layers != own.network.layers || wanted.network.input != own.network.input {
            return Err(Error::Parameter(format!(
                "the checkpoint is of another network ({}, {} layers) than the training file's ({}, {} layers); start anew \
                 under another output name",
                own.network.name,
                own.network.layers.len(),
                wanted.network.name,
                wanted.network.layers.len()
            )));
        }
        own.training = wanted.training;
    }
    if file.metadata.get("data") != Some(&data.fingerprint()) {
        return Err(Error::Parameter(
            "the checkpoint was made with other data; give it the same, or start anew under another output name".into(),
        ));
    }
    let mut run = Run::new(own, data, Weights::new())?;
    let read = |kind: &str| -> Result<Vec<f32>> {
        let mut all = Vec::with_capacity(run.parameters.values.len());
        for part in &run.parameters.parts {
            let name = format!("{kind}/{}", part.name);
            let entry = file.tensors.get(&name).filter(|e| e.shape == part.shape);
            let values =
                entry.and_then(|e| e.number.floats(e.bytes)).filter(|v| v.iter().all(|v| v.is_finite()));
            all.extend(values.ok_or_else(|| {
                Error::Malformed(format!(
                    "the checkpoint's {name} is missing or damaged; take an earlier one"
                ))
            })?);
        }
        Ok(all)
    };
    let (weights, velocity) = (read("weight")?, read("velocity")?);
    let rate = Recipe { rate: state.rate, ..run.experiment().training.clone() };
    rate.check()?;
    if state.batch > run.batches() {
        return Err(Error::Malformed(
            "the checkpoint's state does not fit its data; take an earlier one".into(),
        ));
    }
    run.restore(weights, velocity, state)?;
    Ok(run)
}

fn field<T: serde::de::DeserializeOwned>(file: &File, name: &str) -> Result<T> {
    let text = file.metadata.get(name).ok_or_else(|| {
        Error::Unsupported(format!("this is no checkpoint of a training run: it holds no `{name}`"))
    })?;
    serde_json::from_str(text).map_err(|e| {
        Error::Malformed(format!("the checkpoint's {name} cannot be read: {e}; take an earlier one"))
    })
}
