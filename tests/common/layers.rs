//! One layer of random kind and geometry, and the calls a property needs.

use crate::common::Random;
use serde_json::{Value, json};
use unpool::layer::{self, Descent, Layer, Push, Recorded};
use unpool::spec::{Weight, Weights};
use unpool::tensor::{Rect, Shape, Tensor, View};

/// Every kind there is.
pub const KINDS: [&str; 26] = [
    "conv",
    "relu",
    "max_pool",
    "avg_pool",
    "subsample",
    "lrn",
    "batch_norm",
    "concat",
    "sum",
    "dense",
    "dropout",
    "global_avg",
    "softmax",
    "log_softmax",
    "leaky",
    "prelu",
    "clip",
    "sigmoid",
    "tanh",
    "conv_transpose",
    "pad",
    "global_max",
    "scale",
    "product",
    "reshape",
    "transpose",
];

/// A layer with inputs that fit it.
pub struct Subject {
    pub layer: Box<dyn Layer>,
    pub inputs: Vec<Tensor>,
    pub output: Tensor,
    pub switches: Vec<u32>,
    /// For messages.
    pub text: String,
}

impl Subject {
    pub fn random(kind: &str, rng: &mut Random) -> Subject {
        // Now and then a layer wide enough for every blocked path of the kernels.
        let large = rng.range(0, 9) == 0;
        let side = if large { 37 } else { 19 };
        let (mut c, h, w) = (rng.range(1, 7), rng.range(1, side), rng.range(1, side));
        let mut weights = Weights::new();
        let mut parts = Vec::new();
        let mut shapes = Vec::new();
        let mut options = json!({});
        match kind {
            "conv" => {
                let groups = [1, 1, 2, 3][rng.range(0, 3)];
                let (per_in, per_out) = if large { (20, 35) } else { (9, 11) };
                let (per_in, per_out) = (rng.range(1, per_in), rng.range(1, per_out));
                c = per_in * groups;
                options = window(rng, [h, w], true);
                let kernel = [0, 1].map(|a| options["kernel"][a].as_u64().unwrap() as usize);
                options["filters"] = json!(per_out * groups);
                options["groups"] = json!(groups);
                parts.push(("weight", vec![per_out * groups, per_in, kernel[0], kernel[1]]));
                parts.push(("bias", vec![per_out * groups]));
            }
            "max_pool" | "avg_pool" | "subsample" => {
                options = window(rng, [h, w], false);
                match kind {
                    "max_pool" => {
                        let maps = [1, 1, 2, 3][rng.range(0, 3)];
                        c *= maps;
                        options["maps"] = json!(maps);
                        options["ceil"] = json!(rng.range(0, 1) == 1);
                    }
                    "avg_pool" => {
                        options["ceil"] = json!(rng.range(0, 1) == 1);
                        options["include_pad"] = json!(rng.range(0, 1) == 1);
                    }
                    _ => {
                        options["pad"] = json!([0, 0, 0, 0]);
                        parts.extend([("weight", vec![c]), ("bias", vec![c])]);
                        options["kernel"] = json!([rng.range(1, h.min(3)), rng.range(1, w.min(3))]);
                    }
                }
            }
            "lrn" => {
                let size = [1, 3, 5, 4][rng.range(0, 3)];
                options = json!({"size": size, "alpha": 0.8, "beta": 0.75, "k": 1.0});
            }
            "batch_norm" => {
                options = json!({"eps": 1e-5});
                parts.extend(["mean", "var", "weight", "bias"].map(|p| (p, vec![c])));
            }
            "dense" => {
                let units = rng.range(1, 21);
                options = json!({"units": units});
                parts.extend([("weight", vec![units, c * h * w]), ("bias", vec![units])]);
            }
            "leaky" => options = json!({"alpha": 0.3}),
            "prelu" => parts.push(("slope", vec![if rng.range(0, 1) == 0 { 1 } else { c }])),
            "clip" => {
                options = [json!({"min": 0.0, "max": 0.7}), json!({"min": -0.5})][rng.range(0, 1)].clone()
            }
            "conv_transpose" => {
                let groups = rng.range(1, 3);
                let (per_in, per_out) = (rng.range(1, if large { 20 } else { 5 }), rng.range(1, 6));
                c = per_in * groups;
                // The transpose of a convolution that fits any larger plane; its padding must leave something.
                options = window(rng, [40, 40], true);
                let kernel = [0, 1].map(|a| options["kernel"][a].as_u64().unwrap() as usize);
                let side = |key: &str, a: usize| options[key][a].as_u64().unwrap() as usize;
                let output_pad = [0, 1].map(|a| rng.range(0, side("stride", a).max(side("dilation", a)) - 1));
                let left = |a: usize, n: usize| {
                    (n - 1) * side("stride", a) + (kernel[a] - 1) * side("dilation", a) + 1 + output_pad[a]
                };
                if (0..2).any(|a| left(a, [h, w][a]) <= side("pad", a) + side("pad", a + 2)) {
                    options["pad"] = json!([0, 0, 0, 0]);
                }
                options["output_pad"] = json!(output_pad);
                options["filters"] = json!(per_out * groups);
                options["groups"] = json!(groups);
                parts.push(("weight", vec![c, per_out, kernel[0], kernel[1]]));
                parts.push(("bias", vec![per_out * groups]));
            }
            "pad" => {
                let mode = ["constant", "edge", "reflect"][rng.range(0, 2)];
                let most = |n: usize| if mode == "reflect" { (n - 1).min(3) } else { 3 };
                let pad = [h, w, h, w].map(|n| rng.range(0, most(n)));
                options = json!({"pad": pad, "mode": mode, "value": 0.25});
            }
            "scale" => {
                for part in ["weight", "bias"] {
                    match rng.range(0, if part == "bias" && parts.is_empty() { 1 } else { 2 }) {
                        0 => parts.push((part, vec![c])),
                        1 => parts.push((part, vec![c, h, w])),
                        _ => {}
                    }
                }
            }
            "reshape" => {
                let to = [[h, c, w], [1, c * h, w], [c * h * w, 1, 1]][rng.range(0, 2)];
                options = json!({"shape": to});
            }
            "transpose" => {
                let order = [[2, 0, 1], [0, 2, 1], [1, 0, 2], [1, 2, 0]][rng.range(0, 3)];
                options = json!({"order": order});
            }
            "concat" | "sum" | "product" => {
                for _ in 0..rng.range(1, 3) {
                    let channels = if kind == "concat" { rng.range(1, 5) } else { c };
                    shapes.push(Shape::new(channels, h, w));
                }
            }
            _ => {}
        }
        if shapes.is_empty() {
            shapes.push(Shape::new(c, h, w));
        }
        for (part, shape) in parts {
            let mut values = rng.values(shape.iter().product());
            if part == "var" {
                values.iter_mut().for_each(|v| *v = v.abs() + 0.1);
            }
            weights.insert(format!("it.{part}"), Weight::new(shape, values).unwrap());
        }
        options["name"] = json!("it");
        options["kind"] = json!(kind);
        let text = format!("{options} on {shapes:?}");
        let spec = serde_json::from_value(options).unwrap();
        let layer = layer::build(&spec, &shapes, &mut weights).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert!(weights.is_empty(), "{text}: weights left over");
        let mut inputs: Vec<Tensor> = shapes.iter().map(|s| rng.tensor(*s)).collect();
        if ["leaky", "prelu", "clip"].contains(&kind) {
            // Away from the kinks, where there is no derivative to compare with.
            for x in inputs.iter_mut().flat_map(|t| t.data_mut()) {
                for kink in [-0.5f32, 0.0, 0.7] {
                    let off = *x - kink;
                    *x = if off.abs() < 0.05 { kink + 0.05f32.copysign(off) } else { *x };
                }
            }
        }
        let mut subject =
            Subject { layer, inputs, output: Tensor::zeros(0, Rect::default()), switches: vec![], text };
        (subject.output, subject.switches) = subject.push(&subject.inputs);
        subject
    }

    pub fn shapes(&self) -> Vec<Shape> {
        self.inputs.iter().map(Tensor::shape).collect()
    }

    /// The whole output for these inputs.
    pub fn push(&self, inputs: &[Tensor]) -> (Tensor, Vec<u32>) {
        let shapes = self.shapes();
        let shape = self.layer.shape(&shapes).unwrap_or_else(|e| panic!("{}: {e}", self.text));
        let views: Vec<View> = inputs.iter().map(Tensor::view).collect();
        let mut out = Tensor::zeros(shape.c, shape.rect());
        let n = if self.layer.has_switches() { shape.c * shape.h * shape.w } else { 0 };
        let mut switches = vec![u32::MAX - 1; n];
        let s = (n > 0).then_some(switches.as_mut_slice());
        self.layer.forward(
            &mut [Push { inputs: &views, shapes: &shapes, output: out.view_mut(), switches: s }],
            false,
        );
        (out, switches)
    }

    /// The signal pulled down into input `which`, over `rect` of its plane.
    pub fn pull(&self, descent: &Descent, signal: View, which: usize, rect: Rect) -> Tensor {
        let shapes = self.shapes();
        let views: Vec<Option<View>> = self.inputs.iter().map(|t| Some(t.view())).collect();
        let recorded = Recorded {
            inputs: &views,
            shapes: &shapes,
            output: Some(self.output.view()),
            switches: self.layer.has_switches().then_some(self.switches.as_slice()),
            over: self.output.rect,
        };
        let mut out = Tensor::zeros(shapes[which].c, rect);
        out.data_mut().fill(f32::NAN); // It is to be overwritten.
        self.layer.pull(&recorded, descent, signal, which, out.view_mut());
        out
    }
}

/// A window that fits an input of the given size; a pool's padding is smaller than its kernel.
fn window(rng: &mut Random, size: [usize; 2], conv: bool) -> Value {
    loop {
        let kernels: &[usize] = if conv { &[1, 1, 2, 3, 3, 3, 5, 7, 11] } else { &[1, 2, 2, 3, 3, 4] };
        let k = kernels[rng.range(0, kernels.len() - 1)];
        let square = rng.range(0, 2) > 0;
        let kernel = [k, if square { k } else { rng.range(1, 5) }];
        let s = rng.range(1, 4);
        let stride = [s, if square { s } else { rng.range(1, 3) }];
        let dilation = if conv && rng.range(0, 3) == 0 { [rng.range(1, 3), 2] } else { [1, 1] };
        let even = rng.range(0, 1) == 1;
        let p = rng.range(0, kernel[0].min(kernel[1]) - 1);
        let pad = [0, 1, 0, 1].map(|a| if even { p } else { rng.range(0, kernel[a] - 1) });
        let fits =
            (0..2).all(|a| size[a] + pad[a] + pad[a + 2] > (kernel[a] - 1) * dilation[a] && size[a] > pad[a]);
        if fits {
            return json!({"kernel": kernel, "stride": stride, "pad": pad, "dilation": dilation});
        }
    }
}
