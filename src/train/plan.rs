//! How each layer of a network is run in training: which share a buffer, which need a signal, which switch off.

use super::parameters::Parameters;
use super::recipe::Recipe;
use crate::error::{Error, Result};
use crate::net::Net;
use crate::spec::Kind;
use crate::tensor::Shape;

/// How a network's nodes are run in training.
pub(super) struct Plan {
    pub shapes: Vec<Shape>,
    /// The node whose buffer holds a node's value.
    pub owner: Vec<usize>,
    /// The convolution that a ReLU is computed with.
    pub fused: Vec<Option<usize>>,
    /// Whether something below has parameters: else no signal is needed there.
    pub needs: Vec<bool>,
    /// Dropout layers that switch off.
    pub drops: Vec<bool>,
    /// For dense layers under DropConnect: the share switched off.
    pub connects: Vec<Option<f32>>,
    /// Whether the last layer gives logarithms.
    pub log: bool,
}

impl Plan {
    /// Refuses what is no classifier, and DropConnect of what is no dense layer.
    pub fn new(net: &Net, p: &Parameters, recipe: &Recipe) -> Result<Plan> {
        let n = net.nodes.len();
        let last = n - 1;
        let shapes = net.shapes(net.spec().input.shape)?;
        let log = match net.kind(last) {
            Some(Kind::Softmax) => false,
            Some(Kind::LogSoftmax) => true,
            _ => {
                return Err(Error::Unsupported(format!(
                    "{} ends in {}, not in a softmax; a network to be trained ends in a layer of kind softmax",
                    net.spec().name,
                    net.name(last)
                )));
            }
        };
        if shapes[last].h * shapes[last].w != 1 || shapes[last].c < 2 {
            return Err(Error::Shape(format!(
                "the softmax has {} outputs; it needs one position and at least two classes: put a dense layer or \
                 global_avg before it",
                shapes[last]
            )));
        }
        let mut plan = Plan {
            shapes,
            owner: (0..n).collect(),
            fused: vec![None; n],
            needs: vec![false; n],
            drops: vec![false; n],
            connects: vec![None; n],
            log,
        };
        for (name, share) in &recipe.dropconnect {
            let node = net.find(name)?;
            if !matches!(net.kind(node), Some(Kind::Dense { .. })) {
                return Err(Error::Parameter(format!("dropconnect is for dense layers; {name} is none")));
            }
            plan.connects[node] = Some(*share);
        }
        for i in 1..n {
            let inputs = &net.nodes[i].inputs;
            plan.needs[i] = !p.of(i).is_empty() || inputs.iter().any(|&k| plan.needs[k]);
            let drops = matches!(net.kind(i), Some(Kind::Dropout)) && recipe.dropout > 0.0;
            plan.drops[i] = drops;
            if net.nodes[i].layer.is_identity() && !drops {
                plan.owner[i] = plan.owner[inputs[0]];
            }
        }
        for i in 1..n {
            if let (Some(Kind::Relu), [k]) = (net.kind(i), net.nodes[i].inputs.as_slice())
                && net.nodes[*k].readers == [i]
                && net.nodes[*k].layer.fuses_relu()
            {
                plan.fused[i] = Some(*k);
                plan.owner[*k] = i;
            }
        }
        Ok(plan)
    }
}
