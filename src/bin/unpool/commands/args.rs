//! Arguments that several commands share.

use std::path::PathBuf;
use std::str::FromStr;

/// MODEL, and what belongs to it.
#[derive(clap::Args)]
pub struct ModelArgs {
    /// A model's name or file
    pub model: String,
    /// The layers of a .caffemodel
    #[arg(long, value_name = "FILE")]
    pub prototxt: Option<PathBuf>,
}

/// INPUT, and how a photo is normalised.
#[derive(clap::Args)]
pub struct InputArgs {
    /// A photo, or a tensor (.npy) used as it is
    pub input: PathBuf,
    /// For photos: subtract this instead of the model's mean (0–255, the model's channel order)
    #[arg(long, value_name = "M,…", value_delimiter = ',', allow_hyphen_values = true, value_parser = finite)]
    pub mean: Vec<f32>,
    /// For photos: divide by this instead of the model's standard deviation
    #[arg(long, value_name = "S,…", value_delimiter = ',', value_parser = positive)]
    pub std: Vec<f32>,
}

/// `Y,X`: row and column.
#[derive(Clone, Copy)]
pub struct At(pub [usize; 2]);

impl FromStr for At {
    type Err = String;

    fn from_str(s: &str) -> Result<At, String> {
        let parts: Option<Vec<usize>> = s.split(',').map(|v| v.trim().parse().ok()).collect();
        match parts.as_deref() {
            Some(&[y, x]) => Ok(At([y, x])),
            _ => Err("expected row,column: two whole numbers, such as 6,4".into()),
        }
    }
}

pub fn finite(s: &str) -> Result<f32, String> {
    s.trim().parse().ok().filter(|v: &f32| v.is_finite()).ok_or_else(|| "expected a finite number".into())
}

pub fn positive(s: &str) -> Result<f32, String> {
    finite(s).ok().filter(|v| *v > 0.0).ok_or_else(|| "expected a number above zero".into())
}

/// A path that must end in one of the given extensions.
fn ending(s: &str, extensions: &[&str]) -> Result<PathBuf, String> {
    let path = PathBuf::from(s);
    let has = |e: &&str| path.extension().is_some_and(|x| x.eq_ignore_ascii_case(e));
    if extensions.iter().any(has) {
        return Ok(path);
    }
    Err(format!("expected a file name ending in .{}", extensions.join(" or .")))
}

pub fn npy(s: &str) -> Result<PathBuf, String> {
    ending(s, &["npy"])
}

pub fn npy_or_png(s: &str) -> Result<PathBuf, String> {
    ending(s, &["npy", "png"])
}

pub fn png(s: &str) -> Result<PathBuf, String> {
    ending(s, &["png"])
}

pub fn npz(s: &str) -> Result<PathBuf, String> {
    ending(s, &["npz"])
}

pub fn safetensors(s: &str) -> Result<PathBuf, String> {
    ending(s, &["safetensors"])
}
