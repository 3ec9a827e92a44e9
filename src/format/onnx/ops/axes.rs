//! Operators on axes: most only change the label.

use super::refuse;
use crate::error::{Error, Result};
use crate::format::onnx::dims::{permutation, reshaped, squeezed};
use crate::format::onnx::graph::{Act, Builder, Inputs};
use crate::format::onnx::proto::Node;
use crate::format::onnx::{axes_of, axis};
use crate::format::report::line;
use crate::spec::{Kind, PadMode};

/// Flatten, Reshape, Squeeze, Unsqueeze: the same values in the same order.
pub fn relabel(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?.clone();
    let rank = x.dims.len();
    let dims = match node.operator {
        "Flatten" => {
            let at = node.int("axis").unwrap_or(1);
            let at = if at == rank as i64 { rank } else { axis(at, rank)? };
            let (a, z) = x.dims.split_at(at);
            vec![a.iter().product(), z.iter().product()]
        }
        "Reshape" => {
            let target = match node.ints("shape") {
                Some(shape) => shape.to_vec(),
                None => inputs.needed(1)?.to_integers()?,
            };
            let copies = node.int("allowzero").unwrap_or(0) == 0;
            let batch = b.batch as i64;
            match reshaped(&x.dims, &target, copies) {
                Err(_) if batch > 1 && target.first() == Some(&batch) => {
                    // The batch of the export is written into the shape.
                    let one: Vec<i64> = std::iter::once(1).chain(target[1..].iter().copied()).collect();
                    reshaped(&x.dims, &one, copies)?
                }
                other => other?,
            }
        }
        operator => {
            let axes = match node.ints("axes") {
                Some(axes) => Some(axes.to_vec()),
                None => inputs.integers(1)?,
            };
            squeezed(&x.dims, axes.as_deref(), operator == "Unsqueeze")?
        }
    };
    b.report.folded.push(line!(
        "node.shapes",
        "node `{node}` ({operator}) into the shapes around it",
        operator = node.operator,
        node = node.label()
    ));
    Ok(Act { dims, ..x })
}

pub fn transpose(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = inputs.act(0)?.clone();
    let order = permutation(node.ints("perm"), x.dims.len())?;
    if order.first() != Some(&0) && x.dims[order[0]] != 1 {
        return refuse("perm", order, "the batch would no longer be the first axis");
    }
    b.transpose(&x, &order, node)
}

/// Along the channels directly, along other axes by exchanging them before and after.
pub fn concat(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let mut acts = Vec::new();
    for i in 0..inputs.0.len() {
        acts.push(inputs.act(i)?.clone());
    }
    let first = acts.first().ok_or_else(|| Error::Malformed("it joins nothing".into()))?.clone();
    let rank = first.dims.len();
    let at = axis(node.int("axis").unwrap_or(1), rank)?;
    if at == 0 {
        return refuse("axis", 0, "only one picture at a time is computed, and this joins along the batch");
    }
    for other in &acts {
        let differs = |i: usize| i != at && other.dims[i] != first.dims[i];
        if other.dims.len() != rank || (0..rank).any(differs) {
            return Err(Error::Malformed(format!(
                "shapes {:?} and {:?} cannot be joined",
                first.dims, other.dims
            )));
        }
    }
    // The joined axis first; everything before it makes the second, everything behind it the third.
    let lead: usize = first.dims[1..at].iter().product();
    let mut dims = first.dims.clone();
    dims[at] = acts.iter().map(|a| a.dims[at]).sum();
    let rest: usize = first.dims[at + 1..].iter().product();
    let mut parts = Vec::new();
    for act in &acts {
        let own = act.dims[at];
        parts.push(if lead == 1 {
            // As it is where the plane is one already.
            let plane = (first.shape.h, first.shape.w);
            let fits =
                act.shape.c == own && (act.shape.h, act.shape.w) == plane && first.shape.c == first.dims[at];
            if fits { act.clone() } else { b.reshape(act, crate::tensor::Shape::new(own, 1, rest), node)? }
        } else {
            let grouped = b.reshape(act, crate::tensor::Shape::new(lead, own, rest), node)?;
            let swap = Kind::Transpose { order: [1, 0, 2] };
            b.layer(&format!("{}/axes", node.label()), &[&grouped], swap, Vec::new(), 4)?
        });
    }
    // Either all fit as they are, or none may keep another plane.
    if lead == 1 && parts.iter().any(|p| (p.shape.h, p.shape.w) != (parts[0].shape.h, parts[0].shape.w)) {
        for (part, act) in parts.iter_mut().zip(&acts) {
            *part = b.reshape(act, crate::tensor::Shape::new(act.dims[at], 1, rest), node)?;
        }
    }
    let reads: Vec<&Act> = parts.iter().collect();
    if lead == 1 {
        let joined = b.layer(node.label(), &reads, Kind::Concat, Vec::new(), 4)?;
        return Ok(Act { dims, ..joined });
    }
    let joined = b.layer(&format!("{}/joined", node.label()), &reads, Kind::Concat, Vec::new(), 4)?;
    let back = b.layer(node.label(), &[&joined], Kind::Transpose { order: [1, 0, 2] }, Vec::new(), 4)?;
    Ok(Act { dims, ..back })
}

pub fn pad(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let x = b.settle(inputs.act(0)?, node)?;
    let rank = x.dims.len();
    let given = match node.ints("pads").or_else(|| node.ints("paddings")) {
        Some(pads) => pads.to_vec(),
        None => inputs.needed(1)?.to_integers()?,
    };
    let axes = match inputs.integers(3)? {
        Some(axes) => axes_of(&axes, rank)?,
        None => (0..rank).collect(),
    };
    if given.len() != 2 * axes.len() {
        return Err(Error::Malformed(format!("pads {given:?} for {} axes", axes.len())));
    }
    let mut sides = vec![[0usize; 2]; rank];
    for (i, axis) in axes.iter().enumerate() {
        for end in 0..2 {
            let size = usize::try_from(given[i + end * axes.len()]).ok().filter(|p| *p <= 1 << 16);
            let Some(size) = size else { return refuse("pads", given, "a border that cuts is not computed") };
            sides[*axis][end] = size;
        }
    }
    if sides[..2].iter().flatten().any(|p| *p != 0) {
        return refuse("pads", given, "only rows and columns get a border");
    }
    let value = match node.float("value") {
        Some(v) => v,
        None => inputs.constant(2)?.and_then(|c| c.scalar()).unwrap_or(0.0),
    };
    let mode = match node.text("mode").unwrap_or("constant") {
        "constant" => PadMode::Constant,
        "edge" => PadMode::Edge,
        "reflect" => PadMode::Reflect,
        other => return refuse("mode", other, "constant, edge and reflect are known"),
    };
    let pad = match sides[2..] {
        [] => [0; 4],
        [w] => [0, w[0], 0, w[1]],
        _ => [sides[2][0], sides[3][0], sides[2][1], sides[3][1]],
    };
    b.layer(node.label(), &[&x], Kind::Pad { pad, mode, value }, Vec::new(), rank)
}
