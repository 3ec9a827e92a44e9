//! Convolutions and batch normalisation.

use super::refuse;
use crate::error::{Error, Result};
use crate::format::onnx::constant::Constant;
use crate::format::onnx::graph::{Act, Builder, Inputs};
use crate::format::onnx::proto::Node;
use crate::spec::{Kind, Weight};
use crate::window::Window;

/// Two numbers, rows and columns, from an attribute of one or two.
pub fn pair(list: Option<&[i64]>, axes: usize, name: &str, default: usize) -> Result<[usize; 2]> {
    let Some(list) = list.filter(|l| !l.is_empty()) else { return Ok([default; 2]) };
    let wrong = || {
        Error::Malformed(format!("the attribute `{name}` is {list:?}; {axes} positive numbers are expected"))
    };
    let sizes: Option<Vec<usize>> =
        list.iter().map(|v| usize::try_from(*v).ok().filter(|v| *v <= 1 << 16)).collect();
    match (sizes.ok_or_else(wrong)?.as_slice(), axes) {
        (&[x], 1) => Ok([if name == "pads" { 0 } else { 1 }.min(x.max(1)), x]),
        (&[y, x], 2) => Ok([y, x]),
        _ => Err(wrong()),
    }
}

/// Kernel, stride, padding, dilation for an input with these axes (batch and channels included).
pub fn window(node: &Node, dims: &[usize], kernel: [usize; 2]) -> Result<Window> {
    let axes = dims.len() - 2;
    let stride = pair(node.ints("strides"), axes, "strides", 1)?;
    let dilation = pair(node.ints("dilations"), axes, "dilations", 1)?;
    let mut w = Window { kernel, stride, pad: [0; 4], dilation };
    w.check()?;
    let given = node.ints("pads").map(<[i64]>::to_vec);
    match node.text("auto_pad").unwrap_or("NOTSET") {
        "NOTSET" | "" => {
            let list = given.unwrap_or_default();
            let sizes: Option<Vec<usize>> =
                list.iter().map(|v| usize::try_from(*v).ok().filter(|v| *v <= 1 << 16)).collect();
            w.pad = match (sizes.as_deref(), axes) {
                (Some([]), _) => [0; 4],
                (Some(&[l, r]), 1) => [0, l, 0, r],
                (Some(&[t, l, b, r]), 2) => [t, l, b, r],
                _ => {
                    return refuse(
                        "pads",
                        list,
                        "give padding that is not negative, for each side of the plane",
                    );
                }
            };
        }
        "VALID" => {}
        mode @ ("SAME_UPPER" | "SAME_LOWER") => {
            let size = if axes == 1 { [1, dims[2]] } else { [dims[2], dims[3]] };
            for a in 0..2 {
                let out = size[a].div_ceil(stride[a]);
                let reach = out.saturating_sub(1) * stride[a] + w.extent()[a];
                let total = reach.saturating_sub(size[a]);
                let (less, more) = (total / 2, total - total / 2);
                (w.pad[a], w.pad[a + 2]) = if mode == "SAME_UPPER" { (less, more) } else { (more, less) };
            }
        }
        other => return refuse("auto_pad", other, "NOTSET, VALID, SAME_UPPER and SAME_LOWER are known"),
    }
    Ok(w)
}

/// Axes of the plane: one or two.
pub fn plane(act: &Act) -> Result<usize> {
    match act.dims.len() {
        n @ (3 | 4) => Ok(n - 2),
        n => Err(Error::Unsupported(format!(
            "its input has {n} axes ({:?}); networks of pictures (four axes) and of rows (three) are read",
            act.dims
        ))),
    }
}

fn filters(node: &Node, weight: &Constant, axes: usize) -> Result<(usize, usize, [usize; 2])> {
    let kernel = match (weight.dims.as_slice(), axes) {
        (&[_, _, w], 1) => [1, w],
        (&[_, _, h, w], 2) => [h, w],
        (dims, _) => return Err(Error::Malformed(format!("weights of shape {dims:?} for {axes} axes"))),
    };
    if pair(node.ints("kernel_shape"), axes, "kernel_shape", 0)?
        .iter()
        .zip(kernel)
        .any(|(a, k)| *a != 0 && *a != k)
    {
        return Err(Error::Malformed(format!(
            "`kernel_shape` and weights of shape {:?} disagree",
            weight.dims
        )));
    }
    Ok((weight.dims[0], weight.dims[1], kernel))
}

fn groups(node: &Node) -> Result<usize> {
    let groups = node.int("group").unwrap_or(1);
    usize::try_from(groups)
        .ok()
        .filter(|g| *g > 0)
        .ok_or_else(|| Error::Malformed(format!("{groups} groups")))
}

fn parts(
    b: &Builder,
    inputs: &Inputs,
    weight: &Constant,
    kernel: [usize; 2],
) -> Result<Vec<(&'static str, Weight)>> {
    let mut w = weight.to_weight(&b.budget)?;
    w.shape = vec![weight.dims[0], weight.dims[1], kernel[0], kernel[1]];
    let mut parts = vec![("weight", w)];
    if let Some(bias) = inputs.constant(2)? {
        parts.push(("bias", bias.to_weight(&b.budget)?));
    }
    Ok(parts)
}

pub fn conv(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?;
    let axes = plane(x)?;
    let x = b.settle(x, node)?;
    let weight = inputs.needed(1)?;
    let (out, per_group, kernel) = filters(node, weight, axes)?;
    let (groups, window) = (groups(node)?, window(node, &x.dims, kernel)?);
    if per_group.checked_mul(groups) != Some(x.shape.c) {
        return Err(Error::Shape(format!(
            "weights of shape {:?} in {groups} groups do not fit {} input maps",
            weight.dims, x.shape.c
        )));
    }
    let parts = parts(b, inputs, weight, kernel)?;
    let kind = Kind::Conv { filters: out, window, groups, connections: None };
    b.layer(node.label(), &[&x], kind, parts, axes + 2)
}

pub fn conv_transpose(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?;
    let axes = plane(x)?;
    let x = b.settle(x, node)?;
    let weight = inputs.needed(1)?;
    let (_, per_group, kernel) = filters(node, weight, axes)?;
    let groups = groups(node)?;
    let mut output_pad = pair(node.ints("output_padding"), axes, "output_padding", 0)?;
    if axes == 1 {
        output_pad[0] = 0;
    }
    let auto = node.text("auto_pad").unwrap_or("NOTSET").to_string();
    let wanted = pair(node.ints("output_shape"), axes, "output_shape", 0)?;
    let stride = pair(node.ints("strides"), axes, "strides", 1)?;
    let dilation = pair(node.ints("dilations"), axes, "dilations", 1)?;
    let mut w = Window { kernel, stride, pad: [0; 4], dilation };
    w.check()?;
    let same = auto.starts_with("SAME");
    if wanted != [0, 0] || same {
        let size = [x.shape.h, x.shape.w];
        for a in 0..2 {
            let target = if wanted == [0, 0] { size[a] * stride[a] } else { wanted[a] };
            let full = size[a].saturating_sub(1) * stride[a] + w.extent()[a] + output_pad[a];
            if let Some(total) = full.checked_sub(target) {
                let (less, more) = (total / 2, total - total / 2);
                (w.pad[a], w.pad[a + 2]) = if auto == "SAME_UPPER" { (less, more) } else { (more, less) };
            } else {
                output_pad[a] += target - full;
            }
        }
        let _ = node.ints("pads");
    } else {
        w.pad = window(node, &x.dims, kernel)?.pad;
    }
    let parts = parts(b, inputs, weight, kernel)?;
    let filters = per_group.checked_mul(groups).ok_or_else(|| Error::Limit("too many groups".into()))?;
    if weight.dims[0] != x.shape.c {
        return Err(Error::Shape(format!(
            "weights of shape {:?} do not fit {} input maps",
            weight.dims, x.shape.c
        )));
    }
    let kind = Kind::ConvTranspose { filters, window: w, groups, output_pad };
    b.layer(node.label(), &[&x], kind, parts, axes + 2)
}

pub fn batch_norm(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = b.settle(inputs.act(0)?, node)?;
    if node.int("training_mode").unwrap_or(0) != 0 || node.int("is_test") == Some(0) && b.opset < 7 {
        return refuse("training_mode", 1, "export the network in evaluation mode (model.eval())");
    }
    if node.int("spatial").unwrap_or(1) != 1 && x.shape.h * x.shape.w != 1 {
        return refuse(
            "spatial",
            0,
            "normalisation with numbers for every position is of the year 2017; export it anew",
        );
    }
    let _ = (node.float("momentum"), node.ints("consumed_inputs"));
    let eps = node.float("epsilon").unwrap_or(1e-5);
    let mut parts = Vec::new();
    for (i, part) in [(1, "weight"), (2, "bias"), (3, "mean"), (4, "var")] {
        let mut w = inputs.needed(i)?.to_weight(&b.budget)?;
        if w.len() != x.shape.c {
            return Err(Error::Shape(format!("{} numbers for {} maps", w.len(), x.shape.c)));
        }
        w.shape = vec![x.shape.c];
        parts.push((part, w));
    }
    b.same(node, &x, Kind::BatchNorm { eps }, parts)
}
