//! λ for a wanted share of values that are not zero: bisection, a few iterations for each guess.

use super::operator::Operator;
use super::solver::{Method, Prior, Problem, Solver};
use crate::error::{Error, Result};
use crate::kernel::elementwise::largest;
use std::sync::Arc;

/// Share of values that the default λ lets be other than zero.
pub const SHARE: f64 = 0.05;
/// Iterations of FISTA for each guess with which the support has nearly settled.
pub const SETTLED: usize = 20;
/// Guesses: λ to about 2 % over a range of four orders of magnitude.
const GUESSES: usize = 9;
/// λ is sought up to so many times the smallest that lets any value be.
const RANGE: f64 = 1e4;

/// The search, a few iterations at a time.
pub struct Search {
    share: f64,
    iterations: usize,
    norm2: f64,
    low: f64,
    high: f64,
    guess: usize,
    now: Option<Solver>,
    operator: Arc<dyn Operator>,
    y: Vec<f32>,
}

impl Search {
    /// `norm2` is ‖F‖²; the share is that after so many iterations of FISTA, 1 or more. Error: Parameter where Fᵀy is zero: then
    /// z = 0 for every λ.
    pub fn new(
        operator: Arc<dyn Operator>,
        y: &[f32],
        norm2: f64,
        share: f64,
        iterations: usize,
    ) -> Result<Search> {
        let low = smallest(&*operator, y)?;
        let y = y.to_vec();
        Ok(Search { share, iterations, norm2, low, high: low * RANGE, guess: 0, now: None, operator, y })
    }

    /// One iteration; λ when it is found. λ is rounded to three digits, so that it can be quoted and typed.
    pub fn step(&mut self) -> Result<Option<f64>> {
        if self.guess == GUESSES {
            return Ok(Some(rounded((self.low * self.high).sqrt())));
        }
        let lambda = (self.low * self.high).sqrt();
        let solver = match &mut self.now {
            Some(solver) => solver,
            None => {
                let step = 1.0 / (lambda * self.norm2);
                let y = std::mem::take(&mut self.y);
                let problem =
                    Problem { operator: self.operator.clone(), y, lambda, step, prior: Prior::Sparse };
                self.now.insert(Solver::new(problem, Method::Fista, None)?)
            }
        };
        solver.iterate();
        let n = solver.z().len();
        if solver.objective().len() == self.iterations {
            let few = (solver.support() as f64) < self.share * n as f64;
            if few {
                self.low = lambda
            } else {
                self.high = lambda
            }
            self.guess += 1;
            self.y = self.now.take().map(Solver::into_y).unwrap_or_default();
        }
        Ok(None)
    }

    /// Share of the search that is done.
    pub fn fraction(&self) -> f64 {
        let within = self.now.as_ref().map_or(0.0, |s| s.objective().len() as f64 / self.iterations as f64);
        (self.guess as f64 + within) / GUESSES as f64
    }
}

/// The largest λ for which z = 0 is the answer: 1 / max |Fᵀy|.
pub fn smallest(operator: &dyn Operator, y: &[f32]) -> Result<f64> {
    let mut g = vec![0.0; operator.domain().count()?];
    operator.adjoint(y, &mut g);
    g.iter_mut().for_each(|v| *v = v.abs());
    let most = f64::from(largest(&g));
    if most > 0.0 && most.is_finite() {
        return Ok(1.0 / most);
    }
    Err(Error::Parameter(
        "the response is zero everywhere, or holds what is no number: there is nothing to explain".into(),
    ))
}

/// Three significant digits.
fn rounded(v: f64) -> f64 {
    format!("{v:.2e}").parse().unwrap_or(v)
}
