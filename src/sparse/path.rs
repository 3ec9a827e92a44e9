//! The regularisation path: a photo in one layer's dictionary for many λ, each started from the one before.

use super::code::check_image;
use super::contrast;
use super::course;
use super::layers::draws;
use super::operator::{Conv, Operator, Power};
use super::solver::{self, Method, Prior, Problem, Solver};
use super::weight::smallest;
use crate::error::{Error, Result};
use crate::format::dictionary::Dictionary;
use crate::job::{Clock, Job, Progress};
use crate::kernel::inside;
use crate::tensor::Tensor;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// One λ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// λ.
    pub lambda: f64,
    /// ‖Fz − y‖ / ‖y‖.
    pub error: f64,
    /// Share of z that is not zero.
    pub support: f64,
    /// Σ|z|.
    pub l1: f64,
    /// (λ/2)‖Fz − y‖² + ‖z‖₁.
    pub objective: f64,
}

/// The path under way.
pub struct Path {
    operator: Arc<Conv>,
    y: Vec<f32>,
    power: Option<Power>,
    norm2: f64,
    lambdas: Vec<f64>,
    iterations: usize,
    now: Option<Solver>,
    z: Vec<f32>,
    points: Vec<Point>,
}

/// λ from the smallest that lets any value be to so many times that, by default.
const RANGE: f64 = 1000.0;

impl Path {
    /// `lambdas` empty: `count` of them, evenly in their logarithm, from the one below which z is zero. Errors: as for
    /// [`super::code::Coding::new`].
    pub fn new(
        dictionary: &Dictionary,
        image: &Tensor,
        lambdas: &[f64],
        count: usize,
        iterations: usize,
    ) -> Result<Path> {
        dictionary.check()?;
        course::iterations(iterations)?;
        if lambdas.is_empty() && !(2..=1000).contains(&count) {
            return Err(Error::Parameter(format!("a path has 2 to 1000 values of λ, not {count}")));
        }
        check_image(dictionary, image)?;
        let mut lambdas = lambdas.to_vec();
        for lambda in &lambdas {
            solver::positive(*lambda, "λ")?;
        }
        let y = contrast::normalise(image, dictionary.about.sigma)?;
        let layer = &dictionary.layers[0];
        let operator = Arc::new(draws(&layer.weights, layer.shape, image.shape())?);
        if lambdas.is_empty() {
            let first = smallest(&*operator, y.data())?;
            lambdas = (0..count).map(|i| first * RANGE.powf(i as f64 / (count - 1) as f64)).collect();
        }
        // Upwards: each starts near its own answer, because support only grows slowly.
        lambdas.sort_by(f64::total_cmp);
        let power = Some(Power::new(&*operator)?);
        let z = vec![0.0; operator.domain().count()?];
        let y = y.data().to_vec();
        Ok(Path { operator, y, power, norm2: 0.0, lambdas, iterations, now: None, z, points: Vec::new() })
    }

    /// What is known so far, by rising λ.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    fn piece(&mut self) -> Result<()> {
        if let Some(power) = &mut self.power {
            if power.step(&*self.operator)? {
                self.norm2 = power.value();
                self.power = None;
            }
            return Ok(());
        }
        let lambda = self.lambdas[self.points.len()];
        let solver = match &mut self.now {
            Some(solver) => solver,
            None => {
                let (y, z) = (self.y.clone(), std::mem::take(&mut self.z));
                let problem = Problem {
                    operator: self.operator.clone(),
                    y,
                    lambda,
                    step: 1.0 / (lambda * self.norm2),
                    prior: Prior::Sparse,
                };
                self.now.insert(Solver::new(problem, Method::Fista, Some(z))?)
            }
        };
        solver.iterate();
        if solver.objective().len() == self.iterations {
            self.z = solver.z().to_vec();
            self.points.push(Point {
                lambda,
                error: solver.error(),
                support: solver.support() as f64 / self.z.len() as f64,
                l1: solver.l1(),
                objective: solver.objective().last().copied().unwrap_or(solver.start()),
            });
            self.now = None;
        }
        Ok(())
    }
}

impl Job for Path {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        inside(|| {
            while self.points.len() < self.lambdas.len() {
                self.piece()?;
                if clock.elapsed() >= budget {
                    break;
                }
            }
            let done = self.points.len() == self.lambdas.len();
            Ok(Progress { fraction: self.points.len() as f64 / self.lambdas.len() as f64, done })
        })
    }
}
