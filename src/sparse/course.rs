//! One problem from F and y alone to its answer, piece by piece: ‖F‖² first, then λ where none is given, then the iterations.

use super::operator::{Operator, Power};
use super::solver::{self, Method, Prior, Problem, Solver, Start};
use super::weight::{SETTLED, SHARE, Search};
use crate::error::{Error, Result};
use crate::kernel::shrink;
use std::sync::Arc;

/// Most iterations: the list of objectives is handed out whole.
const MOST: usize = 100_000;

/// λ‖F‖² of the smooth prior where no λ is given.
pub const SMOOTH: f64 = 1000.0;

/// What is wanted of a course.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// λ; `None`: of the sparse prior the one that leaves about 5 % of the values other than zero, of the smooth one
    /// [`SMOOTH`] / ‖F‖².
    pub lambda: Option<f64>,
    /// β; by default 1/(λ‖F‖²).
    pub step: Option<f64>,
    /// ISTA or FISTA.
    pub method: Method,
    /// The first z.
    pub start: Start,
    /// Iterations.
    pub iterations: usize,
    /// What z is taken to be like.
    pub prior: Prior,
    /// Power iterations at the most, and what ‖F‖² is taken for: so many times what they found, which is never too much.
    pub norm: (usize, f64),
}

/// From 1 to 100000. Error: Parameter.
pub fn iterations(n: usize) -> Result<usize> {
    if (1..=MOST).contains(&n) {
        return Ok(n);
    }
    Err(Error::Parameter(format!("iterations must be from 1 to {MOST}, got {n}")))
}

enum Phase {
    Norm(Power),
    Lambda(Search),
    Solve(Solver),
}

/// A problem on its way.
pub struct Course {
    operator: Arc<dyn Operator>,
    wanted: Wanted,
    phase: Phase,
    norm2: f64,
}

impl Course {
    /// Begins. Errors: Parameter for λ or β that are not above 0, and for no iterations.
    pub fn new(operator: Arc<dyn Operator>, wanted: Wanted) -> Result<Course> {
        iterations(wanted.iterations)?;
        wanted.lambda.map(|l| solver::positive(l, "λ")).transpose()?;
        wanted.step.map(|s| solver::positive(s, "the step β")).transpose()?;
        let phase = Phase::Norm(Power::new(&*operator)?);
        Ok(Course { operator, wanted, phase, norm2: 0.0 })
    }

    /// The problem's state once iterations have begun.
    pub fn solver(&self) -> Option<&Solver> {
        match &self.phase {
            Phase::Solve(s) => Some(s),
            _ => None,
        }
    }

    /// What z is taken to be like.
    pub fn prior(&self) -> Prior {
        self.wanted.prior
    }

    /// ‖F‖² as far as it is known.
    pub fn norm2(&self) -> f64 {
        match &self.phase {
            Phase::Norm(p) => p.value(),
            _ => self.norm2,
        }
    }

    /// Whether all iterations are done, or the objective is no number any more.
    pub fn is_over(&self) -> bool {
        self.solver().is_some_and(|s| s.diverged() || s.objective().len() >= self.wanted.iterations)
    }

    /// One piece of work; nothing once it is over. `y` is the same in every call.
    pub fn step(&mut self, y: &[f32]) -> Result<()> {
        if self.is_over() {
            return Ok(());
        }
        match &mut self.phase {
            Phase::Norm(power) => {
                let (most, margin) = self.wanted.norm;
                if power.step(&*self.operator)? || power.iterations() >= most {
                    self.norm2 = margin * power.value();
                    let smooth = (self.wanted.prior == Prior::Smooth).then(|| SMOOTH / self.norm2);
                    self.phase = match self.wanted.lambda.or(smooth) {
                        Some(lambda) => Phase::Solve(self.solve(y, lambda)?),
                        None => {
                            Phase::Lambda(Search::new(self.operator.clone(), y, self.norm2, SHARE, SETTLED)?)
                        }
                    };
                }
            }
            Phase::Lambda(search) => {
                if let Some(lambda) = search.step()? {
                    self.phase = Phase::Solve(self.solve(y, lambda)?);
                }
            }
            Phase::Solve(solver) => solver.iterate(),
        }
        Ok(())
    }

    /// Share of the work that is done: ‖F‖² first, then perhaps λ, then half of it the iterations.
    pub fn fraction(&self) -> f64 {
        match &self.phase {
            Phase::Norm(_) => 0.0,
            Phase::Lambda(search) => 0.1 + 0.4 * search.fraction(),
            Phase::Solve(s) => {
                0.5 + 0.5 * (s.objective().len() as f64 / self.wanted.iterations as f64).min(1.0)
            }
        }
    }

    fn solve(&self, y: &[f32], lambda: f64) -> Result<Solver> {
        let z = match self.wanted.start {
            Start::Zero => None,
            Start::Transpose => {
                let mut z = vec![0.0; self.operator.domain().count()?];
                self.operator.adjoint(y, &mut z);
                shrink::scale(&mut z, (1.0 / self.norm2) as f32);
                Some(z)
            }
        };
        let step = self.wanted.step.unwrap_or(1.0 / (lambda * self.norm2));
        let prior = self.wanted.prior;
        let problem = Problem { operator: self.operator.clone(), y: y.to_vec(), lambda, step, prior };
        Solver::new(problem, self.wanted.method, z)
    }
}
