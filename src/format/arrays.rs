//! Weights without a graph: a list of named arrays, matched to a built-in architecture by their shapes.

use super::report::Report;
use crate::error::{Error, Result};
use crate::format::report::line;
use crate::spec::{Kind, LayerSpec, Model, Spec, Weight, Weights, builtin};
use crate::tensor::Shape;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// An array that can be had as float32 when it is wanted.
pub struct Source<'a> {
    /// Outermost dimension first.
    pub shape: &'a [usize],
    /// Its numbers in C order.
    pub values: Box<dyn Fn() -> Result<Vec<f32>> + 'a>,
}

impl<'a> Source<'a> {
    /// Of this shape, its numbers read by `values`.
    pub fn new(shape: &'a [usize], values: impl Fn() -> Vec<f32> + 'a) -> Source<'a> {
        Source { shape, values: Box::new(move || Ok(values())) }
    }

    /// The same where reading may fail.
    pub fn fallible(shape: &'a [usize], values: impl Fn() -> Result<Vec<f32>> + 'a) -> Source<'a> {
        Source { shape, values: Box::new(values) }
    }
}

/// Arrays of one layer: those whose names differ in the last part only (`Conv_0/kernel`, `Conv_0/bias`).
struct Group<'a> {
    name: &'a str,
    weight: Option<&'a Source<'a>>,
    bias: Option<&'a Source<'a>>,
}

/// How a matched weight lies in memory.
#[derive(Clone, Copy)]
enum Layout {
    /// As ours: filters first.
    Own,
    /// Height, width, inputs, filters (TensorFlow, Flax).
    Hwio,
    /// Inputs, units (TensorFlow, Flax).
    Io,
}

/// Finds the first architecture all of whose layers have their arrays, in order. Names do not
/// count, only shapes and the natural order of names (`Conv_2` before `Conv_10`).
/// Error: Unsupported, listing what was there.
pub fn import(arrays: &[(String, Source)], report: &mut Report) -> Result<Model> {
    let groups = group(arrays);
    for spec in builtin::all() {
        if let Some(found) = matched(&spec, &groups) {
            return build(spec, &groups, &found, report);
        }
    }
    let some: Vec<String> = arrays.iter().take(6).map(|(name, a)| format!("{name} {:?}", a.shape)).collect();
    let names: Vec<String> = builtin::all().into_iter().map(|s| s.name).collect();
    Err(Error::Unsupported(format!(
        "{} arrays ({}{}) fit none of the architectures known here ({}); give a format that holds the layers too",
        arrays.len(),
        some.join(", "),
        if arrays.len() > some.len() { ", …" } else { "" },
        names.join(", ")
    )))
}

fn group<'a>(arrays: &'a [(String, Source<'a>)]) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for (path, array) in arrays {
        let name = path.rfind(['/', '.']).map_or("", |i| &path[..i]);
        let g = groups.entry(name).or_insert(Group { name, weight: None, bias: None });
        let slot = if array.shape.len() > 1 { &mut g.weight } else { &mut g.bias };
        slot.get_or_insert(array);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by(|a, b| natural(a.name, b.name));
    groups
}

/// Runs of digits compare as numbers.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let split = |s: &str| -> Vec<(String, u64)> {
        let mut parts = vec![(String::new(), 0u64)];
        let mut digits = false;
        for c in s.chars() {
            let last = parts.last_mut().expect("never empty");
            match c.to_digit(10) {
                Some(d) => last.1 = last.1.saturating_mul(10).saturating_add(d.into()),
                None if digits => parts.push((c.into(), 0)),
                None => last.0.push(c),
            }
            digits = c.is_ascii_digit();
        }
        parts
    };
    split(a).cmp(&split(b))
}

/// For each layer with weights its group and layout; `None` unless all are found.
fn matched(spec: &Spec, groups: &[Group]) -> Option<BTreeMap<String, (usize, Layout)>> {
    let mut found = BTreeMap::new();
    let mut rest = groups.iter().enumerate();
    let mut shape = spec.input.shape;
    for layer in &spec.layers {
        let outputs = match layer.kind {
            Kind::Conv { filters, .. } => filters,
            Kind::Dense { units } => units,
            Kind::Subsample { .. } | Kind::BatchNorm { .. } => return None, // More arrays than a group has.
            _ => 0,
        };
        if outputs > 0 {
            let hit = rest.find_map(|(i, g)| {
                let bias = g.bias.is_none_or(|b| b.shape == [outputs]);
                let layout = layout(layer, shape, g.weight?.shape)?;
                bias.then_some((i, layout))
            })?;
            found.insert(layer.name.clone(), hit);
        }
        shape = after(&layer.kind, shape)?;
    }
    Some(found)
}

/// The shape after a layer of a chain.
fn after(kind: &Kind, s: Shape) -> Option<Shape> {
    let windowed = |c, window: &crate::window::Window, ceil| {
        let [h, w] = window.output(s.h, s.w, ceil).ok()?;
        Some(Shape::new(c, h, w))
    };
    match kind {
        Kind::Conv { filters, window, .. } => windowed(*filters, window, false),
        Kind::MaxPool { window, ceil, .. } | Kind::AvgPool { window, ceil, .. } => {
            windowed(s.c, window, *ceil)
        }
        Kind::Dense { units } => Some(Shape::new(*units, 1, 1)),
        Kind::GlobalAvg => Some(Shape::new(s.c, 1, 1)),
        _ => Some(s),
    }
}

fn layout(layer: &LayerSpec, input: Shape, given: &[usize]) -> Option<Layout> {
    match &layer.kind {
        Kind::Conv { filters, window, groups, .. } => {
            let [h, w] = window.kernel;
            let inputs = input.c / groups;
            let own = given == [*filters, inputs, h, w];
            let hwio = given == [h, w, inputs, *filters];
            own.then_some(Layout::Own).or(hwio.then_some(Layout::Hwio))
        }
        Kind::Dense { units } => {
            let inputs = input.count().ok()?;
            let own = given == [*units, inputs];
            // Behind a plane, inputs-first libraries also order them differently: height, width, channels.
            let io = input.h * input.w == 1 && given == [inputs, *units];
            own.then_some(Layout::Own).or(io.then_some(Layout::Io))
        }
        _ => None,
    }
}

fn build(
    spec: Spec,
    groups: &[Group],
    found: &BTreeMap<String, (usize, Layout)>,
    report: &mut Report,
) -> Result<Model> {
    let mut weights = Weights::new();
    for (layer, &(i, layout)) in found {
        let group = &groups[i];
        if let Some(w) = group.weight {
            weights.insert(format!("{layer}.weight"), own_layout(w, layout)?);
        }
        if let Some(b) = group.bias {
            let values = crate::spec::Values::F32((b.values)()?);
            weights.insert(format!("{layer}.bias"), Weight { shape: b.shape.to_vec(), values });
        }
        report.notes.push(line!(
            "weights.of",
            "`{layer}` has the weights of `{group}`",
            layer = layer,
            group = group.name
        ));
    }
    let used: Vec<usize> = found.values().map(|f| f.0).collect();
    let left = groups.iter().enumerate().filter(|(i, _)| !used.contains(i));
    report.skipped.extend(left.map(|(_, g)| {
        line!(
            "arrays.unused",
            "arrays of `{group}`: no part of {network}",
            group = g.name,
            network = spec.name
        )
    }));
    Ok(Model { spec, weights })
}

/// Puts the outputs first.
fn own_layout(source: &Source, layout: Layout) -> Result<Weight> {
    let values = (source.values)()?;
    let (shape, values) = match (layout, source.shape) {
        (Layout::Hwio, &[h, w, i, o]) => {
            let plane = h * w;
            let new = (0..values.len()).map(|n| {
                let (at, input, output) = (n % plane, n / plane % i, n / plane / i);
                values[(at * i + input) * o + output]
            });
            (vec![o, i, h, w], new.collect())
        }
        (Layout::Io, &[i, o]) => (vec![o, i], (0..values.len()).map(|n| values[n % i * o + n / i]).collect()),
        (_, shape) => (shape.to_vec(), values),
    };
    Ok(Weight { shape, values: crate::spec::Values::F32(values) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_sort_as_numbers() {
        let mut names = ["c/Conv_10", "c/Conv_2", "a", "c/Conv_2b", "c"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "c", "c/Conv_2", "c/Conv_2b", "c/Conv_10"]);
    }

    #[test]
    fn layouts_turn_into_ours() {
        // Height 1, width 2, one input, two filters: filter 0 is (1, 3), filter 1 is (2, 4).
        let hwio = Source::new(&[1, 2, 1, 2], || vec![1.0, 2.0, 3.0, 4.0]);
        let w = own_layout(&hwio, Layout::Hwio).unwrap();
        assert_eq!(
            (w.shape.as_slice(), w.to_f32().as_slice()),
            (&[2, 1, 1, 2][..], &[1.0, 3.0, 2.0, 4.0][..])
        );
        // Two inputs at one position.
        let hwio = Source::new(&[1, 1, 2, 1], || vec![1.0, 2.0]);
        assert_eq!(own_layout(&hwio, Layout::Hwio).unwrap().to_f32(), [1.0, 2.0]);
        let io = Source::new(&[2, 3], || vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(own_layout(&io, Layout::Io).unwrap().to_f32(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    /// Arrays with the shapes of a spec's layers, in Flax's layout and order of names.
    fn shapes(spec: &Spec) -> Vec<(String, Vec<usize>)> {
        let mut c = spec.input.shape.c;
        let mut out = Vec::new();
        for layer in &spec.layers {
            if let Kind::Conv { filters, window, groups, .. } = layer.kind {
                let n = out.len() / 2;
                let [h, w] = window.kernel;
                out.push((format!("net/Conv_{n}/kernel"), vec![h, w, c / groups, filters]));
                out.push((format!("net/Conv_{n}/bias"), vec![filters]));
                c = filters;
            }
        }
        out
    }

    fn import_shapes(shapes: &[(String, Vec<usize>)]) -> Result<(Model, Report)> {
        let total = |s: &[usize]| s.iter().product::<usize>();
        let sources: Vec<_> = shapes
            .iter()
            .map(|(name, shape)| (name.clone(), Source::new(shape, move || vec![0.5; total(shape)])))
            .collect();
        let mut report = Report::default();
        import(&sources, &mut report).map(|m| (m, report))
    }

    #[test]
    fn known_architectures_are_recognised_by_shapes_alone() {
        for spec in [builtin::alexnet(), builtin::vgg16()] {
            let mut shapes = shapes(&spec);
            shapes.reverse(); // The order of dicts does not count.
            shapes.push(("NetLinLayer_0/Conv_0/kernel".into(), vec![1, 1, 64, 1]));
            let (model, report) = import_shapes(&shapes).unwrap();
            assert_eq!(model.spec.name, spec.name);
            assert_eq!(model.weights.len(), shapes.len() - 1);
            assert_eq!(report.skipped.len(), 1);
            assert_eq!(model.weights[&format!("{}.weight", spec.layers[0].name)].shape[1], 3);
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_list() {
        let e = import_shapes(&[("a/w".into(), vec![2, 2])]).unwrap_err();
        assert!(
            matches!(&e, Error::Unsupported(m) if m.contains("a/w [2, 2]") && m.contains("alexnet")),
            "{e}"
        );
        let mut missing = shapes(&builtin::alexnet());
        missing.truncate(8);
        assert!(import_shapes(&missing).is_err());
    }
}
