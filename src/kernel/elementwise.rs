//! Element-wise work: rectification, sums, gates, softmax.

use crate::tensor::{View, ViewMut};

/// max(x, 0) over the output's rectangle, which the input must cover.
pub fn relu(input: View, mut output: ViewMut) {
    let r = output.rect;
    for c in 0..output.channels {
        for y in r.y0..r.y1 {
            for (o, i) in output.line(c, y).iter_mut().zip(input.crop(r).line(c, y)) {
                // A comparison, not f32::max: that is seven instructions in wasm.
                *o = if *i > 0.0 { *i } else { 0.0 };
            }
        }
    }
}

/// The largest of the values; −∞ of none. What is not a number never wins.
pub fn largest(values: &[f32]) -> f32 {
    // Eight lanes, so that no value waits for its neighbour; compared, not f32::max, as above.
    let keep = |m: &mut f32, v: f32| *m = if v > *m { v } else { *m };
    let mut lanes = [f32::NEG_INFINITY; 8];
    let mut chunks = values.chunks_exact(8);
    for chunk in &mut chunks {
        lanes.iter_mut().zip(chunk).for_each(|(m, v)| keep(m, *v));
    }
    let mut most = f32::NEG_INFINITY;
    lanes.iter().chain(chunks.remainder()).for_each(|v| keep(&mut most, *v));
    most
}

/// Adds `from` where the rectangles meet.
pub fn add(mut to: ViewMut, from: View) {
    let r = to.rect.intersect(&from.rect);
    if r.is_empty() {
        return;
    }
    for c in 0..to.channels {
        for y in r.y0..r.y1 {
            for (o, i) in to.borrow().crop(r).line(c, y).iter_mut().zip(from.crop(r).line(c, y)) {
                *o += i;
            }
        }
    }
}

/// Multiplies by `from`, which must cover the rectangle.
pub fn multiply(mut to: ViewMut, from: View) {
    let r = to.rect;
    for c in 0..to.channels {
        for y in r.y0..r.y1 {
            for (o, i) in to.line(c, y).iter_mut().zip(from.crop(r).line(c, y)) {
                *o *= i;
            }
        }
    }
}

/// What a ReLU does to the signal on its way down. `forward` is the ReLU's output (or input: the
/// sign is what counts) and must cover the signal's rectangle where it is read.
pub fn gate(mut signal: ViewMut, forward: Option<View>, rectify: bool) {
    let r = signal.rect;
    for c in 0..signal.channels {
        for y in r.y0..r.y1 {
            let line = signal.line(c, y);
            if let Some(f) = forward {
                for (s, f) in line.iter_mut().zip(f.crop(r).line(c, y)) {
                    if *f <= 0.0 {
                        *s = 0.0;
                    }
                }
            }
            if rectify {
                line.iter_mut().for_each(|s| *s = if *s > 0.0 { *s } else { 0.0 });
            }
        }
    }
}

/// Softmax over channels at every position of the output's rectangle.
pub fn softmax(input: View, output: ViewMut) {
    let r = output.rect;
    for y in r.y0..r.y1 {
        for x in r.x0..r.x1 {
            let peak = (0..input.channels).map(|c| input.at(c, y, x)).fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for c in 0..input.channels {
                let e = (input.at(c, y, x) - peak).exp();
                sum += e;
                let o = output.index(c, y, x);
                output.data[o] = e;
            }
            for c in 0..input.channels {
                let o = output.index(c, y, x);
                output.data[o] /= sum;
            }
        }
    }
}

/// The logarithm of the softmax, without the rounding of small probabilities.
pub fn log_softmax(input: View, output: ViewMut) {
    let r = output.rect;
    for y in r.y0..r.y1 {
        for x in r.x0..r.x1 {
            let peak = (0..input.channels).map(|c| input.at(c, y, x)).fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = (0..input.channels).map(|c| (input.at(c, y, x) - peak).exp()).sum();
            let log = peak + sum.ln();
            for c in 0..input.channels {
                let o = output.index(c, y, x);
                output.data[o] = input.at(c, y, x) - log;
            }
        }
    }
}

/// x_c := scale[c] · x_c + shift[c]; an empty `shift` means none.
pub fn affine(mut values: ViewMut, scale: &[f32], shift: &[f32]) {
    for (c, &s) in scale.iter().enumerate() {
        let t = shift.get(c).copied().unwrap_or(0.0);
        for y in values.rect.y0..values.rect.y1 {
            values.line(c, y).iter_mut().for_each(|v| *v = s * *v + t);
        }
    }
}
