//! `unpool classify MODEL INPUT`.

use super::args::{InputArgs, ModelArgs};
use super::{Outcome, input, model, output, run};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    /// How many classes
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let net = model::load(&args.model)?;
    let given = input::load(&args.input, &net.spec().input)?;
    let trace = run::forward(&net, given.tensor)?;
    let top = trace.top(args.top as usize)?;
    model::warn(&net);
    if json {
        output::json(&top)?;
    } else {
        let rows: Vec<Vec<String>> = top
            .into_iter()
            .map(|p| vec![format!("{:.2} %", p.p * 100.0), p.index.to_string(), p.label])
            .collect();
        output::text_line(&output::table(&["p", "index", "class"], &[0, 1], &rows))?;
    }
    Ok(())
}
