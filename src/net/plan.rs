//! Where values live. Nothing is stored twice: a dropout is its input, a convolution before its ReLU
//! is not kept (it is recomputed when somebody asks), and the paths that a concat joins are
//! computed straight into the joined array.

use super::Node;
use crate::spec::Kind;

/// Where a node's value is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In an array of its own.
    Own,
    /// In the array of node `of`, from channel `channel` on.
    Within { of: usize, channel_of: Offset },
    /// Nowhere: only its rectified form is kept, by the ReLU that reads it.
    Fused,
}

/// Channel offsets depend on shapes only through channel counts, which the input size does not change;
/// they are resolved with the shapes at hand as the sum of the channels of earlier inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offset {
    /// The same channels.
    Zero,
    /// The place of input `i` of a concat.
    Input(usize),
}

pub(super) fn plan(nodes: &mut [Node]) {
    for i in 1..nodes.len() {
        for k in nodes[i].inputs.clone() {
            nodes[k].readers.push(i);
        }
    }
    for i in 1..nodes.len() {
        if nodes[i].layer.is_identity() {
            nodes[i].place = Place::Within { of: nodes[i].inputs[0], channel_of: Offset::Zero };
        }
        if matches!(nodes[i].kind, Some(Kind::Relu)) {
            let (before, alone) = behind(nodes, i);
            if alone && nodes[before].layer.fuses_relu() {
                nodes[before].place = Place::Fused;
                nodes[before].fused_relu = Some(i);
            }
        }
    }
    for i in 1..nodes.len() {
        if matches!(nodes[i].kind, Some(Kind::Concat)) && joinable(nodes, i) {
            for (which, k) in nodes[i].inputs.clone().into_iter().enumerate() {
                nodes[k].place = Place::Within { of: i, channel_of: Offset::Input(which) };
            }
        }
    }
}

/// Whether the inputs of concat `i` can be computed in place: each has an array of its own, stands
/// there once, and none is computed from values in the same array (a kernel cannot read what it writes).
fn joinable(nodes: &[Node], i: usize) -> bool {
    let inputs = &nodes[i].inputs;
    let distinct = (0..inputs.len()).all(|a| !inputs[..a].contains(&inputs[a]));
    let own = |k: usize| k != 0 && nodes[k].place == Place::Own;
    let root = |mut k: usize| {
        while let Place::Within { of, .. } = nodes[k].place {
            k = of;
        }
        k
    };
    let source = |k: usize| {
        // A fused ReLU is computed from what its convolution reads.
        let (before, _) = behind(nodes, k);
        if nodes[before].fused_relu == Some(k) { before } else { k }
    };
    distinct
        && inputs.iter().all(|&k| own(k))
        && inputs.iter().all(|&k| nodes[source(k)].inputs.iter().all(|&r| !inputs.contains(&root(r))))
}

/// The node whose value `i` really reads first, past layers that do nothing (a folded batch
/// normalisation), and whether nobody else reads that value.
pub(super) fn behind(nodes: &[Node], i: usize) -> (usize, bool) {
    let (mut at, mut reader, mut alone) = (nodes[i].inputs.first().copied().unwrap_or(0), i, true);
    loop {
        alone &= nodes[at].readers == [reader];
        if at == 0 || !nodes[at].layer.is_identity() {
            return (at, alone);
        }
        (reader, at) = (at, nodes[at].inputs[0]);
    }
}
