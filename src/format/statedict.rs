//! State dicts of PyTorch: named tensors without a graph, matched to torchvision's architectures.
//!
//! By name first (torchvision's and timm's, whatever stands before them: `module.`, `state_dict/`), then, where
//! names are of another tool, by the shapes in their order.

use super::arrays::{Source, natural};
use super::report::Report;
use crate::error::{Error, Result};
use crate::format::report::line;
use crate::spec::torchvision::{self, Architecture};
use crate::spec::{Kind, Model, Values, Weight, Weights, shape};
use crate::tensor::Shape;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Parts of a layer in PyTorch and here.
const PARTS: [(&str, &str); 4] =
    [("weight", "weight"), ("bias", "bias"), ("running_mean", "mean"), ("running_var", "var")];

type Dict<'a, 's> = BTreeMap<&'a str, &'a Source<'s>>;

/// Finds the architecture. Error: Unsupported, saying what came nearest.
pub fn import(tensors: &[(String, Source)], report: &mut Report) -> Result<Model> {
    let cleaned: Vec<(&str, &Source)> = tensors.iter().map(|(name, s)| (clean(name), s)).collect();
    let dict: Dict = cleaned.iter().copied().collect();
    let architectures = torchvision::all();
    let mut nearest = (0, String::new(), String::new());
    let mut best: Option<(Architecture, BTreeMap<String, String>)> = None;
    for a in architectures {
        match by_name(&a, &dict).or_else(|missing| by_shape(&a, &cleaned).ok_or(missing)) {
            // The larger of two that fit: a ResNet-34 holds all of a ResNet-18.
            Ok(found) if best.as_ref().is_none_or(|(_, b)| found.len() > b.len()) => best = Some((a, found)),
            Ok(_) => {}
            Err((fits, missing)) if fits > nearest.0 => nearest = (fits, a.spec.name.clone(), missing),
            Err(_) => {}
        }
    }
    let Some((architecture, prefixes)) = best else {
        let hint = match nearest {
            (0, ..) => String::new(),
            (n, name, missing) => {
                format!("; nearest is {name}, of which {n} layers are there, but {missing}")
            }
        };
        let names: Vec<String> = torchvision::all().into_iter().map(|a| a.spec.name).collect();
        return Err(Error::Unsupported(format!(
            "{} tensors fit none of the architectures known here ({}){hint}. Export the network to ONNX, which holds the \
             layers too",
            tensors.len(),
            names.join(", ")
        )));
    };
    build(architecture, &prefixes, &dict, report)
}

/// The name without what wrappers put in front.
fn clean(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    ["module.", "model.", "net.", "backbone."].iter().fold(name, |n, p| n.strip_prefix(p).unwrap_or(n))
}

/// For each layer with weights the prefix of its tensors; else how many fit, and what is missing first.
fn by_name(a: &Architecture, dict: &Dict) -> std::result::Result<BTreeMap<String, String>, (usize, String)> {
    let mut found = BTreeMap::new();
    let mut wrong = None;
    let shapes = inputs(a);
    for (layer, prefixes) in &a.keys {
        let at = |prefix: &&String| dict.get(format!("{prefix}.weight").as_str());
        let (kind, input) = &shapes[layer];
        match prefixes.iter().find(|p| at(p).is_some()) {
            Some(p) if fits(kind, *input, dict, p) => {
                found.insert(layer.clone(), p.clone());
            }
            Some(p) => {
                let given = dict[format!("{p}.weight").as_str()].shape;
                wrong.get_or_insert(format!("`{p}` has shape {given:?}"));
            }
            None => {
                wrong.get_or_insert(format!("`{}` is missing", prefixes[0]));
            }
        }
    }
    match wrong {
        None => Ok(found),
        Some(what) => Err((found.len(), what)),
    }
}

/// Each layer with weights, with its kind and what it reads.
fn inputs(a: &Architecture) -> HashMap<String, (Kind, Shape)> {
    let mut shapes = HashMap::from([("data", a.spec.input.shape)]);
    let (mut out, mut last) = (HashMap::new(), "data");
    for l in &a.spec.layers {
        let reads: Vec<&str> =
            if l.inputs.is_empty() { vec![last] } else { l.inputs.iter().map(String::as_str).collect() };
        let given: Vec<Shape> = reads.iter().map(|r| shapes[r]).collect();
        out.insert(l.name.clone(), (l.kind.clone(), given[0]));
        shapes.insert(&l.name, shape::output(&l.kind, &given).expect("built-in networks fit themselves"));
        last = &l.name;
    }
    out
}

/// Whether the tensors under a prefix are those of the layer; the number of classes may differ.
fn fits(kind: &Kind, input: Shape, dict: &Dict, prefix: &str) -> bool {
    let get = |part: &str| dict.get(format!("{prefix}.{part}").as_str()).map(|s| s.shape);
    let Some(weight) = get("weight") else { return false };
    let is = |given: Option<&[usize]>, n: usize| given.is_none_or(|s| s == [n]);
    match kind {
        Kind::Conv { filters, window, groups, .. } => {
            let [h, w] = window.kernel;
            // Only SqueezeNet's classifier, 1000 filters, may have another number.
            let same = weight.first() == Some(filters) || *filters == 1000;
            same && weight.len() == 4 && weight[1..] == [input.c / groups, h, w] && is(get("bias"), weight[0])
        }
        Kind::Dense { units } => {
            let n: Option<usize> = weight.get(1..).and_then(super::number::count);
            let same = weight.first() == Some(units) || *units == 1000;
            same && n == input.count().ok() && is(get("bias"), weight[0])
        }
        Kind::BatchNorm { .. } => {
            weight == [input.c]
                && ["bias", "running_mean", "running_var"].iter().all(|p| get(p) == Some(&[input.c]))
        }
        _ => false,
    }
}

/// The i-th convolution's tensors for the i-th convolution, and so on; all must fit and none be left over.
fn by_shape(a: &Architecture, tensors: &[(&str, &Source)]) -> Option<BTreeMap<String, String>> {
    let dict: Dict = tensors.iter().copied().collect();
    let shapes = inputs(a);
    let mut prefixes: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, _) in tensors {
        if let Some(prefix) = name.strip_suffix(".weight")
            && seen.insert(prefix)
        {
            prefixes.push(prefix);
        }
    }
    let mut sorted = prefixes.clone();
    sorted.sort_by(|x, y| natural(x, y));
    // As they stand in the file, else by the numbers in their names.
    [prefixes, sorted].iter().find_map(|order| {
        let mut found = BTreeMap::new();
        for rank in [4, 2, 1] {
            let of_rank = |p: &&&str| dict[format!("{p}.weight").as_str()].shape.len() == rank;
            let mut given = order.iter().filter(of_rank);
            for (layer, _) in &a.keys {
                let (kind, input) = &shapes[layer];
                let wanted = match kind {
                    Kind::Conv { .. } => 4,
                    Kind::Dense { .. } => 2,
                    _ => 1,
                };
                if wanted == rank {
                    let prefix = given.next().filter(|p| fits(kind, *input, &dict, p))?;
                    found.insert(layer.clone(), prefix.to_string());
                }
            }
            if given.next().is_some() {
                return None;
            }
        }
        Some(found)
    })
}

fn build(
    a: Architecture,
    prefixes: &BTreeMap<String, String>,
    dict: &Dict,
    report: &mut Report,
) -> Result<Model> {
    let mut spec = a.spec;
    let mut weights = Weights::new();
    let mut used = BTreeSet::new();
    for l in &mut spec.layers {
        let Some(prefix) = prefixes.get(&l.name) else { continue };
        for (theirs, ours) in PARTS {
            let key = format!("{prefix}.{theirs}");
            if let Some(source) = dict.get(key.as_str()) {
                let values = Values::F32((source.values)()?);
                weights.insert(format!("{}.{ours}", l.name), Weight { shape: source.shape.to_vec(), values });
                used.insert(key);
            }
        }
        let given = dict[format!("{prefix}.weight").as_str()].shape[0];
        match &mut l.kind {
            Kind::Dense { units } => *units = given,
            Kind::Conv { filters, .. } => *filters = given,
            _ => {}
        }
        if l.name != *prefix {
            report.renamed.push(line!(
                "renamed",
                "`{prefix}` is called `{name}` here",
                prefix = prefix,
                name = l.name
            ));
        }
    }
    let left = dict.keys().filter(|k| !used.contains(**k) && !k.ends_with("num_batches_tracked"));
    report.skipped.extend(left.map(|k| {
        line!("tensor.unused", "tensor `{tensor}`: no part of {network}", tensor = k, network = spec.name)
    }));
    report.notes.push(line!(
        "built.in",
        "the tensors are those of {title}; its layers are built in",
        title = spec.title
    ));
    report.guesses.push(line!("softmax.dict", "the softmax at the end is added: state dicts end before it"));
    report.guesses.push(line!(
        "mean.torchvision",
        "mean and deviation are those of torchvision's own weights; training may have used others"
    ));
    Ok(Model { spec, weights })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::mutate::shapes_only;

    /// The tensors of an architecture under torchvision's names, or under others.
    fn tensors(a: &Architecture, rename: impl Fn(&str) -> String) -> Vec<(String, Vec<usize>)> {
        let mut out = Vec::new();
        let shapes = inputs(a);
        for (layer, keys) in &a.keys {
            let (kind, input) = &shapes[layer];
            let key = rename(&keys[0]);
            match kind {
                Kind::Conv { filters, window, .. } => {
                    let [h, w] = window.kernel;
                    out.push((format!("{key}.weight"), vec![*filters, input.c, h, w]));
                }
                Kind::Dense { units } => {
                    out.push((format!("{key}.weight"), vec![*units, input.count().unwrap()]));
                    out.push((format!("{key}.bias"), vec![*units]));
                }
                _ => {
                    let parts = ["weight", "bias", "running_mean", "running_var"];
                    out.extend(parts.map(|p| (format!("{key}.{p}"), vec![input.c])));
                    out.push((format!("{key}.num_batches_tracked"), vec![]));
                }
            }
        }
        out
    }

    #[test]
    fn every_architecture_is_found_by_name_and_by_shape() {
        for a in torchvision::all() {
            let named = tensors(&a, |k| format!("state_dict/module.{k}"));
            let other =
                tensors(&a, |k| format!("x.{}", k.replace("layer", "stage").replace("features", "f")));
            for given in [named, other] {
                shapes_only(&given, |sources| {
                    let mut report = Report::default();
                    let model = import(sources, &mut report).unwrap();
                    assert_eq!(model.spec.name, a.spec.name);
                    assert!(report.skipped.is_empty(), "{report:?}");
                });
            }
        }
    }

    #[test]
    fn other_numbers_of_classes_are_taken_and_misfits_are_named() {
        let a = &torchvision::all()[11];
        let mut given = tensors(a, str::to_string);
        let n = given.len();
        given[n - 2].1[0] = 7;
        given[n - 1].1[0] = 7;
        shapes_only(&given, |s| {
            let model = import(s, &mut Report::default()).unwrap();
            assert_eq!(model.spec.layers[model.spec.layers.len() - 2].kind, Kind::Dense { units: 7 });
        });
        given[n - 2].1[1] = 100;
        shapes_only(&given, |s| {
            let e = import(s, &mut Report::default()).unwrap_err();
            assert!(
                matches!(&e, Error::Unsupported(m) if m.contains("nearest is resnet18") && m.contains("`fc`")),
                "{e}"
            );
        });
    }
}
