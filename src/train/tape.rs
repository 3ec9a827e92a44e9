//! One chunk of a batch up and down: values and switches of every layer for a few images, and the way back with
//! the parameter gradients. Chunks are worked on side by side, each on one thread; a chunk's size does not depend on the
//! number of threads, so neither does the result.

use super::parameters::Parameters;
use super::plan::Plan;
use super::recipe::Recipe;
use crate::kernel::conv::Item;
use crate::kernel::{elementwise, pool};
use crate::layer::gradient::{self, Pair};
use crate::layer::relu::Relu;
use crate::layer::stochastic;
use crate::layer::{self, Descent, Layer, Push, Recorded, Rule};
use crate::net::Net;
use crate::random::SplitMix;
use crate::spec::{Kind, LayerSpec};
use crate::tensor::{Rect, Shape, View, ViewMut};
use crate::window::Window;

/// Images in a chunk.
pub(super) const CHUNK: usize = 16;

/// A layer with part of its weights, and the factors of all of them.
type Partial = (Box<dyn Layer>, Vec<f32>);

/// Buffers of one chunk, kept from step to step.
#[derive(Default)]
pub(super) struct Tape {
    values: Vec<Vec<f32>>,
    switches: Vec<Vec<u32>>,
    /// Dropout: what values were multiplied by.
    masks: Vec<Vec<f32>>,
    /// DropConnect: the layer with part of its weights, and which.
    partial: Vec<Option<Partial>>,
    /// Whether stochastic pooling drew, and its switches count.
    drawn: Vec<bool>,
    signals: Vec<Option<Vec<f32>>>,
    spare: Vec<Vec<f32>>,
    items: usize,
}

/// What came out of a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Score {
    /// Sum of the cross-entropies.
    pub loss: f64,
    /// How many predictions were right.
    pub right: usize,
}

/// Values of one image as a view.
fn view(buffer: &[f32], shape: Shape, item: usize) -> View<'_> {
    let n = shape.c * shape.h * shape.w;
    let data = &buffer[item * n..(item + 1) * n];
    View { data, channels: shape.c, rect: shape.rect(), row: shape.w, plane: shape.h * shape.w }
}

/// Images one after the other, to write.
fn views_mut(buffer: &mut [f32], shape: Shape) -> impl Iterator<Item = ViewMut<'_>> {
    let rect: Rect = shape.rect();
    buffer.chunks_exact_mut(shape.c * shape.h * shape.w).map(move |data| ViewMut {
        data,
        channels: shape.c,
        rect,
        row: shape.w,
        plane: shape.h * shape.w,
    })
}

fn size(shape: Shape) -> usize {
    shape.c * shape.h * shape.w
}

impl Tape {
    /// Makes room for so many images and returns where they go, one after the other.
    pub fn inputs(&mut self, plan: &Plan, items: usize) -> &mut [f32] {
        let n = plan.shapes.len();
        self.values.resize_with(n, Vec::new);
        self.switches.resize_with(n, Vec::new);
        self.masks.resize_with(n, Vec::new);
        self.drawn.resize(n, false);
        self.partial.resize_with(n, || None);
        self.signals.resize_with(n, || None);
        self.items = items;
        self.values[0].resize(items * size(plan.shapes[0]), 0.0);
        &mut self.values[0]
    }

    /// The output of a node for one image.
    pub fn value(&self, plan: &Plan, node: usize, item: usize) -> View<'_> {
        view(&self.values[plan.owner[node]], plan.shapes[node], item)
    }

    /// Every layer, up. With a generator: as in training, with what it switches off.
    pub fn forward(
        &mut self,
        net: &Net,
        plan: &Plan,
        recipe: &Recipe,
        mut random: Option<&mut SplitMix>,
        p: &Parameters,
    ) {
        for i in 1..plan.shapes.len() {
            let drops = plan.drops[i];
            if drops {
                self.drop_units(net, plan, i, recipe.dropout, random.as_deref_mut());
                continue;
            }
            if plan.owner[i] != i {
                continue;
            }
            let run = plan.fused[i].unwrap_or(i);
            self.partial[run] = match (plan.connects[run], random.as_deref_mut()) {
                (Some(share), Some(random)) => drop_weights(net, plan, run, share, random, p),
                _ => None,
            };
            let (shape, reads) = (plan.shapes[i], &net.nodes[run].inputs);
            let mut out = std::mem::take(&mut self.values[i]);
            out.resize(self.items * size(shape), 0.0);
            if let (Some(Kind::StochasticPool { window, .. }), Some(random)) =
                (net.kind(i), random.as_deref_mut())
            {
                self.draw(plan, i, reads[0], *window, &mut out, random);
                self.values[i] = out;
                continue;
            }
            self.drawn[i] = false;
            let layer: &dyn Layer = match &self.partial[run] {
                Some((layer, _)) => layer.as_ref(),
                None => net.nodes[run].layer.as_ref(),
            };
            let mut switches = std::mem::take(&mut self.switches[i]);
            if layer.has_switches() {
                switches.resize(self.items * size(shape), 0);
            }
            let shapes: Vec<Shape> = reads.iter().map(|&k| plan.shapes[k]).collect();
            let inputs: Vec<Vec<View>> =
                (0..self.items).map(|b| reads.iter().map(|&k| self.value(plan, k, b)).collect()).collect();
            let mut kept = switches.chunks_exact_mut(size(shape).max(1));
            let mut items: Vec<Push> = views_mut(&mut out, shape)
                .zip(&inputs)
                .map(|(output, inputs)| {
                    let switches = if layer.has_switches() { kept.next() } else { None };
                    Push { inputs, shapes: &shapes, output, switches }
                })
                .collect();
            layer.forward(&mut items, plan.fused[i].is_some());
            drop(items);
            self.values[i] = out;
            self.switches[i] = switches;
        }
    }

    /// Stochastic pooling, by chance.
    fn draw(
        &mut self,
        plan: &Plan,
        i: usize,
        from: usize,
        window: Window,
        out: &mut [f32],
        random: &mut SplitMix,
    ) {
        let mut switches = std::mem::take(&mut self.switches[i]);
        switches.resize(out.len(), 0);
        let n = size(plan.shapes[i]).max(1);
        for ((b, output), s) in views_mut(out, plan.shapes[i]).enumerate().zip(switches.chunks_exact_mut(n)) {
            stochastic::draw(window, self.value(plan, from, b), output, s, random);
        }
        self.switches[i] = switches;
        self.drawn[i] = true;
    }

    fn drop_units(&mut self, net: &Net, plan: &Plan, i: usize, share: f32, random: Option<&mut SplitMix>) {
        let from = plan.owner[net.nodes[i].inputs[0]];
        let n = self.items * size(plan.shapes[i]);
        let mut out = std::mem::take(&mut self.values[i]);
        out.clear();
        out.extend_from_slice(&self.values[from][..n]);
        let mask = &mut self.masks[i];
        mask.clear();
        if let Some(random) = random {
            let scale = 1.0 / (1.0 - share);
            mask.extend((0..n).map(|_| if random.uniform() < f64::from(share) { 0.0 } else { scale }));
            out.iter_mut().zip(mask).for_each(|(o, m)| *o *= *m);
        }
        self.values[i] = out;
    }

    /// Loss and hits against the true classes.
    pub fn score(&self, plan: &Plan, labels: &[usize]) -> Score {
        let last = plan.shapes.len() - 1;
        let mut score = Score::default();
        for (b, &label) in labels.iter().enumerate() {
            let p = self.value(plan, last, b).data;
            let best = p.iter().enumerate().fold(0, |m, (i, v)| if *v > p[m] { i } else { m });
            score.right += usize::from(best == label);
            score.loss -= f64::from(if plan.log { p[label] } else { p[label].max(1e-30).ln() });
            if p.iter().any(|v| !v.is_finite()) {
                score.loss = f64::NAN;
            }
        }
        score
    }

    /// The derivative of the mean cross-entropy of a batch of `batch` images, down to every parameter: added to
    /// `gradient`, which has the parameters' form.
    pub fn backward(
        &mut self,
        net: &Net,
        plan: &Plan,
        p: &Parameters,
        labels: &[usize],
        batch: usize,
        gradient: &mut [f32],
    ) {
        let last = plan.shapes.len() - 1;
        let mut seed = self.take(self.items * size(plan.shapes[last]));
        for (b, out) in seed.chunks_exact_mut(plan.shapes[last].c).enumerate() {
            for (c, (o, v)) in out.iter_mut().zip(self.value(plan, last, b).data).enumerate() {
                let p = if plan.log { v.exp() } else { *v };
                *o = (p - f32::from(u8::from(c == labels[b]))) / batch as f32;
            }
        }
        // Softmax and cross-entropy have this one derivative together; it goes straight below.
        self.arrive(net.nodes[last].inputs[0], seed);
        for i in (1..last).rev() {
            let Some(mut signal) = self.signals[i].take() else { continue };
            let node = &net.nodes[i];
            if let (Some(Kind::Relu), [k]) = (&node.kind, node.inputs.as_slice()) {
                let shape = plan.shapes[i];
                for (b, s) in views_mut(&mut signal, shape).enumerate() {
                    Relu::gate(Rule::Gradient, Some(self.value(plan, i, b)), s);
                }
                self.arrive(*k, signal);
                continue;
            }
            if plan.drops[i] {
                signal.iter_mut().zip(&self.masks[i]).for_each(|(s, m)| *s *= *m);
                self.arrive(node.inputs[0], signal);
                continue;
            }
            if node.layer.is_identity() {
                self.arrive(node.inputs[0], signal);
                continue;
            }
            self.parameters(net, plan, p, i, &signal, gradient);
            for (which, &k) in node.inputs.iter().enumerate() {
                if k != 0 && plan.needs[k] {
                    let below = self.pull(net, plan, i, which, &signal);
                    self.arrive(k, below);
                }
            }
            self.spare.push(signal);
        }
    }

    fn parameters(
        &self,
        net: &Net,
        plan: &Plan,
        p: &Parameters,
        i: usize,
        signal: &[f32],
        gradient: &mut [f32],
    ) {
        let parts = p.of(i);
        let (Some(first), Some(end), Some(kind)) = (parts.first(), parts.last(), net.kind(i)) else { return };
        let input = net.nodes[i].inputs[0];
        let pairs: Vec<Pair> = (0..self.items)
            .map(|b| Pair { input: self.value(plan, input, b), signal: view(signal, plan.shapes[i], b) })
            .collect();
        let mut rest = &mut gradient[first.range.start..end.range.end];
        let mut slices: Vec<&mut [f32]> = Vec::new();
        for part in parts {
            let (slice, behind) = std::mem::take(&mut rest).split_at_mut(part.range.len());
            slices.push(slice);
            rest = behind;
        }
        match &self.partial[i] {
            None => gradient::add(kind, &pairs, &mut slices),
            Some((_, mask)) => {
                let mut own = vec![0.0; slices[0].len()];
                let (weight, bias) = slices.split_at_mut(1);
                gradient::add(kind, &pairs, &mut [&mut own, &mut *bias[0]]);
                weight[0].iter_mut().zip(own.iter().zip(mask)).for_each(|(w, (g, m))| *w += g * m);
            }
        }
    }

    fn pull(&mut self, net: &Net, plan: &Plan, i: usize, which: usize, signal: &[f32]) -> Vec<f32> {
        let node = &net.nodes[i];
        let (own, below) = (plan.shapes[i], plan.shapes[node.inputs[which]]);
        let mut out = self.take(self.items * size(below));
        if let Some(filters) = node.layer.transposed() {
            let mut items: Vec<Item> = views_mut(&mut out, below)
                .enumerate()
                .map(|(b, output)| Item { input: view(signal, own, b), output })
                .collect();
            filters.run(&mut items, false);
            return out;
        }
        let layer: &dyn Layer = match &self.partial[i] {
            Some((layer, _)) => layer.as_ref(),
            None => node.layer.as_ref(),
        };
        let descent = Descent { rule: Rule::Gradient, ..Descent::default() };
        let shapes: Vec<Shape> = node.inputs.iter().map(|&k| plan.shapes[k]).collect();
        // A value that only its ReLU keeps is not there.
        let kept = |k: usize, b| (plan.fused[plan.owner[k]] != Some(k)).then(|| self.value(plan, k, b));
        for (b, output) in views_mut(&mut out, below).enumerate() {
            let inputs: Vec<Option<View>> = node.inputs.iter().map(|&k| kept(k, b)).collect();
            let switches = self.switches[i].chunks_exact(size(own).max(1)).nth(b);
            if let (true, Some(switches)) = (self.drawn[i], switches) {
                pool::unpool(view(signal, own, b), switches, own.rect(), below, output);
                continue;
            }
            let at =
                Recorded { inputs: &inputs, shapes: &shapes, output: kept(i, b), switches, over: own.rect() };
            layer.pull(&at, &descent, view(signal, own, b), which, output);
        }
        out
    }

    /// A buffer of that size with arbitrary contents.
    fn take(&mut self, n: usize) -> Vec<f32> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.resize(n, 0.0);
        buffer
    }

    /// A signal reaches a node; where paths meet they sum.
    fn arrive(&mut self, node: usize, signal: Vec<f32>) {
        match &mut self.signals[node] {
            None => self.signals[node] = Some(signal),
            Some(there) => {
                there.iter_mut().zip(&signal).for_each(|(a, b)| *a += b);
                self.spare.push(signal);
            }
        }
    }
}

/// A dense layer with part of its weights, scaled up, and the factors of them.
fn drop_weights(
    net: &Net,
    plan: &Plan,
    node: usize,
    share: f32,
    random: &mut SplitMix,
    p: &Parameters,
) -> Option<Partial> {
    let input = plan.shapes[net.nodes[node].inputs[0]];
    let part = p.of(node).first()?;
    let scale = 1.0 / (1.0 - share);
    let mask: Vec<f32> =
        part.range.clone().map(|_| if random.uniform() < f64::from(share) { 0.0 } else { scale }).collect();
    let spec = LayerSpec { name: net.name(node).into(), inputs: vec![], kind: net.kind(node)?.clone() };
    let mut values = p.values.clone();
    values[part.range.clone()].iter_mut().zip(&mask).for_each(|(v, m)| *v *= m);
    let mut weights = p.named(&values);
    layer::build(&spec, &[input], &mut weights).ok().map(|layer| (layer, mask))
}

/// Adds one vector to another: the chunks' gradients, in the chunks' order.
pub(super) fn add(to: &mut [f32], from: &[f32]) {
    let n = to.len();
    let rect = Rect::full(1, n);
    let view = View { data: from, channels: 1, rect, row: n, plane: n };
    elementwise::add(ViewMut { data: to, channels: 1, rect, row: n, plane: n }, view);
}
