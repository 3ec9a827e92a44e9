//! The shape of a layer's output from its settings alone, for importers, which have no layers yet.

use super::Kind;
use crate::error::{Error, Result};
use crate::tensor::Shape;
use crate::window::Window;

/// What a layer of this kind makes of inputs of these shapes. Errors: Shape, Limit.
pub fn output(kind: &Kind, inputs: &[Shape]) -> Result<Shape> {
    let first = *inputs.first().ok_or_else(|| Error::Shape("it reads no layer".into()))?;
    let windowed = |c, window: &Window, ceil| {
        let [h, w] = window.output(first.h, first.w, ceil)?;
        Ok(Shape::new(c, h, w))
    };
    let shape = match kind {
        Kind::Conv { filters, window, .. } => windowed(*filters, window, false)?,
        Kind::ConvTranspose { filters, window, output_pad, .. } => {
            let [h, w] = transposed(window, *output_pad, first)?;
            Shape::new(*filters, h, w)
        }
        Kind::MaxPool { window, ceil, maps } => windowed(first.c / (*maps).max(1), window, *ceil)?,
        Kind::AvgPool { window, ceil, .. } => windowed(first.c, window, *ceil)?,
        Kind::StochasticPool { window, ceil } => windowed(first.c, window, *ceil)?,
        Kind::Subsample { window } => windowed(first.c, window, false)?,
        Kind::GlobalAvg | Kind::GlobalMax => Shape::new(first.c, 1, 1),
        Kind::Dense { units } => Shape::new(*units, 1, 1),
        Kind::Concat => {
            if let Some(other) = inputs.iter().find(|s| (s.h, s.w) != (first.h, first.w)) {
                return Err(Error::Shape(format!(
                    "concat of {first} and {other}: rows and columns must agree"
                )));
            }
            let c = inputs.iter().try_fold(0usize, |n, s| n.checked_add(s.c));
            Shape { c: c.ok_or_else(|| Error::Limit("too many channels".into()))?, ..first }
        }
        Kind::Sum | Kind::Product => match inputs.iter().find(|s| **s != first) {
            Some(other) => return Err(Error::Shape(format!("{first} and {other}: shapes must agree"))),
            None => first,
        },
        Kind::Pad { pad, .. } => padded(*pad, first)?,
        Kind::Reshape { shape } => {
            if shape.count()? != first.count()? {
                return Err(Error::Shape(format!(
                    "{first} cannot be seen as {shape}: other numbers of values"
                )));
            }
            *shape
        }
        Kind::Transpose { order } => permuted(*order, first)?,
        Kind::Relu
        | Kind::Lrn { .. }
        | Kind::BatchNorm { .. }
        | Kind::Dropout
        | Kind::Softmax
        | Kind::LogSoftmax
        | Kind::Leaky { .. }
        | Kind::Prelu
        | Kind::Clip { .. }
        | Kind::Sigmoid
        | Kind::Tanh
        | Kind::Scale => first,
    };
    shape.count()?;
    Ok(shape)
}

/// Rows and columns of a transposed convolution: (n − 1) · stride + extent + output padding − padding.
pub(crate) fn transposed(window: &Window, output_pad: [usize; 2], input: Shape) -> Result<[usize; 2]> {
    window.check()?;
    let (size, extent) = ([input.h, input.w], window.extent());
    let mut out = [0; 2];
    for a in 0..2 {
        if output_pad[a] >= window.stride[a].max(window.dilation[a]) {
            return Err(Error::Shape(format!(
                "an output padding of {output_pad:?} must be smaller than the stride or the dilation"
            )));
        }
        let full = size[a].checked_sub(1).and_then(|n| n.checked_mul(window.stride[a]));
        let full = full.and_then(|n| n.checked_add(extent[a] + output_pad[a]));
        let crop = window.pad[a] + window.pad[a + 2];
        out[a] = full.and_then(|n| n.checked_sub(crop)).filter(|n| *n > 0).ok_or_else(|| {
            Error::Shape(format!("nothing is left of {input} behind a padding of {:?}", window.pad))
        })?;
    }
    Ok(out)
}

/// A plane with its border.
pub(crate) fn padded(pad: [usize; 4], s: Shape) -> Result<Shape> {
    if pad.iter().any(|p| *p > 1 << 16) {
        return Err(Error::Limit("a padding above 65536".into()));
    }
    Ok(Shape::new(s.c, s.h + pad[0] + pad[2], s.w + pad[1] + pad[3]))
}

/// Axes in another order.
pub(crate) fn permuted(order: [usize; 3], s: Shape) -> Result<Shape> {
    let mut sorted = order;
    sorted.sort_unstable();
    if sorted != [0, 1, 2] {
        return Err(Error::Shape(format!("{order:?} is no order of three axes")));
    }
    let sides = [s.c, s.h, s.w];
    Ok(order.map(|a| sides[a]).into())
}
