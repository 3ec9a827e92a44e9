//! One error type, sorted by whose fault it was, so that a caller can decide what to do without
//! reading the sentence, and a person can act on the sentence without knowing the code.

use std::fmt;

/// What went wrong. Every message says what was wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not what they claim to be: truncated, corrupt, not an image, not a model.
    Malformed(String),
    /// The bytes are sound but ask for something this engine does not do.
    Unsupported(String),
    /// Sizes do not fit together: a spec and its weights, a layer and its input.
    Shape(String),
    /// It would take more memory, pixels or time than allowed.
    Limit(String),
    /// The caller asked for something that is not there or makes no sense.
    Parameter(String),
}

/// Shorthand used throughout the crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The variant's name, as the JavaScript `Error.name` and the command line's JSON use it.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Malformed(_) => "Malformed",
            Error::Unsupported(_) => "Unsupported",
            Error::Shape(_) => "Shape",
            Error::Limit(_) => "Limit",
            Error::Parameter(_) => "Parameter",
        }
    }

    /// The sentence without the kind.
    pub fn message(&self) -> &str {
        match self {
            Error::Malformed(m)
            | Error::Unsupported(m)
            | Error::Shape(m)
            | Error::Limit(m)
            | Error::Parameter(m) => m,
        }
    }

    /// The same error with the place it happened in front: `fire2/expand3x3: …`.
    pub fn at(self, place: &str) -> Error {
        let message = format!("{place}: {}", self.message());
        match self {
            Error::Malformed(_) => Error::Malformed(message),
            Error::Unsupported(_) => Error::Unsupported(message),
            Error::Shape(_) => Error::Shape(message),
            Error::Limit(_) => Error::Limit(message),
            Error::Parameter(_) => Error::Parameter(message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}
