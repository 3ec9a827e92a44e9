//! What is in a network, for people and scripts: the fields of `unpool info --json` and of `net.info`.

use super::Net;
use crate::spec::Input;
use crate::tensor::{Rect, Shape};
use serde::Serialize;

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerInfo {
    /// Its name.
    pub name: String,
    /// `conv`, `relu`, …
    pub kind: &'static str,
    /// What it reads.
    pub inputs: Vec<String>,
    /// Channels, rows, columns at the network's own input size.
    pub shape: Shape,
    /// Rows and columns of the input that one unit sees.
    pub receptive_field: [usize; 2],
    /// Input pixels between neighbouring units; 0 where every unit sees everything.
    pub stride: [usize; 2],
    /// Trainable numbers.
    pub parameters: usize,
}

/// A whole network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// Short name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Of the weights.
    pub licence: String,
    /// Of the weights.
    pub origin: String,
    /// What else one must know.
    pub notes: String,
    /// Shape and normalisation.
    pub input: Input,
    /// Class names; empty without a classifier.
    pub classes: Vec<String>,
    /// In order.
    pub layers: Vec<LayerInfo>,
    /// Bytes of weights in memory.
    pub bytes: usize,
    /// Weights that are NaN or infinite.
    pub broken: usize,
}

impl Net {
    /// Describes the network.
    pub fn info(&self) -> Info {
        let spec = self.spec.clone();
        let title = if spec.title.is_empty() { spec.name.clone() } else { spec.title };
        Info {
            name: spec.name,
            title,
            licence: spec.licence,
            origin: spec.origin,
            notes: spec.notes,
            input: spec.input,
            classes: spec.classes,
            layers: (1..self.nodes.len()).map(|i| self.layer_info(i)).collect(),
            bytes: self.nodes.iter().map(|n| n.layer.bytes()).sum(),
            broken: self.broken,
        }
    }

    fn layer_info(&self, i: usize) -> LayerInfo {
        let node = &self.nodes[i];
        let first = self.field(i, Rect::unit(0, 0), &self.shapes);
        let second = self.field(i, Rect::unit(1, 1), &self.shapes);
        LayerInfo {
            name: node.name.clone(),
            kind: node.kind.as_ref().map_or("data", |k| k.name()),
            inputs: node.inputs.iter().map(|&k| self.nodes[k].name.clone()).collect(),
            shape: self.shapes[i],
            receptive_field: [first.h(), first.w()],
            stride: [(second.y0 - first.y0).max(0) as usize, (second.x0 - first.x0).max(0) as usize],
            parameters: node.layer.parameters(),
        }
    }
}
