//! `unpool occlude MODEL INPUT`: the occlusion sweep as arrays.

use super::args::{InputArgs, ModelArgs, npz};
use super::{Failure, Outcome, input, model, output, run};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;
use unpool::explain::no_class;
use unpool::explain::occlusion::{Fill, Grid, Occlusion, Options, Sweep};
use unpool::format::npz::{self, Values};
use unpool::net::Net;
use unpool::{Error, Result, image};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    /// Class to follow, by number [default: the unoccluded prediction]
    #[arg(long, value_name = "K")]
    class: Option<usize>,
    /// Side of the square in pixels [default: the input's shorter side / 4.5]
    #[arg(long, value_name = "S")]
    size: Option<usize>,
    /// Pixels between neighbouring positions
    #[arg(long, value_name = "T", default_value_t = 8)]
    stride: usize,
    /// Where the square stands
    #[arg(long, value_enum, default_value_t = GridName::Centre)]
    grid: GridName,
    /// What stands in the square: mean, blur, noise, or a colour (photo: 0–255 red,green,blue; tensor: its own units)
    #[arg(long, value_name = "FILL", default_value = "mean", allow_hyphen_values = true)]
    fill: Filled,
    /// Layer whose map is followed, and which; again for further ones [default: the last one before the
    /// classifier, the map with the largest peak]
    #[arg(long, value_name = "NAME[:M]")]
    layer: Vec<String>,
    /// Map that is followed, of the only layer
    #[arg(long, value_name = "M")]
    map: Option<usize>,
    /// Recompute everything at every position, for comparison
    #[arg(long)]
    full: bool,
    /// Where to write the arrays p, logit, top and activation; activation_2, … of further layers
    #[arg(long, short, value_name = "O.npz", value_parser = npz)]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum GridName {
    /// Centres at stride/2 + i·stride, the square clipped to the image
    Centre,
    /// Corners at i·stride, the square never clipped
    Inside,
}

/// `mean`, `blur`, `noise` or numbers.
#[derive(Clone)]
enum Filled {
    Named(Fill),
    Colour(Vec<f32>),
}

impl FromStr for Filled {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Filled, String> {
        match s {
            "mean" => return Ok(Filled::Named(Fill::Mean)),
            "blur" => return Ok(Filled::Named(Fill::Blur)),
            "noise" => return Ok(Filled::Named(Fill::Noise(1))),
            _ => {}
        }
        let values: Option<Vec<f32>> =
            s.split(',').map(|v| v.trim().parse().ok().filter(|v: &f32| v.is_finite())).collect();
        values
            .map(Filled::Colour)
            .ok_or_else(|| "expected mean, blur, noise or numbers such as 128,128,128".into())
    }
}

pub fn main(args: &Args, json: bool) -> Outcome {
    if args.map.is_some() && args.layer.len() > 1 {
        return Err(Failure::Usage("--map goes with one layer; of several write --layer NAME:M".into()));
    }
    if let Some(path) = &args.output {
        output::possible(path)?;
    }
    let net = model::load(&args.model)?;
    let given = input::load(&args.input, &net.spec().input)?;
    let photo = given.is_photo();
    let trace = Arc::new(run::forward(&net, given.tensor)?);
    let options = options(args, &net, photo)?;
    let mut sweep = Occlusion::new(trace.clone(), &options)?;
    let stride = sweep.result().stride;
    if stride < args.stride {
        output::note(&format!("a stride of {} is larger than the input; {stride} is taken", args.stride));
    }
    let start = Instant::now();
    let positions = sweep.len();
    output::watch_many("occlusion", positions, &mut sweep)?;
    let seconds = start.elapsed().as_secs_f64();
    let s = sweep.result();
    if let Some(path) = &args.output {
        output::file(path, &arrays(s)?)?;
    }
    let names: Vec<String> = (0..s.watched.len()).map(array_name).collect();
    model::warn(&net);
    let w = &s.watched[0];
    let why = no_class(&trace);
    let label = s.class.map(|c| net.spec().classes.get(c).cloned().unwrap_or_else(|| c.to_string()));
    if json {
        let known = |v: f32| v.is_finite().then_some(v);
        output::json(&json!({
            "class": s.class, "label": label, "p0": known(s.p0), "logit0": known(s.logit0),
            "no_class": why,
            "layer": net.name(w.node), "map": w.map, "activation0": w.base, "positions": positions,
            "watched": s.watched.iter().zip(&names).map(|(w, array)| json!({
                "array": array, "layer": net.name(w.node), "map": w.map, "activation0": w.base,
            })).collect::<Vec<_>>(),
            "grid": s.grid, "size": s.size, "stride": s.stride, "seconds": seconds,
            "output": args.output.as_ref().map(|p| p.display().to_string()),
        }))?;
        return Ok(());
    }
    let least = |v: &[f32]| v.iter().copied().fold(f32::INFINITY, f32::min);
    let most = |v: &[f32]| v.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if let Some(label) = label {
        output::text_line(&format!(
            "{label}: p {} unoccluded, {} to {} occluded",
            s.p0,
            least(&s.p),
            most(&s.p)
        ))?;
    }
    if let Some(why) = why {
        output::text_line(&format!("no class is followed: {why}"))?;
    }
    for w in &s.watched {
        output::text_line(&format!(
            "{} map {}: total activation {} unoccluded, {} to {} occluded",
            net.name(w.node),
            w.map,
            w.base,
            least(&w.activation),
            most(&w.activation)
        ))?;
    }
    output::text_line(&format!("{} × {} positions, {seconds:.2} s", s.grid[0], s.grid[1]))?;
    Ok(())
}

fn options(args: &Args, net: &Arc<Net>, photo: bool) -> Result<Options> {
    let fill = match &args.fill {
        Filled::Named(fill) => fill.clone(),
        Filled::Colour(v) if photo => {
            let rgb: [f32; 3] = v.as_slice().try_into().map_err(|_| {
                Error::Parameter(format!(
                    "a colour for a photo is three numbers, red,green,blue; got {}",
                    v.len()
                ))
            })?;
            Fill::Colour(image::colour(&net.spec().input, rgb)?)
        }
        Filled::Colour(v) => Fill::Colour(v.clone()),
    };
    let grid = match args.grid {
        GridName::Centre => Grid::Centre,
        GridName::Inside => Grid::Inside,
    };
    let watch = if args.layer.is_empty() {
        vec![(None, args.map)]
    } else {
        args.layer.iter().map(|l| followed(net, l, args.map)).collect::<Result<_>>()?
    };
    Ok(Options {
        class: args.class,
        size: args.size,
        stride: Some(args.stride),
        grid,
        fill,
        watch,
        full: args.full,
    })
}

/// `NAME` or `NAME:MAP`; a name may hold colons itself.
fn followed(net: &Net, text: &str, map: Option<usize>) -> Result<(Option<usize>, Option<usize>)> {
    let whole = net.find(text);
    let parts = text.rsplit_once(':').and_then(|(name, map)| Some((name, map.parse().ok()?)));
    match (whole, parts) {
        (Err(_), Some((name, own))) if map.is_none() => Ok((Some(net.find(name)?), Some(own))),
        (whole, _) => Ok((Some(whole?), map)),
    }
}

/// The array of the followed map at that place.
fn array_name(i: usize) -> String {
    if i == 0 { "activation".into() } else { format!("activation_{}", i + 1) }
}

/// Without a classifier there are only activations.
fn arrays(s: &Sweep) -> Result<Vec<u8>> {
    let names: Vec<String> = (0..s.watched.len()).map(array_name).collect();
    let followed = names.iter().zip(&s.watched);
    let mut arrays: Vec<(&str, &[usize], Values)> =
        followed.map(|(name, w)| (name.as_str(), &s.grid[..], Values::Float(&w.activation))).collect();
    if s.class.is_some() {
        arrays.push(("p", &s.grid, Values::Float(&s.p)));
        arrays.push(("logit", &s.grid, Values::Float(&s.logit)));
        arrays.push(("top", &s.grid, Values::Integer(&s.top)));
    }
    npz::write(&arrays)
}
