//! Filters before they have learned anything: a new layer's, and those that are drawn anew because they are of no use.

use super::{Learning, Phase, filters, reseed};
use crate::error::Result;
use crate::format::dictionary::{Layer, LayerSpec};
use crate::sparse::layers::Stack;
use crate::sparse::operator::Operator;

impl Learning {
    /// A new layer with random filters.
    pub(super) fn begin(&mut self) -> Result<()> {
        let layer = self.layer();
        let (plan, plane) = (self.options.plan[layer].clone(), self.plane());
        let shape = [plan.maps, plane.c, plan.side, plan.side];
        let mut random = self.random(layer, usize::MAX);
        // Under a bell, so that strokes form in the middle and not cut off at an edge.
        let bell = |i: usize| {
            (-0.5 * ((i as f64 - (plan.side as f64 - 1.0) / 2.0) / (plan.side as f64 / 5.0)).powi(2)).exp()
        };
        let place = |i: usize| bell(i / plan.side % plan.side) * bell(i % plan.side);
        let count: usize = shape.iter().product();
        let mut weights: Vec<f32> = (0..count).map(|i| (random.normal() * place(i)) as f32).collect();
        if layer > 0 {
            // High layers start from what there is to draw: in so many dimensions noise resembles nothing.
            let one = plane.c * plan.side * plan.side;
            for filter in weights.chunks_exact_mut(one) {
                let photo = random.below(self.images.len());
                filter.copy_from_slice(&reseed::patch(&self.target(photo)?, plane, shape, &mut random));
            }
        }
        filters::normalise(&mut weights, plan.maps);
        let spec = LayerSpec {
            lambda: 1.0,
            pool_side: plan.pool.side,
            pool_maps: plan.pool.maps,
            objective: Vec::new(),
            error: None,
            held_out_error: None,
            support: None,
            reseeded: [0, 0],
        };
        self.dictionary.layers.truncate(layer);
        self.dictionary.layers.push(Layer { shape, weights, spec });
        self.phase = Phase::Lambda { search: None, found: Vec::new(), warm: true };
        self.shuffle();
        Ok(())
    }

    /// What a photo gives the layer at work to draw: the pixels, or what was pooled below.
    fn target(&self, photo: usize) -> Result<Vec<f32>> {
        let y = self.images[photo].data();
        let Some(b) = self.below[photo].first() else { return Ok(y.to_vec()) };
        let stack = Stack::new(b.conv.clone(), self.below[photo][1..].to_vec())?;
        let mut maps = vec![0.0; stack.domain().count()?];
        stack.adjoint(y, &mut maps);
        Ok(b.switches.iter().map(|s| maps[*s as usize]).collect())
    }

    /// Draws anew what is of no use, and puts the others into the middle of their squares.
    pub(super) fn reseed(&mut self) -> Result<()> {
        let (at, plane) = (self.layer(), self.plane());
        let layer = &mut self.dictionary.layers[at];
        let (shape, passes) = (layer.shape, layer.spec.objective.len());
        reseed::centre(&mut layer.weights, shape);
        filters::normalise(&mut layer.weights, shape[0]);
        let found = reseed::find(&layer.weights, shape, &self.usage);
        let mut random = self.random(at, 1000 + passes);
        let one = shape[1] * shape[2] * shape[3];
        for filter in found.iter().flatten() {
            let target = self.target(random.below(self.images.len()))?;
            let mut patch = reseed::patch(&target, plane, shape, &mut random);
            filters::normalise(&mut patch, 1);
            self.dictionary.layers[at].weights[filter * one..][..one].copy_from_slice(&patch);
        }
        let counts = &mut self.dictionary.layers[at].spec.reseeded;
        counts.iter_mut().zip(&found).for_each(|(c, f)| *c += f.len());
        (self.conv, self.norm2) = (None, None);
        Ok(())
    }
}
