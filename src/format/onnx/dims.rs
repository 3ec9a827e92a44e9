//! What operators make of shapes: no numbers but those of the axes.

use super::axes_of;
use crate::error::{Error, Result};
use crate::format::number::count;

/// Non-negative sizes.
pub fn sizes(values: &[i64]) -> Result<Vec<usize>> {
    let sizes: Option<Vec<usize>> = values.iter().map(|v| usize::try_from(*v).ok()).collect();
    let sizes = sizes.filter(|s| s.len() <= 64);
    sizes.ok_or_else(|| Error::Malformed(format!("{:?} is no shape", &values[..values.len().min(8)])))
}

/// What Reshape makes of a shape: −1 is worked out, 0 copies (unless `allowzero`).
pub fn reshaped(dims: &[usize], target: &[i64], zero_copies: bool) -> Result<Vec<usize>> {
    let wrong = || Error::Malformed(format!("shape {dims:?} cannot become {target:?}"));
    if target.len() > 64 {
        return Err(wrong());
    }
    let total = count(dims).ok_or_else(wrong)?;
    let mut out = Vec::new();
    let mut open = None;
    for (i, &t) in target.iter().enumerate() {
        out.push(match t {
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            0 if zero_copies => *dims.get(i).ok_or_else(wrong)?,
            t => usize::try_from(t).map_err(|_| wrong())?,
        });
    }
    let known = count(&out).ok_or_else(wrong)?;
    if let Some(i) = open {
        if known == 0 || !total.is_multiple_of(known) {
            return Err(wrong());
        }
        out[i] = total / known;
    } else if known != total {
        return Err(wrong());
    }
    Ok(out)
}

/// What Squeeze (all axes of size 1 without a list) or Unsqueeze makes of a shape.
pub fn squeezed(dims: &[usize], axes: Option<&[i64]>, insert: bool) -> Result<Vec<usize>> {
    let wrong = || Error::Malformed(format!("axes {axes:?} do not fit shape {dims:?}"));
    if axes.is_some_and(|a| a.len() > 64) {
        return Err(wrong());
    }
    if insert {
        let axes = axes.ok_or_else(wrong)?;
        let at = axes_of(axes, dims.len() + axes.len())?;
        let mut rest = dims.iter();
        return (0..dims.len() + axes.len())
            .map(|i| if at.contains(&i) { Some(1) } else { rest.next().copied() })
            .collect::<Option<_>>()
            .ok_or_else(wrong);
    }
    let at = match axes {
        Some(axes) => axes_of(axes, dims.len())?,
        None => (0..dims.len()).filter(|i| dims[*i] == 1).collect(),
    };
    if at.iter().any(|i| dims[*i] != 1) {
        return Err(wrong());
    }
    Ok((0..dims.len()).filter(|i| !at.contains(i)).map(|i| dims[i]).collect())
}

/// The order of axes, reversed where none is given.
pub fn permutation(order: Option<&[i64]>, rank: usize) -> Result<Vec<usize>> {
    let Some(order) = order else { return Ok((0..rank).rev().collect()) };
    let at = axes_of(order, rank)?;
    if at.len() != rank {
        return Err(Error::Malformed(format!("perm {order:?} does not fit {rank} axes")));
    }
    Ok(at)
}

pub fn strides(dims: &[usize]) -> Vec<usize> {
    let mut out = vec![1; dims.len()];
    for i in (1..dims.len()).rev() {
        out[i - 1] = out[i] * dims[i];
    }
    out
}

/// The common shape of two, by NumPy's rule.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let side = |d: &[usize], i: usize| (i + d.len()).checked_sub(rank).map_or(1, |k| d[k]);
    (0..rank)
        .map(|i| match (side(a, i), side(b, i)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(Error::Malformed(format!("shapes {a:?} and {b:?} do not fit each other"))),
        })
        .collect()
}

/// For each value of `dims` the index of the value of `from` that stands there after broadcasting.
pub fn spread(from: &[usize], dims: &[usize]) -> impl Fn(usize) -> usize + use<> {
    let own = strides(from);
    let lead = dims.len().saturating_sub(from.len());
    let steps: Vec<usize> =
        (0..dims.len()).map(|i| if i < lead || from[i - lead] == 1 { 0 } else { own[i - lead] }).collect();
    let dims = dims.to_vec();
    move |n| {
        let (mut rest, mut at) = (n, 0);
        for i in (0..dims.len()).rev() {
            at += rest % dims[i] * steps[i];
            rest /= dims[i];
        }
        at
    }
}
