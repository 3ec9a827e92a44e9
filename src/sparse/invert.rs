//! A layer's input from its response: the lecture's deconvolution, and further down layer by layer.
//!
//! Stage by stage: y is the response of a convolution, without bias; the input z is sought by [`Solver`]. Below it, z is
//! carried back over pooling (through the recorded switches), ReLU and normalisation to the convolution underneath,
//! whose response it then is; and so on to the pixels.

use super::course::{self, Course, Wanted};
use super::known::Known;
use super::operator::{Conv, Operator, Power};
use super::solver::{self, Method, Prior, Solver, Start, relative};
use crate::error::{Error, Result};
use crate::job::{Clock, Job, Progress};
use crate::kernel::conv::Geometry;
use crate::kernel::{inside, pool, shrink};
use crate::tensor::{Shape, Tensor};
use std::sync::Arc;
use std::time::Duration;

/// One convolution on the way down.
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The name of what it reads: what is to be recovered.
    pub input: String,
    /// Sizes.
    pub geometry: Geometry,
    /// (outputs, inputs / groups, kh, kw).
    pub weights: Vec<f32>,
    /// (outputs), or empty.
    pub bias: Vec<f32>,
    /// Its true input, whole: gives the first stage its response, and shows how well every stage did.
    pub truth: Tensor,
    /// From its input down to the response of the next stage, in that order; empty for the last one.
    pub crossings: Vec<Crossing>,
    /// Whether its input is the photo itself.
    pub pixels: bool,
}

/// What lies between two convolutions, gone through downwards.
pub enum Crossing {
    /// Max pooling: every value returns to its recorded switch.
    Unpool {
        /// One for each pooled value.
        switches: Vec<u32>,
        /// What pooling read.
        below: Shape,
    },
    /// ReLU: what is negative cannot have come out of it.
    Rectify,
    /// Local response normalisation undone: multiplied by the recorded input / output.
    Scale(Vec<f32>),
}

/// What an inversion is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// λ of each stage; a stage without one gets the λ that leaves about 5 % of its values other than zero.
    pub lambda: Vec<f64>,
    /// What each stage's input is taken to be like; a stage without one is sparse, but the pixels under another stage are smooth.
    pub prior: Vec<Prior>,
    /// β; by default 1/(λ‖F‖²).
    pub step: Option<f64>,
    /// ISTA or FISTA.
    pub method: Method,
    /// The first z.
    pub start: Start,
    /// Iterations for each stage.
    pub iterations: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            lambda: Vec::new(),
            prior: Vec::new(),
            step: None,
            method: Method::default(),
            start: Start::Zero,
            iterations: 100,
        }
    }
}

/// A stage at work, or finished.
pub struct Recovery {
    operator: Arc<Conv>,
    y: Vec<f32>,
    truth: Tensor,
    name: String,
    input: String,
    course: Course,
    transpose: Vec<f32>,
    known: f64,
}

impl Recovery {
    /// The convolution.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it reads, and what is recovered.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// The problem's state once its iterations have begun.
    pub fn solver(&self) -> Option<&Solver> {
        self.course.solver()
    }

    /// ‖F‖² as far as power iteration knows it.
    pub fn norm2(&self) -> f64 {
        self.course.norm2()
    }

    /// The true input.
    pub fn truth(&self) -> &Tensor {
        &self.truth
    }

    /// The response that is explained.
    pub fn response(&self) -> &[f32] {
        &self.y
    }

    /// Share of the response that is known: all of it, or what came down through the switches.
    pub fn known(&self) -> f64 {
        self.known
    }

    /// What its input is taken to be like.
    pub fn prior(&self) -> Prior {
        self.course.prior()
    }

    /// Shape of the response.
    pub fn response_shape(&self) -> Shape {
        self.operator.range()
    }

    /// Fᵀy: the response through the transposed filters, in one step, as the deconvnet does it.
    pub fn transpose(&self) -> &[f32] {
        &self.transpose
    }

    /// The recovered input; zeros before the iterations have begun.
    pub fn z(&self) -> Tensor {
        let shape = self.operator.domain();
        let mut z = Tensor::zeros(shape.c, shape.rect());
        if let Some(s) = self.solver() {
            z.data_mut().copy_from_slice(s.z());
        }
        z
    }

    /// ‖z − truth‖ / ‖truth‖.
    pub fn distance(&self) -> Option<f64> {
        let z = self.solver()?.z();
        let off = z.iter().zip(self.truth.data()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        Some(relative(off, shrink::norm2(self.truth.data())))
    }

    /// How alike z and the true input are whatever their scale: the cosine of the angle between them.
    pub fn likeness(&self) -> Option<f64> {
        Some(cosine(self.solver()?.z(), self.truth.data()))
    }

    /// The same for the one-step answer.
    pub fn transpose_likeness(&self) -> f64 {
        cosine(&self.transpose, self.truth.data())
    }

    /// What is to be said when the iterations ran away.
    pub fn statement(&self) -> Option<String> {
        let s = self.solver().filter(|s| s.diverged())?;
        let safe = 1.0 / (s.problem().lambda * self.norm2());
        Some(format!(
            "diverged: after {} iterations the objective is no finite number any more; the step β = {:.3e} is {:.1} times \
             1/(λ‖F‖²) = {safe:.3e}, up to which it is certain to converge",
            s.objective().len(),
            s.problem().step,
            s.problem().step / safe
        ))
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let norms = (shrink::norm2(a) * shrink::norm2(b)).sqrt();
    if norms > 0.0 { shrink::dot(a, b) / norms } else { 0.0 }
}

/// The whole way down as a job.
pub struct Inversion {
    todo: std::vec::IntoIter<Stage>,
    crossings: Vec<Crossing>,
    stages: usize,
    recovered: Vec<Recovery>,
    options: Options,
    done: bool,
}

impl Inversion {
    /// `stages`: from the layer asked for downwards. Errors: Parameter for no stages, zero iterations, λ or β that are not
    /// above 0; those of [`Conv::push`] and [`Solver::new`].
    pub fn new(stages: Vec<Stage>, options: &Options) -> Result<Inversion> {
        course::iterations(options.iterations)?;
        for lambda in &options.lambda {
            solver::positive(*lambda, "λ")?;
        }
        if let Some(step) = options.step {
            solver::positive(step, "the step β")?;
        }
        if options.lambda.len() > stages.len() {
            return Err(Error::Parameter(format!(
                "{} λ are given for {} layers to invert",
                options.lambda.len(),
                stages.len()
            )));
        }
        if options.prior.len() > stages.len() {
            return Err(Error::Parameter(format!(
                "{} priors are given for {} layers to invert",
                options.prior.len(),
                stages.len()
            )));
        }
        let count = stages.len();
        let mut job = Inversion {
            todo: stages.into_iter(),
            crossings: Vec::new(),
            stages: count,
            recovered: Vec::new(),
            options: options.clone(),
            done: false,
        };
        let Some(first) = job.todo.next() else {
            return Err(Error::Parameter("no layer is given to invert".into()));
        };
        job.begin(first, None)?;
        Ok(job)
    }

    /// Stages so far, from the layer asked for downwards; the last one may be at work.
    pub fn recovered(&self) -> &[Recovery] {
        &self.recovered
    }

    fn begin(&mut self, stage: Stage, response: Option<Vec<f32>>) -> Result<()> {
        let place = stage.name.clone();
        let operator =
            Conv::push(&stage.weights, &stage.geometry, stage.truth.shape()).map_err(|e| e.at(&place))?;
        let operator = Arc::new(operator);
        let m = operator.range().count()?;
        // Of a response that was carried down only what is not zero is known; the rest may have been anything.
        let known: Option<Vec<bool>> = response.as_ref().map(|y| y.iter().map(|v| *v != 0.0).collect());
        let y = match response {
            Some(y) => explained(y, &stage.bias, operator.range()),
            None => {
                let mut y = vec![0.0; m];
                operator.apply(stage.truth.data(), None, &mut y);
                y
            }
        };
        if y.len() != m {
            return Err(Error::Shape(format!(
                "{place}: its response has {m} values, {} come from above",
                y.len()
            )));
        }
        if y.iter().any(|v| !v.is_finite()) {
            return Err(Error::Malformed(format!(
                "{place}: its response holds values that are not finite numbers; run the network on an input without them"
            )));
        }
        let share = known.as_ref().map_or(1.0, |k| k.iter().filter(|k| **k).count() as f64 / m.max(1) as f64);
        if share == 0.0 {
            return Err(Error::Parameter(format!(
                "{place}: nothing of the layer above came down to it; give that one a larger λ"
            )));
        }
        let mut transpose = vec![0.0; operator.domain().count()?];
        operator.adjoint(&y, &mut transpose);
        let options = &self.options;
        let own = if known.is_some() && stage.pixels { Prior::Smooth } else { Prior::Sparse };
        let wanted = Wanted {
            lambda: options.lambda.get(self.recovered.len()).copied(),
            prior: options.prior.get(self.recovered.len()).copied().unwrap_or(own),
            step: options.step,
            method: options.method,
            start: options.start,
            iterations: options.iterations,
            norm: (Power::MOST, 1.0),
        };
        let asked: Arc<dyn Operator> = match known {
            Some(known) => Arc::new(Known::new(operator.clone(), known)),
            None => operator.clone(),
        };
        let course = Course::new(asked, wanted).map_err(|e| e.at(&place))?;
        self.crossings = stage.crossings;
        self.recovered.push(Recovery {
            operator,
            y,
            truth: stage.truth,
            name: stage.name,
            input: stage.input,
            course,
            transpose,
            known: share,
        });
        Ok(())
    }

    /// One piece of work of the stage at hand.
    fn piece(&mut self) -> Result<()> {
        let now = self.recovered.last_mut().expect("a stage is at work");
        now.course.step(&now.y).map_err(|e| e.at(&now.name))?;
        if !now.course.is_over() {
            return Ok(());
        }
        let diverged = now.solver().is_some_and(Solver::diverged);
        match self.todo.next() {
            Some(next) if !diverged => {
                let response = descend(now.z(), std::mem::take(&mut self.crossings))?;
                self.begin(next, Some(response))?;
            }
            _ => self.done = true,
        }
        Ok(())
    }

    fn fraction(&self) -> f64 {
        if self.done {
            return 1.0;
        }
        let now = self.recovered.last().expect("a stage is at work");
        ((self.recovered.len() - 1) as f64 + now.course.fraction()) / self.stages as f64
    }
}

impl Job for Inversion {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        inside(|| {
            while !self.done {
                self.piece()?;
                if clock.elapsed() >= budget {
                    break;
                }
            }
            Ok(Progress { fraction: self.fraction(), done: self.done })
        })
    }
}

/// What a layer's recovered input says about the response of the convolution below.
fn descend(z: Tensor, crossings: Vec<Crossing>) -> Result<Vec<f32>> {
    let mut now = z;
    for crossing in crossings {
        match crossing {
            Crossing::Unpool { switches, below } => {
                if switches.len() != now.data().len() {
                    return Err(Error::Shape(format!("{} switches for {}", switches.len(), now.shape())));
                }
                let mut out = Tensor::zeros(below.c, below.rect());
                pool::unpool(now.view(), &switches, now.rect, below, out.view_mut());
                now = out;
            }
            Crossing::Rectify => {
                now.data_mut().iter_mut().for_each(|v| *v = if *v > 0.0 { *v } else { 0.0 });
            }
            Crossing::Scale(by) => {
                if by.len() != now.data().len() {
                    return Err(Error::Shape(format!("{} coefficients for {}", by.len(), now.shape())));
                }
                now.data_mut().iter_mut().zip(&by).for_each(|(v, s)| *v *= s);
            }
        }
    }
    Ok(now.data().to_vec())
}

/// The response without its bias, where something is known of it; where the signal is zero nothing is, and zero stays.
fn explained(mut y: Vec<f32>, bias: &[f32], shape: Shape) -> Vec<f32> {
    for (plane, b) in y.chunks_mut((shape.h * shape.w).max(1)).zip(bias) {
        plane.iter_mut().filter(|v| **v != 0.0).for_each(|v| *v -= b);
    }
    y
}
