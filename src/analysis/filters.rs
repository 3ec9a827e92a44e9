//! One layer's filters in numbers: size, frequency, orientation, and what is wrong with them.

use super::spectrum::{self, BINS, Dip};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// When a filter is called what. All are free to choose; the defaults are ours unless a source is named.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Dead: its RMS is below this share of the layer's median.
    pub dead: f64,
    /// Dead, too: no activation above this on the whole set of inputs.
    pub silent: f32,
    /// Weak: its RMS is below this share of the median.
    pub weak: f64,
    /// Dominant: its RMS is above this many medians.
    pub dominant: f64,
    /// Dominant, too: its RMS is above this radius. ZF14 clips at 0.1, for inputs of about ±128.
    pub radius: Option<f64>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { dead: 0.1, silent: 0.0, weak: 0.5, dominant: 2.5, radius: None }
    }
}

impl Rules {
    fn check(&self) -> Result<()> {
        let shares =
            [self.dead, self.weak, self.dominant, f64::from(self.silent), self.radius.unwrap_or(0.0)];
        if shares.iter().all(|v| v.is_finite() && *v >= 0.0) && self.dead <= self.weak {
            return Ok(());
        }
        Err(Error::Parameter(format!(
            "the rules for filters must be finite and not negative, and dead at most weak; got {self:?}"
        )))
    }
}

/// What is noteworthy about a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flag {
    /// Hardly any weight, or no input ever excites it.
    Dead,
    /// Little weight.
    Weak,
    /// Far more weight than the others.
    Dominant,
}

/// One filter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filter {
    /// Its number.
    pub filter: usize,
    /// Root of the mean square of its weights, in the network's own units.
    pub rms: f64,
    /// Its share of the layer's squared weights.
    pub share: f64,
    /// Its largest activation on the inputs searched; absent without inputs.
    pub peak: Option<f32>,
    /// Dead, weak, dominant or nothing.
    pub flag: Option<Flag>,
    /// Whether it is dead.
    pub dead: bool,
    /// Whether it dominates.
    pub dominant: bool,
    /// Mean frequency weighted by power, cycles per pixel.
    pub frequency: f64,
    /// Direction in which it varies, degrees counter-clockwise from left-to-right, 0 to 180.
    pub orientation: f64,
    /// How much it prefers that direction, 0 to 1.
    pub oriented: f64,
    /// Share of its power in [`BINS`] rings from 0 to 0.5 cycles per pixel; what is missing to 1 lies beyond.
    pub spectrum: [f64; BINS],
}

/// A layer's filters together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Layer {
    /// In their own order.
    pub filters: Vec<Filter>,
    /// The median RMS, against which the rules measure.
    pub median: f64,
    /// Numbers of dead, weak and dominant filters.
    pub counts: [usize; 3],
    /// The mean of the spectra of all filters that are not dead: each counts the same.
    pub spectrum: [f64; BINS],
    /// The same weighted by the filters' power: what the layer passes on, all filters together.
    pub power: [f64; BINS],
    /// Shares of all that power below 0.1, up to 0.25, and above, cycles per pixel.
    pub bands: [f64; 3],
    /// The mid-frequency gap: the deepest valley of `power`. Faint filters of middle frequencies do not fill it.
    pub gap: Dip,
    /// The rules applied.
    pub rules: Rules,
}

/// Measures filters of shape (filters, inputs, rows, columns). `peaks` are their largest activations over a set of
/// inputs, if some were run. Errors: Shape for values that do not fit, Limit for filters above 64 taps a side,
/// Parameter for rules without sense.
pub fn diagnose(shape: [usize; 4], weights: &[f32], peaks: Option<&[f32]>, rules: Rules) -> Result<Layer> {
    rules.check()?;
    let [count, inputs, h, w] = shape;
    let each = inputs * h * w;
    if count == 0 || each == 0 || weights.len() != count * each || peaks.is_some_and(|p| p.len() != count) {
        return Err(Error::Shape(format!("{} weights given for filters {shape:?}", weights.len())));
    }
    if h > 64 || w > 64 {
        return Err(Error::Limit(format!("filters of {h}×{w}; spectra are made of up to 64×64")));
    }
    // Zeros around a filter make its spectrum finer, not different.
    let n = (4 * h.max(w)).next_power_of_two().clamp(64, 128);
    let mut filters = Vec::with_capacity(count);
    let mut totals = Vec::with_capacity(count);
    let energy: f64 = weights.iter().map(|v| f64::from(*v).powi(2)).sum();
    for (i, values) in weights.chunks_exact(each).enumerate() {
        let mut power = vec![0.0; n * (n / 2 + 1)];
        values.chunks_exact(h * w).for_each(|c| spectrum::power(c, h, w, n, &mut power));
        let read = spectrum::read(&power, n);
        let square: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
        totals.push(read.total);
        filters.push(Filter {
            filter: i,
            rms: (square / each as f64).sqrt(),
            share: if energy > 0.0 { square / energy } else { 0.0 },
            peak: peaks.map(|p| p[i]),
            flag: None,
            dead: false,
            dominant: false,
            frequency: read.frequency,
            orientation: read.orientation,
            oriented: read.oriented,
            spectrum: read.rings,
        });
    }
    let median = median(filters.iter().map(|f| f.rms).collect());
    let mut counts = [0; 3];
    for f in &mut filters {
        let silent = f.peak.is_some_and(|p| p <= rules.silent);
        f.dead = silent || f.rms < rules.dead * median || f.rms == 0.0;
        f.dominant = f.rms > rules.dominant * median || rules.radius.is_some_and(|r| f.rms > r);
        f.flag = match f {
            _ if f.dead => Some(Flag::Dead),
            _ if f.dominant => Some(Flag::Dominant),
            _ if f.rms < rules.weak * median => Some(Flag::Weak),
            _ => None,
        };
        if let Some(flag) = f.flag {
            counts[[Flag::Dead, Flag::Weak, Flag::Dominant].iter().position(|k| *k == flag).unwrap_or(0)] +=
                1;
        }
    }
    let mix = |weight: &dyn Fn(usize) -> f64| {
        let mut sum = [0.0; BINS];
        let all: f64 = filters.iter().filter(|f| !f.dead).map(|f| weight(f.filter)).sum();
        for f in filters.iter().filter(|f| !f.dead) {
            let share = weight(f.filter) / all.max(f64::MIN_POSITIVE);
            sum.iter_mut().zip(&f.spectrum).for_each(|(s, v)| *s += v * share);
        }
        sum
    };
    let (spectrum, power) = (mix(&|_| 1.0), mix(&|i| totals[i]));
    let band = |from: usize, to: usize| power[from..to].iter().sum::<f64>();
    let (low, middle) = (band(0, BINS / 5), band(BINS / 5, BINS / 2));
    let any = band(0, BINS) > 0.0;
    Ok(Layer {
        median,
        counts,
        bands: [low, middle, if any { 1.0 - low - middle } else { 0.0 }],
        gap: spectrum::dip(&power),
        spectrum,
        power,
        filters,
        rules,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_follow_their_rules() {
        let sizes = [1.0, 1.0, 1.0, 0.01, 0.3, 9.0, 1.0];
        let weights: Vec<f32> =
            sizes.iter().flat_map(|s| [1.0, -1.0, 1.0, -1.0].map(|v: f32| v * s)).collect();
        let peaks = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0];
        let layer = diagnose([7, 1, 2, 2], &weights, Some(&peaks), Rules::default()).unwrap();
        let flags: Vec<_> = layer.filters.iter().map(|f| f.flag).collect();
        let (dead, weak, dominant) = (Some(Flag::Dead), Some(Flag::Weak), Some(Flag::Dominant));
        assert_eq!(flags, [None, None, None, dead, weak, dominant, dead]);
        assert_eq!(layer.counts, [2, 1, 1]);
        let rules = Rules { radius: Some(0.5), ..Rules::default() };
        assert_eq!(diagnose([7, 1, 2, 2], &weights, None, rules).unwrap().counts, [1, 1, 5]);
    }

    #[test]
    fn a_layer_without_weights_is_all_dead_and_finite() {
        let layer = diagnose([3, 1, 2, 2], &[0.0; 12], None, Rules::default()).unwrap();
        assert_eq!(layer.counts, [3, 0, 0]);
        assert!(layer.spectrum.iter().all(|v| *v == 0.0) && layer.gap.depth == 0.0);
    }

    #[test]
    fn nonsense_is_refused() {
        let go = |shape, n: usize, rules| diagnose(shape, &vec![1.0; n], None, rules).unwrap_err();
        assert!(matches!(go([1, 1, 2, 2], 5, Rules::default()), Error::Shape(_)));
        assert!(matches!(go([1, 1, 65, 1], 65, Rules::default()), Error::Limit(_)));
        assert!(matches!(go([1, 1, 1, 1], 1, Rules { dead: 2.0, ..Rules::default() }), Error::Parameter(_)));
        assert!(matches!(
            go([1, 1, 1, 1], 1, Rules { weak: f64::NAN, ..Rules::default() }),
            Error::Parameter(_)
        ));
    }

    #[test]
    fn numbers_agree_with_the_reference() {
        use serde_json::json;
        let text = include_str!("../../tests/data/filters/filters.json");
        let all: serde_json::Value = serde_json::from_str(text).unwrap();
        let list = |v: &serde_json::Value| -> Vec<f64> {
            v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let single = |v: &serde_json::Value| list(v).iter().map(|v| *v as f32).collect::<Vec<f32>>();
        let shape: [usize; 4] = serde_json::from_value(all["shape"].clone()).unwrap();
        let layer = diagnose(shape, &single(&all["weights"]), None, Rules::default()).unwrap();
        let near = |what: &str, a: f64, b: &serde_json::Value| {
            let b = b.as_f64().unwrap();
            assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{what}: {a}, reference {b}");
        };
        for (f, r) in layer.filters.iter().zip(all["filters"].as_array().unwrap()) {
            near("rms", f.rms, &r["rms"]);
            near("share", f.share, &r["share"]);
            near("frequency", f.frequency, &r["frequency"]);
            near("oriented", f.oriented + 1.0, &json!(r["oriented"].as_f64().unwrap() + 1.0));
            for (a, b) in f.spectrum.iter().zip(r["spectrum"].as_array().unwrap()) {
                near("ring", *a, b);
            }
            let off = (f.orientation - r["orientation"].as_f64().unwrap()).abs();
            // A round filter has no direction.
            let round = f.oriented < 1e-3;
            assert!(round || off.min(180.0 - off) < 1e-3, "{}: {}", f.orientation, r["orientation"]);
        }
        let sides: [usize; 4] = serde_json::from_value(all["pictures"]["shape"].clone()).unwrap();
        let shape = crate::tensor::Shape::new(sides[1], sides[2], sides[3]);
        let values = single(&all["pictures"]["values"]);
        for (v, r) in values.chunks_exact(shape.count().unwrap()).zip(all["bands"].as_array().unwrap()) {
            let picture = crate::tensor::Tensor::new(shape, v.to_vec()).unwrap();
            let line = super::super::grid::line(picture.view()).unwrap();
            line.iter().zip(r.as_array().unwrap()).for_each(|(a, b)| near("band", *a, b));
        }
    }
}
