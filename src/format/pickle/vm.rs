//! The stack machine.

use super::numpy::{self, Callable};
use super::opcode::{self as op, *};
use super::{Bytes, Id, MAX_VALUES, Pickle, Value};
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::collections::HashMap;

/// Runs one pickle; how many bytes it was.
pub fn run(bytes: &[u8]) -> Result<(Pickle<'_>, usize)> {
    let mut vm = Vm {
        bytes,
        at: 0,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        decodable: bytes.len(),
    };
    loop {
        let at = vm.at;
        match vm.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok((Pickle { values: vm.values, root }, vm.at)),
            Err(e) => return Err(e.at(&format!("pickle, byte {at}"))),
        }
    }
}

struct Vm<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Bytes that calls may still decode from text: an honest file decodes each of its own once.
    decodable: usize,
}

fn malformed(what: &str) -> Error {
    Error::Malformed(format!("{what}; this is no pickle, or a damaged one"))
}

impl<'a> Vm<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|&e| e <= self.bytes.len());
        let end = end.ok_or_else(|| malformed("truncated: the file ends inside a value"))?;
        let out = &self.bytes[self.at..end];
        self.at = end;
        Ok(out)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("as many as were taken"))
    }

    fn u8(&mut self) -> Result<usize> {
        Ok(self.take(1)?[0].into())
    }

    fn u32(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn u64(&mut self) -> Result<usize> {
        let n = u64::from_le_bytes(self.array()?);
        usize::try_from(n).map_err(|_| malformed("truncated: a length beyond the file"))
    }

    /// Bytes up to the end of the line, as protocol 0 writes everything.
    fn line_bytes(&mut self) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let n =
            rest.iter().position(|b| *b == b'\n').ok_or_else(|| malformed("truncated: no end of line"))?;
        self.at += n + 1;
        Ok(&rest[..n])
    }

    fn line(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.line_bytes()?).map_err(|_| malformed("a line is not text"))
    }

    fn push(&mut self, value: Value<'a>) -> Result<Option<Id>> {
        if self.values.len() >= MAX_VALUES || self.stack.len() >= MAX_VALUES {
            return Err(Error::Limit(format!("more than {MAX_VALUES} values; save the weights as arrays")));
        }
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(None)
    }

    fn pop(&mut self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(malformed("a value is taken from an empty stack"));
        }
        Ok(self.stack.pop().expect("just checked"))
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or_else(|| malformed("the stack is empty"))
    }

    fn since_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| malformed("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn text(&mut self, bytes: &'a [u8]) -> Result<Option<Id>> {
        // Python allows lone surrogates here; names of weights never have them.
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("text is not UTF-8"))?;
        self.push(Value::Text(Cow::Borrowed(text)))
    }

    fn tuple(&mut self, n: usize) -> Result<Option<Id>> {
        let mut items = Vec::with_capacity(n);
        for _ in 0..n {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Tuple(items))
    }

    fn long(&mut self, n: usize) -> Result<Option<Id>> {
        let bytes = self.take(n)?;
        if n > 8 {
            return self.push(Value::Number);
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut full = [if negative { 255 } else { 0 }; 8];
        full[..n].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(full)))
    }

    fn step(&mut self) -> Result<Option<Id>> {
        let code = self.take(1)?[0];
        match code {
            PROTO => match self.u8()? {
                0..=5 => Ok(None),
                v => Err(Error::Unsupported(format!("protocol {v} is not known; protocols 0 to 5 are"))),
            },
            FRAME => self.array::<8>().map(|_| None),
            STOP => self.pop().map(Some),
            MARK => {
                if self.marks.len() >= MAX_VALUES {
                    return Err(Error::Limit(format!("more than {MAX_VALUES} open marks")));
                }
                self.marks.push(self.stack.len());
                Ok(None)
            }
            POP if self.marks.last() == Some(&self.stack.len()) => {
                self.marks.pop();
                Ok(None)
            }
            POP => self.pop().map(|_| None),
            POP_MARK => self.since_mark().map(|_| None),
            DUP => {
                let top = self.top()?;
                // As `push`, without a value of its own.
                if self.stack.len() >= MAX_VALUES {
                    return Err(Error::Limit(format!("more than {MAX_VALUES} values on the stack")));
                }
                self.stack.push(top);
                Ok(None)
            }
            NONE => self.push(Value::None),
            NEWTRUE => self.push(Value::Bool(true)),
            NEWFALSE => self.push(Value::Bool(false)),
            INT => match self.line()? {
                "00" => self.push(Value::Bool(false)),
                "01" => self.push(Value::Bool(true)),
                text => {
                    let number = text.trim().parse().map_err(|_| malformed("an integer is none"))?;
                    self.push(Value::Int(number))
                }
            },
            LONG => {
                let number = self
                    .line()?
                    .trim_end_matches('L')
                    .parse()
                    .map_err(|_| malformed("an integer is none"))?;
                self.push(Value::Int(number))
            }
            FLOAT => {
                let number = self.line()?.trim().parse().map_err(|_| malformed("a number is none"))?;
                self.push(Value::Float(number))
            }
            BININT => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(number.into()))
            }
            BININT1 => {
                let number = self.u8()?;
                self.push(Value::Int(number as i64))
            }
            BININT2 => {
                let number = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(number.into()))
            }
            LONG1 => self.u8().and_then(|n| self.long(n)),
            LONG4 => self.u32().and_then(|n| self.long(n)),
            BINFLOAT => {
                let number = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(number))
            }
            STRING => {
                let line = self.line()?;
                let bytes = escapes::string(line)
                    .ok_or_else(|| malformed("a string is not quoted as Python does"))?;
                self.push(Value::Bytes(Bytes::Decoded(bytes.into())))
            }
            UNICODE => {
                let line = self.line_bytes()?;
                let text =
                    escapes::unicode(line).ok_or_else(|| malformed("text is not escaped as Python does"))?;
                self.push(Value::Text(Cow::Owned(text)))
            }
            // Python 2's strings are bytes; where a name is meant they are read as text.
            BINSTRING | BINBYTES => {
                self.u32().and_then(|n| self.take(n)).and_then(|b| self.push(Value::Bytes(Bytes::File(b))))
            }
            SHORT_BINSTRING | SHORT_BINBYTES => {
                self.u8().and_then(|n| self.take(n)).and_then(|b| self.push(Value::Bytes(Bytes::File(b))))
            }
            BINBYTES8 | BYTEARRAY8 => {
                self.u64().and_then(|n| self.take(n)).and_then(|b| self.push(Value::Bytes(Bytes::File(b))))
            }
            SHORT_BINUNICODE => self.u8().and_then(|n| self.take(n)).and_then(|b| self.text(b)),
            BINUNICODE => self.u32().and_then(|n| self.take(n)).and_then(|b| self.text(b)),
            BINUNICODE8 => self.u64().and_then(|n| self.take(n)).and_then(|b| self.text(b)),
            EMPTY_TUPLE => self.tuple(0),
            TUPLE1 => self.tuple(1),
            TUPLE2 => self.tuple(2),
            TUPLE3 => self.tuple(3),
            TUPLE => self.since_mark().and_then(|items| self.push(Value::Tuple(items))),
            EMPTY_LIST => self.push(Value::List(Vec::new())),
            LIST => self.since_mark().and_then(|items| self.push(Value::List(items))),
            EMPTY_DICT => self.push(Value::Dict(Vec::new())),
            DICT => self.since_mark().and_then(|items| pairs(&items)).and_then(|p| self.push(Value::Dict(p))),
            APPEND => self.pop().and_then(|item| self.append(vec![item])),
            APPENDS => self.since_mark().and_then(|items| self.append(items)),
            SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(vec![(key, value)])
            }
            SETITEMS => self.since_mark().and_then(|items| pairs(&items)).and_then(|p| self.set(p)),
            PUT | GET => {
                let slot = self.line()?.trim().parse().map_err(|_| malformed("a memo number is none"))?;
                self.memo(slot, code == PUT)
            }
            BINPUT | BINGET => self.u8().and_then(|slot| self.memo(slot as u64, code == BINPUT)),
            LONG_BINPUT | LONG_BINGET => {
                self.u32().and_then(|slot| self.memo(slot as u64, code == LONG_BINPUT))
            }
            MEMOIZE => self.memo(self.memo.len() as u64, true),
            GLOBAL => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(Callable::find(module, name)?))
            }
            STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (&self.values[module], &self.values[name])
                else {
                    return Err(malformed("a callable is named by something that is no text"));
                };
                let callable = Callable::find(module, name)?;
                self.push(Value::Global(callable))
            }
            REDUCE => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let (Value::Global(callable), Value::Tuple(items)) =
                    (&self.values[callable], &self.values[arguments])
                else {
                    return Err(malformed("something is called that cannot be called"));
                };
                let arguments: Vec<&Value> = items.iter().map(|&i| &self.values[i]).collect();
                let result = numpy::call(*callable, &arguments, &self.values)?;
                if let Value::Bytes(Bytes::Decoded(bytes)) = &result {
                    self.decodable = self
                        .decodable
                        .checked_sub(bytes.len())
                        .ok_or_else(|| Error::Limit("the same text is decoded again and again".into()))?;
                }
                self.push(result)
            }
            BUILD => {
                let (state, object) = (self.pop()?, self.top()?);
                // PyTorch hangs its version numbers on the ordered dict; nothing here needs them.
                if let (Value::Dict(_), Value::Dict(_)) = (&self.values[object], &self.values[state]) {
                    return Ok(None);
                }
                let built = numpy::build(&self.values[object], &self.values[state], &self.values)?;
                self.values[object] = built;
                Ok(None)
            }
            BINPERSID => {
                let id = self.pop()?;
                let storage = numpy::storage(&self.values[id], &self.values)?;
                self.push(storage)
            }
            _ => Err(match op::refused(code) {
                Some(does) => Error::Unsupported(format!(
                    "an instruction {does}; only lists, tuples, dicts, text, numbers and NumPy arrays are read"
                )),
                None => malformed(&format!("the byte 0x{code:02x} is no instruction")),
            }),
        }
    }

    fn append(&mut self, items: Vec<Id>) -> Result<Option<Id>> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::List(list) => list.extend(items),
            _ => return Err(malformed("values are appended to something that is no list")),
        }
        Ok(None)
    }

    fn set(&mut self, items: Vec<(Id, Id)>) -> Result<Option<Id>> {
        let dict = self.top()?;
        match &mut self.values[dict] {
            Value::Dict(dict) => dict.extend(items),
            _ => return Err(malformed("keys are set in something that is no dict")),
        }
        Ok(None)
    }

    fn memo(&mut self, slot: u64, put: bool) -> Result<Option<Id>> {
        if put {
            let top = self.top()?;
            self.memo.insert(slot, top);
            if self.memo.len() > MAX_VALUES {
                return Err(Error::Limit(format!("more than {MAX_VALUES} remembered values")));
            }
        } else {
            let id =
                *self.memo.get(&slot).ok_or_else(|| malformed("a remembered value is used before it was"))?;
            if self.stack.len() >= MAX_VALUES {
                return Err(Error::Limit(format!("more than {MAX_VALUES} values on the stack")));
            }
            self.stack.push(id);
        }
        Ok(None)
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>> {
    if !items.len().is_multiple_of(2) {
        return Err(malformed("a key without a value"));
    }
    Ok(items.chunks_exact(2).map(|p| (p[0], p[1])).collect())
}

/// Python's escapes in protocol 0.
mod escapes {
    /// `'…'` with `\n`, `\t`, `\r`, `\\`, quotes and `\xHH`.
    pub fn string(line: &str) -> Option<Vec<u8>> {
        let quote = line.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let inner = line.strip_prefix(quote)?.strip_suffix(quote)?;
        let mut out = Vec::with_capacity(inner.len());
        let mut rest = inner.bytes();
        while let Some(b) = rest.next() {
            out.push(match b {
                b'\\' => match rest.next()? {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    c @ (b'\\' | b'\'' | b'"') => c,
                    b'x' => hex(&mut rest, 2)? as u8,
                    _ => return None,
                },
                b => b,
            });
        }
        Some(out)
    }

    /// raw-unicode-escape: `\uHHHH` and `\UHHHHHHHH`; every other byte is the character of that number.
    pub fn unicode(line: &[u8]) -> Option<String> {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((&byte, after)) = rest.split_first() {
            let digits = match (byte, after.first()) {
                (b'\\', Some(b'u')) => 4,
                (b'\\', Some(b'U')) => 8,
                _ => 0,
            };
            if digits == 0 {
                out.push(byte.into());
                rest = after;
            } else {
                let code = after.get(1..1 + digits)?;
                out.push(char::from_u32(hex(&mut code.iter().copied(), digits)?)?);
                rest = &after[1 + digits..];
            }
        }
        Some(out)
    }

    fn hex(bytes: &mut impl Iterator<Item = u8>, n: usize) -> Option<u32> {
        (0..n).try_fold(0u32, |v, _| Some(v << 4 | char::from(bytes.next()?).to_digit(16)?))
    }
}
