//! The architectures of torchvision, layer by layer with the names of their tensors there, so that a state dict
//! finds its network. Pictures of 224 × 224, normalised as torchvision's own weights want it.

use super::{Input, Kind, LayerSpec, Order, Spec};
use crate::tensor::Shape;
use crate::window::Window;

/// A network and where its tensors are found.
pub struct Architecture {
    /// With a softmax at the end, which torchvision leaves to the loss.
    pub spec: Spec,
    /// For each layer with weights its prefixes in state dicts, torchvision's first (`features.0`), then timm's.
    pub keys: Vec<(String, Vec<String>)>,
}

/// All of them.
pub fn all() -> Vec<Architecture> {
    let mut all = vec![alexnet(), squeezenet(false), squeezenet(true)];
    for (depth, blocks) in
        [(11, [1, 1, 2, 2, 2]), (13, [2, 2, 2, 2, 2]), (16, [2, 2, 3, 3, 3]), (19, [2, 2, 4, 4, 4])]
    {
        all.extend([false, true].map(|norm| vgg(depth, blocks, norm)));
    }
    for (depth, blocks) in [(18, [2, 2, 2, 2]), (34, [3, 4, 6, 3]), (50, [3, 4, 6, 3])] {
        all.push(resnet(depth, blocks));
    }
    all
}

#[derive(Default)]
struct Net {
    layers: Vec<LayerSpec>,
    keys: Vec<(String, Vec<String>)>,
}

impl Net {
    fn add(&mut self, name: &str, kind: Kind) {
        self.join(name, kind, &[]);
    }

    fn join(&mut self, name: &str, kind: Kind, inputs: &[&str]) {
        let inputs = inputs.iter().map(|i| i.to_string()).collect();
        self.layers.push(LayerSpec { name: name.into(), inputs, kind });
    }

    fn weights(&mut self, name: &str, keys: &[&str]) {
        self.keys.push((name.into(), keys.iter().map(|k| k.to_string()).collect()));
    }

    fn conv(&mut self, name: &str, key: &str, filters: usize, window: Window) {
        self.add(name, Kind::Conv { filters, window, groups: 1, connections: None });
        self.weights(name, &[key]);
    }

    fn norm(&mut self, name: &str, key: &str) {
        self.add(name, Kind::BatchNorm { eps: 1e-5 });
        self.weights(name, &[key]);
    }

    fn pool(&mut self, name: &str, window: Window, ceil: bool) {
        self.add(name, Kind::MaxPool { window, ceil, maps: 1 });
    }

    /// Two hidden layers of 4096 units. AlexNet drops before them, VGG behind.
    fn classifier(&mut self, keys: [&[&str]; 3], drop_first: bool) {
        for (n, keys) in ["6", "7"].iter().zip(keys) {
            if drop_first {
                self.add(&format!("drop{n}"), Kind::Dropout);
            }
            self.add(&format!("fc{n}"), Kind::Dense { units: 4096 });
            self.weights(&format!("fc{n}"), keys);
            self.add(&format!("relu{n}"), Kind::Relu);
            if !drop_first {
                self.add(&format!("drop{n}"), Kind::Dropout);
            }
        }
        self.add("fc8", Kind::Dense { units: 1000 });
        self.weights("fc8", keys[2]);
        self.add("prob", Kind::Softmax);
    }

    fn finish(self, name: &str, title: &str) -> Architecture {
        let spec = Spec {
            title: title.into(),
            input: imagenet_input(),
            layers: self.layers,
            ..Spec::new(name, Shape::new(3, 224, 224))
        };
        Architecture { spec, keys: self.keys }
    }
}

/// Mean and deviation of ImageNet's training set as torchvision's models use them, in 0–255 units.
pub fn imagenet_input() -> Input {
    Input {
        shape: Shape::new(3, 224, 224),
        mean: [0.485, 0.456, 0.406].map(|v: f32| v * 255.0).to_vec(),
        std: [0.229, 0.224, 0.225].map(|v: f32| v * 255.0).to_vec(),
        order: Order::Rgb,
    }
}

fn alexnet() -> Architecture {
    let mut n = Net::default();
    let pool = Window::square(3, 2, 0);
    let layers = [
        ("1", "features.0", 64, Window::square(11, 4, 2), true),
        ("2", "features.3", 192, Window::square(5, 1, 2), true),
        ("3", "features.6", 384, Window::square(3, 1, 1), false),
        ("4", "features.8", 256, Window::square(3, 1, 1), false),
        ("5", "features.10", 256, Window::square(3, 1, 1), true),
    ];
    for (i, key, filters, window, pooled) in layers {
        n.conv(&format!("conv{i}"), key, filters, window);
        n.add(&format!("relu{i}"), Kind::Relu);
        if pooled {
            n.pool(&format!("pool{i}"), pool, false);
        }
    }
    // The adaptive average pooling to 6×6 changes nothing at 224.
    n.classifier([&["classifier.1"], &["classifier.4"], &["classifier.6"]], true);
    n.finish("alexnet", "AlexNet (one column, 2014)")
}

fn vgg(depth: usize, blocks: [usize; 5], norm: bool) -> Architecture {
    let mut n = Net::default();
    let mut at = 0;
    for (block, (convolutions, filters)) in blocks.into_iter().zip([64, 128, 256, 512, 512]).enumerate() {
        for i in 1..=convolutions {
            let name = format!("{}_{i}", block + 1);
            n.conv(&format!("conv{name}"), &format!("features.{at}"), filters, Window::square(3, 1, 1));
            if norm {
                n.norm(&format!("bn{name}"), &format!("features.{}", at + 1));
            }
            n.add(&format!("relu{name}"), Kind::Relu);
            at += 2 + usize::from(norm);
        }
        n.pool(&format!("pool{}", block + 1), Window::square(2, 2, 0), false);
        at += 1;
    }
    let keys: [&[&str]; 3] = [
        &["classifier.0", "pre_logits.fc1"],
        &["classifier.3", "pre_logits.fc2"],
        &["classifier.6", "head.fc"],
    ];
    n.classifier(keys, false);
    let (suffix, with) = if norm { ("_bn", " with batch normalisation") } else { ("", "") };
    n.finish(&format!("vgg{depth}{suffix}"), &format!("VGG{depth}{with}"))
}

/// `small` is version 1.1: the same accuracy for less than half the work. Names as in its authors' prototxt.
fn squeezenet(small: bool) -> Architecture {
    let mut n = Net::default();
    let pool = Window::square(3, 2, 0);
    let first = if small { (64, Window::square(3, 2, 0)) } else { (96, Window::square(7, 2, 0)) };
    n.conv("conv1", "features.0", first.0, first.1);
    n.add("relu_conv1", Kind::Relu);
    n.pool("pool1", pool, true);
    let mut at = 3;
    for (i, squeeze) in [16, 16, 32, 32, 48, 48, 64, 64].into_iter().enumerate() {
        let fire = format!("fire{}", i + 2);
        let key = |part: &str| format!("features.{at}.{part}");
        let one = Window::square(1, 1, 0);
        let (s, r) = (format!("{fire}/squeeze1x1"), format!("{fire}/relu_squeeze1x1"));
        n.conv(&s, &key("squeeze"), squeeze, one);
        n.add(&r, Kind::Relu);
        let mut parts = Vec::new();
        for (side, window) in [("1x1", one), ("3x3", Window::square(3, 1, 1))] {
            let (e, r2) = (format!("{fire}/expand{side}"), format!("{fire}/relu_expand{side}"));
            n.join(&e, Kind::Conv { filters: 4 * squeeze, window, groups: 1, connections: None }, &[&r]);
            n.weights(&e, &[&key(&format!("expand{side}"))]);
            n.add(&r2, Kind::Relu);
            parts.push(r2);
        }
        n.join(&format!("{fire}/concat"), Kind::Concat, &[&parts[0], &parts[1]]);
        at += 1;
        if if small { [1, 3].contains(&i) } else { [2, 6].contains(&i) } {
            n.pool(&format!("pool{}", i + 2), pool, true);
            at += 1;
        }
    }
    n.add("drop9", Kind::Dropout);
    n.conv("conv10", "classifier.1", 1000, Window::square(1, 1, 0));
    n.add("relu_conv10", Kind::Relu);
    n.add("pool10", Kind::GlobalAvg);
    n.add("prob", Kind::Softmax);
    let version = if small { "1.1" } else { "1.0" };
    n.finish(&format!("squeezenet{}", version.replace('.', "_")), &format!("SqueezeNet {version}"))
}

/// He et al. 2016. Layers are called as in torchvision, sums `layer1.0.sum`.
fn resnet(depth: usize, blocks: [usize; 4]) -> Architecture {
    let bottleneck = depth >= 50;
    let mut n = Net::default();
    n.conv("conv1", "conv1", 64, Window::square(7, 2, 3));
    n.norm("bn1", "bn1");
    n.add("relu1", Kind::Relu);
    n.pool("pool1", Window::square(3, 2, 1), false);
    let mut input = "pool1".to_string();
    let mut width = 64;
    for (stage, count) in blocks.into_iter().enumerate() {
        let maps = 64 << stage;
        let out = if bottleneck { 4 * maps } else { maps };
        for block in 0..count {
            let name = |part: &str| format!("layer{}.{block}.{part}", stage + 1);
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            let one = Window::square(1, 1, 0);
            let three = |stride| Window::square(3, stride, 1);
            let steps = if bottleneck {
                vec![(maps, one), (maps, three(stride)), (out, one)]
            } else {
                vec![(maps, three(stride)), (maps, three(1))]
            };
            let last = steps.len();
            let mut read = input.clone();
            for (i, (filters, window)) in steps.into_iter().enumerate() {
                let (conv, bn) = (name(&format!("conv{}", i + 1)), name(&format!("bn{}", i + 1)));
                n.join(&conv, Kind::Conv { filters, window, groups: 1, connections: None }, &[&read]);
                n.weights(&conv, &[&conv]);
                n.norm(&bn, &bn);
                read = bn;
                if i + 1 < last {
                    read = name(&format!("relu{}", i + 1));
                    n.add(&read, Kind::Relu);
                }
            }
            let mut skip = input.clone();
            if stride != 1 || width != out {
                let (conv, bn) = (name("downsample.0"), name("downsample.1"));
                let window = Window::square(1, stride, 0);
                n.join(&conv, Kind::Conv { filters: out, window, groups: 1, connections: None }, &[&input]);
                n.weights(&conv, &[&conv]);
                n.norm(&bn, &bn);
                skip = bn;
            }
            n.join(&name("sum"), Kind::Sum, &[&read, &skip]);
            input = name("relu");
            n.add(&input, Kind::Relu);
            width = out;
        }
    }
    n.add("pool5", Kind::GlobalAvg);
    n.add("fc", Kind::Dense { units: 1000 });
    n.weights("fc", &["fc"]);
    n.add("prob", Kind::Softmax);
    n.finish(&format!("resnet{depth}"), &format!("ResNet-{depth}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::shape;
    use std::collections::HashMap;

    /// Parameters of each architecture, as torchvision's documentation prints them.
    #[test]
    fn the_numbers_of_parameters_are_those_that_torchvision_prints() {
        let expected = [
            ("alexnet", 61_100_840),
            ("squeezenet1_0", 1_248_424),
            ("squeezenet1_1", 1_235_496),
            ("vgg11", 132_863_336),
            ("vgg11_bn", 132_868_840),
            ("vgg13", 133_047_848),
            ("vgg13_bn", 133_053_736),
            ("vgg16", 138_357_544),
            ("vgg16_bn", 138_365_992),
            ("vgg19", 143_667_240),
            ("vgg19_bn", 143_678_248),
            ("resnet18", 11_689_512),
            ("resnet34", 21_797_672),
            ("resnet50", 25_557_032),
        ];
        let found: Vec<(String, usize)> =
            all().iter().map(|a| (a.spec.name.clone(), parameters(&a.spec))).collect();
        let expected: Vec<(String, usize)> = expected.iter().map(|(n, p)| (n.to_string(), *p)).collect();
        assert_eq!(found, expected);
    }

    fn parameters(spec: &Spec) -> usize {
        let mut shapes = HashMap::from([("data".to_string(), spec.input.shape)]);
        let (mut last, mut sum) = ("data".to_string(), 0);
        for l in &spec.layers {
            let reads = if l.inputs.is_empty() { vec![last.clone()] } else { l.inputs.clone() };
            let given: Vec<Shape> = reads.iter().map(|r| shapes[r]).collect();
            let bias = !spec.name.starts_with("resnet");
            sum += match &l.kind {
                Kind::Conv { filters, window, .. } => {
                    filters * (given[0].c * window.kernel[0] * window.kernel[1] + usize::from(bias))
                }
                Kind::Dense { units } => units * (given[0].count().unwrap() + 1),
                Kind::BatchNorm { .. } => 2 * given[0].c,
                _ => 0,
            };
            shapes.insert(l.name.clone(), shape::output(&l.kind, &given).unwrap());
            last.clone_from(&l.name);
        }
        sum
    }

    #[test]
    fn every_layer_with_weights_has_a_key() {
        for a in all() {
            let weighs = |l: &&LayerSpec| {
                matches!(l.kind, Kind::Conv { .. } | Kind::Dense { .. } | Kind::BatchNorm { .. })
            };
            assert_eq!(a.spec.layers.iter().filter(weighs).count(), a.keys.len(), "{}", a.spec.name);
        }
    }
}
