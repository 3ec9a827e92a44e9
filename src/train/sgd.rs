//! One step down the gradient (AK12 §5; Nesterov as in Sutskever et al. 2013), and ZF14's clip.

use super::parameters::Parameters;
use super::recipe::Recipe;

/// v ← μ v − ε (g + λ₂ w + λ₁ sign w); w ← w + v, or with Nesterov w ← w + μ v − ε (…). `gradient` is used up.
pub(super) fn step(
    p: &mut Parameters,
    velocity: &mut [f32],
    gradient: &mut [f32],
    rate: f32,
    recipe: &Recipe,
) {
    let Recipe { momentum, nesterov, l1, l2, .. } = *recipe;
    for part in &p.parts {
        let r = part.range.clone();
        let (w, v, g) = (&mut p.values[r.clone()], &mut velocity[r.clone()], &mut gradient[r]);
        let (l1, l2) = if part.decays { (l1, l2) } else { (0.0, 0.0) };
        for ((w, v), g) in w.iter_mut().zip(v).zip(g) {
            let sign = if *w == 0.0 { 0.0 } else { 1f32.copysign(*w) };
            let pull = rate * (*g + l2 * *w + l1 * sign);
            *v = momentum * *v - pull;
            *w += if nesterov { momentum * *v - pull } else { *v };
        }
    }
    if let Some(radius) = recipe.rms_clip {
        clip(p, radius);
    }
}

/// Scales every filter whose RMS exceeds the radius back to it.
fn clip(p: &mut Parameters, radius: f32) {
    for part in &p.parts {
        let Some(n) = part.filter else { continue };
        for filter in p.values[part.range.clone()].chunks_exact_mut(n.max(1)) {
            let square: f64 = filter.iter().map(|v| f64::from(*v).powi(2)).sum();
            let rms = (square / n as f64).sqrt() as f32;
            if rms > radius {
                filter.iter_mut().for_each(|v| *v *= radius / rms);
            }
        }
    }
}
