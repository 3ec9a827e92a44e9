//! A training run: a job whose pieces are batches, with everything that is worth seeing as it goes.

use super::batch::Chunk;
use super::data::{self, Data};
use super::history::{Epoch, Outcome, Point, State};
use super::parameters::Parameters;
use super::plan::Plan;
use super::recipe::{Experiment, Schedule};
use super::sizes::walk;
use super::tape::Score;
use super::{checkpoint, sgd};
use crate::error::{Error, Result};
use crate::job::{Clock, Job, Progress};
use crate::kernel::inside;
use crate::layer;
use crate::net::Net;
use crate::random::SplitMix;
use crate::spec::{Model, Weights};
use crate::tensor::Shape;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Images tested in one piece.
const PIECE: usize = 512;
/// A loss above this many times that of guessing is no bad luck any more.
const LOST: f64 = 20.0;

/// A run under way.
pub struct Run {
    pub(super) experiment: Experiment,
    pub(super) data: Arc<Data>,
    pub(super) parameters: Parameters,
    pub(super) velocity: Vec<f32>,
    pub(super) state: State,
    pub(super) net: Net,
    pub(super) plan: Plan,
    pub(super) chunks: Vec<Mutex<Chunk>>,
    pub(super) gradient: Vec<f32>,
    order: Vec<u32>,
    test: Option<Testing>,
    points: Vec<Point>,
    pace: (usize, f64),
    /// The last good state: numbers, velocity, state.
    good: (Vec<f32>, Vec<f32>, State),
}

struct Testing {
    next: usize,
    score: Score,
}

impl Run {
    /// Starts one, from the recipe's initial weights or from those given. Errors: those of [`Net::new`] for a network whose
    /// sizes do not fit, of [`Data::check`], and Unsupported for what cannot be trained.
    pub fn new(mut experiment: Experiment, data: Arc<Data>, weights: Weights) -> Result<Run> {
        let recipe = experiment.training.clone();
        recipe.check()?;
        let (shapes, inputs) = walk(&experiment.network)?;
        data.check(&experiment.network.input, shapes[shapes.len() - 1].c, &recipe)?;
        if experiment.network.classes.is_empty() {
            experiment.network.classes = data.classes.clone();
        }
        let spec = &experiment.network;
        let parameters = Parameters::new(spec, &inputs, &recipe, &weights)?;
        parameters.check()?;
        let net = Net::unfolded(Model { spec: spec.clone(), weights: parameters.weights() })?;
        let plan = Plan::new(&net, &parameters, &recipe)?;
        let n = parameters.values.len();
        if n == 0 {
            return Err(Error::Unsupported(format!("{} has nothing to train: no weights", spec.name)));
        }
        let state = State { rate: recipe.rate, reduced: 1.0, ..State::default() };
        let (velocity, good) = (vec![0.0; n], (parameters.values.clone(), vec![0.0; n], state.clone()));
        let mut run = Run {
            experiment,
            data,
            parameters,
            velocity,
            state,
            net,
            plan,
            chunks: Vec::new(),
            gradient: vec![0.0; n],
            order: Vec::new(),
            test: None,
            points: Vec::new(),
            pace: (0, 0.0),
            good,
        };
        run.shuffle();
        Ok(run)
    }

    /// Goes on from a checkpoint's numbers.
    pub(super) fn restore(&mut self, values: Vec<f32>, velocity: Vec<f32>, state: State) -> Result<()> {
        (self.parameters.values, self.velocity, self.state) = (values, velocity, state);
        self.test = None;
        self.good = (self.parameters.values.clone(), self.velocity.clone(), self.state.clone());
        self.shuffle();
        self.install()
    }

    /// The network and its training, as given.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// The data.
    pub fn data(&self) -> &Arc<Data> {
        &self.data
    }

    /// All epochs so far.
    pub fn history(&self) -> &[Epoch] {
        &self.state.history
    }

    /// Losses of the steps done since this run was made or gone on with; those that led astray are among them.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Images trained with, and the seconds that took, since this was asked last.
    pub fn take_pace(&mut self) -> (usize, f64) {
        std::mem::take(&mut self.pace)
    }

    /// Steps done in all.
    pub fn steps(&self) -> usize {
        self.state.step
    }

    /// Batches done of the epoch under way.
    pub fn batch(&self) -> usize {
        self.state.batch
    }

    /// Computing time in seconds.
    pub fn seconds(&self) -> f64 {
        self.state.seconds
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let epochs = self.experiment.training.epochs;
        let done = self.state.epoch as f64 + self.state.batch as f64 / (self.batches() + 1) as f64;
        Progress { fraction: (done / epochs.max(1) as f64).min(1.0), done: self.state.epoch >= epochs }
    }

    /// Epochs done.
    pub fn epoch(&self) -> usize {
        self.state.epoch
    }

    /// Steps in an epoch.
    pub fn batches(&self) -> usize {
        let n = data::count(&self.data.train, &self.experiment.training, true);
        n.div_ceil(self.experiment.training.batch)
    }

    /// Trains for more epochs, or fewer, than the recipe says.
    pub fn set_epochs(&mut self, epochs: usize) {
        self.experiment.training.epochs = epochs;
    }

    /// Changes the learning rate on the way; the schedule goes on from it.
    pub fn set_rate(&mut self, rate: f32) -> Result<()> {
        super::Recipe { rate, ..self.experiment.training.clone() }.check()?;
        self.state.rate = rate;
        Ok(())
    }

    /// The learning rate in force.
    pub fn rate(&self) -> f32 {
        let s = &self.state;
        let factor = match self.experiment.training.schedule {
            Schedule::Constant => 1.0,
            Schedule::Step { every, factor } => factor.powi((s.epoch / every.max(1)) as i32),
            Schedule::Plateau { .. } => s.reduced,
            Schedule::Cosine => {
                let batches = self.batches().max(1) as f32;
                let done = s.epoch as f32 + s.batch as f32 / batches;
                let t = (done / self.experiment.training.epochs as f32).min(1.0);
                0.5 * (1.0 + (std::f32::consts::PI * t).cos())
            }
        };
        s.rate * factor
    }

    /// The network as it is now, with a note on how it came about.
    pub fn model(&self) -> Model {
        let mut spec = self.experiment.network.clone();
        let test = self.state.history.last().and_then(|e| e.test);
        let accuracy =
            test.map_or(String::new(), |t| format!(", {:.2} % right on the test images", 100.0 * t.accuracy));
        let note = format!("Trained by Unpool for {} epochs{accuracy}.", self.state.epoch);
        spec.notes = if spec.notes.is_empty() { note } else { format!("{} {note}", spec.notes) };
        Model { spec, weights: self.parameters.weights() }
    }

    /// One tensor as it is now, by its name.
    pub fn weight(&self, name: &str) -> Option<crate::spec::Weight> {
        let part = self.parameters.parts.iter().find(|p| p.name == name)?;
        crate::spec::Weight::new(part.shape.clone(), self.parameters.values[part.range.clone()].to_vec()).ok()
    }

    /// Everything needed to go on exactly from here.
    pub fn save(&self) -> Vec<u8> {
        checkpoint::write(self)
    }

    fn shuffle(&mut self) {
        let recipe = &self.experiment.training;
        let n = data::count(&self.data.train, recipe, true);
        self.order = (0..n as u32).collect();
        let mut random = SplitMix::new(mix(recipe.seed, self.state.epoch as u64, 1));
        for i in (1..n).rev() {
            self.order.swap(i, random.below(i + 1));
        }
    }

    /// A step down the gradient that `descend` left.
    pub(super) fn update(&mut self) -> Result<()> {
        let rate = self.rate();
        let recipe = &self.experiment.training;
        sgd::step(&mut self.parameters, &mut self.velocity, &mut self.gradient, rate, recipe);
        self.parameters.check()?;
        self.install()
    }

    /// Gives the layers their new weights.
    fn install(&mut self) -> Result<()> {
        for i in 1..self.plan.shapes.len() {
            let parts = self.parameters.of(i);
            if parts.is_empty() {
                continue;
            }
            let spec = &self.experiment.network.layers[i - 1];
            let inputs: Vec<Shape> = self.net.nodes[i].inputs.iter().map(|&k| self.plan.shapes[k]).collect();
            let mut weights: Weights = parts
                .iter()
                .map(|p| {
                    let values = self.parameters.values[p.range.clone()].to_vec();
                    Ok((p.name.clone(), crate::spec::Weight::new(p.shape.clone(), values)?))
                })
                .collect::<Result<_>>()?;
            self.net.nodes[i].layer =
                layer::build(spec, &inputs, &mut weights).map_err(|e| e.at(&spec.name))?;
        }
        Ok(())
    }

    fn one_batch(&mut self) -> Result<()> {
        let clock = Clock::start();
        let batch = self.experiment.training.batch;
        let from = self.state.batch * batch;
        let samples = self.order[from..(from + batch).min(self.order.len())].to_vec();
        let score = self.descend(&samples, Some(self.state.step));
        let n = samples.len();
        let mean = score.loss / n as f64;
        if self.is_lost(mean) || self.update().is_err() {
            return Err(self.diverged(mean));
        }
        let s = &mut self.state;
        s.step += 1;
        s.batch += 1;
        s.loss += score.loss;
        s.right += score.right;
        s.seen += n;
        self.points.push(Point { step: s.step, loss: mean, accuracy: score.right as f64 / n as f64 });
        self.pace.0 += n;
        self.pace.1 += clock.elapsed().as_secs_f64();
        Ok(())
    }

    /// Goes back to the last good state and says what happened.
    fn diverged(&mut self, loss: f64) -> Error {
        let (step, rate) = (self.state.step + 1, self.rate());
        let (values, velocity, state) = self.good.clone();
        let epoch = state.epoch;
        if let Err(e) = self.restore(values, velocity, state) {
            return e;
        }
        Error::Parameter(format!(
            "the training diverged at step {step}: the loss is {loss:.3e}. The state after epoch {epoch} is kept; go on \
             from there with a lower learning rate than {rate}"
        ))
    }

    fn test_piece(&mut self) {
        let total = data::count(&self.data.test, &self.experiment.training, false);
        let Some(Testing { next, mut score }) = self.test.take() else { return };
        let to = (next + PIECE).min(total);
        let samples: Vec<u32> = (next as u32..to as u32).collect();
        let part = self.climb(&samples, true);
        score.loss += part.loss;
        score.right += part.right;
        self.test = Some(Testing { next: to, score });
    }

    /// Whether the epoch under way is at its end, tested.
    fn tested(&self) -> bool {
        let total = data::count(&self.data.test, &self.experiment.training, false);
        total == 0 || self.test.as_ref().is_some_and(|t| t.next >= total)
    }

    /// Refuses to call a state good whose predictions are useless: the last step may have gone astray.
    fn judge(&mut self) -> Result<()> {
        let total = data::count(&self.data.test, &self.experiment.training, false);
        let loss = match &self.test {
            Some(t) if total > 0 => t.score.loss / total as f64,
            _ => {
                let most = data::count(&self.data.train, &self.experiment.training, false) as u32;
                let some: Vec<u32> = self.order.iter().copied().filter(|i| *i < most).take(PIECE).collect();
                self.climb(&some, false).loss / some.len().max(1) as f64
            }
        };
        if self.is_lost(loss) { Err(self.diverged(loss)) } else { Ok(()) }
    }

    fn is_lost(&self, loss: f64) -> bool {
        let guess = (self.plan.shapes[self.plan.shapes.len() - 1].c as f64).ln();
        !loss.is_finite() || loss > LOST * guess
    }

    fn close_epoch(&mut self) {
        let rate = self.rate();
        let total = data::count(&self.data.test, &self.experiment.training, false);
        let test = self.test.take().filter(|_| total > 0).map(|t| Outcome {
            loss: t.score.loss / total as f64,
            accuracy: t.score.right as f64 / total as f64,
        });
        let s = &mut self.state;
        s.epoch += 1;
        let seen = s.seen.max(1) as f64;
        let train = Outcome { loss: s.loss / seen, accuracy: s.right as f64 / seen };
        s.history.push(Epoch { epoch: s.epoch, rate, train, test, seconds: s.seconds });
        (s.batch, s.loss, s.right, s.seen) = (0, 0.0, 0, 0);
        if let Schedule::Plateau { patience, factor } = self.experiment.training.schedule {
            let loss = test.unwrap_or(train).loss;
            if s.best.is_none_or(|b| loss < b) {
                (s.best, s.waited) = (Some(loss), 0);
            } else {
                s.waited += 1;
                if s.waited >= patience {
                    (s.reduced, s.waited) = (s.reduced * factor, 0);
                }
            }
        }
        self.good = (self.parameters.values.clone(), self.velocity.clone(), self.state.clone());
        self.shuffle();
    }
}

impl Job for Run {
    /// Batches until the budget is used up, or until an epoch ends: whoever keeps checkpoints looks then. Error:
    /// Parameter where the loss has become useless; the last good state is restored first.
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        let batches = self.batches();
        let outcome = inside(|| {
            while self.state.epoch < self.experiment.training.epochs {
                if self.state.batch < batches {
                    self.one_batch()?;
                } else if self.tested() {
                    self.state.seconds += clock.elapsed().as_secs_f64();
                    self.judge()?;
                    self.close_epoch();
                    return Ok(true);
                } else {
                    self.test.get_or_insert(Testing { next: 0, score: Score::default() });
                    self.test_piece();
                }
                if clock.elapsed() >= budget {
                    break;
                }
            }
            Ok(false)
        });
        let closed = outcome?;
        if !closed {
            self.state.seconds += clock.elapsed().as_secs_f64();
        }
        Ok(self.progress())
    }
}

/// Numbers from numbers: a seed for each purpose.
pub(super) fn mix(seed: u64, a: u64, b: u64) -> u64 {
    let mut h = seed ^ 0x9e37_79b9_7f4a_7c15;
    for v in [a, b] {
        h = (h ^ v).wrapping_mul(0xff51_afd7_ed55_8ccd);
        h ^= h >> 32;
    }
    h
}
