//! Architectures that are known by heart: to give pickled weights their layers, to train from
//! scratch, and to check the geometry that the papers print.

use super::torchvision::imagenet_input;
use super::{Input, Kind, LayerSpec, Order, Spec};
use crate::tensor::Shape;
use crate::window::Window;

/// All of them.
pub fn all() -> Vec<Spec> {
    vec![alexnet(), vgg16(), alexnet2012(), zfnet(), lenet5()]
}

/// The later one-column AlexNet (Krizhevsky, *One weird trick for parallelizing convolutional
/// neural networks*, 2014) in torchvision's form: convolutional part only, no LRN, no groups.
pub fn alexnet() -> Spec {
    Chain::new()
        .conv("1", 64, Window::square(11, 4, 2))
        .relu("1")
        .pool("1", Window::square(3, 2, 0), false)
        .conv("2", 192, Window::square(5, 1, 2))
        .relu("2")
        .pool("2", Window::square(3, 2, 0), false)
        .conv("3", 384, Window::square(3, 1, 1))
        .relu("3")
        .conv("4", 256, Window::square(3, 1, 1))
        .relu("4")
        .conv("5", 256, Window::square(3, 1, 1))
        .relu("5")
        .pool("5", Window::square(3, 2, 0), false)
        .spec("alexnet", "AlexNet (one column, 2014), convolutional part", imagenet_input())
}

/// VGG16 (Simonyan, Zisserman, ICLR 2015, configuration D), convolutional part, torchvision's normalisation.
pub fn vgg16() -> Spec {
    let mut chain = Chain::new();
    for (block, (filters, convolutions)) in
        [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)].into_iter().enumerate()
    {
        for i in 1..=convolutions {
            let name = format!("{}_{i}", block + 1);
            chain = chain.conv(&name, filters, Window::square(3, 1, 1)).relu(&name);
        }
        chain = chain.pool(&(block + 1).to_string(), Window::square(2, 2, 0), false);
    }
    chain.spec("vgg16", "VGG16, convolutional part", imagenet_input())
}

/// ImageNet's mean in Caffe's order, blue first.
fn caffe_input(side: usize) -> Input {
    Input {
        shape: Shape::new(3, side, side),
        mean: vec![104.0, 117.0, 123.0],
        std: Vec::new(),
        order: Order::Bgr,
    }
}

/// AlexNet as published (Krizhevsky, Sutskever, Hinton, NIPS 2012): two groups, LRN. Pooling before
/// LRN, as in Caffe's reference form and in ZF14's description.
pub fn alexnet2012() -> Spec {
    let pool = Window::square(3, 2, 0);
    Chain::new()
        .conv("1", 96, Window::square(11, 4, 0))
        .relu("1")
        .pool("1", pool, false)
        .lrn("1")
        .grouped("2", 256, Window::square(5, 1, 2), 2)
        .relu("2")
        .pool("2", pool, false)
        .lrn("2")
        .conv("3", 384, Window::square(3, 1, 1))
        .relu("3")
        .grouped("4", 384, Window::square(3, 1, 1), 2)
        .relu("4")
        .grouped("5", 256, Window::square(3, 1, 1), 2)
        .relu("5")
        .pool("5", pool, false)
        .classifier()
        .spec("alexnet2012", "AlexNet (2012, two columns)", caffe_input(227))
}

/// ZFNet (Zeiler, Fergus, ECCV 2014, Fig. 3): 7×7 filters with stride 2, no groups.
pub fn zfnet() -> Spec {
    let pool = Window::square(3, 2, 0);
    Chain::new()
        .conv("1", 96, Window::square(7, 2, 1))
        .relu("1")
        .pool("1", pool, true)
        .lrn("1")
        .conv("2", 256, Window::square(5, 2, 0))
        .relu("2")
        .pool("2", pool, true)
        .lrn("2")
        .conv("3", 384, Window::square(3, 1, 1))
        .relu("3")
        .conv("4", 384, Window::square(3, 1, 1))
        .relu("4")
        .conv("5", 256, Window::square(3, 1, 1))
        .relu("5")
        .pool("5", pool, true)
        .classifier()
        .spec("zfnet", "ZFNet (2014)", caffe_input(224))
}

/// Which of S2's six maps each of C3's sixteen maps reads (LeCun et al. 1998, Table I).
const LENET_C3: [&[usize]; 16] = [
    &[0, 1, 2],
    &[1, 2, 3],
    &[2, 3, 4],
    &[3, 4, 5],
    &[0, 4, 5],
    &[0, 1, 5],
    &[0, 1, 2, 3],
    &[1, 2, 3, 4],
    &[2, 3, 4, 5],
    &[0, 3, 4, 5],
    &[0, 1, 4, 5],
    &[0, 1, 2, 5],
    &[0, 1, 3, 4],
    &[1, 2, 4, 5],
    &[0, 2, 3, 5],
    &[0, 1, 2, 3, 4, 5],
];

/// LeNet-5 (LeCun et al. 1998) with its subsampling layers and C3's connection table. ReLU stands
/// for the paper's scaled tanh, a dense layer with softmax for its radial basis units.
pub fn lenet5() -> Spec {
    let five = Window::square(5, 1, 0);
    let half = || Kind::Subsample { window: Window::square(2, 2, 0) };
    let connections = Some(LENET_C3.iter().map(|c| c.to_vec()).collect());
    let input = Input { shape: Shape::new(1, 32, 32), mean: vec![], std: vec![255.0], order: Order::Rgb };
    let mut spec = Chain::new()
        .add("c1", convolution(6, five, 1))
        .relu("1")
        .add("s2", half())
        .add("c3", Kind::Conv { filters: 16, window: five, groups: 1, connections })
        .relu("3")
        .add("s4", half())
        .add("c5", convolution(120, five, 1))
        .relu("5")
        .add("f6", Kind::Dense { units: 84 })
        .relu("6")
        .add("output", Kind::Dense { units: 10 })
        .add("prob", Kind::Softmax)
        .spec("lenet5", "LeNet-5 (1998)", input);
    spec.notes = "ReLU instead of tanh, softmax instead of radial basis units.".into();
    spec
}

fn convolution(filters: usize, window: Window, groups: usize) -> Kind {
    Kind::Conv { filters, window, groups, connections: None }
}

/// A network without branches, layer by layer; names are the kind's short name and a number.
struct Chain(Vec<LayerSpec>);

impl Chain {
    fn new() -> Chain {
        Chain(Vec::new())
    }

    fn add(mut self, name: &str, kind: Kind) -> Chain {
        self.0.push(LayerSpec { name: name.into(), inputs: Vec::new(), kind });
        self
    }

    fn conv(self, number: &str, filters: usize, window: Window) -> Chain {
        self.grouped(number, filters, window, 1)
    }

    fn grouped(self, number: &str, filters: usize, window: Window, groups: usize) -> Chain {
        self.add(&format!("conv{number}"), convolution(filters, window, groups))
    }

    fn relu(self, number: &str) -> Chain {
        self.add(&format!("relu{number}"), Kind::Relu)
    }

    fn pool(self, number: &str, window: Window, ceil: bool) -> Chain {
        self.add(&format!("pool{number}"), Kind::MaxPool { window, ceil, maps: 1 })
    }

    /// AK12 §3.3: k 2, n 5, α 10⁻⁴, β ¾; its α is not divided by n, ours is.
    fn lrn(self, number: &str) -> Chain {
        self.add(&format!("norm{number}"), Kind::Lrn { size: 5, alpha: 5e-4, beta: 0.75, k: 2.0 })
    }

    fn classifier(self) -> Chain {
        self.add("fc6", Kind::Dense { units: 4096 })
            .relu("6")
            .add("drop6", Kind::Dropout)
            .add("fc7", Kind::Dense { units: 4096 })
            .relu("7")
            .add("drop7", Kind::Dropout)
            .add("fc8", Kind::Dense { units: 1000 })
            .add("prob", Kind::Softmax)
    }

    fn spec(self, name: &str, title: &str, input: Input) -> Spec {
        Spec {
            name: name.into(),
            title: title.into(),
            licence: String::new(),
            origin: String::new(),
            notes: String::new(),
            input,
            classes: Vec::new(),
            layers: self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Side of the output and of the receptive field of every convolution.
    fn geometry(spec: &Spec) -> Vec<(usize, usize)> {
        let (mut side, mut field, mut step) = (spec.input.shape.h, 1, 1);
        let mut out = Vec::new();
        for layer in &spec.layers {
            let (window, ceil) = match &layer.kind {
                Kind::Conv { window, .. } | Kind::Subsample { window } => (window, false),
                Kind::MaxPool { window, ceil, .. } => (window, *ceil),
                _ => continue,
            };
            side = window.output(side, side, ceil).unwrap()[0];
            field += (window.extent()[0] - 1) * step;
            step *= window.stride[0];
            if matches!(layer.kind, Kind::Conv { .. }) {
                out.push((side, field));
            }
        }
        out.push((side, field));
        out
    }

    #[test]
    fn sides_and_receptive_fields_are_those_of_the_papers() {
        let alexnet = [(55, 11), (27, 51), (13, 99), (13, 131), (13, 163), (6, 195)];
        assert_eq!(geometry(&alexnet2012()), alexnet);
        let zf = [(110, 7), (26, 27), (13, 75), (13, 107), (13, 139), (6, 171)];
        assert_eq!(geometry(&zfnet()), zf);
        assert_eq!(geometry(&self::alexnet()).last(), Some(&(6, 195)));
        assert_eq!(geometry(&vgg16()).last(), Some(&(7, 212)));
        assert_eq!(geometry(&lenet5()), [(28, 5), (10, 14), (1, 32), (1, 32)]);
    }

    #[test]
    fn lenets_table_has_the_papers_sixty_connections() {
        assert_eq!(LENET_C3.iter().map(|c| c.len()).sum::<usize>(), 60);
        assert!((0..6).all(|i| LENET_C3.iter().filter(|c| c.contains(&i)).count() == 10));
    }
}
