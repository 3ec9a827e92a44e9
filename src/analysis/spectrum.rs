//! Power spectra of small pictures: an image of a few pixels, laid on a plane of zeros so that the
//! spectrum is fine enough to read, Fourier-transformed by rows and columns.

use serde::Serialize;

/// Bins of a radial spectrum, from 0 to half a cycle per pixel.
pub const BINS: usize = 20;

/// |DFT|² of one channel of `h × w` values, laid on `n × n`. Only the half plane `fx ≥ 0`: `n` rows of
/// `n / 2 + 1` columns, row `v` being the frequency `v / n` (above one half: minus 1), columns likewise.
pub(super) fn power(values: &[f32], h: usize, w: usize, n: usize, out: &mut [f64]) {
    let half = n / 2 + 1;
    let turn: Vec<(f64, f64)> = (0..n)
        .map(|i| (std::f64::consts::TAU * i as f64 / n as f64).sin_cos())
        .map(|(s, c)| (c, -s))
        .collect();
    let mut rows = vec![(0.0, 0.0); h * half];
    for y in 0..h {
        for u in 0..half {
            let (mut re, mut im) = (0.0, 0.0);
            for (x, v) in values[y * w..][..w].iter().enumerate() {
                let (c, s) = turn[x * u % n];
                re += f64::from(*v) * c;
                im += f64::from(*v) * s;
            }
            rows[y * half + u] = (re, im);
        }
    }
    for v in 0..n {
        for u in 0..half {
            let (mut re, mut im) = (0.0, 0.0);
            for y in 0..h {
                let ((a, b), (c, s)) = (rows[y * half + u], turn[y * v % n]);
                re += a * c - b * s;
                im += a * s + b * c;
            }
            out[v * half + u] += re * re + im * im;
        }
    }
}

/// Calls `f(fy, fx, power)` for every frequency of the whole plane's half that [`power`] gives; columns
/// that stand for two (fx and −fx) count twice.
pub(super) fn each(power: &[f64], n: usize, mut f: impl FnMut(f64, f64, f64)) {
    let half = n / 2 + 1;
    for v in 0..n {
        let fy = if v * 2 > n { v as f64 - n as f64 } else { v as f64 } / n as f64;
        for u in 0..half {
            let twice = if u == 0 || u * 2 == n { 1.0 } else { 2.0 };
            f(fy, u as f64 / n as f64, twice * power[v * half + u]);
        }
    }
}

/// What a filter's spectrum says about it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    /// Share of the power in each of [`BINS`] rings up to half a cycle per pixel; the rest lies beyond, in the corners
    /// of the plane.
    pub rings: [f64; BINS],
    /// Mean frequency, weighted by power, in cycles per pixel.
    pub frequency: f64,
    /// Direction in which the filter varies, degrees counter-clockwise from a horizontal change, 0 to 180.
    pub orientation: f64,
    /// 0: no direction preferred, 1: one only.
    pub oriented: f64,
    /// All power: the sum over the plane.
    pub total: f64,
}

pub(super) fn read(power: &[f64], n: usize) -> Reading {
    let mut r = Reading { rings: [0.0; BINS], frequency: 0.0, orientation: 0.0, oriented: 0.0, total: 0.0 };
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    each(power, n, |fy, fx, p| {
        let f = fy.hypot(fx);
        let half = 0.5 / n as f64;
        spread(&mut r.rings, [(f - half).max(0.0), f + half], p);
        r.frequency += f * p;
        r.total += p;
        xx += fx * fx * p;
        yy += fy * fy * p;
        // Rows count downwards, angles upwards. At half a cycle per pixel + and − are the same frequency.
        if fx < 0.5 && fy.abs() < 0.5 {
            xy -= fx * fy * p;
        }
    });
    if r.total > 0.0 {
        r.rings.iter_mut().for_each(|b| *b /= r.total);
        r.frequency /= r.total;
        let spread = ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt();
        r.oriented = if xx + yy > 0.0 { spread / (xx + yy) } else { 0.0 };
        // A rounding below zero would read as almost 180.
        let angle = (0.5 * (2.0 * xy).atan2(xx - yy)).to_degrees();
        r.orientation = if angle < -1e-9 { angle + 180.0 } else { angle.abs() };
    }
    r
}

/// Shares a sample out among the bands, of equal width up to half a cycle per pixel, that it covers from one frequency to
/// another. Put whole into one band, the few samples that fall into each would make peaks and valleys of their own.
pub(super) fn spread(bands: &mut [f64], covers: [f64; 2], power: f64) {
    let [from, to] = covers.map(|f| f * 2.0 * bands.len() as f64);
    for (i, band) in bands.iter_mut().enumerate().skip(from as usize) {
        let inside = to.min(i as f64 + 1.0) - from.max(i as f64);
        if inside <= 0.0 {
            break;
        }
        *band += power * inside / (to - from);
    }
}

/// The deepest valley of a spectrum: how far it lies below the lower of the peaks on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Dip {
    /// 0: the spectrum has one peak only; 1: nothing at all between two.
    pub depth: f64,
    /// Its frequency, cycles per pixel; 0 where there is none.
    pub at: f64,
}

/// Finds it: the mid-frequency gap of ZF14 Fig. 6 as a number that needs no choice of bands.
pub(super) fn dip(rings: &[f64]) -> Dip {
    let mut best = Dip { depth: 0.0, at: 0.0 };
    let highest = |v: &[f64]| v.iter().copied().fold(0.0, f64::max);
    for (i, v) in rings.iter().enumerate() {
        let brim = highest(&rings[..i]).min(highest(&rings[i + 1..]));
        if brim > 0.0 && 1.0 - v / brim > best.depth {
            best = Dip { depth: 1.0 - v / brim, at: (i as f64 + 0.5) / (2 * rings.len()) as f64 };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(h: usize, w: usize, fy: f64, fx: f64) -> Vec<f32> {
        let phase = |y: usize, x: usize| std::f64::consts::TAU * (fy * y as f64 + fx * x as f64);
        (0..h * w).map(|i| phase(i / w, i % w).cos() as f32).collect()
    }

    #[test]
    fn power_is_parsevals() {
        let v: Vec<f32> = (0..35).map(|i| ((i * 7919) % 23) as f32 - 11.0).collect();
        let mut p = vec![0.0; 16 * 9];
        power(&v, 5, 7, 16, &mut p);
        let mut total = 0.0;
        each(&p, 16, |_, _, p| total += p);
        let sum: f64 = v.iter().map(|v| f64::from(*v).powi(2)).sum();
        assert!((total / 256.0 - sum).abs() < 1e-6 * sum);
    }

    #[test]
    fn a_wave_is_where_it_should_be() {
        // Up and to the right: rows fall as columns rise, which is 45° counter-clockwise.
        for (fy, fx, angle) in [(0.0, 0.25, 0.0), (0.25, 0.0, 90.0), (-0.2, 0.2, 45.0), (0.2, 0.2, 135.0)] {
            let mut p = vec![0.0; 64 * 33];
            power(&wave(32, 32, fy, fx), 32, 32, 64, &mut p);
            let r = read(&p, 64);
            let f = f64::hypot(fy, fx);
            assert!((r.frequency - f).abs() < 0.02 && r.oriented > 0.8, "{r:?}");
            assert!((r.orientation - angle).abs() < 1.0, "{r:?}");
            let near: f64 = r.rings[(f * 40.0) as usize - 2..][..4].iter().sum();
            assert!(near > 0.8, "{r:?}");
        }
    }

    #[test]
    fn noise_has_as_much_in_every_ring_as_its_area() {
        // One tap: the same power everywhere, so rings hold it as their areas are, at any fineness.
        for n in [64, 128] {
            let mut p = vec![0.0; n * (n / 2 + 1)];
            power(&[1.0], 1, 1, n, &mut p);
            let r = read(&p, n);
            for (i, v) in r.rings.iter().enumerate().skip(1) {
                let area = std::f64::consts::PI * (2 * i + 1) as f64 / (40.0 * 40.0);
                assert!((v / area - 1.0).abs() < 0.03, "{n}, ring {i}: {v}, area {area}");
            }
            let all: f64 = r.rings.iter().sum();
            assert!((all - std::f64::consts::FRAC_PI_4).abs() < 0.02, "the corners are beyond: {all}");
        }
    }

    #[test]
    fn a_valley_is_measured_against_its_lower_brim() {
        assert_eq!(dip(&[1.0, 2.0, 1.0]).depth, 0.0);
        let d = dip(&[0.1, 4.0, 0.5, 2.0, 1.0]);
        assert_eq!((d.depth, d.at), (0.75, 0.25));
        assert_eq!(dip(&[0.0; 4]), Dip { depth: 0.0, at: 0.0 });
    }
}
