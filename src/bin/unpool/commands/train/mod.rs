//! `unpool train SPEC.json --data DIR`: a network from data, with checkpoints to watch it by.

mod sets;

use super::args::safetensors;
use super::input::{read_file, read_text};
use super::{Failure, Outcome, output};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use unpool::format::model as files;
use unpool::job::Job;
use unpool::spec::{Model, Weights};
use unpool::train::{Epoch, Experiment, Run, checkpoint};
use unpool::{Error, Result};

#[derive(clap::Args)]
pub struct Args {
    /// A training file: {"network": a spec or a built-in one's name, "training": settings}
    spec: PathBuf,
    /// mnist, fashion-mnist, cifar10 (fetched by ./build.sh data), a folder with one folder of pictures for each class,
    /// or photos to learn rotations from
    #[arg(long, value_name = "DIR")]
    data: String,
    /// Passes over the data instead of the training file's number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Epochs after which the network is kept beside the output, as OUTPUT-epoch-N.safetensors; 0 is the start
    #[arg(long, value_name = "E,…", value_delimiter = ',')]
    checkpoints: Vec<usize>,
    /// Go on from the output's state, or from this state file
    #[arg(long, value_name = "FILE")]
    resume: Option<Option<PathBuf>>,
    /// Start from these weights instead of random ones
    #[arg(long, value_name = "M.safetensors", value_parser = safetensors, conflicts_with = "resume")]
    weights: Option<PathBuf>,
    /// Store networks in float16
    #[arg(long)]
    half: bool,
    /// Where to write the network; its state, to go on from, stands beside it as OUTPUT-state.safetensors
    #[arg(long, short, value_name = "M.safetensors", value_parser = safetensors)]
    output: PathBuf,
}

/// States and models are at most as large as what is trained.
const MAX_FILE: u64 = 4 << 30;

pub fn main(args: &Args, json: bool) -> Outcome {
    let experiment = Experiment::parse(&read_text(&args.spec)?).map_err(|e| e.at(&shown(&args.spec)))?;
    if let Some(e) = args.checkpoints.iter().find(|e| **e > 1 << 20) {
        return Err(Failure::Usage(format!("there is no epoch {e}")));
    }
    output::possible(&args.output)?;
    let (data, skipped) = sets::load(&args.data, &experiment)?;
    let data = Arc::new(data);
    let state = beside(&args.output, "-state");
    let mut run = match &args.resume {
        Some(path) => {
            let path = path.as_ref().unwrap_or(&state);
            let bytes = read_file(path, MAX_FILE)?;
            checkpoint::resume(&bytes, data, Some(experiment)).map_err(|e| e.at(&shown(path)))?
        }
        None => {
            let weights = match &args.weights {
                Some(path) => {
                    files::read(&read_file(path, MAX_FILE)?).map_err(|e| e.at(&shown(path)))?.weights
                }
                None => Weights::new(),
            };
            Run::new(experiment, data, weights)?
        }
    };
    if let Some(n) = args.epochs {
        run.set_epochs(n as usize);
    }
    for (name, why) in skipped.iter().take(20) {
        say(json, &format!("skipped {name}: {why}"));
    }
    let kept = epochs(&mut run, args, &state, json)?;
    let model = model(&run, args.half);
    output::file(&args.output, &files::write(&model))?;
    if json {
        let skipped: Vec<_> = skipped.iter().map(|(n, why)| json!({"file": n, "why": why})).collect();
        output::json(&json!({
            "model": model.spec.name, "parameters": model.weights.values().map(|w| w.len()).sum::<usize>(),
            "train": run.data().train.images.len(), "test": run.data().test.images.len(),
            "classes": run.data().classes, "skipped": skipped, "epochs": run.history(),
            "checkpoints": kept.iter().map(|p| shown(p)).collect::<Vec<_>>(),
            "state": shown(&state), "output": shown(&args.output),
        }))?;
    }
    Ok(())
}

/// Trains to the end; whatever goes wrong, the state after the last good epoch is on disk by then: also where a later one
/// cannot be written any more.
fn epochs(run: &mut Run, args: &Args, state: &Path, json: bool) -> Result<Vec<PathBuf>> {
    let mut kept = Vec::new();
    let mut keep = |run: &Run| -> Result<()> {
        if args.checkpoints.contains(&run.epoch()) {
            let path = beside(&args.output, &format!("-epoch-{}", run.epoch()));
            output::file(&path, &files::write(&model(run, args.half)))?;
            kept.push(path);
        }
        Ok(())
    };
    if run.epoch() == 0 {
        keep(run)?;
    }
    let mut last = run.epoch();
    let person = std::io::stderr().is_terminal();
    loop {
        let progress = run.step(Duration::from_millis(500))?;
        if run.epoch() != last {
            last = run.epoch();
            output::file(state, &run.save()).map_err(|e| kept_until(e, state, last))?;
            keep(run)?;
            if let Some(e) = run.history().last() {
                say(json, &line(e));
            }
        } else if person && !json {
            eprint!("\r{:3.0} %\r", 100.0 * progress.fraction);
        }
        if progress.done {
            break;
        }
    }
    Ok(kept)
}

/// What is still there when the disk is full.
fn kept_until(e: Error, state: &Path, epoch: usize) -> Error {
    match state.is_file() {
        true => Error::Parameter(format!(
            "{}; the state before epoch {epoch} is kept: make room, then go on with --resume",
            e.message()
        )),
        false => e,
    }
}

fn line(e: &Epoch) -> String {
    let test = e.test.map_or(String::new(), |t| format!(", test {:.4} {:.2} %", t.loss, 100.0 * t.accuracy));
    format!(
        "epoch {}: train {:.4} {:.2} %{test}, rate {}, {:.0} s",
        e.epoch,
        e.train.loss,
        100.0 * e.train.accuracy,
        e.rate,
        e.seconds
    )
}

/// Lines for people: on stdout, or on a terminal's stderr where stdout is for JSON.
fn say(json: bool, text: &str) {
    if !json {
        // A closed pipe is no reason to stop training.
        let _ = output::text_line(text);
    } else if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}

fn model(run: &Run, half: bool) -> Model {
    let mut model = run.model();
    if half {
        model.weights.values_mut().for_each(|w| *w = w.to_f16());
    }
    model
}

/// `M.safetensors` → `M-state.safetensors`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}{suffix}.safetensors"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// What a folder lacks.
fn missing(what: String) -> Error {
    Error::Parameter(what)
}
