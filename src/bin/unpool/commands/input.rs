//! From INPUT to a tensor, and back to the rank it came in.

use super::args::InputArgs;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use unpool::format::npy;
use unpool::image::Picture;
use unpool::spec::Input;
use unpool::tensor::{Shape, Tensor};
use unpool::{Error, Result, image};

/// Larger files are neither a photo nor a tensor for a network.
const MAX_FILE: u64 = 1 << 30;

/// What a network is given.
pub struct Given {
    /// The normalised input.
    pub tensor: Tensor,
    kind: Rank,
    photo: bool,
}

/// How the user's array was shaped; results come back alike.
#[derive(Clone, Copy)]
enum Rank {
    /// C,H,W; photos too.
    Three,
    /// 1,C,H,W.
    Four,
    /// 1,K.
    Two,
}

impl Given {
    /// Whether it was a photo, not a tensor.
    pub fn is_photo(&self) -> bool {
        self.photo
    }

    /// The shape under which a result is written.
    pub fn shape(&self, s: Shape) -> Vec<usize> {
        match self.kind {
            Rank::Three => vec![s.c, s.h, s.w],
            Rank::Two if s.h * s.w == 1 => vec![1, s.c],
            Rank::Two | Rank::Four => vec![1, s.c, s.h, s.w],
        }
    }
}

/// Reads a photo, prepared as the model and the arguments say, or a tensor, used as it is.
pub fn load(args: &InputArgs, model: &Input) -> Result<Given> {
    let mut model = model.clone();
    if !args.mean.is_empty() {
        model.mean.clone_from(&args.mean);
    }
    if !args.std.is_empty() {
        model.std.clone_from(&args.std);
    }
    load_as_is(&args.input, &model)
}

/// The same with the model's own normalisation.
pub fn load_as_is(path: &Path, model: &Input) -> Result<Given> {
    match open(path)? {
        Opened::Tensor(given) => Ok(given),
        Opened::Picture(picture) => image::prepare(&picture, model)
            .map(|(tensor, _)| Given { tensor, kind: Rank::Three, photo: true })
            .map_err(|e| e.at(&path.display().to_string())),
    }
}

/// What a file holds.
pub enum Opened {
    /// Pixels, not prepared yet.
    Picture(Picture),
    /// Values to be used as they are.
    Tensor(Given),
}

/// A photo or a tensor, whichever it is.
pub fn open(path: &Path) -> Result<Opened> {
    let bytes = read_file(path, MAX_FILE)?;
    let npy = npy::is_npy(&bytes) || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    let opened =
        if npy { tensor(&bytes).map(Opened::Tensor) } else { image::decode(&bytes).map(Opened::Picture) };
    opened.map_err(|e| e.at(&path.display().to_string()))
}

fn tensor(bytes: &[u8]) -> Result<Given> {
    let array = npy::read(bytes)?;
    let (shape, kind) = match *array.shape.as_slice() {
        [c, h, w] => ([c, h, w], Rank::Three),
        [1, c, h, w] => ([c, h, w], Rank::Four),
        [1, k] => ([k, 1, 1], Rank::Two),
        [n, _, _, _] | [n, _] => {
            return Err(Error::Shape(format!(
                "a batch of {n}: give one input at a time (a first axis of 1)"
            )));
        }
        ref s => {
            let s = format!("{s:?}");
            return Err(Error::Shape(format!("an array of shape {s}; expected C,H,W or 1,C,H,W or 1,K")));
        }
    };
    Ok(Given { tensor: Tensor::new(shape.into(), array.values)?, kind, photo: false })
}

/// A whole file, or why not.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let cannot = |e: std::io::Error| Error::Parameter(format!("cannot read {}: {e}", path.display()));
    let file = File::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    let mut bytes = Vec::new();
    // Growing by doubling would copy a large file several times.
    if size <= limit && bytes.try_reserve_exact(size as usize + 1).is_err() {
        return Err(Error::Limit(format!("{} does not fit this machine's memory", path.display())));
    }
    unpool::kernel::pages::prepare(&mut bytes);
    // `take` also bounds what has no size, such as a pipe.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if size.max(bytes.len() as u64) > limit {
        return Err(Error::Limit(format!("{} is larger than {} MiB", path.display(), limit >> 20)));
    }
    Ok(bytes)
}

/// A whole text file, or why not.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = read_file(path, 64 << 20)?;
    String::from_utf8(bytes).map_err(|_| Error::Malformed(format!("{} is not UTF-8 text", path.display())))
}
