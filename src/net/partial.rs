//! A forward pass of only what one rectangle of a layer depends on: its receptive field, layer by layer.
//!
//! To a unit low in the network almost nothing of the image matters. What is computed equals the whole pass
//! to the bit, and so does everything that is pulled down from that rectangle.

use super::{Net, Trace, plan};
use crate::error::Result;
use crate::kernel::inside;
use crate::tensor::{Rect, Shape, Tensor};
use std::sync::Arc;

/// What of every layer is computed.
pub(super) struct Parts {
    /// Per node: the rectangle of its plane that is needed; empty where nothing is.
    pub(super) need: Vec<Rect>,
    /// Per owner of an array: the rectangle that its array covers.
    pub(super) extent: Vec<Rect>,
}

impl Parts {
    fn new(net: &Net, shapes: &[Shape], node: usize, rect: Rect) -> Parts {
        let n = net.nodes.len();
        let (mut need, mut extent) = (vec![Rect::default(); n], vec![Rect::default(); n]);
        need[node] = rect.intersect(&shapes[node].rect());
        for i in (1..=node).rev() {
            if need[i].is_empty() {
                continue;
            }
            // A ReLU that is fused is computed as its convolution is.
            let (before, _) = plan::behind(&net.nodes, i);
            let run = if net.nodes[before].fused_relu == Some(i) { before } else { i };
            need[i] = aligned(need[i], net.nodes[run].layer.grid()).intersect(&shapes[i].rect());
            let (owner, _) = net.locate(i, shapes);
            extent[owner] = extent[owner].union(&need[i]);
            for &k in &net.nodes[i].inputs {
                let reads = net.nodes[i].layer.reads(&need[i], shapes[k]).intersect(&shapes[k].rect());
                need[k] = need[k].union(&reads);
            }
        }
        // The input is there as a whole.
        (need[0], extent[0]) = (shapes[0].rect(), shapes[0].rect());
        Parts { need, extent }
    }
}

/// The smallest rectangle around another whose sides lie on a grid from 0.
pub(super) fn aligned(r: Rect, grid: usize) -> Rect {
    let g = grid as isize;
    let up = |v: isize| v.div_euclid(g) * g + if v.rem_euclid(g) == 0 { 0 } else { g };
    let down = |v: isize| v.div_euclid(g) * g;
    Rect::new(down(r.y0), down(r.x0), up(r.y1), up(r.x1))
}

impl Net {
    /// Runs what `rect` of a node depends on. The trace holds nothing else: it may be asked for values inside the
    /// rectangle, and for what is pulled down from there.
    pub(crate) fn forward_part(self: &Arc<Net>, input: Tensor, node: usize, rect: Rect) -> Result<Trace> {
        let mut pass = self.start(vec![input])?;
        pass.restrict(|shapes| Parts::new(self, shapes, node, rect));
        inside(|| pass.run_to(node));
        Ok(pass.only())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::deconvnet::{Descent, LrnRule, Options, Rule, Seed, project};
    use crate::random::SplitMix;
    use crate::spec::{Kind, LayerSpec, Model, Spec, Weight, Weights};
    use crate::window::Window;

    /// Every way in which a layer's place depends on others: fused, joined, padded, strided, transformed.
    fn net(random: &mut SplitMix) -> Arc<Net> {
        let mut weights = Weights::default();
        let mut layers = Vec::new();
        let mut add = |name: &str, inputs: &[&str], kind: Kind| {
            let inputs = inputs.iter().map(|i| String::from(*i)).collect();
            layers.push(LayerSpec { name: name.into(), inputs, kind });
        };
        let mut conv = |name: &str, shape: [usize; 4], window: Window, groups| {
            let n = shape.iter().product::<usize>();
            let values =
                (0..n).map(|_| random.normal() as f32 * (2.0 / (n / shape[0]) as f32).sqrt()).collect();
            weights.insert(format!("{name}.weight"), Weight::new(shape.to_vec(), values).unwrap());
            let bias = (0..shape[0]).map(|_| random.normal() as f32 * 0.1).collect();
            weights.insert(format!("{name}.bias"), Weight::new(vec![shape[0]], bias).unwrap());
            Kind::Conv { filters: shape[0], window, groups, connections: None }
        };
        let pool = |ceil| Kind::MaxPool { window: Window::square(3, 2, 0), ceil, maps: 1 };
        add("conv1", &["data"], conv("conv1", [8, 3, 5, 5], Window::square(5, 2, 1), 1));
        add("relu1", &["conv1"], Kind::Relu);
        add("pool1", &["relu1"], pool(true));
        add("norm1", &["pool1"], Kind::Lrn { size: 3, alpha: 0.1, beta: 0.75, k: 1.0 });
        add("small", &["norm1"], conv("small", [8, 8, 1, 1], Window::square(1, 1, 0), 1));
        add("relu_small", &["small"], Kind::Relu);
        add("large", &["norm1"], conv("large", [16, 8, 3, 3], Window::square(3, 1, 1), 1));
        add("relu_large", &["large"], Kind::Relu);
        add("concat", &["relu_small", "relu_large"], Kind::Concat);
        add("conv2", &["concat"], conv("conv2", [16, 12, 5, 5], Window::square(5, 1, 2), 2));
        add("relu2", &["conv2"], Kind::Relu);
        add("pool2", &["relu2"], pool(false));
        add("conv3", &["pool2"], conv("conv3", [16, 16, 3, 3], Window::square(3, 1, 1), 1));
        add("relu3", &["conv3"], Kind::Relu);
        let spec = Spec { layers, ..Spec::new("parts", Shape::new(3, 67, 75)) };
        Arc::new(Net::new(Model { spec, weights }).unwrap())
    }

    #[test]
    fn a_unit_and_its_projection_are_those_of_the_whole_pass_to_the_bit() {
        let mut random = SplitMix::new(5);
        let net = net(&mut random);
        let shape = net.spec().input.shape;
        let values = (0..shape.count().unwrap()).map(|_| random.normal() as f32).collect();
        let input = Tensor::new(shape, values).unwrap();
        let whole = net.forward(input.clone()).unwrap();
        for node in 1..net.len() {
            let s = whole.shape(node);
            for at in [[0, 0], [s.h - 1, s.w - 1], [s.h / 2, s.w / 3], [s.h / 3, s.w - 1]] {
                let unit = Rect::unit(at[0] as isize, at[1] as isize);
                let part = net.forward_part(input.clone(), node, unit).unwrap();
                for (rule, lrn) in
                    [(Rule::Deconvnet, None), (Rule::Guided, None), (Rule::Deconvnet, Some(LrnRule::Divide))]
                {
                    let options =
                        Options { descent: Descent { rule, lrn, ..Descent::default() }, randomise: None };
                    let seed = Seed::Unit { map: s.c / 2, at: Some(at) };
                    let [a, b] = [&whole, &part].map(|t| project(t, node, &seed, &options).unwrap());
                    assert!(a == b, "{} {at:?} {rule:?}: {} and {}", net.name(node), a.value, b.value);
                }
            }
        }
    }

    #[test]
    fn little_of_a_plane_is_computed_for_a_low_unit() {
        let net = net(&mut SplitMix::new(1));
        let shapes = net.shapes(net.spec().input.shape).unwrap();
        let node = net.find("relu1").unwrap();
        let parts = Parts::new(&net, &shapes, node, Rect::unit(9, 9));
        assert_eq!(parts.need[node].area(), 1);
        assert!(parts.need[node + 1..].iter().all(Rect::is_empty));
        assert_eq!(aligned(Rect::new(-1, 3, 5, 8), 4), Rect::new(-4, 0, 8, 8));
    }
}
