//! `unpool run MODEL INPUT`: the forward pass, and one layer's activation as a file.

use super::args::{InputArgs, ModelArgs, npy};
use super::{Outcome, input, model, output};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use unpool::Result;
use unpool::net::{Net, Trace};
use unpool::tensor::Tensor;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    /// Whose activation [default: the network's output]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Where to write it, as .npy
    #[arg(long, short, value_name = "Y.npy", value_parser = npy)]
    output: Option<PathBuf>,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let net = model::load(&args.model)?;
    let node = args.layer.as_deref().map_or(Ok(net.output()), |l| net.find(l))?;
    let given = input::load(&args.input, &net.spec().input)?;
    let start = Instant::now();
    let trace = forward(&net, given.tensor.clone())?;
    let activation = trace.activation(node);
    let seconds = start.elapsed().as_secs_f64();
    let (shape, values) = (given.shape(activation.shape()), activation.data());
    if let Some(path) = &args.output {
        output::file(path, &unpool::format::npy::write(&shape, values)?)?;
    }
    model::warn(&net);
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let layer = net.name(node);
    if json {
        let written = args.output.as_ref().map(|p| p.display().to_string());
        output::json(&json!({
            "layer": layer, "shape": shape, "min": min, "max": max, "seconds": seconds, "output": written,
        }))?;
    } else {
        let sides = shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
        output::text_line(&format!("{layer}: {sides}, from {min} to {max} ({seconds:.3} s)"))?;
    }
    Ok(())
}

/// The forward pass, with progress for a person who waits.
pub fn forward(net: &Arc<Net>, input: Tensor) -> Result<Trace> {
    let mut pass = net.start(vec![input])?;
    output::watch(net.spec().name.as_str(), &mut pass)?;
    Ok(pass.finish()?.pop().expect("one input, one trace"))
}
