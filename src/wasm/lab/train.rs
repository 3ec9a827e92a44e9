//! Training in the page: data, runs and the evolution of features, stepped by the worker.

use super::super::stepped::Stepped;
use super::super::value::{Answer, floats, json, numbers, object, plain, position, rect, tensor, thrown};
use crate::error::{Error, Result};
use crate::format::model as files;
use crate::image::{self, Picture};
use crate::job::Job;
use crate::net::Net;
use crate::spec::{Kind, Weights};
use crate::tensor::Shape;
use crate::train::evolution::{Cell, Evolution, Winner};
use crate::train::gather::{self, Gathering};
use crate::train::{Data, Experiment, Run, checkpoint, sizes};
use js_sys::{Array, Uint8Array, Uint8ClampedArray};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use wasm_bindgen::Clamped;
use wasm_bindgen::prelude::*;

type Bound<T> = std::result::Result<T, JsValue>;

/// `WholeExperiment`.
#[wasm_bindgen]
pub fn experiment(text: &str) -> Answer {
    short(&Experiment::parse(text).map_err(thrown)?)
}

/// By way of JSON, which writes a float32 of 0.9 as 0.9; as it stands JavaScript would show all digits of its own.
fn short(value: &impl Serialize) -> Answer {
    let text = serde_json::to_string(value).map_err(|e| thrown(Error::Unsupported(e.to_string())))?;
    js_sys::JSON::parse(&text)
}

/// `LayerSize[]`.
#[wasm_bindgen]
pub fn sizes(text: &str) -> Answer {
    let layers = Experiment::parse(text).and_then(|e| sizes::layers(&e.network));
    plain(&layers.map_err(thrown)?)
}

/// What is gathered, as JSON.
#[derive(Deserialize)]
struct Wanted {
    /// Labelled pictures' classes; none: photos to learn rotations from.
    classes: Option<Vec<String>>,
    shape: Shape,
    #[serde(default)]
    every: usize,
}

#[derive(Serialize)]
struct Skipped {
    name: String,
    why: String,
}

/// Data on their way in.
#[wasm_bindgen]
pub struct TrainingSource {
    pictures: Option<Gathering>,
    files: Vec<(String, Vec<u8>)>,
    skipped: Vec<Skipped>,
}

#[wasm_bindgen]
impl TrainingSource {
    /// Pictures: `{ classes, shape, every }` as JSON; nothing for IDX files.
    #[wasm_bindgen(constructor)]
    pub fn new(wanted: Option<String>) -> Bound<TrainingSource> {
        let gather = |text: String| -> Result<Gathering> {
            let Wanted { classes, shape, every } = json(&text, "the data")?;
            match classes {
                Some(classes) => Gathering::labelled(classes, shape, every),
                None => Gathering::photos(shape),
            }
        };
        let pictures = wanted.map(gather).transpose().map_err(thrown)?;
        Ok(TrainingSource { pictures, files: Vec::new(), skipped: Vec::new() })
    }

    /// One more picture (RGBA, reading order).
    pub fn add(&mut self, label: usize, width: usize, height: usize, rgba: Clamped<Vec<u8>>) -> Bound<()> {
        let picture = Picture::new(width, height, rgba.0);
        let Some(all) = &mut self.pictures else { return Ok(()) };
        picture.and_then(|p| all.add(&p, label)).map_err(thrown)
    }

    /// One more file, unpacked.
    pub fn file(&mut self, name: String, bytes: Vec<u8>) {
        self.files.push((name, bytes));
    }

    /// A file that could not be read.
    pub fn skip(&mut self, name: String, why: String) {
        self.skipped.push(Skipped { name, why });
    }

    /// Everything is there. `classes` and `every` are for files.
    pub fn finish(self, classes: Vec<String>, every: usize) -> Bound<TrainingData> {
        let data = match self.pictures {
            Some(all) => all.finish(),
            None => gather::sorted(&self.files, classes, every),
        };
        let first = self.skipped.first().map(|s| {
            format!("; {} files were skipped, the first is {}: {}", self.skipped.len(), s.name, s.why)
        });
        let told = |e: Error| match (&e, first) {
            (Error::Parameter(m), Some(first)) => Error::Parameter(format!("{m}{first}")),
            _ => e,
        };
        let data = Arc::new(data.map_err(told).map_err(thrown)?);
        Ok(TrainingData { data, skipped: self.skipped })
    }
}

/// A data set.
#[wasm_bindgen]
pub struct TrainingData {
    data: Arc<Data>,
    skipped: Vec<Skipped>,
}

#[wasm_bindgen]
impl TrainingData {
    /// `TrainingDataInfo`.
    pub fn info(&self) -> Answer {
        let d = &self.data;
        let first = &d.train.images[0];
        let counts = [
            ("train", d.train.images.len()),
            ("test", d.test.images.len()),
            ("channels", d.channels),
            ("height", first.h),
            ("width", first.w),
        ];
        let lists = [("classes", plain(&d.classes)?), ("skipped", plain(&self.skipped)?)];
        Ok(object(counts.map(|(name, n)| (name, (n as f64).into())).into_iter().chain(lists)))
    }

    /// `{ label, width, height, pixels }` of an image.
    pub fn image(&self, index: usize, test: bool) -> Answer {
        let part = if test { &self.data.test } else { &self.data.train };
        let image = part.images.get(index).ok_or_else(|| {
            thrown(Error::Parameter(format!("there are {} images, no number {index}", part.images.len())))
        })?;
        let picture = image.picture().map_err(thrown)?;
        Ok(object([
            ("label", (part.labels[index] as f64).into()),
            ("width", (image.w as f64).into()),
            ("height", (image.h as f64).into()),
            ("pixels", pixels(&picture)),
        ]))
    }

    /// A run; without an experiment `from` says it.
    pub fn train(
        &self,
        experiment: Option<String>,
        from: Option<Vec<u8>>,
        weights: Option<Vec<u8>>,
    ) -> Bound<TrainJob> {
        let start = || -> Result<Run> {
            let wanted = experiment.map(|text| Experiment::parse(&text)).transpose()?;
            if let Some(bytes) = from {
                return checkpoint::resume(&bytes, self.data.clone(), wanted);
            }
            let wanted = wanted.ok_or_else(|| Error::Parameter("no network was given".into()))?;
            let weights = weights.map(|bytes| files::read(&bytes)).transpose()?;
            Run::new(wanted, self.data.clone(), weights.map_or_else(Weights::new, |m| m.weights))
        };
        Ok(TrainJob { run: start().map_err(thrown)?, diverged: None })
    }

    /// A search for the strongest activations of a network's maps; `images` 0 means all.
    pub fn evolve(&self, model: &[u8], layer: &str, maps: &[usize], images: usize) -> Bound<EvolveJob> {
        let net = || Net::new(files::read(model)?);
        watch(net, &self.data, layer, maps, images)
    }
}

/// A run under way.
#[wasm_bindgen]
pub struct TrainJob {
    run: Run,
    diverged: Option<String>,
}

#[wasm_bindgen]
impl TrainJob {
    /// The fields of `TrainingRun` that do not change.
    pub fn info(&self) -> Answer {
        let experiment = self.run.experiment();
        let layers = sizes::layers(&experiment.network).map_err(thrown)?;
        let parameters: usize = layers.iter().map(|l| l.parameters).sum();
        Ok(object([
            ("experiment", short(experiment)?),
            ("layers", plain(&layers)?),
            ("parameters", (parameters as f64).into()),
        ]))
    }

    /// Works for about so many milliseconds, at least one piece; true when nothing is left, or the run diverged.
    pub fn step(&mut self, milliseconds: f64) -> bool {
        match self.run.step(Duration::from_secs_f64(milliseconds / 1e3)) {
            Ok(progress) => {
                self.diverged = None;
                progress.done
            }
            // The only thing that can go wrong in a run; the last good state is back.
            Err(e) => {
                self.diverged = Some(e.message().into());
                true
            }
        }
    }

    /// Steps that this run has done since it was made.
    pub fn steps(&self) -> usize {
        self.run.points().len()
    }

    /// Epochs done.
    pub fn epoch(&self) -> usize {
        self.run.epoch()
    }

    /// Whether all batches of the epoch are done, and its test is not.
    pub fn closing(&self) -> bool {
        self.run.batch() >= self.run.batches()
    }

    /// `TrainingPart`, with the points from that one on.
    pub fn part(&mut self, from: usize) -> Answer {
        let (images, seconds) = self.run.take_pace();
        let (run, progress) = (&self.run, self.run.progress());
        let layers = &run.experiment().network.layers;
        let first = layers.iter().find(|l| matches!(l.kind, Kind::Conv { .. }));
        let filters = first.and_then(|l| run.weight(&format!("{}.weight", l.name)));
        let shaped = |w: crate::spec::Weight| {
            let shape = numbers(w.shape.iter().map(|&n| n as f64));
            object([("data", floats(&w.to_f32())), ("shape", shape)])
        };
        let counts = [
            ("epoch", run.epoch()),
            ("batch", run.batch()),
            ("batches", run.batches()),
            ("epochs", run.experiment().training.epochs),
            ("step", run.steps()),
        ];
        let pace = if seconds > 0.0 { images as f64 / seconds } else { 0.0 };
        let rest = [
            ("rate", short(&run.rate())?),
            ("points", plain(&run.points().get(from..).unwrap_or_default())?),
            ("history", short(&run.history())?),
            ("imagesPerSecond", pace.into()),
            ("seconds", run.seconds().into()),
            ("layer", first.map_or(JsValue::NULL, |l| JsValue::from(&l.name))),
            ("filters", filters.map_or(JsValue::NULL, shaped)),
            ("diverged", self.diverged.as_ref().map_or(JsValue::NULL, JsValue::from)),
            ("fraction", progress.fraction.into()),
            ("done", progress.done.into()),
        ];
        Ok(object(counts.map(|(name, n)| (name, (n as f64).into())).into_iter().chain(rest)))
    }

    /// Another learning rate.
    pub fn rate(&mut self, rate: f32) -> Bound<()> {
        self.run.set_rate(rate).map_err(thrown)
    }

    /// Another number of epochs.
    pub fn epochs(&mut self, epochs: usize) {
        self.run.set_epochs(epochs);
    }

    /// Everything needed to go on exactly from here.
    pub fn checkpoint(&self) -> Uint8Array {
        Uint8Array::from(self.run.save().as_slice())
    }

    /// The network as it is now, as a file.
    pub fn model(&self, half: bool) -> Uint8Array {
        let mut model = self.run.model();
        if half {
            model.weights.values_mut().for_each(|w| *w = w.to_f16());
        }
        Uint8Array::from(files::write(&model).as_slice())
    }

    /// The strongest activations as the run stands; `images` 0 means all.
    pub fn watch(&self, layer: &str, maps: &[usize], images: usize) -> Bound<EvolveJob> {
        watch(|| Net::new(self.run.model()), self.run.data(), layer, maps, images)
    }
}

/// The strongest activations of a network's maps, on their way.
#[wasm_bindgen]
pub struct EvolveJob {
    job: Stepped<Evolution>,
}

fn watch(
    net: impl FnOnce() -> Result<Net>,
    data: &Arc<Data>,
    layer: &str,
    maps: &[usize],
    images: usize,
) -> Bound<EvolveJob> {
    let images = if images == 0 { usize::MAX } else { images };
    let start = || Evolution::new(Arc::new(net()?), data.clone(), layer, maps, images);
    Ok(EvolveJob { job: Stepped::new(start().map_err(thrown)?) })
}

#[wasm_bindgen]
impl EvolveJob {
    /// Works for about so many milliseconds; true when nothing is left.
    pub fn step(&mut self, milliseconds: f64) -> Bound<bool> {
        self.job.step(milliseconds)
    }

    /// `EvolutionPart`.
    pub fn part(&self) -> Answer {
        let all = self.job.cells().len() == self.job.winners().len();
        let cells = if all { self.job.cells() } else { &[] };
        let cells = cells.iter().map(|c| self.cell(c)).collect::<Result<Array>>().map_err(thrown)?;
        let winners = self.job.winners().iter().map(|w| object(self.winner(w))).collect::<Array>();
        Ok(self.job.part([
            ("winners", winners.into()),
            ("cells", cells.into()),
            ("images", (self.job.images() as f64).into()),
        ]))
    }
}

impl EvolveJob {
    /// `Winner`.
    fn winner(&self, w: &Winner) -> [(&'static str, JsValue); 5] {
        let (_, data) = self.job.subject();
        [
            ("map", (w.map as f64).into()),
            ("image", (w.image as f64).into()),
            ("label", (data.train.labels[w.image] as f64).into()),
            ("at", position(w.at)),
            ("value", w.value.into()),
        ]
    }

    /// `EvolutionCell`.
    fn cell(&self, cell: &Cell) -> Result<JsValue> {
        let (net, _) = self.job.subject();
        let input = &net.spec().input;
        let field = cell.projection.receptive_field;
        let patch = image::patch(&image::restore(&cell.input, input)?, field)?;
        let (picture, contrast) = image::display(&cell.projection.pixels, field, input.order, None)?;
        let own = [
            ("receptiveField", rect(field)),
            ("shape", numbers([field.h() as f64, field.w() as f64])),
            ("patch", pixels(&patch)),
            ("picture", pixels(&picture)),
            ("contrast", contrast.into()),
            ("projection", tensor(&cell.projection.pixels)),
        ];
        Ok(object(self.winner(&cell.winner).into_iter().chain(own)))
    }
}

fn pixels(picture: &Picture) -> JsValue {
    Uint8ClampedArray::from(picture.rgba()).into()
}
