//! What storing weights as float16 does to a network, measured on pictures; and how to do it so
//! that it does little.

mod rounding;

use crate::error::{Error, Result};
use crate::net::{Net, Trace};
use crate::spec::{Kind, Model, Values, Weight};
use crate::tensor::Tensor;
use ndarray::{Array2, Axis};
use std::sync::Arc;

/// Largest change of an activation, relative to its layer's largest, that goes unnoticed.
pub const LIMIT: f32 = 1e-3;
/// Tensors up to this many values stay float32 where plain rounding is not enough: early, narrow
/// layers and biases, through which every error runs, and which take hardly any space.
const SMALL: usize = 4096;

/// The layer that changes most.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its name.
    pub layer: String,
    /// max |a − b| / max |a| over its activations a (float32 weights) and b.
    pub relative: f32,
}

/// A model stored as small as its pictures allow.
#[derive(Debug)]
pub struct Stored {
    /// The model.
    pub model: Model,
    /// The change by what was stored, or, where that is float32, by what was tried.
    pub change: Change,
    /// On how many inputs that was measured.
    pub inputs: usize,
    /// Whether there are float16 weights.
    pub half: bool,
    /// Whether rounding followed what the inputs are like.
    pub adapted: bool,
    /// Tensors that stayed float32.
    pub kept: Vec<String>,
}

/// Stores weights as float16 if no activation changes by [`LIMIT`] or more of its layer's maximum.
///
/// First all weights are rounded to the nearest. If that shows, small tensors stay float32 and the
/// others are rounded so that each layer's response to the inputs stays near (see `rounding`); this
/// is measured on the inputs and on their mirror images, which the rounding has not seen. If that
/// shows too, everything stays float32. Values beyond ±65504 always do.
/// Errors: Parameter without inputs; those of the network.
pub fn store(model: &Model, inputs: &[Tensor]) -> Result<Stored> {
    if inputs.is_empty() {
        return Err(Error::Parameter("float16 is measured on pictures; give at least one".into()));
    }
    let exact = Arc::new(Net::new(model.clone())?);
    let mut traces: Vec<Trace> = forward(&exact, inputs.iter().cloned())?;
    let (plain, kept) = rounded(model, |_, w| Some(w.to_f16()));
    let change = worst(&traces, plain.clone())?;
    if change.relative < LIMIT {
        return Ok(Stored { model: plain, change, inputs: inputs.len(), half: true, adapted: false, kept });
    }
    let moments = all_moments(&exact, &traces);
    let (adapted, kept) = rounded(model, |name, w| {
        if w.len() <= SMALL {
            return None;
        }
        let known = moments.iter().find(|m| name.strip_suffix(".weight") == Some(m.0.as_str()));
        Some(known.map_or_else(|| w.to_f16(), |m| by_groups(w, &m.1)))
    });
    if kept.len() == model.weights.len() {
        let model = model.clone();
        return Ok(Stored {
            model,
            change,
            inputs: inputs.len(),
            half: false,
            adapted: false,
            kept: Vec::new(),
        });
    }
    traces.extend(forward(&exact, inputs.iter().map(mirrored))?);
    let change = worst(&traces, adapted.clone())?;
    let half = change.relative < LIMIT;
    let kept = if half { kept } else { Vec::new() };
    let model = if half { adapted } else { model.clone() };
    Ok(Stored { model, change, inputs: traces.len(), half, adapted: half, kept })
}

fn forward(net: &Arc<Net>, inputs: impl Iterator<Item = Tensor>) -> Result<Vec<Trace>> {
    inputs.map(|input| net.forward(input)).collect()
}

fn mirrored(t: &Tensor) -> Tensor {
    let mut values = t.values.clone();
    values.invert_axis(Axis(2));
    Tensor { values: values.as_standard_layout().into_owned(), rect: t.rect }
}

/// Every tensor as `half` wants it, with the names of those that stay as they are.
fn rounded(model: &Model, half: impl Fn(&str, &Weight) -> Option<Weight>) -> (Model, Vec<String>) {
    let mut out = model.clone();
    let mut kept = Vec::new();
    for (name, weight) in &mut out.weights {
        let fits = |w: &Weight| matches!(&w.values, Values::F16(v) if v.iter().all(|x| x.is_finite()));
        match half(name, weight).filter(fits) {
            Some(w) => *weight = w,
            None => kept.push(name.clone()),
        }
    }
    (out, kept)
}

/// The largest change of any activation against the traces of the exact network.
fn worst(traces: &[Trace], model: Model) -> Result<Change> {
    let after = Arc::new(Net::new(model)?);
    let mut worst = Change { layer: "data".into(), relative: 0.0 };
    for before in traces {
        let trace = after.forward(before.activation(0))?;
        for node in 1..after.len() {
            let (a, b) = (before.activation(node), trace.activation(node));
            let peak = a.data().iter().fold(0.0f32, |m, v| m.max(v.abs()));
            let off = a.data().iter().zip(b.data()).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
            let relative = if off == 0.0 { 0.0 } else { off / peak };
            if relative > worst.relative || relative.is_nan() {
                worst = Change { layer: after.name(node).into(), relative };
            }
        }
    }
    Ok(worst)
}

/// For each convolution whose filters are short enough and read all maps of their group: one
/// matrix of moments a group.
fn all_moments(net: &Net, traces: &[Trace]) -> Vec<(String, Vec<Array2<f64>>)> {
    let mut all = Vec::new();
    for node in 1..net.len() {
        let Some(Kind::Conv { window, groups, connections: None, .. }) = net.kind(node) else { continue };
        let before = net.inputs(node)[0];
        let channels = traces[0].shape(before).c / groups;
        let taps = channels * window.kernel[0] * window.kernel[1];
        if taps > rounding::MOST_TAPS {
            continue;
        }
        let mut moments = vec![Array2::zeros((taps, taps)); *groups];
        for trace in traces {
            let input = trace.activation(before);
            for (g, m) in moments.iter_mut().enumerate() {
                rounding::moments(&input, g * channels..(g + 1) * channels, window, m);
            }
        }
        all.push((net.name(node).to_string(), moments));
    }
    all
}

/// Each group's filters by its own moments.
fn by_groups(weight: &Weight, moments: &[Array2<f64>]) -> Weight {
    let values = weight.to_f32();
    let each = values.len() / moments.len();
    let groups = values.chunks(each.max(1)).zip(moments);
    let halves = groups.flat_map(|(filters, m)| rounding::round(filters, m)).collect();
    Weight { shape: weight.shape.clone(), values: Values::F16(halves) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix;
    use crate::spec::{LayerSpec, Spec};
    use crate::tensor::Shape;
    use crate::window::Window;

    const INPUT: Shape = Shape::new(128, 3, 4);

    /// Two 1×1 convolutions from 128 maps to 64, in two groups, and from those to one.
    fn model(weight: impl FnMut() -> f32, last: f32, bias: f32) -> Model {
        let conv = |name: &str, filters, groups| LayerSpec {
            name: name.into(),
            inputs: vec![],
            kind: Kind::Conv { filters, window: Window::square(1, 1, 0), groups, connections: None },
        };
        let spec = Spec { layers: vec![conv("a", 80, 2), conv("b", 1, 1)], ..Spec::new("n", INPUT) };
        let mut weight = weight;
        let a = Weight::new(vec![80, 64, 1, 1], (0..80 * 64).map(|_| weight()).collect()).unwrap();
        let b = Weight::new(vec![1, 80, 1, 1], vec![last; 80]).unwrap();
        let bias = Weight::new(vec![1], vec![bias]).unwrap();
        let weights = [("a.weight", a), ("b.weight", b), ("b.bias", bias)];
        Model { spec, weights: weights.into_iter().map(|(n, w)| (n.to_string(), w)).collect() }
    }

    /// With a mean, as behind a ReLU.
    fn inputs() -> Vec<Tensor> {
        let mut random = SplitMix::new(3);
        let mut one = || {
            Tensor::new(INPUT, (0..128 * 12).map(|_| 0.8 + 0.2 * random.uniform() as f32).collect()).unwrap()
        };
        vec![one(), one()]
    }

    #[test]
    fn plain_rounding_where_it_does_not_show() {
        let stored = store(&model(|| 0.5, 1.0, 0.25), &inputs()).unwrap();
        assert_eq!((stored.change.relative, stored.half, stored.adapted), (0.0, true, false));
        let stored = store(&model(|| 0.1, 1.0, 0.25), &inputs()).unwrap();
        assert!(stored.change.relative > 0.0 && stored.change.relative < LIMIT, "{:?}", stored.change);
        assert_eq!((stored.inputs, stored.kept.len()), (2, 0));
    }

    #[test]
    fn adapted_rounding_where_it_would_show() {
        // Weights of both signs: what is left of the sums is hardly more than their rounding errors.
        let mut random = SplitMix::new(5);
        let mut sign = 1.0;
        let weight = move || {
            sign = -sign;
            sign * (1.0 + random.uniform() as f32 / 512.0)
        };
        let stored = store(&model(weight, 1e-3, 0.0), &inputs()).unwrap();
        assert!(stored.half && stored.adapted, "{:?}", stored.change);
        assert_eq!(stored.kept, ["b.bias", "b.weight"]);
        assert_eq!(stored.inputs, 4);
    }

    #[test]
    fn float32_where_float16_cannot_do_it() {
        // Filters of one tap cannot make anything good, and the next layer sees only their differences.
        let kind =
            |filters| Kind::Conv { filters, window: Window::square(1, 1, 0), groups: 1, connections: None };
        let layer =
            |name: &str, filters| LayerSpec { name: name.into(), inputs: vec![], kind: kind(filters) };
        let spec =
            Spec { layers: vec![layer("a", 5000), layer("b", 1)], ..Spec::new("n", Shape::new(1, 1, 2)) };
        let a = (0..5000).map(|i| if i % 2 == 0 { 1.0 } else { 1.0 + 1.0 / 4096.0 }).collect();
        let b = (0..5000).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let weights = [
            ("a.weight".to_string(), Weight::new(vec![5000, 1, 1, 1], a).unwrap()),
            ("b.weight".to_string(), Weight::new(vec![1, 5000, 1, 1], b).unwrap()),
        ];
        let model = Model { spec, weights: weights.into() };
        let input = Tensor::new(Shape::new(1, 1, 2), vec![1.0, 2.0]).unwrap();
        let stored = store(&model, &[input]).unwrap();
        assert_eq!((stored.half, stored.adapted, stored.change.layer.as_str()), (false, false, "b"));
        assert_eq!(stored.model, model);
    }

    #[test]
    fn what_lies_beyond_float16_stays() {
        let stored = store(&model(|| 1e5, 1.0, 0.0), &inputs()).unwrap();
        assert_eq!(stored.kept, ["a.weight"]);
        assert!(stored.half);
    }

    #[test]
    fn nothing_to_measure_on_is_an_error() {
        assert!(matches!(store(&model(|| 0.5, 1.0, 0.0), &[]), Err(Error::Parameter(_))));
    }
}
