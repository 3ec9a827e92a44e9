//! One Caffe layer → one of ours: its settings and its blobs.
//! Source of the defaults: caffe.proto; of the meaning: the layers of BVLC Caffe.

use super::text::Message;
use crate::error::{Error, Result};
use crate::spec::{Kind, Values, Weight};
use crate::window::Window;

/// What becomes of a layer.
#[derive(Debug)]
pub enum Step {
    /// A layer of its own, with weights by suffix.
    Layer(Kind, Vec<(&'static str, Weight)>),
    /// Its outputs are its input.
    Same,
    /// Nothing: it only serves training.
    Skip,
}

/// Settings that change nothing at test time.
const HARMLESS: &[&str] = &["weight_filler", "bias_filler", "filler", "engine", "force_nd_im2col"];

/// Translates by type name (today's spelling). Errors: Unsupported for a type or a setting that
/// this engine does not have; Malformed where blobs are missing.
pub fn kind(kind: &str, layer: &Message, blobs: Vec<Weight>) -> Result<Step> {
    let plain = |kind| Ok(Step::Layer(kind, Vec::new()));
    match kind {
        "Convolution" => convolution(&layer.message("convolution_param"), blobs),
        "InnerProduct" => inner_product(&layer.message("inner_product_param"), blobs),
        "BatchNorm" => batch_norm(&layer.message("batch_norm_param"), blobs),
        "Scale" => scale(&layer.message("scale_param"), layer.texts("bottom").len(), blobs),
        "Pooling" => pooling(&layer.message("pooling_param")),
        "LRN" => lrn(&layer.message("lrn_param")),
        "ReLU" => {
            let p = layer.message("relu_param");
            let alpha = p.number("negative_slope")?.unwrap_or(0.0f32);
            finish(&p)?;
            plain(if alpha == 0.0 { Kind::Relu } else { Kind::Leaky { alpha } })
        }
        "Concat" => {
            let p = layer.message("concat_param");
            let axis = p.number("axis")?.or(p.number("concat_dim")?).unwrap_or(1);
            refuse_unless(axis == 1 || axis == -3, "joining along another axis than the channels")?;
            finish(&p)?;
            plain(Kind::Concat)
        }
        "Eltwise" => {
            let p = layer.message("eltwise_param");
            let operation = p.text("operation").unwrap_or("SUM").to_string();
            refuse_unless(
                matches!(operation.as_str(), "SUM" | "1" | "PROD" | "0"),
                "an element-wise maximum",
            )?;
            let ones = p.numbers("coeff")?.iter().all(|&c: &f32| c == 1.0);
            refuse_unless(ones, "a weighted sum")?;
            p.flag("stable_prod_grad")?;
            finish(&p)?;
            plain(if matches!(operation.as_str(), "PROD" | "0") { Kind::Product } else { Kind::Sum })
        }
        "Softmax" | "SoftmaxWithLoss" => {
            let p = layer.message("softmax_param");
            refuse_unless(
                p.number("axis")?.unwrap_or(1) == 1,
                "a softmax along another axis than the channels",
            )?;
            finish(&p)?;
            plain(Kind::Softmax)
        }
        "Sigmoid" => plain(Kind::Sigmoid),
        "TanH" => plain(Kind::Tanh),
        "PReLU" => {
            let p = layer.message("prelu_param");
            p.flag("channel_shared")?;
            finish(&p)?;
            let [slope] = take(blobs)?;
            Ok(Step::Layer(Kind::Prelu, vec![("slope", vector(slope))]))
        }
        "Padding" => {
            let p = layer.message("padding_param");
            let pad = p.number("pad")?.unwrap_or(0);
            finish(&p)?;
            plain(Kind::Pad { pad: [pad; 4], mode: crate::spec::PadMode::Constant, value: 0.0 })
        }
        "Deconvolution" => deconvolution(&layer.message("convolution_param"), blobs),
        "Dropout" => plain(Kind::Dropout),
        "Split" | "Flatten" => Ok(Step::Same),
        "Accuracy" | "Silence" => Ok(Step::Skip),
        _ => refuse_unless(false, "this type of layer").map(|()| Step::Skip),
    }
}

fn refuse_unless(fine: bool, what: &str) -> Result<()> {
    if fine { Ok(()) } else { Err(Error::Unsupported(format!("{what} is not supported"))) }
}

/// A setting that nobody read would otherwise change the result without a word.
fn finish(settings: &Message) -> Result<()> {
    match settings.unread(HARMLESS) {
        Some(key) => Err(Error::Unsupported(format!("the setting `{key}` is not supported"))),
        None => Ok(()),
    }
}

/// Rows, columns from Caffe's two spellings: `stride: 2` (or two numbers), `stride_h: 2 stride_w: 1`.
fn pair(p: &Message, keys: [&'static str; 3], default: Option<usize>) -> Result<[usize; 2]> {
    let [both, h, w] = keys;
    match (p.numbers(both)?.as_slice(), p.number(h)?, p.number(w)?, default) {
        ([], Some(h), Some(w), _) => Ok([h, w]),
        ([], None, None, Some(d)) => Ok([d, d]),
        // Pooling takes each of the two alone with the default for the other.
        ([], h, w, Some(d)) => Ok([h.unwrap_or(d), w.unwrap_or(d)]),
        (&[v], None, None, _) => Ok([v, v]),
        (&[h, w], None, None, _) => Ok([h, w]),
        _ => Err(Error::Malformed(format!("`{both}` must be given once, or once for each axis"))),
    }
}

fn window(p: &Message) -> Result<Window> {
    let pad = pair(p, ["pad", "pad_h", "pad_w"], Some(0))?;
    Ok(Window {
        kernel: pair(p, ["kernel_size", "kernel_h", "kernel_w"], None)?,
        stride: pair(p, ["stride", "stride_h", "stride_w"], Some(1))?,
        pad: [pad[0], pad[1], pad[0], pad[1]],
        dilation: [1, 1],
    })
}

/// The layer's blobs, as many as it must have.
fn take<const N: usize>(blobs: Vec<Weight>) -> Result<[Weight; N]> {
    blobs.try_into().map_err(|blobs: Vec<Weight>| {
        Error::Malformed(format!(
            "the caffemodel has {} blobs for it, {N} are needed; prototxt and caffemodel do not belong together",
            blobs.len()
        ))
    })
}

/// A vector, however many leading ones its blob has.
fn vector(w: Weight) -> Weight {
    Weight { shape: vec![w.len()], values: w.values }
}

fn with_bias(bias: bool, blobs: Vec<Weight>) -> Result<Vec<(&'static str, Weight)>> {
    Ok(if bias {
        let [w, b] = take(blobs)?;
        vec![("weight", w), ("bias", vector(b))]
    } else {
        let [w] = take(blobs)?;
        vec![("weight", w)]
    })
}

fn convolution(p: &Message, blobs: Vec<Weight>) -> Result<Step> {
    let filters = needed(p, "num_output")?;
    let dilation = pair(p, ["dilation", "dilation_h", "dilation_w"], Some(1))?;
    let window = Window { dilation, ..window(p)? };
    let groups = p.number("group")?.unwrap_or(1);
    refuse_unless(p.number("axis")?.unwrap_or(1) == 1, "a convolution along another axis")?;
    let bias = p.flag("bias_term")?.unwrap_or(true);
    finish(p)?;
    Ok(Step::Layer(Kind::Conv { filters, window, groups, connections: None }, with_bias(bias, blobs)?))
}

/// Caffe's name for the transposed convolution; its blobs are (inputs, filters / groups, kh, kw).
fn deconvolution(p: &Message, blobs: Vec<Weight>) -> Result<Step> {
    let Step::Layer(Kind::Conv { filters, window, groups, .. }, weights) = convolution(p, blobs)? else {
        unreachable!("a convolution is one")
    };
    Ok(Step::Layer(Kind::ConvTranspose { filters, window, groups, output_pad: [0, 0] }, weights))
}

fn needed(p: &Message, key: &'static str) -> Result<usize> {
    p.number(key)?.ok_or_else(|| Error::Malformed(format!("`{key}` is missing in the prototxt")))
}

fn inner_product(p: &Message, blobs: Vec<Weight>) -> Result<Step> {
    let units = needed(p, "num_output")?;
    refuse_unless(p.number("axis")?.unwrap_or(1) == 1, "a dense layer along another axis")?;
    let transposed = p.flag("transpose")?.unwrap_or(false);
    let bias = p.flag("bias_term")?.unwrap_or(true);
    finish(p)?;
    let mut weights = with_bias(bias, blobs)?;
    let w = &mut weights[0].1;
    if units == 0 || w.len() % units != 0 {
        return Err(Error::Shape(format!("{} weights do not fit {units} units", w.len())));
    }
    let inputs = w.len() / units;
    if transposed {
        let old = w.to_f32();
        let new = (0..w.len()).map(|i| old[i % inputs.max(1) * units + i / inputs.max(1)]).collect();
        w.values = Values::F32(new);
    }
    w.shape = vec![units, inputs];
    Ok(Step::Layer(Kind::Dense { units }, weights))
}

fn batch_norm(p: &Message, blobs: Vec<Weight>) -> Result<Step> {
    refuse_unless(p.flag("use_global_stats")?.unwrap_or(true), "normalising by the statistics of the batch")?;
    let eps = p.number("eps")?.unwrap_or(1e-5);
    p.number::<f32>("moving_average_fraction")?;
    finish(p)?;
    let [mean, var, factor] = take(blobs)?;
    // Caffe keeps running sums and what to divide them by.
    let factor = factor.to_f32().first().copied().unwrap_or(1.0);
    let scale = if factor == 0.0 { 0.0 } else { 1.0 / factor };
    let scaled = |w: Weight| Weight {
        shape: vec![w.len()],
        values: Values::F32(w.into_f32().into_iter().map(|v| v * scale).collect()),
    };
    Ok(Step::Layer(Kind::BatchNorm { eps }, vec![("mean", scaled(mean)), ("var", scaled(var))]))
}

/// A scale alone is a batch normalisation with mean 0 and variance 1.
fn scale(p: &Message, bottoms: usize, blobs: Vec<Weight>) -> Result<Step> {
    refuse_unless(bottoms == 1, "scaling one layer by another")?;
    let axis = p.number("axis")?.unwrap_or(1);
    let axes = p.number("num_axes")?.unwrap_or(1);
    refuse_unless(axis == 1 && axes == 1, "scaling along another axis than the channels")?;
    let bias = p.flag("bias_term")?.unwrap_or(false);
    finish(p)?;
    let mut weights = with_bias(bias, blobs)?;
    let n = weights[0].1.len();
    weights[0].1.shape = vec![n];
    weights.push(("mean", Weight::new(vec![n], vec![0.0; n])?));
    weights.push(("var", Weight::new(vec![n], vec![1.0; n])?));
    Ok(Step::Layer(Kind::BatchNorm { eps: 0.0 }, weights))
}

fn pooling(p: &Message) -> Result<Step> {
    let method = p.text("pool").unwrap_or("MAX");
    let average = match method {
        "MAX" | "0" => false,
        "AVE" | "1" => true,
        other => return refuse_unless(false, &format!("{other} pooling")).map(|()| Step::Skip),
    };
    if p.flag("global_pooling")?.unwrap_or(false) {
        let _ = (p.numbers::<usize>("pad")?, p.numbers::<usize>("stride")?);
        finish(p)?;
        return Ok(Step::Layer(if average { Kind::GlobalAvg } else { Kind::GlobalMax }, Vec::new()));
    }
    let window = window(p)?;
    let ceil = match p.text("round_mode") {
        None | Some("CEIL" | "0") => true,
        Some("FLOOR" | "1") => false,
        Some(other) => return refuse_unless(false, &format!("rounding by {other}")).map(|()| Step::Skip),
    };
    finish(p)?;
    // Caffe's mean divides by the window clipped to the padded image.
    let kind = if average {
        Kind::AvgPool { window, ceil, include_pad: true }
    } else {
        Kind::MaxPool { window, ceil, maps: 1 }
    };
    Ok(Step::Layer(kind, Vec::new()))
}

fn lrn(p: &Message) -> Result<Step> {
    let across = matches!(p.text("norm_region"), None | Some("ACROSS_CHANNELS" | "0"));
    refuse_unless(across, "normalisation within a channel")?;
    let kind = Kind::Lrn {
        size: p.number("local_size")?.unwrap_or(5),
        alpha: p.number("alpha")?.unwrap_or(1.0),
        beta: p.number("beta")?.unwrap_or(0.75),
        k: p.number("k")?.unwrap_or(1.0),
    };
    finish(p)?;
    Ok(Step::Layer(kind, Vec::new()))
}
