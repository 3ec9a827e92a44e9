//! Explanations of a trace: projections to the pixels and the way down to them; what changes when the input
//! is covered, moved or compared with others; and which inputs of a set excite a feature map most.

pub mod correspondence;
pub mod deconvnet;
pub mod gallery;
pub mod invariance;
pub mod inversion;
pub mod occlusion;
mod way;

pub use way::{Pooled, Step, StepMap, step, way};

use crate::error::{Error, Result};
use crate::net::{Net, Trace};
use crate::spec::Kind;
use crate::tensor::Shape;

/// The softmax at the end, where it predicts for the input as a whole.
fn single_classifier(trace: &Trace) -> Option<usize> {
    trace.net().classifier().filter(|&n| trace.shape(n).h * trace.shape(n).w == 1)
}

/// Why there is no class to follow, in words; `None` where there is one.
pub fn no_class(trace: &Trace) -> Option<String> {
    let net = trace.net();
    let name = &net.spec().name;
    let s = trace.shape(net.output());
    match (net.classifier(), s.h * s.w) {
        (Some(_), 1) => None,
        (Some(_), _) => Some(format!(
            "{name}'s softmax stands over {}×{} positions, each with probabilities of its own",
            s.h, s.w
        )),
        (None, 1) => {
            Some(format!("{name} ends in plain scores: without a softmax they are no probabilities"))
        }
        (None, _) => Some(format!("{name} has no classifier: it ends in feature maps")),
    }
}

/// The classifier and the class whose probability is followed: the one asked for, else the prediction;
/// `None` where there is no classifier, or one that is spread over several positions.
fn class_to_follow(trace: &Trace, asked: Option<usize>) -> Result<Option<(usize, usize)>> {
    let Some(node) = single_classifier(trace) else {
        return match asked {
            None => Ok(None),
            Some(_) => Err(Error::Unsupported(format!(
                "there is no class to follow: {}",
                no_class(trace).unwrap_or_default()
            ))),
        };
    };
    let classes = trace.shape(node).c;
    match asked {
        Some(class) if class >= classes => {
            Err(Error::Parameter(format!("there are classes 0 to {}, no class {class}", classes - 1)))
        }
        Some(class) => Ok(Some((node, class))),
        None => Ok(Some((node, trace.top(1)?[0].index))),
    }
}

/// A colour in the input's own units: one finite value per channel.
fn check_colour(values: &[f32], channels: usize) -> Result<()> {
    if values.len() == channels && values.iter().all(|v| v.is_finite()) {
        return Ok(());
    }
    Err(Error::Parameter(format!(
        "the fill needs one finite value for each of {channels} input channels, got {values:?}"
    )))
}

/// The last layer of features: what the classifier's own filters read, past dropout and pooling, or
/// without a classifier the last layer before pooling.
pub fn last_features(net: &Net, shapes: &[Shape]) -> usize {
    let weighs = |n: usize| matches!(net.kind(n), Some(Kind::Conv { .. } | Kind::Dense { .. }));
    let mut at = net.output();
    if net.classifier().is_some() {
        while at != 0 && !weighs(at) {
            at = net.inputs(at)[0];
        }
        at = net.inputs(at).first().copied().unwrap_or(0);
    }
    let skip = |n: usize| {
        shapes[n].h * shapes[n].w == 1
            || matches!(
                net.kind(n),
                Some(
                    Kind::Dropout
                        | Kind::MaxPool { .. }
                        | Kind::AvgPool { .. }
                        | Kind::Lrn { .. }
                        | Kind::Softmax
                        | Kind::GlobalAvg
                )
            )
    };
    while at != 0 && skip(at) && net.inputs(at)[0] != 0 {
        at = net.inputs(at)[0];
    }
    at.max(1)
}
