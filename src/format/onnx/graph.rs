//! The network as it grows: values by their ONNX names, layers by ours.
//!
//! ONNX tensors carry a batch and any number of axes; a layer here holds channels, rows, columns. Both store
//! their values in C order, so a reshape is a new label on the same layer until an operator needs the axes.

use super::constant::{Budget, Constant};
use super::proto::Node;
use crate::error::{Error, Result};
use crate::format::report::Report;
use crate::format::report::line;
use crate::spec::{Kind, LayerSpec, Weight, Weights, shape};
use crate::tensor::Shape;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// What a layer computes, with the axes that ONNX sees; the first is the batch, always 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    pub layer: String,
    pub shape: Shape,
    pub dims: Vec<usize>,
}

#[derive(Debug, Clone)]
pub enum Value<'a> {
    Constant(Rc<Constant<'a>>),
    Act(Act),
}

/// What a node reads, in its order; a left-out input is `None`.
pub struct Inputs<'a>(pub Vec<Option<Value<'a>>>);

impl<'a> Inputs<'a> {
    /// An input that must be computed by a layer.
    pub fn act(&self, i: usize) -> Result<&Act> {
        match self.0.get(i) {
            Some(Some(Value::Act(act))) => Ok(act),
            Some(Some(Value::Constant(_))) => Err(Error::Unsupported(format!(
                "its input {i} is a constant where a layer's output is expected"
            ))),
            _ => Err(Error::Malformed(format!("its input {i} is missing"))),
        }
    }

    /// An input that must be known before the network runs, if it is given.
    pub fn constant(&self, i: usize) -> Result<Option<&Rc<Constant<'a>>>> {
        match self.0.get(i) {
            Some(Some(Value::Constant(c))) => Ok(Some(c)),
            Some(Some(Value::Act(act))) => Err(Error::Unsupported(format!(
                "its input {i} is computed by the network (by `{}`); it must be a constant",
                act.layer
            ))),
            _ => Ok(None),
        }
    }

    pub fn needed(&self, i: usize) -> Result<&Rc<Constant<'a>>> {
        self.constant(i)?.ok_or_else(|| Error::Malformed(format!("its input {i} is missing")))
    }

    pub fn integers(&self, i: usize) -> Result<Option<Vec<i64>>> {
        self.constant(i)?.map(|c| c.to_integers()).transpose()
    }
}

/// Channels, rows, columns of axes in ONNX's order: N,C · N,C,L · N,C,H,W. More axes than four are joined.
pub fn canonical(dims: &[usize]) -> Result<Shape> {
    match *dims {
        [1, c] => Ok(Shape::new(c, 1, 1)),
        [1, c, w] => Ok(Shape::new(c, 1, w)),
        [1, c, h, w] => Ok(Shape::new(c, h, w)),
        _ => Err(Error::Unsupported(format!(
            "it works on shape {dims:?}; only one picture at a time is computed, as N,C,H,W, N,C,L or N,C with N = 1"
        ))),
    }
}

pub struct Builder<'a, 'r> {
    pub values: HashMap<&'a str, Value<'a>>,
    /// How many nodes and graph outputs read a value.
    pub uses: HashMap<&'a str, usize>,
    pub layers: Vec<LayerSpec>,
    names: HashSet<String>,
    pub weights: Weights,
    pub budget: Budget,
    pub report: &'r mut Report,
    pub opset: i64,
    /// The batch that the file was exported with; 1 is used instead.
    pub batch: usize,
}

impl<'a, 'r> Builder<'a, 'r> {
    pub fn new(opset: i64, batch: usize, budget: Budget, report: &'r mut Report) -> Builder<'a, 'r> {
        Builder {
            values: HashMap::new(),
            uses: HashMap::new(),
            layers: Vec::new(),
            names: HashSet::from(["data".to_string()]),
            weights: Weights::new(),
            budget,
            report,
            opset,
            batch,
        }
    }

    /// A name that no layer has yet.
    fn unique(&mut self, wanted: &str) -> String {
        let base = if wanted.is_empty() { "layer" } else { wanted };
        let mut name = base.to_string();
        let mut n = 1usize;
        while !self.names.insert(name.clone()) {
            n += 1;
            name = format!("{base}_{n}");
        }
        if name != wanted {
            self.report.renamed.push(line!(
                "name.taken",
                "`{wanted}` is called `{name}` here: the name was taken",
                wanted = wanted,
                name = name
            ));
        }
        name
    }

    /// Appends a layer; the axes of what it yields are those of its shape with a batch of 1 and `rank` axes.
    pub fn layer(
        &mut self,
        name: &str,
        inputs: &[&Act],
        kind: Kind,
        weights: Vec<(&str, Weight)>,
        rank: usize,
    ) -> Result<Act> {
        let shapes: Vec<Shape> = inputs.iter().map(|a| a.shape).collect();
        let shape = shape::output(&kind, &shapes)?;
        let name = self.unique(name);
        for (part, weight) in weights {
            self.weights.insert(format!("{name}.{part}"), weight);
        }
        let before = self.layers.last().map_or("data", |l| l.name.as_str());
        let reads: Vec<String> = inputs.iter().map(|a| a.layer.clone()).collect();
        let reads = if reads == [before] { Vec::new() } else { reads };
        self.layers.push(LayerSpec { name: name.clone(), inputs: reads, kind });
        let dims = match rank {
            2 => vec![1, shape.c * shape.h * shape.w],
            3 => vec![1, shape.c, shape.h * shape.w],
            _ => vec![1, shape.c, shape.h, shape.w],
        };
        Ok(Act { layer: name, shape, dims })
    }

    /// The same values as channels, rows, columns in ONNX's sense: a layer where the axes have changed meanwhile.
    pub fn settle(&mut self, act: &Act, node: &Node) -> Result<Act> {
        let shape = canonical(&act.dims)?;
        self.reshape(act, shape, node)
    }

    /// The same values under a shape of ours.
    pub fn reshape(&mut self, act: &Act, shape: Shape, node: &Node) -> Result<Act> {
        if act.shape == shape {
            return Ok(act.clone());
        }
        let name = format!("{}/reshape", node.label());
        let new = self.layer(&name, &[act], Kind::Reshape { shape }, Vec::new(), 4)?;
        Ok(Act { dims: act.dims.clone(), ..new })
    }

    /// A layer that keeps the axes of its input.
    pub fn same(&mut self, node: &Node, act: &Act, kind: Kind, weights: Vec<(&str, Weight)>) -> Result<Act> {
        let new = self.layer(node.label(), &[act], kind, weights, 4)?;
        Ok(Act { dims: act.dims.clone(), ..new })
    }

    /// Exchanges axes of `act` (all of them, the batch first): a new label where no value moves, else a layer.
    pub fn transpose(&mut self, act: &Act, order: &[usize], node: &Node) -> Result<Act> {
        let dims: Vec<usize> = order.iter().map(|a| act.dims[*a]).collect();
        // Axes of size 1 do not move values, and axes that stay neighbours move as one.
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for &a in order.iter().filter(|a| act.dims[**a] != 1) {
            let next = |last: usize| (last + 1..a).all(|k| act.dims[k] == 1) && last < a;
            match runs.last_mut() {
                Some((_, last)) if next(*last) => *last = a,
                _ => runs.push((a, a)),
            }
        }
        if runs.len() <= 1 {
            return Ok(Act { dims, ..act.clone() });
        }
        if runs.len() > 3 {
            return Err(Error::Unsupported(format!(
                "perm {order:?} of shape {:?} moves more than three groups of axes",
                act.dims
            )));
        }
        let size = |(a, b): (usize, usize)| act.dims[a..=b].iter().product::<usize>();
        let mut sorted = runs.clone();
        sorted.sort_unstable();
        let rank = |run: (usize, usize)| sorted.iter().position(|s| *s == run).unwrap_or(0);
        let mut sides: Vec<usize> = sorted.iter().map(|r| size(*r)).collect();
        let mut moved: Vec<usize> = runs.iter().map(|r| rank(*r)).collect();
        while sides.len() < 3 {
            moved.push(sides.len());
            sides.push(1);
        }
        let grouped = self.reshape(act, Shape::new(sides[0], sides[1], sides[2]), node)?;
        let kind = Kind::Transpose { order: [moved[0], moved[1], moved[2]] };
        let new = self.layer(node.label(), &[&grouped], kind, Vec::new(), 4)?;
        Ok(Act { dims, ..new })
    }

    /// A constant as one number per map where it is constant over each, else one per value. `None` where the
    /// constant would make the layer larger.
    pub fn per_map(&self, constant: &Constant, act: &Act) -> Result<Option<Weight>> {
        let rank = act.dims.len();
        let lead = constant.dims.len().saturating_sub(rank);
        if constant.dims[..lead].iter().any(|d| *d != 1) {
            return Ok(None);
        }
        let own = &constant.dims[lead..];
        let shift = rank - own.len();
        let fits = own.iter().enumerate().all(|(i, d)| *d == 1 || *d == act.dims[i + shift]);
        if !fits {
            return Ok(None);
        }
        let varies: Vec<usize> =
            own.iter().enumerate().filter(|(_, d)| **d != 1).map(|(i, _)| i + shift).collect();
        let shape = act.shape;
        if varies.is_empty() {
            self.budget.take(shape.c)?;
            let value = constant.scalar().ok_or_else(|| Error::Malformed("an empty constant".into()))?;
            return Ok(Some(Weight::new(vec![shape.c], vec![value; shape.c])?));
        }
        if varies == [1] && canonical(&act.dims).is_ok_and(|s| s == shape) {
            return Ok(Some(Weight::new(vec![shape.c], constant.to_floats(&self.budget)?)?));
        }
        let n = shape.count()?;
        self.budget.take(n)?;
        let values = constant.to_floats(&self.budget)?;
        let at = super::dims::spread(own, &act.dims);
        Ok(Some(Weight::new(vec![shape.c, shape.h, shape.w], (0..n).map(|i| values[at(i)]).collect())?))
    }
}
