//! The messages of an ONNX file as borrowed records. Field numbers: `onnx.proto` of the ONNX project.
//! Nothing nests without bound: a graph's messages are four levels deep, and graphs inside attributes are not read.

use crate::error::{Error, Result};
use crate::format::wire::{Fields, Wire};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// More nodes than any published network has.
const MOST_NODES: usize = 100_000;
/// Most names that nodes read and write together; each takes 16 bytes here and two in the file.
const MOST_NAMES: usize = 2_000_000;
/// Most numbers in one attribute: shapes and window sizes have a handful.
const MOST_NUMBERS: usize = 1 << 20;

/// A whole file.
#[derive(Debug, Default)]
pub struct Model<'a> {
    pub ir: i64,
    pub producer: String,
    /// Version of the standard operators; 0 where the file names none.
    pub opset: i64,
    pub graph: Option<Graph<'a>>,
    pub functions: usize,
    pub metadata: Vec<(&'a str, &'a str)>,
}

#[derive(Debug, Default)]
pub struct Graph<'a> {
    pub name: &'a str,
    pub nodes: Vec<Node<'a>>,
    /// Messages of tensors, unread.
    pub initializers: Vec<&'a [u8]>,
    pub inputs: Vec<Info<'a>>,
    pub outputs: Vec<Info<'a>>,
    pub sparse: usize,
}

/// A named value of the graph with its type.
#[derive(Debug, Default)]
pub struct Info<'a> {
    pub name: &'a str,
    /// Number type, 0 where none is given.
    pub number: i64,
    /// `None` where the file gives no shape; a dimension is `None` where it is left open.
    pub dims: Option<Vec<Option<i64>>>,
}

#[derive(Debug, Default)]
pub struct Node<'a> {
    pub name: &'a str,
    pub operator: &'a str,
    pub domain: &'a str,
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    attributes: Vec<Attribute<'a>>,
    asked: RefCell<BTreeSet<&'static str>>,
}

#[derive(Debug, Default, Clone)]
pub struct Attribute<'a> {
    pub name: &'a str,
    pub float: Option<f32>,
    pub int: Option<i64>,
    pub text: Option<&'a [u8]>,
    pub tensor: Option<&'a [u8]>,
    pub floats: Vec<f32>,
    pub ints: Vec<i64>,
    /// A graph, a list of texts or tensors, or a reference into a function.
    pub other: bool,
    /// A graph, unread: [`graph`] reads one where a pattern asks for it.
    pub graph: Option<&'a [u8]>,
}

impl<'a> Node<'a> {
    /// What the layer is called: the node's name, else its first output's.
    pub fn label(&self) -> &'a str {
        if self.name.is_empty() { self.outputs.first().copied().unwrap_or_default() } else { self.name }
    }

    pub fn attribute(&self, name: &'static str) -> Option<&Attribute<'a>> {
        self.asked.borrow_mut().insert(name);
        self.attributes.iter().find(|a| a.name == name)
    }

    pub fn int(&self, name: &'static str) -> Option<i64> {
        self.attribute(name)?.int
    }

    pub fn float(&self, name: &'static str) -> Option<f32> {
        self.attribute(name)?.float
    }

    pub fn ints(&self, name: &'static str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub fn text(&self, name: &'static str) -> Option<&str> {
        std::str::from_utf8(self.attribute(name)?.text?).ok()
    }

    /// An attribute that nobody has asked for: it would be ignored in silence.
    pub fn unread(&self) -> Option<&'a str> {
        let asked = self.asked.borrow();
        self.attributes.iter().map(|a| a.name).find(|name| !asked.contains(name))
    }
}

/// Reads a file's messages. Errors: Malformed; Limit for more nodes or names than any network has.
pub fn read(bytes: &[u8]) -> Result<Model<'_>> {
    let mut model = Model::default();
    let mut producer = ["", ""];
    for field in Fields::new(bytes) {
        match field? {
            (1, v) => model.ir = v.integer()?,
            (2, v) => producer[0] = v.text()?,
            (3, v) => producer[1] = v.text()?,
            (7, v) if model.graph.is_none() => model.graph = Some(graph(v.bytes()?)?),
            (7, _) => return Err(Error::Malformed("the file holds two graphs; export it again".into())),
            (8, v) => {
                let (mut domain, mut version) = ("", 0);
                for field in Fields::new(v.bytes()?) {
                    match field? {
                        (1, v) => domain = v.text()?,
                        (2, v) => version = v.integer()?,
                        _ => {}
                    }
                }
                if is_standard(domain) {
                    model.opset = version;
                }
            }
            (14, v) => {
                let (mut key, mut value) = ("", "");
                for field in Fields::new(v.bytes()?) {
                    match field? {
                        (1, v) => key = v.text()?,
                        (2, v) => value = v.text()?,
                        _ => {}
                    }
                }
                if model.metadata.len() < 1000 {
                    model.metadata.push((key, value));
                }
            }
            (25, _) => model.functions += 1,
            _ => {}
        }
    }
    model.producer = producer.join(" ").trim().into();
    Ok(model)
}

/// Whether an operator's domain is that of the standard.
pub fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// One graph; those inside its attributes stay unread.
pub fn graph(bytes: &[u8]) -> Result<Graph<'_>> {
    let mut graph = Graph::default();
    let mut names = 0;
    for field in Fields::new(bytes) {
        match field? {
            (1, v) => {
                let node = node(v.bytes()?)?;
                names += node.inputs.len() + node.outputs.len();
                graph.nodes.push(node);
            }
            (2, v) => graph.name = v.text()?,
            (5, v) => graph.initializers.push(v.bytes()?),
            (11, v) => graph.inputs.push(info(v.bytes()?)?),
            (12, v) => graph.outputs.push(info(v.bytes()?)?),
            (15, _) => graph.sparse += 1,
            _ => {}
        }
        if graph.nodes.len() > MOST_NODES
            || graph.initializers.len() + graph.inputs.len() + graph.outputs.len() > 4 * MOST_NODES
            || names > MOST_NAMES
        {
            return Err(Error::Limit(format!(
                "more than {MOST_NODES} nodes or {MOST_NAMES} names; no network of photographs has so many"
            )));
        }
    }
    Ok(graph)
}

fn node(bytes: &[u8]) -> Result<Node<'_>> {
    let mut node = Node::default();
    for field in Fields::new(bytes) {
        match field? {
            (1, v) => node.inputs.push(v.text()?),
            (2, v) => node.outputs.push(v.text()?),
            (3, v) => node.name = v.text()?,
            (4, v) => node.operator = v.text()?,
            (5, v) => node.attributes.push(attribute(v.bytes()?)?),
            (7, v) => node.domain = v.text()?,
            _ => {}
        }
        if node.inputs.len() + node.outputs.len() > MOST_NAMES || node.attributes.len() > 1000 {
            return Err(Error::Limit(format!("node `{}` has too many inputs or attributes", node.name)));
        }
    }
    Ok(node)
}

fn attribute(bytes: &[u8]) -> Result<Attribute<'_>> {
    let mut a = Attribute::default();
    for field in Fields::new(bytes) {
        match field? {
            (1, v) => a.name = v.text()?,
            (2, Wire::Fixed32(v)) => a.float = Some(f32::from_le_bytes(v)),
            (3, v) => a.int = Some(v.integer()?),
            (4, v) => a.text = Some(v.bytes()?),
            (5, v) => a.tensor = Some(v.bytes()?),
            (7, v) => v.floats(&mut a.floats)?,
            (8, v) => v.integers(&mut a.ints)?,
            (6, v) => {
                a.graph = Some(v.bytes()?);
                a.other = true;
            }
            (9 | 10 | 11 | 21..=23, _) => a.other = true,
            _ => {}
        }
        if a.floats.len().max(a.ints.len()) > MOST_NUMBERS {
            return Err(Error::Limit(format!(
                "attribute `{}` holds more than {MOST_NUMBERS} numbers",
                a.name
            )));
        }
    }
    Ok(a)
}

fn info(bytes: &[u8]) -> Result<Info<'_>> {
    let mut info = Info::default();
    let mut shape = None;
    for field in Fields::new(bytes) {
        match field? {
            (1, v) => info.name = v.text()?,
            (2, v) => {
                for field in Fields::new(v.bytes()?) {
                    let (1, v) = field? else { continue };
                    for field in Fields::new(v.bytes()?) {
                        match field? {
                            (1, v) => info.number = v.integer()?,
                            (2, v) => shape = Some(v.bytes()?),
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(shape) = shape {
        let mut dims = Vec::new();
        for field in Fields::new(shape) {
            let (1, v) = field? else { continue };
            let mut size = None;
            for field in Fields::new(v.bytes()?) {
                if let (1, v) = field? {
                    size = Some(v.integer()?);
                }
            }
            dims.push(size);
            if dims.len() > 64 {
                return Err(Error::Limit(format!("`{}` has more than 64 dimensions", info.name)));
            }
        }
        info.dims = Some(dims);
    }
    Ok(info)
}
