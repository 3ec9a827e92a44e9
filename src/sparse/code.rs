//! A photo in a dictionary: layer by layer the maps that explain it, each through the switches of the layers below (ADN11).

use super::contrast;
use super::course::{self, Course, Wanted};
use super::layers::{Below, Stack, draws};
use super::operator::{Conv, Operator};
use super::pool3d::Pool3d;
use super::solver::{self, Method, Prior, Solver, Start};
use crate::error::{Error, Result};
use crate::format::dictionary::{Dictionary, Layer};
use crate::job::{Clock, Job, Progress};
use crate::kernel::inside;
use crate::tensor::{Shape, Tensor};
use std::sync::Arc;
use std::time::Duration;

/// How a photo is coded.
#[derive(Debug, Clone)]
pub struct Options {
    /// Layers to infer; default all.
    pub layers: Option<usize>,
    /// λ of each layer; a layer without one uses the dictionary's.
    pub lambda: Vec<f64>,
    /// Leave λ to a search: about 5 % of the values other than zero in every layer.
    pub automatic: bool,
    /// ISTA or FISTA.
    pub method: Method,
    /// Iterations for each layer.
    pub iterations: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            layers: None,
            lambda: Vec::new(),
            automatic: false,
            method: Method::default(),
            iterations: 10,
        }
    }
}

/// Power iterations for a layer, dearer than those that code the photo, and the margin over what they miss: of five photos in four layers
/// they found 85 to 100 % of what sixty did, so that a step is at most about 2 % longer than 1/(λ‖R‖²). ISTA descends up to twice that.
const NORM: (usize, f64) = (12, 1.15);

/// A layer inferred, or being inferred.
pub struct Coded {
    conv: Arc<Conv>,
    stack: Arc<Stack>,
    pool: Pool3d,
    course: Course,
    pooled: Vec<f32>,
    switches: Arc<[u32]>,
    pooled_shape: Shape,
}

impl Coded {
    /// The problem's state once iterations have begun.
    pub fn solver(&self) -> Option<&Solver> {
        self.course.solver()
    }

    /// ‖R_l‖² as far as it is known.
    pub fn norm2(&self) -> f64 {
        self.course.norm2()
    }

    /// Shape of the maps.
    pub fn shape(&self) -> Shape {
        self.stack.domain()
    }

    /// The maps; zeros before the iterations have begun.
    pub fn z(&self) -> Vec<f32> {
        self.solver().map_or_else(|| vec![0.0; self.shape().size()], |s| s.z().to_vec())
    }

    /// What was pooled from the maps after the latest iteration, and its shape.
    pub fn pooled(&self) -> (&[f32], Shape) {
        (&self.pooled, self.pooled_shape)
    }

    /// Where each pooled value stood.
    pub fn switches(&self) -> &[u32] {
        &self.switches
    }

    /// R_l.
    pub fn operator(&self) -> &dyn Operator {
        &*self.stack
    }

    /// Values of what F_l alone draws on: what the layer below pooled, or the image.
    pub(super) fn plane_len(&self) -> usize {
        self.conv.range().size()
    }

    /// F_l alone.
    pub(super) fn draw(&self, z: &[f32], out: &mut [f32]) {
        let support = z.iter().filter(|v| **v != 0.0).count();
        self.conv.apply(z, Some(support), out);
    }

    /// R_l z: the image as this layer explains it.
    pub fn reconstruction(&self, y: &[f32]) -> Vec<f32> {
        match self.solver() {
            Some(s) => s.residual().iter().zip(y).map(|(r, y)| r + y).collect(),
            None => vec![0.0; y.len()],
        }
    }

    fn below(&self) -> Below {
        Below { conv: self.conv.clone(), switches: self.switches.clone(), pooled: self.pooled_shape }
    }

    fn refresh(&mut self) -> Result<()> {
        let Some(s) = self.course.solver() else { return Ok(()) };
        let (pooled, switches) = self.pool.run(s.z(), self.stack.domain())?;
        (self.pooled, self.switches) = (pooled, switches.into());
        Ok(())
    }
}

/// A photo being coded.
pub struct Coding {
    dictionary: Arc<Dictionary>,
    y: Tensor,
    options: Options,
    layers: usize,
    coded: Vec<Coded>,
    done: bool,
}

impl Coding {
    /// `image`: channels × rows × columns, as the dictionary says (colours red, green, blue), in any units: its contrast is
    /// normalised here. Errors: Shape for another number of channels, or filters larger than what they draw on; Parameter
    /// for zero iterations, a λ that is not above 0, more layers than there are.
    pub fn new(dictionary: Arc<Dictionary>, image: &Tensor, options: &Options) -> Result<Coding> {
        dictionary.check()?;
        check_image(&dictionary, image)?;
        let y = contrast::normalise(image, dictionary.about.sigma)?;
        Coding::of_normalised(dictionary, y, options)
    }

    /// The same for an image whose contrast is normalised already.
    pub fn of_normalised(dictionary: Arc<Dictionary>, y: Tensor, options: &Options) -> Result<Coding> {
        check_image(&dictionary, &y)?;
        if y.data().iter().any(|v| !v.is_finite()) {
            return Err(Error::Malformed("the image holds values that are not finite numbers".into()));
        }
        course::iterations(options.iterations)?;
        let (have, layers) = (dictionary.layers.len(), options.layers.unwrap_or(dictionary.layers.len()));
        if layers == 0 || layers > have {
            return Err(Error::Parameter(format!(
                "the dictionary has {have} layers; asked for are {layers}"
            )));
        }
        if options.lambda.len() > layers {
            return Err(Error::Parameter(format!(
                "{} λ are given for {layers} layers",
                options.lambda.len()
            )));
        }
        for lambda in &options.lambda {
            solver::positive(*lambda, "λ")?;
        }
        if y.data().iter().all(|v| *v == 0.0) {
            return Err(Error::Parameter(
                "the photo is of one colour throughout: without contrast there is nothing to explain".into(),
            ));
        }
        let mut coding =
            Coding { dictionary, y, options: options.clone(), layers, coded: Vec::new(), done: false };
        coding.begin()?;
        Ok(coding)
    }

    /// The image with its contrast normalised: what is explained.
    pub fn image(&self) -> &Tensor {
        &self.y
    }

    /// The dictionary.
    pub fn dictionary(&self) -> &Arc<Dictionary> {
        &self.dictionary
    }

    /// Layers so far, from the pixels up; the last one may be at work.
    pub fn coded(&self) -> &[Coded] {
        &self.coded
    }

    fn begin(&mut self) -> Result<()> {
        let n = self.coded.len();
        let spec = &self.dictionary.layers[n];
        let lambda = match self.options.lambda.get(n) {
            Some(lambda) => Some(*lambda),
            None => (!self.options.automatic).then_some(spec.spec.lambda),
        };
        let wanted = Wanted {
            lambda,
            step: None,
            method: self.options.method,
            start: Start::Zero,
            iterations: self.options.iterations,
            prior: Prior::Sparse,
            norm: NORM,
        };
        let coded = start(spec, &self.coded, self.y.shape(), wanted)
            .map_err(|e| e.at(&format!("layer {}", n + 1)))?;
        self.coded.push(coded);
        Ok(())
    }

    fn piece(&mut self) -> Result<()> {
        let now = self.coded.last_mut().expect("a layer is at work");
        now.course.step(self.y.data())?;
        now.refresh()?;
        if now.course.is_over() {
            if self.coded.len() == self.layers { self.done = true } else { self.begin()? }
        }
        Ok(())
    }

    fn fraction(&self) -> f64 {
        if self.done {
            return 1.0;
        }
        let now = self.coded.last().expect("a layer is at work");
        ((self.coded.len() - 1) as f64 + now.course.fraction()) / self.layers as f64
    }
}

impl Job for Coding {
    fn step(&mut self, budget: Duration) -> Result<Progress> {
        let clock = Clock::start();
        inside(|| {
            while !self.done {
                self.piece()?;
                if clock.elapsed() >= budget {
                    break;
                }
            }
            Ok(Progress { fraction: self.fraction(), done: self.done })
        })
    }
}

/// A layer on top of those that are coded.
fn start(layer: &Layer, below: &[Coded], image: Shape, wanted: Wanted) -> Result<Coded> {
    let plane = below.last().map_or(image, |b| b.pooled_shape);
    let conv = Arc::new(draws(&layer.weights, layer.shape, plane)?);
    let stack = Arc::new(Stack::new(conv.clone(), below.iter().rev().map(Coded::below).collect())?);
    let pool = Pool3d { side: layer.spec.pool_side, maps: layer.spec.pool_maps };
    let pooled_shape = pool.shape(stack.domain())?;
    let n = pooled_shape.count()?;
    let course = Course::new(stack.clone(), wanted)?;
    Ok(Coded { conv, stack, pool, course, pooled: vec![0.0; n], switches: vec![0; n].into(), pooled_shape })
}

/// Whether an image has the channels that a dictionary draws.
pub(super) fn check_image(dictionary: &Dictionary, image: &Tensor) -> Result<()> {
    let (wanted, got) = (dictionary.about.channels, image.channels());
    if wanted == got {
        return Ok(());
    }
    let name = |c: usize| if c == 1 { "grey".to_string() } else { format!("of {c} channels") };
    Err(Error::Shape(format!(
        "the dictionary is {}, the image is {}; use one that is alike",
        name(wanted),
        name(got)
    )))
}
