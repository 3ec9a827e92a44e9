//! One input through the network: the maximum of every map over the windows it is searched in.

use crate::error::{Error, Result};
use crate::format::gallery::{MOST_SCALES, MOST_TOP};
use crate::image::{self, Picture};
use crate::kernel::parallel;
use crate::net::{Net, Trace};
use crate::spec::Kind;
use crate::tensor::{Tensor, View};
use std::sync::Arc;

/// What is looked for. Immutable: threads share it.
#[derive(Clone)]
pub struct Search {
    pub(super) net: Arc<Net>,
    pub(super) nodes: Vec<usize>,
    pub(super) top: usize,
    pub(super) scales: u8,
}

/// A map's maximum in one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// The value; −∞ before anything was searched.
    pub value: f32,
    /// Row, column in the layer's plane; of equals the first in scan order.
    pub at: [u16; 2],
    /// The window; of equals the first.
    pub window: u8,
}

/// The maxima of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The input's own rows and columns.
    pub size: [usize; 2],
    /// By layer, then by map.
    pub peaks: Vec<Vec<Peak>>,
}

impl Found {
    /// Takes in what was found in a later window of the same input.
    pub fn absorb(&mut self, later: &Found) {
        for (own, new) in self.peaks.iter_mut().flatten().zip(later.peaks.iter().flatten()) {
            if new.value > own.value {
                *own = *new;
            }
        }
    }
}

impl Search {
    /// For the given layers, all of [`Search::layers`] where none is named; in the network's order.
    ///
    /// # Errors
    /// `Parameter` for unknown layers and for a `top` or a number of scales out of range.
    pub fn new(net: Arc<Net>, layers: &[String], top: usize, scales: u8) -> Result<Search> {
        if top == 0 || top > MOST_TOP {
            return Err(Error::Parameter(format!("1 to {MOST_TOP} entries a map can be kept, not {top}")));
        }
        if scales == 0 || scales > MOST_SCALES {
            return Err(Error::Parameter(format!(
                "photos can be searched in 1 to {MOST_SCALES} scales, not {scales}"
            )));
        }
        let mut nodes = layers.iter().map(|l| net.find(l)).collect::<Result<Vec<_>>>()?;
        if nodes.contains(&0) {
            return Err(Error::Parameter("`data` is the input: it has no feature maps".into()));
        }
        if nodes.is_empty() {
            nodes = Search::layers(&net);
        }
        nodes.sort_unstable();
        nodes.dedup();
        Ok(Search { net, nodes, top, scales })
    }

    /// The layers of features: what convolutions and dense layers yield, behind their ReLU where one
    /// follows, joined where they are joined.
    pub fn layers(net: &Net) -> Vec<usize> {
        let features = |n: usize| {
            matches!(
                net.kind(n),
                Some(Kind::Conv { .. } | Kind::Dense { .. } | Kind::Relu | Kind::Concat | Kind::Sum)
            )
        };
        let goes_on = |n: usize| {
            let readers: Vec<usize> = (n + 1..net.len()).filter(|&r| net.inputs(r).contains(&n)).collect();
            let joins = |&r: &usize| matches!(net.kind(r), Some(Kind::Relu | Kind::Concat | Kind::Sum));
            !readers.is_empty() && readers.iter().all(joins)
        };
        (1..net.len()).filter(|&n| features(n) && !goes_on(n)).collect()
    }

    /// The network searched.
    pub fn net(&self) -> &Arc<Net> {
        &self.net
    }

    /// The windows of a photo of this size.
    pub fn windows(&self, height: usize, width: usize) -> Vec<[f64; 4]> {
        let s = self.net.spec().input.shape;
        image::windows(height, width, [s.h, s.w], self.scales)
    }

    /// Nothing found yet in an input of this size.
    pub fn begin(&self, size: [usize; 2]) -> Found {
        let none = Peak { value: f32::NEG_INFINITY, at: [0, 0], window: 0 };
        let peaks = self.nodes.iter().map(|&n| vec![none; self.net.maps(n)]).collect();
        Found { size, peaks }
    }

    /// Searches one window of a photo.
    ///
    /// # Errors
    /// Those of [`image::prepare`] and of the forward pass.
    pub fn window(&self, picture: &Picture, window: usize, found: &mut Found) -> Result<()> {
        let rect = self.windows(picture.height(), picture.width())[window];
        let input = &self.net.spec().input;
        let seen = picture.cut(rect, input.shape.h, input.shape.w)?;
        self.tensor(image::normalise(&seen, input)?, window as u8, found)
    }

    /// Searches a whole photo.
    ///
    /// # Errors
    /// Those of [`Search::window`].
    pub fn photo(&self, picture: &Picture) -> Result<Found> {
        let size = [picture.height(), picture.width()];
        let mut found = self.begin(size);
        for window in 0..self.windows(size[0], size[1]).len() {
            self.window(picture, window, &mut found)?;
        }
        Ok(found)
    }

    /// Searches windows of photos side by side, each on one thread: that wastes less than sharing one among all. What
    /// each found, in their order.
    pub fn side_by_side(&self, tasks: &[(&Picture, usize)]) -> Vec<Result<Found>> {
        parallel::map(tasks.len(), &|i| {
            let (picture, window) = tasks[i];
            let mut found = self.begin([picture.height(), picture.width()]);
            self.window(picture, window, &mut found).map(|()| found)
        })
    }

    /// Searches values that are used as they are.
    ///
    /// # Errors
    /// Those of the forward pass; `Limit` for a plane larger than 65,536 rows or columns.
    pub fn tensor(&self, tensor: Tensor, window: u8, found: &mut Found) -> Result<()> {
        let last = self.nodes.iter().copied().max().unwrap_or(0);
        let trace = self.net.forward_to(tensor, last)?;
        self.trace(&trace, window, found)
    }

    /// Takes the maxima out of a trace.
    ///
    /// # Errors
    /// `Limit` for a plane larger than 65,536 rows or columns.
    pub fn trace(&self, trace: &Trace, window: u8, found: &mut Found) -> Result<()> {
        for (&node, peaks) in self.nodes.iter().zip(&mut found.peaks) {
            let s = trace.shape(node);
            if s.h.max(s.w) > usize::from(u16::MAX) {
                return Err(Error::Limit(format!(
                    "{}: a plane of {s} is too large for a gallery; use smaller inputs",
                    self.net.name(node)
                )));
            }
            trace.with(node, |v| peaks_of(v, window, peaks));
        }
        Ok(())
    }
}

fn peaks_of(v: View, window: u8, peaks: &mut [Peak]) {
    for (map, peak) in peaks.iter_mut().enumerate() {
        for y in 0..v.rect.h() {
            let line = v.line(map, y as isize);
            // Eight at a time: most lines hold nothing new, and then only their largest value matters.
            let largest = crate::kernel::elementwise::largest(line);
            if largest > peak.value {
                let x = line.iter().position(|&v| v == largest).unwrap_or(0);
                *peak = Peak { value: largest + 0.0, at: [y as u16, x as u16], window };
            }
        }
    }
}
