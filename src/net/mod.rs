//! The graph: a network built from a spec and its weights, its forward pass, and what that remembers.

mod build;
mod forward;
mod geometry;
mod info;
mod partial;
mod plan;
mod regional;
mod trace;

pub use forward::Forward;
pub use info::{Info, LayerInfo};
pub use trace::{MapInfo, Prediction, Trace};

pub(crate) use build::wiring;

use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::spec::{Kind, Model, Spec};
use crate::tensor::Shape;
use plan::Place;

/// One vertex of the graph. Node 0 is `data`, the input; node `i` is the spec's layer `i − 1`.
pub(crate) struct Node {
    pub(crate) name: String,
    /// `None` for the input.
    pub(crate) kind: Option<Kind>,
    pub(crate) layer: Box<dyn Layer>,
    pub(crate) inputs: Vec<usize>,
    /// Nodes that read this one.
    pub(crate) readers: Vec<usize>,
    pub(crate) place: Place,
    /// Set on a node whose value is only its ReLU's: it is computed rectified, straight into the ReLU's place.
    pub(crate) fused_relu: Option<usize>,
}

/// A network ready to run. Immutable: share it with `Arc` between traces and threads.
pub struct Net {
    spec: Spec,
    pub(crate) nodes: Vec<Node>,
    /// Shapes at the spec's own input size.
    shapes: Vec<Shape>,
    fingerprint: u64,
    /// Weights that are NaN or infinite.
    broken: usize,
}

impl Net {
    /// Builds a network: checks every shape against its weights, folds batch normalisation into the
    /// layer before it, and packs the filters. Errors name the layer.
    pub fn new(model: Model) -> Result<Net> {
        build::build(model, true, true)
    }

    /// Whether a network could be built, in little more memory than its weights take. Errors as [`Net::new`].
    pub fn check(model: Model) -> Result<()> {
        build::build(model, false, true).map(drop)
    }

    /// The same with every layer as it is written, nothing folded: to be trained.
    pub(crate) fn unfolded(model: Model) -> Result<Net> {
        build::build(model, true, false)
    }

    /// The graph and its provenance.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Number of nodes: layers plus the input.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: a network has at least its input and one layer.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// A node's name.
    pub fn name(&self, node: usize) -> &str {
        &self.nodes[node].name
    }

    /// Number of feature maps (channels) of a node, which no input size changes.
    pub fn maps(&self, node: usize) -> usize {
        self.shapes[node].c
    }

    /// Tells networks apart whose weights, wiring or normalisation differ; texts do not count.
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", self.fingerprint)
    }

    /// How many weights are NaN or infinite: what depends on them means nothing. A ReLU takes NaN as 0.
    pub fn broken(&self) -> usize {
        self.broken
    }

    /// A node's kind; `None` for the input.
    pub fn kind(&self, node: usize) -> Option<&Kind> {
        self.nodes[node].kind.as_ref()
    }

    /// The nodes a node reads.
    pub fn inputs(&self, node: usize) -> &[usize] {
        &self.nodes[node].inputs
    }

    /// The node whose output is the network's: the last layer.
    pub fn output(&self) -> usize {
        self.nodes.len() - 1
    }

    /// The softmax at the end, if the network is a classifier.
    pub fn classifier(&self) -> Option<usize> {
        let last = self.output();
        matches!(self.kind(last), Some(Kind::Softmax)).then_some(last)
    }

    /// The node of that name; the error lists names that are near.
    pub fn find(&self, layer: &str) -> Result<usize> {
        self.nodes.iter().position(|n| n.name == layer).ok_or_else(|| {
            // An empty name is contained in every other.
            let near = |a: &str, b: &str| {
                let start = a.get(..3).is_some_and(|start| b.starts_with(start));
                !b.is_empty() && (a.contains(b) || b.contains(a) || start)
            };
            let near: Vec<&str> =
                self.nodes.iter().map(|n| n.name.as_str()).filter(|n| near(n, layer)).take(6).collect();
            let hint = if near.is_empty() {
                let all: Vec<&str> = self.nodes.iter().skip(1).map(|n| n.name.as_str()).take(12).collect();
                let more = if self.nodes.len() > 13 { ", …" } else { "" };
                format!("it has {}{more}", all.join(", "))
            } else {
                format!("near names are {}", near.join(", "))
            };
            Error::Parameter(format!("no layer is called “{layer}” in {}; {hint}", self.spec.name))
        })
    }

    /// A convolution's filters, filters × inputs × rows × columns, as the network uses them (batch
    /// normalisation folded in). Unsupported for layers that have none.
    pub fn filters(&self, node: usize) -> Result<([usize; 4], Vec<f32>)> {
        self.nodes[node].layer.filters().ok_or_else(|| {
            Error::Unsupported(format!("{} has no filters to show; ask for a convolution's", self.name(node)))
        })
    }

    /// A convolution's bias as the network uses it; empty where it has none.
    pub fn bias(&self, node: usize) -> Vec<f32> {
        self.nodes[node].layer.bias().to_vec()
    }

    /// Shapes of all nodes for an input of the given shape, or which layer cannot take it and why.
    pub fn shapes(&self, input: Shape) -> Result<Vec<Shape>> {
        if input == self.shapes[0] {
            return Ok(self.shapes.clone());
        }
        let own = self.shapes[0];
        if input.c != own.c {
            return Err(Error::Shape(format!(
                "{} takes {} input channels, got {}",
                self.spec.name, own.c, input.c
            )));
        }
        let mut shapes = vec![input];
        for node in &self.nodes[1..] {
            let inputs: Vec<Shape> = node.inputs.iter().map(|&i| shapes[i]).collect();
            shapes.push(node.layer.shape(&inputs).map_err(|e| e.at(&node.name))?);
        }
        Ok(shapes)
    }
}
