//! A batch's chunks on the threads: losses and gradients, which do not depend on how many there are.

use super::data;
use super::run::{Run, mix};
use super::tape::{self, CHUNK, Score, Tape};
use crate::error::Result;
use crate::kernel::parallel;
use crate::random::SplitMix;
use crate::spec::Weights;
use std::sync::{Mutex, PoisonError};

/// What one thread needs for some images.
#[derive(Default)]
pub(super) struct Chunk {
    tape: Tape,
    gradient: Vec<f32>,
    labels: Vec<usize>,
    score: Score,
}

impl Run {
    /// The gradient of the mean loss over the first samples of the data as they are (no augmentation, nothing switched
    /// off), by tensor: for checks against other programs.
    pub fn gradient(&mut self, samples: usize) -> (f64, Weights) {
        let all: Vec<u32> = (0..samples.min(self.data.train.images.len()) as u32).collect();
        let score = self.descend(&all, None);
        (score.loss / all.len().max(1) as f64, self.parameters.named(&self.gradient))
    }

    /// The mean loss over the same samples.
    pub fn loss(&mut self, samples: usize) -> f64 {
        let all: Vec<u32> = (0..samples.min(self.data.train.images.len()) as u32).collect();
        self.climb(&all, false).loss / all.len().max(1) as f64
    }

    /// One step on given samples, without augmentation: for checks against other programs.
    pub fn step_on(&mut self, samples: usize) -> Result<()> {
        self.gradient(samples);
        self.update()
    }

    /// Prepares that many chunks.
    fn room(&mut self, chunks: usize) {
        self.chunks.resize_with(self.chunks.len().max(chunks), Mutex::default);
    }

    /// Forward and backward over samples; the sum of the gradients is left in `self.gradient`.
    pub(super) fn descend(&mut self, samples: &[u32], step: Option<usize>) -> Score {
        let n = samples.len().div_ceil(CHUNK);
        self.room(n);
        let (recipe, input) = (&self.experiment.training, &self.experiment.network.input);
        let work = |i: usize| {
            let own = &samples[i * CHUNK..samples.len().min((i + 1) * CHUNK)];
            let mut chunk = self.chunks[i].lock().unwrap_or_else(PoisonError::into_inner);
            let Chunk { tape, gradient, labels, score } = &mut *chunk;
            // Every sample has a generator of its own, so that it does not matter who draws first.
            let seed = |salt: u64| step.map(|s| SplitMix::new(mix(recipe.seed, s as u64, salt)));
            let each = input.shape.c * input.shape.h * input.shape.w;
            labels.clear();
            for ((b, &s), out) in
                own.iter().enumerate().zip(tape.inputs(&self.plan, own.len()).chunks_exact_mut(each))
            {
                let mut random = seed(2 + (i * CHUNK + b) as u64);
                labels.push(data::sample(&self.data.train, s as usize, recipe, input, random.as_mut(), out));
            }
            let mut random = seed((1 << 32) + i as u64);
            tape.forward(&self.net, &self.plan, recipe, random.as_mut(), &self.parameters);
            *score = tape.score(&self.plan, labels);
            gradient.clear();
            gradient.resize(self.parameters.values.len(), 0.0);
            tape.backward(&self.net, &self.plan, &self.parameters, labels, samples.len(), gradient);
        };
        parallel::for_each(n, rayon::current_num_threads(), &|i| parallel::alone(|| work(i)));
        self.gradient.fill(0.0);
        let mut all = Score::default();
        for chunk in &mut self.chunks[..n] {
            let chunk = chunk.get_mut().unwrap_or_else(PoisonError::into_inner);
            tape::add(&mut self.gradient, &chunk.gradient);
            all.loss += chunk.score.loss;
            all.right += chunk.score.right;
        }
        all
    }

    /// Forward only, as at test time.
    pub(super) fn climb(&mut self, samples: &[u32], test: bool) -> Score {
        let n = samples.len().div_ceil(CHUNK);
        self.room(n);
        let (recipe, input) = (&self.experiment.training, &self.experiment.network.input);
        let part = if test { &self.data.test } else { &self.data.train };
        let work = |i: usize| {
            let own = &samples[i * CHUNK..samples.len().min((i + 1) * CHUNK)];
            let mut chunk = self.chunks[i].lock().unwrap_or_else(PoisonError::into_inner);
            let Chunk { tape, labels, score, .. } = &mut *chunk;
            let each = input.shape.c * input.shape.h * input.shape.w;
            labels.clear();
            for (&s, out) in own.iter().zip(tape.inputs(&self.plan, own.len()).chunks_exact_mut(each)) {
                labels.push(data::sample(part, s as usize, recipe, input, None, out));
            }
            tape.forward(&self.net, &self.plan, recipe, None, &self.parameters);
            *score = tape.score(&self.plan, labels);
        };
        parallel::for_each(n, rayon::current_num_threads(), &|i| parallel::alone(|| work(i)));
        let mut all = Score::default();
        for chunk in &mut self.chunks[..n] {
            let chunk = chunk.get_mut().unwrap_or_else(PoisonError::into_inner);
            all.loss += chunk.score.loss;
            all.right += chunk.score.right;
        }
        all
    }
}
