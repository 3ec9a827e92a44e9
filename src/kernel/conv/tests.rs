use super::*;
use crate::kernel::random::Random;
use crate::tensor::{Rect, Tensor};

/// The definition, in float64.
fn naive(g: &Geometry, weights: &[f32], bias: &[f32], transposed: bool, input: &Tensor, r: Rect) -> Vec<f64> {
    let (ci, co) = (g.inputs / g.groups, g.outputs / g.groups);
    let w = &g.window;
    let [kh, kw] = w.kernel;
    let mut out = Vec::new();
    for m in 0..if transposed { g.inputs } else { g.outputs } {
        for y in r.y0..r.y1 {
            for x in r.x0..r.x1 {
                let mut sum = if transposed { 0.0 } else { bias.get(m).copied().unwrap_or(0.0) as f64 };
                let grp = m / if transposed { ci } else { co };
                for k in 0..kh * kw {
                    let tap = |a: usize, q: isize, k: usize| {
                        let (s, d, p) = (w.stride[a] as isize, w.dilation[a] as isize, w.pad[a] as isize);
                        if transposed {
                            let v = q + p - d * k as isize;
                            (v.rem_euclid(s) == 0).then(|| v.div_euclid(s))
                        } else {
                            Some(q * s + d * k as isize - p)
                        }
                    };
                    let (Some(iy), Some(ix)) = (tap(0, y, k / kw), tap(1, x, k % kw)) else { continue };
                    for c in 0..if transposed { co } else { ci } {
                        let (o, i) = if transposed { (grp * co + c, m - grp * ci) } else { (m, c) };
                        let from = if transposed { o } else { grp * ci + c };
                        sum += weights[(o * ci + i) * kh * kw + k] as f64 * input.at(from, iy, ix) as f64;
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

fn geometry(r: &mut Random) -> (Geometry, [usize; 2]) {
    let groups = if r.chance(20) { r.size(2, 4) } else { 1 };
    let (ci, co) = (r.size(1, 12), r.size(1, 14));
    let square = r.chance(50);
    let most = if r.chance(20) { 12 } else { 6 };
    let k = r.size(1, most);
    let s = r.size(1, 5);
    let window = Window {
        kernel: [k, if square { k } else { r.size(1, 6) }],
        stride: [s, if square { s } else { r.size(1, 5) }],
        pad: std::array::from_fn(|_| r.size(0, 4)),
        dilation: if r.chance(25) { [r.size(1, 4), r.size(1, 3)] } else { [1, 1] },
    };
    let [eh, ew] = window.extent();
    let side = [eh + r.size(0, 20), ew + r.size(0, 20)];
    (Geometry { inputs: groups * ci, outputs: groups * co, groups, window }, side)
}

/// Several items with their own rectangles, both directions, against the definition.
fn check(r: &mut Random, g: Geometry, [h, w]: [usize; 2], tolerance: f64) {
    let weights = r.floats(g.outputs * g.inputs / g.groups * g.window.kernel[0] * g.window.kernel[1]);
    let bias = if r.chance(70) { r.floats(g.outputs) } else { Vec::new() };
    let filters = Filters::forward(&weights, &bias, g.clone());
    let [oh, ow] = g.window.output(h, w, false).unwrap();
    for transposed in [false, true] {
        let (from, to) = if transposed { ([oh, ow], [h, w]) } else { ([h, w], [oh, ow]) };
        let (ci, co) = if transposed { (g.outputs, g.inputs) } else { (g.inputs, g.outputs) };
        let rectify = r.chance(40);
        let n = r.size(1, 4);
        let mut inputs: Vec<Tensor> = Vec::new();
        for _ in 0..n {
            let rect = r.rect(Rect::full(from[0], from[1]));
            let mut t = r.tensor(ci, rect);
            if r.chance(40) {
                // A seed: most channels are zero.
                let keep = r.size(0, ci);
                for c in (0..ci).filter(|c| *c != keep) {
                    t.values.index_axis_mut(ndarray::Axis(0), c).fill(0.0);
                }
            }
            inputs.push(t);
        }
        // The output may lie beside other values that must stay.
        let around = Rect::new(-2, -3, to[0] as isize + 1, to[1] as isize + 4);
        let rects: Vec<Rect> = (0..n).map(|_| r.rect(Rect::full(to[0], to[1]))).collect();
        let mut outputs: Vec<Tensor> = (0..n).map(|_| r.tensor(co, around)).collect();
        let before = outputs.clone();
        let mut items: Vec<Item> = outputs
            .iter_mut()
            .zip(&inputs)
            .zip(&rects)
            .map(|((o, i), rect)| Item { input: i.view(), output: o.view_mut().crop(*rect) })
            .collect();
        if transposed { filters.transposed() } else { filters.clone() }.run(&mut items, rectify);
        for i in 0..n {
            let want = naive(&g, &weights, &bias, transposed, &inputs[i], rects[i]);
            // Winograd leaves rounding errors of its terms' size where the sum is zero.
            let winograd = winograd::Size::fit(&g).is_some();
            let most = want.iter().fold(if winograd { 0.3f64 } else { 1e-3 }, |m, v| m.max(v.abs()));
            let mut want = want.into_iter();
            for c in 0..co {
                for y in around.y0..around.y1 {
                    for x in around.x0..around.x1 {
                        let got = outputs[i].at(c, y, x);
                        if !rects[i].holds(y, x) {
                            assert_eq!(
                                got,
                                before[i].at(c, y, x),
                                "touched {c},{y},{x} outside {:?}",
                                rects[i]
                            );
                        }
                    }
                }
                for y in rects[i].y0..rects[i].y1 {
                    for x in rects[i].x0..rects[i].x1 {
                        let want = want.next().unwrap();
                        let want = if rectify { want.max(0.0) } else { want };
                        let got = outputs[i].at(c, y, x) as f64;
                        assert!(
                            (got - want).abs() <= tolerance * most,
                            "{got} for {want} at {c},{y},{x}; transposed {transposed}, item {i}, {:?}, {g:?}",
                            rects[i]
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn random_geometries_agree_with_the_definition() {
    for seed in 0..if cfg!(miri) { 3 } else { 400 } {
        let r = &mut Random::new(seed);
        let (g, side) = geometry(r);
        check(r, g, side, 1e-5);
    }
}

#[test]
fn layers_of_real_networks_agree_with_the_definition() {
    let r = &mut Random::new(7);
    for (inputs, outputs, groups, window, side) in [
        (3, 8, 1, Window::square(11, 4, 2), 60),
        (3, 20, 1, Window::square(3, 2, 0), 57),
        (16, 96, 1, Window::square(1, 1, 0), 27),
        (96, 16, 1, Window::square(1, 1, 0), 27),
        (48, 64, 2, Window::square(5, 1, 2), 13),
        (64, 40, 1, Window::square(3, 1, 1), 13),
        (40, 1000, 1, Window::square(1, 1, 0), 3),
    ] {
        check(r, Geometry { inputs, outputs, groups, window }, [side, side], 1e-5);
    }
}

#[test]
fn forward_and_transpose_are_adjoint() {
    for seed in 0..if cfg!(miri) { 1 } else { 60 } {
        let r = &mut Random::new(1000 + seed);
        let (g, [h, w]) = geometry(r);
        let weights = r.floats(g.outputs * g.inputs / g.groups * g.window.kernel[0] * g.window.kernel[1]);
        let filters = Filters::forward(&weights, &[], g.clone());
        let [oh, ow] = g.window.output(h, w, false).unwrap();
        let (x, y) = (r.tensor(g.inputs, Rect::full(h, w)), r.tensor(g.outputs, Rect::full(oh, ow)));
        let mut up = Tensor::zeros(g.outputs, y.rect);
        filters.run(&mut [Item { input: x.view(), output: up.view_mut() }], false);
        let mut down = Tensor::zeros(g.inputs, x.rect);
        filters.transposed().run(&mut [Item { input: y.view(), output: down.view_mut() }], false);
        let dot = |a: &Tensor, b: &Tensor| -> f64 {
            a.data().iter().zip(b.data()).map(|(a, b)| *a as f64 * *b as f64).sum()
        };
        let (a, b) = (dot(&up, &y), dot(&x, &down));
        let size = (dot(&up, &up) * dot(&y, &y)).sqrt().max(1e-6);
        assert!((a - b).abs() < 1e-5 * size, "{a} {b} for {g:?}");
    }
}

#[test]
fn winograd_agrees_with_the_definition() {
    for seed in 0..if cfg!(miri) { 2 } else { 150 } {
        let r = &mut Random::new(2000 + seed);
        let groups = if r.chance(20) { 2 } else { 1 };
        let (inputs, outputs) = (groups * r.size(8, 20), groups * r.size(8, 27));
        let k = if r.chance(50) { 3 } else { 5 };
        let window = Window { pad: std::array::from_fn(|_| r.size(0, 4)), ..Window::square(k, 1, 0) };
        let side = [r.size(k, 24), r.size(k, 40)];
        check(r, Geometry { inputs, outputs, groups, window }, side, 1e-5);
    }
    // Large enough for the smaller tile.
    let r = &mut Random::new(5);
    let g = Geometry { inputs: 420, outputs: 440, groups: 1, window: Window::square(3, 1, 1) };
    assert_eq!(winograd::Size::fit(&g), Some(winograd::Size::Two));
    check(r, g, [9, 11], 1e-5);
}

/// Where the same maps are computed among more of them, which are too many for [`super::few`].
#[test]
fn few_outputs_are_the_very_numbers_that_many_give() {
    let mut r = Random::new(11);
    for (ci, co, k, pad, h, w, items) in [
        (1, 6, 5, 2, 28, 28, 5),
        (6, 16, 5, 0, 14, 14, 3),
        (3, 7, 4, 1, 13, 9, 2),
        (6, 16, 4, 0, 14, 14, 3),
        (20, 5, 4, 2, 12, 17, 1),
    ] {
        let (window, taps, more) = (Window::square(k, 1, pad), k * k, 20 - co);
        let g = Geometry { inputs: ci, outputs: co, groups: 1, window };
        let many = Geometry { outputs: 20, ..g.clone() };
        let (weights, bias) = (r.floats(20 * ci * taps), r.floats(20));
        let [oh, ow] = window.output(h, w, false).unwrap();
        let shape = |c, h, w| crate::tensor::Shape::new(c, h, w);
        let run = |filters: &Filters, inputs: &[Tensor], to: crate::tensor::Shape, rectify: bool| {
            let mut out: Vec<Tensor> = inputs.iter().map(|_| Tensor::zeros(to.c, to.rect())).collect();
            let mut all: Vec<Item> = inputs
                .iter()
                .zip(&mut out)
                .map(|(input, out)| Item { input: input.view(), output: out.view_mut() })
                .collect();
            crate::kernel::parallel::alone(|| filters.run(&mut all, rectify));
            out
        };
        let mut noise = |c, h, w, n| -> Vec<Tensor> {
            (0..n).map(|_| Tensor::new(shape(c, h, w), r.floats(c * h * w)).unwrap()).collect()
        };
        let (up, down) = (noise(ci, h, w, items), noise(co, oh, ow, items));
        let few = Filters::forward(&weights[..co * ci * taps], &bias[..co], g.clone());
        let all = Filters::forward(&weights, &bias, many);
        let same = |a: &[Tensor], b: &[Tensor]| {
            let n = a[0].data().len();
            a.iter().zip(b).all(|(a, b)| a.data() == &b.data()[..n])
        };
        for rectify in [false, true] {
            let (a, b) =
                (run(&few, &up, shape(co, oh, ow), rectify), run(&all, &up, shape(20, oh, ow), rectify));
            assert!(same(&a, &b), "{ci} to {co}, {more} more");
        }
        // The transpose among more inputs, whose weights stand behind each output's own.
        let wide: Vec<f32> = (0..co)
            .flat_map(|o| {
                let own = &weights[o * ci * taps..(o + 1) * ci * taps];
                own.iter().copied().chain(vec![0.5; (40 - ci) * taps])
            })
            .collect();
        let wide_geometry = Geometry { inputs: 40, ..g };
        if winograd::Size::fit(&wide_geometry).is_some() {
            continue;
        }
        let wide = Filters::forward(&wide, &[], wide_geometry);
        let (a, b) = (
            run(&few.transposed(), &down, shape(ci, h, w), false),
            run(&wide.transposed(), &down, shape(40, h, w), false),
        );
        assert!(same(&a, &b), "{co} back to {ci}");
    }
}
