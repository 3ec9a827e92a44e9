//! `unpool filters MODEL`: what is wrong with the first layer's filters, and how another network compares.

mod sheet;

use super::args::{ModelArgs, png};
use super::gallery::{files, read};
use super::{Outcome, input, model, output};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use unpool::analysis::{Diagnosis, Filter, Flag, Rules, Survey, compare};
use unpool::{Error, Result};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Whose filters [default: the network's first convolution]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Compare with this network, the one that was there before
    #[arg(long, value_name = "MODEL")]
    against: Option<String>,
    /// A gallery of this network: filters that its photos never excite are dead
    #[arg(long, value_name = "G.safetensors", conflicts_with = "against")]
    gallery: Option<PathBuf>,
    /// Photos to run: for dead filters, and for aliasing in the second layer
    #[arg(long, value_name = "DIR")]
    photos: Vec<PathBuf>,
    /// Dead: RMS below this share of the median
    #[arg(long, value_name = "X", default_value_t = Rules::default().dead)]
    dead: f64,
    /// Weak: RMS below this share of the median
    #[arg(long, value_name = "X", default_value_t = Rules::default().weak)]
    weak: f64,
    /// Dominant: RMS above so many medians
    #[arg(long, value_name = "X", default_value_t = Rules::default().dominant)]
    dominant: f64,
    /// Dominant: RMS above this radius (0.1 in the paper, for inputs of about ±128)
    #[arg(long, value_name = "R")]
    radius: Option<f64>,
    /// Order of the text and the sheet
    #[arg(long, value_enum, default_value_t = Order::Number)]
    sort: Order,
    /// Where to draw the filters and their spectrum
    #[arg(long, short, value_name = "SHEET.png", value_parser = png)]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Order {
    Number,
    Rms,
    Frequency,
    Orientation,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let mut skipped = Vec::new();
    let (survey, mut diagnosis) = diagnose(args, &args.model, &mut skipped)?;
    sort(&mut diagnosis.filters.filters, args.sort);
    let before = match &args.against {
        Some(name) => {
            let other = ModelArgs { model: name.clone(), prototxt: None };
            let (_, other) = diagnose(args, &other, &mut Vec::new())?;
            Some((compare(&other, &diagnosis), other))
        }
        None => None,
    };
    if let Some(path) = &args.output {
        output::file(path, &unpool::image::encode_png(&sheet::draw(survey.net(), &diagnosis)?)?)?;
    }
    model::warn(survey.net());
    if json {
        let mut all = serde_json::to_value(&diagnosis)
            .map_err(|e| Error::Unsupported(format!("the result has no JSON form: {e}")))?;
        all["skipped"] = json!(skipped);
        if let Some((comparison, other)) = &before {
            all["against"] = json!(other);
            all["comparison"] = json!(comparison);
        }
        return Ok(output::json(&all)?);
    }
    output::text_line(&text(&diagnosis))?;
    if !skipped.is_empty() {
        output::text_line(&format!("skipped: {}", skipped.join("; ")))?;
    }
    if let Some((comparison, other)) = &before {
        output::text_line(&format!("\n{}\n\n{}", text(other), comparison.verdict))?;
    }
    Ok(())
}

/// The network's diagnosis with whatever inputs were given. Files that are no photos are noted and left out.
fn diagnose(args: &Args, which: &ModelArgs, skipped: &mut Vec<String>) -> Result<(Survey, Diagnosis)> {
    let net = model::load(which)?;
    let rules = Rules {
        dead: args.dead,
        weak: args.weak,
        dominant: args.dominant,
        radius: args.radius,
        ..Rules::default()
    };
    let mut survey = Survey::new(net.clone(), args.layer.as_deref(), rules)?;
    if let Some(path) = &args.gallery {
        let gallery = read(path)?;
        unpool::explain::gallery::nodes(&gallery, &net)?;
        let [behind, own] = survey.layers();
        let layer = gallery.layers.iter().find(|l| l.name == behind || l.name == own).ok_or_else(|| {
            Error::Parameter(format!("the gallery does not hold {own}; build it with --layers {behind}"))
        })?;
        let peak = |m: &unpool::explain::gallery::Map| m.entries.first().map_or(0.0, |e| e.value);
        let peaks: Vec<f32> = layer.maps.iter().map(peak).collect();
        survey.found(gallery.header.searched as usize, &peaks)?;
    }
    if !args.photos.is_empty() {
        let list = files::list(&args.photos)?;
        let count = list.len();
        for file in list {
            let run = input::load_as_is(&file.path, &net.spec().input).and_then(|g| survey.add(g.tensor));
            if let Err(e) = run {
                skipped.push(format!("{}: {}", file.name, e.message()));
            }
        }
        if skipped.len() == count {
            let first = skipped.first().cloned().unwrap_or_default();
            return Err(Error::Parameter(format!("none of {count} photos could be run; {first}")));
        }
    }
    let diagnosis = survey.diagnosis()?;
    Ok((survey, diagnosis))
}

fn sort(filters: &mut [Filter], by: Order) {
    let key = |f: &Filter| match by {
        Order::Number => f.filter as f64,
        Order::Rms => -f.rms,
        Order::Frequency => f.frequency,
        Order::Orientation => f.orientation,
    };
    filters.sort_by(|a, b| key(a).total_cmp(&key(b)).then(a.filter.cmp(&b.filter)));
}

fn text(d: &Diagnosis) -> String {
    let flag = |f: &Filter| match f.flag {
        Some(Flag::Dead) => "dead",
        Some(Flag::Weak) => "weak",
        Some(Flag::Dominant) => "dominant",
        None => "",
    };
    let rows: Vec<Vec<String>> = d
        .filters
        .filters
        .iter()
        .map(|f| {
            vec![
                f.filter.to_string(),
                format!("{:.4}", f.rms),
                format!("{:.1} %", 100.0 * f.share),
                format!("{:.3}", f.frequency),
                format!("{:.0}°", f.orientation),
                f.peak.map_or(String::new(), |p| format!("{p:.3}")),
                flag(f).to_owned(),
            ]
        })
        .collect();
    let heading = ["filter", "rms", "share", "cycles/px", "direction", "peak", ""];
    let l = &d.filters;
    let [dead, weak, dominant] = l.counts;
    let [low, mid, high] = l.bands.map(|b| 100.0 * b);
    let aliasing = match &d.aliasing {
        None => "aliasing: give photos (--photos) to measure it in the second layer".to_owned(),
        Some(g) => format!(
            "aliasing in {}: {:.1} % of {} projections' power at the grid of stride {}, {:.2} times its surroundings",
            g.layer,
            100.0 * g.energy,
            g.projections,
            g.stride,
            g.excess
        ),
    };
    format!(
        "{}\n\n{} {}: {} filters of {}×{}, stride {}; {dead} dead, {weak} weak, {dominant} dominant\n\
         power below 0.1, to 0.25, above: {low:.0} %, {mid:.0} %, {high:.0} %; gap {:.1} % at {:.2} cycles per pixel\n{aliasing}",
        output::table(&heading, &[0, 1, 2, 3, 4, 5], &rows),
        d.model,
        d.layer,
        l.filters.len(),
        d.shape[2],
        d.shape[3],
        d.stride[0],
        100.0 * l.gap.depth,
        l.gap.at
    )
}
