//! min over z of (λ/2)‖Fz − y‖² + ‖z‖₁, iteration by iteration.

use super::operator::Operator;
use super::{fista, ista, smooth};
use crate::error::{Error, Result};
use crate::kernel::shrink::{self, Left};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How the problem is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Never lets the objective rise at β ≤ 1/(λ‖F‖²).
    Ista,
    /// Fewer iterations to the same limit.
    #[default]
    Fista,
}

/// From which z it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// z = 0.
    #[default]
    Zero,
    /// z = Fᵀy / ‖F‖²: the one-step answer, as the deconvnet gives it, scaled like an input.
    Transpose,
}

/// What z is taken to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prior {
    /// Few values are not zero: ‖z‖₁.
    #[default]
    Sparse,
    /// Neighbours are alike, as pixels are: see [`smooth`]. Solved by conjugate gradient, whatever the method and the step.
    Smooth,
}

impl Prior {
    /// `sparse`, `smooth`.
    pub fn name(self) -> &'static str {
        match self {
            Prior::Sparse => "sparse",
            Prior::Smooth => "smooth",
        }
    }
}

/// The problem.
pub struct Problem {
    /// F.
    pub operator: Arc<dyn Operator>,
    /// What is to be explained.
    pub y: Vec<f32>,
    /// λ: how much an unexplained remainder counts.
    pub lambda: f64,
    /// β: the step, and what every value shrinks by.
    pub step: f64,
    /// What stands beside the remainder in the objective.
    pub prior: Prior,
}

/// Where an iteration stands.
pub struct State {
    /// The values sought.
    pub z: Vec<f32>,
    /// Fz − y.
    pub residual: Vec<f32>,
    /// Room for the gradient.
    pub gradient: Vec<f32>,
}

/// What the iterations remember beside z.
enum Way {
    Ista,
    Fista(fista::Ahead),
    Smooth(smooth::Walk),
}

/// A problem being solved.
pub struct Solver {
    problem: Problem,
    state: State,
    way: Way,
    left: Left,
    error: f64,
    start: f64,
    objective: Vec<f64>,
    diverged: bool,
}

/// A parameter that must be a number above zero.
pub fn positive(value: f64, what: &str) -> Result<f64> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(Error::Parameter(format!("{what} must be a number above 0, got {value}")))
}

impl Solver {
    /// Starts from `z`, or from zero. Errors: Parameter for λ or β that are not above 0; Shape for values that are not
    /// as many as F takes; Malformed for a y that holds what is no number.
    pub fn new(problem: Problem, method: Method, z: Option<Vec<f32>>) -> Result<Solver> {
        positive(problem.lambda, "λ")?;
        positive(problem.step, "the step β")?;
        let (domain, range) = (problem.operator.domain(), problem.operator.range());
        let (n, m) = (domain.count()?, range.count()?);
        let z = z.unwrap_or_else(|| vec![0.0; n]);
        if problem.y.len() != m || z.len() != n {
            return Err(Error::Shape(format!(
                "the filters lead from {domain} to {range}; given are {} values and a response of {}",
                z.len(),
                problem.y.len()
            )));
        }
        if problem.y.iter().chain(&z).any(|v| !v.is_finite()) {
            return Err(Error::Malformed(
                "the response holds values that are not finite numbers; run the network on an input without them".into(),
            ));
        }
        let mut residual = vec![0.0; m];
        problem.operator.apply(&z, None, &mut residual);
        let error = shrink::subtract(&mut residual, &problem.y);
        let mut state = State { z, residual, gradient: vec![0.0; n] };
        let way = match (problem.prior, method) {
            (Prior::Smooth, _) => Way::Smooth(smooth::Walk::new(&problem, &mut state)),
            (Prior::Sparse, Method::Fista) => Way::Fista(fista::Ahead::new(&state)),
            (Prior::Sparse, Method::Ista) => Way::Ista,
        };
        let penalty = match problem.prior {
            Prior::Sparse => state.z.iter().map(|v| f64::from(v.abs())).sum(),
            Prior::Smooth => smooth::penalty(&state.z, domain),
        };
        let left = Left { l1: penalty, support: count(&state.z) };
        let start = problem.lambda / 2.0 * error + penalty;
        Ok(Solver { problem, state, way, left, error, start, objective: Vec::new(), diverged: false })
    }

    /// One iteration. Once the objective is no finite number any more, nothing happens: see [`Solver::diverged`].
    pub fn iterate(&mut self) {
        if self.diverged {
            return;
        }
        let (left, error) = match &mut self.way {
            Way::Ista => ista::step(&self.problem, &mut self.state),
            Way::Fista(ahead) => fista::step(&self.problem, &mut self.state, ahead),
            Way::Smooth(walk) => {
                let (l1, error) = smooth::step(&self.problem, &mut self.state, walk);
                (Left { l1, support: count(&self.state.z) }, error)
            }
        };
        let objective = self.problem.lambda / 2.0 * error + left.l1;
        (self.left, self.error) = (left, error);
        self.diverged = !objective.is_finite();
        self.objective.push(objective);
    }

    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// z as it is now.
    pub fn z(&self) -> &[f32] {
        &self.state.z
    }

    /// Fz − y as it is now.
    pub fn residual(&self) -> &[f32] {
        &self.state.residual
    }

    /// The objective after each iteration; the last is that of [`Solver::z`].
    pub fn objective(&self) -> &[f64] {
        &self.objective
    }

    /// The objective before the first iteration.
    pub fn start(&self) -> f64 {
        self.start
    }

    /// ‖Fz − y‖ / ‖y‖; 0 where y is zero and explained.
    pub fn error(&self) -> f64 {
        relative(self.error, shrink::norm2(&self.problem.y))
    }

    /// Σ|z|, or what else stands beside the remainder.
    pub fn l1(&self) -> f64 {
        self.left.l1
    }

    /// Values of z that are not zero.
    pub fn support(&self) -> usize {
        self.left.support
    }

    /// Whether the step was so large that the objective is no finite number any more.
    pub fn diverged(&self) -> bool {
        self.diverged
    }

    /// y, given back.
    pub(super) fn into_y(self) -> Vec<f32> {
        self.problem.y
    }
}

fn count(z: &[f32]) -> usize {
    z.iter().filter(|v| **v != 0.0).count()
}

/// √(a / b) of squared norms; 0 for 0 / 0.
pub fn relative(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { (a / b).sqrt() }
}
