//! Caffe: the graph from a `.prototxt` as it is at test time, the numbers from a `.caffemodel`.
//!
//! Caffe wires layers by blobs, and a layer may overwrite its blob (`ReLU` on `conv1`). Here every
//! layer has a value of its own: `conv1` is before, `relu_conv1` after the ReLU.

mod blobs;
mod input;
mod kind;
#[cfg(test)]
mod tests;
mod text;
mod v0;

use crate::error::{Error, Result};
use crate::format::report::Report;
use crate::format::report::line;
use crate::spec::{Input, Kind, LayerSpec, Model, Order, Spec, Weights};
use blobs::Blobs;
pub use blobs::mean;
use kind::Step;
use std::collections::{BTreeMap, BTreeSet};
use text::Message;

/// A length-delimited field, for the tests of all protobuf formats.
#[cfg(test)]
pub(in crate::format) use blobs::tests::bytes as field;

/// Today's name of a layer type for the one in the format of 2014 (`layers { type: INNER_PRODUCT }`).
const V1_TYPES: [(&str, &str); 20] = [
    ("SIGMOID", "Sigmoid"),
    ("TANH", "TanH"),
    ("DECONVOLUTION", "Deconvolution"),
    ("CONVOLUTION", "Convolution"),
    ("INNER_PRODUCT", "InnerProduct"),
    ("RELU", "ReLU"),
    ("POOLING", "Pooling"),
    ("LRN", "LRN"),
    ("CONCAT", "Concat"),
    ("ELTWISE", "Eltwise"),
    ("DROPOUT", "Dropout"),
    ("SOFTMAX", "Softmax"),
    ("SOFTMAX_LOSS", "SoftmaxWithLoss"),
    ("SPLIT", "Split"),
    ("FLATTEN", "Flatten"),
    ("ACCURACY", "Accuracy"),
    ("SILENCE", "Silence"),
    ("DATA", "Data"),
    ("IMAGE_DATA", "ImageData"),
    ("HDF5_DATA", "HDF5Data"),
];

/// A layer of the prototxt that takes part at test time.
struct Entry<'a> {
    name: String,
    kind: &'a str,
    message: &'a Message,
}

/// Reads a network. Errors: Malformed; Unsupported with the layer's name and type; Shape.
pub fn import(caffemodel: &[u8], prototxt: &str, report: &mut Report) -> Result<Model> {
    report.format = "Caffe (prototxt and caffemodel)".into();
    let parsed = Message::parse(prototxt)?;
    let net = upgraded(parsed)?;
    let mut blobs = blobs::read(caffemodel)?;
    if blobs.is_empty() {
        return Err(Error::Malformed(
            "the caffemodel holds no weights; is it a caffemodel, and is it whole?".into(),
        ));
    }
    let entries = entries(&net, report)?;
    let input = input::find(&net, &entries, &blobs, report)?;
    let mut graph = Graph {
        layers: Vec::new(),
        names: BTreeSet::new(),
        weights: Weights::new(),
        made_by: input.blobs.into_iter().map(|b| (b, "data".into())).collect(),
        flat: BTreeSet::new(),
    };
    for (i, entry) in entries.iter().enumerate() {
        if !input::is_input(entry.kind) {
            let later = &entries[i + 1..];
            graph
                .add(entry, &mut blobs, later, report)
                .map_err(|e| e.at(&format!("layer `{}` ({})", entry.name, entry.kind)))?;
        }
    }
    if graph.layers.is_empty() {
        return Err(Error::Malformed(
            "the prototxt lists no layers; give the network's deploy.prototxt".into(),
        ));
    }
    report.skipped.extend(
        blobs.keys().map(|k| {
            line!("weights.unused", "weights of `{layer}`: the prototxt has no such layer", layer = k)
        }),
    );
    let spec = Spec {
        name: net.text("name").unwrap_or_default().into(),
        title: String::new(),
        licence: String::new(),
        origin: String::new(),
        notes: String::new(),
        // Caffe reads pictures by OpenCV, which puts blue first.
        input: Input { shape: input.shape, mean: input.mean, std: input.std, order: Order::Bgr },
        classes: Vec::new(),
        layers: graph.layers,
    };
    Ok(Model { spec, weights: graph.weights })
}

/// The text with every layer of 2013 in today's form.
fn upgraded(net: Message) -> Result<Message> {
    if net.messages("layers").iter().all(|l| l.messages("layer").is_empty()) {
        return Ok(net);
    }
    let mut out = net.without(&["layers"]);
    for layer in net.messages("layers") {
        out.put_message("layers", v0::upgrade(layer)?);
    }
    Ok(out)
}

fn entries<'a>(net: &'a Message, report: &mut Report) -> Result<Vec<Entry<'a>>> {
    let mut out = Vec::new();
    for message in net.messages("layer").into_iter().chain(net.messages("layers")) {
        let name = message.text("name").unwrap_or_default().to_string();
        let kind = message.text("type").ok_or_else(|| {
            Error::Malformed(format!("prototxt, line {}: layer `{name}` has no type", message.line))
        })?;
        let kind = V1_TYPES.iter().find(|t| t.0 == kind).map_or(kind, |t| t.1);
        if at_test_time(message)? {
            out.push(Entry { name, kind, message });
        } else {
            report.skipped.push(line!(
                "layer.training",
                "layer `{name}` ({kind}): only for training",
                name = name,
                kind = kind
            ));
        }
    }
    Ok(out)
}

/// Caffe's NetState rules for phase TEST, level 0, no stages.
fn at_test_time(layer: &Message) -> Result<bool> {
    let meets = |rule: &&Message| -> Result<bool> {
        let phase = matches!(rule.text("phase"), None | Some("TEST" | "1"));
        let low = rule.number("min_level")?.is_none_or(|l: i64| l <= 0);
        let high = rule.number("max_level")?.is_none_or(|l: i64| l >= 0);
        Ok(phase && low && high && rule.texts("stage").is_empty())
    };
    let any = |rules: Vec<&Message>| -> Result<Option<bool>> {
        let met: Result<Vec<bool>> = rules.iter().map(meets).collect();
        Ok(met?.into_iter().reduce(|a, b| a || b))
    };
    let include = any(layer.messages("include"))?;
    let exclude = any(layer.messages("exclude"))?;
    Ok(include.unwrap_or(true) && !exclude.unwrap_or(false))
}

struct Graph {
    layers: Vec<LayerSpec>,
    names: BTreeSet<String>,
    weights: Weights,
    /// Which layer made the present content of a blob.
    made_by: BTreeMap<String, String>,
    /// Blobs that a Flatten made: only a dense layer reads them as Caffe would.
    flat: BTreeSet<String>,
}

impl Graph {
    fn add(&mut self, entry: &Entry, blobs: &mut Blobs, later: &[Entry], report: &mut Report) -> Result<()> {
        let mut bottoms = entry.message.texts("bottom");
        let tops = entry.message.texts("top");
        if entry.kind == "SoftmaxWithLoss" {
            bottoms.truncate(1); // The other is the label.
        }
        let own = blobs.remove(&entry.name).unwrap_or_default();
        let step = kind::kind(entry.kind, entry.message, own)?;
        if let Step::Skip = step {
            report.skipped.push(line!(
                "layer",
                "layer `{name}` ({kind})",
                name = entry.name,
                kind = entry.kind
            ));
            return Ok(());
        }
        let inputs: Result<Vec<String>> = bottoms.iter().map(|b| self.read(b, entry)).collect();
        let inputs = inputs?;
        let many = matches!(step, Step::Layer(Kind::Concat | Kind::Sum | Kind::Product, _));
        if inputs.is_empty() || (inputs.len() > 1 && !many) {
            return Err(Error::Malformed(format!("it reads {} blobs", inputs.len())));
        }
        let (kind, weights) = match step {
            Step::Layer(kind, weights) => (kind, weights),
            Step::Same | Step::Skip => {
                if entry.kind == "Flatten" {
                    self.flat.extend(tops.iter().map(|t| t.to_string()));
                }
                report.skipped.push(line!(
                    "layer.idle",
                    "layer `{name}` ({kind}): changes no value",
                    name = entry.name,
                    kind = entry.kind
                ));
                return self.makes(&tops, &inputs[0]);
            }
        };
        let in_place = tops.first() == bottoms.first();
        let read_later = || later.iter().any(|l| l.message.texts("bottom").contains(&bottoms[0]));
        if entry.kind == "Scale" && self.folds(&inputs[0]) && (in_place || !read_later()) {
            for (suffix, weight) in weights.into_iter().filter(|w| matches!(w.0, "weight" | "bias")) {
                self.weights.insert(format!("{}.{suffix}", inputs[0]), weight);
            }
            report.folded.push(line!(
                "layer.folded",
                "layer `{name}` (Scale) into `{into}` (BatchNorm)",
                name = entry.name,
                into = inputs[0]
            ));
            return self.makes(&tops, &inputs[0]);
        }
        if entry.name.is_empty() || entry.name == "data" || !self.names.insert(entry.name.clone()) {
            return Err(Error::Malformed(
                "its name is empty, taken, or `data`, which is the input's; rename it in the prototxt (and the \
                 caffemodel)"
                    .into(),
            ));
        }
        self.weights.extend(weights.into_iter().map(|(suffix, w)| (format!("{}.{suffix}", entry.name), w)));
        let before = self.layers.last().map_or("data", |l| &l.name);
        let inputs = if inputs == [before] { Vec::new() } else { inputs };
        self.layers.push(LayerSpec { name: entry.name.clone(), inputs, kind });
        self.makes(&tops, &entry.name)
    }

    fn read(&self, blob: &str, entry: &Entry) -> Result<String> {
        if self.flat.contains(blob) && entry.kind != "InnerProduct" {
            return Err(Error::Unsupported(
                "reading a flattened layer is only supported for InnerProduct".into(),
            ));
        }
        self.made_by
            .get(blob)
            .cloned()
            .ok_or_else(|| Error::Malformed(format!("it reads `{blob}`, which no layer before it makes")))
    }

    /// Whether the layer is a batch normalisation without scale that nothing has read yet.
    fn folds(&self, layer: &str) -> bool {
        let bare = |l: &LayerSpec| l.name == layer && matches!(l.kind, Kind::BatchNorm { .. });
        // Only the last layer can be read by nobody in an unwritten list of inputs.
        self.layers.last().is_some_and(bare) && !self.weights.contains_key(&format!("{layer}.weight"))
    }

    fn makes(&mut self, tops: &[&str], layer: &str) -> Result<()> {
        if tops.is_empty() {
            return Err(Error::Malformed("it has no output".into()));
        }
        for top in tops {
            self.made_by.insert(top.to_string(), layer.to_string());
        }
        Ok(())
    }
}
