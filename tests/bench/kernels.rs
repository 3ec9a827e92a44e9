//! Micro-benchmarks of the kernels: `cargo bench [-- FILTER]`. Criterion's throughput counts multiply-adds as two
//! operations, so "Gelem/s" reads as GFLOP/s (for the dense layers also as what streams by: see the bytes in the name).
//! The peak, which the first line measures, is what their share is of.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use unpool::kernel::conv::{Filters, Geometry, Item};
use unpool::kernel::dense::Matrix;
use unpool::kernel::elementwise;
use unpool::kernel::inside;
use unpool::kernel::lrn::Lrn;
use unpool::kernel::pool::{MaxPool, unpool};
use unpool::tensor::{Rect, Shape, Tensor};
use unpool::window::Window;

/// Repeatable values in −1..1, half of them zero like what a ReLU leaves.
fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed | 1;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn tensor(shape: Shape, seed: u32) -> Tensor {
    Tensor::new(shape, values(shape.c * shape.h * shape.w, seed)).expect("as many values as the shape has")
}

struct Layer {
    name: &'static str,
    side: usize,
    inputs: usize,
    outputs: usize,
    window: Window,
}

const LAYERS: [Layer; 9] = [
    layer("squeezenet conv1 3x3/2", 224, 3, 64, Window::square(3, 2, 0)),
    layer("squeezenet fire2 squeeze 1x1", 55, 64, 16, Window::square(1, 1, 0)),
    layer("squeezenet fire2 expand 3x3", 55, 16, 64, Window::square(3, 1, 1)),
    layer("squeezenet fire9 expand 3x3", 13, 64, 256, Window::square(3, 1, 1)),
    layer("squeezenet conv10 1x1", 13, 512, 1000, Window::square(1, 1, 0)),
    layer("alexnet conv1 11x11/4", 224, 3, 64, Window::square(11, 4, 2)),
    layer("alexnet conv2 5x5", 27, 64, 192, Window::square(5, 1, 2)),
    layer("alexnet conv4 3x3", 13, 384, 256, Window::square(3, 1, 1)),
    layer("zfnet conv2 5x5/2", 55, 96, 256, Window::square(5, 2, 0)),
];

const fn layer(name: &'static str, side: usize, inputs: usize, outputs: usize, window: Window) -> Layer {
    Layer { name, side, inputs, outputs, window }
}

fn convolutions(c: &mut Criterion) {
    for (title, transposed, rects) in
        [("forward", false, false), ("transpose", true, false), ("rectangles 8x8", false, true)]
    {
        let mut group = c.benchmark_group(title);
        for l in &LAYERS {
            let g = Geometry { inputs: l.inputs, outputs: l.outputs, groups: 1, window: l.window };
            let taps = l.window.kernel[0] * l.window.kernel[1];
            let filters =
                Filters::forward(&values(l.outputs * l.inputs * taps, 3), &values(l.outputs, 5), g.clone());
            let filters = if transposed { filters.transposed() } else { filters };
            let [h, w] = l.window.output(l.side, l.side, false).expect("the layers fit");
            let (low, high) = (Shape::new(l.inputs, l.side, l.side), Shape::new(l.outputs, h, w));
            let (from, to) = if transposed { (high, low) } else { (low, high) };
            let input = tensor(from, 7);
            // Sixteen small rectangles of one image share the work, as occluder positions do.
            let mut outputs: Vec<Tensor> = if rects {
                (0..16).map(|i| Tensor::zeros(to.c, Rect::new(i % 5, i % 4, i % 5 + 8, i % 4 + 8))).collect()
            } else {
                vec![Tensor::zeros(to.c, to.rect())]
            };
            let positions = outputs.iter().map(|o| o.rect.area()).sum();
            group.throughput(Throughput::Elements(2 * g.macs(positions, transposed) as u64));
            group.bench_function(l.name, |b| {
                b.iter(|| {
                    let mut items: Vec<Item> = outputs
                        .iter_mut()
                        .map(|o| Item { input: input.view(), output: o.view_mut() })
                        .collect();
                    inside(|| filters.run(black_box(&mut items), true));
                });
            });
        }
    }
}

fn others(c: &mut Criterion) {
    let mut group = c.benchmark_group("layers");
    let shape = Shape::new(96, 55, 55);
    let input = tensor(shape, 1);
    group.throughput(Throughput::Elements((96 * 55 * 55) as u64));
    let lrn = Lrn { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };
    let mut out = Tensor::zeros(96, shape.rect());
    group.bench_function("lrn 96x55x55", |b| b.iter(|| lrn.forward(black_box(input.view()), out.view_mut())));
    group.bench_function("lrn gradient 96x55x55", |b| {
        b.iter(|| lrn.gradient(black_box(input.view()), input.view(), out.view_mut()));
    });
    group.bench_function("relu 96x55x55", |b| {
        b.iter(|| elementwise::relu(black_box(input.view()), out.view_mut()))
    });
    let pool = MaxPool { window: Window::square(3, 2, 0), maps: 1, input: shape };
    let mut small = Tensor::zeros(96, Rect::full(27, 27));
    let mut switches = vec![0; 96 * 27 * 27];
    group.bench_function("max pool 3/2 96x55x55", |b| {
        b.iter(|| pool.forward(black_box(input.view()), small.view_mut(), &mut switches));
    });
    group.bench_function("unpool 3/2 96x55x55", |b| {
        b.iter(|| unpool(small.view(), black_box(&switches), Rect::full(27, 27), shape, out.view_mut()));
    });
    group.finish();

    dense(c);
}

/// AlexNet's fc6, larger than any cache here, beside what the machine streams at most.
fn dense(c: &mut Criterion) {
    const INPUTS: usize = 9216;
    let mut group = c.benchmark_group("dense 9216x4096");
    let w = values(INPUTS * 4096, 9);
    group.throughput(Throughput::Bytes((INPUTS * 4096 * 4) as u64));
    group.bench_function("streaming: a sum of float32", |b| {
        b.iter(|| stream(black_box(&w)));
    });
    let half = Matrix::F16(w.iter().map(|v| half::f16::from_f32(*v)).collect());
    let x: Vec<Vec<f32>> = (0..8).map(|i| values(INPUTS, i)).collect();
    let mut y = vec![vec![0.0; 4096]; 8];
    for (name, matrix, bytes) in [("float32", &Matrix::F32(w), 4), ("float16", &half, 2)] {
        for batch in [1, 8] {
            group.throughput(Throughput::Bytes((INPUTS * 4096 * bytes) as u64));
            group.bench_function(format!("{name} batch {batch}"), |b| {
                b.iter(|| {
                    let x: Vec<&[f32]> = x[..batch].iter().map(Vec::as_slice).collect();
                    let mut y: Vec<&mut [f32]> = y[..batch].iter_mut().map(Vec::as_mut_slice).collect();
                    matrix.forward(&[], black_box(&x), &mut y, true);
                });
            });
        }
    }
}

/// Reads everything once, on all threads, in many independent sums so that only memory can be what it waits for.
fn stream(values: &[f32]) -> f32 {
    use rayon::prelude::*;
    let parts = values.par_chunks(values.len().div_ceil(rayon::current_num_threads()));
    parts
        .map(|part| {
            let mut sums = [0.0f32; 64];
            for line in part.chunks_exact(64) {
                for (sum, v) in sums.iter_mut().zip(line) {
                    *sum += v;
                }
            }
            sums.iter().sum::<f32>()
        })
        .sum()
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
}

criterion_group! { name = benches; config = settings(); targets = convolutions, others }
criterion_main!(benches);
