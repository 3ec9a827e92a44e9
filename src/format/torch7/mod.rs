//! Torch7's binary `.t7` files: a module of `nn` (Lua's Torch, the tool of the lecture's years) → layers and weights.
//!
//! The file says neither the size of the picture nor the names of layers: the size is the common one that the dense
//! layers fit, or given; layers are counted (`conv1`, `relu1`, …).

mod modules;
mod object;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::format::report::Report;
use crate::format::report::line;
use crate::spec::{Kind, LayerSpec, Model, Spec, Weight, Weights, shape};
use crate::tensor::Shape;
use object::File;
use std::collections::HashMap;

/// Sides of pictures that networks were trained with, the commonest first.
const SIDES: [usize; 13] = [224, 227, 231, 221, 32, 28, 96, 64, 128, 256, 299, 112, 48];

/// Whether the bytes start like a serialized object of a class: type 4, first index, `V 1`.
pub fn is_torch7(bytes: &[u8]) -> bool {
    bytes.starts_with(&[4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, b'V', b' '])
}

/// Reads a network. Errors: Malformed; Unsupported with the module's place and class; Limit for nesting.
pub fn import(bytes: &[u8], input: Option<Shape>, report: &mut Report) -> Result<Model> {
    report.format = "Torch7 (.t7)".into();
    let file = File::read(bytes)?;
    let sides = SIDES.map(|side| Shape::new(0, side, side));
    let tries: Vec<Shape> = input.map_or(sides.to_vec(), |s| vec![s]);
    let mut first = None;
    for size in tries {
        let mut attempt = Report { format: report.format.clone(), ..Report::default() };
        let mut b = Builder::new(&file, size, &mut attempt);
        match modules::network(&mut b) {
            Ok(()) => {
                let (layers, weights, shape) = (b.layers, b.weights, b.input);
                if layers.is_empty() {
                    return Err(Error::Malformed("the file holds no layers".into()));
                }
                if input.is_none() {
                    attempt.guesses.push(line!(
                        "size.guessed",
                        "the file does not say the size of the picture: {shape} is taken (--input)",
                        shape = shape
                    ));
                }
                *report = attempt;
                let spec = Spec { layers, title: String::new(), ..Spec::new("", shape) };
                return Ok(Model { spec, weights });
            }
            Err(e @ Error::Shape(_)) => {
                first.get_or_insert(e);
            }
            Err(e) => return Err(e),
        }
    }
    Err(first.unwrap_or_else(|| Error::Malformed("the file holds no layers".into())))
}

/// What a layer computes.
#[derive(Debug, Clone, PartialEq)]
struct Act {
    layer: String,
    shape: Shape,
}

/// The network as it grows.
struct Builder<'f, 'a> {
    file: &'f File<'a>,
    layers: Vec<LayerSpec>,
    weights: Weights,
    counts: HashMap<&'static str, usize>,
    report: &'f mut Report,
    /// Channels are 0 until the first layer says how many.
    input: Shape,
    /// Modules that may still be entered: they may refer to themselves and to each other, and so fan out without end.
    visits: usize,
}

/// More modules than any published network has.
const MOST_VISITS: usize = 50_000;

impl<'f, 'a> Builder<'f, 'a> {
    fn new(file: &'f File<'a>, input: Shape, report: &'f mut Report) -> Builder<'f, 'a> {
        Builder {
            file,
            layers: Vec::new(),
            weights: Weights::new(),
            counts: HashMap::new(),
            report,
            input,
            visits: MOST_VISITS,
        }
    }

    /// To be called before a module is entered.
    fn visit(&mut self) -> Result<()> {
        self.visits = self.visits.checked_sub(1).ok_or_else(|| {
            Error::Limit(format!("more than {MOST_VISITS} modules, or modules that contain themselves"))
        })?;
        Ok(())
    }

    fn add(
        &mut self,
        short: &'static str,
        inputs: &[&Act],
        kind: Kind,
        weights: Vec<(&str, Weight)>,
    ) -> Result<Act> {
        let shapes: Vec<Shape> = inputs.iter().map(|a| a.shape).collect();
        let n = self.counts.entry(short).or_insert(0);
        *n += 1;
        let name = format!("{short}{n}");
        let shape = shape::output(&kind, &shapes).map_err(|e| e.at(&name))?;
        if self.layers.len() > 20_000 {
            return Err(Error::Limit("more than 20000 layers".into()));
        }
        for (part, weight) in weights {
            self.weights.insert(format!("{name}.{part}"), weight);
        }
        let before = self.layers.last().map_or("data", |l| l.name.as_str());
        let reads: Vec<String> = inputs.iter().map(|a| a.layer.clone()).collect();
        let inputs = if reads == [before] { Vec::new() } else { reads };
        self.layers.push(LayerSpec { name: name.clone(), inputs, kind });
        Ok(Act { layer: name, shape })
    }
}
