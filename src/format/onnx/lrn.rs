//! Local response normalisation as PyTorch exports it: ONNX has an operator for it, PyTorch writes nine nodes instead,
//! x / (k + α · mean over neighbouring maps of x²)^β. Found by the operators on the way, then checked number by number.

use super::graph::{Act, Builder, Value};
use super::proto::{self, Graph, Node};
use crate::error::{Error, Result};
use crate::spec::Kind;
use std::collections::{HashMap, HashSet};

/// Nodes by their index in the graph.
pub struct Chain {
    add: usize,
    beta: usize,
    alpha: usize,
    pool: usize,
    /// Absent where the pooling itself pads.
    pad: Option<usize>,
    /// All nodes that become part of the one layer.
    pub inner: Vec<usize>,
}

/// The chains, by the division that each ends in.
pub fn find<'a>(
    graph: &Graph<'a>,
    wanted: &HashSet<usize>,
    uses: &HashMap<&str, usize>,
) -> HashMap<usize, Chain> {
    let mut made_by: HashMap<&'a str, usize> = HashMap::new();
    for &i in wanted {
        made_by.extend(graph.nodes[i].outputs.first().map(|o| (*o, i)));
    }
    let ends = wanted.iter().filter(|i| graph.nodes[**i].operator == "Div");
    ends.filter_map(|&i| Some((i, chain(graph, &made_by, uses, i)?))).collect()
}

fn chain<'a>(
    graph: &Graph<'a>,
    made_by: &HashMap<&'a str, usize>,
    uses: &HashMap<&str, usize>,
    end: usize,
) -> Option<Chain> {
    let &[x, below] = graph.nodes[end].inputs.as_slice() else { return None };
    let mut walk = Walk { graph, made_by, uses, below, inner: Vec::new() };
    let beta = walk.down(&["Pow"])?;
    let add = walk.down(&["Add"])?;
    let alpha = walk.down(&["Mul"])?;
    while walk.down(LAYOUT).is_some() || walk.branches().is_some() {}
    let pool = walk.down(&["AveragePool"])?;
    while walk.down(LAYOUT).is_some() {}
    let pad = walk.down(&["Pad"]);
    while walk.down(LAYOUT).is_some() {}
    let square = *made_by.get(walk.below)?;
    let node = &graph.nodes[square];
    let squares = node.operator == "Mul" && node.inputs == [x, x] && uses.get(walk.below) == Some(&1);
    let mut inner = walk.inner;
    inner.push(square);
    squares.then_some(Chain { add, beta, alpha, pool, pad, inner })
}

/// On the way down from a value to what it is made of.
struct Walk<'g, 'a> {
    graph: &'g Graph<'a>,
    made_by: &'g HashMap<&'a str, usize>,
    uses: &'g HashMap<&'g str, usize>,
    below: &'a str,
    inner: Vec<usize>,
}

impl Walk<'_, '_> {
    /// Past the next node, if it is one of these operators and nobody else reads its value.
    fn down(&mut self, operators: &[&str]) -> Option<usize> {
        let i = *self.made_by.get(self.below)?;
        let node = &self.graph.nodes[i];
        if !operators.contains(&node.operator) || self.uses.get(self.below) != Some(&1) {
            return None;
        }
        let made = |name: &&str| {
            self.made_by.get(name).is_some_and(|k| !CONSTANT.contains(&self.graph.nodes[*k].operator))
        };
        // A commutative operator may have its constant first.
        self.below = node.inputs.iter().copied().find(made).or(node.inputs.first().copied())?;
        self.inner.push(i);
        Some(i)
    }

    /// Past `squeeze` as PyTorch's older exporter writes it: a branch that squeezes and one that does nothing, chosen by
    /// the shape of the value itself.
    fn branches(&mut self) -> Option<()> {
        let i = *self.made_by.get(self.below)?;
        let node = &self.graph.nodes[i];
        if node.operator != "If" || self.uses.get(self.below) != Some(&1) {
            return None;
        }
        let mut from = None;
        for name in ["then_branch", "else_branch"] {
            let branch = proto::graph(node.attribute(name)?.graph?).ok()?;
            let mut busy = branch.nodes.iter().filter(|n| n.operator != "Constant");
            let only = busy.next().filter(|n| LAYOUT.contains(&n.operator) && n.operator != "Reshape")?;
            let read = *only.inputs.first()?;
            if busy.next().is_some() || from.is_some_and(|f| f != read) {
                return None;
            }
            from = Some(read);
        }
        let mut found = vec![i];
        let mut condition = *node.inputs.first()?;
        for operator in ["Equal", "Gather", "Shape"] {
            let k = *self.made_by.get(condition)?;
            if self.graph.nodes[k].operator != operator || self.uses.get(condition) != Some(&1) {
                return None;
            }
            found.push(k);
            condition = *self.graph.nodes[k].inputs.first()?;
        }
        self.below = from.filter(|f| *f == condition)?;
        self.inner.extend(found);
        Some(())
    }
}

const LAYOUT: &[&str] = &["Reshape", "Squeeze", "Unsqueeze", "Identity"];
const CONSTANT: &[&str] = &["Constant", "Cast"];

/// The layer in place of the chain. Errors: Unsupported where its numbers are not those of an LRN.
pub fn layer(b: &mut Builder, graph: &Graph, end: usize, chain: &Chain) -> Result<Act> {
    let other = |what: &str| {
        Error::Unsupported(format!(
            "it looks like a local response normalisation, but {what}; export it as the operator LRN"
        ))
    };
    let node = &graph.nodes[end];
    let x = match b.values.get(node.inputs[0]) {
        Some(Value::Act(x)) => x.clone(),
        _ => return Err(other("what it divides is no activation")),
    };
    let number = |b: &Builder, i: usize| {
        let constant = |name: &&str| match b.values.get(name) {
            Some(Value::Constant(c)) => c.scalar(),
            _ => None,
        };
        graph.nodes[i].inputs.iter().find_map(constant).filter(|v| v.is_finite())
    };
    let numbers = [chain.alpha, chain.add, chain.beta].map(|i| number(b, i));
    let [Some(alpha), Some(k), Some(beta)] = numbers else {
        return Err(other("alpha, beta or k is not one number"));
    };
    let pool = &graph.nodes[chain.pool];
    let size = pool
        .ints("kernel_shape")
        .and_then(|s| s.split_first())
        .filter(|(_, rest)| rest.iter().all(|d| *d == 1));
    let size = size.and_then(|(n, _)| usize::try_from(*n).ok()).filter(|n| (1..=1 << 16).contains(n));
    let size = size.filter(|n| n % 2 == 1).ok_or_else(|| other("it does not take an odd number of maps"))?;
    let plain = |name| pool.ints(name).is_none_or(|v| v.iter().all(|s| *s == 1));
    if !plain("strides") || !plain("dilations") {
        return Err(other("it skips maps"));
    }
    let half = size as i64 / 2;
    let own: Vec<i64> = pool.ints("pads").map(<[i64]>::to_vec).unwrap_or_default();
    let pads = match chain.pad {
        None if half > 0 && pool.int("count_include_pad") != Some(1) => {
            return Err(other("it counts fewer maps at the ends"));
        }
        None => own,
        Some(_) if own.iter().any(|p| *p != 0) => return Err(other("it pads twice")),
        Some(i) => padding(b, &graph.nodes[i]).ok_or_else(|| other("its padding is not by zeros"))?,
    };
    let at = if chain.pad.is_some() { 2 } else { 0 };
    let rank = pads.len() / 2;
    let right = |(i, p): (usize, &i64)| *p == if i % rank.max(1) == at { half } else { 0 };
    if x.dims.len() != 4 || (half > 0 && pads.is_empty()) || !pads.iter().enumerate().all(right) {
        return Err(other("it does not take as many maps on either side"));
    }
    let kind = Kind::Lrn { size, alpha, beta, k };
    let x = b.settle(&x, node)?;
    b.same(node, &x, kind, Vec::new())
}

/// All sides of a padding by zeros.
fn padding(b: &Builder, node: &Node) -> Option<Vec<i64>> {
    let constant = |i: usize| match node.inputs.get(i).and_then(|n| b.values.get(n)) {
        Some(Value::Constant(c)) => Some(c.clone()),
        _ => None,
    };
    let by_zeros = match node.inputs.get(2).filter(|n| !n.is_empty()) {
        Some(_) => constant(2)?.scalar()? == 0.0,
        None => node.float("value").unwrap_or(0.0) == 0.0,
    };
    let constantly = node.attribute("mode").is_none_or(|a| a.text == Some(b"constant"));
    let pads = match node.ints("pads") {
        Some(pads) => pads.to_vec(),
        None => constant(1)?.to_integers().ok()?,
    };
    (by_zeros && constantly && node.inputs.get(3).is_none_or(|n| n.is_empty())).then_some(pads)
}
