//! What fits pixels better than few values: neighbours that are alike. min over z of (λ/2)‖Fz − y‖² + ½‖∇z‖² + (ε/2)‖z‖² **(ours)**,
//! by conjugate gradient. A photo is no sparse array; most of its neighbouring pixels differ little.

use super::solver::{Problem, State};
use crate::kernel::shrink::{dot, norm2};
use crate::tensor::Shape;

/// ε: small beside the differences of neighbours, so that only what nothing is known of tends to zero.
const EPSILON: f32 = 1e-3;

/// What conjugate gradient remembers beside z.
pub struct Walk {
    direction: Vec<f32>,
    /// −gradient of the objective.
    rest: Vec<f32>,
    power: f64,
    drawn: Vec<f32>,
}

impl Walk {
    /// At the start.
    pub fn new(problem: &Problem, state: &mut State) -> Walk {
        let mut rest = vec![0.0; state.z.len()];
        let shape = problem.operator.domain();
        problem.operator.adjoint(&state.residual, &mut rest);
        differences(&state.z, shape, &mut state.gradient);
        rest.iter_mut().zip(&state.gradient).for_each(|(r, l)| *r = -(problem.lambda as f32 * *r + l));
        let drawn = vec![0.0; state.residual.len()];
        Walk { direction: rest.clone(), power: norm2(&rest), rest, drawn }
    }
}

/// One step of conjugate gradient. Returns the penalty ½‖∇z‖² + (ε/2)‖z‖², and ‖Fz − y‖².
pub fn step(problem: &Problem, state: &mut State, walk: &mut Walk) -> (f64, f64) {
    let (shape, lambda) = (problem.operator.domain(), problem.lambda as f32);
    // A d = (λFᵀF + L) d; dᵀA d is known before Fᵀ is needed.
    problem.operator.apply(&walk.direction, None, &mut walk.drawn);
    differences(&walk.direction, shape, &mut state.gradient);
    let along = problem.lambda * norm2(&walk.drawn) + dot(&walk.direction, &state.gradient);
    if walk.power > 0.0 && along > 0.0 {
        let a = (walk.power / along) as f32;
        state.z.iter_mut().zip(&walk.direction).for_each(|(z, d)| *z += a * d);
        state.residual.iter_mut().zip(&walk.drawn).for_each(|(r, v)| *r += a * v);
        walk.rest.iter_mut().zip(&state.gradient).for_each(|(r, l)| *r -= a * l);
        problem.operator.adjoint(&walk.drawn, &mut state.gradient);
        walk.rest.iter_mut().zip(&state.gradient).for_each(|(r, g)| *r -= a * lambda * g);
        let power = norm2(&walk.rest);
        let b = (power / walk.power) as f32;
        walk.direction.iter_mut().zip(&walk.rest).for_each(|(d, r)| *d = r + b * *d);
        walk.power = power;
    }
    (penalty(&state.z, shape), norm2(&state.residual))
}

/// ½‖∇z‖² + (ε/2)‖z‖².
pub fn penalty(z: &[f32], shape: Shape) -> f64 {
    let mut l = vec![0.0; z.len()];
    differences(z, shape, &mut l);
    dot(z, &l) / 2.0
}

/// out := L z: each value's differences to its neighbours in its plane, summed, and ε times itself. Symmetric; zᵀLz = ‖∇z‖² + ε‖z‖².
fn differences(z: &[f32], Shape { h, w, .. }: Shape, out: &mut [f32]) {
    out.iter_mut().zip(z).for_each(|(o, z)| *o = EPSILON * z);
    for (out, z) in out.chunks_exact_mut((h * w).max(1)).zip(z.chunks_exact((h * w).max(1))) {
        let mut both = |i: usize, j: usize| {
            let d = z[i] - z[j];
            out[i] += d;
            out[j] -= d;
        };
        for y in 0..h {
            (1..w).for_each(|x| both(y * w + x - 1, y * w + x));
            if y > 0 {
                (0..w).for_each(|x| both((y - 1) * w + x, y * w + x));
            }
        }
    }
}
