//! The deconvnet projection (ZF14 §2.1): keep the chosen activation, set all others of the layer to
//! zero, and pull the signal down layer by layer to the pixels. The layers do the work.

use crate::error::{Error, Result};
use crate::kernel::inside;
use crate::layer::relu::Relu;
pub use crate::layer::{Descent, LrnRule, Rule, Unpool};
use crate::layer::{Layer, Recorded};
use crate::net::Trace;
use crate::spec::Kind;
use crate::tensor::{Rect, Tensor, View};

/// What is kept of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// One unit; without a position the map's strongest.
    Unit {
        /// Feature map.
        map: usize,
        /// Row, column.
        at: Option<[usize; 2]>,
    },
    /// The K largest values of a map.
    Strongest {
        /// Feature map.
        map: usize,
        /// How many; more than there are means all.
        k: usize,
    },
    /// A whole map.
    Map {
        /// Feature map.
        map: usize,
    },
}

/// How to project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Rules on the way down.
    pub descent: Descent,
    /// Sanity check: filters on the way down replaced by random ones of the same standard deviation,
    /// while the seed and the switches stay those of the trained network. What is still to be seen
    /// comes from the photo through the switches, not from what the network learned.
    pub randomise: Option<u64>,
}

/// A projection in the input's frame, channel order and units; signed, not rectified.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// The whole input plane.
    pub pixels: Tensor,
    /// Feature map seeded.
    pub map: usize,
    /// Value of the strongest seeded unit.
    pub value: f32,
    /// Row, column of the strongest seeded unit.
    pub at: [usize; 2],
    /// Number of units seeded.
    pub units: usize,
    /// What the seeded units see of the input, unclipped.
    pub receptive_field: Rect,
}

/// Projects part of a layer's activation down to the pixels.
pub fn project(trace: &Trace, node: usize, seed: &Seed, options: &Options) -> Result<Projection> {
    let seeded = plant(trace, node, seed)?;
    let Seeded { map, value, at, units, receptive_field, .. } = seeded;
    let mut pixels = Tensor::zeros(trace.shape(0).c, trace.shape(0).rect());
    inside(|| {
        descend(trace, node, seeded.signal, options, |node, signal| {
            if node == 0 {
                pixels.view_mut().copy_from(signal.view());
            }
        });
    });
    Ok(Projection { pixels, map, value, at, units, receptive_field })
}

/// A seed's signal and what there is to say about it.
pub(super) struct Seeded {
    pub(super) signal: Tensor,
    map: usize,
    value: f32,
    at: [usize; 2],
    units: usize,
    receptive_field: Rect,
}

/// The layer's activation with everything but the seed set to zero; the seed keeps its values under every rule.
pub(super) fn plant(trace: &Trace, node: usize, seed: &Seed) -> Result<Seeded> {
    let shape = trace.shape(node);
    let (map, units): (usize, Vec<([usize; 2], f32)>) = match *seed {
        Seed::Unit { map, at: Some(at) } => (map, vec![(at, trace.value(node, map, at)?)]),
        Seed::Unit { map, at: None } => {
            let best = trace.summary(node, map)?;
            (map, vec![(best.at, best.peak)])
        }
        Seed::Strongest { map, k } => {
            if k == 0 {
                return Err(Error::Parameter("at least one unit must be seeded, 0 were asked for".into()));
            }
            let mut all = positions(&trace.map(node, map)?);
            all.sort_by(|a, b| b.1.total_cmp(&a.1));
            all.truncate(k);
            (map, all)
        }
        Seed::Map { map } => (map, positions(&trace.map(node, map)?)),
    };
    let strongest = units.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    let (at, value) = strongest.ok_or_else(|| Error::Shape("the map holds no unit".into()))?;
    let unit = |at: [usize; 2]| Rect::unit(at[0] as isize, at[1] as isize);
    let rect = units.iter().fold(Rect::default(), |r, (at, _)| r.union(&unit(*at)));
    let mut signal = Tensor::zeros(shape.c, rect);
    for (at, v) in &units {
        let (y, x) = (at[0] as isize - rect.y0, at[1] as isize - rect.x0);
        signal.values[(map, y as usize, x as usize)] = *v;
    }
    let receptive_field = trace.net().field(node, rect, trace.shapes());
    Ok(Seeded { signal, map, value, at, units: units.len(), receptive_field })
}

fn positions(map: &Tensor) -> Vec<([usize; 2], f32)> {
    map.values.indexed_iter().map(|((_, y, x), v)| ([y, x], *v)).collect()
}

/// The downward walk: unpool → rectify → filter, whatever order the graph has them in. `visit` sees
/// the signal at every node it reaches, the seed first, the pixels last; only the part of each plane
/// that the seed can reach is computed. Where paths meet again the signals sum.
pub(super) fn descend(
    trace: &Trace,
    node: usize,
    seed: Tensor,
    options: &Options,
    mut visit: impl FnMut(usize, &Tensor),
) {
    let net = trace.net();
    let mut signals: Vec<Option<Tensor>> = (0..=node).map(|_| None).collect();
    signals[node] = Some(seed);
    for i in (0..=node).rev() {
        let Some(mut signal) = signals[i].take() else { continue };
        visit(i, &signal);
        let n = &net.nodes[i];
        if let (Some(Kind::Relu), [k]) = (&n.kind, n.inputs.as_slice()) {
            // In place: the one layer whose pull needs no second array.
            Relu::gate(options.descent.rule, trace.view(i), signal.view_mut());
            merge(&mut signals[*k], signal);
            continue;
        }
        let random = options.randomise.and_then(|seed| n.layer.randomised(seed.wrapping_add(i as u64)));
        let layer: &dyn Layer = random.as_deref().unwrap_or(n.layer.as_ref());
        let inputs: Vec<Option<View>> = n.inputs.iter().map(|&k| trace.view(k)).collect();
        let shapes: Vec<_> = n.inputs.iter().map(|&k| trace.shape(k)).collect();
        let at = Recorded {
            inputs: &inputs,
            shapes: &shapes,
            output: trace.view(i),
            switches: trace.switches(i),
            over: trace.part(i),
        };
        for (which, &k) in n.inputs.iter().enumerate() {
            let rect = layer.reads(&signal.rect, shapes[which]).intersect(&shapes[which].rect());
            if rect.is_empty() {
                continue;
            }
            let mut below = Tensor::zeros(shapes[which].c, rect);
            layer.pull(&at, &options.descent, signal.view(), which, below.view_mut());
            merge(&mut signals[k], below);
        }
    }
}

/// Adds a signal to what already arrived at a node by another path.
fn merge(at: &mut Option<Tensor>, signal: Tensor) {
    let Some(there) = at.take() else {
        *at = Some(signal);
        return;
    };
    let mut sum = if there.rect.covers(&signal.rect) {
        there
    } else {
        let mut wide = Tensor::zeros(there.channels(), there.rect.union(&signal.rect));
        wide.view_mut().copy_from(there.view());
        wide
    };
    crate::kernel::elementwise::add(sum.view_mut(), signal.view());
    *at = Some(sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Net;
    use crate::spec::{LayerSpec, Model, Spec, Weight, Weights};
    use crate::tensor::Shape;
    use crate::window::Window;
    use std::sync::Arc;

    /// The one-convolution network of Captum's own tests, whose results can be checked by hand.
    fn one_conv() -> Trace {
        let layer = |name: &str, kind| LayerSpec { name: name.into(), inputs: vec![], kind };
        let conv = Kind::Conv { filters: 2, window: Window::square(3, 1, 0), groups: 1, connections: None };
        let layers = vec![
            layer("conv1", conv),
            layer("relu1", Kind::Relu),
            layer("fc1", Kind::Dense { units: 4 }),
            layer("relu2", Kind::Relu),
        ];
        let spec = Spec { layers, ..Spec::new("one", Shape::new(1, 4, 4)) };
        let row = [1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0];
        let weights = Weights::from([
            ("conv1.weight".into(), Weight::new(vec![2, 1, 3, 3], vec![1.0; 18]).unwrap()),
            ("conv1.bias".into(), Weight::new(vec![2], vec![-50.0, -75.0]).unwrap()),
            ("fc1.weight".into(), Weight::new(vec![4, 8], row.repeat(4)).unwrap()),
        ]);
        let net = Arc::new(Net::new(Model { spec, weights }).unwrap());
        let input = (0..16).map(|v| v as f32).collect();
        net.forward(Tensor::new(Shape::new(1, 4, 4), input).unwrap()).unwrap()
    }

    #[test]
    fn the_one_conv_case_agrees_with_its_published_numbers() {
        let trace = one_conv();
        let seed = Seed::Unit { map: 0, at: None };
        let node = trace.net().find("relu2").unwrap();
        let run = |rule| {
            let descent = Descent { rule, ..Descent::default() };
            let p = project(&trace, node, &seed, &Options { descent, randomise: None }).unwrap();
            p.pixels.data().iter().map(|v| v / p.value).collect::<Vec<_>>()
        };
        let deconvnet = [2., 3., 3., 1., 3., 5., 5., 2., 3., 5., 5., 2., 1., 2., 2., 1.];
        let guided = [0., 1., 1., 1., 1., 3., 3., 2., 1., 3., 3., 2., 1., 2., 2., 1.];
        assert_eq!(run(Rule::Deconvnet), deconvnet);
        assert_eq!(run(Rule::Guided), guided);
        assert_ne!(run(Rule::Gradient), deconvnet);
    }

    #[test]
    fn refusals_say_what_there_is() {
        let trace = one_conv();
        let node = trace.net().find("conv1").unwrap();
        let go = |seed| project(&trace, node, &seed, &Options::default()).unwrap_err();
        assert!(go(Seed::Unit { map: 2, at: None }).message().contains("maps 0 to 1"));
        assert!(go(Seed::Unit { map: 0, at: Some([2, 0]) }).message().contains("2 rows"));
        assert!(matches!(go(Seed::Strongest { map: 0, k: 0 }), Error::Parameter(_)));
        assert!(trace.net().find("conv2").unwrap_err().message().contains("conv1"));
    }
}
