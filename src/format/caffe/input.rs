//! What a Caffe network takes: four ways to say it, from 2013 to today.

use super::{Entry, blobs::Blobs, text::Message};
use crate::error::{Error, Result};
use crate::format::report::Report;
use crate::format::report::line;
use crate::tensor::Shape;

/// The input's size and, where a data layer tells them, its normalisation.
pub struct Found {
    /// Blobs that are the input.
    pub blobs: Vec<String>,
    pub shape: Shape,
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
}

/// Layers that bring data in from outside.
pub fn is_input(kind: &str) -> bool {
    const DATA: [&str; 7] =
        ["Input", "Data", "ImageData", "HDF5Data", "MemoryData", "WindowData", "DummyData"];
    DATA.contains(&kind)
}

pub fn find(net: &Message, entries: &[Entry], blobs: &Blobs, report: &mut Report) -> Result<Found> {
    let layers: Vec<&Entry> = entries.iter().filter(|e| is_input(e.kind)).collect();
    let mut names: Vec<String> = net.texts("input").into_iter().map(String::from).collect();
    let mut sizes: Vec<Vec<usize>> =
        net.messages("input_shape").iter().map(|s| s.numbers("dim")).collect::<Result<_>>()?;
    let flat: Vec<usize> = net.numbers("input_dim")?;
    sizes.extend(flat.chunks(4).map(<[usize]>::to_vec));
    let (mut mean, mut std) = (Vec::new(), Vec::new());
    for layer in layers {
        let tops = layer.message.texts("top");
        if layer.kind == "Input" {
            names.extend(tops.into_iter().map(String::from));
            for shape in layer.message.message("input_param").messages("shape") {
                sizes.push(shape.numbers("dim")?);
            }
        } else {
            names.extend(tops.first().map(|t| t.to_string())); // The second is the label.
            let t = layer.message.message("transform_param");
            let side: Option<usize> = t.number("crop_size")?;
            if let (Some(side), Some(channels)) = (side, channels(entries, blobs)?) {
                sizes.push(vec![1, channels, side, side]);
                mean = t.numbers("mean_value")?;
                if mean.len() == 1 {
                    mean = vec![mean[0]; channels];
                }
                if let Some(scale) = t.number::<f32>("scale")?.filter(|s| *s > 0.0) {
                    std = vec![1.0 / scale; channels];
                }
            }
            if t.text("mean_file").is_some() {
                report.notes.push(line!("mean.file", "the prototxt names a mean_file, which is another file: give it with --mean-image, or --mean"));
            }
        }
    }
    if names.len() > 1 {
        return Err(Error::Unsupported(format!(
            "the network has {} inputs ({}); one is supported",
            names.len(),
            names.join(", ")
        )));
    }
    let shape = match sizes.first().map(Vec::as_slice) {
        Some(&[_, c, h, w]) => Shape::new(c, h, w),
        Some(&[_, k]) => Shape::new(k, 1, 1),
        Some(other) => {
            return Err(Error::Unsupported(format!(
                "an input of shape {other:?}; batch, channels, height, width are supported"
            )));
        }
        None => {
            return Err(Error::Malformed(
                "the prototxt does not say the input's size; give the network's deploy.prototxt, which begins with \
                 an Input layer or with input and input_shape"
                    .into(),
            ));
        }
    };
    if names.is_empty() {
        names.push("data".into());
    }
    Ok(Found { blobs: names, shape, mean, std })
}

/// Channels of the input, from the first convolution's filters.
fn channels(entries: &[Entry], blobs: &Blobs) -> Result<Option<usize>> {
    let Some(first) = entries.iter().find(|e| e.kind == "Convolution") else { return Ok(None) };
    let groups = first.message.message("convolution_param").number("group")?.unwrap_or(1usize);
    let filters = blobs.get(&first.name).and_then(|b| b.first());
    Ok(filters.and_then(|w| w.shape.get(1)).and_then(|c| c.checked_mul(groups)))
}
