//! Unpool's own model files: safetensors whose metadata holds the network's spec as JSON.

use super::safetensors::{self, Entry, File};
use crate::error::{Error, Result};
use crate::spec::{Model, Spec, Values, Weight, Weights};
use half::f16;
use std::collections::BTreeMap;

use super::number::Number;

/// Reads a model. Weights in F32 and F16 stay as they are, BF16 and F64 become float32.
/// Errors: those of [`File::parse`]; Unsupported for a file without a spec and for integer weights;
/// Malformed for a spec that cannot be read. Whether weights fit the spec is for the network to say.
pub fn read(bytes: &[u8]) -> Result<Model> {
    // A page that a host sends instead of a missing file, a picture, …: its first bytes read as a length make no sense.
    if bytes.len() > 8 && bytes[8] != b'{' {
        return Err(Error::Malformed(
            "this is no model file; give it one written by `unpool convert`".into(),
        ));
    }
    let file = File::parse(bytes)?;
    let spec = file.metadata.get("spec").ok_or_else(|| {
        Error::Unsupported(
            "this safetensors file has weights but no `spec` in its metadata, so the network's layers are not \
             known; use a file written by `unpool convert`"
                .into(),
        )
    })?;
    let spec: Spec = serde_json::from_str(spec).map_err(|e| {
        Error::Malformed(format!("the network's spec in the file's metadata cannot be read: {e}"))
    })?;
    let mut weights = Weights::new();
    for (name, entry) in file.tensors {
        let weight = weight(&name, entry)?;
        weights.insert(name, weight);
    }
    Ok(Model { spec, weights })
}

fn weight(name: &str, entry: Entry) -> Result<Weight> {
    let values = match entry.number {
        Number::F16 => {
            Values::F16(entry.bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]])).collect())
        }
        n => Values::F32(n.floats(entry.bytes).ok_or_else(|| {
            Error::Unsupported(format!(
                "weight `{name}` is stored as {}; store it as F32 or F16",
                n.safetensors()
            ))
        })?),
    };
    Ok(Weight { shape: entry.shape, values })
}

/// Writes a model; the same model gives the same bytes.
pub fn write(model: &Model) -> Vec<u8> {
    let mut out = Vec::new();
    each(model, |piece| -> Result<()> {
        out.extend_from_slice(piece);
        Ok(())
    })
    .expect("memory takes every piece");
    out
}

/// Numbers that [`each`] turns into bytes at a time: they stay in the processor's cache.
const PIECE: usize = 1 << 16;

/// The file of a model in small pieces, so that nothing of it is held twice.
/// Error: the sink's own, at the first piece that it refuses.
pub fn each<E>(
    model: &Model,
    mut sink: impl FnMut(&[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let (head, order) = head(model);
    sink(&head)?;
    let mut buffer = Vec::new();
    for name in order {
        match &model.weights[&name].values {
            Values::F32(v) => {
                v.chunks(PIECE).try_for_each(|v| sink(bytes(v, &mut buffer, f32::to_le_bytes)))?
            }
            Values::F16(v) => {
                v.chunks(PIECE).try_for_each(|v| sink(bytes(v, &mut buffer, f16::to_le_bytes)))?
            }
        }
    }
    Ok(())
}

/// Into zeros, which the compiler turns into copying; one byte after the other is many times slower.
fn bytes<'b, const N: usize, T: Copy>(
    values: &[T],
    out: &'b mut Vec<u8>,
    of: impl Fn(T) -> [u8; N],
) -> &'b [u8] {
    out.resize(N * values.len(), 0);
    out.chunks_exact_mut(N).zip(values).for_each(|(out, v)| out.copy_from_slice(&of(*v)));
    out
}

/// The header and the order of the weights behind it.
fn head(model: &Model) -> (Vec<u8>, Vec<String>) {
    let sizes = model.weights.iter().map(|(name, w)| {
        let number = match w.values {
            Values::F32(_) => Number::F32,
            Values::F16(_) => Number::F16,
        };
        (name.as_str(), number, w.shape.as_slice(), w.len() * number.size())
    });
    let spec = serde_json::to_string(&model.spec).expect("a spec always has a JSON form");
    let metadata = BTreeMap::from([("format".into(), "unpool".into()), ("spec".into(), spec)]);
    let (head, order) = safetensors::header(&metadata, sizes.collect());
    (head, order.into_iter().map(String::from).collect())
}

/// The file of a model piece by piece: the header, then tensor by tensor, each of which is freed as it leaves.
pub struct Pieces {
    head: Option<Vec<u8>>,
    order: std::vec::IntoIter<String>,
    weights: Weights,
}

/// Takes a model apart; all pieces together are what [`write`] gives.
pub fn pieces(model: Model) -> Pieces {
    let (head, order) = head(&model);
    Pieces { head: Some(head), order: order.into_iter(), weights: model.weights }
}

impl Iterator for Pieces {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.head.take().or_else(|| Some(little_endian(&self.weights.remove(&self.order.next()?)?)))
    }
}

fn little_endian(w: &Weight) -> Vec<u8> {
    let mut out = Vec::new();
    match &w.values {
        Values::F32(v) => bytes(v, &mut out, f32::to_le_bytes),
        Values::F16(v) => bytes(v, &mut out, f16::to_le_bytes),
    };
    out
}

#[cfg(test)]
mod tests {
    use super::super::mutate;
    use super::*;
    use crate::spec::{Input, Kind, LayerSpec, Order};
    use crate::tensor::Shape;
    use crate::window::Window;

    fn sample() -> Model {
        let conv = Kind::Conv { filters: 2, window: Window::square(1, 1, 0), groups: 1, connections: None };
        let spec = Spec {
            name: "tiny".into(),
            title: "Tiny «net»".into(),
            licence: "CC0-1.0".into(),
            origin: String::new(),
            notes: String::new(),
            input: Input {
                shape: Shape::new(3, 4, 5),
                mean: vec![104.0, 117.0, 123.0],
                std: vec![],
                order: Order::Bgr,
            },
            classes: vec!["a \"b\"".into()],
            layers: vec![
                LayerSpec { name: "conv1".into(), inputs: vec![], kind: conv },
                LayerSpec {
                    name: "sum".into(),
                    inputs: vec!["data".into(), "conv1".into()],
                    kind: Kind::Sum,
                },
            ],
        };
        let weight = Weight::new(vec![2, 3, 1, 1], vec![0.5, 1.0, -2.0, 3.0, 4.0, 1e-9]).unwrap();
        let bias = Weight::new(vec![2], vec![1.5, -0.25]).unwrap().to_f16();
        Model { spec, weights: [("conv1.weight".into(), weight), ("conv1.bias".into(), bias)].into() }
    }

    #[test]
    fn a_model_survives_the_round_trip() {
        let model = sample();
        let bytes = write(&model);
        assert_eq!(read(&bytes).unwrap(), model);
        assert_eq!(write(&read(&bytes).unwrap()), bytes);
        assert_eq!(pieces(model).flatten().collect::<Vec<u8>>(), bytes);
    }

    #[test]
    fn other_float_types_become_float32() {
        let spec = serde_json::to_string(&sample().spec).unwrap();
        let metadata = BTreeMap::from([("spec".to_string(), spec)]);
        let (half, double) = ([0x80, 0x3f], 2.0f64.to_le_bytes());
        let entry = |number, bytes| Entry { number, shape: vec![1], bytes };
        let tensors = BTreeMap::from([
            ("a".to_string(), entry(Number::Bf16, &half[..])),
            ("b".to_string(), entry(Number::F64, &double[..])),
        ]);
        let model = read(&safetensors::write(&metadata, &tensors)).unwrap();
        assert_eq!(model.weights["a"].values, Values::F32(vec![1.0]));
        assert_eq!(model.weights["b"].values, Values::F32(vec![2.0]));
        let tensors = BTreeMap::from([("i".to_string(), entry(Number::I8, &half[..1]))]);
        let e = read(&safetensors::write(&metadata, &tensors)).unwrap_err();
        assert!(matches!(&e, Error::Unsupported(m) if m.contains("`i`")), "{e}");
    }

    #[test]
    fn a_missing_or_broken_spec_is_said() {
        let write = |metadata: &[(&str, &str)]| {
            let metadata = metadata.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            safetensors::write(&metadata, &BTreeMap::new())
        };
        assert!(matches!(read(&write(&[])), Err(Error::Unsupported(m)) if m.contains("spec")));
        assert!(matches!(read(&write(&[("spec", "{}")])), Err(Error::Malformed(m)) if m.contains("spec")));
    }

    #[test]
    fn nan_and_infinity_are_counted_in_both_widths_and_survive() {
        let mut model = sample();
        let odd = Weight::new(vec![3], vec![f32::NAN, 1.0, f32::NEG_INFINITY]).unwrap();
        assert_eq!((model.weights["conv1.weight"].broken(), odd.broken()), (0, 2));
        assert_eq!(odd.to_f16().broken(), 2);
        model.weights.insert("x".into(), odd);
        let back = read(&write(&model)).unwrap();
        assert!(back.weights["x"].to_f32()[0].is_nan());
        assert_eq!(back.weights["x"].broken(), 2);
    }

    #[test]
    fn no_mutation_panics() {
        mutate::each(&write(&sample()), |bytes| read(bytes).map(drop));
    }
}
