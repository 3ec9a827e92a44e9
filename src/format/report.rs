//! What an import did, for people: nothing is folded, skipped or guessed in silence.

use crate::spec::Model;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// One thing that was done, found or assumed: a sentence for a command line, and what a page needs to say it in another
/// language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Which sentence it is.
    pub code: &'static str,
    /// What fills its blanks.
    pub values: BTreeMap<&'static str, String>,
    /// In English.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A [`Line`]: its code, its English sentence with `{blanks}`, and what fills them. The page's words for it stand under
/// `import.line.CODE`.
macro_rules! line {
    ($code:literal, $text:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::format::report::Line {
            code: $code,
            text: format!($text $(, $name = $value)*),
            values: std::collections::BTreeMap::from([$((stringify!($name), $value.to_string())),*]),
        }
    };
}
pub(crate) use line;

/// What was read, and what was changed on the way. What cannot be imported is an error instead.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The format that was recognised.
    pub format: String,
    /// Layers of the network that came out.
    pub layers: usize,
    /// Tensors of weights.
    pub tensors: usize,
    /// Numbers in them.
    pub parameters: usize,
    /// The layer that holds what the file calls its output; empty where that is the last one.
    pub output: String,
    /// What is likely to be broken in the file itself: weights that are no numbers.
    pub suspect: Vec<Line>,
    /// Layers that became part of another one.
    pub folded: Vec<Line>,
    /// Layers with another name than in the file.
    pub renamed: Vec<Line>,
    /// What the file holds and the network does not: training layers, unused weights.
    pub skipped: Vec<Line>,
    /// What the file does not say and was assumed: to be checked.
    pub guesses: Vec<Line>,
    /// What the file does not say and nobody can assume.
    pub missing: Vec<Line>,
    /// What else a person should know.
    pub notes: Vec<Line>,
}

impl Report {
    /// Counts what came out.
    pub fn count(&mut self, model: &Model) {
        self.layers = model.spec.layers.len();
        self.tensors = model.weights.len();
        self.parameters = model.weights.values().map(|w| w.len()).sum();
    }
}
