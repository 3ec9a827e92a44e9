//! Dispatch, and how failures leave the program: one line on stderr, 1 when it could not be done, 2 for usage.

mod args;
mod classify;
mod convert;
mod correspondence;
mod filters;
mod gallery;
mod half;
mod http;
mod info;
mod input;
mod invariance;
mod model;
mod occlude;
mod output;
mod project;
mod run;
mod self_test;
mod serve;
mod sparse;
mod train;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// See what a convolutional network sees: deconvnet projections on the command line.
///
/// MODEL is a name found as NAME.safetensors in $UNPOOL_MODELS or ./models/, or a file. INPUT is a
/// photo (JPEG, PNG, WebP) or an already normalised tensor (.npy: C,H,W or 1,C,H,W).
#[derive(Parser)]
#[command(name = "unpool", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON document on stdout and nothing else there
    #[arg(long, global = true, display_order = 100)]
    json: bool,
    /// Threads to compute with [default: all cores]
    #[arg(long, global = true, display_order = 101, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

#[derive(Subcommand)]
enum Command {
    /// Say what is in a model
    Info(info::Args),
    /// Run a network and write a layer's activation
    Run(run::Args),
    /// Say what is in a photo
    Classify(classify::Args),
    /// Project part of a layer's activation to the pixels
    Project(project::Args),
    /// Slide a square over a photo and record what the prediction does
    Occlude(occlude::Args),
    /// Move, scale or rotate a photo and measure how far each layer's features go
    Invariance(invariance::Args),
    /// Hide the same part of several photos and measure whether features change alike
    Correspondence(correspondence::Args),
    /// Find the photos that excite each feature map most
    #[command(subcommand)]
    Gallery(gallery::Command),
    /// Sparse deconvolution: what few inputs explain a response
    #[command(subcommand)]
    Sparse(sparse::Command),
    /// Say what is wrong with a network's first filters
    Filters(filters::Args),
    /// Train a network
    Train(train::Args),
    /// Import a network from another format
    Convert(convert::Args),
    /// Serve the page on this machine, with the headers that threads need
    Serve(serve::Args),
}

/// Why a command ends early.
enum Failure {
    /// The arguments do not go together.
    Usage(String),
    /// It could not be done.
    Failed(unpool::Error),
}

impl From<unpool::Error> for Failure {
    fn from(e: unpool::Error) -> Failure {
        Failure::Failed(e)
    }
}

type Outcome = Result<(), Failure>;

pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // A bug of ours: still one line and exit code 1, and enough to find it by.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref().copied());
        let what = text.unwrap_or("no message").replace('\n', " ");
        eprintln!("error: internal fault at {place}: {what}; please report it with the command you ran");
        std::process::exit(1);
    }));
    let cli = Cli::parse();
    // 0 leaves the choice to rayon: all cores.
    let threads = cli.threads.map_or(0, usize::from);
    if let Err(e) = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        return fail(&format!("{threads} threads cannot be started: {e}"), 1);
    }
    let json = cli.json;
    let outcome = match cli.command {
        Command::Info(a) => info::main(&a, json),
        Command::Run(a) => run::main(&a, json),
        Command::Classify(a) => classify::main(&a, json),
        Command::Project(a) => project::main(&a, json),
        Command::Occlude(a) => occlude::main(&a, json),
        Command::Invariance(a) => invariance::main(&a, json),
        Command::Correspondence(a) => correspondence::main(&a, json),
        Command::Gallery(a) => gallery::main(&a, json),
        Command::Sparse(a) => sparse::main(&a, json),
        Command::Filters(a) => filters::main(&a, json),
        Command::Train(a) => train::main(&a, json),
        Command::Convert(a) => convert::main(&a, json),
        Command::Serve(a) => serve::main(&a, json),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(m)) => fail(&m, 2),
        Err(Failure::Failed(e)) => fail(e.message(), 1),
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    // File names and names inside models may hold anything, line breaks included.
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    eprintln!("error: {line}");
    ExitCode::from(code)
}
