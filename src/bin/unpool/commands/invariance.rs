//! `unpool invariance MODEL INPUT`: how far each layer's features go when the input is moved, scaled or rotated.

use super::args::{InputArgs, ModelArgs, npz};
use super::{Outcome, input, model, output, run};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use unpool::explain::invariance::{Curves, Invariance, Options, Transform};
use unpool::explain::{last_features, no_class};
use unpool::format::npz::{self, Values};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    /// What is done to the input
    #[arg(long, value_enum)]
    transform: Name,
    /// First amount: pixels, a factor, or degrees [default: -60, 0.6 or 0]
    #[arg(long, value_name = "A", allow_hyphen_values = true)]
    from: Option<f64>,
    /// Last amount [default: 60, 1.8 or 350]
    #[arg(long, value_name = "B", allow_hyphen_values = true)]
    to: Option<f64>,
    /// Number of amounts, both ends included
    #[arg(long, value_name = "N", default_value_t = 25)]
    steps: usize,
    /// Layers to compare [default: the first, and the last one before the classifier]
    #[arg(long, value_name = "L,…", value_delimiter = ',')]
    layers: Vec<String>,
    /// Class to follow, by number [default: the prediction for the input as it is]
    #[arg(long, value_name = "K")]
    class: Option<usize>,
    /// Where to write the arrays amount, distance (layers × amounts) and p
    #[arg(long, short, value_name = "O.npz", value_parser = npz)]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Up and down, in pixels
    ShiftVertically,
    /// Left and right, in pixels
    ShiftHorizontally,
    /// About the centre, by a factor
    Scale,
    /// About the centre, counter-clockwise, in degrees
    Rotate,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    if let Some(path) = &args.output {
        output::possible(path)?;
    }
    let net = model::load(&args.model)?;
    let given = input::load(&args.input, &net.spec().input)?;
    let trace = Arc::new(run::forward(&net, given.tensor)?);
    let nodes = if args.layers.is_empty() {
        vec![1, last_features(&net, trace.shapes())]
    } else {
        args.layers.iter().map(|l| net.find(l)).collect::<unpool::Result<_>>()?
    };
    // The ranges of ZF14 Fig. 5.
    let (transform, from, to) = match args.transform {
        Name::ShiftVertically => (Transform::ShiftVertically, -60.0, 60.0),
        Name::ShiftHorizontally => (Transform::ShiftHorizontally, -60.0, 60.0),
        Name::Scale => (Transform::Scale, 0.6, 1.8),
        Name::Rotate => (Transform::Rotate, 0.0, 350.0),
    };
    let (from, to) = (args.from.unwrap_or(from), args.to.unwrap_or(to));
    let options = Options {
        transform,
        from,
        to,
        steps: args.steps,
        nodes: nodes.clone(),
        class: args.class,
        fill: None,
    };
    let mut sweep = Invariance::new(trace.clone(), &options)?;
    output::watch("invariance", &mut sweep)?;
    let curves = sweep.curves();
    if let Some(path) = &args.output {
        output::file(path, &arrays(curves)?)?;
    }
    model::warn(&net);
    let names: Vec<&str> = nodes.iter().map(|&n| net.name(n)).collect();
    if json {
        let p = curves.class.map(|_| &curves.p);
        output::json(&json!({
            "transform": transform, "amounts": curves.amounts, "layers": names, "distances": curves.distances,
            "class": curves.class, "no_class": no_class(&trace), "p": p,
            "output": args.output.as_ref().map(|p| p.display().to_string()),
        }))?;
        return Ok(());
    }
    let mut heading = vec!["amount"];
    heading.extend(&names);
    heading.extend(curves.class.map(|_| "p"));
    let rows: Vec<Vec<String>> = (0..curves.amounts.len())
        .map(|i| {
            let mut row = vec![format!("{:.3}", curves.amounts[i])];
            row.extend(curves.distances.iter().map(|d| format!("{:.4}", d[i])));
            row.extend(curves.class.map(|_| format!("{:.4}", curves.p[i])));
            row
        })
        .collect();
    if let Some(why) = no_class(&trace) {
        output::text_line(&format!("no class is followed: {why}"))?;
    }
    let right: Vec<usize> = (0..heading.len()).collect();
    output::text_line(&output::table(&heading, &right, &rows))?;
    Ok(())
}

fn arrays(curves: &Curves) -> unpool::Result<Vec<u8>> {
    let single = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
    let (amounts, distances) = (single(&curves.amounts), single(&curves.distances.concat()));
    let n = [amounts.len()];
    let sides = [curves.distances.len(), amounts.len()];
    let mut arrays = vec![
        ("amount", &n[..], Values::Float(&amounts)),
        ("distance", &sides[..], Values::Float(&distances)),
    ];
    if curves.class.is_some() {
        arrays.push(("p", &n, Values::Float(&curves.p)));
    }
    npz::write(&arrays)
}
