//! Pictures and files on their way into a data set, one at a time: originals of a large folder would not fit.

use super::data::{Data, Image, MOST, Part, TENTH, planes};
use crate::error::{Error, Result};
use crate::format::idx;
use crate::image::Picture;
use crate::tensor::Shape;

/// Most pixels of an input's side.
const SIDE: usize = 1 << 12;

/// A data set being put together from pictures.
pub struct Gathering {
    data: Data,
    input: Shape,
    /// Pictures so far, of each class.
    counts: Vec<usize>,
    /// Of a class's pictures every one in so many is kept to test with; 0: none.
    every: usize,
    rotations: bool,
    bytes: usize,
}

impl Gathering {
    /// Labelled pictures, resized to an input. Errors: Shape for an input that no picture fits.
    pub fn labelled(classes: Vec<String>, input: Shape, every: usize) -> Result<Gathering> {
        if !(input.c == 1 || input.c == 3) || input.h == 0 || input.w == 0 || input.h.max(input.w) > SIDE {
            return Err(Error::Shape(format!(
                "an input of {input} cannot be trained with pictures; use 1 or 3 channels and 1 to {SIDE} pixels a side"
            )));
        }
        let counts = vec![0; classes.len()];
        let data = Data { channels: input.c, classes, train: Part::default(), test: Part::default() };
        Ok(Gathering { data, input, counts, every, rotations: false, bytes: 0 })
    }

    /// Photos without labels, to learn rotations: each at two scales, the shorter side 7/6 and 5/3 of the input's, and every
    /// tenth photo kept to test with.
    pub fn photos(input: Shape) -> Result<Gathering> {
        let classes = ["0°", "90°", "180°", "270°"].map(String::from).to_vec();
        let all = Gathering::labelled(classes, input, TENTH)?;
        Ok(Gathering { rotations: true, ..all })
    }

    /// One more; photos without labels are all of class 0. Errors: Limit where they become too many.
    pub fn add(&mut self, picture: &Picture, class: usize) -> Result<()> {
        let Some(count) = self.counts.get_mut(class) else {
            return Err(Error::Shape(format!("class {class} has no name")));
        };
        *count += 1;
        let tests = self.every > 0 && (*count).is_multiple_of(self.every);
        let images =
            if self.rotations { scales(picture, self.input)? } else { vec![fitted(picture, self.input)?] };
        self.bytes += images.iter().map(|i| i.pixels.len()).sum::<usize>();
        if self.bytes > MOST {
            return Err(Error::Limit(format!(
                "the pictures take more than {MOST} bytes; give fewer, or a smaller input"
            )));
        }
        let part = if tests { &mut self.data.test } else { &mut self.data.train };
        part.labels.extend(images.iter().map(|_| class));
        part.images.extend(images);
        Ok(())
    }

    /// The data set. Errors: Parameter for none, or pictures of fewer than two classes.
    pub fn finish(self) -> Result<Data> {
        let filled = self.counts.iter().filter(|n| **n > 0).count();
        if !self.rotations && filled < 2 {
            return Err(Error::Parameter(format!(
                "there are pictures of {filled} class{}; at least two are needed: one folder for each class",
                if filled == 1 { "" } else { "es" }
            )));
        }
        self.data.checked()
    }
}

fn fitted(picture: &Picture, input: Shape) -> Result<Image> {
    planes(&picture.fit(input.h, input.w)?, input.c)
}

fn scales(picture: &Picture, input: Shape) -> Result<Vec<Image>> {
    let scaled = |scale: f64| {
        let shorter = picture.height().min(picture.width()) as f64;
        let side = |n: usize| (n as f64 / shorter * input.h as f64 * scale).round().max(1.0) as usize;
        let whole = [0.0, 0.0, picture.height() as f64, picture.width() as f64];
        // A strip would be mostly itself, over and over.
        let (h, w) = (side(picture.height()), side(picture.width()));
        let most = 4 * input.h.max(input.w);
        planes(&picture.cut(whole, h.min(most), w.min(most))?, input.c)
    };
    [7.0 / 6.0, 5.0 / 3.0].into_iter().map(scaled).collect()
}

/// IDX files told apart by what is in them: images have three axes or four, labels one; those to test with have `test` or
/// `t10k` in their names. Without such, every one in `every` of a class is kept to test with (0: none). Errors: Parameter,
/// naming files that are missing or twice there, and those of [`Data::idx`].
pub fn sorted(files: &[(String, Vec<u8>)], classes: Vec<String>, every: usize) -> Result<Data> {
    let mut found: [Option<&(String, Vec<u8>)>; 4] = [None; 4];
    let what = ["training images", "training labels", "test images", "test labels"];
    for file in files {
        let (name, bytes) = file;
        let axes = idx::read(bytes).map_err(|e| e.at(name))?.shape.len();
        let tests = ["test", "t10k"].iter().any(|t| name.to_lowercase().contains(t));
        let slot = usize::from(axes == 1) + 2 * usize::from(tests);
        if let Some((other, _)) = found[slot].replace(file) {
            return Err(Error::Parameter(format!(
                "{other} and {name} both hold {}; give one of them (files to test with are told by `test` or `t10k` in \
                 their names)",
                what[slot]
            )));
        }
    }
    let pair = |from: usize| match (found[from], found[from + 1]) {
        (Some((_, images)), Some((_, labels))) => Ok(Some([images.as_slice(), labels])),
        (None, None) => Ok(None),
        (images, labels) => {
            let there = images.or(labels).map_or("", |(name, _)| name);
            let missing = what[from + usize::from(images.is_some())];
            Err(Error::Parameter(format!("there are no {missing} to go with {there}; give that file too")))
        }
    };
    match (pair(0)?, pair(2)?) {
        (Some(train), Some(test)) => Data::idx([train[0], train[1], test[0], test[1]], classes),
        (Some(train), None) => Data::idx_held(train, classes, every),
        (None, _) => Err(Error::Parameter(
            "there are no images to train on; give IDX files of images and of their labels".into(),
        )),
    }
}
