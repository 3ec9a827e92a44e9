//! The filters as a picture: each with its own contrast, framed by what it is, and below them the spectrum.

use unpool::analysis::{Diagnosis, Flag};
use unpool::image::{self, Picture};
use unpool::net::Net;
use unpool::tensor::{Shape, Tensor};
use unpool::{Error, Result};

/// Side of a filter, between filters, height of the spectrum.
const SIDE: usize = 66;
const GAP: usize = 10;
const CHART: usize = 160;
const DEAD: [u8; 3] = [190, 30, 45];
const WEAK: [u8; 3] = [150, 150, 150];
const DOMINANT: [u8; 3] = [230, 130, 0];
const INK: [u8; 3] = [40, 70, 120];

pub fn draw(net: &Net, d: &Diagnosis) -> Result<Picture> {
    let [_, inputs, h, w] = d.shape;
    if inputs != 1 && inputs != 3 {
        return Err(Error::Unsupported(format!(
            "filters of {} read {inputs} maps and are no pictures; only those that read pixels can be drawn",
            d.layer
        )));
    }
    let (_, weights) = net.filters(net.find(&d.layer)?)?;
    let filters = &d.filters.filters;
    let columns = (filters.len() as f64).sqrt().ceil() as usize * 4 / 3 + 1;
    let columns = columns.min(filters.len()).max(4);
    let rows = filters.len().div_ceil(columns);
    let (width, top) = (columns * (SIDE + GAP) + GAP, rows * (SIDE + GAP) + GAP);
    let height = top + CHART + GAP;
    if (width as u64).saturating_mul(height as u64) > image::MAX_PIXELS {
        return Err(Error::Limit(format!("a sheet of {} filters is too large to draw", filters.len())));
    }
    let mut paper = Paper { width, rgba: vec![255; width * height * 4] };
    for (i, f) in filters.iter().enumerate() {
        let (y, x) = (GAP + i / columns * (SIDE + GAP), GAP + i % columns * (SIDE + GAP));
        let frame = f.flag.map(|flag| match flag {
            Flag::Dead => DEAD,
            Flag::Weak => WEAK,
            Flag::Dominant => DOMINANT,
        });
        if let Some(colour) = frame {
            paper.fill(y - 4, x - 4, SIDE + 8, SIDE + 8, colour);
            paper.fill(y - 1, x - 1, SIDE + 2, SIDE + 2, [255; 3]);
        }
        let each = inputs * h * w;
        let values = weights[f.filter * each..][..each].to_vec();
        let tensor = Tensor::new(Shape::new(inputs, h, w), values)?;
        let (picture, _) = image::display(&tensor, tensor.rect, net.spec().input.order, Some(1.0))?;
        for p in 0..SIDE * SIDE {
            let (i, j) = (p / SIDE, p % SIDE);
            paper.fill(y + i, x + j, 1, 1, picture.rgb(i * h / SIDE, j * w / SIDE));
        }
    }
    // Bars of the spectrum of all together, 0 to 0.5 cycles per pixel; the line below is the axis.
    let bars = &d.filters.power;
    let most = bars.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let (left, wide) = (GAP, (width - 2 * GAP) / bars.len());
    for (i, v) in bars.iter().enumerate() {
        let tall = (v / most * (CHART - 2) as f64) as usize;
        paper.fill(top + CHART - 2 - tall, left + i * wide, tall, wide.saturating_sub(1), INK);
    }
    paper.fill(top + CHART - 2, left, 2, width - 2 * GAP, [0; 3]);
    Picture::new(width, height, paper.rgba)
}

struct Paper {
    width: usize,
    rgba: Vec<u8>,
}

impl Paper {
    fn fill(&mut self, y: usize, x: usize, h: usize, w: usize, colour: [u8; 3]) {
        for row in y..y + h {
            for p in self.rgba[(row * self.width + x) * 4..][..w * 4].chunks_exact_mut(4) {
                p[..3].copy_from_slice(&colour);
            }
        }
    }
}
