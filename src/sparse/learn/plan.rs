//! What is to be learned and how; and whether that makes sense.

use crate::error::{Error, Result};
use crate::format::dictionary::{About, Dictionary};
use crate::sparse::pool3d::Pool3d;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// One layer to be learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Filters.
    pub maps: usize,
    /// Their side.
    pub side: usize,
    /// What it pools for the layer above.
    pub pool: Pool3d,
    /// Share of its values that λ should leave other than zero.
    pub share: f64,
}

/// The first so many of ADN11's layers: 15, 50, 100 and 150 filters of 7×7, pools of 2×2×3 and 2×2×2; their λ are found from the
/// shares. `maps` and `share` put others in the place of the first of them. Error: Parameter.
pub fn plan(layers: usize, maps: &[usize], share: &[f64]) -> Result<Vec<Plan>> {
    let layer = |maps, group, share| Plan { maps, side: 7, pool: Pool3d { side: 2, maps: group }, share };
    let mut plan = vec![layer(15, 3, 0.04), layer(50, 2, 0.02), layer(100, 2, 0.012), layer(150, 2, 0.01)];
    if layers == 0 || layers > plan.len() {
        return Err(Error::Parameter(format!("layers are from 1 to {}, got {layers}", plan.len())));
    }
    plan.truncate(layers);
    if maps.len() > layers || share.len() > layers {
        return Err(Error::Parameter("maps and share give one value for each layer, no more".into()));
    }
    plan.iter_mut().zip(maps).for_each(|(p, m)| p.maps = *m);
    plan.iter_mut().zip(share).for_each(|(p, s)| p.share = *s);
    Ok(plan)
}

/// ADN11's four layers.
const WHOLE: usize = 4;

/// How it is learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// From the pixels up.
    pub plan: Vec<Plan>,
    /// Passes over the photos for each layer.
    pub epochs: usize,
    /// Photos between updates of the filters.
    pub batch: usize,
    /// Iterations of FISTA for each photo's code.
    pub iterations: usize,
    /// Steps of conjugate gradient in each update.
    pub steps: usize,
    /// Of all that is random.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        let plan = plan(WHOLE, &[], &[]).expect("the plan has so many layers");
        Options { plan, epochs: 8, batch: 4, iterations: 10, steps: 2, seed: 1 }
    }
}

impl Options {
    /// Error: Parameter for what makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        let counts = [
            ("epochs", self.epochs),
            ("batch", self.batch),
            ("iterations", self.iterations),
            ("steps", self.steps),
        ];
        for (what, n) in counts {
            if n == 0 || n > 100_000 {
                return Err(Error::Parameter(format!("{what} must be from 1 to 100000, got {n}")));
            }
        }
        if self.plan.is_empty() || self.plan.len() > 8 {
            return Err(Error::Parameter(format!("1 to 8 layers can be learned, not {}", self.plan.len())));
        }
        for (i, p) in self.plan.iter().enumerate() {
            let sound =
                (1..=4096).contains(&p.maps) && (1..=64).contains(&p.side) && (1..=64).contains(&p.pool.side);
            if !sound || p.pool.maps == 0 || !p.maps.is_multiple_of(p.pool.maps) {
                return Err(Error::Parameter(format!(
                    "layer {}: {} filters of side {} with pools of {}×{}×{} make no layer; pooled groups must divide the filters",
                    i + 1,
                    p.maps,
                    p.side,
                    p.pool.side,
                    p.pool.side,
                    p.pool.maps
                )));
            }
            if !(p.share > 0.0 && p.share < 1.0) {
                return Err(Error::Parameter(format!(
                    "layer {}: a share is between 0 and 1, got {}",
                    i + 1,
                    p.share
                )));
            }
        }
        Ok(())
    }

    /// Whether every layer's filters fit what they draw on. Error: Shape.
    pub(super) fn fits(&self, image: Shape) -> Result<()> {
        let mut plane = image;
        for (i, p) in self.plan.iter().enumerate() {
            if p.side > plane.h || p.side > plane.w {
                return Err(Error::Shape(format!(
                    "layer {}: filters of side {} are larger than the {}×{} they draw on; use larger photos or fewer layers",
                    i + 1,
                    p.side,
                    plane.h,
                    plane.w
                )));
            }
            plane = p.pool.shape(Shape::new(p.maps, plane.h + p.side - 1, plane.w + p.side - 1))?;
            if plane.size() == 0 {
                return Err(Error::Shape(format!("layer {} pools nothing", i + 1)));
            }
        }
        Ok(())
    }

    /// A dictionary to go on with must be of the same making. Error: Parameter, and those of [`Dictionary::check`].
    pub(super) fn same(&self, from: Dictionary, about: &About) -> Result<Dictionary> {
        from.check()?;
        let (a, b) = (&from.about, about);
        let alike = a.side == b.side
            && a.sigma == b.sigma
            && a.channels == b.channels
            && from.layers.len() <= self.plan.len();
        let layers = from.layers.iter().zip(&self.plan).all(|(l, p)| {
            l.shape[0] == p.maps
                && l.shape[2..] == [p.side, p.side]
                && (l.spec.pool_side, l.spec.pool_maps) == (p.pool.side, p.pool.maps)
        });
        if alike && layers {
            return Ok(from);
        }
        Err(Error::Parameter(
            "the dictionary to go on with was made with other options; give the same ones, or begin anew"
                .into(),
        ))
    }
}
