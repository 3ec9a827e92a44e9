//! `unpool convert FILE`: a network from another format as one file of ours.

use super::args::{finite, positive, safetensors};
use super::input::{self, read_file, read_text};
use super::model::MAX_FILE;
use super::{Outcome, half, output, self_test};
use clap::ValueEnum;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use unpool::Error;
use unpool::format::{self, Options};
use unpool::net::Net;
use unpool::spec::Order;
use unpool::tensor::Shape;

#[derive(clap::Args)]
pub struct Args {
    /// An .onnx, a .caffemodel (with --prototxt), pickled NumPy arrays, or a file of ours
    file: PathBuf,
    /// The layers of a .caffemodel
    #[arg(long, value_name = "FILE")]
    prototxt: Option<PathBuf>,
    /// Class names: a file with one a line, or a JSON list
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Subtracted from pixels: 0–255, the model's channel order; one value serves all channels
    #[arg(long, value_name = "M,…", value_delimiter = ',', allow_hyphen_values = true, value_parser = finite)]
    mean: Vec<f32>,
    /// Caffe's mean.binaryproto instead of numbers
    #[arg(long, value_name = "FILE", conflicts_with = "mean")]
    mean_image: Option<PathBuf>,
    /// What pixels are then divided by
    #[arg(long, value_name = "S,…", value_delimiter = ',', value_parser = positive)]
    std: Vec<f32>,
    /// Channel order of the pixels
    #[arg(long, value_enum)]
    order: Option<OrderName>,
    /// Store weights as float16
    #[arg(long)]
    half: bool,
    /// With --half: measure on this photo or tensor, and keep float32 where an activation changes by
    /// more than 1e-3 of its layer's maximum (may be given several times)
    #[arg(long, value_name = "INPUT", requires = "half", num_args = 1..)]
    probe: Vec<PathBuf>,
    /// Size of the input where the file leaves it open
    #[arg(long, value_name = "C,H,W", value_delimiter = ',')]
    input: Vec<usize>,
    /// Megabytes that the network's numbers may take [default: 2000]
    #[arg(long, value_name = "MB")]
    limit: Option<usize>,
    /// What an ONNX file was tested with: folders of input_0.pb and output_0.pb [default: test_data_set_* beside it]
    #[arg(long, value_name = "DIR", num_args = 1..)]
    test_data: Vec<PathBuf>,
    /// Short name
    #[arg(long)]
    name: Option<String>,
    /// Name for people
    #[arg(long)]
    title: Option<String>,
    /// Licence of the weights
    #[arg(long)]
    licence: Option<String>,
    /// Where the weights come from
    #[arg(long)]
    origin: Option<String>,
    /// What else a user must know
    #[arg(long)]
    notes: Option<String>,
    /// Where to write it
    #[arg(long, short, value_name = "M.safetensors", value_parser = safetensors)]
    output: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum OrderName {
    /// Red first
    Rgb,
    /// Blue first
    Bgr,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let place = args.file.display().to_string();
    let bytes = read_file(&args.file, MAX_FILE)?;
    let prototxt = args.prototxt.as_deref().map(read_text).transpose()?;
    let mean_image = args.mean_image.as_deref().map(|p| read_file(p, MAX_FILE)).transpose()?;
    let labels = args.labels.as_deref().map(read_text).transpose()?;
    let input = match args.input.as_slice() {
        [] => None,
        &[c, h, w] => Some(Shape::new(c, h, w)),
        other => {
            return Err(Error::Parameter(format!(
                "--input takes channels, rows, columns; {} numbers are given",
                other.len()
            ))
            .into());
        }
    };
    let list = |v: &[f32]| (!v.is_empty()).then(|| v.to_vec());
    let options = Options {
        file_name: &place,
        prototxt: prototxt.as_deref(),
        labels: labels.as_deref(),
        mean: list(&args.mean),
        mean_image: mean_image.as_deref(),
        std: list(&args.std),
        order: args.order.map(|o| match o {
            OrderName::Rgb => Order::Rgb,
            OrderName::Bgr => Order::Bgr,
        }),
        name: args.name.as_deref(),
        title: args.title.as_deref(),
        licence: args.licence.as_deref(),
        origin: args.origin.as_deref(),
        notes: args.notes.as_deref(),
        input,
        limit: args.limit.map(|mb| mb.saturating_mul(1_000_000)),
    };
    let (mut model, mut report) = format::convert(&bytes, &options).map_err(|e| e.at(&place))?;
    drop(bytes);
    let mut rounding = None;
    if args.half {
        let probe = |p: &PathBuf| Ok(input::load_as_is(p, &model.spec.input)?.tensor);
        let probes = args.probe.iter().map(probe).collect::<unpool::Result<Vec<_>>>()?;
        rounding = Some(half::store(&mut model, &probes).map_err(|e| e.at(&place))?);
    }
    let tests = self_test::folders(&args.file, &args.test_data)?;
    let name = model.spec.name.clone();
    let mut size = 0;
    let model = std::cell::Cell::new(Some(model));
    output::file_if(
        &args.output,
        |f| {
            let whole = model.take().expect("written once");
            format::model::each(&whole, |piece| {
                size += piece.len();
                f.write_all(piece)
            })?;
            model.set(Some(whole));
            Ok(())
        },
        // What stands under the name can be run: shapes and weights fit. The network takes the weights over.
        || {
            let model = model.take().expect("checked once");
            if tests.is_empty() {
                return Net::check(model).map_err(|e| e.at(&place));
            }
            let net = Arc::new(Net::new(model).map_err(|e| e.at(&place))?);
            tests.iter().for_each(|folder| self_test::run(&net, folder, &mut report));
            Ok(())
        },
    )?;
    let written = args.output.display().to_string();
    if json {
        output::json(&json!({
            "report": report, "rounding": rounding, "name": name, "bytes": size, "output": written,
        }))?;
    } else {
        let mut text = format!(
            "{}: {} layers, {} parameters in {} tensors",
            report.format, report.layers, report.parameters, report.tensors
        );
        for (what, lines) in [
            ("look out", &report.suspect),
            ("folded", &report.folded),
            ("renamed", &report.renamed),
            ("left out", &report.skipped),
            ("guess", &report.guesses),
            ("missing", &report.missing),
            ("note", &report.notes),
        ] {
            for line in lines {
                text += &format!("\n  {what}: {line}");
            }
        }
        if let Some(r) = &rounding {
            text += &format!("\n  {}", r.sentence());
        }
        output::text_line(&format!("{text}\n{written}: {:.1} MB", size as f64 / 1e6))?;
    }
    Ok(())
}
