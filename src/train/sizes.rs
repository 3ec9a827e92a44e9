//! The sizes of a network that has no weights yet.

use crate::error::Result;
use crate::net;
use crate::spec::{Spec, shape};
use crate::tensor::Shape;

/// The shapes of the input and of every layer, from the spec alone: what is said of a network while it is being written.
/// Errors: Shape and Limit, with the layer's name.
pub fn shapes(spec: &Spec) -> Result<Vec<Shape>> {
    walk(spec).map(|(shapes, _)| shapes)
}

/// The same, and the shapes that each layer reads.
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
