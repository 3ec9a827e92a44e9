//! `unpool gallery merge A B… --output G`.

use super::super::args::safetensors;
use super::super::{Outcome, output};
use super::{read, write};
use serde_json::json;
use std::path::PathBuf;
use unpool::explain::gallery;

#[derive(clap::Args)]
pub struct Args {
    /// Galleries of parts of a set
    #[arg(required = true, value_name = "G")]
    galleries: Vec<PathBuf>,
    /// Keep only these layers
    #[arg(long, value_name = "L,…", value_delimiter = ',')]
    layers: Vec<String>,
    /// Where to write the whole
    #[arg(long, short, value_name = "G.safetensors", value_parser = safetensors)]
    output: PathBuf,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let mut all = read(&args.galleries[0])?;
    for path in &args.galleries[1..] {
        all = gallery::merge(all, read(path)?).map_err(|e| e.at(&path.display().to_string()))?;
    }
    if !args.layers.is_empty() {
        all = gallery::select(all, &args.layers)?;
    }
    write(&args.output, &all)?;
    let header = &all.header;
    if json {
        output::json(&json!({
            "searched": header.searched, "skipped": header.skipped,
            "layers": all.layers.iter().map(|l| &l.name).collect::<Vec<_>>(),
            "output": args.output.display().to_string(),
        }))?;
    } else {
        output::text_line(&format!(
            "{}: {} layers over {} inputs, {} skipped",
            args.output.display(),
            all.layers.len(),
            header.searched,
            header.skipped
        ))?;
    }
    Ok(())
}
