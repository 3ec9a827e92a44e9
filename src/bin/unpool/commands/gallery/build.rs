//! `unpool gallery build MODEL DIR…`: every thread takes a file, decodes it and runs the network on it.

use super::super::args::{ModelArgs, safetensors};
use super::super::{Outcome, input, model, output};
use super::files::{self, File};
use super::resume::Unfinished;
use super::write;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use unpool::explain::gallery::{Found, Gallery, Search, add, empty, settle};
use unpool::{Error, Result};

/// Files that all threads go through before the state may be saved: enough for none to wait long at the end.
const ROUND: usize = 64;
/// How often a person is told.
const TELL_EVERY: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Folders of photos (.jpg, .png, .webp) or tensors (.npy), searched with all below them
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Layers whose maps are searched [default: every convolution's and dense layer's output, behind its ReLU]
    #[arg(long, value_name = "L,…", value_delimiter = ',')]
    layers: Vec<String>,
    /// Inputs kept for each map
    #[arg(long, value_name = "K", default_value_t = 9)]
    top: usize,
    /// Where in a photo: 1 = its middle, as every other command sees it; 2 = also both ends of its longer side; 3 =
    /// also squares of half that side all over it. Its best window counts
    #[arg(long, value_name = "N", default_value_t = 1)]
    windows: u8,
    /// Search only the I-th of N parts of the files, I = 1…N, to be merged later
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    /// Where to write the gallery; a search that was interrupted goes on if it is started again
    #[arg(long, short, value_name = "G.safetensors", value_parser = safetensors)]
    output: PathBuf,
}

/// `I/N`.
#[derive(Clone, Copy)]
struct Shard {
    index: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Shard, String> {
        let parts: Option<Vec<usize>> = s.split('/').map(|v| v.trim().parse().ok()).collect();
        match parts.as_deref() {
            Some(&[index, of]) if index >= 1 && index <= of => Ok(Shard { index, of }),
            _ => Err("expected I/N with I from 1 to N, such as 2/4".into()),
        }
    }
}

/// A file that was passed over, and why.
type Skipped = (String, String);

pub fn main(args: &Args, json: bool) -> Outcome {
    let net = model::load(&args.model)?;
    let search = Search::new(net.clone(), &args.layers, args.top, args.windows)?;
    let Shard { index, of } = args.shard;
    let all = files::list(&args.folders)?;
    let files: Vec<File> = all.into_iter().skip(index - 1).step_by(of).collect();
    let mut unfinished = Unfinished::new(&args.output);
    let fresh = empty(&search);
    let taken_up = unfinished.take_up(&fresh, &files)?;
    let resumed = taken_up.as_ref().map_or(0, |(_, done)| *done);
    let (mut gallery, mut done) = taken_up.unwrap_or((fresh, 0));
    let mut skipped: Vec<Skipped> = Vec::new();
    let start = Instant::now();
    while done < files.len() {
        let round = &files[done..files.len().min(done + ROUND)];
        let progress = Progress { done, all: files.len(), resumed, start };
        skipped.extend(run(&search, round, &mut gallery, &progress)?);
        done += round.len();
        if done < files.len() {
            unfinished.keep(&gallery, &files, done)?;
        }
    }
    if gallery.header.searched == 0 && !files.is_empty() {
        let (name, why) = skipped.first().cloned().unwrap_or_default();
        return Err(Error::Malformed(format!(
            "none of {} files can be searched; the first, {name}: {why}",
            files.len()
        ))
        .into());
    }
    settle(&mut gallery);
    write(&args.output, &gallery)?;
    unfinished.done()?;
    model::warn(&net);
    report(args, json, &gallery, &skipped, start.elapsed().as_secs_f64(), files.len() - resumed)
}

fn report(
    args: &Args,
    json: bool,
    gallery: &Gallery,
    skipped: &[Skipped],
    seconds: f64,
    files: usize,
) -> Outcome {
    let rate = files as f64 / seconds.max(1e-9);
    let maps: usize = gallery.layers.iter().map(|l| l.maps.len()).sum();
    let header = &gallery.header;
    if json {
        let skipped: Vec<_> = skipped.iter().map(|(name, why)| json!({"image": name, "why": why})).collect();
        output::json(&json!({
            "searched": header.searched, "skipped": skipped, "maps": maps, "seconds": seconds, "rate": rate,
            "layers": gallery.layers.iter().map(|l| &l.name).collect::<Vec<_>>(),
            "output": args.output.display().to_string(),
        }))?;
        return Ok(());
    }
    for (name, why) in skipped {
        eprintln!("skipped: {name}: {why}");
    }
    output::text_line(&format!(
        "{}: {maps} maps of {} layers over {} inputs, {} skipped, {rate:.1} files a second",
        args.output.display(),
        gallery.layers.len(),
        header.searched,
        header.skipped
    ))?;
    Ok(())
}

/// Searches some files on all threads, each for itself: a whole input on one core shares nothing with
/// its neighbours, and its numbers cannot depend on who they are.
fn run(search: &Search, files: &[File], gallery: &mut Gallery, progress: &Progress) -> Result<Vec<Skipped>> {
    let next = AtomicUsize::new(0);
    let state = Mutex::new((gallery, Vec::new(), Instant::now()));
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = one(search, file);
            let mut state = state.lock().unwrap_or_else(|e| e.into_inner());
            let (gallery, skipped, told) = &mut *state;
            match found {
                Ok(found) => add(gallery, &file.name, &found),
                Err(e) => {
                    gallery.header.skipped += 1;
                    skipped.push((file.name.clone(), e.message().to_owned()));
                }
            }
            if told.elapsed() > TELL_EVERY {
                *told = Instant::now();
                progress.tell(next.load(Ordering::Relaxed).min(files.len()));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(files.len()) {
            scope.spawn(|| {
                // Kernels split their work over the pool they run in: here that is this thread alone.
                let alone = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
                match alone {
                    Ok(pool) => pool.install(work),
                    Err(_) => work(),
                }
            });
        }
    });
    progress.tell(files.len());
    let (_, mut skipped, _) = state.into_inner().unwrap_or_else(|e| e.into_inner());
    skipped.sort();
    Ok(skipped)
}

/// The maxima of one file.
fn one(search: &Search, file: &File) -> Result<Found> {
    match input::open(&file.path)? {
        input::Opened::Picture(picture) => search.photo(&picture),
        input::Opened::Tensor(given) => {
            let s = given.tensor.shape();
            let mut found = search.begin([s.h, s.w]);
            search.tensor(given.tensor, 0, &mut found)?;
            Ok(found)
        }
    }
}

/// What a person at a terminal is told.
struct Progress {
    done: usize,
    all: usize,
    resumed: usize,
    start: Instant,
}

impl Progress {
    fn tell(&self, more: usize) {
        let mut err = std::io::stderr();
        if !err.is_terminal() {
            return;
        }
        let done = self.done + more;
        let rate = (done - self.resumed) as f64 / self.start.elapsed().as_secs_f64().max(1e-9);
        let left = (self.all - done) as f64 / rate.max(1e-9);
        let text = format!("gallery: {done} of {}, {rate:.1} a second, {left:.0} s left", self.all);
        let end = if done == self.all { "\r" } else { "" };
        let line = if done == self.all { String::new() } else { text };
        let _ = write!(err, "\r{line:78}{end}");
    }
}
