//! The evolution of features (ZF14 Fig. 4): for chosen maps, the strongest activation over the training images at each
//! checkpoint, and its projection. Where another image wins than at the checkpoint before, the feature has jumped.

use super::data::{Data, tensor};
use crate::error::{Error, Result};
use crate::explain::deconvnet::{Options, Projection, Seed, project};
use crate::job::{Clock, Job, Progress};
use crate::kernel::{inside, parallel};
use crate::net::Net;
use crate::tensor::Tensor;
use std::sync::Arc;
use std::time::Duration;

/// A map's strongest activation over the images.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Winner {
    /// The map.
    pub map: usize,
    /// The training image's number.
    pub image: usize,
    /// Row and column of the activation.
    pub at: [usize; 2],
    /// Its value.
    pub value: f32,
}

/// A winner made visible.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The winner.
    pub winner: Winner,
    /// The projection of its one activation to the pixels.
    pub projection: Projection,
    /// The image as the network took it.
    pub input: Tensor,
}

/// A search through the training images with one checkpoint's network, then the winners' projections.
pub struct Evolution {
    net: Arc<Net>,
    data: Arc<Data>,
    node: usize,
    winners: Vec<Winner>,
    cells: Vec<Cell>,
    next: usize,
    images: usize,
}

/// Images searched side by side, each on a thread of its own.
const BLOCK: usize = 32;

impl Evolution {
    /// Over the first `images` training images (all, if there are fewer), for maps of a layer. Errors: Parameter for an
    /// unknown layer or map, Shape where the data do not fit the network.
    pub fn new(
        net: Arc<Net>,
        data: Arc<Data>,
        layer: &str,
        maps: &[usize],
        images: usize,
    ) -> Result<Evolution> {
        let node = net.find(layer)?;
        let (most, input) = (net.maps(node), net.spec().input.shape);
        if let Some(m) = maps.iter().find(|m| **m >= most) {
            return Err(Error::Parameter(format!("{layer} has maps 0 to {}, there is no map {m}", most - 1)));
        }
        if input.c != data.channels && !(data.channels == 1 && input.c == 3) {
            return Err(Error::Shape(format!(
                "images of {} channels for an input of {input}",
                data.channels
            )));
        }
        let none = |&map: &usize| Winner { map, image: 0, at: [0, 0], value: f32::NEG_INFINITY };
        let images = images.clamp(1, data.train.images.len());
        let winners = maps.iter().map(none).collect();
        Ok(Evolution { winners, cells: Vec::new(), net, data, node, next: 0, images })
    }

    /// The winners so far, in the order of the maps asked for.
    pub fn winners(&self) -> &[Winner] {
        &self.winners
    }

    /// Those made visible so far, in the same order.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Images that are searched.
    pub fn images(&self) -> usize {
        self.images
    }

    /// The network and the data.
    pub fn subject(&self) -> (&Net, &Data) {
        (&self.net, &self.data)
    }

    fn input(&self, image: usize) -> Tensor {
        tensor(&self.data.train.images[image], &self.net.spec().input)
    }

    /// Each map's strongest activation in one image.
    fn strongest(&self, image: usize) -> Result<Vec<Winner>> {
        let trace = self.net.forward_to(self.input(image), self.node)?;
        let strongest = |w: &Winner| {
            let best = trace.summary(self.node, w.map)?;
            Ok(Winner { map: w.map, image, at: best.at, value: best.peak })
        };
        self.winners.iter().map(strongest).collect()
    }

    fn block(&mut self) -> Result<()> {
        let n = BLOCK.min(self.images - self.next);
        let found = parallel::map(n, &|i| parallel::alone(|| self.strongest(self.next + i)));
        // In the images' order: of equals the first wins, whatever thread was faster.
        for one in found {
            for (best, now) in self.winners.iter_mut().zip(one?) {
                if now.value > best.value {
                    *best = now;
                }
            }
        }
        self.next += n;
        Ok(())
    }

    fn cell(&self, winner: Winner) -> Result<Cell> {
        let input = self.input(winner.image);
        let trace = self.net.forward_to(input.clone(), self.node)?;
        let seed = Seed::Unit { map: winner.map, at: Some(winner.at) };
        Ok(Cell { winner, projection: project(&trace, self.node, &seed, &Options::default())?, input })
    }
}

/// Whether another image won than at the checkpoint before.
pub fn jumped(before: &Winner, now: &Winner) -> bool {
    before.image != now.image
}

impl Job for Evolution {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        // A projection costs a few forward passes.
        let all = self.images + self.winners.len();
        inside(|| {
            loop {
                if self.next < self.images {
                    self.block()?;
                } else if let Some(winner) = self.winners.get(self.cells.len()) {
                    self.cells.push(self.cell(*winner)?);
                }
                let done = self.next + self.cells.len();
                if done >= all || clock.elapsed() >= budget {
                    return Ok(Progress { fraction: done as f64 / all as f64, done: done >= all });
                }
            }
        })
    }
}
