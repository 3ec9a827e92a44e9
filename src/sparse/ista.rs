//! ISTA, the iterative shrinkage-thresholding algorithm: a step down the gradient, then every value shrinks.

use super::solver::{Problem, State};
use crate::kernel::shrink::{self, Left};

/// g = λFᵀ(Fz − y);  z ← z − βg;  z ← max(|z| − β, 0)·sign(z).
///
/// `state.residual` is Fz − y before and after. Returns what is left of z, and ‖Fz − y‖².
pub fn step(problem: &Problem, state: &mut State) -> (Left, f64) {
    problem.operator.adjoint(&state.residual, &mut state.gradient);
    let (rate, threshold) = (problem.step * problem.lambda, problem.step);
    let left = shrink::step(&mut state.z, &state.gradient, rate as f32, threshold as f32);
    problem.operator.apply(&state.z, Some(left.support), &mut state.residual);
    (left, shrink::subtract(&mut state.residual, &problem.y))
}
