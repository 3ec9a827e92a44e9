//! What exporters compute from constants: shapes, indices, weights in another layout. Carried out at import.

use super::constant::{Budget, Constant, Data, from_attribute, tensor};
use super::dims::{broadcast, permutation, reshaped, sizes, spread, squeezed, strides};
use super::proto::Node;
use super::{axes_of, axis};
use crate::error::{Error, Result};
use crate::format::number::count;
use std::rc::Rc;

type Inputs<'i, 'a> = [Option<&'i Rc<Constant<'a>>>];

fn need<'i, 'a>(inputs: &Inputs<'i, 'a>, i: usize) -> Result<&'i Constant<'a>> {
    inputs
        .get(i)
        .copied()
        .flatten()
        .map(|c| c.as_ref())
        .ok_or_else(|| Error::Malformed(format!("its input {i} is missing")))
}

/// The result of a node whose inputs are all constants; `None` for an operator that is not computed here.
pub fn fold<'a>(
    node: &Node<'a>,
    opset: i64,
    inputs: &Inputs<'_, 'a>,
    budget: &Budget,
) -> Result<Option<Constant<'a>>> {
    let first = || need(inputs, 0);
    Ok(Some(match node.operator {
        "Constant" => {
            let names = ["value", "value_float", "value_int", "value_floats", "value_ints"];
            let found = names.into_iter().find_map(|n| node.attribute(n));
            let found = found.ok_or_else(|| Error::Unsupported("it holds no dense numbers".into()))?;
            from_attribute(found)?
        }
        "ConstantOfShape" => {
            let dims = sizes(&first()?.to_integers()?)?;
            let value = match node.attribute("value").and_then(|a| a.tensor) {
                Some(t) => tensor(t)?
                    .1
                    .scalar()
                    .ok_or_else(|| Error::Malformed("its value is not one number".into()))?,
                None => 0.0,
            };
            Constant::fill(dims, value.into())?
        }
        "Identity" | "Cast" | "Dropout" => {
            let x = first()?;
            let to_integer = node.operator == "Cast" && matches!(node.int("to"), Some(2..=9 | 12 | 13));
            let _ = (node.int("saturate"), node.float("ratio"), node.int("seed"));
            if to_integer && !x.is_integer() && x.len() <= 1 << 20 {
                Constant { dims: x.dims.clone(), data: Data::Integers(x.to_integers()?) }
            } else {
                x.clone()
            }
        }
        "Shape" => {
            let dims: Vec<i64> = first()?.dims.iter().map(|d| *d as i64).collect();
            shape_slice(node, &dims)?
        }
        "Size" => Constant { dims: vec![], data: Data::Integers(vec![first()?.len() as i64]) },
        "Reshape" => {
            let x = first()?;
            let target = match node.ints("shape") {
                Some(shape) => shape.to_vec(),
                None => need(inputs, 1)?.to_integers()?,
            };
            let zero = node.int("allowzero").unwrap_or(0) == 0;
            x.with_dims(reshaped(&x.dims, &target, zero)?)?
        }
        "Squeeze" | "Unsqueeze" => {
            let x = first()?;
            let axes = match node.ints("axes") {
                Some(axes) => Some(axes.to_vec()),
                None => inputs.get(1).copied().flatten().map(|c| c.to_integers()).transpose()?,
            };
            x.with_dims(squeezed(&x.dims, axes.as_deref(), node.operator == "Unsqueeze")?)?
        }
        "Flatten" => {
            let x = first()?;
            let at = node.int("axis").unwrap_or(1);
            let at = if at == x.dims.len() as i64 { x.dims.len() } else { axis(at, x.dims.len())? };
            let (a, b) = x.dims.split_at(at);
            x.with_dims(vec![a.iter().product(), b.iter().product()])?
        }
        "Transpose" => {
            let x = first()?;
            let order = permutation(node.ints("perm"), x.dims.len())?;
            transpose(x, &order, budget)?
        }
        "Gather" => gather(first()?, need(inputs, 1)?, node.int("axis").unwrap_or(0))?,
        "Slice" => slice(node, opset, inputs)?,
        "Concat" => {
            let rank = first()?.dims.len();
            if rank > 1 {
                return Ok(None);
            }
            axis(node.int("axis").unwrap_or(0), rank.max(1))?;
            let mut all = Vec::new();
            for i in 0..inputs.len() {
                all.extend(need(inputs, i)?.to_integers()?);
                if all.len() > 1 << 20 {
                    return Err(Error::Limit("it joins more numbers than a shape has".into()));
                }
            }
            Constant::integers(all)
        }
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max" if inputs.len() == 2 => {
            binary(node.operator, first()?, need(inputs, 1)?, budget)?
        }
        "Floor" | "Ceil" | "Neg" | "Sqrt" | "Reciprocal" | "Abs" | "Exp" => {
            unary(node.operator, first()?, budget)?
        }
        "Expand" => {
            let x = first()?;
            let target = sizes(&need(inputs, 1)?.to_integers()?)?;
            let dims = broadcast(&x.dims, &target)?;
            match &x.data {
                Data::Fill(v) => Constant::fill(dims, *v)?,
                _ if x.len() == 1 => Constant::fill(dims, x.scalar().unwrap_or_default().into())?,
                _ => {
                    let zeros = Constant::fill(dims, 0.0)?;
                    binary("Add", x, &zeros, budget)?
                }
            }
        }
        "Range" => {
            let [from, to, step] = [0, 1, 2].map(|i| need(inputs, i).and_then(Constant::to_integers));
            let (from, to, step) = (one(&from?)?, one(&to?)?, one(&step?)?);
            let n = if step == 0 { 0 } else { (i128::from(to) - i128::from(from)) / i128::from(step) };
            if step == 0 || n > 1 << 20 {
                return Err(Error::Limit("it counts further than a shape needs".into()));
            }
            let mut values = Vec::new();
            let mut at = i128::from(from);
            while (step > 0 && at < to.into()) || (step < 0 && at > to.into()) {
                values.push(at as i64);
                at += i128::from(step);
            }
            Constant::integers(values)
        }
        "ReduceProd" if first()?.dims.len() <= 1 => {
            let values = first()?.to_integers()?;
            let _ = (node.ints("axes"), node.int("keepdims"));
            let product = values.iter().try_fold(1i64, |n, v| n.checked_mul(*v));
            let product = product.ok_or_else(|| Error::Limit("a product beyond 64 bits".into()))?;
            let dims = if node.int("keepdims").unwrap_or(1) == 1 { vec![1] } else { vec![] };
            Constant { dims, data: Data::Integers(vec![product]) }
        }
        "DequantizeLinear" => dequantise(node, inputs, budget)?,
        _ => return Ok(None),
    }))
}

fn one(values: &[i64]) -> Result<i64> {
    values
        .first()
        .copied()
        .filter(|_| values.len() == 1)
        .ok_or_else(|| Error::Malformed("one number is expected".into()))
}

/// `Shape` with its `start` and `end`.
pub fn shape_slice<'a>(node: &Node, dims: &[i64]) -> Result<Constant<'a>> {
    let rank = dims.len() as i64;
    let at = |v: i64| (if v < 0 { v.saturating_add(rank) } else { v }).clamp(0, rank) as usize;
    let (from, to) = (at(node.int("start").unwrap_or(0)), at(node.int("end").unwrap_or(rank)));
    Ok(Constant::integers(dims[from..to.max(from)].to_vec()))
}

fn transpose<'a>(x: &Constant<'a>, order: &[usize], budget: &Budget) -> Result<Constant<'a>> {
    let dims: Vec<usize> = order.iter().map(|a| x.dims[*a]).collect();
    if let Data::Fill(v) = x.data {
        return Constant::fill(dims, v);
    }
    let from = strides(&x.dims);
    let steps: Vec<usize> = order.iter().map(|a| from[*a]).collect();
    let pick = |n: usize| {
        let (mut rest, mut at) = (n, 0);
        for i in (0..dims.len()).rev() {
            at += rest % dims[i] * steps[i];
            rest /= dims[i];
        }
        at
    };
    let n = x.len();
    let data = if x.is_integer() && n <= 1 << 20 {
        let v = x.to_integers()?;
        Data::Integers((0..n).map(|i| v[pick(i)]).collect())
    } else {
        budget.take(n)?;
        let v = x.to_floats(budget)?;
        Data::Floats((0..n).map(|i| v[pick(i)]).collect())
    };
    Ok(Constant { dims, data })
}

fn gather<'a>(x: &Constant<'a>, indices: &Constant, along: i64) -> Result<Constant<'a>> {
    if x.dims.len() > 1 {
        return Err(Error::Unsupported("picking from a table of constants is not carried out".into()));
    }
    axis(along, 1)?;
    let (values, n) = (x.to_integers()?, x.len() as i64);
    let picked: Option<Vec<i64>> = indices
        .to_integers()?
        .iter()
        .map(|i| values.get(usize::try_from(if *i < 0 { i.checked_add(n)? } else { *i }).ok()?).copied())
        .collect();
    let picked = picked.ok_or_else(|| Error::Malformed(format!("an index lies outside of {n} values")))?;
    Ok(Constant { dims: indices.dims.clone(), data: Data::Integers(picked) })
}

fn slice<'a>(node: &Node<'a>, opset: i64, inputs: &Inputs<'_, 'a>) -> Result<Constant<'a>> {
    let x = need(inputs, 0)?;
    let rank = x.dims.len();
    let optional = |i: usize| inputs.get(i).copied().flatten().map(|c| c.to_integers()).transpose();
    let [from, to, axes, steps] = if opset < 10 {
        let list = |name| node.ints(name).map(<[i64]>::to_vec);
        [list("starts"), list("ends"), list("axes"), None]
    } else {
        [optional(1)?, optional(2)?, optional(3)?, optional(4)?]
    };
    let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
    let axes = match axes {
        Some(axes) => axes_of(&axes, rank)?,
        None => (0..from.len()).collect(),
    };
    let steps = steps.unwrap_or(vec![1; axes.len()]);
    let fits = [from.len(), to.len(), steps.len()].iter().all(|n| *n == axes.len()) && axes.len() <= rank;
    if !fits || x.len() > 1 << 20 {
        return Err(Error::Unsupported("only shapes and other small constants are sliced".into()));
    }
    let mut values = x.to_integers()?;
    let mut dims = x.dims.clone();
    for (k, &along) in axes.iter().enumerate() {
        let picked = picks(dims[along], from[k], to[k], steps[k])?;
        let inner = dims[along + 1..].iter().fold(1usize, |n, d| n.saturating_mul(*d));
        let blocks = values.chunks(dims[along].saturating_mul(inner).max(1));
        values = blocks
            .flat_map(|block| picked.iter().flat_map(move |i| block[i * inner..][..inner].iter().copied()))
            .collect();
        dims[along] = picked.len();
    }
    Ok(Constant { dims, data: Data::Integers(values) })
}

/// The places that a slice takes out of `n`.
fn picks(n: usize, from: i64, to: i64, step: i64) -> Result<Vec<usize>> {
    let n = n as i64;
    let at = |v: i64, lo: i64, hi: i64| (if v < 0 { v.saturating_add(n) } else { v }).clamp(lo, hi.max(lo));
    let by = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    Ok(match step {
        1.. => (at(from, 0, n)..at(to, 0, n)).step_by(by).map(|i| i as usize).collect(),
        0 => return Err(Error::Malformed("a slice with step 0".into())),
        _ if n == 0 => Vec::new(),
        _ => {
            // An end before the first is −1 or far below; −1 itself counts from the end.
            let (from, to) = (at(from, 0, n - 1), at(to, -1, n - 1));
            (to + 1..=from).rev().step_by(by).map(|i| i as usize).collect()
        }
    })
}

fn binary<'a>(operator: &str, a: &Constant, b: &Constant, budget: &Budget) -> Result<Constant<'a>> {
    let dims = broadcast(&a.dims, &b.dims)?;
    let n = count(&dims).ok_or_else(|| Error::Limit(format!("shape {dims:?} is larger than any memory")))?;
    let (ia, ib) = (spread(&a.dims, &dims), spread(&b.dims, &dims));
    if a.is_integer() && b.is_integer() && n <= 1 << 20 {
        let (a, b) = (a.to_integers()?, b.to_integers()?);
        let one = |x: i64, y: i64| match operator {
            "Add" => x.checked_add(y),
            "Sub" => x.checked_sub(y),
            "Mul" => x.checked_mul(y),
            "Div" => x.checked_div(y),
            "Min" => Some(x.min(y)),
            "Max" => Some(x.max(y)),
            _ => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
        };
        let values: Option<Vec<i64>> = (0..n).map(|i| one(a[ia(i)], b[ib(i)])).collect();
        let values = values
            .ok_or_else(|| Error::Malformed("a division by zero, or a number beyond 64 bits".into()))?;
        return Ok(Constant { dims, data: Data::Integers(values) });
    }
    budget.take(n)?;
    let (a, b) = (a.to_floats(budget)?, b.to_floats(budget)?);
    let one = |x: f32, y: f32| match operator {
        "Add" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "Min" => x.min(y),
        "Max" => x.max(y),
        _ => x.powf(y),
    };
    Ok(Constant { dims, data: Data::Floats((0..n).map(|i| one(a[ia(i)], b[ib(i)])).collect()) })
}

fn unary<'a>(operator: &str, x: &Constant, budget: &Budget) -> Result<Constant<'a>> {
    if x.is_integer() && matches!(operator, "Neg" | "Abs") {
        let one = |v: i64| if operator == "Neg" { v.checked_neg() } else { v.checked_abs() };
        let values: Option<Vec<i64>> = x.to_integers()?.into_iter().map(one).collect();
        let values = values.ok_or_else(|| Error::Malformed("a number beyond 64 bits".into()))?;
        return Ok(Constant { dims: x.dims.clone(), data: Data::Integers(values) });
    }
    let mut values = x.to_floats(budget)?;
    for v in &mut values {
        *v = match operator {
            "Floor" => v.floor(),
            "Ceil" => v.ceil(),
            "Neg" => -*v,
            "Sqrt" => v.sqrt(),
            "Abs" => v.abs(),
            "Exp" => v.exp(),
            _ => 1.0 / *v,
        };
    }
    Ok(Constant { dims: x.dims.clone(), data: Data::Floats(values) })
}

/// Weights stored as integers: (x − zero point) · scale, per tensor or along one axis.
fn dequantise<'a>(node: &Node, inputs: &Inputs, budget: &Budget) -> Result<Constant<'a>> {
    let (x, scale) = (need(inputs, 0)?, need(inputs, 1)?);
    if node.int("block_size").unwrap_or(0) != 0 {
        return Err(Error::Unsupported("numbers quantised in blocks (`block_size`) are not read".into()));
    }
    let _ = node.int("output_dtype");
    let (n, rank) = (x.len(), x.dims.len());
    let along = node.int("axis").unwrap_or(1);
    let inner: usize =
        if scale.len() == 1 { n.max(1) } else { x.dims[axis(along, rank)? + 1..].iter().product() };
    let scales = scale.to_floats(budget)?;
    if scales.len() != 1 && scales.len() != x.dims[axis(along, rank)?] {
        return Err(Error::Malformed(format!("{} scales for shape {:?}", scales.len(), x.dims)));
    }
    let zeros = match inputs.get(2).copied().flatten() {
        Some(z) => z.to_floats(budget)?,
        None => vec![0.0; scales.len()],
    };
    if zeros.len() != scales.len() {
        return Err(Error::Malformed(format!("{} zero points for {} scales", zeros.len(), scales.len())));
    }
    let mut values = x.to_floats(budget)?;
    for (i, v) in values.iter_mut().enumerate() {
        let k = i / inner.max(1) % scales.len().max(1);
        *v = (*v - zeros[k]) * scales[k];
    }
    Ok(Constant { dims: x.dims.clone(), data: Data::Floats(values) })
}
