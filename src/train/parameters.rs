//! The trained numbers: one vector, in which every tensor of every layer has its place.

use super::recipe::{Init, Recipe};
use crate::error::{Error, Result};
use crate::layer::gradient;
use crate::random::SplitMix;
use crate::spec::{Kind, Spec, Values, Weight, Weights};
use crate::tensor::Shape;
use std::ops::Range;

/// Most numbers that are trained: with velocity, gradients and copies some 3 GB.
const MOST: usize = 1 << 27;

/// One tensor's place.
pub(super) struct Part {
    /// The node it belongs to.
    pub node: usize,
    pub name: String,
    pub shape: Vec<usize>,
    pub range: Range<usize>,
    /// Decay and the RMS clip are for weights.
    pub decays: bool,
    /// Values in one filter or unit, where the clip applies (convolutions).
    pub filter: Option<usize>,
}

pub(super) struct Parameters {
    pub parts: Vec<Part>,
    pub values: Vec<f32>,
}

impl Parameters {
    /// Places for every layer, filled as the recipe says, or from the weights given. Shapes are those of all nodes.
    pub fn new(spec: &Spec, shapes: &[Vec<Shape>], recipe: &Recipe, given: &Weights) -> Result<Parameters> {
        let mut all = Parameters { parts: Vec::new(), values: Vec::new() };
        if let Some(name) = recipe.init_of.keys().find(|n| spec.layers.iter().all(|l| l.name != **n)) {
            return Err(Error::Parameter(format!(
                "init_of names a layer “{name}”, which the network does not have"
            )));
        }
        for (i, layer) in spec.layers.iter().enumerate() {
            let Some(input) = shapes[i].first() else { continue };
            let mut random = SplitMix::new(recipe.seed.wrapping_mul(0x5851_f42d).wrapping_add(i as u64));
            let init = recipe.init_of.get(&layer.name).copied().unwrap_or(recipe.init);
            for (part, shape, decays) in
                gradient::parameters(&layer.kind, *input).map_err(|e| e.at(&layer.name))?
            {
                let name = format!("{}.{part}", layer.name);
                let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
                let start = all.values.len();
                let n = n.filter(|n| start.saturating_add(*n) <= MOST).ok_or_else(|| {
                    Error::Limit(format!(
                        "{name} of shape {shape:?} is more than is trained here; use fewer units"
                    ))
                })?;
                match given.get(&name) {
                    Some(w) if w.len() == n => all.values.extend(w.to_f32()),
                    _ => all.values.extend(initial(&layer.kind, part, &shape, init, &mut random)),
                }
                let filter = matches!(layer.kind, Kind::Conv { .. })
                    .then(|| n / shape[0].max(1))
                    .filter(|_| part == "weight");
                let range = start..start + n;
                all.parts.push(Part { node: i + 1, name, shape, range, decays, filter });
            }
        }
        Ok(all)
    }

    /// Refuses numbers that are none: behind a ReLU they would look like zeros, and nobody would notice.
    pub fn check(&self) -> Result<()> {
        let odd = self.values.iter().position(|v| !v.is_finite());
        let part = odd.and_then(|i| self.parts.iter().find(|p| p.range.contains(&i)));
        part.map_or(Ok(()), |p| {
            Err(Error::Malformed(format!(
                "the weights {} hold values that are not finite numbers; start from others",
                p.name
            )))
        })
    }

    /// As a network's weights.
    pub fn weights(&self) -> Weights {
        self.named(&self.values)
    }

    /// Any vector of this form, by name.
    pub fn named(&self, values: &[f32]) -> Weights {
        let weight = |p: &Part| Weight {
            shape: p.shape.clone(),
            values: Values::F32(values[p.range.clone()].to_vec()),
        };
        self.parts.iter().map(|p| (p.name.clone(), weight(p))).collect()
    }

    /// The parts of a node.
    pub fn of(&self, node: usize) -> &[Part] {
        let from = self.parts.partition_point(|p| p.node < node);
        let to = self.parts.partition_point(|p| p.node <= node);
        &self.parts[from..to]
    }
}

fn initial(kind: &Kind, part: &str, shape: &[usize], init: Init, random: &mut SplitMix) -> Vec<f32> {
    let n: usize = shape.iter().product();
    match (kind, part) {
        (_, "bias") => vec![0.0; n],
        (_, "slope") => vec![0.25; n],
        (Kind::Scale, _) => vec![1.0; n],
        // The sum of a window times this is its mean.
        (Kind::Subsample { window }, _) => vec![1.0 / (window.kernel[0] * window.kernel[1]) as f32; n],
        _ => {
            let fan_in = match kind {
                Kind::Conv { connections: Some(table), .. } => {
                    let reads = table.iter().map(Vec::len).sum::<usize>() as f64 / table.len().max(1) as f64;
                    reads * (shape[2] * shape[3]) as f64
                }
                _ => (n / shape[0].max(1)) as f64,
            };
            let deviation = match init {
                Init::He => (2.0 / fan_in.max(1.0)).sqrt(),
                Init::Normal(s) => f64::from(s),
            };
            (0..n).map(|_| (random.normal() * deviation) as f32).collect()
        }
    }
}
