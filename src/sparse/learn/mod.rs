//! Learning a dictionary from photos, layer by layer (ADN11): infer the codes of a minibatch, then improve the filters at those
//! codes, each of unit norm; again and again. Seeded: the same photos and options give the same dictionary.

mod filters;
mod reseed;

use super::contrast;
use super::layers::{Below, Stack, draws};
use super::operator::{Conv, Operator, Power};
use super::pool3d::Pool3d;
use super::solver::{Method, Problem, Solver};
use super::weight::Search;
use crate::error::{Error, Result};
use crate::format::dictionary::{About, Dictionary, Layer, LayerSpec};
use crate::job::{Clock, Job, Progress};
use crate::kernel::inside;
use crate::random::SplitMix;
use crate::tensor::{Shape, Tensor};
use filters::{Sample, Sizes};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

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
    let mut plan = vec![layer(15, 3, 0.02), layer(50, 2, 0.01), layer(100, 2, 0.006), layer(150, 2, 0.004)];
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

/// Minibatches learned before λ is settled: it depends on the filters.
const WARM: usize = 4;
/// Photos on which λ is searched.
const SEARCHED: usize = 3;

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
        check(&options)?;
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
        fits(&options, shape)?;
        let dictionary = match from {
            Some(from) => same(from, &about, &options)?,
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

    /// A new layer with random filters.
    fn begin(&mut self) -> Result<()> {
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
        self.usage = vec![0.0; self.options.plan[layer].maps];
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

    fn conv(&mut self) -> Result<Arc<Conv>> {
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
        for _ in 0..8 {
            if power.step(&*stack)? {
                break;
            }
        }
        let norm2 = 1.25 * power.value();
        self.norm2 = Some(norm2);
        Ok((stack, norm2))
    }

    /// A photo's code in the layer above those it has switches of.
    fn infer(&mut self, photo: usize) -> Result<Solver> {
        let (operator, norm2) = self.operator(photo)?;
        let lambda = self.dictionary.layers[self.below[photo].len()].spec.lambda;
        let y = self.images[photo].data().to_vec();
        let problem = Problem { operator, y, lambda, step: 1.0 / (lambda * norm2) };
        let mut solver = Solver::new(problem, Method::Fista, None)?;
        (0..self.options.iterations).for_each(|_| solver.iterate());
        Ok(solver)
    }

    fn piece(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Lambda { search, found, warm } => self.search(search, found, warm),
            Phase::Learn { warm } => self.learn(warm),
            Phase::Pool { next } => self.pool(next),
            Phase::Done => Ok(()),
        }
    }

    fn search(&mut self, search: Option<Box<Search>>, mut found: Vec<f64>, warm: bool) -> Result<()> {
        let mut search = match search {
            Some(search) => search,
            None => {
                let photo = self.order[found.len()];
                let (operator, norm2) = self.operator(photo)?;
                let share = self.options.plan[self.layer()].share;
                Box::new(Search::new(operator, self.images[photo].data(), norm2, share)?)
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
        let spec = &mut self.dictionary.layers[at].spec;
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
        } else if at + 1 < self.options.plan.len() {
            self.phase = Phase::Pool { next: 0 };
        }
        Ok(())
    }

    fn reseed(&mut self) -> Result<()> {
        let (at, plane) = (self.layer(), self.plane());
        let layer = &self.dictionary.layers[at];
        let shape = layer.shape;
        let found = reseed::find(&layer.weights, shape, &self.usage);
        let mut random = self.random(at, 1000 + layer.spec.objective.len());
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

    fn fraction(&self) -> f64 {
        let (layers, epochs) = (self.options.plan.len() as f64, self.options.epochs as f64);
        let (layer, passes) = self.position();
        let within = (passes as f64 + self.at as f64 / self.images.len() as f64) / (epochs + 0.3);
        ((layer - 1) as f64 + within.min(0.999)) / layers
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

fn check(o: &Options) -> Result<()> {
    let counts = [("epochs", o.epochs), ("batch", o.batch), ("iterations", o.iterations), ("steps", o.steps)];
    for (what, n) in counts {
        if n == 0 || n > 100_000 {
            return Err(Error::Parameter(format!("{what} must be from 1 to 100000, got {n}")));
        }
    }
    if o.plan.is_empty() || o.plan.len() > 8 {
        return Err(Error::Parameter(format!("1 to 8 layers can be learned, not {}", o.plan.len())));
    }
    for (i, p) in o.plan.iter().enumerate() {
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

/// Whether every layer's filters fit what they draw on.
fn fits(o: &Options, image: Shape) -> Result<()> {
    let mut plane = image;
    for (i, p) in o.plan.iter().enumerate() {
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

/// A dictionary to go on with must be of the same making.
fn same(from: Dictionary, about: &About, o: &Options) -> Result<Dictionary> {
    from.check()?;
    let (a, b) = (&from.about, about);
    let alike = a.side == b.side
        && a.sigma == b.sigma
        && a.channels == b.channels
        && from.layers.len() <= o.plan.len();
    let layers = from.layers.iter().zip(&o.plan).all(|(l, p)| {
        l.shape[0] == p.maps
            && l.shape[2..] == [p.side, p.side]
            && (l.spec.pool_side, l.spec.pool_maps) == (p.pool.side, p.pool.maps)
    });
    if alike && layers {
        return Ok(from);
    }
    Err(Error::Parameter(
        "the dictionary to go on with was made with other options; give the same ones, or begin anew".into(),
    ))
}
