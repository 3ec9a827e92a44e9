//! `unpool sparse show DICTIONARY`: what is in it, and what learning it recorded.

use super::super::{Outcome, args, output};
use super::{code, learn, sheet};
use serde_json::json;
use std::path::PathBuf;
use unpool::image;

#[derive(clap::Args)]
pub struct Args {
    /// A dictionary
    dictionary: PathBuf,
    /// A picture of layer 1's filters
    #[arg(long, value_name = "PNG", value_parser = args::png)]
    sheet: Option<PathBuf>,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let dictionary = code::read(&args.dictionary)?;
    if let Some(path) = &args.sheet {
        output::file(path, &image::encode_png(&sheet::of(&learn::cells(&dictionary)?, 8)?)?)?;
    }
    if json {
        let layers: Vec<_> =
            dictionary.layers.iter().map(|l| json!({ "shape": l.shape, "spec": l.spec })).collect();
        output::json(&json!({ "about": dictionary.about, "layers": layers }))?;
        return Ok(());
    }
    let a = &dictionary.about;
    output::text_line(&format!("{}\n{}\nlicence: {}", a.title, a.origin, a.licence))?;
    for (i, l) in dictionary.layers.iter().enumerate() {
        output::text_line(&learn::said(i + 1, l))?;
    }
    Ok(())
}
