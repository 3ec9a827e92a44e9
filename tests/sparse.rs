//! Sparse coding against an independent solver (tests/data/make_sparse.py), adjoints, descent, divergence, bad input.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use unpool::Error;
use unpool::format::dictionary::{self, About, Dictionary, Layer, LayerSpec};
use unpool::job::{self, Job};
use unpool::kernel::conv::Geometry;
use unpool::random::SplitMix;
use unpool::sparse::code::{Coding, Options as Code};
use unpool::sparse::invert::{Crossing, Inversion, Options, Stage};
use unpool::sparse::layers::{Below, Stack, draws};
use unpool::sparse::operator::{Conv, Operator, norm2};
use unpool::sparse::path::Path;
use unpool::sparse::pool3d::Pool3d;
use unpool::sparse::solver::{Method, Prior, Problem, Solver, Start};
use unpool::tensor::{Shape, Tensor};
use unpool::window::Window;

fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix::new(seed);
    (0..n).map(|_| random.normal() as f32).collect()
}

/// A problem of tests/data/sparse with its solution.
#[derive(Deserialize)]
struct Fixture {
    name: String,
    below: Shape,
    filters: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    groups: usize,
    down: bool,
    domain: Shape,
    range: Shape,
    weights: Vec<f32>,
    y: Vec<f32>,
    lambda: f64,
    norm2: f64,
    objective: f64,
    z: Vec<f32>,
}

impl Fixture {
    fn all() -> Vec<Fixture> {
        ["strided", "grouped", "dictionary", "colour"]
            .map(|name| {
                let path = format!("{}/tests/data/sparse/{name}.json", env!("CARGO_MANIFEST_DIR"));
                serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
            })
            .into()
    }

    fn operator(&self) -> Arc<Conv> {
        let window = Window::square(self.kernel, self.stride, self.pad);
        let g = Geometry { inputs: self.below.c, outputs: self.filters, groups: self.groups, window };
        let make = if self.down { Conv::pull } else { Conv::push };
        Arc::new(make(&self.weights, &g, self.below).unwrap())
    }

    fn solver(&self, method: Method, steps: f64) -> Solver {
        let operator = self.operator();
        let problem = Problem {
            step: steps / (self.lambda * self.norm2),
            operator,
            y: self.y.clone(),
            lambda: self.lambda,
            prior: Prior::Sparse,
        };
        Solver::new(problem, method, None).unwrap()
    }
}

#[test]
fn both_methods_reach_what_coordinate_descent_found() {
    for f in Fixture::all() {
        let operator = f.operator();
        assert_eq!((operator.domain(), operator.range()), (f.domain, f.range), "{}", f.name);
        let found = norm2(&*operator).unwrap();
        assert!((found / f.norm2 - 1.0).abs() < 0.01, "{}: {found} for {}", f.name, f.norm2);
        for (method, iterations) in [(Method::Fista, 3000), (Method::Ista, 20000)] {
            let mut s = f.solver(method, 1.0);
            (0..iterations).for_each(|_| s.iterate());
            let last = s.objective().last().unwrap();
            assert!(
                (last / f.objective - 1.0).abs() < 1e-6,
                "{} {method:?}: {last} for {}",
                f.name,
                f.objective
            );
            // The objective reported is that of z.
            let mut image = vec![0.0; f.y.len()];
            operator.apply(s.z(), None, &mut image);
            let error: f64 = image.iter().zip(&f.y).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            let own = f.lambda / 2.0 * error + s.z().iter().map(|v| f64::from(v.abs())).sum::<f64>();
            assert!((own / last - 1.0).abs() < 1e-5, "{}: {own} for {last}", f.name);
            let most = f.z.iter().fold(0f32, |m, v| m.max(v.abs()));
            let off = s.z().iter().zip(&f.z).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(off < 0.01 * most, "{} {method:?}: z is off by {off} of {most}", f.name);
        }
    }
}

#[test]
fn istas_objective_never_rises_up_to_the_step_that_power_iteration_allows() {
    for f in Fixture::all() {
        for steps in [0.3, 1.0] {
            let mut s = f.solver(Method::Ista, steps);
            (0..500).for_each(|_| s.iterate());
            let all: Vec<f64> = [s.start()].iter().chain(s.objective()).copied().collect();
            // Beside the rounding of a float32 residual.
            assert!(all.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-7)), "{} {steps}", f.name);
        }
    }
}

#[test]
fn a_step_too_large_is_shown_diverging_and_then_said() {
    let f = &Fixture::all()[0];
    let mut s = f.solver(Method::Ista, 4.0);
    (0..2000).for_each(|_| s.iterate());
    assert!(s.diverged() && s.objective().len() < 2000);
    let finite = &s.objective()[..s.objective().len() - 1];
    assert!(
        finite.iter().all(|v| v.is_finite()) && finite.last() > finite.first(),
        "the rise is there to see"
    );
}

fn operators() -> Vec<(String, Box<dyn Operator>)> {
    let mut all: Vec<(String, Box<dyn Operator>)> = Vec::new();
    for (kernel, stride, pad, groups) in
        [(3, 1, 1, 1), (5, 1, 2, 2), (11, 4, 2, 1), (7, 2, 1, 1), (3, 2, 0, 2), (1, 1, 0, 1), (5, 3, 4, 1)]
    {
        let g = Geometry { inputs: 4, outputs: 6, groups, window: Window::square(kernel, stride, pad) };
        let weights = noise(6 * 4 / groups * kernel * kernel, 5);
        let below = Shape::new(4, 23, 19);
        let name = format!("{kernel}/{stride} pad {pad}, {groups} groups");
        all.push((format!("push {name}"), Box::new(Conv::push(&weights, &g, below).unwrap())));
        all.push((format!("pull {name}"), Box::new(Conv::pull(&weights, &g, below).unwrap())));
    }
    for layers in 1..=4 {
        all.push((format!("R{layers}"), Box::new(stack(layers, 3))));
    }
    all
}

/// R_l over seeded filters, its switches those of seeded maps.
fn stack(layers: usize, seed: u64) -> Stack {
    let mut plane = Shape::new(1, 41, 37);
    let mut below = Vec::new();
    for (l, (maps, group)) in [(6, 3), (8, 2), (6, 2), (5, 1)].into_iter().take(layers).enumerate() {
        let weights = noise(maps * plane.c * 25, seed + l as u64);
        let conv = Arc::new(draws(&weights, [maps, plane.c, 5, 5], plane).unwrap());
        let pool = Pool3d { side: 2, maps: group };
        let n = conv.domain().count().unwrap();
        let (_, switches) = pool.run(&noise(n, 70 + l as u64), conv.domain()).unwrap();
        let pooled = pool.shape(conv.domain()).unwrap();
        if l + 1 == layers {
            below.reverse();
            return Stack::new(conv, below).unwrap();
        }
        plane = pooled;
        below.push(Below { conv, switches: switches.into(), pooled });
    }
    unreachable!("at least one layer")
}

#[test]
fn every_operator_and_its_transpose_are_adjoint() {
    for (name, f) in operators() {
        let (n, m) = (f.domain().count().unwrap(), f.range().count().unwrap());
        for share in [1.0, 0.03] {
            let mut random = SplitMix::new(9);
            // A sparse z goes another way through the kernels.
            let z: Vec<f32> =
                noise(n, 1).into_iter().map(|v| if random.uniform() < share { v } else { 0.0 }).collect();
            let support = z.iter().filter(|v| **v != 0.0).count();
            let r = noise(m, 2);
            let (mut fz, mut fr) = (vec![0.0; m], vec![0.0; n]);
            f.apply(&z, Some(support), &mut fz);
            f.adjoint(&r, &mut fr);
            let dot = |a: &[f32], b: &[f32]| {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
            };
            let (left, right) = (dot(&fz, &r), dot(&z, &fr));
            let scale = (dot(&fz, &fz) * dot(&r, &r)).sqrt();
            assert!((left - right).abs() <= 1e-5 * scale, "{name} at {share}: {left} and {right} of {scale}");
        }
    }
}

#[test]
fn at_single_places_the_transpose_is_the_same() {
    let (plane, filters) = (Shape::new(2, 19, 23), [5, 2, 7, 6]);
    let weights = noise(filters.iter().product(), 3);
    let f = draws(&weights, filters, plane).unwrap();
    let (n, r) = (f.domain().count().unwrap(), noise(plane.count().unwrap(), 4));
    let mut all = vec![0.0; n];
    f.adjoint(&r, &mut all);
    // All corners, then places in no order, some twice.
    let mut random = SplitMix::new(5);
    let places: Vec<u32> = [0, 27, n - 28, n - 1]
        .into_iter()
        .chain((0..200).map(|_| random.below(n)))
        .map(|p| p as u32)
        .collect();
    let mut some = vec![f32::NAN; places.len()];
    f.adjoint_at(&r, &places, &mut some);
    for (p, v) in places.iter().zip(&some) {
        assert!((v - all[*p as usize]).abs() < 1e-4, "at {p}: {v} and {}", all[*p as usize]);
    }
}

#[test]
fn pooling_keeps_the_sign_and_remembers_the_place() {
    let maps = Shape::new(2, 3, 3);
    let mut z = vec![0.0; 18];
    (z[1], z[9], z[17], z[6]) = (2.0, -3.0, 1.5, -0.5);
    let pool = Pool3d { side: 2, maps: 2 };
    assert_eq!(pool.shape(maps).unwrap(), Shape::new(1, 2, 2));
    let (pooled, switches) = pool.run(&z, maps).unwrap();
    // Windows at the border are cut short; where all is zero the first one wins.
    assert_eq!((pooled, switches), (vec![-3.0, 0.0, -0.5, 1.5], vec![9, 2, 6, 17]));
    assert!(matches!(Pool3d { side: 2, maps: 3 }.shape(maps), Err(Error::Shape(_))));
}

fn stage(truth: Shape, outputs: usize, kernel: usize, stride: usize) -> Stage {
    let mut random = SplitMix::new(4);
    let values = noise(truth.count().unwrap(), 3)
        .into_iter()
        .map(|v| if random.uniform() < 0.05 { v.abs() } else { 0.0 })
        .collect();
    Stage {
        name: "conv".into(),
        input: "data".into(),
        geometry: Geometry { inputs: truth.c, outputs, groups: 1, window: Window::square(kernel, stride, 1) },
        weights: noise(outputs * truth.c * kernel * kernel, 8),
        bias: vec![],
        truth: Tensor::new(truth, values).unwrap(),
        crossings: vec![],
        pixels: false,
    }
}

#[test]
fn a_sparse_input_is_recovered_better_than_by_the_transposed_filters() {
    let truth = Shape::new(3, 20, 18);
    let mut job =
        Inversion::new(vec![stage(truth, 12, 3, 1)], &Options { iterations: 200, ..Options::default() })
            .unwrap();
    let mut last = 0.0;
    loop {
        let p = job.step(Duration::ZERO).unwrap();
        assert!(p.fraction >= last && (p.fraction < 1.0 || p.done), "progress only grows");
        last = p.fraction;
        if p.done {
            break;
        }
    }
    let r = &job.recovered()[0];
    let s = r.solver().unwrap();
    let share = s.support() as f64 / truth.count().unwrap() as f64;
    assert!((0.03..0.08).contains(&share), "about 5 % by default, got {share}");
    assert!(
        r.likeness().unwrap() > 0.97 && r.transpose_likeness() < 0.93,
        "{:?} {}",
        r.likeness(),
        r.transpose_likeness()
    );
    assert_eq!((s.objective().len(), r.statement()), (200, None));
}

/// A way of two layers: below the first a ReLU and a pooling, then the second, which reads pixels.
fn way(lambda: Vec<f64>, prior: Vec<Prior>) -> Result<Inversion, Error> {
    let (pixels, side) = (Shape::new(2, 14, 14), 12);
    let lower = Stage {
        name: "conv1".into(),
        truth: Tensor::new(pixels, noise(2 * 14 * 14, 20)).unwrap(),
        pixels: true,
        geometry: Geometry { inputs: 2, outputs: 3, groups: 1, window: Window::square(3, 1, 0) },
        weights: noise(3 * 2 * 9, 21),
        ..stage(pixels, 3, 3, 1)
    };
    let mut upper = stage(Shape::new(3, side / 2, side / 2), 8, 3, 1);
    // Every pooled value came from the lower right of its four.
    let switches =
        (0..3 * 36).map(|i| (i / 36 * 144 + (i / 6 % 6 * 2 + 1) * 12 + i % 6 * 2 + 1) as u32).collect();
    let below = Shape::new(3, side, side);
    upper.crossings = vec![Crossing::Unpool { switches, below }, Crossing::Rectify];
    let options = Options { lambda, prior, iterations: 300, ..Options::default() };
    let mut job = Inversion::new(vec![upper, lower], &options)?;
    job::run(&mut job)?;
    Ok(job)
}

#[test]
fn a_layer_to_which_nothing_came_down_is_refused_by_name() {
    let Err(Error::Parameter(says)) = way(vec![1e-9], vec![]) else { panic!("there is nothing to explain") };
    assert!(says.contains("conv1") && says.contains("larger λ"), "{says}");
}

#[test]
fn below_a_layer_only_what_came_down_is_explained_and_pixels_are_smooth() {
    let job = way(vec![50.0], vec![]).unwrap();
    let [above, pixels] = job.recovered() else { panic!("two layers") };
    assert_eq!((above.prior(), above.known(), pixels.prior()), (Prior::Sparse, 1.0, Prior::Smooth));
    let came = above.z().data().iter().filter(|v| **v > 0.0).count();
    assert!(came > 0);
    assert_eq!(pixels.known(), came as f64 / (3.0 * 144.0), "what is above zero came through, nothing else");
    let s = pixels.solver().unwrap();
    assert!(
        s.residual().iter().zip(pixels.response()).all(|(r, y)| *y != 0.0 || *r == 0.0),
        "the rest is not asked for"
    );
    assert!(s.error() < 0.05, "what is known is explained: {}", s.error());
    assert!(s.objective().windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-5)), "conjugate gradient descends");
    let job = way(vec![50.0], vec![Prior::Sparse, Prior::Sparse]).unwrap();
    assert_eq!(job.recovered()[1].prior(), Prior::Sparse);
    assert!(job.recovered()[1].solver().unwrap().support() < 2 * 14 * 14, "few values, as asked for");
    let none = Inversion::new(
        vec![stage(Shape::new(2, 9, 9), 4, 3, 1)],
        &Options { prior: vec![Prior::Sparse; 2], ..Options::default() },
    );
    assert!(matches!(none, Err(Error::Parameter(m)) if m.contains("priors")));
}

/// x of A x = b by elimination with pivots.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let p = (i..n).max_by(|p, q| a[*p][i].abs().total_cmp(&a[*q][i].abs())).unwrap();
        a.swap(i, p);
        b.swap(i, p);
        let pivot = a[i].clone();
        for k in i + 1..n {
            let f = a[k][i] / pivot[i];
            a[k].iter_mut().zip(&pivot).skip(i).for_each(|(a, p)| *a -= f * p);
            b[k] -= f * b[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| a[i][j] * b[j]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    b
}

#[test]
fn the_smooth_prior_is_solved_to_what_elimination_finds() {
    let (h, w) = (7, 6);
    let shape = Shape::new(2, h, w);
    let geometry = Geometry { inputs: 2, outputs: 3, groups: 1, window: Window::square(3, 2, 1) };
    let f = Arc::new(Conv::push(&noise(54, 30), &geometry, shape).unwrap());
    let (n, m, lambda) = (2 * h * w, f.range().count().unwrap(), 0.7);
    let y = noise(m, 31);
    let columns: Vec<Vec<f32>> = (0..n)
        .map(|i| {
            let (mut z, mut column) = (vec![0.0; n], vec![0.0; m]);
            z[i] = 1.0;
            f.apply(&z, None, &mut column);
            column
        })
        .collect();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let mut a: Vec<Vec<f64>> =
        columns.iter().map(|p| columns.iter().map(|q| lambda * dot(p, q)).collect()).collect();
    for i in 0..n {
        a[i][i] += 1e-3;
        let (x, line) = (i % w, i / w % h);
        let right = (x + 1 < w).then_some(i + 1);
        let under = (line + 1 < h).then_some(i + w);
        for j in [right, under].into_iter().flatten() {
            (a[i][i], a[j][j]) = (a[i][i] + 1.0, a[j][j] + 1.0);
            (a[i][j], a[j][i]) = (a[i][j] - 1.0, a[j][i] - 1.0);
        }
    }
    let exact = solve(a, columns.iter().map(|c| lambda * dot(c, &y)).collect());
    let problem = Problem { operator: f, y, lambda, step: 1.0, prior: Prior::Smooth };
    let mut solver = Solver::new(problem, Method::Fista, None).unwrap();
    (0..200).for_each(|_| solver.iterate());
    for (z, x) in solver.z().iter().zip(&exact) {
        assert!((f64::from(*z) - x).abs() < 1e-4, "{z} {x}");
    }
}

#[test]
fn bad_options_of_an_inversion_are_refused() {
    let with = |options: Options| {
        Inversion::new(vec![stage(Shape::new(2, 9, 9), 4, 3, 1)], &options).err().expect("refused")
    };
    let one = Options::default;
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(
            matches!(with(Options { lambda: vec![lambda], ..one() }), Error::Parameter(m) if m.contains('λ'))
        );
        assert!(
            matches!(with(Options { step: Some(lambda), ..one() }), Error::Parameter(m) if m.contains('β'))
        );
    }
    assert!(
        matches!(with(Options { iterations: 0, ..one() }), Error::Parameter(m) if m.contains("iterations"))
    );
    assert!(matches!(with(Options { lambda: vec![1.0; 2], ..one() }), Error::Parameter(_)));
    assert!(matches!(Inversion::new(vec![], &one()), Err(Error::Parameter(_))));
    let mut nan = stage(Shape::new(2, 9, 9), 4, 3, 1);
    nan.truth.data_mut()[5] = f32::NAN;
    assert!(matches!(Inversion::new(vec![nan], &one()), Err(Error::Malformed(_))));
    let large = stage(Shape::new(2, 4, 4), 4, 9, 1);
    assert!(
        matches!(Inversion::new(vec![large], &one()), Err(Error::Shape(m)) if m.contains("does not fit"))
    );
    let mut zero = stage(Shape::new(2, 9, 9), 4, 3, 1);
    zero.weights.fill(0.0);
    let mut job = Inversion::new(vec![zero], &one()).unwrap();
    assert!(matches!(job::run(&mut job), Err(Error::Parameter(m)) if m.contains("all zero")));
}

#[test]
fn an_inversion_that_diverges_ends_with_a_statement() {
    let start = Start::Transpose;
    let options = Options {
        lambda: vec![1.0],
        step: Some(1.0),
        method: Method::Ista,
        start,
        iterations: 5000,
        ..Options::default()
    };
    let mut job = Inversion::new(vec![stage(Shape::new(2, 9, 9), 4, 3, 1)], &options).unwrap();
    job::run(&mut job).unwrap();
    let r = &job.recovered()[0];
    let said = r.statement().expect("diverged");
    assert!(said.contains("diverged") && said.contains("1/(λ‖F‖²)"), "{said}");
    assert!(r.solver().unwrap().objective().len() < 5000);
}

fn random_dictionary(channels: usize) -> Dictionary {
    let mut below = channels;
    let mut layers = Vec::new();
    for (l, (maps, pool_maps)) in [(6, 3), (8, 2), (6, 2)].into_iter().enumerate() {
        let weights: Vec<f32> = noise(maps * below * 25, l as u64)
            .chunks(below * 25)
            .flat_map(|f| {
                let norm = f.iter().map(|v| v * v).sum::<f32>().sqrt();
                f.iter().map(move |v| v / norm)
            })
            .collect();
        let spec = LayerSpec {
            lambda: [4.0, 1.0, 0.5][l],
            pool_side: 2,
            pool_maps,
            objective: vec![3.0, 2.0],
            error: Some(0.5),
            held_out_error: None,
            support: None,
            reseeded: [1, 2],
        };
        layers.push(Layer { shape: [maps, below, 5, 5], weights, spec });
        below = maps / pool_maps;
    }
    let about =
        About { title: "t".into(), licence: "l".into(), origin: "o".into(), side: 32, sigma: 3.0, channels };
    Dictionary { about, layers }
}

fn image(channels: usize) -> Tensor {
    Tensor::new(Shape::new(channels, 33, 30), noise(channels * 33 * 30, 6)).unwrap()
}

#[test]
fn coding_reconstructs_and_decomposes() {
    for channels in [1, 3] {
        let dictionary = Arc::new(random_dictionary(channels));
        let options = Code { iterations: 30, automatic: true, ..Code::default() };
        let mut job = Coding::new(dictionary, &image(channels), &options).unwrap();
        job::run(&mut job).unwrap();
        assert_eq!(job.coded().len(), 3);
        let y = job.image().data().to_vec();
        for (l, c) in job.coded().iter().enumerate() {
            let s = c.solver().unwrap();
            assert!(s.error() > 0.0 && s.error() < 1.0, "layer {}: {}", l + 1, s.error());
            assert!(s.objective().last().unwrap() < &s.start());
            let rebuilt = c.reconstruction(&y);
            let mut own = vec![0.0; y.len()];
            c.operator().apply(&c.z(), None, &mut own);
            assert!(rebuilt.iter().zip(&own).all(|(a, b)| (a - b).abs() < 1e-4));
            assert!(c.pooled().0.iter().zip(c.switches()).all(|(p, s)| *p == c.z()[*s as usize]));
        }
        // A decomposition draws the same picture whichever layer it is drawn from.
        let at = job.strongest(3, None).unwrap().unwrap();
        let levels = job.decompose(3, at, 10_000).unwrap();
        assert_eq!(levels.iter().map(|l| l.layer).collect::<Vec<_>>(), [3, 2, 1]);
        let sum = |level: &unpool::sparse::decompose::Level| {
            let mut all = vec![0f32; y.len()];
            for p in &level.parts {
                for ch in 0..channels {
                    for yy in p.rect.y0..p.rect.y1 {
                        for xx in p.rect.x0..p.rect.x1 {
                            all[(ch * 33 + yy as usize) * 30 + xx as usize] += p.pixels.at(ch, yy, xx);
                        }
                    }
                }
            }
            all
        };
        let whole = sum(&levels[0]);
        for level in &levels {
            assert_eq!(level.count, level.parts.len());
            assert!(sum(level).iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-4));
        }
        let drawn = job.filters(2).unwrap();
        assert_eq!(drawn.len(), 8);
        assert!(drawn.iter().any(Option::is_some));
        assert!(matches!(job.decompose(4, at, 1), Err(Error::Parameter(_))));
        assert!(matches!(job.decompose(3, [99, 0, 0], 1), Err(Error::Parameter(_))));
        assert!(matches!(job.decompose(3, [0, 99, 0], 1), Err(Error::Parameter(_))));
        assert!(matches!(job.strongest(1, Some(99)), Err(Error::Parameter(_))));
    }
}

#[test]
fn error_falls_and_support_grows_along_the_path() {
    let mut path = Path::new(&random_dictionary(1), &image(1), &[], 8, 60).unwrap();
    job::run(&mut path).unwrap();
    let points = path.points();
    assert_eq!(points.len(), 8);
    assert_eq!(points[0].support, 0.0, "the first λ is the largest that leaves nothing");
    assert!(points.windows(2).all(|w| w[1].lambda > w[0].lambda && w[1].error <= w[0].error + 1e-6));
    assert!(points[7].support > points[1].support);
    assert!(matches!(Path::new(&random_dictionary(1), &image(1), &[0.0], 0, 5), Err(Error::Parameter(_))));
    assert!(matches!(Path::new(&random_dictionary(1), &image(1), &[], 1, 5), Err(Error::Parameter(_))));
    assert!(matches!(Path::new(&random_dictionary(1), &image(1), &[1.0], 0, 0), Err(Error::Parameter(_))));
    assert!(matches!(Path::new(&random_dictionary(1), &image(3), &[1.0], 0, 5), Err(Error::Shape(_))));
}

#[test]
fn bad_photos_and_options_of_a_coding_are_refused() {
    let dictionary = Arc::new(random_dictionary(1));
    let with = |image: &Tensor, options: Code| {
        Coding::new(dictionary.clone(), image, &options).err().expect("refused")
    };
    let one = Code::default;
    assert!(matches!(with(&image(3), one()), Error::Shape(m) if m.contains("grey")));
    assert!(matches!(with(&image(1), Code { iterations: 0, ..one() }), Error::Parameter(_)));
    assert!(matches!(with(&image(1), Code { layers: Some(4), ..one() }), Error::Parameter(_)));
    assert!(matches!(with(&image(1), Code { layers: Some(0), ..one() }), Error::Parameter(_)));
    assert!(matches!(with(&image(1), Code { lambda: vec![f64::NAN], ..one() }), Error::Parameter(_)));
    assert!(matches!(with(&image(1), Code { lambda: vec![1.0; 4], ..one() }), Error::Parameter(_)));
    let small = Tensor::new(Shape::new(1, 4, 40), noise(160, 1)).unwrap();
    assert!(matches!(with(&small, one()), Error::Shape(m) if m.contains("larger than")));
    let flat = Tensor::new(Shape::new(1, 30, 30), vec![9.0; 900]).unwrap();
    assert!(matches!(with(&flat, one()), Error::Parameter(m) if m.contains("contrast")));
    let nan = Tensor::new(Shape::new(1, 30, 30), vec![f32::NAN; 900]).unwrap();
    assert!(matches!(with(&nan, one()), Error::Malformed(_)));
}

#[test]
fn dictionaries_are_written_read_and_refused() {
    let mut d = random_dictionary(3);
    let back = dictionary::read(&dictionary::write(&d)).unwrap();
    assert_eq!(
        (&back.about, back.layers[1].shape, &back.layers[2].spec),
        (&d.about, d.layers[1].shape, &d.layers[2].spec)
    );
    assert!(back.layers[0].weights.iter().zip(&d.layers[0].weights).all(|(a, b)| (a - b).abs() < 1e-3));
    assert_eq!(
        dictionary::write(&back),
        dictionary::write(&dictionary::read(&dictionary::write(&back)).unwrap())
    );
    let refused = |d: &Dictionary| dictionary::read(&dictionary::write(d)).unwrap_err();
    let change = |f: &dyn Fn(&mut Dictionary)| {
        let mut d = random_dictionary(3);
        f(&mut d);
        refused(&d)
    };
    assert!(
        matches!(change(&|d| d.layers[0].weights[3] = f32::NAN), Error::Malformed(m) if m.contains("layer 1"))
    );
    assert!(
        matches!(change(&|d| d.layers[1].spec.lambda = 0.0), Error::Malformed(m) if m.contains("layer 2"))
    );
    assert!(
        matches!(change(&|d| d.layers[1].spec.pool_maps = 3), Error::Malformed(m) if m.contains("divide"))
    );
    assert!(matches!(change(&|d| d.about.channels = 1), Error::Shape(m) if m.contains("layer 1")));
    assert!(matches!(change(&|d| d.about.channels = 2), Error::Shape(_)));
    assert!(matches!(change(&|d| d.about.side = 0), Error::Malformed(_)));
    assert!(matches!(change(&|d| d.layers.clear()), Error::Malformed(_)));
    d.layers[0].shape[0] = 5000;
    assert!(matches!(d.check(), Err(Error::Limit(_))));
    let model = unpool::format::safetensors::write(&Default::default(), &Default::default());
    assert!(matches!(dictionary::read(&model), Err(Error::Unsupported(m)) if m.contains("sparse learn")));
    assert!(matches!(dictionary::read(b"nonsense"), Err(Error::Malformed(_) | Error::Limit(_))));
}
