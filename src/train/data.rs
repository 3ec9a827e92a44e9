//! What is learned from: images as bytes, with their classes, in a part to train on and one to test with.

use super::recipe::{Recipe, Task};
use crate::error::{Error, Result};
use crate::format::idx;
use crate::image::Picture;
use crate::random::SplitMix;
use crate::spec::{Input, Order};
use crate::tensor::{Shape, Tensor};

/// Most bytes of images taken: 2 GiB.
const MOST: usize = 1 << 31;
/// Of labelled pictures that come without a test part, every tenth is kept for it.
const TENTH: usize = 10;

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
        let most = train.labels.iter().chain(&test.labels).max().map_or(0, |m| m + 1);
        let classes = match classes.len() {
            0 => (0..most).map(|i| i.to_string()).collect(),
            n if n >= most => classes,
            n => return Err(Error::Shape(format!("{n} class names, but there is a label {}", most - 1))),
        };
        Data { channels, classes, train, test }.checked()
    }

    /// From labelled pictures, resized to an input; every tenth of a class is kept to test with. Errors: Parameter for less
    /// than two classes or none with two pictures.
    pub fn labelled(
        pictures: impl IntoIterator<Item = (Picture, usize)>,
        classes: Vec<String>,
        input: Shape,
    ) -> Result<Data> {
        let mut data = Data { channels: input.c, classes, train: Part::default(), test: Part::default() };
        let mut counts = vec![0; data.classes.len()];
        for (picture, class) in pictures {
            let Some(count) = counts.get_mut(class) else {
                return Err(Error::Shape(format!("class {class} has no name")));
            };
            *count += 1;
            let part = if *count % TENTH == 0 { &mut data.test } else { &mut data.train };
            part.images.push(planes(&picture.fit(input.h, input.w)?, input.c)?);
            part.labels.push(class);
        }
        let filled = counts.iter().filter(|n| **n > 0).count();
        if filled < 2 {
            return Err(Error::Parameter(format!(
                "there are pictures of {filled} class{}; at least two are needed: one folder for each class",
                if filled == 1 { "" } else { "es" }
            )));
        }
        data.checked()
    }

    /// From photos without labels, to learn rotations: each at two scales, the shorter side 7/6 and 5/3 of the input's, and
    /// every tenth photo kept to test with.
    pub fn photos(pictures: impl IntoIterator<Item = Picture>, input: Shape) -> Result<Data> {
        let classes = ["0°", "90°", "180°", "270°"].map(String::from).to_vec();
        let mut data = Data { channels: input.c, classes, train: Part::default(), test: Part::default() };
        for (i, picture) in pictures.into_iter().enumerate() {
            let part = if i % TENTH == TENTH - 1 { &mut data.test } else { &mut data.train };
            for scale in [7.0 / 6.0, 5.0 / 3.0] {
                let shorter = picture.height().min(picture.width()) as f64;
                let side = |n: usize| (n as f64 / shorter * input.h as f64 * scale).round().max(1.0) as usize;
                let whole = [0.0, 0.0, picture.height() as f64, picture.width() as f64];
                // A strip would be mostly itself, over and over.
                let (h, w) = (side(picture.height()), side(picture.width()));
                let most = 4 * input.h.max(input.w);
                part.images.push(planes(&picture.cut(whole, h.min(most), w.min(most))?, input.c)?);
                part.labels.push(0);
            }
        }
        data.checked()
    }

    fn checked(self) -> Result<Data> {
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
fn planes(picture: &Picture, channels: usize) -> Result<Image> {
    let (h, w) = (picture.height(), picture.width());
    let plain = Input { shape: Shape::new(channels, h, w), mean: vec![], std: vec![], order: Order::Rgb };
    let values = crate::image::normalise(picture, &plain)?;
    Ok(Image { h, w, pixels: values.data().iter().map(|v| *v as u8).collect() })
}
