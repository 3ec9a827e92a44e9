//! Protobuf's text format, as `.prototxt` files use it: `key: value` and `key { … }`, repeated at will.

use crate::error::{Error, Result};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Nesting allowed; real files have five levels.
const MAX_DEPTH: usize = 32;
/// Longest text accepted, in bytes; the largest published networks have 0.2 MB.
const MAX_LENGTH: usize = 16 << 20;

/// A message: its fields in the order they were written.
#[derive(Debug, Clone, Default)]
pub struct Message {
    fields: Vec<(String, Value)>,
    /// The line it begins in, for error messages.
    pub line: usize,
    /// Which keys have been asked for, so that [`Message::unread`] can name the others.
    asked: RefCell<BTreeSet<&'static str>>,
}

#[derive(Debug, Clone)]
enum Value {
    /// A number, boolean, enum name or string, as text.
    Scalar(String),
    Message(Message),
}

impl Message {
    /// Parses a whole file. Errors: Malformed with the line; Limit for size and depth.
    pub fn parse(text: &str) -> Result<Message> {
        if text.len() > MAX_LENGTH {
            return Err(Error::Limit(format!(
                "prototxt: {} bytes, {MAX_LENGTH} are allowed; this is not a network's description",
                text.len()
            )));
        }
        let mut reader = Reader { rest: text, line: 1 };
        reader.message(0, None)
    }

    fn values(&self, key: &'static str) -> impl DoubleEndedIterator<Item = &Value> {
        self.asked.borrow_mut().insert(key);
        self.fields.iter().filter(move |f| f.0 == key).map(|f| &f.1)
    }

    /// The nested messages under a key.
    pub fn messages(&self, key: &'static str) -> Vec<&Message> {
        self.values(key).filter_map(|v| if let Value::Message(m) = v { Some(m) } else { None }).collect()
    }

    /// The nested message under a key; an empty one where there is none. Protobuf merges repeated
    /// ones; Caffe's files never need that, so the last counts.
    pub fn message(&self, key: &'static str) -> Message {
        self.messages(key)
            .last()
            .map_or_else(|| Message { line: self.line, ..Message::default() }, |m| (*m).clone())
    }

    /// The texts under a key.
    pub fn texts(&self, key: &'static str) -> Vec<&str> {
        self.values(key)
            .filter_map(|v| if let Value::Scalar(s) = v { Some(s.as_str()) } else { None })
            .collect()
    }

    /// The last text under a key.
    pub fn text(&self, key: &'static str) -> Option<&str> {
        self.texts(key).pop()
    }

    /// All numbers under a key. Error: Malformed where one is not of type `T`.
    pub fn numbers<T: std::str::FromStr>(&self, key: &'static str) -> Result<Vec<T>> {
        let parse = |t: &str| {
            let plain =
                t.strip_suffix(['f', 'F']).filter(|p| p.ends_with(|c: char| c.is_ascii_digit() || c == '.'));
            t.parse().or_else(|e| plain.map_or(Err(e), str::parse)).map_err(|_| {
                Error::Malformed(format!(
                    "prototxt, near line {}: `{key}: {t}` is not such a number",
                    self.line
                ))
            })
        };
        self.texts(key).into_iter().map(parse).collect()
    }

    /// The last number under a key.
    pub fn number<T: std::str::FromStr>(&self, key: &'static str) -> Result<Option<T>> {
        Ok(self.numbers(key)?.pop())
    }

    /// A boolean: `true`, `false`, `1`, `0`.
    pub fn flag(&self, key: &'static str) -> Result<Option<bool>> {
        match self.text(key) {
            None => Ok(None),
            Some("true" | "True" | "t" | "1") => Ok(Some(true)),
            Some("false" | "False" | "f" | "0") => Ok(Some(false)),
            Some(t) => Err(Error::Malformed(format!(
                "prototxt, near line {}: `{key}: {t}` is neither true nor false",
                self.line
            ))),
        }
    }

    /// Appends a text.
    pub fn put_text(&mut self, key: &str, value: &str) {
        self.fields.push((key.into(), Value::Scalar(value.into())));
    }

    /// Appends a nested message.
    pub fn put_message(&mut self, key: &str, value: Message) {
        self.fields.push((key.into(), Value::Message(value)));
    }

    /// A copy without the fields under some keys.
    pub fn without(&self, keys: &[&str]) -> Message {
        let kept = self.fields.iter().filter(|f| !keys.contains(&f.0.as_str()));
        Message { fields: kept.cloned().collect(), line: self.line, ..Message::default() }
    }

    /// Gives the fields under a key another one.
    pub fn rename(&mut self, old: &str, new: &str) {
        self.fields.iter_mut().filter(|f| f.0 == old).for_each(|f| f.0 = new.into());
    }

    /// The first key that nobody has asked for and that is not in `harmless`: a setting that would
    /// be ignored in silence.
    pub fn unread(&self, harmless: &[&str]) -> Option<&str> {
        let asked = self.asked.borrow();
        let mut keys = self.fields.iter().map(|f| f.0.as_str());
        keys.find(|k| !asked.contains(k) && !harmless.contains(k))
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, what: &str) -> Error {
        let here: String = self.rest.chars().take_while(|c| *c != '\n').take(30).collect();
        Error::Malformed(format!("prototxt, line {}: {what} at “{here}”", self.line))
    }

    fn skip(&mut self, n: usize) -> &'a str {
        let (head, rest) = self.rest.split_at(n);
        self.line += head.bytes().filter(|b| *b == b'\n').count();
        self.rest = rest;
        head
    }

    /// Past blanks, comments and the separators that the format allows between fields.
    fn blank(&mut self) {
        loop {
            let n = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']).len();
            self.skip(n);
            if !self.rest.starts_with('#') {
                return;
            }
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn eat(&mut self, what: char) -> bool {
        self.blank();
        let found = self.rest.starts_with(what);
        if found {
            self.skip(what.len_utf8());
        }
        found
    }

    fn word(&mut self) -> Result<&'a str> {
        self.blank();
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
        match self.rest.len() - self.rest.trim_start_matches(inside).len() {
            0 => Err(self.wrong("a name or number was expected")),
            n => Ok(self.skip(n)),
        }
    }

    fn message(&mut self, depth: usize, close: Option<char>) -> Result<Message> {
        if depth > MAX_DEPTH {
            return Err(Error::Limit(format!(
                "prototxt, line {}: more than {MAX_DEPTH} levels of braces",
                self.line
            )));
        }
        let mut out = Message { line: self.line, ..Message::default() };
        loop {
            self.blank();
            match (close, self.rest.is_empty()) {
                (Some(c), false) if self.eat(c) => return Ok(out),
                (Some(_), true) => return Err(self.wrong("a closing brace is missing: truncated")),
                (None, true) => return Ok(out),
                _ => {}
            }
            let key = self.word()?.to_string();
            let colon = self.eat(':');
            if colon && self.eat('[') {
                while !self.eat(']') {
                    let value = self.value(depth)?;
                    out.fields.push((key.clone(), value));
                    self.eat(',');
                }
            } else {
                self.blank();
                if !colon && !self.rest.starts_with(['{', '<']) {
                    return Err(self.wrong("a colon was expected"));
                }
                let value = self.value(depth)?;
                out.fields.push((key, value));
            }
            let _ = self.eat(',') || self.eat(';');
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        for (open, close) in [('{', '}'), ('<', '>')] {
            if self.eat(open) {
                return Ok(Value::Message(self.message(depth + 1, Some(close))?));
            }
        }
        if !self.rest.starts_with(['"', '\'']) {
            return Ok(Value::Scalar(self.word()?.to_string()));
        }
        let mut text = String::new();
        while self.rest.starts_with(['"', '\'']) {
            self.string(&mut text)?; // Neighbouring strings are one.
            self.blank();
        }
        Ok(Value::Scalar(text))
    }

    fn string(&mut self, out: &mut String) -> Result<()> {
        let quote = self.skip(1);
        let mut chars = self.rest.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '\n' => break,
                '\\' => match chars.next().map(|e| e.1) {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some(c @ ('\\' | '"' | '\'')) => out.push(c),
                    _ => return Err(self.wrong("an escape that names do not need")),
                },
                c if quote.starts_with(c) => {
                    self.skip(i + 1);
                    return Ok(());
                }
                c => out.push(c),
            }
        }
        Err(self.wrong("a closing quote is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::mutate;
    use super::*;

    const SAMPLE: &str = r#"
        name: "a" 'b'  # a comment
        layer { name: "x\"y" dim: 1 dim: 2, dim: 3; on: true }
        layer: < pool: MAX dim: [ 4, 5 ] alpha: 1e-4f >
    "#;

    #[test]
    fn every_form_of_field() {
        let m = Message::parse(SAMPLE).unwrap();
        assert_eq!(m.text("name"), Some("ab"));
        let layers = m.messages("layer");
        assert_eq!(layers[0].text("name"), Some("x\"y"));
        assert_eq!(layers[0].numbers::<usize>("dim").unwrap(), [1, 2, 3]);
        assert_eq!(layers[0].flag("on").unwrap(), Some(true));
        assert_eq!(layers[1].numbers::<usize>("dim").unwrap(), [4, 5]);
        assert_eq!(layers[1].number::<f32>("alpha").unwrap(), Some(1e-4));
        assert_eq!(layers[1].line, 4);
        assert_eq!(layers[1].unread(&[]), Some("pool"));
        assert_eq!(layers[1].text("pool"), Some("MAX"));
        assert_eq!(layers[1].unread(&[]), None);
        assert_eq!(m.message("absent").text("x"), None);
        assert_eq!(m.number::<f32>("absent").unwrap(), None);
    }

    #[test]
    fn each_fault_has_its_error() {
        for (text, what) in [
            ("layer {", "truncated"),
            ("layer }", "colon"),
            ("a: ", "expected"),
            ("a b", "colon"),
            ("a: \"x", "closing quote"),
            ("a: \"\\q\"", "escape"),
            ("{}", "expected"),
            ("a: [1, 2", "expected"),
        ] {
            let e = Message::parse(text).unwrap_err();
            assert!(
                matches!(&e, Error::Malformed(m) if m.contains(what) && m.contains("line 1")),
                "{text}: {e}"
            );
        }
        let deep = "a {".repeat(100);
        assert!(matches!(Message::parse(&deep), Err(Error::Limit(_))));
        assert!(matches!(Message::parse(&" ".repeat(MAX_LENGTH + 1)), Err(Error::Limit(_))));
        let m = Message::parse("n: x\nb: maybe").unwrap();
        assert!(m.number::<usize>("n").unwrap_err().message().contains("n: x"));
        assert!(m.flag("b").unwrap_err().message().contains("maybe"));
    }

    #[test]
    fn no_mutation_panics() {
        mutate::each(SAMPLE.as_bytes(), |bytes| match std::str::from_utf8(bytes) {
            Ok(text) => Message::parse(text).map(drop),
            Err(_) => Ok(()),
        });
    }
}
