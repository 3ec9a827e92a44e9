//! The evolution of features (ZF14 Fig. 4): for chosen maps, the strongest activation over the training images at each
//! checkpoint, and its projection. Where another image wins than at the checkpoint before, the feature has jumped.

use super::data::{Data, tensor};
use crate::error::{Error, Result};
use crate::explain::deconvnet::{Options, Projection, Seed, project};
use crate::job::{Clock, Job, Progress};
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

/// A search through the training images with one checkpoint's network.
pub struct Evolution {
    net: Arc<Net>,
    data: Arc<Data>,
    node: usize,
    winners: Vec<Winner>,
    next: usize,
    images: usize,
}

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
        Ok(Evolution { winners: maps.iter().map(none).collect(), net, data, node, next: 0, images })
    }

    /// The winners so far, in the order of the maps asked for.
    pub fn winners(&self) -> &[Winner] {
        &self.winners
    }

    /// The projection of a winner to the pixels, and the image as the network took it.
    pub fn projection(&self, winner: &Winner) -> Result<(Projection, Tensor)> {
        let image = self
            .data
            .train
            .images
            .get(winner.image)
            .ok_or_else(|| Error::Parameter(format!("there is no training image {}", winner.image)))?;
        let input = tensor(image, &self.net.spec().input);
        let trace = self.net.forward_to(input.clone(), self.node)?;
        let seed = Seed::Unit { map: winner.map, at: Some(winner.at) };
        Ok((project(&trace, self.node, &seed, &Options::default())?, input))
    }
}

/// Whether another image won than at the checkpoint before.
pub fn jumped(before: &Winner, now: &Winner) -> bool {
    before.image != now.image
}

impl Job for Evolution {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        while self.next < self.images {
            let input = tensor(&self.data.train.images[self.next], &self.net.spec().input);
            let trace = self.net.forward_to(input, self.node)?;
            for w in &mut self.winners {
                let best = trace.summary(self.node, w.map)?;
                if best.peak > w.value {
                    (w.image, w.at, w.value) = (self.next, best.at, best.peak);
                }
            }
            self.next += 1;
            if clock.elapsed() >= budget {
                break;
            }
        }
        let fraction = self.next as f64 / self.images as f64;
        Ok(Progress { fraction, done: self.next >= self.images })
    }
}
