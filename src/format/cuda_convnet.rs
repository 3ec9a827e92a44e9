//! cuda-convnet's checkpoints (AK12's own tool): pickled dicts, one per layer, with the sizes in them.
//! Meaning of the fields: `layer.py` of cuda-convnet.
//!
//! A convolution's output size is rounded up there: windows that begin inside may end beyond the picture.

use super::number::count;
use super::pickle::{Node, Pickle};
use super::report::Report;
use crate::error::{Error, Result};
use crate::format::report::line;
use crate::spec::{Kind, LayerSpec, Model, Spec, Weight, Weights, shape};
use crate::tensor::Shape;
use crate::window::Window;

/// The layers of a checkpoint: a list of dicts that have a `name` and a `type`.
pub fn layers<'p, 'a>(pickle: &'p Pickle<'a>) -> Option<Vec<Node<'p, 'a>>> {
    let root = pickle.root();
    let found = [Some(root), root.get("layers"), root.get("model_state").and_then(|s| s.get("layers"))];
    found.into_iter().flatten().find_map(|node| {
        let items = node.items();
        let fits = |n: &Node| n.text("type").is_some() && n.text("name").is_some();
        (!items.is_empty() && items.iter().all(fits)).then_some(items)
    })
}

/// Reads the network. Errors: Malformed; Unsupported with the layer's name and type.
pub fn import(layers: &[Node], report: &mut Report) -> Result<Model> {
    report.format = "cuda-convnet".into();
    // For each of their layers: the one here that computes it, and its shape; `None` for data of another kind and costs.
    let mut made: Vec<Option<(String, Shape)>> = Vec::new();
    let mut spec = Spec::new("", Shape::new(3, 1, 1));
    spec.title = String::new();
    let mut weights = Weights::new();
    let mut input = None;
    for node in layers {
        let (name, kind) = (node.text("name").unwrap_or_default(), node.text("type").unwrap_or_default());
        let place = |e: Error| e.at(&format!("layer `{name}` ({kind})"));
        let reads = node.get("inputs").map(|n| n.integers()).unwrap_or_default();
        if kind == "data" {
            made.push(None);
            continue;
        }
        if kind.starts_with("cost") {
            report.skipped.push(line!(
                "layer.training",
                "layer `{name}` ({kind}): only for training",
                name = name,
                kind = kind
            ));
            made.push(None);
            continue;
        }
        let before: Option<Vec<(String, Shape)>> = reads
            .iter()
            .map(|i| {
                let i = usize::try_from(*i).ok().filter(|i| *i < made.len())?;
                made[i].clone().or_else(|| {
                    (layers[i].text("type") == Some("data")).then(|| ("data".into(), Shape::new(0, 0, 0)))
                })
            })
            .collect();
        let mut before = before.filter(|b| !b.is_empty()).ok_or_else(|| {
            place(Error::Malformed("it reads a layer that is not before it, or none".into()))
        })?;
        if before[0].0 == "data" {
            let size = match input {
                Some(size) => size,
                None => input_size(node).map_err(place)?,
            };
            input = Some(size);
            before.iter_mut().filter(|b| b.0 == "data").for_each(|b| b.1 = size);
        }
        let (kind, parts) = one(kind, node, before[0].1).map_err(place)?;
        let inputs: Vec<Shape> = before.iter().map(|b| b.1).collect();
        let out = shape::output(&kind, &inputs).map_err(place)?;
        if let Some(outputs) = node.size("outputs")
            && out.count()? != outputs
        {
            return Err(place(Error::Malformed(format!("it has {outputs} outputs there and {out} here"))));
        }
        if name.is_empty() || name == "data" || made.iter().flatten().any(|m| m.0 == name) {
            return Err(place(Error::Malformed("its name is empty, taken, or `data`".into())));
        }
        weights.extend(parts.into_iter().map(|(part, w)| (format!("{name}.{part}"), w)));
        let last = spec.layers.last().map_or("data", |l| l.name.as_str());
        let reads: Vec<String> = before.into_iter().map(|b| b.0).collect();
        let inputs = if reads == [last] { Vec::new() } else { reads };
        spec.layers.push(LayerSpec { name: name.to_string(), inputs, kind });
        made.push(Some((name.to_string(), out)));
    }
    spec.input.shape = input.ok_or_else(|| Error::Malformed("no layer reads the picture".into()))?;
    report
        .missing
        .push(line!("mean.picture", "the mean picture: cuda-convnet keeps it with the data (batches.meta)"));
    Ok(Model { spec, weights })
}

/// What the first layer says of the picture.
fn input_size(node: &Node) -> Result<Shape> {
    let side = node.first_size("imgSize");
    match (node.first_size("channels"), side) {
        (Some(c), Some(side)) => Ok(Shape::new(c, side, side)),
        // A dense layer reads numbers.
        _ => node.first_size("numInputs").map(|n| Shape::new(n, 1, 1)).ok_or_else(|| {
            Error::Malformed("it reads the picture and does not say its size (`imgSize`, `channels`)".into())
        }),
    }
}

type Parts = Vec<(&'static str, Weight)>;

fn one(kind: &str, node: &Node, input: Shape) -> Result<(Kind, Parts)> {
    let need =
        |key: &str| node.first_size(key).ok_or_else(|| Error::Malformed(format!("its `{key}` is missing")));
    Ok(match kind {
        "conv" => {
            let (filters, size) = (need("filters")?, need("filterSize")?);
            let (stride, pad, groups) = (
                need("stride")?,
                node.first_size("padding").unwrap_or(0),
                node.first_size("groups").unwrap_or(1),
            );
            if node.first_size("sharedBiases") == Some(0) {
                return Err(Error::Unsupported("biases for every position (`sharedBiases` 0)".into()));
            }
            let window = rounded_up(Window::square(size, stride, pad), input)?;
            let per_group = input.c / groups.max(1);
            // Channels, rows, columns of each filter stand in a column.
            let w = columns(node, vec![filters, per_group, size, size])?;
            (
                Kind::Conv { filters, window, groups, connections: None },
                vec![("weight", w), ("bias", biases(node, filters)?)],
            )
        }
        "fc" => {
            let units = need("outputs")?;
            let n = input.count()?;
            (
                Kind::Dense { units },
                vec![("weight", columns(node, vec![units, n])?), ("bias", biases(node, units)?)],
            )
        }
        "pool" => {
            let (size, stride) = (need("sizeX")?, need("stride")?);
            let start = node.get("start").and_then(|s| s.number()).unwrap_or(0.0);
            if !(-65536.0..=0.0).contains(&start) {
                return Err(Error::Unsupported(format!("pooling that starts at {start}")));
            }
            let window = rounded_up(Window::square(size, stride, (-start) as usize), input)?;
            let kind = match node.text("pool") {
                Some("max") => Kind::MaxPool { window, ceil: false, maps: 1 },
                Some("avg") => Kind::AvgPool { window, ceil: false, include_pad: false },
                other => return Err(Error::Unsupported(format!("pooling by {other:?}"))),
            };
            (kind, Vec::new())
        }
        "cmrnorm" => {
            let size = need("size")?;
            let real = |key| node.get(key).and_then(|n| n.number()).unwrap_or(0.0) as f32;
            // `scale` is divided by the size already.
            (Kind::Lrn { size, alpha: real("scale") * size as f32, beta: real("pow"), k: 1.0 }, Vec::new())
        }
        "softmax" => (Kind::Softmax, Vec::new()),
        "eltsum" => (Kind::Sum, Vec::new()),
        "concat" => (Kind::Concat, Vec::new()),
        "dropout" | "dropout2" => (Kind::Dropout, Vec::new()),
        "neuron" => {
            let neuron = node.get("neuron").and_then(|n| n.text("type")).unwrap_or_default();
            let kind = match neuron {
                "relu" => Kind::Relu,
                "logistic" => Kind::Sigmoid,
                "tanh" => {
                    let parameters = node.get("neuron").and_then(|n| n.get("params"));
                    let real = |k| parameters.and_then(|p| p.get(k)).and_then(|n| n.number()).unwrap_or(1.0);
                    if (real("a"), real("b")) != (1.0, 1.0) {
                        return Err(Error::Unsupported("a scaled tanh (`a`, `b` other than 1)".into()));
                    }
                    Kind::Tanh
                }
                "ident" => Kind::Dropout,
                other => {
                    return Err(Error::Unsupported(format!(
                        "the neuron `{other}`; relu, logistic, tanh and ident are read"
                    )));
                }
            };
            (kind, Vec::new())
        }
        _ => {
            return Err(Error::Unsupported(
                "this type of layer is not read (conv, fc, pool, cmrnorm, neuron, softmax, eltsum, concat, dropout and data are)".into(),
            ));
        }
    })
}

/// Padding at the bottom and right so that the size, rounded up, has room.
fn rounded_up(mut w: Window, s: Shape) -> Result<Window> {
    w.check()?;
    for (a, size) in [s.h, s.w].into_iter().enumerate() {
        let room = (size + 2 * w.pad[a]).saturating_sub(w.kernel[a]);
        let needs = room.div_ceil(w.stride[a]) * w.stride[a] + w.kernel[a];
        w.pad[a + 2] = needs.saturating_sub(size + w.pad[a]);
    }
    Ok(w)
}

/// The first matrix of `weights`, a filter or unit a column, as filters first.
fn columns(node: &Node, shape: Vec<usize>) -> Result<Weight> {
    let array = node.get("weights").and_then(|w| w.items().first().copied()).and_then(|n| n.array());
    let array = array.ok_or_else(|| Error::Malformed("its `weights` are no list of arrays".into()))?;
    let n = count(&shape).ok_or_else(|| Error::Limit("its sizes are beyond any memory".into()))?;
    let outputs = shape[0];
    let rows = n.checked_div(outputs).unwrap_or(0);
    if array.shape() != [rows, outputs] {
        return Err(Error::Malformed(format!(
            "weights of shape {:?} where {rows}×{outputs} are needed",
            array.shape()
        )));
    }
    let given = array.to_f32();
    let values = (0..n).map(|i| given[i % rows * outputs + i / rows]).collect();
    Weight::new(shape, values)
}

fn biases(node: &Node, n: usize) -> Result<Weight> {
    let array = node.get("biases").and_then(|n| n.array());
    let values =
        array.map(|a| a.to_f32()).ok_or_else(|| Error::Malformed("its `biases` are no array".into()))?;
    if values.len() != n {
        return Err(Error::Malformed(format!("{} biases for {n} outputs", values.len())));
    }
    Weight::new(vec![n], values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Options, convert, mutate};
    use crate::net::Net;
    use crate::tensor::Tensor;
    use std::sync::Arc;

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/cuda_convnet/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// Written by `tests/tools/cuda_convnet_files.py`, whose reference computes in NumPy's float64.
    #[test]
    fn every_kind_of_layer_and_the_numbers_of_a_reference() {
        let (model, report) = convert(&file("net.pkl"), &Options::default()).unwrap();
        assert_eq!(report.format, "cuda-convnet");
        assert_eq!(model.spec.input.shape, Shape::new(2, 9, 9));
        let bytes = file("net.safetensors");
        let expected = crate::format::safetensors::File::parse(&bytes).unwrap();
        let values = |name: &str| expected.tensors[name].number.to_f32(expected.tensors[name].bytes, false);
        let net = Arc::new(Net::new(model).unwrap());
        let trace = net.forward(Tensor::new(Shape::new(2, 9, 9), values("x")).unwrap()).unwrap();
        for layer in ["conv1", "relu1", "pool1", "norm1", "fc", "probs"] {
            let (got, want) = (trace.activation(net.find(layer).unwrap()), values(layer));
            assert_eq!(got.data().len(), want.len(), "{layer}");
            let scale = want.iter().fold(0f32, |m, v| m.max(v.abs()));
            let off = got.data().iter().zip(&want).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(off < 1e-4 * scale, "{layer} is off by {off:.1e} of {scale:.1e}");
        }
    }

    #[test]
    fn no_mutation_panics() {
        mutate::some(&file("net.pkl"), 1000, |bytes| convert(bytes, &Options::default()).map(drop));
    }
}
