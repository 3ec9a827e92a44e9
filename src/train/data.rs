//! What is learned from: images as bytes, with their classes, in a part to train on and one to test with.

use super::gather::Gathering;
use super::recipe::{Recipe, Task};
use crate::error::{Error, Result};
use crate::format::idx;
use crate::image::Picture;
use crate::random::SplitMix;
use crate::spec::{Input, Order};
use crate::tensor::{Shape, Tensor};

/// Most bytes of images taken: 2 GiB; in a page, whose memory ends at one, half of that one.
pub(super) const MOST: usize = if cfg!(target_arch = "wasm32") { 1 << 29 } else { 1 << 31 };
/// Of labelled pictures that come without a test part, every tenth is kept for it.
pub(super) const TENTH: usize = 10;

/// One image, channels one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// channels × h × w values.
    pub pixels: Vec<u8>,
}

impl Image {
    /// As pixels; of one channel all three colours are made.
    pub fn picture(&self) -> Result<Picture> {
        let plane = (self.h * self.w).max(1);
        let last = self.pixels.len() / plane - 1;
        let colour = |i: usize| [0, 1, 2].map(|c| self.pixels[c.min(last) * plane + i]);
        let rgba = (0..self.h * self.w).flat_map(|i| {
            let [r, g, b] = colour(i);
            [r, g, b, 255]
        });
        Picture::new(self.w, self.h, rgba.collect())
    }
}

/// Images with their classes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Part {
    /// The images.
    pub images: Vec<Image>,
    /// The class of each.
    pub labels: Vec<usize>,
}

/// A data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// 1 or 3.
    pub channels: usize,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// To train on.
    pub train: Part,
    /// To test with; may be empty.
    pub test: Part,
}

impl Data {
    /// From four IDX files: images (n, rows, columns or n, channels, rows, columns) and labels (n), to train and to test.
    /// Errors: those of [`idx::read`], Shape where the files do not belong together.
    pub fn idx(files: [&[u8]; 4], classes: Vec<String>) -> Result<Data> {
        let (channels, train) = part(files[0], files[1]).map_err(|e| e.at("training part"))?;
        let (other, test) = part(files[2], files[3]).map_err(|e| e.at("test part"))?;
        if channels != other {
            return Err(Error::Shape(format!("{channels} channels to train, {other} to test")));
        }
        Data::named(channels, classes, train, test)
    }

    /// From IDX files of images and labels; every one in `every` of a class is kept to test with (0: none).
    pub(super) fn idx_held(files: [&[u8]; 2], classes: Vec<String>, every: usize) -> Result<Data> {
        let (channels, all) = part(files[0], files[1])?;
        let [mut train, mut test] = [Part::default(), Part::default()];
        let mut counts = [0usize; 256];
        for (image, label) in all.images.into_iter().zip(all.labels) {
            counts[label] += 1;
            let tests = every > 0 && counts[label].is_multiple_of(every);
            let part = if tests { &mut test } else { &mut train };
            part.images.push(image);
            part.labels.push(label);
        }
        Data::named(channels, classes, train, test)
    }

    /// From labelled pictures, resized to an input; every tenth of a class is kept to test with. Errors: Parameter for less
    /// than two classes or none with two pictures.
    pub fn labelled(
        pictures: impl IntoIterator<Item = (Picture, usize)>,
        classes: Vec<String>,
        input: Shape,
    ) -> Result<Data> {
        let mut all = Gathering::labelled(classes, input, TENTH)?;
        for (picture, class) in pictures {
            all.add(&picture, class)?;
        }
        all.finish()
    }

    /// From photos without labels, to learn rotations: [`Gathering::photos`].
    pub fn photos(pictures: impl IntoIterator<Item = Picture>, input: Shape) -> Result<Data> {
        let mut all = Gathering::photos(input)?;
        for picture in pictures {
            all.add(&picture, 0)?;
        }
        all.finish()
    }

    /// Numbers for classes without names.
    fn named(channels: usize, classes: Vec<String>, train: Part, test: Part) -> Result<Data> {
        let most = train.labels.iter().chain(&test.labels).max().map_or(0, |m| m + 1);
        let classes = match classes.len() {
            0 => (0..most).map(|i| i.to_string()).collect(),
            n if n >= most => classes,
            n => return Err(Error::Shape(format!("{n} class names, but there is a label {}", most - 1))),
        };
        Data { channels, classes, train, test }.checked()
    }

    pub(super) fn checked(self) -> Result<Data> {
        let parts = [&self.train, &self.test];
        let bytes: usize = parts.iter().flat_map(|p| &p.images).map(|i| i.pixels.len()).sum();
        if bytes > MOST {
            return Err(Error::Limit(format!("{bytes} bytes of images; at most {MOST} are taken")));
        }
        if self.train.images.is_empty() {
            return Err(Error::Parameter("there is no image to train on".into()));
        }
        Ok(self)
    }

    /// Refuses data that a network cannot be trained with. `outputs` are those of its last layer.
    pub fn check(&self, input: &Input, outputs: usize, recipe: &Recipe) -> Result<()> {
        let s = input.shape;
        if self.channels != s.c && !(self.channels == 1 && s.c == 3) {
            return Err(Error::Shape(format!(
                "the images have {} channels, the network's input has {}; change the spec's input",
                self.channels, s.c
            )));
        }
        let classes = if recipe.task == Task::Rotations { 4 } else { self.classes.len() };
        if outputs != classes {
            return Err(Error::Shape(format!(
                "the network has {outputs} outputs, the data {classes} classes; give its last layer {classes}"
            )));
        }
        if recipe.task == Task::Rotations && s.h != s.w {
            return Err(Error::Shape(format!("to learn rotations the input must be square, it is {s}")));
        }
        Ok(())
    }

    /// A sum over sizes, labels and some pixels: tells data sets apart when a run is resumed.
    pub fn fingerprint(&self) -> String {
        let mut sum = 0xcbf2_9ce4_8422_2325_u64;
        let mut word = |w: usize| sum = (sum ^ w as u64).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        for part in [&self.train, &self.test] {
            word(part.images.len());
            for (image, label) in part.images.iter().zip(&part.labels) {
                [image.h, image.w, *label].into_iter().for_each(&mut word);
                image.pixels.iter().step_by(97).for_each(|p| word(usize::from(*p)));
            }
        }
        format!("{sum:016x}")
    }
}

/// How many samples a part has in an epoch.
pub(super) fn count(part: &Part, recipe: &Recipe, training: bool) -> usize {
    match (recipe.task, training) {
        (Task::Classes, _) => part.images.len(),
        (Task::Rotations, true) => part.images.len() * recipe.windows,
        (Task::Rotations, false) => part.images.len() * 4,
    }
}

/// Writes a sample, normalised for the network, and returns its class. With a generator it is augmented as the recipe
/// says; without one it is the middle of the image.
pub(super) fn sample(
    part: &Part,
    index: usize,
    recipe: &Recipe,
    input: &Input,
    mut random: Option<&mut SplitMix>,
    out: &mut [f32],
) -> usize {
    let rotating = recipe.task == Task::Rotations;
    let which = match (rotating, random.is_some()) {
        (false, _) => index,
        (true, true) => index / recipe.windows,
        (true, false) => index / 4,
    };
    let image = &part.images[which];
    let Shape { c: channels, h, w } = input.shape;
    let mut place = |own: usize, side: usize| {
        let free = own as isize - side as isize;
        let middle = free.div_euclid(2);
        let Some(random) = random.as_deref_mut() else { return middle };
        let (from, to) = if free > 0 { (0, free) } else { (middle, middle) };
        let shift = recipe.shift as isize;
        from - shift + random.below((to - from + 2 * shift + 1) as usize) as isize
    };
    let (top, left) = (place(image.h, h), place(image.w, w));
    let (flip, turn) = match random {
        Some(random) => (recipe.flip && random.uniform() < 0.5, if rotating { random.below(4) } else { 0 }),
        None => (false, if rotating { index % 4 } else { 0 }),
    };
    let planes = image.pixels.len() / (image.h * image.w);
    for c in 0..channels {
        let from = match input.order {
            Order::Bgr if planes == 3 => 2 - c,
            _ => c.min(planes - 1),
        };
        let plane = &image.pixels[from * image.h * image.w..][..image.h * image.w];
        let value = |list: &[f32], none| list.get(c).or(list.first()).copied().unwrap_or(none);
        let (mean, scale) = (value(&input.mean, 0.0), 1.0 / value(&input.std, 1.0));
        for y in 0..h {
            let row = &mut out[(c * h + y) * w..][..w];
            for (x, o) in row.iter_mut().enumerate() {
                // Counter-clockwise quarter turns of the square window.
                let (sy, sx) = match turn {
                    0 => (y, x),
                    1 => (x, w - 1 - y),
                    2 => (h - 1 - y, w - 1 - x),
                    _ => (h - 1 - x, y),
                };
                let sx = if flip { w - 1 - sx } else { sx };
                let iy = (sy as isize + top).clamp(0, image.h as isize - 1) as usize;
                let ix = (sx as isize + left).clamp(0, image.w as isize - 1) as usize;
                *o = (f32::from(plane[iy * image.w + ix]) - mean) * scale;
            }
        }
    }
    if rotating { turn } else { part.labels[which] }
}

/// The middle of an image as a network's input, upright.
pub fn tensor(image: &Image, input: &Input) -> Tensor {
    let part = Part { images: vec![image.clone()], labels: vec![0] };
    let mut out = Tensor::zeros(input.shape.c, input.shape.rect());
    sample(&part, 0, &Recipe::default(), input, None, out.data_mut());
    out
}

fn part(images: &[u8], labels: &[u8]) -> Result<(usize, Part)> {
    let (images, labels) = (idx::read(images)?, idx::read(labels)?);
    let (n, c, h, w) = match *images.shape.as_slice() {
        [n, h, w] => (n, 1, h, w),
        [n, c, h, w] => (n, c, h, w),
        ref s => return Err(Error::Shape(format!("images of axes {s:?}; expected n, rows, columns"))),
    };
    if labels.shape != [n] || !(c == 1 || c == 3) || h == 0 || w == 0 {
        return Err(Error::Shape(format!(
            "images of {:?} and labels of {:?} do not belong together",
            images.shape, labels.shape
        )));
    }
    let images = images.values.chunks_exact(c * h * w).map(|p| Image { h, w, pixels: p.to_vec() }).collect();
    Ok((c, Part { images, labels: labels.values.iter().map(|l| usize::from(*l)).collect() }))
}

/// A picture's channels one after the other; one channel is its luma.
pub(super) fn planes(picture: &Picture, channels: usize) -> Result<Image> {
    let (h, w) = (picture.height(), picture.width());
    let plain = Input { shape: Shape::new(channels, h, w), mean: vec![], std: vec![], order: Order::Rgb };
    let values = crate::image::normalise(picture, &plain)?;
    Ok(Image { h, w, pixels: values.data().iter().map(|v| *v as u8).collect() })
}
