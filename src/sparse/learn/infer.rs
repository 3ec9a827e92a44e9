//! Codes of single photos while filters are learned, and the λ that leaves the wanted share of them.

use super::{Learning, Phase};
use crate::error::Result;
use crate::sparse::layers::{Stack, draws};
use crate::sparse::operator::{Conv, Power};
use crate::sparse::solver::{Method, Prior, Problem, Solver};
use crate::sparse::weight::Search;
use std::sync::Arc;

/// Photos on which λ is searched.
const SEARCHED: usize = 5;
/// Minibatches learned before λ is settled: it depends on the filters.
pub(super) const WARM: usize = 16;
/// Codes that the search on one of them costs, about.
pub(super) const GUESSED: usize = 9;
/// Power iterations for ‖R_l‖² of a photo, and the margin over what they miss.
const NORM: (usize, f64) = (8, 1.25);

/// Codes that a search costs with so many photos.
pub(super) fn searched(photos: usize) -> usize {
    GUESSED * SEARCHED.min(photos)
}

impl Learning {
    pub(super) fn conv(&mut self) -> Result<Arc<Conv>> {
        if let Some(conv) = &self.conv {
            return Ok(conv.clone());
        }
        let (layer, plane) = (&self.dictionary.layers[self.layer()], self.plane());
        let conv = Arc::new(draws(&layer.weights, layer.shape, plane)?);
        self.conv = Some(conv.clone());
        Ok(conv)
    }

    /// R_l of a photo, and a bound of ‖R_l‖² close enough for a step that descends.
    fn operator(&mut self, photo: usize) -> Result<(Arc<Stack>, f64)> {
        let stack = Arc::new(Stack::new(self.conv()?, self.below[photo].clone())?);
        // Layer 1's is the same for all photos.
        if let (Some(norm2), true) = (self.norm2, self.below[photo].is_empty()) {
            return Ok((stack, norm2));
        }
        let mut power = Power::new(&*stack)?;
        while !power.step(&*stack)? && power.iterations() < NORM.0 {}
        let norm2 = NORM.1 * power.value();
        self.norm2 = Some(norm2);
        Ok((stack, norm2))
    }

    /// A photo's code in the layer above those it has switches of.
    pub(super) fn infer(&mut self, photo: usize) -> Result<Solver> {
        let (operator, norm2) = self.operator(photo)?;
        let lambda = self.dictionary.layers[self.below[photo].len()].spec.lambda;
        let y = self.images[photo].data().to_vec();
        let step = 1.0 / (lambda * norm2);
        let problem = Problem { operator, y, lambda, step, prior: Prior::Sparse };
        let mut solver = Solver::new(problem, Method::Fista, None)?;
        (0..self.options.iterations).for_each(|_| solver.iterate());
        Ok(solver)
    }

    pub(super) fn search(
        &mut self,
        search: Option<Box<Search>>,
        mut found: Vec<f64>,
        warm: bool,
    ) -> Result<()> {
        let mut search = match search {
            Some(search) => search,
            None => {
                let photo = self.order[found.len()];
                let (operator, norm2) = self.operator(photo)?;
                let share = self.options.plan[self.layer()].share;
                let y = self.images[photo].data();
                // What is asked for is what the codes have that filters are learned from.
                Box::new(Search::new(operator, y, norm2, share, self.options.iterations)?)
            }
        };
        let Some(lambda) = search.step()? else {
            self.phase = Phase::Lambda { search: Some(search), found, warm };
            return Ok(());
        };
        found.push(lambda);
        if found.len() < SEARCHED.min(self.images.len()) {
            self.phase = Phase::Lambda { search: None, found, warm };
            return Ok(());
        }
        let mean = (found.iter().map(|l| l.ln()).sum::<f64>() / found.len() as f64).exp();
        let layer = self.layer();
        self.dictionary.layers[layer].spec.lambda = mean;
        self.phase = Phase::Learn { warm: warm.then_some(WARM) };
        Ok(())
    }
}
