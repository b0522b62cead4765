//! Reads Python pickles, protocols 0 to 5, that hold only data.
//!
//! It never imports, calls or builds anything: an opcode that could make Python
//! run code refuses the whole pickle. It never recurses, and keeps each value
//! once, even if the pickle refers to the value many times. So depth and
//! repetition cost no more than the bytes of the pickle. (The known library for
//! this accepts some of these opcodes, and copies a value at each reference.)

use std::collections::HashMap;
use std::fmt;

/// Why a pickle was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PickleError {
    /// The pickle has this opcode, by which Python would run code of the pickle's
    /// choice.
    WouldRunCode(&'static str),
    /// The file is damaged, or is no pickle.
    Malformed,
}

impl fmt::Display for PickleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldRunCode(opcode) => {
                write!(f, "it is a pickle that could run code (opcode {opcode}), so nothing of it was read")
            }
            Self::Malformed => f.write_str("it is damaged, or no pickle"),
        }
    }
}

/// A value of a pickle. Refers to other values by their indices in [`Pickle`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
    /// The indices of each key and its value. If a key occurs twice, the last one
    /// counts.
    Dict(Vec<(usize, usize)>),
    /// A value that no token file needs: none, a truth value, a list.
    Other,
}

/// The contents of a pickle. Has no `Debug`, because its texts are tokens.
pub(super) struct Pickle {
    values: Vec<Value>,
    top: usize,
}

impl Pickle {
    /// The value that the pickle stands for.
    pub(super) fn top(&self) -> Node<'_> {
        Node { values: &self.values, place: self.top }
    }
}

/// A value, with the other values of its pickle.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    values: &'a [Value],
    place: usize,
}

impl<'a> Node<'a> {
    /// The value under the text `key`, if this is a dict that has it.
    pub(super) fn get(self, key: &str) -> Option<Node<'a>> {
        let found = self.entries().filter(|(name, _)| *name == key).last();
        found.map(|(_, value)| value)
    }

    /// The values of a dict whose keys are texts.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        let entries = match &self.values[self.place] {
            Value::Dict(entries) => entries.as_slice(),
            Value::Number(_) | Value::Text(_) | Value::Other => &[],
        };
        let node = move |place| Node { place, ..self };
        entries.iter().filter_map(move |(key, value)| Some((node(*key).text()?, node(*value))))
    }

    pub(super) fn text(self) -> Option<&'a str> {
        match &self.values[self.place] {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Dict(_) | Value::Other => None,
        }
    }

    pub(super) fn number(self) -> Option<f64> {
        match self.values[self.place] {
            Value::Number(number) => Some(number),
            Value::Text(_) | Value::Dict(_) | Value::Other => None,
        }
    }
}

/// Reads the first pickle in `bytes`, as Python does.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle, PickleError> {
    let mut machine =
        Machine { input: bytes, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    while let Flow::Goes = machine.step()? {}
    let top = machine.pop()?;
    Ok(Pickle { values: machine.values, top })
}

/// The pickle machine. The stack and the memo hold indices in `values`.
struct Machine<'a> {
    input: &'a [u8],
    values: Vec<Value>,
    stack: Vec<usize>,
    /// The height of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, usize>,
}

enum Flow {
    Goes,
    Stops,
}

type Step = Result<(), PickleError>;

impl<'a> Machine<'a> {
    fn step(&mut self) -> Result<Flow, PickleError> {
        let opcode = self.byte()?;
        match opcode {
            b'.' => return Ok(Flow::Stops),
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => self.duplicate()?,
            b'p' | b'q' | b'r' | 0x94 => self.remember(opcode)?,
            b'g' | b'h' | b'j' => self.recall(opcode)?,
            b'F' | b'I' | b'L' | b'G' | b'J' | b'K' | b'M' | 0x8a | 0x8b => self.number(opcode)?,
            b'S' | b'V' | b'U' | b'T' | b'X' | 0x8c | 0x8d => self.text(opcode)?,
            b'C' | b'B' | 0x8e | 0x96 => self.bytes(opcode)?,
            b'N' | 0x88 | 0x89 | b')' | b']' | 0x8f => self.push(Value::Other),
            b'}' => self.push(Value::Dict(Vec::new())),
            b'd' | b'l' | b't' | 0x91 => self.collect(opcode)?,
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84))?,
            b's' | b'u' => self.set_items(opcode)?,
            b'a' | b'e' | 0x90 => self.append(opcode)?,
            other => return Err(refused(other)),
        }
        Ok(Flow::Goes)
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<usize, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(PickleError::Malformed);
        }
        self.stack.pop().ok_or(PickleError::Malformed)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<usize>, PickleError> {
        let mark = self.marks.pop().ok_or(PickleError::Malformed)?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&self) -> Result<usize, PickleError> {
        self.stack.last().copied().ok_or(PickleError::Malformed)
    }

    fn duplicate(&mut self) -> Step {
        self.stack.push(self.top()?);
        Ok(())
    }

    fn remember(&mut self, opcode: u8) -> Step {
        let name = match opcode {
            b'p' => self.line_number()?,
            b'q' => self.unsigned(1)?,
            b'r' => self.unsigned(4)?,
            _ => self.memo.len() as u64,
        };
        let top = self.top()?;
        self.memo.insert(name, top);
        Ok(())
    }

    fn recall(&mut self, opcode: u8) -> Step {
        let name = match opcode {
            b'g' => self.line_number()?,
            b'h' => self.unsigned(1)?,
            _ => self.unsigned(4)?,
        };
        self.stack.push(*self.memo.get(&name).ok_or(PickleError::Malformed)?);
        Ok(())
    }

    fn number(&mut self, opcode: u8) -> Step {
        let value = match opcode {
            b'F' | b'I' | b'L' => line_value(utf8(self.line()?)?)?,
            b'G' => Value::Number(f64::from_be_bytes(self.array()?)),
            b'J' => Value::Number(i32::from_le_bytes(self.array()?).into()),
            b'K' => Value::Number(self.byte()?.into()),
            b'M' => Value::Number(u16::from_le_bytes(self.array()?).into()),
            _ => {
                let length = self.unsigned(if opcode == 0x8a { 1 } else { 4 })?;
                whole_number(self.take_long(length)?)
            }
        };
        self.push(value);
        Ok(())
    }

    fn text(&mut self, opcode: u8) -> Step {
        let text = match opcode {
            b'S' => unquoted(utf8(self.line()?)?).ok_or(PickleError::Malformed)?,
            b'V' => unescaped(self.line()?).ok_or(PickleError::Malformed)?,
            _ => {
                let bytes = self.prefixed(match opcode {
                    b'U' | 0x8c => 1,
                    b'T' | b'X' => 4,
                    _ => 8,
                })?;
                utf8(bytes)?.to_owned()
            }
        };
        self.push(Value::Text(text));
        Ok(())
    }

    fn bytes(&mut self, opcode: u8) -> Step {
        self.prefixed(match opcode {
            b'C' => 1,
            b'B' => 4,
            _ => 8,
        })?;
        self.push(Value::Other);
        Ok(())
    }

    fn collect(&mut self, opcode: u8) -> Step {
        let items = self.pop_to_mark()?;
        let value = if opcode == b'd' { Value::Dict(pairs(&items)?) } else { Value::Other };
        self.push(value);
        Ok(())
    }

    fn tuple(&mut self, length: usize) -> Step {
        for _ in 0..length {
            self.pop()?;
        }
        self.push(Value::Other);
        Ok(())
    }

    fn set_items(&mut self, opcode: u8) -> Step {
        let new = if opcode == b's' {
            let (value, key) = (self.pop()?, self.pop()?);
            vec![(key, value)]
        } else {
            pairs(&self.pop_to_mark()?)?
        };
        let dict = self.top()?;
        match &mut self.values[dict] {
            Value::Dict(entries) => entries.extend(new),
            Value::Number(_) | Value::Text(_) | Value::Other => return Err(PickleError::Malformed),
        }
        Ok(())
    }

    /// Drops the elements of a list or a set, which no token file needs.
    fn append(&mut self, opcode: u8) -> Step {
        if opcode == b'a' {
            self.pop()?;
        } else {
            self.pop_to_mark()?;
        }
        self.top().map(drop)
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        Ok(self.array::<1>()?[0])
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let (taken, rest) = self.input.split_at_checked(length).ok_or(PickleError::Malformed)?;
        self.input = rest;
        Ok(taken)
    }

    fn take_long(&mut self, length: u64) -> Result<&'a [u8], PickleError> {
        self.take(usize::try_from(length).map_err(|_| PickleError::Malformed)?)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        self.take(N)?.try_into().map_err(|_| PickleError::Malformed)
    }

    /// Reads a little-endian number of `length` bytes.
    fn unsigned(&mut self, length: usize) -> Result<u64, PickleError> {
        Ok(self.take(length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn prefixed(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let length = self.unsigned(length)?;
        self.take_long(length)
    }

    /// Reads up to the next newline, and returns the line without it.
    fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let end = self.input.iter().position(|byte| *byte == b'\n').ok_or(PickleError::Malformed)?;
        let line = self.take(end + 1)?;
        Ok(&line[..end])
    }

    fn line_number(&mut self) -> Result<u64, PickleError> {
        utf8(self.line()?)?.parse().map_err(|_| PickleError::Malformed)
    }
}

/// The error for an opcode that is not on the list of data.
fn refused(opcode: u8) -> PickleError {
    PickleError::WouldRunCode(match opcode {
        b'c' => "GLOBAL",
        0x93 => "STACK_GLOBAL",
        b'R' => "REDUCE",
        b'b' => "BUILD",
        b'i' => "INST",
        b'o' => "OBJ",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => return PickleError::Malformed,
    })
}

fn pairs(items: &[usize]) -> Result<Vec<(usize, usize)>, PickleError> {
    if !items.len().is_multiple_of(2) {
        return Err(PickleError::Malformed);
    }
    Ok(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

fn utf8(bytes: &[u8]) -> Result<&str, PickleError> {
    std::str::from_utf8(bytes).map_err(|_| PickleError::Malformed)
}

/// Reads a number. The oldest protocols write truth values as `00` and `01`.
fn line_value(line: &str) -> Result<Value, PickleError> {
    if matches!(line, "00" | "01") {
        return Ok(Value::Other);
    }
    let number = line.strip_suffix('L').unwrap_or(line).parse().map_err(|_| PickleError::Malformed)?;
    Ok(Value::Number(number))
}

/// Reads a whole number of any length: little-endian, in two's complement. No
/// token file needs more than 64 bits.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
fn whole_number(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Other;
    }
    let is_negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut whole = [if is_negative { 0xff } else { 0 }; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Number(i64::from_le_bytes(whole) as f64)
}

/// Decodes Python's `raw-unicode-escape`: `\uXXXX` and `\UXXXXXXXX` stand for
/// characters, and any other byte stands for the character with its number.
fn unescaped(line: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        let digits = match (byte, line.get(at + 1)) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(*byte));
                at += 1;
                continue;
            }
        };
        let end = at + 2 + digits;
        let code = std::str::from_utf8(line.get(at + 2..end)?).ok()?;
        text.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        at = end;
    }
    Some(text)
}

/// Reads a string of Python 2 in quotes. Tokens have nothing to escape, so a
/// string with a backslash is refused.
fn unquoted(line: &str) -> Option<String> {
    let inner = |quote: char| line.strip_prefix(quote)?.strip_suffix(quote);
    let text = inner('\'').or_else(|| inner('"'))?;
    (!text.contains('\\')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
