//! `unpool sparse invert MODEL INPUT --layer L`: a layer's input from its response.

use super::super::args::{InputArgs, ModelArgs, npy};
use super::super::{Failure, Outcome, input, model, output, run};
use super::MethodName;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::path::PathBuf;
use unpool::Error;
use unpool::explain::inversion::stages;
use unpool::sparse::invert::{Inversion, Options, Recovery};
use unpool::sparse::solver::{Prior, Start};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    /// The convolution whose input is sought
    #[arg(long, value_name = "NAME")]
    layer: String,
    /// Go on through so many more convolutions below, layer by layer
    #[arg(long, value_name = "N", default_value_t = 0)]
    down: usize,
    /// Weight of the remainder, one for each layer [default: about 5 % of the values are not zero]
    #[arg(long, value_name = "λ,…", value_delimiter = ',', allow_hyphen_values = true)]
    lambda: Vec<f64>,
    /// What each layer's input is taken to be like [default: sparse; pixels below another layer smooth]
    #[arg(long, value_enum, value_name = "PRIOR,…", value_delimiter = ',')]
    prior: Vec<PriorName>,
    /// Step β [default: 1/(λ‖F‖²), by power iteration]
    #[arg(long, value_name = "β", allow_hyphen_values = true)]
    step: Option<f64>,
    /// How it is solved
    #[arg(long, value_enum, default_value = "fista")]
    method: MethodName,
    /// Iterations for each layer
    #[arg(long, value_name = "N", default_value_t = 100)]
    iterations: usize,
    /// The first z
    #[arg(long, value_enum, default_value = "zero")]
    start: StartName,
    /// Where to write the recovered input (the lowest one), as .npy
    #[arg(long, short, value_name = "Z.npy", value_parser = npy)]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum StartName {
    /// All zero
    Zero,
    /// The response through the transposed filters
    Transpose,
}

#[derive(Clone, Copy, ValueEnum)]
enum PriorName {
    /// Few values are not zero
    Sparse,
    /// Neighbours are alike; solved by conjugate gradient, without --method and --step
    Smooth,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let net = model::load(&args.model)?;
    let node = net.find(&args.layer)?;
    let given = input::load(&args.input, &net.spec().input)?;
    let trace = run::forward(&net, given.tensor.clone())?;
    let options = Options {
        lambda: args.lambda.clone(),
        prior: args
            .prior
            .iter()
            .map(|p| match p {
                PriorName::Sparse => Prior::Sparse,
                PriorName::Smooth => Prior::Smooth,
            })
            .collect(),
        step: args.step,
        method: args.method.into(),
        start: match args.start {
            StartName::Zero => Start::Zero,
            StartName::Transpose => Start::Transpose,
        },
        iterations: args.iterations,
    };
    let depth = args.down.saturating_add(1);
    let mut job = Inversion::new(stages(&trace, node, depth)?, &options)?;
    output::watch("inversion", &mut job)?;
    let recovered = job.recovered();
    let last = recovered.last().expect("at least one layer was inverted");
    if let Some(statement) = last.statement() {
        let message = format!("{}: {statement}; leave --step out, or make it smaller", last.name());
        return Err(Failure::Failed(Error::Parameter(message)));
    }
    if let Some(path) = &args.output {
        let z = last.z();
        output::file(path, &unpool::format::npy::write(&given.shape(z.shape()), z.data())?)?;
    }
    model::warn(&net);
    if json {
        let mut document = describe(last);
        document["stages"] = recovered.iter().map(describe).collect();
        document["output"] = json!(args.output.as_ref().map(|p| p.display().to_string()));
        output::json(&document)?;
        return Ok(());
    }
    for r in recovered {
        let d = describe(r);
        let solver = r.solver().expect("its iterations are over");
        output::text_line(&format!(
            "{} from {}: objective {:.6} after {} iterations, λ {:.3}, β {:.3e}; {:.2} % of the values are not zero; {:.1} % of the \
             response left; cosine with the true input {:.3} (transposed filters alone: {:.3})",
            r.input(),
            r.name(),
            solver.objective().last().copied().unwrap_or(f64::NAN),
            solver.objective().len(),
            solver.problem().lambda,
            solver.problem().step,
            100.0 * d["support"].as_f64().unwrap_or(f64::NAN),
            100.0 * solver.error(),
            r.likeness().unwrap_or(f64::NAN),
            r.transpose_likeness()
        ))?;
    }
    Ok(())
}

/// `support` is a share, `nonzero` the count behind it.
fn describe(r: &Recovery) -> Value {
    let solver = r.solver().expect("its iterations are over");
    json!({
        "layer": r.name(), "input": r.input(), "objective": solver.objective(), "start": solver.start(),
        "step": solver.problem().step, "lambda": solver.problem().lambda, "norm2": r.norm2(),
        "support": solver.support() as f64 / solver.z().len() as f64, "nonzero": solver.support(),
        "known": r.known(), "prior": r.prior().name(), "error": solver.error(), "distance": r.distance(), "likeness": r.likeness(),
        "transpose_likeness": r.transpose_likeness(), "shape": r.truth().shape(),
    })
}
