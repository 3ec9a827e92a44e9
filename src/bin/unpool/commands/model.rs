//! From MODEL to a network.

use super::args::ModelArgs;
use super::input::{read_file, read_text};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unpool::format::{self, Options};
use unpool::net::Net;
use unpool::{Error, Result};

/// Larger files are no model that this machine should try to hold.
pub const MAX_FILE: u64 = 8 << 30;

/// Finds, reads and builds a model.
pub fn load(args: &ModelArgs) -> Result<Arc<Net>> {
    let path = find(&args.model)?;
    let place = path.display().to_string();
    let bytes = read_file(&path, MAX_FILE)?;
    let prototxt = args.prototxt.as_deref().map(read_text).transpose()?;
    let options = Options { file_name: &place, prototxt: prototxt.as_deref(), ..Options::default() };
    let net = format::convert(&bytes, &options).and_then(|(model, _)| Net::new(model));
    Ok(Arc::new(net.map_err(|e| e.at(&place))?))
}

/// Says on stderr that weights are no numbers, if so. For when the work is done and written: what fails says one line.
pub fn warn(net: &Net) {
    let (n, name) = (net.broken(), &net.spec().name);
    if n > 0 {
        let (weights, them) = if n == 1 { ("weight is", "it") } else { ("weights are", "them") };
        eprintln!(
            "warning: {n} {weights} NaN or infinite in {name}: the file is damaged or its training diverged; \
             what depends on {them} means nothing"
        );
    }
}

/// The file a MODEL argument means.
fn find(model: &str) -> Result<PathBuf> {
    let path = Path::new(model);
    // A name has no folder and no extension; anything that exists is a file.
    if path.components().count() != 1 || path.extension().is_some() {
        return Ok(path.into());
    }
    let folders: Vec<PathBuf> = std::env::var_os("UNPOOL_MODELS")
        .filter(|v| !v.is_empty())
        .map(PathBuf::from)
        .into_iter()
        .chain([PathBuf::from("models")])
        .collect();
    let file = format!("{model}.safetensors");
    if let Some(found) = folders.iter().map(|f| f.join(&file)).find(|p| p.is_file()) {
        return Ok(found);
    }
    if path.is_file() {
        return Ok(path.into());
    }
    let places: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
    let mut names: Vec<String> = folders.iter().flat_map(|f| names(f)).collect();
    names.sort();
    names.dedup();
    let hint = if names.is_empty() {
        "make models with ./build.sh models, point UNPOOL_MODELS to their folder, or give a file".into()
    } else {
        format!("there are: {}", names.join(", "))
    };
    Err(Error::Parameter(format!("no model is called “{model}” in {}; {hint}", places.join(" or "))))
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
        .filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned()))
        .collect()
}
