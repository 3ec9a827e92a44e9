//! From a layer of a network to what [`crate::sparse::invert`] works on: its filters, its true input, and the way to the
//! convolution below.

use crate::error::{Error, Result};
use crate::kernel::conv::Geometry;
use crate::net::{Net, Trace};
use crate::sparse::invert::{Crossing, Stage};
use crate::spec::Kind;

/// The convolution at `node`, and `depth − 1` more below it. Errors: Unsupported for a layer that is no convolution, and for a
/// way down that forks or meets a layer that has no way back (the sentence names it); Parameter for depth 0, or more
/// convolutions than there are.
pub fn stages(trace: &Trace, node: usize, depth: usize) -> Result<Vec<Stage>> {
    if depth == 0 {
        return Err(Error::Parameter("at least one layer must be inverted".into()));
    }
    let mut stages: Vec<Stage> = Vec::new();
    let mut at = node;
    loop {
        stages.push(stage(trace, at)?);
        if stages.len() == depth {
            return Ok(stages);
        }
        let (below, crossings) = descend(trace, at, stages.len())?;
        stages.last_mut().expect("just pushed").crossings = crossings;
        at = below;
    }
}

fn stage(trace: &Trace, node: usize) -> Result<Stage> {
    let net = trace.net();
    let Some(Kind::Conv { filters, window, groups, .. }) = net.kind(node) else {
        return Err(Error::Unsupported(format!(
            "{} is no convolution, only a convolution can be inverted; there are: {}",
            net.name(node),
            convolutions(net)
        )));
    };
    let input = net.inputs(node)[0];
    let (_, weights) = net.filters(node)?;
    Ok(Stage {
        name: net.name(node).into(),
        input: net.name(input).into(),
        geometry: Geometry {
            inputs: trace.shape(input).c,
            outputs: *filters,
            groups: *groups,
            window: *window,
        },
        weights,
        bias: net.bias(node),
        truth: trace.activation(input),
        crossings: Vec::new(),
        pixels: net.kind(input).is_none(),
    })
}

fn convolutions(net: &Net) -> String {
    let all = (1..net.len()).filter(|&n| matches!(net.kind(n), Some(Kind::Conv { .. })));
    let names: Vec<&str> = all.map(|n| net.name(n)).collect();
    let more = if names.len() > 12 { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(12)].join(", "))
}

/// From a convolution's input down to the next convolution's output.
fn descend(trace: &Trace, node: usize, found: usize) -> Result<(usize, Vec<Crossing>)> {
    let net = trace.net();
    let mut crossings = Vec::new();
    let mut at = net.inputs(node)[0];
    loop {
        match net.kind(at) {
            Some(Kind::Conv { .. }) => return Ok((at, crossings)),
            None => {
                return Err(Error::Parameter(format!(
                    "below {} there are no more convolutions: {found} can be inverted from there down",
                    net.name(node)
                )));
            }
            Some(Kind::MaxPool { .. } | Kind::GlobalMax) => {
                let switches =
                    trace.switches(at).expect("the forward pass keeps a pooling's switches").to_vec();
                crossings.push(Crossing::Unpool { switches, below: trace.shape(net.inputs(at)[0]) });
            }
            Some(Kind::Relu) => crossings.push(Crossing::Rectify),
            Some(Kind::Dropout) => {}
            Some(Kind::Lrn { .. }) => {
                let (before, after) = (trace.activation(net.inputs(at)[0]), trace.activation(at));
                let ratio =
                    before.data().iter().zip(after.data()).map(|(b, a)| if *a != 0.0 { b / a } else { 1.0 });
                crossings.push(Crossing::Scale(ratio.collect()));
            }
            Some(kind) => {
                return Err(Error::Unsupported(format!(
                    "the way down from {} meets {} ({}), which has no way back here; {found} layers can be inverted from there",
                    net.name(node),
                    net.name(at),
                    kind.name()
                )));
            }
        }
        at = net.inputs(at)[0];
    }
}
