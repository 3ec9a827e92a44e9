//! `unpool sparse invert | code | learn | show`: sparse deconvolution.

mod code;
mod invert;
mod learn;
mod sheet;
mod show;

use super::Outcome;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Recover a layer's input from its response
    Invert(invert::Args),
    /// Explain a photo by a dictionary: maps and reconstruction of each layer
    Code(code::Args),
    /// Learn a dictionary from photos
    Learn(learn::Args),
    /// Say what is in a dictionary and what learning it recorded
    Show(show::Args),
}

pub fn main(command: &Command, json: bool) -> Outcome {
    match command {
        Command::Invert(a) => invert::main(a, json),
        Command::Code(a) => code::main(a, json),
        Command::Learn(a) => learn::main(a, json),
        Command::Show(a) => show::main(a, json),
    }
}

/// ISTA or FISTA.
#[derive(Clone, Copy, clap::ValueEnum)]
enum MethodName {
    /// Never lets the objective rise
    Ista,
    /// Fewer iterations to the same limit
    Fista,
}

impl From<MethodName> for unpool::sparse::Method {
    fn from(m: MethodName) -> Self {
        match m {
            MethodName::Ista => Self::Ista,
            MethodName::Fista => Self::Fista,
        }
    }
}
