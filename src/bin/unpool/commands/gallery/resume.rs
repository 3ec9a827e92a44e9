//! An interrupted search goes on where it stopped: what it had is kept beside its output.

use super::files::File;
use super::{read, write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use unpool::explain::gallery::{Gallery, settle};
use unpool::{Error, Result};

/// No more than this is lost.
const EVERY: Duration = Duration::from_secs(10);

/// The file of an unfinished search.
pub struct Unfinished {
    path: PathBuf,
    saved: Instant,
}

impl Unfinished {
    /// Beside the output, under a name of its own.
    pub fn new(output: &Path) -> Unfinished {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        name.push(".unfinished");
        Unfinished { path: output.with_file_name(name), saved: Instant::now() }
    }

    /// What an earlier run has left, and how many files of the list it is done with; `None` where
    /// there is none, or where it was another search.
    pub fn take_up(&self, fresh: &Gallery, files: &[File]) -> Result<Option<(Gallery, usize)>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let Ok(mut found) = read(&self.path) else { return Ok(None) };
        let stated = found.header.unfinished.take();
        let alike = |a: &Gallery, b: &Gallery| {
            let maps =
                |g: &Gallery| g.layers.iter().map(|l| (l.name.clone(), l.maps.len())).collect::<Vec<_>>();
            let mut header = a.header.clone();
            (header.searched, header.skipped) = (b.header.searched, b.header.skipped);
            header == b.header && maps(a) == maps(b)
        };
        let done = stated.as_deref().and_then(|s| s.split(' ').next()?.parse::<usize>().ok());
        let done = done.filter(|&n| n <= files.len() && stated.as_deref() == Some(&mark(files, n)));
        Ok(done.filter(|_| alike(&found, fresh)).map(|n| (found, n)))
    }

    /// Saves if that is due.
    pub fn keep(&mut self, gallery: &Gallery, files: &[File], done: usize) -> Result<()> {
        if self.saved.elapsed() < EVERY {
            return Ok(());
        }
        let mut copy = gallery.clone();
        settle(&mut copy);
        copy.header.unfinished = Some(mark(files, done));
        write(&self.path, &copy)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// The search is finished: nothing to go on with.
    pub fn done(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Parameter(format!("cannot remove {}: {e}", self.path.display())))
            }
            _ => Ok(()),
        }
    }
}

/// How far it is, and a sum over the names of what is done: files that came or went meanwhile show.
fn mark(files: &[File], done: usize) -> String {
    let mut sum = crc32fast::Hasher::new();
    files[..done].iter().for_each(|f| sum.update(format!("{}\n", f.name).as_bytes()));
    format!("{done} of {} files, {:08x}", files.len(), sum.finalize())
}
