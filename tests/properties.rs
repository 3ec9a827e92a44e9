//! What must hold for every layer at every geometry: pull is the transpose of push, a rectangle
//! equals the same part of the whole, and the number of threads changes nothing.
#![cfg(not(target_arch = "wasm32"))]

mod common;
#[path = "common/layers.rs"]
mod layers;

use common::{Fixture, Random, error};
use layers::{KINDS, Subject};
use std::time::Duration;
use unpool::explain::deconvnet::{Options, Seed, project};
use unpool::job::Job;
use unpool::layer::{Descent, LrnRule, Push, Rule, Unpool};
use unpool::tensor::{Rect, Tensor, View};

const CASES: usize = 150;
/// Not linear at fixed switches and masks: their pull is a derivative.
const CURVED: [&str; 8] = ["lrn", "softmax", "log_softmax", "leaky", "prelu", "clip", "sigmoid", "tanh"];

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.data().iter().zip(b.data()).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

fn norm(a: &Tensor) -> f64 {
    dot(a, a).sqrt()
}

fn gradient() -> Descent {
    Descent { rule: Rule::Gradient, ..Descent::default() }
}

/// ⟨pull(s), v⟩ summed over the inputs.
fn pulled(s: &Subject, signal: &Tensor, along: &[Tensor]) -> f64 {
    (0..along.len()).map(|i| dot(&s.pull(&gradient(), signal.view(), i, s.inputs[i].rect), &along[i])).sum()
}

/// ⟨s, push(v)⟩ = ⟨pull(s), v⟩ for the linear part of the layer at fixed switches and masks.
#[test]
fn pull_is_the_adjoint_of_push() {
    for kind in KINDS.iter().filter(|k| !CURVED.contains(k)) {
        let mut worst = 0f64;
        for i in 0..CASES {
            let mut rng = Random(i as u64);
            let s = Subject::random(kind, &mut rng);
            let signal = rng.tensor(s.output.shape());
            let along: Vec<Tensor> = s.inputs.iter().map(|t| rng.tensor(t.shape())).collect();
            let mut linear = s.output.clone();
            match *kind {
                "max_pool" | "global_max" => {
                    for (y, at) in linear.data_mut().iter_mut().zip(&s.switches) {
                        *y = along[0].data()[*at as usize];
                    }
                }
                "relu" => {
                    for ((y, x), v) in
                        linear.data_mut().iter_mut().zip(s.inputs[0].data()).zip(along[0].data())
                    {
                        *y = if *x > 0.0 { *v } else { 0.0 };
                    }
                }
                "product" => {
                    linear.data_mut().fill(0.0);
                    for (i, v) in along.iter().enumerate() {
                        let mut one = s.inputs.clone();
                        one[i] = v.clone();
                        let term = s.push(&one).0;
                        linear.data_mut().iter_mut().zip(term.data()).for_each(|(y, t)| *y += t);
                    }
                }
                _ => {
                    let zeros: Vec<Tensor> =
                        s.inputs.iter().map(|t| Tensor::zeros(t.channels(), t.rect)).collect();
                    let at_zero = s.push(&zeros).0;
                    linear = s.push(&along).0;
                    linear.data_mut().iter_mut().zip(at_zero.data()).for_each(|(y, b)| *y -= b);
                }
            }
            let off = (pulled(&s, &signal, &along) - dot(&signal, &linear)).abs()
                / (norm(&signal) * norm(&linear)).max(1e-20);
            assert!(off < 1e-5, "{}: off by {off:.1e}", s.text);
            worst = worst.max(off);
        }
        println!("{kind:<11} worst {worst:.1e}");
    }
}

/// For what is not linear, the same with the directional derivative, by central differences.
#[test]
fn pull_of_what_is_curved_is_its_derivative() {
    for kind in CURVED {
        for i in 0..CASES {
            let mut rng = Random(i as u64);
            let s = Subject::random(kind, &mut rng);
            let signal = rng.tensor(s.output.shape());
            let along = rng.tensor(s.inputs[0].shape());
            let moved = |by: f32| {
                let mut x = s.inputs[0].clone();
                x.data_mut().iter_mut().zip(along.data()).for_each(|(x, v)| *x += by * v);
                s.push(&[x]).0
            };
            let (up, down) = (moved(5e-3), moved(-5e-3));
            let slope = (dot(&signal, &up) - dot(&signal, &down)) / 1e-2;
            let off = (pulled(&s, &signal, std::slice::from_ref(&along)) - slope).abs();
            assert!(off < 1e-3 * norm(&signal) * norm(&along), "{}: off by {off:.1e}", s.text);
        }
    }
}

/// The part of a plane that `rect` names, in memory of its own.
fn part(whole: &Tensor, rect: Rect) -> Tensor {
    whole.view().crop(rect).to_tensor()
}

/// The same plane with NaN wherever it must not be read.
fn poisoned(whole: &Tensor, rect: Rect) -> Tensor {
    let mut t = whole.clone();
    t.data_mut().fill(f32::NAN);
    t.view_mut().crop(rect).copy_from(whole.view());
    t
}

/// Some rectangles of the output at once, each from no more input than `reads` names, written into
/// larger arrays: the same values and switches as in the whole, and nothing outside is read or written.
#[test]
fn forward_of_rectangles_equals_the_whole() {
    for kind in KINDS {
        for i in 0..CASES {
            let mut rng = Random(1000 + i as u64);
            let s = Subject::random(kind, &mut rng);
            let shapes = s.shapes();
            let shape = s.output.shape();
            let rects: Vec<Rect> = (0..rng.range(1, 3)).map(|_| rng.rect(shape.h, shape.w)).collect();
            let needs = |r: &Rect, k: usize| s.layer.reads(r, shapes[k]).intersect(&shapes[k].rect());
            let rectify = s.layer.fuses_relu() && rng.range(0, 1) == 1;
            let planes: Vec<Vec<Tensor>> = rects
                .iter()
                .map(|r| (0..shapes.len()).map(|k| poisoned(&s.inputs[k], needs(r, k))).collect())
                .collect();
            let views: Vec<Vec<View>> = rects
                .iter()
                .zip(&planes)
                .map(|(r, p)| (0..shapes.len()).map(|k| p[k].view().crop(needs(r, k))).collect())
                .collect();
            let mut outputs: Vec<Tensor> =
                rects.iter().map(|_| Tensor::zeros(shape.c, shape.rect())).collect();
            outputs.iter_mut().for_each(|o| o.data_mut().fill(77.0));
            let mut switches: Vec<Vec<u32>> = rects.iter().map(|r| vec![0; shape.c * r.area()]).collect();
            let mut items: Vec<Push> = outputs
                .iter_mut()
                .zip(&mut switches)
                .zip(rects.iter().zip(&views))
                .map(|((o, sw), (r, inputs))| Push {
                    inputs,
                    shapes: &shapes,
                    output: o.view_mut().crop(*r),
                    switches: s.layer.has_switches().then_some(sw.as_mut_slice()),
                })
                .collect();
            s.layer.forward(&mut items, rectify);
            for ((out, sw), r) in outputs.iter().zip(&switches).zip(&rects) {
                let mut expected = Tensor::zeros(shape.c, shape.rect());
                expected.data_mut().fill(77.0);
                let mut inside = part(&s.output, *r);
                if rectify {
                    inside.data_mut().iter_mut().for_each(|v| *v = v.max(0.0));
                }
                expected.view_mut().crop(*r).copy_from(inside.view());
                let outside = out.data().iter().zip(expected.data()).any(|(o, e)| *e == 77.0 && *o != 77.0);
                assert!(!outside, "{}: {r:?} writes outside", s.text);
                let e = error(part(out, *r).data(), inside.data());
                assert!(e < 2e-5, "{}: {r:?} is off by {e:.1e}", s.text);
                if s.layer.has_switches() {
                    let whole: Vec<u32> = (0..shape.c)
                        .flat_map(|c| (r.y0..r.y1).flat_map(move |y| (r.x0..r.x1).map(move |x| (c, y, x))))
                        .map(|(c, y, x)| s.switches[(c * shape.h + y as usize) * shape.w + x as usize])
                        .collect();
                    assert_eq!(sw, &whole, "{}: switches of {r:?}", s.text);
                }
            }
        }
    }
}

/// A signal that is zero outside a rectangle, pulled over any rectangle of the input, under every rule.
#[test]
fn pull_over_rectangles_equals_the_whole() {
    for kind in KINDS {
        for i in 0..CASES {
            let mut rng = Random(2000 + i as u64);
            let s = Subject::random(kind, &mut rng);
            let shape = s.output.shape();
            let from = rng.rect(shape.h, shape.w);
            let signal = part(&rng.tensor(shape), from);
            let mut wide = Tensor::zeros(shape.c, shape.rect());
            wide.view_mut().copy_from(signal.view());
            let descent = Descent {
                rule: [Rule::Deconvnet, Rule::Gradient, Rule::Guided][i % 3],
                unpool: [Unpool::Switches, Unpool::Centre][i / 3 % 2],
                lrn: [None, Some(LrnRule::Identity), Some(LrnRule::Divide)][i / 6 % 3],
            };
            for (which, input) in s.inputs.iter().enumerate() {
                let whole = s.pull(&descent, wide.view(), which, input.rect);
                let scale = whole.data().iter().fold(0f32, |m, v| m.max(v.abs())).max(1e-20);
                let to = rng.rect(input.rect.h(), input.rect.w());
                let some = s.pull(&descent, signal.view(), which, to);
                let reached = s.layer.reads(&from, input.shape()).intersect(&input.rect);
                for (a, b) in some.data().iter().zip(part(&whole, to).data()) {
                    assert!((a - b).abs() < 2e-5 * scale, "{}: {from:?} to {to:?}: {a}, not {b}", s.text);
                }
                for (i, v) in whole.data().iter().enumerate() {
                    let (y, x) = (i / input.rect.w() % input.rect.h(), i % input.rect.w());
                    let inside = reached.holds(y as isize, x as isize);
                    let centre = descent.unpool == Unpool::Centre;
                    assert!(*v == 0.0 || inside || centre, "{}: {from:?} reaches {y},{x}", s.text);
                }
            }
        }
    }
}

/// `reaches` names every output that a changed input can change.
#[test]
fn reaches_covers_what_an_input_changes() {
    for kind in KINDS {
        for i in 0..CASES {
            let mut rng = Random(3000 + i as u64);
            let s = Subject::random(kind, &mut rng);
            let shape = s.output.shape();
            let which = rng.range(0, s.inputs.len() - 1);
            let changed = rng.rect(s.inputs[which].rect.h(), s.inputs[which].rect.w());
            let mut inputs = s.inputs.clone();
            let noise = rng.tensor(inputs[which].shape());
            inputs[which].view_mut().crop(changed).copy_from(noise.view());
            let after = s.push(&inputs).0;
            let reached = s.layer.reaches(&changed, shape);
            for (i, (a, b)) in after.data().iter().zip(s.output.data()).enumerate() {
                let (y, x) = (i / shape.w % shape.h, i % shape.w);
                let inside = reached.holds(y as isize, x as isize);
                assert!(inside || (a - b).abs() < 1e-5, "{}: {changed:?} changes {y},{x}", s.text);
            }
        }
    }
}

/// The gradient rule is linear in the seed: a whole map's projection is the sum of its units'.
#[test]
fn units_sum_to_their_map() {
    for name in ["overlap", "stride2", "fire", "pool3d", "residual", "squeezenet"] {
        let trace = Fixture::named(name).trace();
        let net = trace.net().clone();
        let node = (1..net.len()).rev().find(|&n| (2..120).contains(&trace.shape(n).rect().area())).unwrap();
        let map = trace.maps(node).iter().max_by(|a, b| a.peak.total_cmp(&b.peak)).unwrap().map;
        let options = Options { descent: gradient(), ..Options::default() };
        let whole = project(&trace, node, &Seed::Map { map }, &options).unwrap().pixels;
        let mut sum = Tensor::zeros(whole.channels(), whole.rect);
        for (y, x) in (0..trace.shape(node).h).flat_map(|y| (0..trace.shape(node).w).map(move |x| (y, x))) {
            let unit = project(&trace, node, &Seed::Unit { map, at: Some([y, x]) }, &options).unwrap();
            let field = unit.receptive_field;
            for (i, v) in unit.pixels.data().iter().enumerate() {
                let (iy, ix) = (i / whole.rect.w() % whole.rect.h(), i % whole.rect.w());
                assert!(*v == 0.0 || field.holds(iy as isize, ix as isize), "{name}: {iy},{ix} of {field:?}");
                sum.data_mut()[i] += v;
            }
        }
        let e = error(sum.data(), whole.data());
        assert!(e < 1e-5 && norm(&whole) > 0.0, "{name}: {} is off by {e:.1e}", net.name(node));
    }
}

/// One thread, two, three: the same bits, up and down.
#[test]
fn threads_change_nothing() {
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let pools = [pool(1), pool(2), pool(3)];
    for f in Fixture::all() {
        let results: Vec<Vec<Tensor>> = pools
            .iter()
            .map(|p| {
                p.install(|| {
                    let trace = f.trace();
                    let up = (1..trace.net().len()).map(|n| trace.activation(n));
                    let down = f.cases.iter().map(|c| {
                        let node = trace.net().find(&c.layer).unwrap();
                        project(&trace, node, &c.seed, &c.options).unwrap().pixels
                    });
                    up.chain(down).collect()
                })
            })
            .collect();
        assert!(results[0] == results[1] && results[0] == results[2], "{} depends on the threads", f.name);
    }
}

/// A batch, and a pass that is stepped a layer at a time, give what single passes give.
#[test]
fn batches_and_slices_change_nothing() {
    for name in ["overlap", "lenet", "alexnet", "squeezenet", "residual"] {
        let f = Fixture::named(name);
        let one = f.trace();
        let net = one.net().clone();
        let mut rng = Random(7);
        let inputs = vec![rng.tensor(f.data.shape()), f.data.clone(), rng.tensor(f.data.shape())];
        let batch = net.forward_batch(inputs.clone()).unwrap();
        let mut job = net.start(inputs.clone()).unwrap();
        let (mut steps, mut before) = (1, 0.0);
        loop {
            let p = job.step(Duration::ZERO).unwrap();
            assert!(p.fraction >= before && p.fraction <= 1.0 + 1e-9, "{name}: {p:?} after {before}");
            before = p.fraction;
            if p.done {
                break;
            }
            steps += 1;
        }
        assert_eq!(steps, net.len() - 1, "{name}: one layer a step");
        let sliced = job.finish().unwrap();
        let random = net.forward(inputs[2].clone()).unwrap();
        for node in 0..net.len() {
            let close = |a: &unpool::net::Trace, b: &unpool::net::Trace, what: &str| {
                let e = error(a.activation(node).data(), b.activation(node).data());
                assert!(e < 2e-5, "{name}: {} of a {what} is off by {e:.1e}", net.name(node));
            };
            close(&batch[1], &one, "batch");
            close(&batch[2], &random, "batch");
            close(&sliced[1], &one, "sliced pass");
            close(&sliced[2], &random, "sliced pass");
        }
    }
}
