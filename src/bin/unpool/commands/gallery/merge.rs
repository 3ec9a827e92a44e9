//! `unpool gallery merge A B… --output G`.

use super::super::args::safetensors;
use super::super::{Outcome, output};
use super::{read, write};
use serde_json::json;
use std::path::PathBuf;
use unpool::explain::gallery;

#[derive(clap::Args)]
pub struct Args {
    /// Galleries of parts of a set; of layers that only some hold, those are merged
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
    let all = args.galleries.iter().map(|path| read(path)).collect::<unpool::Result<Vec<_>>>()?;
    let all = gallery::unite(all, &args.layers)?;
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
