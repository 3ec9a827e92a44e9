//! From `--data` to a data set: a known one's files, one folder for each class, or photos.

use super::super::input::read_file;
use super::missing;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use unpool::image::{self, Picture};
use unpool::train::recipe::Task;
use unpool::train::{Data, Experiment};
use unpool::{Error, Result};

/// The sets that `./build.sh data` fetches.
const KNOWN: [&str; 3] = ["mnist", "fashion-mnist", "cifar10"];
const FILES: [&str; 4] = ["train-images.idx", "train-labels.idx", "test-images.idx", "test-labels.idx"];
const MAX_FILE: u64 = 1 << 30;

/// Loads it; with what was skipped, by name, and why.
pub fn load(name: &str, experiment: &Experiment) -> Result<(Data, Vec<(String, String)>)> {
    let folder = find(name)?;
    let input = experiment.network.input.shape;
    if input.c == 0 || input.h == 0 || input.w == 0 || input.h.max(input.w) > 1 << 12 {
        return Err(Error::Shape(format!(
            "an input of {input} cannot be trained with; use 1 to 4096 pixels a side"
        )));
    }
    if folder.join(FILES[0]).is_file() {
        return Ok((idx(&folder)?, Vec::new()));
    }
    let mut skipped = Vec::new();
    if experiment.training.task == Task::Rotations {
        let files = super::super::gallery::files::list(&[folder])?;
        let photos: Vec<Picture> =
            files.iter().filter_map(|f| decode(&f.path, &f.name, &mut skipped)).collect();
        if photos.is_empty() {
            return Err(missing(format!("{name} holds no photo that could be read; {}", first(&skipped))));
        }
        return Ok((Data::photos(photos, input)?, skipped));
    }
    let classes = classes(&folder)?;
    let mut pictures = Vec::new();
    for (label, (class, files)) in classes.iter().enumerate() {
        for path in files {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            if let Some(picture) = decode(path, &format!("{class}/{file}"), &mut skipped) {
                // Resized at once: the originals of a large folder would not fit.
                pictures.push((picture.fit(input.h, input.w)?, label));
            }
        }
    }
    let names = classes.into_keys().collect();
    let data = Data::labelled(pictures, names, input).map_err(|e| {
        if skipped.is_empty() { e } else { missing(format!("{}; {}", e.message(), first(&skipped))) }
    })?;
    Ok((data, skipped))
}

fn first(skipped: &[(String, String)]) -> String {
    match skipped {
        [] => "it is empty".into(),
        [(name, why), ..] => format!("{} were skipped, the first is {name}: {why}", skipped.len()),
    }
}

fn find(name: &str) -> Result<PathBuf> {
    if !KNOWN.contains(&name) {
        let path = PathBuf::from(name);
        if path.is_dir() {
            return Ok(path);
        }
        return Err(missing(format!("{name} is no folder; give one, or one of {}", KNOWN.join(", "))));
    }
    let own = std::env::var_os("UNPOOL_DATA").filter(|v| !v.is_empty()).map(PathBuf::from);
    let places: Vec<PathBuf> = own.into_iter().chain([PathBuf::from("cache/data")]).collect();
    let found = places.iter().map(|p| p.join(name)).find(|p| p.join(FILES[0]).is_file());
    found.ok_or_else(|| {
        missing(format!(
            "{name} is not there; fetch it with ./build.sh data {name}, or point UNPOOL_DATA to the folder above it"
        ))
    })
}

fn idx(folder: &Path) -> Result<Data> {
    let mut files = Vec::new();
    for file in FILES {
        files.push(read_file(&folder.join(file), MAX_FILE)?);
    }
    let classes = folder.join("classes.txt");
    let names = match classes.is_file() {
        true => super::read_text(&classes)?.lines().map(String::from).collect(),
        false => Vec::new(),
    };
    Data::idx([&files[0], &files[1], &files[2], &files[3]], names)
        .map_err(|e| e.at(&folder.display().to_string()))
}

/// Pictures by class: the folder's own folders, by name.
fn classes(folder: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let cannot =
        |path: &Path, e: std::io::Error| missing(format!("cannot read the folder {}: {e}", path.display()));
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|e| cannot(folder, e))? {
        let path = entry.map_err(|e| cannot(folder, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !path.is_dir() || name.starts_with('.') {
            continue;
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(|e| cannot(&path, e))? {
            let file = entry.map_err(|e| cannot(&path, e))?.path();
            let hidden = file.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
            if file.is_file() && !hidden {
                files.push(file);
            }
        }
        files.sort();
        if !files.is_empty() {
            all.insert(name, files);
        }
    }
    if all.len() < 2 {
        return Err(missing(format!(
            "{} holds {} folder{} with files; at least two classes are needed, one folder of pictures for each",
            folder.display(),
            all.len(),
            if all.len() == 1 { "" } else { "s" }
        )));
    }
    Ok(all)
}

fn decode(path: &Path, name: &str, skipped: &mut Vec<(String, String)>) -> Option<Picture> {
    match read_file(path, MAX_FILE).and_then(|bytes| image::decode(&bytes)) {
        Ok(picture) => Some(picture),
        Err(e) => {
            skipped.push((name.into(), e.message().into()));
            None
        }
    }
}
