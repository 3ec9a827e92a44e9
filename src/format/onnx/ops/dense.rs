//! Matrix products with constants: dense layers.

use super::refuse;
use crate::error::{Error, Result};
use crate::format::onnx::constant::Constant;
use crate::format::onnx::graph::{Act, Builder, Inputs};
use crate::format::onnx::proto::Node;
use crate::spec::{Kind, Values, Weight};

/// Units first; `transposed` says that they already are.
fn matrix(b: &Builder, c: &Constant, transposed: bool, scale: f32) -> Result<Weight> {
    let &[rows, columns] = c.dims.as_slice() else {
        return Err(Error::Unsupported(format!("weights of shape {:?}; a matrix is expected", c.dims)));
    };
    let mut w = c.to_weight(&b.budget)?;
    if scale != 1.0 {
        w.values = Values::F32(w.to_f32().iter().map(|v| v * scale).collect());
    }
    if transposed {
        return Ok(w);
    }
    b.budget.take(c.len())?;
    fn turn<T: Copy>(v: &[T], rows: usize, columns: usize) -> Vec<T> {
        (0..columns).flat_map(|c| (0..rows).map(move |r| v[r * columns + c])).collect()
    }
    let values = match &w.values {
        Values::F32(v) => Values::F32(turn(v, rows, columns)),
        Values::F16(v) => Values::F16(turn(v, rows, columns)),
    };
    // Only one of the two stays.
    b.budget.give(c.len());
    Ok(Weight { shape: vec![columns, rows], values })
}

fn dense(b: &mut Builder, node: &Node, x: &Act, parts: Vec<(&str, Weight)>) -> Result<Act> {
    let [units, inputs] = [parts[0].1.shape[0], parts[0].1.shape[1]];
    if x.dims.len() != 2 || x.dims[0] != 1 || x.dims[1] != inputs {
        return Err(Error::Unsupported(format!(
            "a matrix of {inputs}×{units} times an input of shape {:?}; one row of {inputs} numbers is expected",
            x.dims
        )));
    }
    b.layer(node.label(), &[x], Kind::Dense { units }, parts, 2)
}

pub fn gemm(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?.clone();
    if node.int("transA").unwrap_or(0) != 0 {
        return refuse("transA", 1, "the layer's own input would be transposed");
    }
    let (alpha, beta) = (node.float("alpha").unwrap_or(1.0), node.float("beta").unwrap_or(1.0));
    let _ = node.int("broadcast");
    let weight = matrix(b, inputs.needed(1)?, node.int("transB").unwrap_or(0) != 0, alpha)?;
    let units = weight.shape[0];
    let mut parts = vec![("weight", weight)];
    if let Some(bias) = inputs.constant(2)? {
        let values = bias.to_floats(&b.budget)?;
        let values: Vec<f32> = match values.len() {
            1 => vec![values[0] * beta; units],
            n if n == units && bias.dims.last() == Some(&units) => values.iter().map(|v| v * beta).collect(),
            _ => {
                return Err(Error::Unsupported(format!("a bias of shape {:?} for {units} units", bias.dims)));
            }
        };
        parts.push(("bias", Weight::new(vec![units], values)?));
    }
    // ONNX flattened the input itself before opset 7 gave that up.
    let x = if x.dims.len() > 2 && b.opset < 7 { Act { dims: vec![1, x.shape.count()?], ..x } } else { x };
    dense(b, node, &x, parts)
}

pub fn matmul(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?.clone();
    let weight = matrix(b, inputs.needed(1)?, false, 1.0)?;
    dense(b, node, &x, vec![("weight", weight)])
}
