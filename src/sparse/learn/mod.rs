//! Learning a dictionary from photos, layer by layer (ADN11): infer the codes of a minibatch, then improve the filters at those
//! codes, each of unit norm; again and again. Seeded: the same photos and options give the same dictionary.

mod filters;
mod infer;
mod plan;
mod reseed;
mod start;

use super::contrast;
use super::layers::Below;
use super::operator::{Conv, Operator};
use super::weight::Search;
use crate::error::{Error, Result};
use crate::format::dictionary::{About, Dictionary};
use crate::job::{Clock, Job, Progress};
use crate::kernel::inside;
use crate::random::SplitMix;
use crate::tensor::{Shape, Tensor};
use filters::{Sample, Sizes};
pub use plan::{Options, Plan, plan};
use std::sync::Arc;
use std::time::Duration;

enum Phase {
    /// λ for the filters as they are: the photo at hand, what was found so far, and whether learning is still warming up.
    Lambda {
        search: Option<Box<Search>>,
        found: Vec<f64>,
        warm: bool,
    },
    /// Codes and updates; `warm` counts the minibatches left before λ is settled.
    Learn {
        warm: Option<usize>,
    },
    /// The finished layer's switches of every photo.
    Pool {
        next: usize,
    },
    Done,
}

/// Learning under way.
pub struct Learning {
    images: Vec<Tensor>,
    /// Of each photo, the nearest layer first.
    below: Vec<Vec<Below>>,
    options: Options,
    dictionary: Dictionary,
    phase: Phase,
    order: Vec<usize>,
    at: usize,
    batch: Vec<Sample>,
    conv: Option<Arc<Conv>>,
    /// ‖R_l‖² of the latest photo with these filters.
    norm2: Option<f64>,
    /// Sum of the filters after each update of this pass.
    sum: Vec<f32>,
    usage: Vec<f64>,
    /// Sums over the epoch: objective, relative error, support.
    sums: [f64; 3],
}

impl Learning {
    /// `photos`: all of one shape, channels as `about` says; their contrast is normalised here, those without contrast are left out.
    /// `from`: a dictionary learned so far with the same options, to go on with. Errors: Parameter for options that make no sense or no photo
    /// with contrast; Shape for photos that differ, or filters larger than what they draw on.
    pub fn new(
        photos: &[Tensor],
        about: About,
        options: Options,
        from: Option<Dictionary>,
    ) -> Result<Learning> {
        options.check()?;
        let shape = photos
            .first()
            .map(Tensor::shape)
            .ok_or_else(|| Error::Parameter("no photo to learn from".into()))?;
        let mut images = Vec::with_capacity(photos.len());
        for (i, photo) in photos.iter().enumerate() {
            if photo.shape() != shape || shape.c != about.channels {
                return Err(Error::Shape(format!(
                    "photo {} is {}, the first is {shape}, and {} channels are to be learned; they must be alike",
                    i + 1,
                    photo.shape(),
                    about.channels
                )));
            }
            let y = contrast::normalise(photo, about.sigma)?;
            if y.data().iter().any(|v| *v != 0.0) {
                images.push(y);
            }
        }
        if images.is_empty() {
            return Err(Error::Parameter(
                "none of the photos has any contrast: there is nothing to learn".into(),
            ));
        }
        options.fits(shape)?;
        let dictionary = match from {
            Some(from) => options.same(from, &about)?,
            None => Dictionary { about, layers: Vec::new() },
        };
        let below = vec![Vec::new(); images.len()];
        let mut job = Learning {
            images,
            below,
            options,
            dictionary,
            phase: Phase::Done,
            order: Vec::new(),
            at: 0,
            batch: Vec::new(),
            conv: None,
            norm2: None,
            sum: Vec::new(),
            usage: Vec::new(),
            sums: [0.0; 3],
        };
        let whole = job.dictionary.layers.len() == job.options.plan.len();
        if job.dictionary.layers.is_empty() {
            job.begin()?;
        } else if job.unfinished(0) {
            job.resume()?;
        } else if !whole || (0..job.options.plan.len()).any(|l| job.unfinished(l)) {
            // The layers below must code every photo first.
            job.phase = Phase::Pool { next: 0 };
        }
        Ok(job)
    }

    /// What is learned so far. Layers not begun are missing, and the last one may be unfinished.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// The layer at work, counted from 1, and how many passes over the photos it has had.
    pub fn position(&self) -> (usize, usize) {
        let layer = self.layer();
        (layer + 1, self.dictionary.layers.get(layer).map_or(0, |l| l.spec.objective.len()))
    }

    /// Photos learned from.
    pub fn photos(&self) -> usize {
        self.images.len()
    }

    /// The layer at work; while a finished layer's switches are taken, that one: the last photo is the last to have them.
    fn layer(&self) -> usize {
        self.below.last().map_or(0, Vec::len)
    }

    fn unfinished(&self, layer: usize) -> bool {
        self.dictionary.layers.get(layer).is_some_and(|l| l.spec.objective.len() < self.options.epochs)
    }

    /// What the layer at work draws on.
    fn plane(&self) -> Shape {
        self.below.last().and_then(|b| b.first()).map_or(self.images[0].shape(), |b| b.pooled)
    }

    /// Goes on with a layer that has had some passes, or begins it if it had none.
    fn resume(&mut self) -> Result<()> {
        if self.dictionary.layers[self.layer()].spec.objective.is_empty() {
            return self.begin();
        }
        self.phase = Phase::Learn { warm: None };
        self.shuffle();
        Ok(())
    }

    /// Noise of its own for every layer and pass, so that one can go on from any of them.
    fn random(&self, layer: usize, epoch: usize) -> SplitMix {
        let place = (layer as u64 + 1).wrapping_mul(0x9E37_79B9).wrapping_add(epoch as u64);
        SplitMix::new(self.options.seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ place)
    }

    fn shuffle(&mut self) {
        let layer = self.layer();
        let mut random = self.random(layer, self.dictionary.layers[layer].spec.objective.len());
        let n = self.images.len();
        self.order = (0..n).collect();
        for i in (1..n).rev() {
            self.order.swap(i, random.below(i + 1));
        }
        self.at = 0;
        self.sums = [0.0; 3];
        self.sum = vec![0.0; self.dictionary.layers[layer].weights.len()];
        self.usage = vec![0.0; self.options.plan[layer].maps];
    }

    fn piece(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Lambda { search, found, warm } => self.search(search, found, warm),
            Phase::Learn { warm } => self.learn(warm),
            Phase::Pool { next } => self.pool(next),
            Phase::Done => Ok(()),
        }
    }

    /// One photo's code, or an update of the filters once the batch is full.
    fn learn(&mut self, warm: Option<usize>) -> Result<()> {
        let full = self.batch.len() == self.options.batch || self.at == self.images.len();
        if !full {
            let photo = self.order[self.at];
            let solver = self.infer(photo)?;
            let n = solver.z().len();
            let plane = n / self.usage.len();
            for (u, map) in self.usage.iter_mut().zip(solver.z().chunks_exact(plane)) {
                *u += map.iter().map(|v| f64::from(v.abs())).sum::<f64>();
            }
            self.sums[0] += solver.objective().last().copied().unwrap_or(solver.start());
            self.sums[1] += solver.error();
            self.sums[2] += solver.support() as f64 / n as f64;
            let (z, y) = (solver.z().to_vec(), self.images[photo].data().to_vec());
            self.batch.push(Sample { z, y, below: self.below[photo].clone() });
            self.at += 1;
            self.phase = Phase::Learn { warm };
            return Ok(());
        }
        let (at, steps, plane) = (self.layer(), self.options.steps, self.plane());
        let layer = &mut self.dictionary.layers[at];
        let [maps, _, kh, kw] = layer.shape;
        let sizes =
            Sizes { filters: layer.shape, maps: Shape::new(maps, plane.h + kh - 1, plane.w + kw - 1), plane };
        filters::update(&mut layer.weights, &sizes, &self.batch, steps)?;
        filters::normalise(&mut layer.weights, maps);
        self.sum.iter_mut().zip(&layer.weights).for_each(|(s, w)| *s += w);
        self.batch.clear();
        (self.conv, self.norm2) = (None, None);
        let over = self.at == self.images.len();
        self.phase = match warm {
            // Settled after a few batches, or a whole pass where there are no more.
            Some(left) if left <= 1 || over => {
                self.reseed()?;
                self.shuffle();
                Phase::Lambda { search: None, found: Vec::new(), warm: false }
            }
            Some(left) => Phase::Learn { warm: Some(left - 1) },
            None if over => return self.epoch(),
            None => Phase::Learn { warm },
        };
        Ok(())
    }

    /// A pass over the photos is over.
    fn epoch(&mut self) -> Result<()> {
        let (at, n) = (self.layer(), self.images.len() as f64);
        let layer = &mut self.dictionary.layers[at];
        let spec = &mut layer.spec;
        spec.objective.push(self.sums[0] / n);
        spec.error = Some(self.sums[1] / n);
        spec.support = Some(self.sums[2] / n);
        let epochs = spec.objective.len();
        if epochs < self.options.epochs {
            // What is drawn anew in the end could learn nothing any more.
            if 3 * epochs < 2 * self.options.epochs {
                self.reseed()?;
            }
            self.shuffle();
            self.phase = Phase::Learn { warm: None };
            return Ok(());
        }
        if epochs > 1 {
            // Every update leans towards the few photos that it saw; their mean does not. It explains photos of its own better, with fewer
            // values.
            layer.weights.copy_from_slice(&self.sum);
            filters::normalise(&mut layer.weights, layer.shape[0]);
            (self.conv, self.norm2) = (None, None);
        }
        if at + 1 < self.options.plan.len() {
            self.phase = Phase::Pool { next: 0 };
        }
        Ok(())
    }

    /// The switches of one photo in the layer that is finished, for those above.
    fn pool(&mut self, next: usize) -> Result<()> {
        let layer = self.below[next].len();
        let solver = self.infer(next)?;
        let conv = self.conv.clone().expect("made for the inference");
        let pool = self.options.plan[layer].pool;
        let maps = conv.domain();
        let (_, switches) = pool.run(solver.z(), maps)?;
        let pooled = pool.shape(maps)?;
        self.below[next].insert(0, Below { conv, switches: switches.into(), pooled });
        if next + 1 < self.images.len() {
            self.phase = Phase::Pool { next: next + 1 };
            return Ok(());
        }
        (self.conv, self.norm2) = (None, None);
        if self.dictionary.layers.len() == layer + 1 {
            return self.begin();
        }
        match self.unfinished(layer + 1) {
            true => self.resume(),
            false if layer + 2 < self.options.plan.len() => {
                self.phase = Phase::Pool { next: 0 };
                Ok(())
            }
            false => Ok(()),
        }
    }

    /// Counted in codes of a photo; every layer takes as long, a rough guess that never goes back.
    fn fraction(&self) -> f64 {
        let (n, epochs) = (self.images.len(), self.options.epochs);
        let search = infer::searched(n);
        let (warming, learning) = ((infer::WARM * self.options.batch).min(n), epochs * n);
        let (layer, passes) = self.position();
        let settled = 2 * search + warming;
        let (done, all) = (passes * n, settled + learning + n);
        let done = match &self.phase {
            Phase::Lambda { found, warm, .. } => {
                infer::GUESSED * found.len() + if *warm { 0 } else { search + warming }
            }
            Phase::Learn { warm: Some(_) } => search + self.at.min(warming),
            Phase::Learn { warm: None } => settled + done + self.at,
            Phase::Pool { next } => settled + done.max(learning) + next,
            Phase::Done => all,
        };
        ((layer - 1) as f64 + done as f64 / all as f64) / self.options.plan.len() as f64
    }
}

impl Job for Learning {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        inside(|| {
            while !matches!(self.phase, Phase::Done) {
                self.piece()?;
                if clock.elapsed() >= budget {
                    break;
                }
            }
            let done = matches!(self.phase, Phase::Done);
            Ok(Progress { fraction: if done { 1.0 } else { self.fraction() }, done })
        })
    }
}
