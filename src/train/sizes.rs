//! The sizes of a network that has no weights yet.

use crate::error::Result;
use crate::layer::gradient;
use crate::net;
use crate::spec::{Spec, shape};
use crate::tensor::Shape;
use serde::Serialize;

/// What is known of a layer before it has weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerSize {
    /// Its name.
    pub name: String,
    /// `conv`, `relu`, …
    pub kind: &'static str,
    /// Of its output.
    pub shape: Shape,
    /// Numbers that are trained.
    pub parameters: usize,
}

/// Every layer of a network. Errors: Shape and Limit, with the layer's name; Unsupported for layers that are not trained.
pub fn layers(spec: &Spec) -> Result<Vec<LayerSize>> {
    let (shapes, inputs) = walk(spec)?;
    let layer = |((layer, reads), shape): ((&crate::spec::LayerSpec, &Vec<Shape>), &Shape)| {
        let parts = match reads.first() {
            Some(input) => gradient::parameters(&layer.kind, *input).map_err(|e| e.at(&layer.name))?,
            None => Vec::new(),
        };
        let count = |n: usize, (_, shape, _): &(_, Vec<usize>, _)| {
            n.saturating_add(shape.iter().fold(1usize, |n, d| n.saturating_mul(*d)))
        };
        let parameters = parts.iter().fold(0, count);
        Ok(LayerSize { name: layer.name.clone(), kind: layer.kind.name(), shape: *shape, parameters })
    };
    spec.layers.iter().zip(&inputs).zip(&shapes[1..]).map(layer).collect()
}

/// The shapes of the input and of every layer, from the spec alone, and those that each layer reads. Errors: Shape and Limit,
/// with the layer's name.
pub(super) fn walk(spec: &Spec) -> Result<(Vec<Shape>, Vec<Vec<Shape>>)> {
    let mut shapes = vec![spec.input.shape];
    let mut all = Vec::new();
    for (layer, reads) in spec.layers.iter().zip(net::wiring(spec)?) {
        let inputs: Vec<Shape> = reads.iter().map(|&k| shapes[k]).collect();
        shapes.push(shape::output(&layer.kind, &inputs).map_err(|e| e.at(&layer.name))?);
        all.push(inputs);
    }
    Ok((shapes, all))
}
