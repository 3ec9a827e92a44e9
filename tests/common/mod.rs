//! Shared by the tests of the engine: the fixtures' reader, small networks, a seeded generator.
#![allow(dead_code)] // Each test binary uses its part.

#[cfg(target_arch = "wasm32")]
pub mod wasm;

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use unpool::explain::deconvnet::{Descent, LrnRule, Options, Rule, Seed, Unpool};
use unpool::format::safetensors::File;
use unpool::net::{Net, Trace};
use unpool::spec::{Kind, Model, Spec, Weight, Weights};
use unpool::tensor::{Rect, Shape, Tensor};

/// A fixture of tests/data: what it holds is told in make_fixtures.py.
pub struct Fixture {
    pub name: String,
    pub spec: Spec,
    pub weights: Weights,
    pub data: Tensor,
    pub cases: Vec<Case>,
    tensors: BTreeMap<String, Weight>,
}

/// One projection of a fixture.
pub struct Case {
    pub layer: String,
    pub seed: Seed,
    pub options: Options,
    pub at: [usize; 2],
    pub value: f32,
    /// Where the result is non-zero, and the result there.
    pub rect: Rect,
    pub pixels: Tensor,
    /// For messages.
    pub text: String,
}

impl Fixture {
    /// All fixtures, by name.
    pub fn all() -> Vec<Fixture> {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
        let mut paths: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
            .collect();
        paths.sort();
        assert!(paths.len() >= 17, "fixtures are missing from tests/data");
        let name = |p: &std::path::Path| p.file_stem().unwrap().to_str().unwrap().to_owned();
        paths.iter().map(|p| Fixture::parse(&name(p), &std::fs::read(p).unwrap())).collect()
    }

    pub fn named(name: &str) -> Fixture {
        Fixture::all().into_iter().find(|f| f.name == name).unwrap()
    }

    pub fn parse(name: &str, bytes: &[u8]) -> Fixture {
        let (spec, metadata, tensors) = spec_and_tensors(bytes);
        let weights =
            tensors.iter().filter(|(k, _)| k.contains('.')).map(|(k, w)| (k.clone(), w.clone())).collect();
        let data = Tensor::new(spec.input.shape, tensors["data"].to_f32()).unwrap();
        let cases = cases(&metadata)
            .into_iter()
            .enumerate()
            .map(|(i, (mut case, _))| {
                let pixels = &tensors[&format!("p{i}")];
                case.pixels = Tensor::zeros(pixels.shape[0], case.rect);
                case.pixels.data_mut().copy_from_slice(&pixels.to_f32());
                case
            })
            .collect();
        Fixture { name: name.into(), spec, weights, data, cases, tensors }
    }

    pub fn model(&self) -> Model {
        Model { spec: self.spec.clone(), weights: self.weights.clone() }
    }

    pub fn trace(&self) -> Trace {
        Arc::new(Net::new(self.model()).unwrap()).forward(self.data.clone()).unwrap()
    }

    /// The reference's activation of a layer: shape and values.
    pub fn activation(&self, layer: &str) -> &Weight {
        &self.tensors[&format!("activation/{layer}")]
    }
}

/// The network, the metadata and all tensors of a fixture file.
pub fn spec_and_tensors(bytes: &[u8]) -> (Spec, BTreeMap<String, String>, BTreeMap<String, Weight>) {
    let file = File::parse(bytes).unwrap();
    let tensors = file
        .tensors
        .iter()
        .map(|(k, e)| {
            let v = e.bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            (k.clone(), Weight::new(e.shape.clone(), v).unwrap())
        })
        .collect();
    (serde_json::from_str(&file.metadata["spec"]).unwrap(), file.metadata, tensors)
}

/// The projections listed in a fixture's metadata, without pixels, and the sum of magnitudes where one is given.
pub fn cases(metadata: &BTreeMap<String, String>) -> Vec<(Case, f32)> {
    let listed: Vec<Value> = serde_json::from_str(&metadata["cases"]).unwrap();
    listed.iter().map(|v| (case(v), v["norm"].as_f64().unwrap_or(0.0) as f32)).collect()
}

fn case(v: &Value) -> Case {
    let number = |k: &str| v[k].as_u64().unwrap() as usize;
    let place = |k: &str| [0, 1].map(|i| v[k][i].as_u64().unwrap() as usize);
    let map = number("map");
    let seed = match v {
        _ if !v["at"].is_null() => Seed::Unit { map, at: Some(place("at")) },
        _ if !v["strongest"].is_null() => Seed::Strongest { map, k: number("strongest") },
        _ if v["whole"] == true => Seed::Map { map },
        _ => Seed::Unit { map, at: None },
    };
    let rule = match v["rule"].as_str().unwrap() {
        "deconvnet" => Rule::Deconvnet,
        "gradient" => Rule::Gradient,
        "guided" => Rule::Guided,
        other => panic!("rule {other}"),
    };
    let unpool = match v["unpool"].as_str().unwrap() {
        "switches" => Unpool::Switches,
        "centre" => Unpool::Centre,
        other => panic!("unpool {other}"),
    };
    let lrn = v["lrn"].as_str().map(|l| match l {
        "identity" => LrnRule::Identity,
        "divide" => LrnRule::Divide,
        "derivative" => LrnRule::Derivative,
        other => panic!("lrn {other}"),
    });
    let [y0, x0, y1, x1] = [0, 1, 2, 3].map(|i| v["rect"][i].as_i64().unwrap() as isize);
    let rect = Rect::new(y0, x0, y1, x1);
    Case {
        layer: v["layer"].as_str().unwrap().into(),
        seed,
        options: Options { descent: Descent { rule, unpool, lrn }, randomise: None },
        at: place("strongest_at"),
        value: v["value"].as_f64().unwrap() as f32,
        rect,
        pixels: Tensor::zeros(0, rect),
        text: format!("{} {seed:?} {rule:?} {unpool:?} {lrn:?}", v["layer"]),
    }
}

/// The largest difference over the largest magnitude of `b`; with nothing in `b`, the largest of `a`.
pub fn error(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = |v: &mut dyn Iterator<Item = f32>| {
        v.fold(0f32, |m, x| if x.is_nan() { f32::INFINITY } else { m.max(x.abs()) })
    };
    let off = largest(&mut a.iter().zip(b).map(|(a, b)| a - b));
    match largest(&mut b.iter().copied()) {
        0.0 => off,
        scale => off / scale,
    }
}

/// SplitMix64: the same numbers everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// `from..=to`.
    pub fn range(&mut self, from: usize, to: usize) -> usize {
        from + (self.next() % (to - from + 1) as u64) as usize
    }

    /// −1 … 1.
    pub fn value(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.value()).collect()
    }

    pub fn tensor(&mut self, shape: Shape) -> Tensor {
        Tensor::new(shape, self.values(shape.c * shape.h * shape.w)).unwrap()
    }

    /// A non-empty rectangle inside `h × w`.
    pub fn rect(&mut self, h: usize, w: usize) -> Rect {
        let (y0, x0) = (self.range(0, h - 1), self.range(0, w - 1));
        let (y1, x1) = (self.range(y0 + 1, h), self.range(x0 + 1, w));
        Rect::new(y0 as isize, x0 as isize, y1 as isize, x1 as isize)
    }
}

/// Weights for a spec of common layers, uniform, of the size that keeps activations about as large as they are.
pub fn drawn(spec: &Spec, random: &mut Random) -> Weights {
    let mut weights = Weights::new();
    let mut shapes = vec![("data", spec.input.shape)];
    for layer in &spec.layers {
        let shape_of = |name: &String| shapes.iter().find(|s| s.0 == name).unwrap().1;
        let read: Vec<Shape> = layer.inputs.iter().map(shape_of).collect();
        let s = read.first().copied().unwrap_or(shapes.last().unwrap().1);
        let mut put = |part: &str, shape: Vec<usize>| {
            let fan = shape[1..].iter().product::<usize>().max(1) as f32;
            let values =
                random.values(shape.iter().product()).iter().map(|v| v * (6.0 / fan).sqrt()).collect();
            weights.insert(format!("{}.{part}", layer.name), Weight::new(shape, values).unwrap());
        };
        let shape = match &layer.kind {
            Kind::Conv { filters, window, groups, .. } => {
                put("weight", vec![*filters, s.c / groups, window.kernel[0], window.kernel[1]]);
                put("bias", vec![*filters]);
                let [h, w] = window.output(s.h, s.w, false).unwrap();
                Shape::new(*filters, h, w)
            }
            Kind::Dense { units } => {
                put("weight", vec![*units, s.c * s.h * s.w]);
                put("bias", vec![*units]);
                Shape::new(*units, 1, 1)
            }
            Kind::Subsample { window } => {
                put("weight", vec![s.c]);
                put("bias", vec![s.c]);
                let [h, w] = window.output(s.h, s.w, false).unwrap();
                Shape::new(s.c, h, w)
            }
            Kind::MaxPool { window, ceil, .. } | Kind::AvgPool { window, ceil, .. } => {
                let [h, w] = window.output(s.h, s.w, *ceil).unwrap();
                Shape::new(s.c, h, w)
            }
            Kind::Concat => Shape { c: read.iter().map(|s| s.c).sum(), ..s },
            Kind::GlobalAvg => Shape::new(s.c, 1, 1),
            _ => s,
        };
        shapes.push((&layer.name, shape));
    }
    weights
}
