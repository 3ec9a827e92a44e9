//! How a network is trained, as data: what stands in a training file beside the network.

use crate::error::{Error, Result};
use crate::spec::{Spec, builtin};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A network and how it is trained: the contents of a training file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Experiment {
    /// The architecture.
    pub network: Spec,
    /// The settings.
    pub training: Recipe,
}

/// What the learning rate does over the epochs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum Schedule {
    /// Nothing.
    #[default]
    Constant,
    /// Multiplied by `factor` after every so many epochs.
    Step {
        /// Epochs.
        every: usize,
        /// Factor.
        factor: f32,
    },
    /// Multiplied by `factor` when the validation loss has not fallen for `patience` epochs.
    Plateau {
        /// Epochs.
        patience: usize,
        /// Factor.
        factor: f32,
    },
    /// Half a cosine from the full rate to zero at the last epoch (Loshchilov, Hutter 2017).
    Cosine,
}

/// Where weights start; biases start at 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Normal with variance 2 / fan-in (He et al. 2015).
    #[default]
    He,
    /// Normal with this standard deviation (ZF14: 0.01).
    Normal(f32),
}

/// What is to be predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// The class of a labelled image.
    #[default]
    Classes,
    /// By which of four quarter turns a window of a photo was rotated (Gidaris et al. 2018): no labels needed.
    Rotations,
}

/// All settings. What a training file leaves out has these defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Passes over the data.
    pub epochs: usize,
    /// Images in a step.
    pub batch: usize,
    /// Learning rate ε.
    pub rate: f32,
    /// Momentum μ: v ← μ v − ε (∇ + decay), w ← w + v (AK12 §5).
    pub momentum: f32,
    /// Nesterov's form: w ← w + μ v − ε (∇ + decay), with the new v.
    pub nesterov: bool,
    /// L1 decay: λ sign(w) is added to the gradient of weights, not of biases.
    pub l1: f32,
    /// L2 decay: λ w.
    pub l2: f32,
    /// What the rate does over the epochs.
    pub schedule: Schedule,
    /// Share of units that every dropout layer switches off; the others are scaled up, so that nothing is to be done
    /// at test time.
    pub dropout: f32,
    /// DropConnect (Wan et al. 2013): for dense layers by name, the share of weights switched off, anew for every 16
    /// images; the others are scaled up.
    pub dropconnect: BTreeMap<String, f32>,
    /// Where weights start.
    pub init: Init,
    /// Where the weights of single layers start, by name.
    pub init_of: BTreeMap<String, Init>,
    /// ZF14 §3: a filter whose RMS exceeds this radius is scaled back to it after every step.
    pub rms_clip: Option<f32>,
    /// Mirror every other image, at random.
    pub flip: bool,
    /// Move by up to so many pixels, at random; what comes in from outside repeats the edge. Images larger than the input
    /// are cropped at random, too.
    pub shift: usize,
    /// What is to be predicted.
    pub task: Task,
    /// For rotations: windows taken of each photo in an epoch.
    pub windows: usize,
    /// Where all random numbers start: the same seed gives the same run on the same flavour of the engine.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            epochs: 10,
            batch: 128,
            rate: 0.01,
            momentum: 0.9,
            nesterov: false,
            l1: 0.0,
            l2: 0.0,
            schedule: Schedule::Constant,
            dropout: 0.5,
            dropconnect: BTreeMap::new(),
            init: Init::He,
            init_of: BTreeMap::new(),
            rms_clip: None,
            flip: false,
            shift: 0,
            task: Task::Classes,
            windows: 8,
            seed: 1,
        }
    }
}

impl Recipe {
    /// Refuses what cannot be trained with. The message names the setting.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Parameter(what));
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return wrong(format!(
                "the learning rate is {}; it must be above 0, for instance 0.01 (with 0 nothing is learned)",
                self.rate
            ));
        }
        if self.batch == 0 || self.epochs == 0 || self.windows == 0 {
            return wrong("batch, epochs and windows must be at least 1".into());
        }
        if self.batch > 1 << 16 || self.epochs > 1 << 20 || self.windows > 1 << 12 || self.shift > 1 << 10 {
            return wrong("batch is at most 65536, epochs 1048576, windows 4096 and shift 1024".into());
        }
        let share = |v: f32| (0.0..1.0).contains(&v);
        for (name, value) in [("momentum", self.momentum), ("dropout", self.dropout)] {
            if !share(value) {
                return wrong(format!("{name} is {value}; it must be at least 0 and below 1"));
            }
        }
        if let Some((name, v)) = self.dropconnect.iter().find(|(_, v)| !share(**v)) {
            return wrong(format!("dropconnect of {name} is {v}; it must be at least 0 and below 1"));
        }
        for (name, value) in [("l1", self.l1), ("l2", self.l2)] {
            if !(value.is_finite() && value >= 0.0) {
                return wrong(format!("{name} is {value}; it must be a finite number, 0 or more"));
            }
        }
        if self.rms_clip.is_some_and(|r| !(r.is_finite() && r > 0.0)) {
            return wrong("rms_clip must be above 0, for instance 0.1; leave it out for none".into());
        }
        for init in self.init_of.values().chain([&self.init]) {
            if let Init::Normal(s) = init
                && !(s.is_finite() && *s > 0.0)
            {
                return wrong(format!(
                    "initial weights of deviation {s}; it must be above 0, for instance 0.01"
                ));
            }
        }
        match self.schedule {
            Schedule::Step { every: 0, .. } | Schedule::Plateau { patience: 0, .. } => {
                wrong("a schedule needs at least one epoch: every or patience is 0".into())
            }
            Schedule::Step { factor, .. } | Schedule::Plateau { factor, .. }
                if !(factor > 0.0 && factor.is_finite()) =>
            {
                wrong(format!("the schedule's factor is {factor}; it must be above 0, for instance 0.1"))
            }
            _ => Ok(()),
        }
    }
}

/// What a training file may say: a network with its settings, or a bare network.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "network")]
    _network: serde::de::IgnoredAny,
    #[serde(default)]
    training: Recipe,
}

impl Experiment {
    /// Reads a training file: `{"network": …, "training": …}`, where the network is a spec or a built-in one's name, or
    /// a spec alone, which is trained with the defaults. Errors: Malformed for what cannot be read, Parameter for settings
    /// without sense. Whether the sizes fit is said when the run is made.
    pub fn parse(text: &str) -> Result<Experiment> {
        let bad = |e: serde_json::Error| {
            Error::Malformed(format!("the training file cannot be read: {e}; see the README for its form"))
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(bad)?;
        // A network is read from text wherever it comes from: the code that reads one is as large as all of training.
        let (network, training) = match value.get("network") {
            Some(network) => (network.to_string(), serde_json::from_str::<File>(text).map_err(bad)?.training),
            None => (text.to_owned(), Recipe::default()),
        };
        let name: Option<String> = serde_json::from_str(&network).ok();
        let network: Spec = match name {
            Some(name) => builtin::all().into_iter().find(|s| s.name == name).ok_or_else(|| {
                let names: Vec<String> = builtin::all().into_iter().map(|s| s.name).collect();
                Error::Parameter(format!("no network is called “{name}”; there are {}", names.join(", ")))
            })?,
            None => serde_json::from_str(&network).map_err(bad)?,
        };
        training.check()?;
        Ok(Experiment { network, training })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_name_what_they_leave_out_or_get_wrong() {
        let e =
            Experiment::parse(r#"{"network": "lenet5", "training": {"rate": 0.05, "shift": 2}}"#).unwrap();
        assert_eq!((e.network.name.as_str(), e.training.rate, e.training.batch), ("lenet5", 0.05, 128));
        let says = |text: &str, what: &str| {
            let e = Experiment::parse(text).unwrap_err();
            assert!(e.message().contains(what), "{e}");
        };
        says("{", "cannot be read");
        says(r#"{"network": "lenet6"}"#, "lenet5");
        says(r#"{"network": "lenet5", "training": {"rat": 1}}"#, "rat");
        for (setting, what) in [
            (r#""rate": 0"#, "learning rate is 0"),
            (r#""rate": -1"#, "learning rate"),
            (r#""momentum": 1"#, "momentum"),
            (r#""batch": 0"#, "batch"),
            (r#""l2": -1"#, "l2"),
            (r#""rms_clip": 0"#, "rms_clip"),
            (r#""dropconnect": {"f6": 1}"#, "dropconnect of f6"),
            (r#""init": {"normal": 0}"#, "deviation 0"),
            (r#""schedule": {"kind": "step", "every": 0, "factor": 0.1}"#, "schedule"),
            (r#""schedule": {"kind": "plateau", "patience": 1, "factor": 0}"#, "factor"),
        ] {
            says(&format!(r#"{{"network": "lenet5", "training": {{{setting}}}}}"#), what);
        }
    }
}
