//! `unpool gallery build | merge | show`: which inputs excite each feature map most.

mod build;
pub(super) mod files;
mod merge;
mod resume;
mod sheet;
mod show;

use super::input::read_file;
use super::{Outcome, output};
use std::path::Path;
use unpool::Result;
use unpool::format::gallery::{self, Gallery};

/// Galleries are small; what is larger is something else.
const MAX_FILE: u64 = 1 << 30;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Search folders of photos or tensors (.npy)
    Build(build::Args),
    /// Join galleries of parts of a set, in any order; with one, take layers out of it
    Merge(merge::Args),
    /// Say what a gallery holds, or show a map's patches and projections as a picture
    Show(show::Args),
}

pub fn main(command: &Command, json: bool) -> Outcome {
    match command {
        Command::Build(a) => build::main(a, json),
        Command::Merge(a) => merge::main(a, json),
        Command::Show(a) => show::main(a, json),
    }
}

pub fn read(path: &Path) -> Result<Gallery> {
    gallery::read(&read_file(path, MAX_FILE)?).map_err(|e| e.at(&path.display().to_string()))
}

fn write(path: &Path, gallery: &Gallery) -> Result<()> {
    output::file(path, &gallery::write(gallery))
}
