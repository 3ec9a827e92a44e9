//! FISTA (Beck and Teboulle 2009): ISTA's step from a point that runs ahead. Same limit; the objective's distance from it
//! falls like 1/k² instead of 1/k, but need not fall in every iteration.

use super::solver::{Problem, State};
use crate::kernel::shrink::{self, Left};

/// What FISTA remembers beside z: the point w it steps from, that point's residual, and t.
pub struct Ahead {
    w: Vec<f32>,
    residual: Vec<f32>,
    t: f64,
}

impl Ahead {
    /// At the start w = z and t = 1.
    pub fn new(state: &State) -> Ahead {
        Ahead { w: state.z.clone(), residual: state.residual.clone(), t: 1.0 }
    }
}

/// z' = ISTA's step from w;  t' = (1 + √(1 + 4t²))/2;  w ← z' + ((t − 1)/t')(z' − z).
///
/// F is linear, so w's residual is the same combination of the residuals of z and z', and F is applied once.
pub fn step(problem: &Problem, state: &mut State, ahead: &mut Ahead) -> (Left, f64) {
    problem.operator.adjoint(&ahead.residual, &mut state.gradient);
    let (rate, threshold) = (problem.step * problem.lambda, problem.step);
    let left = shrink::step(&mut ahead.w, &state.gradient, rate as f32, threshold as f32);
    std::mem::swap(&mut state.z, &mut ahead.w);
    problem.operator.apply(&state.z, Some(left.support), &mut ahead.residual);
    let error = shrink::subtract(&mut ahead.residual, &problem.y);
    std::mem::swap(&mut state.residual, &mut ahead.residual);
    // In `ahead` stand z and its residual of the iteration before.
    let next = (1.0 + (1.0 + 4.0 * ahead.t * ahead.t).sqrt()) / 2.0;
    let a = ((ahead.t - 1.0) / next) as f32;
    ahead.t = next;
    shrink::extrapolate(&mut ahead.w, &state.z, a);
    shrink::extrapolate(&mut ahead.residual, &state.residual, a);
    (left, error)
}
