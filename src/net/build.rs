//! From spec and weights to nodes.

use super::plan;
use super::{Net, Node};
use crate::error::{Error, Result};
use crate::layer::{self, Layer};
use crate::spec::{Kind, LayerSpec, Model, Spec, Values, Weight, Weights};
use crate::tensor::Shape;
use std::collections::HashMap;

/// More layers than any published network has; a bound for untrusted specs.
const MOST_LAYERS: usize = 20_000;
/// Values of all layers together: 2³¹ floats would be 8 GB.
const MOST_VALUES: usize = 1 << 31;

/// `keep`: whether the layers are wanted, or only the word that they fit: then each goes as soon as it has been built, so that
/// a network is checked in little more memory than its weights take.
/// `folding`: whether batch normalisation goes into the layer before it.
pub(super) fn build(model: Model, keep: bool, folding: bool) -> Result<Net> {
    let Model { spec, mut weights } = model;
    let wiring = wiring(&spec)?;
    // Both read every weight: not where only the fit is in question.
    let fingerprint = if keep { fingerprint(&spec, &wiring, &weights) } else { 0 };
    let broken = if keep { weights.values().map(Weight::broken).sum() } else { 0 };
    let mut shapes = vec![spec.input.shape];
    let mut nodes = vec![Node {
        name: "data".into(),
        kind: None,
        layer: layer::identity(),
        inputs: Vec::new(),
        readers: Vec::new(),
        place: plan::Place::Own,
        fused_relu: None,
    }];
    let folded = if folding { fold(&spec, &wiring, &mut weights)? } else { Vec::new() };
    let mut total = 0usize;
    for (i, (l, inputs)) in spec.layers.iter().zip(&wiring).enumerate() {
        let given: Vec<Shape> = inputs.iter().map(|&k| shapes[k]).collect();
        let build = |weights: &mut Weights| -> Result<(Box<dyn Layer>, Shape)> {
            let layer =
                if folded.contains(&(i + 1)) { layer::identity() } else { layer::build(l, &given, weights)? };
            let shape = layer.shape(&given)?;
            Ok((layer, shape))
        };
        let (layer, shape) = build(&mut weights).map_err(|e| e.at(&l.name))?;
        let layer = if keep { layer } else { layer::identity() };
        total =
            shape.count().ok().and_then(|n| total.checked_add(n)).filter(|n| *n <= MOST_VALUES).ok_or_else(
                || {
                    Error::Limit(format!(
                        "{}: an output of {shape} values is more than this engine holds; use a smaller input",
                        l.name
                    ))
                },
            )?;
        shapes.push(shape);
        nodes.push(Node {
            name: l.name.clone(),
            kind: Some(l.kind.clone()),
            layer,
            inputs: inputs.clone(),
            readers: Vec::new(),
            place: plan::Place::Own,
            fused_relu: None,
        });
    }
    if let Some(name) = weights.keys().next() {
        return Err(Error::Shape(format!(
            "the weights hold {} tensors that no layer uses, the first is {name}; the spec does not belong to these weights",
            weights.len()
        )));
    }
    if !spec.classes.is_empty() {
        let out = shapes[shapes.len() - 1].c;
        if out != spec.classes.len() {
            return Err(Error::Shape(format!("{} class names for {out} outputs", spec.classes.len())));
        }
    }
    if keep {
        plan::plan(&mut nodes);
    }
    Ok(Net { spec, nodes, shapes, fingerprint, broken })
}

/// A checksum of the weights as they are stored, of the layers' names and kinds and how they are wired, and of the
/// normalisation: FNV-1a by eight bytes at a time, because tables and JSON would be most of a page's share of it.
fn fingerprint(spec: &Spec, wiring: &[Vec<usize>], weights: &Weights) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let mut word = |w: u64| sum = (sum ^ w).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    let mut text = |s: &str| s.bytes().for_each(|b| word(b.into()));
    for (layer, inputs) in spec.layers.iter().zip(wiring) {
        text(&layer.name);
        text(layer.kind.name());
        inputs.iter().for_each(|i| text(&i.to_string()));
    }
    for (name, w) in weights {
        text(name);
        w.shape.iter().for_each(|d| text(&d.to_string()));
    }
    let input = &spec.input;
    input.mean.iter().chain(&input.std).for_each(|v| word(v.to_bits().into()));
    word(u64::from(input.order == crate::spec::Order::Bgr));
    for w in weights.values() {
        match &w.values {
            Values::F32(v) => v.iter().for_each(|x| word(x.to_bits().into())),
            Values::F16(v) => v.iter().for_each(|x| word(x.to_bits().into())),
        }
    }
    sum
}

fn check_header(spec: &Spec) -> Result<()> {
    if spec.layers.is_empty() {
        return Err(Error::Shape("the network has no layers".into()));
    }
    if spec.layers.len() > MOST_LAYERS {
        return Err(Error::Limit(format!("{} layers; at most {MOST_LAYERS} are taken", spec.layers.len())));
    }
    let Shape { c, h, w } = spec.input.shape;
    if c == 0 || h == 0 || w == 0 {
        return Err(Error::Shape(format!("an input of {c}×{h}×{w} holds nothing")));
    }
    spec.input.shape.count()?;
    for (what, list) in [("mean", &spec.input.mean), ("std", &spec.input.std)] {
        if !(list.is_empty() || list.len() == c) {
            return Err(Error::Shape(format!("{} {what} values for {c} input channels", list.len())));
        }
        if list.iter().any(|v| !v.is_finite()) || (what == "std" && list.iter().any(|v| *v <= 0.0)) {
            return Err(Error::Parameter(format!(
                "the input's {what} {list:?} must be finite, and std positive"
            )));
        }
    }
    Ok(())
}

/// For each layer the nodes it reads. Errors: for an input that is none, and a graph that is none.
pub(crate) fn wiring(spec: &Spec) -> Result<Vec<Vec<usize>>> {
    check_header(spec)?;
    wire(spec)
}

fn wire(spec: &Spec) -> Result<Vec<Vec<usize>>> {
    let mut index: HashMap<&str, usize> = HashMap::from([("data", 0)]);
    let mut wiring = Vec::new();
    for (i, LayerSpec { name, inputs, .. }) in spec.layers.iter().enumerate() {
        let mut reads = Vec::new();
        if inputs.is_empty() {
            reads.push(i);
        }
        for input in inputs {
            reads.push(*index.get(input.as_str()).ok_or_else(|| {
                Error::Shape(format!(
                    "{name}: reads “{input}”, which no layer before it is called (cycles are not possible)"
                ))
            })?);
        }
        if name.is_empty() || index.insert(name, i + 1).is_some() {
            return Err(Error::Shape(format!(
                "two layers are called “{name}”, or the name is empty; names must be unique"
            )));
        }
        wiring.push(reads);
    }
    Ok(wiring)
}

/// Folds every batch normalisation or constant per map that directly and alone follows a convolution or dense layer;
/// returns the nodes that became identities.
fn fold(spec: &Spec, wiring: &[Vec<usize>], weights: &mut Weights) -> Result<Vec<usize>> {
    let mut readers = vec![0usize; spec.layers.len() + 1];
    wiring.iter().flatten().for_each(|&i| readers[i] += 1);
    let mut folded = Vec::new();
    for (i, l) in spec.layers.iter().enumerate() {
        let (Kind::BatchNorm { .. } | Kind::Scale, [before]) = (&l.kind, wiring[i].as_slice()) else {
            continue;
        };
        let Some(prior) = before.checked_sub(1).map(|b| &spec.layers[b]) else { continue };
        let channels = match prior.kind {
            Kind::Conv { filters, .. } => filters,
            Kind::Dense { units } => units,
            _ => continue,
        };
        let key = format!("{}.weight", prior.name);
        let fits = weights.get(&key).is_some_and(|w| w.shape.first() == Some(&channels) && !w.is_empty());
        if readers[*before] != 1 || !fits {
            continue; // A misfit is reported when the layer itself is built.
        }
        let own = |part: &str| weights.get(&format!("{}.{part}", l.name)).is_none_or(|w| w.len() == channels);
        let affine = match l.kind {
            Kind::BatchNorm { eps } => layer::batch_norm(channels, eps, weights, &l.name),
            _ if own("weight") && own("bias") => layer::scale(channels, weights, &l.name),
            _ => continue,
        }
        .map_err(|e| e.at(&l.name))?;
        let bias_key = format!("{}.bias", prior.name);
        let mut bias = weights.remove(&bias_key).map_or(vec![0.0; channels], Weight::into_f32);
        if bias.len() != channels {
            return Err(Error::Shape(format!(
                "{}: {} bias values for {channels} filters",
                prior.name,
                bias.len()
            )));
        }
        let mut weight = weights.remove(&key).expect("checked above");
        let mut values = weight.clone().into_f32();
        affine.fold(&mut values, &mut bias);
        weight.values = Values::F32(values);
        weights.insert(key, weight);
        weights.insert(bias_key, Weight::new(vec![channels], bias)?);
        folded.push(i + 1);
    }
    Ok(folded)
}
