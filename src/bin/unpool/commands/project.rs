//! `unpool project MODEL INPUT --layer L --map M`: a deconvnet projection as numbers or as a picture.

use super::args::{At, InputArgs, ModelArgs, npy_or_png, positive};
use super::{Failure, Outcome, input, model, output, run};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use unpool::explain::deconvnet::{self, Descent, LrnRule, Options, Rule, Seed, Unpool};
use unpool::format::npy;
use unpool::image;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    /// Whose activation
    #[arg(long, value_name = "NAME")]
    layer: String,
    /// Which feature map, or which unit of a dense layer
    #[arg(long, value_name = "M")]
    map: usize,
    /// One unit, row,column [default: the map's maximum]
    #[arg(long, value_name = "Y,X", group = "seed")]
    at: Option<At>,
    /// All units of the map at once
    #[arg(long, group = "seed")]
    whole_map: bool,
    /// The K largest units of the map at once
    #[arg(long, value_name = "K", group = "seed", value_parser = clap::value_parser!(u32).range(1..))]
    strongest: Option<u32>,
    /// What passes a ReLU on the way down
    #[arg(long, value_enum, default_value_t = RuleName::Deconvnet)]
    rule: RuleName,
    /// Where a pooled value goes on the way down
    #[arg(long, value_enum, default_value_t = UnpoolName::Switches)]
    unpool: UnpoolName,
    /// How the signal passes LRN [default: identity for the deconvnet, the derivative for the others]
    #[arg(long, value_enum)]
    lrn: Option<LrnName>,
    /// Where to write it: .npy as numbers in the input's frame, .png as displayed
    #[arg(long, short, value_name = "G", value_parser = npy_or_png)]
    output: Option<PathBuf>,
    /// PNG: only what the unit sees, padded at the image's borders
    #[arg(long)]
    crop: bool,
    /// PNG: c in 0.5 + c·x / (2·max|x|) [default: such that 1 % of the non-zero pixels clip]
    #[arg(long, value_name = "C", value_parser = positive)]
    contrast: Option<f32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum RuleName {
    /// Positive signal, whatever was active
    Deconvnet,
    /// What was active: the derivative
    Gradient,
    /// Both: guided backpropagation
    Guided,
}

#[derive(Clone, Copy, ValueEnum)]
enum UnpoolName {
    /// To the pixel that won
    Switches,
    /// To the window's centre
    Centre,
}

#[derive(Clone, Copy, ValueEnum)]
enum LrnName {
    /// Unchanged
    Identity,
    /// Divided by the forward pass's coefficients
    Divide,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let png =
        args.output.as_ref().is_some_and(|p| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")));
    if !png && (args.crop || args.contrast.is_some()) {
        return Err(Failure::Usage(
            "--crop and --contrast are for a picture: use --output with a .png".into(),
        ));
    }
    let net = model::load(&args.model)?;
    let node = net.find(&args.layer)?;
    let given = input::load(&args.input, &net.spec().input)?;
    let trace = run::forward(&net, given.tensor.clone())?;
    let (options, seed) = (options(args), seed(args));
    let p = deconvnet::project(&trace, node, &seed, &options)?;
    let mut contrast = None;
    match &args.output {
        Some(path) if png => {
            let rect = if args.crop { p.receptive_field } else { p.pixels.rect };
            let (picture, c) = image::display(&p.pixels, rect, net.spec().input.order, args.contrast)?;
            contrast = Some(c);
            output::file(path, &image::encode_png(&picture)?)?;
        }
        Some(path) => output::file(path, &npy::write(&given.shape(p.pixels.shape()), p.pixels.data())?)?,
        None => {}
    }
    model::warn(&net);
    let r = p.receptive_field;
    if json {
        let mut document = json!({
            "layer": net.name(node), "map": p.map, "value": p.value, "at": p.at, "units": p.units,
            "receptive_field": r, "rule": options.descent.rule, "unpool": options.descent.unpool,
            "lrn": options.descent.lrn(), "shape": given.shape(p.pixels.shape()),
            "output": args.output.as_ref().map(|p| p.display().to_string()),
        });
        if let Some(c) = contrast {
            document["contrast"] = json!(c);
        }
        output::json(&document)?;
    } else {
        let units =
            if p.units == 1 { String::new() } else { format!(", the strongest of {} units", p.units) };
        let c = contrast.map(|c| format!(", contrast {c:.2}")).unwrap_or_default();
        output::text_line(&format!(
            "{} map {} at {},{}{units}: {}; sees rows {}…{}, columns {}…{}{c}",
            net.name(node),
            p.map,
            p.at[0],
            p.at[1],
            p.value,
            r.y0,
            r.y1 - 1,
            r.x0,
            r.x1 - 1
        ))?;
    }
    Ok(())
}

fn seed(args: &Args) -> Seed {
    let map = args.map;
    match (args.whole_map, args.strongest) {
        (true, _) => Seed::Map { map },
        (_, Some(k)) => Seed::Strongest { map, k: k as usize },
        _ => Seed::Unit { map, at: args.at.map(|a| a.0) },
    }
}

fn options(args: &Args) -> Options {
    let rule = match args.rule {
        RuleName::Deconvnet => Rule::Deconvnet,
        RuleName::Gradient => Rule::Gradient,
        RuleName::Guided => Rule::Guided,
    };
    let unpool = match args.unpool {
        UnpoolName::Switches => Unpool::Switches,
        UnpoolName::Centre => Unpool::Centre,
    };
    let lrn = args.lrn.map(|l| match l {
        LrnName::Identity => LrnRule::Identity,
        LrnName::Divide => LrnRule::Divide,
    });
    Options { descent: Descent { rule, unpool, lrn }, randomise: None }
}
