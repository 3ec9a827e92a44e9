//! A network as data: what a model file's metadata holds, and the weights beside it.

pub mod builtin;

mod form;
pub mod shape;
pub mod torchvision;

use crate::error::{Error, Result};
use crate::tensor::Shape;
use crate::window::Window;
use half::f16;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Channel order of the pixels that a network was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first, as Caffe's models want it.
    Bgr,
}

/// What goes in: size and normalisation, `(pixel − mean) / std` with pixels in 0–255.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Channels, height, width the network was trained with. Other sides are allowed where the layers allow them.
    pub shape: Shape,
    /// Per channel in the network's own order, 0–255 units.
    #[serde(default)]
    pub mean: Vec<f32>,
    /// Per channel in the network's own order, 0–255 units.
    #[serde(default)]
    pub std: Vec<f32>,
    /// Channel order.
    #[serde(default)]
    pub order: Order,
}

/// One layer of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "form::Form")]
pub struct LayerSpec {
    /// Unique name.
    pub name: String,
    /// Names of the layers it reads; `data` is the network's input. Empty: the layer listed before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// What it computes.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What a layer computes (semantics: the module of the same name under `layer/`).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// Cross-correlation plus bias. Weights `NAME.weight` (filters, inputs / groups, kh, kw), `NAME.bias` (filters; optional).
    Conv {
        /// Output maps.
        filters: usize,
        /// Kernel, stride, padding, dilation.
        #[serde(flatten)]
        window: Window,
        /// Block-diagonal connections.
        groups: usize,
        /// Connection table: for each output map the input maps it reads (LeNet-5's C3); needs `groups` 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        connections: Option<Vec<Vec<usize>>>,
    },
    /// max(x, 0).
    Relu,
    /// Maximum over a window; padding never wins. With `maps` > 1 also over groups of that many neighbouring maps.
    MaxPool {
        /// Kernel, stride, padding (dilation must be 1).
        #[serde(flatten)]
        window: Window,
        /// Round the output size up, as Caffe does.
        ceil: bool,
        /// Maps that compete with each other (3-D pooling); must divide the channels.
        maps: usize,
    },
    /// Mean over a window.
    AvgPool {
        /// Kernel, stride, padding (dilation must be 1).
        #[serde(flatten)]
        window: Window,
        /// Round the output size up, as Caffe does.
        ceil: bool,
        /// Whether padding counts in the divisor (Caffe, ONNX `count_include_pad`).
        include_pad: bool,
    },
    /// Mean over a window weighted by the activations themselves: what training with random choices among them (Zeiler,
    /// Fergus, ICLR 2013) does at test time.
    StochasticPool {
        /// Kernel, stride, padding (dilation must be 1).
        #[serde(flatten)]
        window: Window,
        /// Round the output size up, as Caffe does.
        ceil: bool,
    },
    /// LeNet's trainable subsampling: window sum × `NAME.weight` (channels) + `NAME.bias` (channels).
    Subsample {
        /// Kernel, stride.
        #[serde(flatten)]
        window: Window,
    },
    /// Local response normalisation across channels: x / (k + alpha/size · Σ x²)^beta.
    Lrn {
        /// Channels summed over, centred.
        size: usize,
        /// α (divided by `size`, Caffe's convention).
        alpha: f32,
        /// β.
        beta: f32,
        /// κ.
        k: f32,
    },
    /// (x − mean) / √(var + eps) · weight + bias; folded into the convolution or dense layer before it at load.
    /// Weights `NAME.mean`, `NAME.var`, optional `NAME.weight`, `NAME.bias`.
    BatchNorm {
        /// ε.
        eps: f32,
    },
    /// Joins channels.
    Concat,
    /// Element-wise sum of equal shapes.
    Sum,
    /// Fully connected. Weights `NAME.weight` (units, inputs in C,H,W order), `NAME.bias` (units; optional).
    Dense {
        /// Output units.
        units: usize,
    },
    /// Identity at test time.
    Dropout,
    /// Mean over the whole plane.
    GlobalAvg,
    /// Softmax over channels, at each position.
    Softmax,
    /// Its logarithm.
    LogSoftmax,
    /// x where it is positive, alpha · x elsewhere.
    Leaky {
        /// Slope below zero.
        alpha: f32,
    },
    /// The same with a trained slope: weights `NAME.slope` (channels, or one for all).
    Prelu,
    /// Between two bounds; ReLU6 is 0 to 6.
    Clip {
        /// Lower bound.
        #[serde(skip_serializing_if = "Option::is_none")]
        min: Option<f32>,
        /// Upper bound.
        #[serde(skip_serializing_if = "Option::is_none")]
        max: Option<f32>,
    },
    /// 1 / (1 + e^−x).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// Transposed convolution plus bias. Weights `NAME.weight` (inputs, filters / groups, kh, kw), `NAME.bias` (filters; optional).
    ConvTranspose {
        /// Output maps.
        filters: usize,
        /// Kernel, stride, padding, dilation of the convolution that it transposes.
        #[serde(flatten)]
        window: Window,
        /// Block-diagonal connections.
        groups: usize,
        /// Rows and columns added at the bottom and right, where the stride leaves the size open.
        output_pad: [usize; 2],
    },
    /// A border around every map.
    Pad {
        /// Top, left, bottom, right.
        pad: [usize; 4],
        /// What it holds.
        mode: PadMode,
        /// The constant, for [`PadMode::Constant`].
        value: f32,
    },
    /// Maximum over the whole plane.
    GlobalMax,
    /// x · weight + bias. Weights `NAME.weight` and `NAME.bias`, both optional, each (channels) or (channels, rows, columns).
    Scale,
    /// Element-wise product of equal shapes.
    Product,
    /// The same values in C order under another shape.
    Reshape {
        /// Channels, rows, columns.
        shape: Shape,
    },
    /// Axes exchanged: axis `i` of the output is axis `order[i]` of the input.
    Transpose {
        /// A permutation of 0 (channels), 1 (rows), 2 (columns).
        order: [usize; 3],
    },
}

/// What a border holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PadMode {
    /// One value.
    #[default]
    Constant,
    /// The nearest value inside.
    Edge,
    /// The inside mirrored at its outermost row or column, which is not repeated.
    Reflect,
}

impl Kind {
    /// The name used in files, JSON and the page.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Conv { .. } => "conv",
            Kind::Relu => "relu",
            Kind::MaxPool { .. } => "max_pool",
            Kind::AvgPool { .. } => "avg_pool",
            Kind::StochasticPool { .. } => "stochastic_pool",
            Kind::Subsample { .. } => "subsample",
            Kind::Lrn { .. } => "lrn",
            Kind::BatchNorm { .. } => "batch_norm",
            Kind::Concat => "concat",
            Kind::Sum => "sum",
            Kind::Dense { .. } => "dense",
            Kind::Dropout => "dropout",
            Kind::GlobalAvg => "global_avg",
            Kind::Softmax => "softmax",
            Kind::LogSoftmax => "log_softmax",
            Kind::Leaky { .. } => "leaky",
            Kind::Prelu => "prelu",
            Kind::Clip { .. } => "clip",
            Kind::Sigmoid => "sigmoid",
            Kind::Tanh => "tanh",
            Kind::ConvTranspose { .. } => "conv_transpose",
            Kind::Pad { .. } => "pad",
            Kind::GlobalMax => "global_max",
            Kind::Scale => "scale",
            Kind::Product => "product",
            Kind::Reshape { .. } => "reshape",
            Kind::Transpose { .. } => "transpose",
        }
    }
}

/// A network without its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Short name: `squeezenet`.
    pub name: String,
    /// Name for people: `SqueezeNet 1.1`.
    #[serde(default)]
    pub title: String,
    /// SPDX identifier or sentence.
    #[serde(default)]
    pub licence: String,
    /// Where the weights come from.
    #[serde(default)]
    pub origin: String,
    /// What else a user must know (which variant, accuracy of stored weights).
    #[serde(default)]
    pub notes: String,
    /// What goes in.
    pub input: Input,
    /// Class names; empty without a classifier.
    #[serde(default)]
    pub classes: Vec<String>,
    /// In topological order.
    pub layers: Vec<LayerSpec>,
}

impl Spec {
    /// A spec with a name and an input shape, RGB without normalisation, and no layers yet.
    pub fn new(name: &str, input: Shape) -> Spec {
        Spec {
            name: name.into(),
            title: name.into(),
            licence: String::new(),
            origin: String::new(),
            notes: String::new(),
            input: Input { shape: input, mean: Vec::new(), std: Vec::new(), order: Order::Rgb },
            classes: Vec::new(),
            layers: Vec::new(),
        }
    }
}

/// Numbers of one tensor as stored: float32, or float16 kept as it is until a layer packs it.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// 4 bytes a value.
    F32(Vec<f32>),
    /// 2 bytes a value.
    F16(Vec<f16>),
}

/// One named tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// In C order.
    pub values: Values,
}

impl Weight {
    /// From float32 values; refuses a shape that does not hold them.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Result<Weight> {
        let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if n != Some(values.len()) {
            return Err(Error::Shape(format!(
                "{} values given for a tensor of shape {shape:?}",
                values.len()
            )));
        }
        Ok(Weight { shape, values: Values::F32(values) })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::F32(v) => v.len(),
            Values::F16(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them are NaN or infinite. Such weights are loaded, and whoever loads them says so.
    pub fn broken(&self) -> usize {
        match &self.values {
            Values::F32(v) => v.iter().filter(|x| !x.is_finite()).count(),
            Values::F16(v) => v.iter().filter(|x| !x.is_finite()).count(),
        }
    }

    /// A float32 copy.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.values {
            Values::F32(v) => v.clone(),
            Values::F16(v) => v.iter().map(|x| x.to_f32()).collect(),
        }
    }

    /// As float32 without a copy where it already is.
    pub fn into_f32(self) -> Vec<f32> {
        match self.values {
            Values::F32(v) => v,
            Values::F16(v) => v.iter().map(|x| x.to_f32()).collect(),
        }
    }

    /// Rounded to float16 (ties to even).
    pub fn to_f16(&self) -> Weight {
        let values = match &self.values {
            Values::F32(v) => v.iter().map(|&x| f16::from_f32(x)).collect(),
            Values::F16(v) => v.clone(),
        };
        Weight { shape: self.shape.clone(), values: Values::F16(values) }
    }
}

/// All numbers of a network by name: `conv1.weight`, `conv1.bias`, …
pub type Weights = BTreeMap<String, Weight>;

/// What every importer yields and every network is built from.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The graph.
    pub spec: Spec,
    /// Its numbers.
    pub weights: Weights,
}
