//! One module of Torch7's `nn` → layers of ours. Meaning and defaults: the modules' Lua sources.

use super::object::{Id, Value};
use super::{Act, Builder};
use crate::error::{Error, Result};
use crate::format::number::count;
use crate::format::report::line;
use crate::spec::{Kind, PadMode, Weight};
use crate::tensor::Shape;
use crate::window::Window;

/// What is passed on: one value, or several (a Lua table).
type Flow = Vec<Act>;

const MODULES: &str = "Sequential, Concat, DepthConcat, ConcatTable, CAddTable, JoinTable, SpatialConvolution(MM), \
    SpatialDilatedConvolution, ReLU, Threshold, LeakyReLU, PReLU, HardTanh, ReLU6, Tanh, Sigmoid, SpatialMaxPooling, \
    SpatialAveragePooling, SpatialCrossMapLRN, (Spatial)BatchNormalization, View, Reshape, Linear, Dropout, SpatialZeroPadding, \
    SoftMax, LogSoftMax, Identity";

/// Translates the whole file.
pub fn network(b: &mut Builder) -> Result<()> {
    let root = root(b)?;
    if b.input.c == 0 {
        b.input.c = channels(b, root, 0)?.unwrap_or(3);
    }
    let data = Act { layer: "data".into(), shape: b.input };
    let out = module(b, root, vec![data], "model", 0)?;
    if out.len() != 1 {
        return Err(Error::Unsupported("the network ends in several values; one is expected".into()));
    }
    Ok(())
}

/// The module itself, or the one in a table (`{model = …}`).
fn root(b: &Builder) -> Result<Id> {
    if b.file.object(b.file.root).is_ok() {
        return Ok(b.file.root);
    }
    let found = ["model", "net", "network", "modules"].iter().find_map(|n| b.file.field(b.file.root, n));
    found.filter(|id| b.file.object(*id).is_ok()).ok_or_else(|| {
        Error::Unsupported(
            "the file holds no module of nn; save the network itself: torch.save('net.t7', model)".into(),
        )
    })
}

fn children(b: &Builder, fields: Id) -> Vec<Id> {
    b.file.field(fields, "modules").map(|m| b.file.list(m)).unwrap_or_default()
}

/// Input maps of the first convolution, or inputs of the first dense layer.
fn channels(b: &mut Builder, id: Id, depth: usize) -> Result<Option<usize>> {
    if depth > 60 {
        return Ok(None);
    }
    b.visit()?;
    let (_, fields) = b.file.object(id)?;
    if let Some(n) = b.file.number(fields, "nInputPlane") {
        return Ok(Some(n.clamp(1.0, 65536.0) as usize));
    }
    for child in children(b, fields) {
        if let Some(n) = channels(b, child, depth + 1)? {
            return Ok(Some(n));
        }
    }
    Ok(None)
}

fn module(b: &mut Builder, id: Id, flow: Flow, place: &str, depth: usize) -> Result<Flow> {
    if depth > 60 || b.layers.len() > 20_000 {
        return Err(Error::Limit("modules nested too deep, or too many".into()));
    }
    b.visit()?;
    let (class, fields) = b.file.object(id)?;
    let name = class.rsplit('.').next().unwrap_or(class);
    let here = format!("{place} {class}");
    let at = |e: Error| e.at(&here);
    match name {
        "Sequential" => {
            let mut flow = flow;
            for (i, child) in children(b, fields).into_iter().enumerate() {
                flow = module(b, child, flow, &format!("{place}.{}", i + 1), depth + 1)?;
            }
            Ok(flow)
        }
        "Concat" | "DepthConcat" | "ConcatTable" => {
            let mut ends = Vec::new();
            for (i, child) in children(b, fields).into_iter().enumerate() {
                ends.extend(module(b, child, flow.clone(), &format!("{place}.{}", i + 1), depth + 1)?);
            }
            if name == "ConcatTable" {
                return Ok(ends);
            }
            let dimension = b.file.number(fields, "dimension").unwrap_or(2.0);
            join(b, &ends, dimension).map_err(at)
        }
        "JoinTable" => {
            let dimension = b.file.number(fields, "dimension").unwrap_or(1.0)
                + if b.file.number(fields, "nInputDims").unwrap_or(0.0) > 0.0 { 1.0 } else { 0.0 };
            join(b, &flow, dimension.min(2.0)).map_err(at)
        }
        "CAddTable" => {
            let reads: Vec<&Act> = flow.iter().collect();
            Ok(vec![b.add("sum", &reads, Kind::Sum, Vec::new()).map_err(at)?])
        }
        "Identity" | "Contiguous" | "Copy" => Ok(flow),
        _ => {
            let [x] = flow.as_slice() else {
                return Err(at(Error::Unsupported(format!(
                    "it reads {} values; one is expected",
                    flow.len()
                ))));
            };
            one(b, name, fields, x).map(|act| vec![act]).map_err(at)
        }
    }
}

fn join(b: &mut Builder, ends: &[Act], dimension: f64) -> Result<Flow> {
    // 2 with a batch, 1 without: the maps.
    if !(1.0..=2.0).contains(&dimension) {
        return Err(Error::Unsupported(format!(
            "joining along dimension {dimension}; only along the maps is computed"
        )));
    }
    let reads: Vec<&Act> = ends.iter().collect();
    Ok(vec![b.add("concat", &reads, Kind::Concat, Vec::new())?])
}

fn window(b: &Builder, f: Id) -> Result<Window> {
    let size = |name, default| b.file.size(f, name, default);
    let (kw, kh) = (size("kW", None)?, size("kH", None)?);
    // The oldest convolutions had one `padding` for both.
    let both = size("padding", Some(0))?;
    let (pw, ph) = (size("padW", Some(both))?, size("padH", Some(both))?);
    let w = Window {
        kernel: [kh, kw],
        stride: [size("dH", Some(1))?, size("dW", Some(1))?],
        pad: [ph, pw, ph, pw],
        dilation: [size("dilationH", Some(1))?, size("dilationW", Some(1))?],
    };
    w.check()?;
    Ok(w)
}

fn weight(b: &Builder, f: Id, name: &str, shape: Vec<usize>) -> Result<Weight> {
    let (given, values) =
        b.file.tensor(f, name)?.ok_or_else(|| Error::Malformed(format!("its `{name}` is missing")))?;
    if count(&shape) != Some(values.len()) {
        return Err(Error::Malformed(format!("its `{name}` of shape {given:?} is no {shape:?}")));
    }
    Weight::new(shape, values)
}

fn bias(b: &Builder, f: Id, n: usize) -> Result<Vec<(&'static str, Weight)>> {
    Ok(match b.file.tensor(f, "bias")? {
        Some(_) => vec![("bias", weight(b, f, "bias", vec![n])?)],
        None => Vec::new(),
    })
}

fn one(b: &mut Builder, name: &str, f: Id, x: &Act) -> Result<Act> {
    let plain = |b: &mut Builder, short, kind| b.add(short, &[x], kind, Vec::new());
    let number = |b: &Builder, name: &str, default: f64| b.file.number(f, name).unwrap_or(default) as f32;
    match name {
        "SpatialConvolution" | "SpatialConvolutionMM" | "SpatialDilatedConvolution" => {
            let window = window(b, f)?;
            let filters = b.file.size(f, "nOutputPlane", None)?;
            let groups = b.file.size(f, "groups", Some(1))?.max(1);
            let inputs = b.file.size(f, "nInputPlane", None)?;
            if inputs != x.shape.c {
                return Err(Error::Malformed(format!("it reads {inputs} maps, {} arrive", x.shape.c)));
            }
            let [kh, kw] = window.kernel;
            let mut parts = vec![("weight", weight(b, f, "weight", vec![filters, inputs / groups, kh, kw])?)];
            parts.extend(bias(b, f, filters)?);
            b.add("conv", &[x], Kind::Conv { filters, window, groups, connections: None }, parts)
        }
        "Linear" => {
            let w = b
                .file
                .tensor(f, "weight")?
                .ok_or_else(|| Error::Malformed("its `weight` is missing".into()))?;
            let &[units, inputs] = w.0.as_slice() else {
                return Err(Error::Malformed(format!("its `weight` has shape {:?}", w.0)));
            };
            if inputs != x.shape.count()? {
                return Err(Error::Shape(format!("it reads {inputs} numbers, {} arrive", x.shape)));
            }
            let mut parts = vec![("weight", Weight::new(vec![units, inputs], w.1)?)];
            parts.extend(bias(b, f, units)?);
            b.add("fc", &[x], Kind::Dense { units }, parts)
        }
        "ReLU" => plain(b, "relu", Kind::Relu),
        "Threshold" => match (number(b, "threshold", 1e-6), number(b, "val", 0.0)) {
            (0.0, 0.0) => plain(b, "relu", Kind::Relu),
            (t, 0.0) if t > 0.0 && t <= 1e-5 => {
                b.report.notes.push(line!("threshold", "a threshold of {t} is taken as a ReLU", t = t));
                plain(b, "relu", Kind::Relu)
            }
            (t, v) if t == v => plain(b, "clip", Kind::Clip { min: Some(t), max: None }),
            (t, v) => Err(Error::Unsupported(format!("threshold {t} with value {v} is no rectification"))),
        },
        "LeakyReLU" => {
            let alpha = number(b, "negval", 0.01);
            plain(b, "leaky", Kind::Leaky { alpha })
        }
        "PReLU" => {
            let n = b.file.tensor(f, "weight")?.map_or(0, |w| w.1.len());
            let slope = weight(b, f, "weight", vec![if n == 1 { 1 } else { x.shape.c }])?;
            b.add("prelu", &[x], Kind::Prelu, vec![("slope", slope)])
        }
        "HardTanh" | "ReLU6" | "Clamp" => {
            let (lo, hi) = if name == "ReLU6" { (0.0, 6.0) } else { (-1.0, 1.0) };
            let (min, max) = (number(b, "min_val", lo), number(b, "max_val", hi));
            plain(b, "clip", Kind::Clip { min: Some(min), max: Some(max) })
        }
        "Tanh" => plain(b, "tanh", Kind::Tanh),
        "Sigmoid" => plain(b, "sigmoid", Kind::Sigmoid),
        "SpatialMaxPooling" | "SpatialAveragePooling" => {
            let window = window(b, f)?;
            let ceil = b.file.number(f, "ceil_mode").unwrap_or(0.0) != 0.0;
            if name == "SpatialMaxPooling" {
                return plain(b, "pool", Kind::MaxPool { window, ceil, maps: 1 });
            }
            if b.file.number(f, "divide").unwrap_or(1.0) == 0.0 {
                return Err(Error::Unsupported("a sum instead of a mean (`divide` is false)".into()));
            }
            let include_pad = b.file.number(f, "count_include_pad").unwrap_or(1.0) != 0.0;
            plain(b, "pool", Kind::AvgPool { window, ceil, include_pad })
        }
        "SpatialCrossMapLRN" => {
            let size = b.file.size(f, "size", Some(5))?;
            let (alpha, beta, k) = (number(b, "alpha", 1e-4), number(b, "beta", 0.75), number(b, "k", 1.0));
            plain(b, "norm", Kind::Lrn { size, alpha, beta, k })
        }
        "SpatialBatchNormalization" | "BatchNormalization" => {
            let c = x.shape.c;
            let mut parts = vec![("mean", weight(b, f, "running_mean", vec![c])?)];
            let eps = number(b, "eps", 1e-5);
            parts.push(match b.file.tensor(f, "running_var")? {
                Some(_) => ("var", weight(b, f, "running_var", vec![c])?),
                // Until 2015 the inverse of the deviation was kept, eps included.
                None => {
                    let inverse = weight(b, f, "running_std", vec![c])?.into_f32();
                    ("var", Weight::new(vec![c], inverse.iter().map(|s| 1.0 / (s * s) - eps).collect())?)
                }
            });
            if b.file.tensor(f, "weight")?.is_some() {
                parts.push(("weight", weight(b, f, "weight", vec![c])?));
                parts.extend(bias(b, f, c)?);
            }
            b.add("bn", &[x], Kind::BatchNorm { eps }, parts)
        }
        "View" | "Reshape" => {
            let n = x.shape.count()?;
            let given: Vec<f64> = match b.file.field(f, "size").map(|id| b.file.value(id)) {
                Some(Value::Storage { number, bytes }) => {
                    number.to_f32(bytes, false).iter().map(|v| f64::from(*v)).collect()
                }
                _ => Vec::new(),
            };
            let product: f64 = given.iter().filter(|v| **v > 0.0).product();
            let whole = given.is_empty() || given.iter().any(|v| *v < 0.0) || product == n as f64;
            if !whole {
                return Err(Error::Shape(format!("{given:?} of {} numbers", x.shape)));
            }
            // A dense layer reads maps, rows, columns in this very order; other shapes are seen as given.
            match given.iter().map(|v| *v as usize).collect::<Vec<_>>().as_slice() {
                &[c, h, w]
                    if given.iter().all(|v| *v > 0.0) && [c, h, w] != [x.shape.c, x.shape.h, x.shape.w] =>
                {
                    plain(b, "view", Kind::Reshape { shape: Shape::new(c, h, w) })
                }
                _ => Ok(x.clone()),
            }
        }
        "SpatialZeroPadding" => {
            let side = |n| b.file.size(f, n, Some(0));
            let pad = [side("pad_t")?, side("pad_l")?, side("pad_b")?, side("pad_r")?];
            plain(b, "pad", Kind::Pad { pad, mode: PadMode::Constant, value: 0.0 })
        }
        "Dropout" | "SpatialDropout" => {
            // The first version did not scale in training, so it does when the network runs.
            if b.file.number(f, "v2").unwrap_or(0.0) != 0.0 || name == "SpatialDropout" {
                return plain(b, "drop", Kind::Dropout);
            }
            let keep = 1.0 - number(b, "p", 0.5);
            b.report.notes.push(line!(
                "dropout.first",
                "a dropout of Torch7's first version multiplies by {keep}",
                keep = keep
            ));
            let w = Weight::new(vec![x.shape.c], vec![keep; x.shape.c])?;
            b.add("drop", &[x], Kind::Scale, vec![("weight", w)])
        }
        "SoftMax" | "SpatialSoftMax" => plain(b, "prob", Kind::Softmax),
        "LogSoftMax" => {
            b.report.notes.push(line!(
                "log.softmax",
                "the logarithm behind the softmax is left out, so that there are probabilities"
            ));
            plain(b, "prob", Kind::Softmax)
        }
        _ => Err(Error::Unsupported(format!("the module is not one of those that are read ({MODULES})"))),
    }
}
