//! One ONNX node → layers of ours. Source of the meaning: the operator documentation of the ONNX project.

mod arithmetic;
mod axes;
mod dense;
mod filter;
mod pointwise;
mod pool;

use super::graph::{Act, Builder, Inputs, Value};
use super::proto::Node;
use crate::error::{Error, Result};
use crate::format::report::line;

/// Operators that take part, for refusals and the documentation.
pub const OPERATORS: &str = "Conv, ConvTranspose, MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, ReduceMean and ReduceMax over \
    rows and columns, LRN, BatchNormalization, Relu, LeakyRelu, PRelu, Clip, Sigmoid, Tanh, Softmax, LogSoftmax, Gemm, \
    MatMul, Add, Sub, Mul, Div, Sum, Concat, Flatten, Reshape, Transpose, Squeeze, Unsqueeze, Pad, Dropout, Identity, \
    and what is computed from constants";

/// What a node yields. Errors without the node's name: the caller adds it.
pub fn node<'a>(b: &mut Builder<'a, '_>, node: &Node<'a>, inputs: &Inputs<'a>) -> Result<Value<'a>> {
    let act = match node.operator {
        "Conv" => filter::conv(b, node, inputs)?,
        "ConvTranspose" => filter::conv_transpose(b, node, inputs)?,
        "BatchNormalization" => filter::batch_norm(b, node, inputs)?,
        "MaxPool" | "AveragePool" => pool::window(b, node, inputs)?,
        "GlobalAveragePool" | "GlobalMaxPool" => pool::global(b, node, inputs)?,
        "ReduceMean" | "ReduceMax" => pool::reduce(b, node, inputs)?,
        "LRN" => pool::lrn(b, node, inputs)?,
        "Relu" | "LeakyRelu" | "PRelu" | "Clip" | "Sigmoid" | "Tanh" => pointwise::function(b, node, inputs)?,
        "Softmax" | "LogSoftmax" => pointwise::softmax(b, node, inputs)?,
        "Gemm" => dense::gemm(b, node, inputs)?,
        "MatMul" => dense::matmul(b, node, inputs)?,
        "Add" | "Sub" | "Mul" | "Div" | "Sum" => arithmetic::arithmetic(b, node, inputs)?,
        "Concat" => axes::concat(b, node, inputs)?,
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => axes::relabel(b, node, inputs)?,
        "Transpose" => axes::transpose(b, node, inputs)?,
        "Pad" => axes::pad(b, node, inputs)?,
        "Shape" => {
            let dims: Vec<i64> = inputs.act(0)?.dims.iter().map(|d| *d as i64).collect();
            return Ok(Value::Constant(super::fold::shape_slice(node, &dims)?.into()));
        }
        "Identity" | "Cast" | "Dropout" => same(b, node, inputs)?,
        operator => {
            return Err(Error::Unsupported(format!(
                "the operator {operator} is not one of those that are read ({OPERATORS}); export the network without it, \
                 or remove what follows the layers of interest"
            )));
        }
    };
    Ok(Value::Act(act))
}

/// Operators that change nothing when a network runs.
fn same(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let act = inputs.act(0)?.clone();
    let _ = (node.float("ratio"), node.int("seed"), node.int("saturate"), node.ints("consumed_inputs"));
    if node.operator == "Cast" && !matches!(node.int("to"), Some(1 | 10 | 11 | 16)) {
        return Err(Error::Unsupported("the attribute `to` asks for integers inside the network".into()));
    }
    if node.operator == "Dropout" {
        let training = inputs.constant(2)?.and_then(|c| c.scalar()).is_some_and(|t| t != 0.0)
            || node.int("is_test") == Some(0);
        if training {
            return Err(Error::Unsupported(
                "it drops values at random (training mode); export the network in evaluation mode (model.eval())".into(),
            ));
        }
        return b.same(node, &act, crate::spec::Kind::Dropout, Vec::new());
    }
    b.report.skipped.push(line!(
        "node.idle",
        "node `{node}` ({operator}): changes no value",
        operator = node.operator,
        node = node.label()
    ));
    Ok(act)
}

/// An attribute whose value is not one that this engine can honour.
fn refuse<T>(attribute: &str, value: impl std::fmt::Debug, help: &str) -> Result<T> {
    Err(Error::Unsupported(format!(
        "the attribute `{attribute}` is {value:?}, which is not supported; {help}"
    )))
}
