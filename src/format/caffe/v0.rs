//! Caffe's first format (2013), where a layer's settings stood in one nested message: brought to today's form, as
//! Caffe's own `upgrade_net_proto_text` does.

use super::text::Message;
use crate::error::{Error, Result};

/// A name of 2013 and today's.
type Renamed = (&'static str, &'static str);

/// A type of 2013, today's, today's message of settings, and the settings that were renamed.
const TYPES: [(&str, &str, &str, &[Renamed]); 18] = [
    ("conv", "Convolution", "convolution_param", &[("kernelsize", "kernel_size"), ("biasterm", "bias_term")]),
    ("innerproduct", "InnerProduct", "inner_product_param", &[("biasterm", "bias_term")]),
    ("pool", "Pooling", "pooling_param", &[("kernelsize", "kernel_size")]),
    ("padding", "Padding", "padding_param", &[]),
    ("lrn", "LRN", "lrn_param", &[]),
    ("concat", "Concat", "concat_param", &[]),
    ("dropout", "Dropout", "dropout_param", &[]),
    ("relu", "ReLU", "relu_param", &[]),
    ("sigmoid", "Sigmoid", "sigmoid_param", &[]),
    ("tanh", "TanH", "tanh_param", &[]),
    ("softmax", "Softmax", "softmax_param", &[]),
    ("softmax_loss", "SoftmaxWithLoss", "softmax_param", &[]),
    ("flatten", "Flatten", "flatten_param", &[]),
    ("split", "Split", "split_param", &[]),
    ("accuracy", "Accuracy", "accuracy_param", &[]),
    ("data", "Data", "transform_param", &[("cropsize", "crop_size"), ("meanfile", "mean_file")]),
    ("images", "ImageData", "transform_param", &[("cropsize", "crop_size"), ("meanfile", "mean_file")]),
    ("hdf5_data", "HDF5Data", "hdf5_data_param", &[]),
];

/// Settings that only training and data layers read.
const ELSEWHERE: [&str; 12] = [
    "name",
    "type",
    "blobs_lr",
    "weight_decay",
    "source",
    "batchsize",
    "mirror",
    "rand_skip",
    "blobs",
    "new_height",
    "new_width",
    "shuffle_images",
];

/// The layer in today's form. Error: Unsupported for a type that is not known.
pub fn upgrade(layer: &Message) -> Result<Message> {
    let Some(&inner) = layer.messages("layer").last() else { return Ok(layer.clone()) };
    let name = inner.text("name").unwrap_or_default();
    let kind = inner.text("type").unwrap_or_default();
    let &(_, today, key, renamed) = TYPES.iter().find(|t| t.0 == kind).ok_or_else(|| {
        Error::Unsupported(format!(
            "prototxt, line {}: layer `{name}` is of type `{kind}`, which Caffe's format of 2013 (`layers {{ layer {{ … }} }}`) is \
             not known to have; run Caffe's upgrade_net_proto_text",
            layer.line
        ))
    })?;
    let mut out = Message::default();
    out.line = layer.line;
    out.put_text("name", name);
    out.put_text("type", today);
    for key in ["bottom", "top"] {
        layer.texts(key).into_iter().for_each(|blob| out.put_text(key, blob));
    }
    let mut settings = inner.without(&ELSEWHERE);
    renamed.iter().for_each(|(old, new)| settings.rename(old, new));
    out.put_message(key, settings);
    Ok(out)
}
