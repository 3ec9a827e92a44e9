//! Linear maps that are known by what they do: Fz and Fᵀr.

use crate::error::{Error, Result};
use crate::kernel::atoms::Atoms;
use crate::kernel::conv::{Filters, Geometry, Item};
use crate::kernel::shrink;
use crate::random::SplitMix;
use crate::tensor::{Shape, View, ViewMut};

/// A linear map F between arrays of channels × rows × columns, and its transpose: ⟨Fz, r⟩ = ⟨z, Fᵀr⟩.
pub trait Operator: Send + Sync {
    /// Shape of z.
    fn domain(&self) -> Shape;
    /// Shape of Fz.
    fn range(&self) -> Shape;
    /// out := Fz. `support`: how many values of z are not zero, where the caller knows.
    fn apply(&self, z: &[f32], support: Option<usize>, out: &mut [f32]);
    /// out := Fᵀr.
    fn adjoint(&self, r: &[f32], out: &mut [f32]);
}

/// Share of values below which adding filters one by one is faster than the dense product; measured, see [`Atoms`].
const SPARSE: f64 = 0.12;

/// The convolution of one layer, without its bias.
pub struct Conv {
    filters: Filters,
    atoms: Option<Atoms>,
    maps: Shape,
    below: Shape,
    /// F is the pull: z are the maps, Fz is what lies below.
    down: bool,
}

impl Conv {
    /// F is the layer's push: z is its input, of the given shape, Fz its response. `weights` is
    /// (outputs, inputs / groups, kh, kw). Errors: Shape where sizes do not fit.
    pub fn push(weights: &[f32], geometry: &Geometry, input: Shape) -> Result<Conv> {
        Conv::new(weights, geometry, input, false)
    }

    /// F is the layer's pull: z are its maps, Fz = Σ z_k ∗ f_k is what they draw on the plane below, of the given shape.
    pub fn pull(weights: &[f32], geometry: &Geometry, below: Shape) -> Result<Conv> {
        Conv::new(weights, geometry, below, true)
    }

    fn new(weights: &[f32], g: &Geometry, below: Shape, down: bool) -> Result<Conv> {
        g.window.check()?;
        let groups = g.groups;
        if groups == 0
            || !g.inputs.is_multiple_of(groups)
            || !g.outputs.is_multiple_of(groups)
            || g.outputs == 0
        {
            return Err(Error::Shape(format!(
                "{groups} groups do not divide {} input and {} output maps",
                g.inputs, g.outputs
            )));
        }
        let [kh, kw] = g.window.kernel;
        let count = [g.outputs, g.inputs / groups, kh, kw].iter().try_fold(1usize, |n, s| n.checked_mul(*s));
        if count != Some(weights.len()) {
            return Err(Error::Shape(format!(
                "{} weights for {} filters of {}×{kh}×{kw}",
                weights.len(),
                g.outputs,
                g.inputs / groups
            )));
        }
        if below.c != g.inputs {
            return Err(Error::Shape(format!("the filters read {} maps, there are {}", g.inputs, below.c)));
        }
        if let Some(i) = weights.iter().position(|w| !w.is_finite()) {
            return Err(Error::Malformed(format!("weight {i} of the filters is not a finite number")));
        }
        let [h, w] = g.window.output(below.h, below.w, false)?;
        let maps = Shape::new(g.outputs, h, w);
        maps.count()?;
        below.count()?;
        // As far as what atoms are correlated with is framed.
        let inside = g.window.pad.iter().zip([kh, kw, kh, kw]).all(|(pad, side)| *pad < side);
        let plain = g.window.stride == [1, 1] && g.window.dilation == [1, 1] && groups == 1 && inside;
        let atoms = match down && plain {
            true => {
                Some(Atoms::new(weights, [g.outputs, g.inputs, kh, kw], [g.window.pad[0], g.window.pad[1]])?)
            }
            false => None,
        };
        Ok(Conv { filters: Filters::forward(weights, &[], g.clone()), atoms, maps, below, down })
    }

    /// Of Fᵀr only what stands at the given places of its flat array: all that layers above ask of the ones below.
    pub fn adjoint_at(&self, r: &[f32], places: &[u32], out: &mut [f32]) {
        if let Some(atoms) = &self.atoms {
            return atoms.at(View::whole(r, self.below), self.maps, places, out);
        }
        let mut all = vec![0.0; self.domain().size()];
        self.adjoint(r, &mut all);
        out.iter_mut().zip(places).for_each(|(o, p)| *o = all[*p as usize]);
    }

    fn up(&self, from: &[f32], to: &mut [f32]) {
        run(&self.filters, from, [self.below, self.maps], to);
    }

    fn down(&self, from: &[f32], support: Option<usize>, to: &mut [f32]) {
        match &self.atoms {
            Some(atoms) if support.is_some_and(|n| (n as f64) < SPARSE * from.len() as f64) => {
                atoms.run(View::whole(from, self.maps), ViewMut::whole(to, self.below));
            }
            _ => run(&self.filters.transposed(), from, [self.maps, self.below], to),
        }
    }
}

fn run(filters: &Filters, from: &[f32], [of, onto]: [Shape; 2], to: &mut [f32]) {
    filters.run(&mut [Item { input: View::whole(from, of), output: ViewMut::whole(to, onto) }], false);
}

impl Operator for Conv {
    fn domain(&self) -> Shape {
        if self.down { self.maps } else { self.below }
    }

    fn range(&self) -> Shape {
        if self.down { self.below } else { self.maps }
    }

    fn apply(&self, z: &[f32], support: Option<usize>, out: &mut [f32]) {
        if self.down { self.down(z, support, out) } else { self.up(z, out) }
    }

    fn adjoint(&self, r: &[f32], out: &mut [f32]) {
        if self.down { self.up(r, out) } else { self.down(r, None, out) }
    }
}

/// ‖F‖², the largest eigenvalue of FᵀF, by power iteration from seeded noise, one iteration at a time.
pub struct Power {
    v: Vec<f32>,
    image: Vec<f32>,
    value: f64,
    iteration: usize,
}

impl Power {
    /// Iterations after which it is good enough in any case: within 1 % for convolutions, whose largest eigenvalues lie
    /// close together. (Below 2/‖F‖² a step still never lets the objective rise, so 1 % is far from hurting.)
    pub const MOST: usize = 60;

    /// Starts. Memory: one z and one Fz.
    pub fn new(operator: &dyn Operator) -> Result<Power> {
        let mut random = SplitMix::new(1);
        let n = operator.domain().count()?;
        let v = (0..n).map(|_| random.normal() as f32).collect();
        let mut power = Power { v, image: vec![0.0; operator.range().count()?], value: 0.0, iteration: 0 };
        power.normalise();
        Ok(power)
    }

    /// One iteration; true when the value has settled. Error: Parameter where F is zero: nothing can be explained by it.
    pub fn step(&mut self, operator: &dyn Operator) -> Result<bool> {
        operator.apply(&self.v, None, &mut self.image);
        operator.adjoint(&self.image, &mut self.v);
        // v was of unit length, so ‖FᵀFv‖ tends to the eigenvalue from below.
        let before = self.value;
        self.value = self.normalise();
        self.iteration += 1;
        if !(self.value > 0.0 && self.value.is_finite()) {
            return Err(Error::Parameter(
                "the filters are all zero, or not numbers: no input explains anything by them".into(),
            ));
        }
        Ok(self.iteration >= Power::MOST || (self.value - before).abs() < 1e-5 * self.value)
    }

    /// Iterations so far.
    pub fn iterations(&self) -> usize {
        self.iteration
    }

    /// ‖F‖² as far as it is known.
    pub fn value(&self) -> f64 {
        self.value
    }

    fn normalise(&mut self) -> f64 {
        let norm = shrink::norm2(&self.v).sqrt();
        shrink::scale(&mut self.v, if norm > 0.0 { (1.0 / norm) as f32 } else { 0.0 });
        norm
    }
}

/// The whole power iteration.
pub fn norm2(operator: &dyn Operator) -> Result<f64> {
    let mut power = Power::new(operator)?;
    while !power.step(operator)? {}
    Ok(power.value())
}
