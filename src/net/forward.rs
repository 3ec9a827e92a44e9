//! The forward pass, layer by layer, resumable: a page can breathe between layers and stop at any.

use super::partial::Parts;
use super::plan::{self, Offset, Place};
use super::{Net, Trace};
use crate::error::{Error, Result};
use crate::job::{Job, Progress};
use crate::kernel::inside;
use crate::layer::Push;
use crate::tensor::{Rect, Shape, Tensor, View, ViewMut};
use std::sync::Arc;
use std::time::Duration;

/// A forward pass under way, of one image or of a batch of equal shapes.
pub struct Forward {
    traces: Vec<Trace>,
    next: usize,
    done: f64,
    total: f64,
}

impl Net {
    /// Runs the network. The input is already normalised, channels in the network's own order; any
    /// size the layers allow. Errors: Shape where a layer cannot take it, Malformed where a value is not finite.
    pub fn forward(self: &Arc<Net>, input: Tensor) -> Result<Trace> {
        let mut traces = self.forward_batch(vec![input])?;
        Ok(traces.pop().expect("one in, one out"))
    }

    /// The same for several inputs of one shape, which share each layer's packed work.
    pub fn forward_batch(self: &Arc<Net>, inputs: Vec<Tensor>) -> Result<Vec<Trace>> {
        let mut pass = self.start(inputs)?;
        inside(|| {
            while pass.next < self.nodes.len() {
                pass.layer();
            }
        });
        pass.finish()
    }

    /// Runs the network up to a node. Of the nodes above it the trace holds nothing.
    pub(crate) fn forward_to(self: &Arc<Net>, input: Tensor, node: usize) -> Result<Trace> {
        let mut pass = self.start(vec![input])?;
        inside(|| pass.run_to(node));
        Ok(pass.only())
    }

    /// Starts a resumable forward pass.
    pub fn start(self: &Arc<Net>, inputs: Vec<Tensor>) -> Result<Forward> {
        let Some(first) = inputs.first() else {
            return Err(Error::Parameter("no input given".into()));
        };
        let shape = first.shape();
        let shapes: Arc<[Shape]> = self.shapes(shape)?.into();
        let mut traces = Vec::new();
        for input in inputs {
            if input.rect != input.shape().rect() {
                return Err(Error::Shape(format!(
                    "an input must start at row 0, column 0, not at {:?}",
                    input.rect
                )));
            }
            if input.shape() != shape {
                return Err(Error::Shape(format!("inputs of {shape} and {} in one batch", input.shape())));
            }
            if let Some(i) = input.data().iter().position(|v| !v.is_finite()) {
                let (plane, w) = (shape.h * shape.w, shape.w);
                return Err(Error::Malformed(format!(
                    "the input holds a value that is not a finite number, at channel {}, row {}, column {}",
                    i / plane,
                    i % plane / w,
                    i % w
                )));
            }
            traces.push(Trace::new(self.clone(), shapes.clone(), input));
        }
        let work = |i: usize| self.work(i, &shapes);
        let total = (1..self.nodes.len()).map(work).sum();
        Ok(Forward { traces, next: 1, done: 0.0, total })
    }

    /// Multiply-adds of a node, as a measure of time.
    fn work(&self, node: usize, shapes: &[Shape]) -> f64 {
        let s = shapes[node];
        self.nodes[node].layer.work() as f64 * (s.c * s.h * s.w) as f64
    }
}

impl Forward {
    /// Only parts of the planes are to be computed.
    pub(super) fn restrict(&mut self, parts: impl FnOnce(&[Shape]) -> Parts) {
        let parts = Arc::new(parts(self.traces[0].shapes()));
        self.traces.iter_mut().for_each(|t| t.parts = Some(parts.clone()));
    }

    /// All layers up to a node. A value that is only kept rectified is computed when its ReLU's turn comes, from
    /// what it reads.
    pub(super) fn run_to(&mut self, node: usize) {
        while self.next <= node {
            self.layer();
        }
    }

    /// The one trace as far as it is.
    pub(super) fn only(mut self) -> Trace {
        self.traces.pop().expect("one in, one out")
    }

    fn layer(&mut self) {
        let net = self.traces[0].net().clone();
        let i = self.next;
        self.next += 1;
        self.done += net.work(i, self.traces[0].shapes());
        let node = &net.nodes[i];
        // A fused convolution is computed when its ReLU's turn comes; an identity is its input.
        let (before, _) = plan::behind(&net.nodes, i);
        let fused = net.nodes[before].fused_relu == Some(i);
        let joined = node.inputs.iter().any(
            |&k| matches!(net.nodes[k].place, Place::Within { of, channel_of: Offset::Input(_) } if of == i),
        );
        if node.place == Place::Fused || node.layer.is_identity() || joined {
            return;
        }
        let run = if fused { before } else { i };
        let layer = &net.nodes[run].layer;
        let reads = &net.nodes[run].inputs;
        let shapes: Vec<Shape> = reads.iter().map(|&k| self.traces[0].shape(k)).collect();
        let (owner, channel) = net.locate(i, self.traces[0].shapes());
        let (maps, out) = (self.traces[0].shape(owner).c, self.traces[0].shape(i));
        let (extent, part) = (self.traces[0].extent(owner), self.traces[0].part(i));
        if part.is_empty() {
            return;
        }
        let mut outputs: Vec<Tensor> = Vec::new();
        let mut switches: Vec<Vec<u32>> = Vec::new();
        for t in &mut self.traces {
            outputs.push(t.values[owner].take().unwrap_or_else(|| Tensor::zeros(maps, extent)));
            let n = if layer.has_switches() { out.c * part.area() } else { 0 };
            switches.push(vec![0; n]);
        }
        {
            let inputs: Vec<Vec<View>> = self
                .traces
                .iter()
                .map(|t| reads.iter().map(|&k| t.view(k).expect("read layers are kept")).collect())
                .collect();
            let mut items: Vec<Push> = outputs
                .iter_mut()
                .zip(&mut switches)
                .zip(&inputs)
                .map(|((o, s), inputs)| Push {
                    inputs,
                    shapes: &shapes,
                    output: o.view_mut().slice(channel, out.c).crop(part),
                    switches: layer.has_switches().then_some(s.as_mut_slice()),
                })
                .collect();
            layer.forward(&mut items, fused);
        }
        for (t, (o, s)) in self.traces.iter_mut().zip(outputs.into_iter().zip(switches)) {
            t.values[owner] = Some(o);
            if layer.has_switches() {
                t.switches[i] = Some(s);
            }
        }
    }

    /// The traces; call when the job says it is done.
    pub fn finish(self) -> Result<Vec<Trace>> {
        if self.next < self.traces[0].net().nodes.len() {
            return Err(Error::Parameter("the forward pass was stopped before its end".into()));
        }
        Ok(self.traces)
    }
}

impl Job for Forward {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = crate::job::Clock::start();
        let n = self.traces[0].net().nodes.len();
        inside(|| {
            while self.next < n {
                self.layer();
                if clock.elapsed() >= budget {
                    break;
                }
            }
        });
        Ok(Progress { fraction: self.done / self.total.max(1.0), done: self.next >= n })
    }
}

impl Net {
    /// The node whose array holds a node's value, and from which channel on.
    pub(crate) fn locate(&self, mut node: usize, shapes: &[Shape]) -> (usize, usize) {
        let mut channel = 0;
        while let Place::Within { of, channel_of } = self.nodes[node].place {
            if let Offset::Input(which) = channel_of {
                channel += self.nodes[of].inputs[..which].iter().map(|&k| shapes[k].c).sum::<usize>();
            }
            node = of;
        }
        (node, channel)
    }

    /// Computes one rectangle of a node from whole kept values, without the ReLU that may follow.
    pub(crate) fn rectangle(&self, trace: &Trace, node: usize, rect: Rect) -> Tensor {
        let n = &self.nodes[node];
        let shapes: Vec<Shape> = n.inputs.iter().map(|&k| trace.shape(k)).collect();
        let inputs: Vec<View> =
            n.inputs.iter().map(|&k| trace.view(k).expect("what a fused layer reads is kept")).collect();
        let mut out = Tensor::zeros(trace.shape(node).c, rect);
        let output: ViewMut = out.view_mut();
        n.layer.forward(&mut [Push { inputs: &inputs, shapes: &shapes, output, switches: None }], false);
        out
    }
}
