//! Pooling and local response normalisation.

use super::filter::{pair, plane, window as window_of};
use super::refuse;
use crate::error::{Error, Result};
use crate::format::onnx::axes_of;
use crate::format::onnx::graph::{Act, Builder, Inputs};
use crate::format::onnx::proto::Node;
use crate::spec::Kind;

pub fn window(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?;
    let axes = plane(x)?;
    let x = b.settle(x, node)?;
    let kernel = pair(node.ints("kernel_shape"), axes, "kernel_shape", 0)?;
    let window = window_of(node, &x.dims, kernel)?;
    if window.dilation != [1, 1] {
        return refuse("dilations", window.dilation, "pooling with gaps is not computed");
    }
    let ceil = node.int("ceil_mode").unwrap_or(0) != 0;
    let kind = if node.operator == "MaxPool" {
        if node.outputs.iter().skip(1).any(|o| b.uses.contains_key(o)) {
            return Err(Error::Unsupported(
                "its second output, the indices, is used; only the values are computed".into(),
            ));
        }
        let _ = node.int("storage_order");
        Kind::MaxPool { window, ceil, maps: 1 }
    } else {
        let include_pad = node.int("count_include_pad").unwrap_or(0) != 0;
        Kind::AvgPool { window, ceil, include_pad }
    };
    b.layer(node.label(), &[&x], kind, Vec::new(), axes + 2)
}

pub fn global(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?;
    let axes = plane(x)?;
    let x = b.settle(x, node)?;
    let kind = if node.operator == "GlobalMaxPool" { Kind::GlobalMax } else { Kind::GlobalAvg };
    b.layer(node.label(), &[&x], kind, Vec::new(), axes + 2)
}

/// The mean or the largest value over rows and columns, as some exporters write the global poolings.
pub fn reduce(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?;
    let plane_axes = plane(x)?;
    let given = match node.ints("axes") {
        Some(axes) => axes.to_vec(),
        None => inputs.integers(1)?.unwrap_or_default(),
    };
    let _ = node.int("noop_with_empty_axes");
    let mut axes = axes_of(&given, x.dims.len())?;
    axes.sort_unstable();
    let wanted: Vec<usize> = (2..plane_axes + 2).collect();
    if axes != wanted {
        return Err(Error::Unsupported(format!(
            "it reduces axes {given:?}; only rows and columns together are reduced"
        )));
    }
    let x = b.settle(x, node)?;
    let rank = if node.int("keepdims").unwrap_or(1) != 0 { x.dims.len() } else { 2 };
    let kind = if node.operator == "ReduceMax" { Kind::GlobalMax } else { Kind::GlobalAvg };
    b.layer(node.label(), &[&x], kind, Vec::new(), rank)
}

pub fn lrn(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = b.settle(inputs.act(0)?, node)?;
    let size = node.int("size").unwrap_or(0);
    let size = usize::try_from(size).ok().filter(|s| (1..=1 << 16).contains(s));
    let size = size.ok_or_else(|| Error::Malformed("the attribute `size` must be positive".into()))?;
    let kind = Kind::Lrn {
        size,
        alpha: node.float("alpha").unwrap_or(1e-4),
        beta: node.float("beta").unwrap_or(0.75),
        k: node.float("bias").unwrap_or(1.0),
    };
    b.same(node, &x, kind, Vec::new())
}
