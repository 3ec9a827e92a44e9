//! What a search goes through: the photos and tensors in some folders.

use std::fs;
use std::path::{Path, PathBuf};
use unpool::{Error, Result};

/// One input.
pub struct File {
    /// Relative to its folder, parts separated by `/`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Every photo and tensor below the folders, by name. Hidden files, other files and links to folders are
/// passed over.
pub fn list(folders: &[PathBuf]) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for folder in folders {
        let before = files.len();
        walk(folder, "", &mut files)?;
        if files.len() == before {
            return Err(Error::Parameter(format!(
                "{} holds no photo (.jpg, .jpeg, .png, .webp) and no tensor (.npy); give a folder that does",
                folder.display()
            )));
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(w) = files.windows(2).find(|w| w[0].name == w[1].name) {
        return Err(Error::Parameter(format!(
            "{} and {} would both be called {}; give the folder above them",
            w[0].path.display(),
            w[1].path.display(),
            w[0].name
        )));
    }
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<()> {
    let cannot =
        |e: std::io::Error| Error::Parameter(format!("cannot read the folder {}: {e}", folder.display()));
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let part = entry.file_name();
        let part = part.to_string_lossy();
        if part.starts_with('.') {
            continue;
        }
        let name = if prefix.is_empty() { part.into_owned() } else { format!("{prefix}/{part}") };
        if entry.file_type().map_err(cannot)?.is_dir() {
            walk(&entry.path(), &name, files)?;
        } else if is_input(&entry.path()) {
            files.push(File { name, path: entry.path() });
        }
    }
    Ok(())
}

fn is_input(path: &Path) -> bool {
    let known = ["jpg", "jpeg", "png", "webp", "npy"];
    path.extension().is_some_and(|e| known.iter().any(|k| e.eq_ignore_ascii_case(k)))
}
