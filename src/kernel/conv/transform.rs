//! The one-dimensional transforms of Winograd's minimal filtering, y = Aᵀ[(G g) ⊙ (Bᵀ d)], by Toom and
//! Cook's construction from interpolation points (Lavin & Gray 2016; Barabasz et al. 2020 on the points).
//!
//! With six points 0, 1, −1, 2, −½, ∞ one Bᵀ serves F(4,3) and F(2,5). These points have the smallest
//! error of those tried (float32, C = 512, largest error over largest output: 2.5e-6; with ±2 4.5e-6, with 2, ½
//! 9.6e-6; F(2,3) with 0, ±1, ∞ 6.7e-7), and they are closed under a ↦ −1/a: the filter reversed and with
//! alternating signs has the same G g in another order. So the transpose, whose filter is reversed, uses the same
//! transformed weights, with signs and order in the transforms of its data.

use crate::kernel::simd::{F4, Simd};

/// A size of tile: N×N values in, M×M out, R×R taps, N = M + R − 1. Arrays have room for the largest.
pub trait Tile: Sync {
    /// Side of the input tile, and number of points.
    const N: usize;
    /// Side of the output tile.
    const M: usize;
    /// Side of the filter.
    const R: usize;
    /// Row j of G.
    fn filter(j: usize) -> [f64; 5];
    /// Bᵀ d; for the transpose the same up to signs, scale and order.
    fn input<const PULL: bool>(d: [F4; 6]) -> [F4; 6];
    /// Aᵀ m; for the transpose likewise.
    fn output<const PULL: bool>(m: [F4; 6]) -> [F4; 4];
}

#[inline(always)]
fn times(a: f32, x: F4) -> F4 {
    F4::splat(a).mul(x)
}

/// G for the six points: powers of the point over Π (a − other points).
fn six(j: usize, taps: usize) -> [f64; 5] {
    let points = [0.0, 1.0, -1.0, 2.0, -0.5];
    if j == 5 {
        return std::array::from_fn(|k| if k == taps - 1 { 1.0 } else { 0.0 });
    }
    let norm: f64 = points.iter().filter(|p| **p != points[j]).map(|p| points[j] - p).product();
    std::array::from_fn(|k| if k < taps { points[j].powi(k as i32) / norm } else { 0.0 })
}

/// Bᵀ for the six points. The polynomials x² − 1.5x − 1 (of 2 and −½) and x² − 1 (of ±1) are shared.
#[inline(always)]
fn push(d: [F4; 6]) -> [F4; 6] {
    let u: [F4; 4] = std::array::from_fn(|i| d[i + 2].sub(times(1.5, d[i + 1])).sub(d[i]));
    let v = [d[3].sub(d[1]), d[4].sub(d[2])];
    [
        u[2].sub(u[0]),
        u[2].add(u[1]),
        u[2].sub(u[1]),
        v[1].add(times(0.5, v[0])),
        v[1].sub(times(2.0, v[0])),
        u[3].sub(u[1]),
    ]
}

/// The same of d with alternating signs, rows in the order of −1/a. Row a is scaled by a^(R − 1) N(−1/a) / N(a),
/// which is −1 but for the rows of 2 and −½: there −`small` and −`large`.
#[inline(always)]
fn pull(d: [F4; 6], small: f32, large: f32) -> [F4; 6] {
    let u: [F4; 4] = std::array::from_fn(|i| d[i + 2].add(times(1.5, d[i + 1])).sub(d[i]));
    let v = [d[3].sub(d[1]), d[4].sub(d[2])];
    [
        u[1].sub(u[3]),
        F4::splat(0.0).sub(u[2].add(u[1])),
        u[1].sub(u[2]),
        times(-large, v[1].add(times(2.0, v[0]))),
        times(-small, v[1].sub(times(0.5, v[0]))),
        u[2].sub(u[0]),
    ]
}

/// F(4×4, 3×3): 36 multiplications for 144.
pub struct Four;

impl Tile for Four {
    const N: usize = 6;
    const M: usize = 4;
    const R: usize = 3;
    fn filter(j: usize) -> [f64; 5] {
        six(j, 3)
    }
    #[inline(always)]
    fn input<const PULL: bool>(d: [F4; 6]) -> [F4; 6] {
        if PULL { pull(d, 0.25, 4.0) } else { push(d) }
    }
    #[inline(always)]
    fn output<const PULL: bool>(m: [F4; 6]) -> [F4; 4] {
        let [m0, m1, m2, m3, m4, m5] = if PULL { [m[5], m[2], m[1], m[4], m[3], m[0]] } else { m };
        let (s, d) = (m1.add(m2), m1.sub(m2));
        let y = [
            m0.add(s).add(m3.add(m4)),
            d.add(times(2.0, m3).sub(times(0.5, m4))),
            s.add(times(4.0, m3).add(times(0.25, m4))),
            d.add(m5).add(times(8.0, m3).sub(times(0.125, m4))),
        ];
        alternate::<PULL>(y)
    }
}

/// F(2×2, 5×5): 36 multiplications for 100.
pub struct Five;

impl Tile for Five {
    const N: usize = 6;
    const M: usize = 2;
    const R: usize = 5;
    fn filter(j: usize) -> [f64; 5] {
        six(j, 5)
    }
    #[inline(always)]
    fn input<const PULL: bool>(d: [F4; 6]) -> [F4; 6] {
        if PULL { pull(d, 1.0, 1.0) } else { push(d) }
    }
    #[inline(always)]
    fn output<const PULL: bool>(m: [F4; 6]) -> [F4; 4] {
        let [m0, m1, m2, m3, m4, m5] = if PULL { [m[5], m[2], m[1], m[4], m[3], m[0]] } else { m };
        let y0 = m0.add(m1.add(m2)).add(m3.add(m4));
        let y1 = m1.sub(m2).add(times(2.0, m3).sub(times(0.5, m4))).add(m5);
        alternate::<PULL>([y0, y1, y0, y1])
    }
}

/// F(2×2, 3×3): 16 multiplications for 36, with less than half the memory of F(4×4, 3×3).
pub struct Two;

impl Tile for Two {
    const N: usize = 4;
    const M: usize = 2;
    const R: usize = 3;
    fn filter(j: usize) -> [f64; 5] {
        [
            [1.0, 0.0, 0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5, 0.0, 0.0],
            [0.5, -0.5, 0.5, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0, 0.0],
        ][j]
    }
    #[inline(always)]
    fn input<const PULL: bool>(d: [F4; 6]) -> [F4; 6] {
        let x = [d[0].sub(d[2]), d[2].add(d[1]), d[2].sub(d[1]), d[3].sub(d[1]), d[4], d[5]];
        // Reversed taps without the signs: 1 and −1 stay, 0 and ∞ change places.
        if PULL { [x[3], x[1], x[2], x[0], x[4], x[5]] } else { x }
    }
    #[inline(always)]
    fn output<const PULL: bool>(m: [F4; 6]) -> [F4; 4] {
        let [m0, m1, m2, m3] = if PULL { [m[3], m[1], m[2], m[0]] } else { [m[0], m[1], m[2], m[3]] };
        let (y0, y1) = (m0.add(m1).add(m2), m1.sub(m2).add(m3));
        [y0, y1, y0, y1]
    }
}

#[inline(always)]
fn alternate<const PULL: bool>(y: [F4; 4]) -> [F4; 4] {
    let zero = F4::splat(0.0);
    if PULL { [y[0], zero.sub(y[1]), y[2], zero.sub(y[3])] } else { y }
}
