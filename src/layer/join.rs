//! Where paths meet. Concat joins channels; its pull gives every input its own channels back.
//! Sum adds equal shapes; its pull copies the signal to every input. Product multiplies equal shapes; its pull
//! multiplies the signal by the other inputs (ours: a product is a gate that the forward pass has set).

use super::{Descent, Layer, Push, Recorded};
use crate::error::{Error, Result};
use crate::kernel::elementwise;
use crate::tensor::{Shape, View, ViewMut};

/// Channels after channels.
pub struct Concat;

impl Layer for Concat {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let first = *inputs.first().ok_or_else(|| Error::Shape("concat of nothing".into()))?;
        if let Some(other) = inputs.iter().find(|s| (s.h, s.w) != (first.h, first.w)) {
            return Err(Error::Shape(format!("concat of {first} and {other}: rows and columns must agree")));
        }
        let c = inputs.iter().try_fold(0usize, |n, s| n.checked_add(s.c));
        c.map(|c| Shape { c, ..first }).ok_or_else(|| Error::Limit("too many channels".into()))
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            let mut from = 0;
            for input in p.inputs {
                p.output.borrow().slice(from, input.channels).copy_from(*input);
                from += input.channels;
            }
        }
    }

    fn pull(&self, at: &Recorded, _: &Descent, signal: View, which: usize, mut out: ViewMut) {
        let from = at.shapes[..which].iter().map(|s| s.c).sum();
        out.fill(0.0);
        out.copy_from(signal.slice(from, at.shapes[which].c));
    }
}

/// The common shape of inputs that must be equal.
fn equal(what: &str, inputs: &[Shape]) -> Result<Shape> {
    let first = *inputs.first().ok_or_else(|| Error::Shape(format!("{what} of nothing")))?;
    match inputs.iter().find(|s| **s != first) {
        Some(other) => Err(Error::Shape(format!("{what} of {first} and {other}: shapes must agree"))),
        None => Ok(first),
    }
}

/// Element-wise product.
pub struct Product;

impl Layer for Product {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        equal("product", inputs)
    }

    fn forward(&self, items: &mut [Push], _: bool) {
        for p in items {
            p.output.copy_from(p.inputs[0]);
            for input in &p.inputs[1..] {
                elementwise::multiply(p.output.borrow(), *input);
            }
        }
    }

    fn pull(&self, at: &Recorded, _: &Descent, signal: View, which: usize, mut out: ViewMut) {
        out.fill(0.0);
        out.copy_from(signal);
        for (i, input) in at.inputs.iter().enumerate() {
            if let (true, Some(input)) = (i != which, input) {
                elementwise::multiply(out.borrow(), *input);
            }
        }
    }
}

/// Element-wise sum.
pub struct Sum;

impl Layer for Sum {
    fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        equal("sum", inputs)
    }

    fn forward(&self, items: &mut [Push], rectify: bool) {
        for p in items {
            p.output.copy_from(p.inputs[0]);
            for input in &p.inputs[1..] {
                elementwise::add(p.output.borrow(), *input);
            }
            if rectify {
                elementwise::gate(p.output.borrow(), None, true);
            }
        }
    }

    fn pull(&self, _: &Recorded, _: &Descent, signal: View, _: usize, mut out: ViewMut) {
        out.fill(0.0);
        out.copy_from(signal);
    }

    fn fuses_relu(&self) -> bool {
        true
    }
}
