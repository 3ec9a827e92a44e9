//! Learning a dictionary: what pictures are made of is found, and filters that have learned explain other pictures better.
#![cfg(not(target_arch = "wasm32"))]

use std::sync::Arc;
use std::time::Duration;
use unpool::format::dictionary::{About, Dictionary};
use unpool::job::{self, Job};
use unpool::random::SplitMix;
use unpool::sparse::code::{Coding, Options as Code};
use unpool::sparse::learn::{Learning, Options, plan};
use unpool::tensor::{Shape, Tensor};

const SIDE: usize = 48;

fn about() -> About {
    let [title, licence, origin] = ["t", "l", "o"].map(String::from);
    About { title, licence, origin, side: SIDE, sigma: 8.0, channels: 1 }
}

fn picture(values: Vec<f32>) -> Tensor {
    let values = values.into_iter().map(|v| 128.0 + 40.0 * v).collect();
    Tensor::new(Shape::new(1, SIDE, SIDE), values).unwrap()
}

/// Bars in four directions, 5 long and 1 wide between darker flanks, of mean zero: 5 × 5.
fn strokes() -> Vec<[f32; 25]> {
    let directions: [fn(isize, isize) -> isize; 4] = [|y, _| y, |_, x| x, |y, x| y - x, |y, x| y + x];
    let stroke = |across: fn(isize, isize) -> isize| {
        let mut s = [0.0f32; 25];
        for (i, v) in s.iter_mut().enumerate() {
            let off = across(i as isize / 5 - 2, i as isize % 5 - 2).abs();
            *v = [1.0, -0.5, 0.0, 0.0, 0.0][off as usize];
        }
        let mean = s.iter().sum::<f32>() / 25.0;
        s.iter_mut().for_each(|v| *v -= mean);
        let norm = s.iter().map(|v| v * v).sum::<f32>().sqrt();
        s.map(|v| v / norm)
    };
    directions.map(stroke).to_vec()
}

/// A picture of strokes here and there, of either sign, and a little noise.
fn scattered(seed: u64) -> Tensor {
    let (mut random, strokes) = (SplitMix::new(seed), strokes());
    let mut values: Vec<f32> = (0..SIDE * SIDE).map(|_| 0.02 * random.normal() as f32).collect();
    for _ in 0..60 {
        let (y, x) = (random.below(SIDE - 4), random.below(SIDE - 4));
        let (stroke, size) = (&strokes[random.below(4)], random.normal() as f32);
        for (i, v) in stroke.iter().enumerate() {
            values[(y + i / 5) * SIDE + x + i % 5] += size * v;
        }
    }
    picture(values)
}

/// A picture of outlines: squares and crosses of one size, from edges in two directions each.
fn outlined(seed: u64) -> Tensor {
    let mut random = SplitMix::new(seed);
    let mut values: Vec<f32> = (0..SIDE * SIDE).map(|_| 0.02 * random.normal() as f32).collect();
    for _ in 0..8 {
        let (top, left, cross) = (random.below(SIDE - 12), random.below(SIDE - 12), random.below(2) == 0);
        let mut dot = |y: usize, x: usize| values[(top + y) * SIDE + left + x] += 1.0;
        for i in 0..12 {
            let places =
                if cross { [(5, i), (i, 5)].to_vec() } else { [(0, i), (11, i), (i, 0), (i, 11)].to_vec() };
            places.into_iter().for_each(|(y, x)| dot(y, x));
        }
    }
    picture(values)
}

#[test]
fn strokes_that_pictures_are_made_of_are_found() {
    let pictures: Vec<Tensor> = (1..=24).map(scattered).collect();
    let options = Options { plan: plan(1, &[6], &[0.01]).unwrap(), epochs: 16, ..Options::default() };
    let mut job = Learning::new(&pictures, about(), options, None).unwrap();
    job::run(&mut job).unwrap();
    let layer = &job.dictionary().layers[0];
    for filter in layer.weights.chunks_exact(49) {
        assert!((filter.iter().map(|w| w * w).sum::<f32>() - 1.0).abs() < 1e-5, "of unit norm");
    }
    for (k, stroke) in strokes().iter().enumerate() {
        let mut best = 0.0f32;
        for filter in layer.weights.chunks_exact(49) {
            for shift in 0..9 {
                let at = |i: usize| (shift / 3 + i / 5) * 7 + shift % 3 + i % 5;
                best = best.max((0..25).map(|i| stroke[i] * filter[at(i)]).sum::<f32>().abs());
            }
        }
        assert!(best > 0.9, "stroke {k}: the filter most like it has a cosine of {best}");
    }
}

/// The objective that layer `layers` of the dictionary reaches on other pictures, as a share of that of z = 0.
fn reached(dictionary: &Dictionary, layers: usize) -> f64 {
    let dictionary = Arc::new(dictionary.clone());
    let [mut all, mut zero] = [0.0; 2];
    for seed in 100..104 {
        let options = Code { layers: Some(layers), ..Code::default() };
        let mut job = Coding::new(dictionary.clone(), &outlined(seed), &options).unwrap();
        job::run(&mut job).unwrap();
        let solver = job.coded()[layers - 1].solver().unwrap();
        all += solver.objective().last().unwrap();
        zero += solver.start();
    }
    all / zero
}

#[test]
fn learned_filters_of_a_high_layer_explain_other_pictures_better_than_the_patches_they_began_as() {
    let pictures: Vec<Tensor> = (1..=16).map(outlined).collect();
    let options = Options { plan: plan(2, &[6, 8], &[0.04, 0.01]).unwrap(), epochs: 4, ..Options::default() };
    let mut job = Learning::new(&pictures, about(), options, None).unwrap();
    let (mut begun, mut fraction) = (None, 0.0);
    loop {
        let progress = job.step(Duration::ZERO).unwrap();
        assert!(progress.fraction >= fraction, "from {fraction} back to {}", progress.fraction);
        fraction = progress.fraction;
        if begun.is_none() && job.dictionary().layers.len() == 2 {
            begun = Some(job.dictionary().clone());
        }
        if progress.done {
            break;
        }
    }
    let mut begun = begun.expect("the second layer was begun");
    let learned = job.dictionary();
    assert_eq!(begun.layers[0].weights, learned.layers[0].weights, "layer 1 was finished");
    begun.layers[1].spec.lambda = learned.layers[1].spec.lambda;
    let (before, after) = (reached(&begun, 2), reached(learned, 2));
    assert!(1.0 - after > 1.15 * (1.0 - before), "of z = 0 remain {before}, after learning {after}");
}
