//! Push and pull: every layer pushes activations up and pulls a signal down.
//!
//! `forward` computes a rectangle of the output. `pull` is its transpose at what the forward pass
//! recorded (switches, masks, norms). Deconvnet, gradient and guided backpropagation are one
//! downward walk: they differ at the ReLU only, and there in one [`Rule`].

pub(crate) mod affine;
mod arrange;
mod average;
mod conv;
mod dense;
pub mod gradient;
mod join;
mod lrn;
mod max_pool;
mod pass;
mod pointwise;
pub(crate) mod relu;
mod softmax;
pub(crate) mod stochastic;
mod transpose;

use crate::error::{Error, Result};
use crate::spec::{Kind, LayerSpec, Weight, Weights};
use crate::tensor::{Rect, Shape, View, ViewMut};
use serde::{Deserialize, Serialize};

/// What a ReLU does to the signal on its way down (ZF14 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Keeps what is positive in the signal, whatever the forward mask was.
    #[default]
    Deconvnet,
    /// Keeps what was active on the way up: the true derivative.
    Gradient,
    /// Both gates: guided backpropagation.
    Guided,
}

/// Where an unpooled value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpool {
    /// To the pixel that won on the way up.
    #[default]
    Switches,
    /// To the window's centre: the "no switches" ablation.
    Centre,
}

/// How the signal passes local response normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LrnRule {
    /// Unchanged (ZF14 lists no inverse).
    Identity,
    /// Divided by the coefficients of the forward pass.
    Divide,
    /// Through the true derivative.
    Derivative,
}

/// How a signal goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Descent {
    /// At every ReLU.
    pub rule: Rule,
    /// At every max pooling.
    pub unpool: Unpool,
    /// At every LRN; `None`: identity for the deconvnet, the derivative for the other rules.
    pub lrn: Option<LrnRule>,
}

impl Descent {
    /// The LRN rule in force.
    pub fn lrn(&self) -> LrnRule {
        self.lrn.unwrap_or(match self.rule {
            Rule::Deconvnet => LrnRule::Identity,
            Rule::Gradient | Rule::Guided => LrnRule::Derivative,
        })
    }
}

/// One image's work in a forward pass: the rectangle of `output` from `inputs`.
pub struct Push<'a> {
    /// Values of the layers read; each must hold what [`Layer::reads`] says, clipped to its plane.
    pub inputs: &'a [View<'a>],
    /// Whole shapes of the layers read.
    pub shapes: &'a [Shape],
    /// What is to be written.
    pub output: ViewMut<'a>,
    /// Max pooling: one switch per value of `output`, densely.
    pub switches: Option<&'a mut [u32]>,
}

/// What the forward pass recorded around a layer.
pub struct Recorded<'a> {
    /// Whole values of the layers read; `None` where they were not kept.
    pub inputs: &'a [Option<View<'a>>],
    /// Whole shapes of the layers read.
    pub shapes: &'a [Shape],
    /// Whole value of the layer itself; `None` where it was not kept.
    pub output: Option<View<'a>>,
    /// Max pooling's switches over `over`.
    pub switches: Option<&'a [u32]>,
    /// The whole output plane.
    pub over: Rect,
}

/// A layer. `pull` is the transpose of `forward` at fixed switches and masks; a property test holds it to that.
pub trait Layer: Send + Sync {
    /// Output shape, or why the inputs do not fit.
    fn shape(&self, inputs: &[Shape]) -> Result<Shape>;

    /// Computes each item's output rectangle; `rectify` applies the following ReLU in the write-back.
    fn forward(&self, items: &mut [Push], rectify: bool);

    /// Pulls `signal` (over its rectangle; zero outside) down into input `which`, over the rectangle of `out`, which is overwritten.
    fn pull(&self, at: &Recorded, descent: &Descent, signal: View, which: usize, out: ViewMut);

    /// The input rectangle, unclipped, that an output rectangle reads.
    fn reads(&self, out: &Rect, _input: Shape) -> Rect {
        *out
    }

    /// The output rectangle, unclipped, that an input rectangle changes.
    fn reaches(&self, input: &Rect, _output: Shape) -> Rect {
        *input
    }

    /// Whether the forward pass must keep switches.
    fn has_switches(&self) -> bool {
        false
    }

    /// Whether `forward` honours `rectify`, so that a following ReLU costs nothing.
    fn fuses_relu(&self) -> bool {
        false
    }

    /// Whether `forward` makes one product of all its items, which must then come together; else every item
    /// is worked on by itself, and their caller may spread them over threads.
    fn packs(&self) -> bool {
        false
    }

    /// Outputs are computed in squares of this side, from the first of a rectangle on: where rectangles begin on this
    /// grid, their common values are equal to the bit.
    fn grid(&self) -> usize {
        1
    }

    /// Whether output equals input, so that nothing need be stored.
    fn is_identity(&self) -> bool {
        false
    }

    /// Whether [`Layer::update`] computes the output from a change of part of the input.
    fn updates(&self) -> bool {
        false
    }

    /// For layers that sum over their whole plane: adds to `out` what follows from `old` becoming `new`
    /// on their common rectangle. `input` is the whole input's shape.
    fn update(&self, _old: View, _new: View, _input: Shape, _out: ViewMut) {
        unreachable!("only called where updates() says so")
    }

    /// Trainable numbers.
    fn parameters(&self) -> usize {
        0
    }

    /// Multiply-adds for one output position of one channel.
    fn work(&self) -> usize {
        1
    }

    /// Bytes of weights held in memory, packed forms included.
    fn bytes(&self) -> usize {
        0
    }

    /// The filters as (out, in / groups, kernel rows, kernel columns) with their values, where the layer has any.
    fn filters(&self) -> Option<([usize; 4], Vec<f32>)> {
        None
    }

    /// A convolution's bias, one value for each filter; empty where there is none.
    fn bias(&self) -> &[f32] {
        &[]
    }

    /// What pulls signals of many images down at once, where the layer is a convolution.
    fn transposed(&self) -> Option<&crate::kernel::conv::Filters> {
        None
    }

    /// The same layer with normally distributed weights of the same standard deviation, for the sanity check.
    fn randomised(&self, _seed: u64) -> Option<Box<dyn Layer>> {
        None
    }
}

/// What happens to the signal when it is pulled through a layer of this kind, in one word.
pub fn operation(kind: &Kind) -> &'static str {
    match kind {
        Kind::Conv { .. } | Kind::Dense { .. } | Kind::ConvTranspose { .. } => "filter",
        Kind::Relu | Kind::Leaky { .. } | Kind::Prelu | Kind::Clip { .. } => "rectify",
        Kind::MaxPool { .. } | Kind::GlobalMax => "unpool",
        Kind::AvgPool { .. } | Kind::Subsample { .. } | Kind::GlobalAvg => "spread",
        Kind::StochasticPool { .. } => "spread",
        Kind::Lrn { .. } => "normalise",
        Kind::BatchNorm { .. } | Kind::Scale | Kind::Product => "scale",
        Kind::Concat => "split",
        Kind::Sum => "copy",
        Kind::Dropout | Kind::Sigmoid | Kind::Tanh => "pass",
        Kind::Pad { .. } | Kind::Reshape { .. } | Kind::Transpose { .. } => "pass",
        Kind::Softmax | Kind::LogSoftmax => "softmax",
    }
}

/// Takes the layer's weights and builds it for inputs of the given shapes.
pub fn build(spec: &LayerSpec, inputs: &[Shape], weights: &mut Weights) -> Result<Box<dyn Layer>> {
    let name = &spec.name;
    let one = |what: &str| -> Result<Shape> {
        match inputs {
            [s] => Ok(*s),
            _ => Err(Error::Shape(format!("{what} reads exactly one layer, {} are given", inputs.len()))),
        }
    };
    let mut take = |part: &str| weights.remove(&format!("{name}.{part}"));
    Ok(match &spec.kind {
        Kind::Conv { filters, window, groups, connections } => {
            let input = one("conv")?;
            let (weight, bias) = (take("weight"), take("bias"));
            Box::new(conv::Conv::new(
                input.c,
                *filters,
                *window,
                *groups,
                connections.as_deref(),
                weight,
                bias,
            )?)
        }
        Kind::Dense { units } => {
            let n = one("dense")?.count()?;
            let (weight, bias) = (take("weight"), take("bias"));
            Box::new(dense::Dense::new(n, *units, weight, bias)?)
        }
        Kind::MaxPool { window, ceil, maps } => {
            one("max_pool")?;
            Box::new(max_pool::MaxPool::new(*window, *ceil, *maps)?)
        }
        Kind::AvgPool { window, ceil, include_pad } => {
            one("avg_pool")?;
            Box::new(average::Average::mean(*window, *ceil, *include_pad)?)
        }
        Kind::StochasticPool { window, ceil } => {
            one("stochastic_pool")?;
            Box::new(stochastic::Stochastic::new(*window, *ceil)?)
        }
        Kind::Subsample { window } => {
            let input = one("subsample")?;
            let (weight, bias) = (take("weight"), take("bias"));
            Box::new(average::Average::subsample(*window, input.c, weight, bias)?)
        }
        Kind::GlobalAvg => {
            one("global_avg")?;
            Box::new(average::Global)
        }
        Kind::Lrn { size, alpha, beta, k } => {
            one("lrn")?;
            Box::new(lrn::Lrn::new(*size, *alpha, *beta, *k)?)
        }
        Kind::BatchNorm { eps } => {
            let input = one("batch_norm")?;
            let parts = [take("mean"), take("var"), take("weight"), take("bias")];
            Box::new(affine::Affine::batch_norm(input.c, *eps, parts)?)
        }
        Kind::Relu => {
            one("relu")?;
            Box::new(relu::Relu)
        }
        Kind::Softmax => {
            one("softmax")?;
            Box::new(softmax::Softmax { log: false })
        }
        Kind::Dropout => {
            one("dropout")?;
            Box::new(pass::Pass)
        }
        Kind::LogSoftmax => {
            one("log_softmax")?;
            Box::new(softmax::Softmax { log: true })
        }
        Kind::Leaky { alpha } => {
            one("leaky")?;
            Box::new(pointwise::Pointwise::leaky(*alpha)?)
        }
        Kind::Prelu => {
            let input = one("prelu")?;
            Box::new(pointwise::Pointwise::prelu(take("slope"), input.c)?)
        }
        Kind::Clip { min, max } => {
            one("clip")?;
            Box::new(pointwise::Pointwise::clip(*min, *max)?)
        }
        Kind::Sigmoid => {
            one("sigmoid")?;
            Box::new(pointwise::Pointwise::Sigmoid)
        }
        Kind::Tanh => {
            one("tanh")?;
            Box::new(pointwise::Pointwise::Tanh)
        }
        Kind::ConvTranspose { filters, window, groups, output_pad } => {
            let input = one("conv_transpose")?;
            let parts = [take("weight"), take("bias")];
            Box::new(transpose::ConvTranspose::new(input, *filters, *window, *groups, *output_pad, parts)?)
        }
        Kind::Pad { pad, mode, value } => {
            one("pad")?;
            Box::new(arrange::Arrange::Pad(*pad, *mode, *value))
        }
        Kind::Reshape { shape } => {
            one("reshape")?;
            Box::new(arrange::Arrange::Reshape(*shape))
        }
        Kind::Transpose { order } => {
            one("transpose")?;
            Box::new(arrange::Arrange::Transpose(*order))
        }
        Kind::GlobalMax => {
            one("global_max")?;
            Box::new(max_pool::MaxPool::global())
        }
        Kind::Scale => {
            let input = one("scale")?;
            Box::new(affine::Affine::scale(input, take("weight"), take("bias"))?)
        }
        Kind::Concat => Box::new(join::Concat),
        Kind::Sum => Box::new(join::Sum),
        Kind::Product => Box::new(join::Product),
    })
}

/// A weight that must be there with exactly this shape (sizes of 1 at the end may be missing or extra).
fn expect(weight: Option<Weight>, part: &str, shape: &[usize]) -> Result<Weight> {
    let w = weight.ok_or_else(|| {
        Error::Shape(format!("the weights hold no tensor .{part}; it should have shape {shape:?}"))
    })?;
    optional(Some(w), part, shape).map(|w| w.expect("given"))
}

/// The same for a weight that may be missing.
fn optional(weight: Option<Weight>, part: &str, shape: &[usize]) -> Result<Option<Weight>> {
    let Some(mut w) = weight else { return Ok(None) };
    let trimmed = |s: &[usize]| {
        let n = s.iter().rposition(|&d| d != 1).map_or(0, |i| i + 1);
        s[..n].to_vec()
    };
    if trimmed(&w.shape) != trimmed(shape) {
        return Err(Error::Shape(format!(
            "the spec asks for .{part} of shape {shape:?}, the weights hold {:?}",
            w.shape
        )));
    }
    w.shape = shape.to_vec();
    Ok(Some(w))
}

/// Normal numbers with the mean 0 and the standard deviation of `values`; zeros (absent connections) stay.
/// The same seed gives the same numbers everywhere.
fn random_like(values: &[f32], seed: u64) -> Vec<f32> {
    // What is no number says nothing about the deviation of the others.
    let finite = || values.iter().filter(|v| v.is_finite());
    let power: f64 = finite().map(|v| f64::from(*v).powi(2)).sum();
    let count = finite().filter(|v| **v != 0.0).count().max(1);
    let deviation = (power / count as f64).sqrt();
    let mut random = crate::random::SplitMix::new(seed);
    // A number is drawn for absent connections too, so that the present ones do not depend on them.
    values.iter().map(|&v| (random.normal() * deviation) as f32 * f32::from(u8::from(v != 0.0))).collect()
}

/// The layer that does nothing.
pub(crate) fn identity() -> Box<dyn Layer> {
    Box::new(pass::Pass)
}

/// Takes a batch normalisation's statistics out of the weights.
pub(crate) fn batch_norm(
    channels: usize,
    eps: f32,
    weights: &mut Weights,
    name: &str,
) -> Result<affine::Affine> {
    let mut take = |part: &str| weights.remove(&format!("{name}.{part}"));
    let parts = [take("mean"), take("var"), take("weight"), take("bias")];
    affine::Affine::batch_norm(channels, eps, parts)
}

/// Takes the constants of a [`Kind::Scale`] that has one number per map.
pub(crate) fn scale(channels: usize, weights: &mut Weights, name: &str) -> Result<affine::Affine> {
    let mut take = |part: &str| weights.remove(&format!("{name}.{part}"));
    affine::Affine::scale(Shape::new(channels, 1, 1), take("weight"), take("bias"))
}
