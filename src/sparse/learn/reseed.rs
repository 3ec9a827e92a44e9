//! Filters that no photo uses, and filters that repeat another: both are drawn anew, and counted. And filters that lean against an edge.

use crate::random::SplitMix;
use crate::tensor::Shape;

/// Cosine at the best shift above which two filters are one.
const ALIKE: f64 = 0.9;
/// Share of the mean use below which a filter is dead.
const DEAD: f64 = 1e-3;

/// Filters to be drawn anew: dead ones, then the less used one of each pair of duplicates. `usage` is Σ|z| of each map.
pub fn find(weights: &[f32], filters: [usize; 4], usage: &[f64]) -> [Vec<usize>; 2] {
    let maps = filters[0];
    let mean = usage.iter().sum::<f64>() / maps.max(1) as f64;
    let dead: Vec<usize> = (0..maps).filter(|k| usage[*k] < DEAD * mean).collect();
    let mut order: Vec<usize> = (0..maps).filter(|k| !dead.contains(k)).collect();
    order.sort_by(|a, b| usage[*b].total_cmp(&usage[*a]).then(a.cmp(b)));
    let mut kept: Vec<usize> = Vec::new();
    let mut duplicates = Vec::new();
    for k in order {
        if kept.iter().any(|other| alike(weights, filters, k, *other) > ALIKE) {
            duplicates.push(k);
        } else {
            kept.push(k);
        }
    }
    duplicates.sort_unstable();
    [dead, duplicates]
}

/// Moves every filter so far that its power is centred: codes move the other way and draw the same. A stroke that formed at an edge is
/// cut off there, and it can only grow where its square has room for it.
pub fn centre(weights: &mut [f32], [_, reads, kh, kw]: [usize; 4]) {
    for filter in weights.chunks_exact_mut(reads * kh * kw) {
        let [mut all, mut down, mut right] = [0.0f64; 3];
        for (i, w) in filter.iter().enumerate() {
            let power = f64::from(*w).powi(2);
            all += power;
            down += power * (i / kw % kh) as f64;
            right += power * (i % kw) as f64;
        }
        let by = |sum: f64, side: usize| ((side as f64 - 1.0) / 2.0 - sum / all).round() as isize;
        if all == 0.0 || (by(down, kh), by(right, kw)) == (0, 0) {
            continue;
        }
        let (dy, dx) = (by(down, kh), by(right, kw));
        for plane in filter.chunks_exact_mut(kh * kw) {
            let from = plane.to_vec();
            for (i, to) in plane.iter_mut().enumerate() {
                let y = (i / kw).checked_add_signed(-dy).filter(|y| *y < kh);
                let x = (i % kw).checked_add_signed(-dx).filter(|x| *x < kw);
                *to = y.zip(x).map_or(0.0, |(y, x)| from[y * kw + x]);
            }
        }
    }
}

/// The largest cosine of two filters of unit norm over shifts by up to two positions: a shifted copy is a copy.
fn alike(weights: &[f32], [_, reads, kh, kw]: [usize; 4], a: usize, b: usize) -> f64 {
    let one = reads * kh * kw;
    let (a, b) = (&weights[a * one..][..one], &weights[b * one..][..one]);
    let mut most = 0.0f64;
    for dy in -2..=2isize {
        for dx in -2..=2isize {
            let mut sum = 0.0f64;
            for c in 0..reads {
                for y in 0..kh {
                    let Some(v) = y.checked_add_signed(dy).filter(|v| *v < kh) else { continue };
                    for x in 0..kw {
                        let Some(u) = x.checked_add_signed(dx).filter(|u| *u < kw) else { continue };
                        sum += f64::from(a[(c * kh + y) * kw + x]) * f64::from(b[(c * kh + v) * kw + u]);
                    }
                }
            }
            most = most.max(sum.abs());
        }
    }
    most
}

/// A filter: a patch of what is to be drawn, where it has some contrast, less its mean; noise where there is none.
pub fn patch(plane: &[f32], shape: Shape, [_, reads, kh, kw]: [usize; 4], random: &mut SplitMix) -> Vec<f32> {
    let mut best = (0.0, Vec::new());
    // The strongest of a few places: most of a picture is nearly flat.
    for _ in 0..4 {
        let (y, x) = (random.below(shape.h - kh + 1), random.below(shape.w - kw + 1));
        let mut cut = Vec::with_capacity(reads * kh * kw);
        for c in 0..reads {
            for row in 0..kh {
                let at = (c * shape.h + y + row) * shape.w + x;
                cut.extend_from_slice(&plane[at..at + kw]);
            }
        }
        let power: f32 = cut.iter().map(|v| v * v).sum();
        if power > best.0 {
            best = (power, cut);
        }
    }
    if best.1.is_empty() {
        return (0..reads * kh * kw).map(|_| random.normal() as f32).collect();
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_filters_and_shifted_copies_are_found() {
        let mut weights = vec![0.0f32; 4 * 25];
        let mut random = SplitMix::new(2);
        let pattern: Vec<f32> = (0..9).map(|_| random.normal() as f32).collect();
        for (k, at) in [(0, 6), (1, 7), (2, 0)] {
            for i in 0..9 {
                weights[k * 25 + at + i / 3 * 5 + i % 3] =
                    if k == 2 && i % 2 == 0 { -pattern[i] } else { pattern[i] };
            }
        }
        weights[99] = 1.0;
        super::super::filters::normalise(&mut weights, 4);
        let [dead, duplicates] = find(&weights, [4, 1, 5, 5], &[5.0, 4.0, 3.0, 0.0]);
        assert_eq!((dead, duplicates), (vec![3], vec![1]));
    }

    #[test]
    fn filters_are_moved_into_the_middle() {
        // Of two channels, heaviest in the upper right corner; and one of nothing.
        let mut weights = vec![0.0f32; 2 * 2 * 25];
        (weights[4], weights[25 + 3], weights[25 + 9]) = (3.0, 1.0, -1.0);
        centre(&mut weights, [2, 2, 5, 5]);
        let mut moved = vec![0.0f32; 2 * 2 * 25];
        (moved[12], moved[25 + 11], moved[25 + 17]) = (3.0, 1.0, -1.0);
        assert_eq!(weights, moved);
        centre(&mut weights, [2, 2, 5, 5]);
        assert_eq!(weights, moved, "there it stays");
    }

    #[test]
    fn a_patch_is_cut_where_something_is() {
        let shape = Shape::new(1, 9, 9);
        let mut plane = vec![0.0; 81];
        assert_eq!(patch(&plane, shape, [1, 1, 3, 3], &mut SplitMix::new(1)).len(), 9);
        plane.fill(2.0);
        assert_eq!(patch(&plane, shape, [1, 1, 3, 3], &mut SplitMix::new(1)), vec![2.0; 9]);
    }
}
