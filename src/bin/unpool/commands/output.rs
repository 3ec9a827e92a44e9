//! Results: text and JSON on stdout, files that are either whole or not there, progress for people.

use serde::Serialize;
use std::fs;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use unpool::job::Job;
use unpool::{Error, Result};

/// Prints a JSON document.
pub fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::Unsupported(format!("the result has no JSON form: {e}")))?;
    text_line(&text)
}

/// Prints text and a line break. A reader who has seen enough (`| head`) is no error.
pub fn text_line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Parameter(format!("cannot write to standard output: {e}")))
        }
        _ => Ok(()),
    }
}

/// Columns under a heading; those named in `right` hold numbers.
pub fn table(heading: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let wide = |s: &str| s.chars().count();
    let mut widths: Vec<usize> = heading.iter().map(|h| wide(h)).collect();
    for row in rows {
        for (w, cell) in widths.iter_mut().zip(row) {
            *w = (*w).max(wide(cell));
        }
    }
    let line = |cells: Vec<&str>| {
        let cells = cells.into_iter().enumerate().map(|(i, cell)| {
            let (w, gap) = (widths[i], widths[i].saturating_sub(wide(cell)));
            if right.contains(&i) { format!("{}{cell}", " ".repeat(gap)) } else { format!("{cell:w$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines = rows.iter().map(|r| line(r.iter().map(String::as_str).collect()));
    std::iter::once(line(heading.to_vec())).chain(lines).collect::<Vec<_>>().join("\n")
}

/// Writes a file so that its name never stands for half of it: a neighbour is written, then renamed.
pub fn file(path: &Path, bytes: &[u8]) -> Result<()> {
    file_if(path, |f| f.write_all(bytes), || Ok(()))
}

/// The same for what is written piece by piece, and stands under its name only if `check` says so afterwards.
pub fn file_if(
    path: &Path,
    write: impl FnOnce(&mut fs::File) -> std::io::Result<()>,
    check: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let cannot = |e: std::io::Error| Error::Parameter(format!("cannot write {}: {e}", path.display()));
    let there = fs::metadata(path).ok();
    if there.as_ref().is_some_and(|m| !m.is_file() && !m.is_dir()) {
        // A device or a pipe has no halves, and must not be replaced by a file.
        fs::OpenOptions::new().write(true).open(path).and_then(|mut f| write(&mut f)).map_err(cannot)?;
        return check();
    }
    // A link stays a link: what it points to is replaced.
    let target = if there.is_some() { path.canonicalize().map_err(cannot)? } else { path.to_owned() };
    let name = target.file_name().ok_or_else(|| cannot(ErrorKind::IsADirectory.into()))?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.part", std::process::id()));
    let beside = Part(target.with_file_name(beside));
    let mut f = fs::OpenOptions::new().write(true).create_new(true).open(&beside.0).map_err(cannot)?;
    if let Some(m) = there {
        f.set_permissions(m.permissions()).map_err(cannot)?;
    }
    write(&mut f).map_err(cannot)?;
    // The disk takes its time: what is in doubt is looked at meanwhile.
    let (synced, checked) = std::thread::scope(|s| {
        let synced = s.spawn(|| f.sync_all());
        let checked = check();
        (synced.join(), checked)
    });
    synced.unwrap_or_else(|_| Err(std::io::Error::other("the writing thread ended"))).map_err(cannot)?;
    drop(f);
    checked?;
    fs::rename(&beside.0, &target).map_err(cannot)
}

/// Refuses a file that could not be written, before hours are spent on it.
pub fn possible(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = Part(folder.join(format!(".unpool.{}.part", std::process::id())));
    let cannot = |e: std::io::Error| Error::Parameter(format!("cannot write {}: {e}", path.display()));
    if path.is_dir() {
        return Err(cannot(ErrorKind::IsADirectory.into()));
    }
    fs::write(&probe.0, [0; 256]).map_err(cannot)
}

/// Removes the unfinished file on every way out; after the rename there is nothing left to remove.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A line for the person who waits or reads a log; results go to stdout.
pub fn note(text: &str) {
    // Nobody listening is no reason to stop working.
    let _ = writeln!(std::io::stderr(), "note: {text}");
}

/// Above so many items the time is told before most of it has passed.
const MANY: usize = 5000;

/// The same as [`watch`] for a job of `n` items that may take long: how long is said first, measured on the first of them.
pub fn watch_many(what: &str, n: usize, job: &mut dyn Job) -> Result<()> {
    if n <= MANY {
        return watch(what, job);
    }
    let start = Instant::now();
    loop {
        let progress = job.step(Duration::from_millis(50))?;
        if progress.done {
            return Ok(());
        }
        let spent = start.elapsed();
        // Long enough to be a measure, or enough of the whole to be one.
        if spent >= Duration::from_millis(500) || progress.fraction >= 0.02 {
            let left = left(spent, progress.fraction, progress.fraction);
            let measured = (progress.fraction * n as f64).round();
            note(&format!(
                "{n} positions take about {left} more, measured on the first {measured}; Ctrl-C stops"
            ));
            return watch(what, job);
        }
    }
}

/// What the rest beyond `fraction` takes at the pace of `done` in the time spent.
fn left(spent: Duration, done: f64, fraction: f64) -> String {
    let seconds = spent.as_secs_f64() * (1.0 - fraction) / done.max(1e-9);
    if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}

/// Runs a job to its end, with a percentage and the seconds left on stderr if a person is looking.
pub fn watch(what: &str, job: &mut dyn Job) -> Result<()> {
    let mut err = std::io::stderr();
    if !err.is_terminal() {
        return unpool::job::run(job);
    }
    let start = Instant::now();
    let mut shown = 0;
    // The pace is that since the first step: the job may have been begun before.
    let mut begun = None;
    let result = loop {
        match job.step(Duration::from_millis(100)) {
            Ok(p) if p.done => break Ok(()),
            Ok(p) => {
                let (since, before) = *begun.get_or_insert((Instant::now(), p.fraction));
                if start.elapsed() > Duration::from_millis(500) && p.fraction > before {
                    let left = left(since.elapsed(), p.fraction - before, p.fraction);
                    let line = format!("{what}: {:3.0} %, {left} left", p.fraction * 100.0);
                    let _ = write!(err, "\r{line:shown$}");
                    shown = shown.max(line.chars().count());
                }
            }
            Err(e) => break Err(e),
        }
    };
    if shown > 0 {
        let _ = write!(err, "\r{}\r", " ".repeat(shown));
    }
    result
}
