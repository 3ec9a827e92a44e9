use super::*;
use crate::kernel::random::Random;
use crate::tensor::Tensor;
use crate::window::Window;

fn window(r: &mut Random) -> Window {
    let kernel = [r.size(1, 5), r.size(1, 5)];
    let stride = if r.chance(70) { [r.size(1, 3); 2] } else { [r.size(1, 5), r.size(1, 5)] };
    let pad = std::array::from_fn(|i| r.size(0, kernel[i % 2]));
    Window { kernel, stride, pad: if r.chance(50) { [0; 4] } else { pad }, dilation: [1, 1] }
}

/// Coarse values, so that ties are common; zero planes; now and then a NaN.
fn plane(r: &mut Random, shape: Shape) -> Tensor {
    let mut t = r.tensor(shape.c, shape.rect());
    let zero = r.chance(20);
    let nan = r.chance(10);
    t.data_mut().iter_mut().for_each(|v| *v = if zero { 0.0 } else { (*v * 3.0).round() });
    if nan {
        let n = t.data().len();
        let i = r.size(0, n);
        t.data_mut()[i] = f32::NAN;
    }
    t
}

fn winner(p: &MaxPool, input: &Tensor, c: usize, y: isize, x: isize) -> (f32, u32) {
    let win = p.window.reads(&Rect::unit(y, x)).intersect(&p.input.rect());
    let (mut best, mut at) = (0.0, NONE);
    for m in c * p.maps..(c + 1) * p.maps {
        for iy in win.y0..win.y1 {
            for ix in win.x0..win.x1 {
                let v = input.at(m, iy, ix);
                if v > best || at == NONE {
                    best = v;
                    at = ((m * p.input.h + iy as usize) * p.input.w + ix as usize) as u32;
                }
            }
        }
    }
    (best, at)
}

#[test]
fn max_and_switch_agree_with_the_definition() {
    for seed in 0..if cfg!(miri) { 10 } else { 500 } {
        let r = &mut Random::new(seed);
        let window = window(r);
        let maps = if r.chance(30) { r.size(1, 4) } else { 1 };
        let input = Shape::new(maps * r.size(1, 4), r.size(1, 14), r.size(1, 26));
        let ceil = r.chance(50);
        let Ok([h, w]) = window.output(input.h, input.w, ceil) else { continue };
        let pool = MaxPool { window, maps, input };
        let x = plane(r, input);
        let n = input.c / maps;
        let rect = r.rect(Rect::full(h, w));
        let mut y = r.tensor(n, rect);
        let mut switches = vec![5; n * rect.area()];
        // Only what the windows read is there.
        let read = window.reads(&rect).intersect(&input.rect());
        let read = if read.is_empty() { Rect::default() } else { read };
        let part = x.view().crop(read).to_tensor();
        pool.forward(part.view(), y.view_mut(), &mut switches);
        let mut i = 0;
        for c in 0..n {
            for oy in rect.y0..rect.y1 {
                for ox in rect.x0..rect.x1 {
                    let (best, at) = winner(&pool, &x, c, oy, ox);
                    assert_eq!(switches[i], at, "{pool:?} at {c},{oy},{ox}");
                    assert_eq!(y.at(c, oy, ox).to_bits(), best.to_bits());
                    i += 1;
                }
            }
        }
        // The way back: values that meet sum, switches outside are dropped.
        let over = r.rect(rect);
        let signal = r.tensor(n, over);
        let into = r.rect(input.rect());
        let mut down = r.tensor(input.c, into);
        unpool(signal.view(), &switches, rect, input, down.view_mut());
        let mut want = Tensor::zeros(input.c, into);
        for c in 0..n {
            for oy in signal.rect.y0..signal.rect.y1 {
                for ox in signal.rect.x0..signal.rect.x1 {
                    let (_, at) = winner(&pool, &x, c, oy, ox);
                    let (m, p) = (at as usize / (input.h * input.w), at as usize % (input.h * input.w));
                    let (iy, ix) = ((p / input.w) as isize, (p % input.w) as isize);
                    if at != NONE && into.holds(iy, ix) {
                        let v = want.at(m, iy, ix) + signal.at(c, oy, ox);
                        want.values[(m, (iy - into.y0) as usize, (ix - into.x0) as usize)] = v;
                    }
                }
            }
        }
        assert_eq!(down, want);
    }
}

#[test]
fn averages_and_their_transpose_agree_with_the_definition() {
    for seed in 0..if cfg!(miri) { 5 } else { 300 } {
        let r = &mut Random::new(seed);
        let window = window(r);
        let input = Shape::new(r.size(1, 4), r.size(1, 14), r.size(1, 14));
        let ceil = r.chance(50);
        let Ok([h, w]) = window.output(input.h, input.w, ceil) else { continue };
        let pool = AvgPool { window, include_pad: r.chance(50), divide: r.chance(80), input };
        let x = r.tensor(input.c, input.rect());
        let rect = r.rect(Rect::full(h, w));
        let mut y = r.tensor(input.c, rect);
        pool.forward(x.view(), y.view_mut());
        let signal = r.tensor(input.c, rect);
        let mut down = r.tensor(input.c, input.rect());
        pool.transpose(signal.view(), down.view_mut());
        let (mut up, mut back) = (0.0f64, 0.0f64);
        for c in 0..input.c {
            for oy in rect.y0..rect.y1 {
                for ox in rect.x0..rect.x1 {
                    let full = window.reads(&Rect::unit(oy, ox));
                    let win = full.intersect(&input.rect());
                    let [t, l, b, rt] = window.pad.map(|p| p as isize);
                    let padded = Rect::new(-t, -l, input.h as isize + b, input.w as isize + rt);
                    let n = if pool.include_pad { full.intersect(&padded).area() } else { win.area() };
                    let n = if pool.divide { n.max(1) } else { 1 };
                    let mut sum = 0.0f64;
                    for iy in win.y0..win.y1 {
                        for ix in win.x0..win.x1 {
                            sum += x.at(c, iy, ix) as f64;
                        }
                    }
                    let (got, want) = (y.at(c, oy, ox) as f64, sum / n as f64);
                    assert!((got - want).abs() < 1e-5, "{got} for {want}, {pool:?} at {c},{oy},{ox}");
                    up += got * signal.at(c, oy, ox) as f64;
                }
            }
        }
        for (a, b) in x.data().iter().zip(down.data()) {
            back += *a as f64 * *b as f64;
        }
        assert!((up - back).abs() < 1e-4 * up.abs().max(10.0), "{up} {back} {pool:?}");
    }
}
