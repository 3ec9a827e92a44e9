//! ONNX: a graph of operators and constants → layers and weights. Opset 6 and up, IR version 3 and up.
//!
//! Untrusted: messages are read without recursion, tensors are checked against their bytes before anything is
//! made, and what a few bytes can blow up (ConstantOfShape, Expand) counts against a stated limit.

mod constant;
mod dims;
mod fold;
mod graph;
mod lrn;
mod ops;
mod proto;
pub mod test_data;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::format::report::Report;
use crate::format::report::line;
use crate::spec::{Kind, Model, Spec};
use crate::tensor::Shape;
use constant::{Budget, Constant};
use graph::{Act, Builder, Inputs, Value};
use proto::{Graph, Node};
use std::collections::{HashMap, HashSet};

/// Oldest opset whose operators mean what they mean here.
const OLDEST_OPSET: i64 = 6;

/// What a person may add.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Bytes of numbers made at most.
    pub limit: usize,
    /// Channels, rows, columns where the file leaves them open.
    pub input: Option<Shape>,
}

/// Reads a network. Errors: Malformed; Unsupported with the node's name, its operator and the attribute; Limit.
pub fn import(bytes: &[u8], settings: Settings, report: &mut Report) -> Result<Model> {
    report.format = "ONNX".into();
    let file = proto::read(bytes)?;
    let graph = file.graph.ok_or_else(|| {
        Error::Malformed("the file holds no graph; is it an ONNX model, and is it whole?".into())
    })?;
    report.format =
        format!("ONNX (IR {}, opset {}, by {})", file.ir, file.opset, or(&file.producer, "an unnamed tool"));
    if file.opset < OLDEST_OPSET || file.ir < 3 {
        return Err(Error::Unsupported(format!(
            "opset {} and IR version {} are of before 2017; export the network with opset {OLDEST_OPSET} or newer",
            file.opset, file.ir
        )));
    }
    if graph.sparse > 0 {
        return Err(Error::Unsupported("sparse tensors are not read; store the weights densely".into()));
    }
    let output =
        graph.outputs.first().ok_or_else(|| Error::Malformed("the graph has no output".into()))?.name;
    if graph.outputs.len() > 1 {
        let others: Vec<&str> = graph.outputs[1..].iter().map(|o| o.name).take(6).collect();
        report.skipped.push(line!(
            "outputs",
            "further outputs ({others}): only `{output}` is followed",
            others = others.join(", "),
            output = output
        ));
    }
    let wanted = needed(&graph, output)?;
    let mut constants: HashMap<&str, Constant> = HashMap::new();
    for message in &graph.initializers {
        let (name, constant) = constant::tensor(message)?;
        if constants.insert(name, constant).is_some() {
            return Err(Error::Malformed(format!(
                "two tensors are called `{name}`; export the network again"
            )));
        }
    }
    let input = input(&graph, &constants, &wanted, settings, report)?;
    let budget = Budget::new(settings.limit);
    let mut b = Builder::new(file.opset, input.batch, budget, report);
    b.uses = uses(&graph, &wanted, output);
    b.values.extend(constants.into_iter().map(|(name, c)| (name, Value::Constant(c.into()))));
    if !input.skipped.contains(input.name) {
        b.values.insert(input.name, Value::Act(input.act.clone()));
    }
    let chains = lrn::find(&graph, &wanted, &b.uses);
    let inner: HashSet<usize> = chains.values().flat_map(|c| c.inner.iter().copied()).collect();
    for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| wanted.contains(i) && !inner.contains(i))
    {
        let place = || format!("node `{}` ({})", or(node.label(), &i.to_string()), node.operator);
        if let Some(chain) = chains.get(&i) {
            let act = lrn::layer(&mut b, &graph, i, chain).map_err(|e| e.at(&place()))?;
            b.report.folded.push(line!(
                "lrn",
                "{n} nodes into `{node}`, a local response normalisation",
                n = chain.inner.len(),
                node = act.layer
            ));
            b.values.insert(node.outputs[0], Value::Act(act));
            continue;
        }
        if input.skipped.contains(node.outputs.first().copied().unwrap_or_default()) && input.turned {
            let dims = vec![1, input.act.shape.c, input.act.shape.h, input.act.shape.w];
            b.values.insert(node.outputs[0], Value::Act(Act { dims, ..input.act.clone() }));
            b.report.folded.push(line!(
                "transpose.input",
                "node `{node}` (Transpose) into the order of the input's axes",
                node = node.label()
            ));
            continue;
        }
        step(&mut b, node).map_err(|e| e.at(&place()))?;
    }
    finish(b, &graph, output, input.act.shape)
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// The nodes that the output depends on. Errors: Malformed where two nodes make the same value.
fn needed(graph: &Graph, output: &str) -> Result<HashSet<usize>> {
    let mut made_by: HashMap<&str, usize> = HashMap::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|n| !n.is_empty()) {
            if made_by.insert(name, i).is_some() {
                return Err(Error::Malformed(format!("two nodes make `{name}`; export the network again")));
            }
        }
    }
    let mut wanted = HashSet::new();
    let mut open: Vec<usize> = made_by.get(output).copied().into_iter().collect();
    while let Some(i) = open.pop() {
        if wanted.insert(i) {
            open.extend(graph.nodes[i].inputs.iter().filter_map(|n| made_by.get(n)));
        }
    }
    Ok(wanted)
}

fn uses<'a>(graph: &Graph<'a>, wanted: &HashSet<usize>, output: &'a str) -> HashMap<&'a str, usize> {
    let mut uses = HashMap::from([(output, 1)]);
    for (_, node) in graph.nodes.iter().enumerate().filter(|(i, _)| wanted.contains(i)) {
        for name in &node.inputs {
            *uses.entry(*name).or_insert(0) += 1;
        }
    }
    uses
}

struct Input<'a> {
    name: &'a str,
    act: Act,
    /// Batch of the export.
    batch: usize,
    /// Whether the picture came as rows, columns, channels.
    turned: bool,
    /// Outputs of the nodes that only put its axes in order.
    skipped: HashSet<&'a str>,
}

/// The one input that is no constant.
fn input<'a>(
    graph: &Graph<'a>,
    constants: &HashMap<&str, Constant>,
    wanted: &HashSet<usize>,
    settings: Settings,
    report: &mut Report,
) -> Result<Input<'a>> {
    let readers = |name: &str| {
        let all = graph.nodes.iter().enumerate().filter(|(i, _)| wanted.contains(i)).map(|(_, n)| n);
        all.filter(|n| n.inputs.contains(&name)).collect::<Vec<&Node>>()
    };
    let open: Vec<_> = graph.inputs.iter().filter(|i| !constants.contains_key(i.name)).collect();
    let used: Vec<_> =
        open.iter().filter(|i| graph.outputs[0].name == i.name || !readers(i.name).is_empty()).collect();
    let [info] = used.as_slice() else {
        let names: Vec<&str> = used.iter().map(|i| i.name).take(6).collect();
        return Err(Error::Unsupported(format!(
            "the network has {} inputs ({}); exactly one, the picture, is expected",
            used.len(),
            names.join(", ")
        )));
    };
    let at = |e: Error| e.at(&format!("input `{}`", info.name));
    if !matches!(info.number, 0 | 1 | 10 | 11 | 16) {
        return Err(at(Error::Unsupported(format!(
            "it takes {}; export the network with a float32 input",
            constant::type_name(info.number)
        ))));
    }
    let mut dims = match (&info.dims, settings.input) {
        (Some(dims), _) => dims.clone(),
        (None, Some(s)) => [1, s.c, s.h, s.w].map(|d| Some(d as i64)).to_vec(),
        (None, None) => {
            return Err(at(Error::Unsupported("its shape is not given; say it with --input C,H,W".into())));
        }
    };
    if !(2..=5).contains(&dims.len()) {
        return Err(at(Error::Unsupported(format!(
            "it has {} axes; a batch with two to four more (N,C,H,W) is expected",
            dims.len()
        ))));
    }
    let read_by = readers(info.name);
    let to_chw = |n: &&Node| n.operator == "Transpose" && n.ints("perm") == Some(&[0, 3, 1, 2]);
    let turned = dims.len() == 4 && !read_by.is_empty() && read_by.iter().all(to_chw);
    if turned {
        dims = vec![dims[0], dims[3], dims[1], dims[2]];
    }
    let size = |d: Option<i64>| d.and_then(|d| usize::try_from(d).ok()).filter(|d| *d > 0);
    let batch = size(dims[0]).unwrap_or(1);
    if batch > 1 {
        report.notes.push(line!(
            "batch",
            "the network was exported for {batch} pictures at once; here it takes one at a time",
            batch = batch
        ));
    }
    let mut sides = vec![1];
    for (i, d) in dims.iter().enumerate().skip(1) {
        let asked = settings.input.filter(|_| dims.len() == 4).map(|s| [s.c, s.h, s.w][i - 1]);
        let guess = if i == 1 { 3 } else { 224 };
        sides.push(match (size(*d), asked) {
            (Some(d), _) => d,
            (None, Some(asked)) => asked,
            (None, None) if dims.len() == 4 => {
                let guessed = match i {
                    1 => line!("open.channels", "the input's channels are left open in the file: {guess} is taken (--input C,H,W says another)", guess = guess),
                    2 => line!("open.rows", "the input's rows are left open in the file: {guess} is taken (--input C,H,W says another)", guess = guess),
                    _ => line!("open.columns", "the input's columns are left open in the file: {guess} is taken (--input C,H,W says another)", guess = guess),
                };
                report.guesses.push(guessed);
                guess
            }
            _ => {
                return Err(at(Error::Unsupported(format!(
                    "its size along axis {i} is left open; export it with a fixed size"
                ))));
            }
        });
    }
    let shape = match *sides.as_slice() {
        [_, c, d, h, w] => {
            Shape::new(c, d, h.checked_mul(w).ok_or_else(|| at(Error::Limit("it is too large".into())))?)
        }
        _ => graph::canonical(&sides)?,
    };
    shape.count().map_err(at)?;
    let skipped = if turned {
        read_by.iter().filter_map(|n| n.outputs.first().copied()).chain([info.name]).collect()
    } else {
        HashSet::new()
    };
    let act = Act { layer: "data".into(), shape, dims: sides };
    Ok(Input { name: info.name, act, batch, turned, skipped })
}

/// Folds or translates one node.
fn step<'a>(b: &mut Builder<'a, '_>, node: &Node<'a>) -> Result<()> {
    if !proto::is_standard(node.domain) {
        return Err(Error::Unsupported(format!(
            "the operator is of the domain `{}`; only those of the ONNX standard are read: export without optimisations \
             for one runtime",
            node.domain
        )));
    }
    let output = node.outputs.first().copied().filter(|o| !o.is_empty());
    let output = output.ok_or_else(|| Error::Malformed("it has no output".into()))?;
    let mut inputs = Vec::new();
    for name in &node.inputs {
        inputs.push(match (name.is_empty(), b.values.get(name)) {
            (true, _) => None,
            (false, Some(value)) => Some(value.clone()),
            (false, None) => {
                return Err(Error::Malformed(format!(
                    "it reads `{name}`, which no node before it makes: the graph is cyclic, out of order or cut"
                )));
            }
        });
    }
    let is_act = |v: &Option<Value>| matches!(v, Some(Value::Act(_)));
    let value = if inputs.iter().any(is_act) {
        ops::node(b, node, &Inputs(inputs))?
    } else {
        let constants: Vec<_> =
            inputs.iter().map(|v| if let Some(Value::Constant(c)) = v { Some(c) } else { None }).collect();
        let folded = fold::fold(node, b.opset, &constants, &b.budget)?;
        Value::Constant(
            folded
                .ok_or_else(|| {
                    Error::Unsupported("with nothing but constants this operator is not carried out".into())
                })?
                .into(),
        )
    };
    if let Some(name) = node.unread() {
        return Err(Error::Unsupported(format!("the attribute `{name}` is not known here")));
    }
    if let Some(second) = node.outputs.iter().skip(1).find(|o| b.uses.contains_key(*o)) {
        return Err(Error::Unsupported(format!(
            "its further output `{second}` is used; only the first is computed"
        )));
    }
    b.values.insert(output, value);
    Ok(())
}

fn finish(mut b: Builder, graph: &Graph, output: &str, input: Shape) -> Result<Model> {
    let act = match b.values.get(output) {
        Some(Value::Act(act)) => act.clone(),
        Some(Value::Constant(_)) => {
            return Err(Error::Unsupported(format!("the output `{output}` does not depend on the input")));
        }
        None => return Err(Error::Malformed(format!("no node makes the output `{output}`"))),
    };
    let act =
        if b.layers.is_empty() { b.layer("identity", &[&act], Kind::Dropout, Vec::new(), 4)? } else { act };
    b.report.output = act.layer.clone();
    let last = b.layers.last().map(|l| &l.kind);
    let scores = act.shape.h * act.shape.w == 1 && act.shape.c > 1;
    let weighs = |k: &Kind| {
        matches!(
            k,
            Kind::Dense { .. }
                | Kind::Conv { .. }
                | Kind::GlobalAvg
                | Kind::Scale
                | Kind::LogSoftmax
                | Kind::AvgPool { .. }
        )
    };
    if scores && last.is_some_and(weighs) {
        let from = act.layer.clone();
        b.layer("prob", &[&act], Kind::Softmax, Vec::new(), 4)?;
        b.report.guesses.push(line!("softmax.added", "the network ends in {n} numbers (`{from}`) without a softmax: one is added (`prob`), so that there are probabilities", n = act.shape.c, from = from));
    }
    let off_paper: Vec<&str> = b
        .layers
        .iter()
        .map(|l| &l.kind)
        .filter(|k| {
            matches!(
                k,
                Kind::Leaky { .. }
                    | Kind::Prelu
                    | Kind::Clip { .. }
                    | Kind::Sigmoid
                    | Kind::Tanh
                    | Kind::Product
                    | Kind::ConvTranspose { .. }
            )
        })
        .map(Kind::name)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut spec = Spec { layers: b.layers, ..Spec::new(graph.name, input) };
    spec.title = String::new();
    if !off_paper.is_empty() {
        spec.notes = format!("Projections go beyond the paper at layers of kind {}.", off_paper.join(", "));
        b.report.notes.push(line!("off.paper", "the deconvnet of the paper knows no {kinds}: there the signal follows the rules of Unpool's documentation", kinds = off_paper.join(", ")));
    }
    Ok(Model { spec, weights: b.weights })
}

/// An axis counted from the end where it is negative.
fn axis(at: i64, rank: usize) -> Result<usize> {
    let from_end = if at < 0 { at.checked_add(rank as i64) } else { Some(at) };
    from_end
        .and_then(|a| usize::try_from(a).ok())
        .filter(|a| *a < rank)
        .ok_or_else(|| Error::Malformed(format!("axis {at} of {rank} axes")))
}

/// Several, each once.
fn axes_of(list: &[i64], rank: usize) -> Result<Vec<usize>> {
    if list.len() > 64 {
        return Err(Error::Malformed(format!("{} axes", list.len())));
    }
    let mut out = Vec::new();
    for &a in list {
        let a = axis(a, rank)?;
        if out.contains(&a) {
            return Err(Error::Malformed(format!("axis {a} stands twice in {list:?}")));
        }
        out.push(a);
    }
    Ok(out)
}
