//! `unpool correspondence MODEL PART PART…`: does hiding the same part of several photos change the features alike?

use super::args::ModelArgs;
use super::{Outcome, input, model, output, run};
use serde_json::json;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use unpool::explain::correspondence::{Correspondence, Options};
use unpool::explain::last_features;
use unpool::tensor::Rect;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// A photo or tensor and the part to hide, INPUT:Y0,X0,Y1,X1 in pixels of the network's input; at least two
    #[arg(required = true, num_args = 2.., value_name = "INPUT:RECT")]
    parts: Vec<Part>,
    /// Layers to compare [default: the last one before the classifier]
    #[arg(long, value_name = "L,…", value_delimiter = ',')]
    layers: Vec<String>,
    /// Draws of random parts of the same sizes, as the control
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    random: u32,
    /// Seed of the random parts
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// `INPUT:Y0,X0,Y1,X1`.
#[derive(Clone)]
struct Part {
    input: PathBuf,
    rect: Rect,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(s: &str) -> Result<Part, String> {
        let (input, rect) = s.rsplit_once(':').ok_or("expected INPUT:Y0,X0,Y1,X1")?;
        let sides: Option<Vec<isize>> = rect.split(',').map(|v| v.trim().parse().ok()).collect();
        match sides.as_deref() {
            Some(&[y0, x0, y1, x1]) if y1 > y0 && x1 > x0 => {
                Ok(Part { input: input.into(), rect: Rect::new(y0, x0, y1, x1) })
            }
            _ => Err(format!("“{rect}” is no part: four whole numbers Y0,X0,Y1,X1 with Y0 < Y1 and X0 < X1")),
        }
    }
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let net = model::load(&args.model)?;
    let mut images = Vec::new();
    for part in &args.parts {
        let given = input::load_as_is(&part.input, &net.spec().input)?;
        images.push((Arc::new(run::forward(&net, given.tensor)?), part.rect));
    }
    let nodes = if args.layers.is_empty() {
        vec![last_features(&net, images[0].0.shapes())]
    } else {
        args.layers.iter().map(|l| net.find(l)).collect::<unpool::Result<_>>()?
    };
    let options = Options { nodes: nodes.clone(), fill: None, draws: args.random as usize, seed: args.seed };
    let mut job = Correspondence::new(images, &options)?;
    output::watch("correspondence", &mut job)?;
    model::warn(&net);
    let (same, control) = (job.same().expect("the job has run to its end"), job.control());
    if json {
        let layers: Vec<_> = nodes
            .iter()
            .zip(same)
            .zip(&control)
            .map(|((&n, d), random)| {
                json!({
                    "layer": net.name(n), "mean": d.mean, "deviation": d.deviation, "sum": d.sum, "pairs": d.pairs,
                    "random": random,
                })
            })
            .collect();
        output::json(&json!({ "layers": layers }))?;
        return Ok(());
    }
    for ((&n, d), random) in nodes.iter().zip(same).zip(&control) {
        output::text_line(&format!(
            "{}: {:.4} ± {:.4} over {} pairs; random parts {:.4} ± {:.4}",
            net.name(n),
            d.mean,
            d.deviation,
            d.pairs,
            random.mean,
            random.deviation
        ))?;
    }
    output::text_line(
        "0: hiding the part changes every feature in the same direction in all photos; lower is tighter",
    )?;
    Ok(())
}
