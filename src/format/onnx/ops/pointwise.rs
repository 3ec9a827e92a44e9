//! Activation functions and the softmax.

use crate::error::{Error, Result};
use crate::format::onnx::axis;
use crate::format::onnx::graph::{Act, Builder, Inputs};
use crate::format::onnx::proto::Node;
use crate::spec::{Kind, Weight};
use crate::tensor::Shape;

pub fn function(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?.clone();
    let _ = node.ints("consumed_inputs");
    let kind = match node.operator {
        "Relu" => Kind::Relu,
        "Sigmoid" => Kind::Sigmoid,
        "Tanh" => Kind::Tanh,
        "LeakyRelu" => Kind::Leaky { alpha: node.float("alpha").unwrap_or(0.01) },
        "Clip" => {
            let bound = |name: &'static str, i: usize| -> Result<Option<f32>> {
                let given = match node.float(name) {
                    Some(v) => Some(v),
                    None => inputs
                        .constant(i)?
                        .map(|c| {
                            c.scalar().ok_or_else(|| {
                                Error::Malformed(format!("its bound `{name}` is not one number"))
                            })
                        })
                        .transpose()?,
                };
                // The old default is the largest float there is: no bound.
                Ok(given.filter(|v| v.abs() < f32::MAX))
            };
            match (bound("min", 1)?, bound("max", 2)?) {
                (Some(0.0), None) => Kind::Relu,
                (min, max) => Kind::Clip { min, max },
            }
        }
        _ => {
            let slope = inputs.needed(1)?;
            let slope = match slope.scalar() {
                Some(one) => Weight::new(vec![1], vec![one])?,
                None => b.per_map(slope, &x)?.filter(|w| w.shape.len() == 1).ok_or_else(|| {
                    Error::Unsupported(format!(
                        "slopes of shape {:?} for an input of shape {:?}; one for all, or one per map, is computed",
                        slope.dims, x.dims
                    ))
                })?,
            };
            return b.same(node, &x, Kind::Prelu, vec![("slope", slope)]);
        }
    };
    b.same(node, &x, kind, Vec::new())
}

/// Before opset 13 the axes from `axis` on count as one; since then it is one axis.
pub fn softmax(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?.clone();
    let kind = || if node.operator == "Softmax" { Kind::Softmax } else { Kind::LogSoftmax };
    let rank = x.dims.len();
    let at = axis(node.int("axis").unwrap_or(if b.opset < 13 { 1 } else { -1 }), rank)?;
    if at == 0 {
        return Err(Error::Unsupported(
            "a softmax over the batch; only one picture at a time is computed".into(),
        ));
    }
    let lead: usize = x.dims[1..at].iter().product();
    let (own, rest) = if b.opset < 13 {
        (x.dims[at..].iter().product::<usize>(), 1)
    } else {
        (x.dims[at], x.dims[at + 1..].iter().product())
    };
    let dims = x.dims.clone();
    if lead == 1 {
        let shape = Shape::new(own, 1, rest);
        // A plane of the same size needs no other label.
        let fits = x.shape.c == own && x.shape.h * x.shape.w == rest;
        let x = if fits { x } else { b.reshape(&x, shape, node)? };
        let new = b.layer(node.label(), &[&x], kind(), Vec::new(), 4)?;
        return Ok(Act { dims, ..new });
    }
    let x = b.reshape(&x, Shape::new(lead, own, rest), node)?;
    let swap = Kind::Transpose { order: [1, 0, 2] };
    let swapped = b.layer(&format!("{}/axes", node.label()), &[&x], swap.clone(), Vec::new(), 4)?;
    let soft = b.layer(&format!("{}/softmax", node.label()), &[&swapped], kind(), Vec::new(), 4)?;
    let back = b.layer(node.label(), &[&soft], swap, Vec::new(), 4)?;
    Ok(Act { dims, ..back })
}
