//! Sums and products, with constants (a scale and a shift) and of layers.

use crate::error::{Error, Result};
use crate::format::onnx::constant::Constant;
use crate::format::onnx::graph::{Act, Builder, Inputs, Value};
use crate::format::onnx::proto::Node;
use crate::spec::{Kind, Values, Weight};
use std::rc::Rc;

/// Before opset 7 the second operand was laid along the axes from `axis` on.
fn old_axis<'a>(node: &Node, opset: i64, c: &Rc<Constant<'a>>, rank: usize) -> Result<Rc<Constant<'a>>> {
    let (broadcast, at) = (node.int("broadcast").unwrap_or(0), node.int("axis"));
    let Some(at) = at.filter(|_| opset < 7 && broadcast != 0) else { return Ok(c.clone()) };
    let at = crate::format::onnx::axis(at, rank)?;
    let mut dims = c.dims.clone();
    while at + dims.len() < rank {
        dims.push(1);
    }
    Ok(c.with_dims(dims)?.into())
}

pub fn arithmetic(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let _ = node.ints("consumed_inputs");
    if node.operator == "Sum" {
        return sum(b, node, inputs);
    }
    match (inputs.0.first(), inputs.0.get(1)) {
        (Some(Some(Value::Act(x))), Some(Some(Value::Constant(c)))) => {
            let c = old_axis(node, b.opset, c, x.dims.len())?;
            with_constant(b, node, node.label(), x, &c, false)
        }
        (Some(Some(Value::Constant(c))), Some(Some(Value::Act(x)))) => {
            with_constant(b, node, node.label(), x, c, true)
        }
        (Some(Some(Value::Act(x))), Some(Some(Value::Act(y)))) => of_layers(b, node, x, y),
        _ => Err(Error::Malformed("it needs two inputs".into())),
    }
}

fn map(w: Weight, f: impl Fn(f32) -> f32) -> Weight {
    Weight { values: Values::F32(w.to_f32().into_iter().map(f).collect()), shape: w.shape }
}

fn with_constant(
    b: &mut Builder,
    node: &Node,
    label: &str,
    x: &Act,
    c: &Constant,
    first: bool,
) -> Result<Act> {
    let w = b.per_map(c, x)?.ok_or_else(|| {
        Error::Unsupported(format!(
            "a constant of shape {:?} would widen an input of shape {:?}; constants of the same or a smaller shape are \
             computed",
            c.dims, x.dims
        ))
    })?;
    let parts = match (node.operator, first) {
        ("Add" | "Sum", _) => vec![("bias", w)],
        ("Mul", _) => vec![("weight", w)],
        ("Sub", false) => vec![("bias", map(w, |v| -v))],
        ("Sub", true) => {
            let minus = Weight::new(vec![x.shape.c], vec![-1.0; x.shape.c])?;
            vec![("weight", minus), ("bias", w)]
        }
        ("Div", false) => vec![("weight", map(w, |v| 1.0 / v))],
        _ => return Err(Error::Unsupported("a constant divided by a layer's output is not computed".into())),
    };
    let new = b.layer(label, &[x], Kind::Scale, parts, 4)?;
    Ok(Act { dims: x.dims.clone(), ..new })
}

fn unequal(x: &Act, y: &Act) -> Error {
    Error::Unsupported(format!(
        "layers of shapes {:?} and {:?}; only equal shapes are computed (a gate per map, as in squeeze-and-excitation \
         networks, is not)",
        x.dims, y.dims
    ))
}

fn of_layers(b: &mut Builder, node: &Node, x: &Act, y: &Act) -> Result<Act> {
    if x.dims != y.dims {
        return Err(unequal(x, y));
    }
    let y = b.reshape(y, x.shape, node)?;
    let (kind, y) = match node.operator {
        "Add" => (Kind::Sum, y),
        "Mul" => (Kind::Product, y),
        "Sub" => {
            let minus = Weight::new(vec![y.shape.c], vec![-1.0; y.shape.c])?;
            let name = format!("{}/minus", node.label());
            (Kind::Sum, b.layer(&name, &[&y], Kind::Scale, vec![("weight", minus)], 4)?)
        }
        _ => return Err(Error::Unsupported("the quotient of two layers is not computed".into())),
    };
    let new = b.layer(node.label(), &[x, &y], kind, Vec::new(), 4)?;
    Ok(Act { dims: x.dims.clone(), ..new })
}

fn sum(b: &mut Builder, node: &Node, inputs: &Inputs) -> Result<Act> {
    let mut acts: Vec<Act> = Vec::new();
    let mut constants = Vec::new();
    for value in inputs.0.iter().flatten() {
        match value {
            Value::Act(act) => acts.push(act.clone()),
            Value::Constant(c) => constants.push(c.clone()),
        }
    }
    let first = acts.first().ok_or_else(|| Error::Malformed("it adds nothing".into()))?.clone();
    if let Some(other) = acts.iter().find(|a| a.dims != first.dims) {
        return Err(unequal(&first, other));
    }
    let mut settled = Vec::new();
    for act in &acts {
        settled.push(b.reshape(act, first.shape, node)?);
    }
    let n = constants.len();
    let name =
        |left: usize| if left == 0 { node.label().to_string() } else { format!("{}/{left}", node.label()) };
    let mut out = if settled.len() > 1 || n == 0 {
        let reads: Vec<&Act> = settled.iter().collect();
        Act { dims: first.dims.clone(), ..b.layer(&name(n), &reads, Kind::Sum, Vec::new(), 4)? }
    } else {
        first
    };
    for (i, c) in constants.iter().enumerate() {
        out = with_constant(b, node, &name(n - 1 - i), &out, c, false)?;
    }
    Ok(out)
}
