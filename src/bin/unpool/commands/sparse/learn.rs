//! `unpool sparse learn DIR…`: a dictionary from photos.

use super::super::gallery::files;
use super::super::input::{self, Opened};
use super::super::{Failure, Outcome, args, output};
use super::{code, sheet};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use unpool::format::dictionary::{self, About, Dictionary};
use unpool::job::{self, Job};
use unpool::sparse::code::{Coding, Options as Code};
use unpool::sparse::learn::{Learning, Options, plan};
use unpool::sparse::photo;
use unpool::tensor::{Shape, Tensor};
use unpool::{Error, Result, image};

#[derive(clap::Args)]
pub struct Args {
    /// Folders of photos
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Where the dictionary goes; what is learned so far stands beside it as NAME.part, and the same command goes on from there
    #[arg(long, short, value_name = "D.safetensors", value_parser = args::safetensors)]
    output: PathBuf,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 4)]
    layers: usize,
    /// Filters of each layer
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    maps: Vec<usize>,
    /// Share of each layer's values that are to be other than zero: gives its λ
    #[arg(long, value_name = "P,…", value_delimiter = ',')]
    share: Vec<f64>,
    /// Side of the filters
    #[arg(long, value_name = "PIXELS", default_value_t = 7)]
    filter: usize,
    /// Learn colours, not grey
    #[arg(long)]
    colour: bool,
    /// Side to which photos are reduced
    #[arg(long, value_name = "PIXELS", default_value_t = 150, value_parser = clap::value_parser!(u16).range(1..=4096))]
    side: u16,
    /// Reach of the contrast normalisation, in pixels
    #[arg(long, value_name = "σ", default_value_t = 3.0)]
    sigma: f32,
    /// Every so many-th photo is kept apart, to measure on [0: none]
    #[arg(long, value_name = "N", default_value_t = 10)]
    held_out: usize,
    /// Learn from at most so many photos, spread over the list
    #[arg(long, value_name = "N")]
    photos: Option<usize>,
    /// Passes over the photos for each layer
    #[arg(long, value_name = "N", default_value_t = 8)]
    epochs: usize,
    /// Photos between updates
    #[arg(long, value_name = "N", default_value_t = 4)]
    batch: usize,
    /// Iterations of FISTA for each photo
    #[arg(long, value_name = "N", default_value_t = 10)]
    iterations: usize,
    /// Steps of conjugate gradient in each update
    #[arg(long, value_name = "N", default_value_t = 2)]
    steps: usize,
    /// Seed of all that is random
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Only photos to which the folder's credits.json gives one of these licences
    #[arg(long, value_name = "LICENCE,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Name for people
    #[arg(long, value_name = "TEXT", default_value = "Strokes and what they make")]
    title: String,
    /// Licence of the photos
    #[arg(long, value_name = "TEXT", default_value = "")]
    licence: String,
    /// A picture of layer 1's filters
    #[arg(long, value_name = "PNG", value_parser = args::png)]
    sheet: Option<PathBuf>,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let mut plan =
        plan(args.layers, &args.maps, &args.share).map_err(|e| Failure::Usage(e.message().into()))?;
    plan.iter_mut().for_each(|p| p.side = args.filter);
    let (mut learned, mut apart) = (Vec::new(), Vec::new());
    let channels = if args.colour { 3 } else { 1 };
    let mut listed = files::list(&args.folders)?;
    listed.retain(|f| f.path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("npy")));
    if !args.only.is_empty() {
        let licensed = licensed(args)?;
        listed.retain(|f| licensed.contains(&f.name));
    }
    for (i, file) in listed.iter().enumerate() {
        let held = args.held_out > 0 && i % args.held_out == args.held_out - 1;
        if held { apart.push(file) } else { learned.push(file) }
    }
    if let Some(most) = args.photos {
        let n = learned.len();
        let keep = |i: usize| most >= n || (i * most) / n != ((i + 1) * most) / n;
        learned = learned.into_iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, f)| f).collect();
    }
    let read = |f: &&files::File| -> Result<Tensor> {
        match input::open(&f.path)? {
            Opened::Picture(picture) => photo::read(&picture, channels, args.side.into())
                .map_err(|e| e.at(&f.path.display().to_string())),
            Opened::Tensor(_) => Err(Error::Parameter(format!("{} is no photo", f.path.display()))),
        }
    };
    let photos = learned.iter().map(read).collect::<Result<Vec<_>>>()?;
    let about = About {
        title: args.title.clone(),
        licence: args.licence.clone(),
        origin: format!(
            "unpool sparse learn: {} photos of {} px, seed {}, {} epochs, batches of {}, {} iterations, {} steps",
            photos.len(),
            args.side,
            args.seed,
            args.epochs,
            args.batch,
            args.iterations,
            args.steps
        ),
        side: args.side.into(),
        sigma: args.sigma,
        channels,
    };
    let options = Options {
        plan,
        epochs: args.epochs,
        batch: args.batch,
        iterations: args.iterations,
        steps: args.steps,
        seed: args.seed,
    };
    let mut part = args.output.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let from = if part.is_file() { Some(code::read(&part)?) } else { None };
    if from.as_ref().is_some_and(|d| d.about != about) {
        let message =
            format!("{} was made with other options; delete it, or give the same ones", part.display());
        return Err(Failure::Failed(Error::Parameter(message)));
    }
    let mut job = Learning::new(&photos, about, options, from)?;
    run(&mut job, &part)?;
    let mut dictionary = job.dictionary().clone();
    measure(&mut dictionary, &apart.iter().map(read).collect::<Result<Vec<_>>>()?)?;
    output::file(&args.output, &dictionary::write(&dictionary))?;
    if part.is_file() {
        std::fs::remove_file(&part)
            .map_err(|e| Error::Parameter(format!("cannot delete {}: {e}", part.display())))?;
    }
    if let Some(path) = &args.sheet {
        output::file(path, &image::encode_png(&sheet::of(&cells(&dictionary)?, 8)?)?)?;
    }
    if json {
        let layers: Vec<_> =
            dictionary.layers.iter().map(|l| json!({ "shape": l.shape, "spec": l.spec })).collect();
        output::json(&json!({
            "photos": job.photos(), "held_out": apart.len(), "layers": layers, "output": args.output.display().to_string(),
        }))?;
        return Ok(());
    }
    for (i, l) in dictionary.layers.iter().enumerate() {
        output::text_line(&said(i + 1, l))?;
    }
    Ok(())
}

/// Names of the photos whose licence is among those asked for.
fn licensed(args: &Args) -> Result<BTreeSet<String>> {
    #[derive(serde::Deserialize)]
    struct Credit {
        file: String,
        licence: String,
    }
    let mut names = BTreeSet::new();
    for folder in &args.folders {
        let path = folder.join("credits.json");
        let credits: Vec<Credit> = serde_json::from_str(&input::read_text(&path)?)
            .map_err(|e| Error::Malformed(format!("{} lists no licences: {e}", path.display())))?;
        names.extend(credits.into_iter().filter(|c| args.only.contains(&c.licence)).map(|c| c.file));
    }
    if names.is_empty() {
        return Err(Error::Parameter(format!("no photo is under {}", args.only.join(" or "))));
    }
    Ok(names)
}

pub fn said(layer: usize, l: &dictionary::Layer) -> String {
    let s = &l.spec;
    let share = |v: Option<f64>| v.map_or("–".into(), |v| format!("{:.1} %", 100.0 * v));
    format!(
        "layer {layer}: {} filters, λ {:.4}, objective {:.2} → {:.2}; left of photos learned from {}, of others {}; {} not zero; drawn anew: {} \
         unused, {} alike",
        l.shape[0],
        s.lambda,
        s.objective.first().copied().unwrap_or(f64::NAN),
        s.objective.last().copied().unwrap_or(f64::NAN),
        share(s.error),
        share(s.held_out_error),
        share(s.support),
        s.reseeded[0],
        s.reseeded[1]
    )
}

/// Learns to the end; after every pass what there is so far goes to `part`.
fn run(job: &mut Learning, part: &std::path::Path) -> Result<()> {
    let person = std::io::stderr().is_terminal();
    let mut at = job.position();
    loop {
        let progress = job.step(Duration::from_millis(200))?;
        if person {
            let (layer, passes) = job.position();
            let percent = 100.0 * progress.fraction;
            let _ = write!(std::io::stderr(), "\rlayer {layer}, {passes} passes: {percent:3.0} % ");
        }
        if progress.done {
            break;
        }
        if job.position() != at {
            at = job.position();
            output::file(part, &dictionary::write_exact(job.dictionary()))?;
        }
    }
    if person {
        let _ = writeln!(std::io::stderr());
    }
    Ok(())
}

/// Error and sparsity of every layer on photos that were not learned from.
fn measure(dictionary: &mut Dictionary, photos: &[Tensor]) -> Result<()> {
    let shared = Arc::new(dictionary.clone());
    let mut sums = vec![[0.0; 2]; dictionary.layers.len()];
    let mut count = 0;
    for photo in photos {
        let mut job = match Coding::new(shared.clone(), photo, &Code::default()) {
            Err(Error::Parameter(_)) => continue, // Of one colour throughout.
            job => job?,
        };
        job::run(&mut job)?;
        count += 1;
        for (sum, c) in sums.iter_mut().zip(job.coded()) {
            let s = c.solver().expect("its iterations are over");
            sum[0] += s.error();
            sum[1] += s.support() as f64 / s.z().len() as f64;
        }
    }
    for (layer, [error, support]) in dictionary.layers.iter_mut().zip(sums) {
        if count > 0 {
            layer.spec.held_out_error = Some(error / f64::from(count));
            layer.spec.support = Some(support / f64::from(count));
        }
    }
    Ok(())
}

pub fn cells(dictionary: &Dictionary) -> Result<Vec<Option<unpool::image::Picture>>> {
    let layer = &dictionary.layers[0];
    let [_, c, h, w] = layer.shape;
    let one = |f: &[f32]| code::shown(&Tensor::new(Shape::new(c, h, w), f.to_vec())?, Some(1.0)).map(Some);
    layer.weights.chunks_exact(c * h * w).map(one).collect()
}
