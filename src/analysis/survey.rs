//! The diagnosis of a network: its filters as they are, and what inputs make of them.

use super::filters::{Layer, Rules, diagnose};
use super::grid::{Grid, line};
use crate::error::{Error, Result};
use crate::explain::deconvnet::{Options, Seed, project};
use crate::net::{Net, Trace};
use crate::spec::Kind;
use crate::tensor::{Rect, Tensor};
use serde::Serialize;
use std::sync::Arc;

/// Everything about a network's first layer, as `unpool filters` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The network's short name.
    pub model: String,
    /// The layer of the filters.
    pub layer: String,
    /// Filters, inputs, rows, columns.
    pub shape: [usize; 4],
    /// Rows, columns between neighbouring windows.
    pub stride: [usize; 2],
    /// Inputs that were run.
    pub inputs: usize,
    /// The filters and what they cover.
    #[serde(flatten)]
    pub filters: Layer,
    /// The second layer's aliasing; absent without inputs or without a second convolution.
    pub aliasing: Option<Grid>,
}

/// A diagnosis under way: give it inputs, as many as there are, and ask at any time.
pub struct Survey {
    net: Arc<Net>,
    node: usize,
    /// Where activations are read: behind the filters' ReLU.
    active: usize,
    second: Option<usize>,
    rules: Rules,
    peaks: Vec<f32>,
    /// For each map of the second layer its strongest activation so far and the spectrum of its projection.
    best: Vec<(f32, Option<Vec<f64>>)>,
    inputs: usize,
}

impl Survey {
    /// Of a convolution; without a name the network's first. Errors: Parameter for an unknown layer, Unsupported for one
    /// that has no filters.
    pub fn new(net: Arc<Net>, layer: Option<&str>, rules: Rules) -> Result<Survey> {
        let first = || (1..net.len()).find(|&n| matches!(net.kind(n), Some(Kind::Conv { .. })));
        let node = match layer {
            Some(name) => net.find(name)?,
            None => first().ok_or_else(|| {
                Error::Unsupported(format!("{} has no convolution, so no filters to show", net.spec().name))
            })?,
        };
        let ([filters, ..], _) = net.filters(node)?;
        let second = (node + 1..net.len()).find(|&n| matches!(net.kind(n), Some(Kind::Conv { .. })));
        let second = second.map(|n| rectified(&net, n));
        let best = vec![(0.0, None); second.map_or(0, |n| net.maps(n))];
        let (active, peaks) = (rectified(&net, node), vec![f32::NEG_INFINITY; filters]);
        Ok(Survey { node, active, second, rules, peaks, best, inputs: 0, net })
    }

    /// The network.
    pub fn net(&self) -> &Arc<Net> {
        &self.net
    }

    /// Runs one more input, normalised, and notes the peaks. Projections are made again only for maps that
    /// found a stronger activation.
    pub fn add(&mut self, input: Tensor) -> Result<()> {
        let last = self.second.unwrap_or(self.active).max(self.active);
        let trace = self.net.forward_to(input, last)?;
        for (peak, map) in self.peaks.iter_mut().zip(trace.maps(self.active)) {
            *peak = peak.max(map.peak);
        }
        if let Some(second) = self.second {
            for map in trace.maps(second) {
                if map.peak > self.best[map.map].0 {
                    self.best[map.map] = (map.peak, spectrum(&trace, second, map.map, map.at)?);
                }
            }
        }
        self.inputs += 1;
        Ok(())
    }

    /// Takes peaks that a search over so many inputs has found, one for each filter, at the filters or behind their
    /// ReLU. Error: Shape for another number of them.
    pub fn found(&mut self, inputs: usize, peaks: &[f32]) -> Result<()> {
        if peaks.len() != self.peaks.len() {
            return Err(Error::Shape(format!("{} peaks for {} filters", peaks.len(), self.peaks.len())));
        }
        self.peaks.iter_mut().zip(peaks).for_each(|(a, b)| *a = a.max(*b));
        self.inputs += inputs;
        Ok(())
    }

    /// The names of the layers whose peaks [`Survey::found`] takes.
    pub fn layers(&self) -> [&str; 2] {
        [self.net.name(self.active), self.net.name(self.node)]
    }

    /// What is known so far.
    pub fn diagnosis(&self) -> Result<Diagnosis> {
        let (shape, weights) = self.net.filters(self.node)?;
        let peaks = (self.inputs > 0).then_some(self.peaks.as_slice());
        let stride = match self.net.kind(self.node) {
            Some(Kind::Conv { window, .. } | Kind::ConvTranspose { window, .. }) => window.stride,
            _ => [1, 1],
        };
        let lines: Vec<Vec<f64>> = self.best.iter().filter_map(|b| b.1.clone()).collect();
        let aliasing = self.second.filter(|_| !lines.is_empty()).map(|n| {
            // Where the first layer is not the network's first, its grid is coarser than its own stride.
            let unit = |i: isize| self.net.field(self.node, Rect::unit(i, i), &self.sizes()).y0;
            let step = (unit(1) - unit(0)).max(1) as usize;
            Grid::of(self.net.name(n), step, &lines)
        });
        Ok(Diagnosis {
            model: self.net.spec().name.clone(),
            layer: self.net.name(self.node).into(),
            shape,
            stride,
            inputs: self.inputs,
            filters: diagnose(shape, &weights, peaks, self.rules)?,
            aliasing,
        })
    }

    fn sizes(&self) -> Vec<crate::tensor::Shape> {
        self.net.shapes(self.net.spec().input.shape).unwrap_or_default()
    }
}

/// The ReLU that alone reads a node, else the node.
fn rectified(net: &Net, node: usize) -> usize {
    let mut readers = (node + 1..net.len()).filter(|&n| net.inputs(n).contains(&node));
    match (readers.next(), readers.next()) {
        (Some(r), None) if matches!(net.kind(r), Some(Kind::Relu)) => r,
        _ => node,
    }
}

fn spectrum(trace: &Trace, node: usize, map: usize, at: [usize; 2]) -> Result<Option<Vec<f64>>> {
    let p = project(trace, node, &Seed::Unit { map, at: Some(at) }, &Options::default())?;
    let seen = p.receptive_field.intersect(&p.pixels.rect);
    Ok(line(p.pixels.view().crop(seen)))
}
