//! `unpool sparse code DICTIONARY INPUT`: a photo's maps in a dictionary, and what each layer reconstructs.

use super::super::args::positive;
use super::super::input::{self, Opened, read_file};
use super::super::{Failure, Outcome, output};
use super::{MethodName, sheet};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unpool::format::{dictionary, npy};
use unpool::image::{self, Picture};
use unpool::sparse::code::{Coding, Options};
use unpool::sparse::photo;
use unpool::spec::Order;
use unpool::tensor::{Rect, Tensor};
use unpool::{Error, Result};

/// Dictionaries are small; what is larger is something else.
const MAX_FILE: u64 = 1 << 30;

#[derive(clap::Args)]
pub struct Args {
    /// A dictionary written by `unpool sparse learn`
    dictionary: PathBuf,
    /// A photo, or a tensor (.npy, channels × rows × columns, as many channels as the dictionary has; used as it is, its contrast normalised already)
    input: PathBuf,
    /// Layers to infer [default: all]
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
    /// λ of each layer [default: the dictionary's]
    #[arg(long, value_name = "λ,…", value_delimiter = ',', allow_hyphen_values = true)]
    lambda: Vec<f64>,
    /// Choose λ so that about 5 % of the values are not zero, in every layer without a --lambda
    #[arg(long)]
    automatic: bool,
    /// How it is solved
    #[arg(long, value_enum, default_value = "fista")]
    method: MethodName,
    /// Iterations for each layer
    #[arg(long, value_name = "N", default_value_t = 10)]
    iterations: usize,
    /// Photos: reduce to this side [default: the dictionary's]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..=4096))]
    side: Option<u16>,
    /// Pictures: c in 0.5 + c·x / (2·max|x|) [default: such that 1 % of the non-zero pixels clip]
    #[arg(long, value_name = "C", value_parser = positive)]
    contrast: Option<f32>,
    /// Folder for image, maps (z1.npy …), reconstructions and filters in pixels (.npy and .png); made if it is not there
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// A dictionary's file.
pub fn read(path: &Path) -> Result<dictionary::Dictionary> {
    dictionary::read(&read_file(path, MAX_FILE)?).map_err(|e| e.at(&path.display().to_string()))
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let dictionary = Arc::new(read(&args.dictionary)?);
    let about = &dictionary.about;
    let side = args.side.map_or(about.side, usize::from);
    let opened = input::open(&args.input)?;
    let options = Options {
        layers: args.layers,
        lambda: args.lambda.clone(),
        automatic: args.automatic,
        method: args.method.into(),
        iterations: args.iterations,
    };
    let mut job = match opened {
        Opened::Picture(picture) => {
            Coding::new(dictionary.clone(), &photo::read(&picture, about.channels, side)?, &options)?
        }
        // Like every tensor on the command line: used as it is.
        Opened::Tensor(given) => Coding::of_normalised(dictionary.clone(), given.tensor, &options)?,
    };
    output::watch("coding", &mut job)?;
    if let Some(folder) = &args.output {
        write(folder, &job, args.contrast)?;
    }
    let mut layers = Vec::new();
    for (i, c) in job.coded().iter().enumerate() {
        let s = c.solver().expect("its iterations are over");
        layers.push(json!({
            "layer": i + 1, "shape": c.shape(), "lambda": s.problem().lambda, "step": s.problem().step, "norm2": c.norm2(),
            "objective": s.objective(), "start": s.start(), "error": s.error(), "nonzero": s.support(),
            "support": s.support() as f64 / s.z().len() as f64,
        }));
        if !json {
            output::text_line(&format!(
                "layer {}: {} maps of {}×{}; objective {:.4}; {:.1} % of the image left; {:.2} % of the values are not zero; λ {:.4}",
                i + 1,
                c.shape().c,
                c.shape().h,
                c.shape().w,
                s.objective().last().copied().unwrap_or(f64::NAN),
                100.0 * s.error(),
                100.0 * s.support() as f64 / s.z().len() as f64,
                s.problem().lambda
            ))?;
        }
    }
    if json {
        let written = args.output.as_ref().map(|p| p.display().to_string());
        output::json(&json!({ "layers": layers, "output": written }))?;
    }
    Ok(())
}

fn write(folder: &Path, job: &Coding, contrast: Option<f32>) -> std::result::Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::Parameter(format!("cannot make the folder {}: {e}", folder.display())))?;
    let image = job.image();
    let array = |name: &str, shape: &[usize], values: &[f32]| {
        output::file(&folder.join(format!("{name}.npy")), &npy::write(shape, values)?)
    };
    let picture = |name: &str, values: &Tensor| -> Result<()> {
        output::file(&folder.join(format!("{name}.png")), &image::encode_png(&shown(values, contrast)?)?)
    };
    let s = image.shape();
    array("image", &[s.c, s.h, s.w], image.data())?;
    picture("image", image)?;
    for (i, c) in job.coded().iter().enumerate() {
        let (l, z) = (i + 1, c.shape());
        array(&format!("z{l}"), &[z.c, z.h, z.w], &c.z())?;
        let rebuilt = Tensor::new(s, c.reconstruction(image.data()))?;
        array(&format!("reconstruction{l}"), &[s.c, s.h, s.w], rebuilt.data())?;
        picture(&format!("reconstruction{l}"), &rebuilt)?;
        let cells: Vec<Option<Picture>> = job
            .filters(l)?
            .iter()
            .map(|p| p.as_ref().map(|p| shown(&p.pixels, contrast)).transpose())
            .collect::<Result<_>>()?;
        let sheet = sheet::of(&cells, if l == 1 { 6 } else { 1 })?;
        output::file(&folder.join(format!("filters{l}.png")), &image::encode_png(&sheet)?)?;
    }
    Ok(())
}

/// As a picture, zero mid-grey.
pub fn shown(values: &Tensor, contrast: Option<f32>) -> Result<Picture> {
    let rect: Rect = values.rect;
    Ok(image::display(values, rect, Order::Rgb, contrast)?.0)
}
