//! Rows without quotes, split at line ends and delimiters in place.
//!
//! Most tables of numbers hold no quotes, and for them this is several times cheaper than a full CSV
//! automaton. From the first quote on, the csv crate reads the rest.

use std::io::{self, Read};

use super::open::{LONGEST_ROW, RowTooLong};
use crate::number::{self, Plain};

/// Lines of a stream, as slices of one buffer.
pub(crate) struct PlainLines {
    stream: Box<dyn Read>,
    buffer: Vec<u8>,
    /// Unread bytes of the buffer.
    from: usize,
    to: usize,
    /// The first quote among them, or `to`.
    quote: usize,
    /// Line and byte at which the unread bytes start.
    line: u64,
    byte: u64,
    ended: bool,
}

/// The next piece of a file.
pub(crate) enum Next<'a> {
    /// A line without its end; where it starts.
    Line {
        cells: &'a [u8],
        line: u64,
        byte: u64,
    },
    /// A line with a quote in it: not for us.
    Quote,
    End,
}

impl PlainLines {
    /// Continues `sample`, whose unread part starts at `byte` in line `line`, with `stream`.
    pub(crate) fn new(sample: Vec<u8>, stream: Box<dyn Read>, (line, byte): (u64, u64)) -> Self {
        let (from, to) = ((byte as usize).min(sample.len()), sample.len());
        let quote = quote(&sample, from, to);
        PlainLines { stream, buffer: sample, from, to, quote, line, byte, ended: false }
    }

    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        let mut searched = 0;
        let length = loop {
            match memchr::memchr(b'\n', &self.buffer[self.from + searched..self.to]) {
                Some(at) if self.quote > self.from + searched + at => break searched + at,
                Some(_) => return Ok(Next::Quote),
                None if self.quote < self.to => return Ok(Next::Quote),
                None if self.ended => return Ok(Next::End), // every line ends: see `open::Lines`
                None => {
                    searched = self.to - self.from;
                    self.refill()?;
                }
            }
        };
        let (start, line, byte) = (self.from, self.line, self.byte);
        self.from += length + 1;
        self.line += 1;
        self.byte += length as u64 + 1;
        Ok(Next::Line { cells: &self.buffer[start..start + length], line, byte })
    }

    fn refill(&mut self) -> io::Result<()> {
        if (self.to - self.from) as u64 > LONGEST_ROW {
            return Err(io::Error::other(RowTooLong));
        }
        self.buffer.copy_within(self.from..self.to, 0);
        let read = self.to - self.from;
        (self.from, self.to) = (0, read);
        if self.buffer.len() < (2 * self.to).max(64 << 10) {
            self.buffer.resize((2 * self.to).max(64 << 10), 0);
        }
        match self.stream.read(&mut self.buffer[self.to..])? {
            0 => self.ended = true,
            n => self.to += n,
        }
        self.quote = quote(&self.buffer, read, self.to); // there was none before
        Ok(())
    }

    /// Line and byte of the next unread one.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.line, self.byte)
    }

    /// Everything not read yet.
    pub(crate) fn into_rest(mut self) -> impl Read {
        self.buffer.truncate(self.to);
        self.buffer.drain(..self.from);
        io::Cursor::new(self.buffer).chain(self.stream)
    }
}

/// The first quote between two positions, or the second of them.
fn quote(buffer: &[u8], from: usize, to: usize) -> usize {
    memchr::memchr(b'"', &buffer[from..to]).map_or(to, |at| from + at)
}

/// The cells of a row, one after another.
pub(crate) trait Row<'a>: Iterator<Item = &'a [u8]> + Clone {
    /// Takes the next cell if it is a number in plain notation; leaves it where it is if not.
    fn number(&mut self, decimal: u8) -> Option<Plain>;

    /// Takes the next cells into `values` for as long as they are such numbers, and their counts of decimals into the
    /// bits of `decimals`; returns how many it took.
    #[inline]
    fn numbers(&mut self, decimal: u8, values: &mut [f32], decimals: &mut [u8]) -> usize {
        let mut taken = 0;
        for (value, decimals) in values.iter_mut().zip(decimals) {
            let Some(plain) = self.number(decimal) else { break };
            *value = plain.value;
            *decimals |= 1 << plain.fraction.min(7);
            taken += 1;
        }
        taken
    }
}

/// Cells that were split before.
#[derive(Clone)]
pub(crate) struct Split<I>(pub(crate) I);

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for Split<I> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next()
    }
}

impl<'a, I: Iterator<Item = &'a [u8]> + Clone> Row<'a> for Split<I> {
    fn number(&mut self, decimal: u8) -> Option<Plain> {
        let mut ahead = self.0.clone();
        let cell = ahead.next()?;
        let plain = number::plain(cell, decimal)?;
        (plain.length == cell.len()).then(|| {
            self.0 = ahead;
            plain
        })
    }
}

/// The cells of a line without quotes.
#[derive(Clone)]
pub(crate) struct Cells<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
}

impl<'a> Cells<'a> {
    pub(crate) fn new(line: &'a [u8], delimiter: u8) -> Self {
        let line = if delimiter == b' ' { line.trim_ascii() } else { line };
        Cells { rest: Some(line), delimiter }
    }
}

/// The text after a delimiter; several spaces are one.
#[inline]
fn after(rest: &[u8], delimiter: u8) -> &[u8] {
    if delimiter == b' ' { rest.trim_ascii_start() } else { rest }
}

impl<'a> Iterator for Cells<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut end = 0;
        // A plain loop: cells are a few bytes long, too short for a vectorized search to pay.
        while end < rest.len() {
            if rest[end] == self.delimiter {
                self.rest = Some(after(&rest[end + 1..], self.delimiter));
                return Some(&rest[..end]);
            }
            end += 1;
        }
        self.rest = None;
        Some(rest)
    }
}

impl<'a> Row<'a> for Cells<'a> {
    /// Finds the number and the end of its cell in one pass.
    #[inline]
    fn number(&mut self, decimal: u8) -> Option<Plain> {
        let rest = self.rest?;
        let plain = number::plain(rest, decimal)?;
        self.rest = match rest.get(plain.length) {
            Some(byte) if *byte == self.delimiter => {
                Some(after(&rest[plain.length + 1..], self.delimiter))
            }
            Some(_) => return None,
            None => None,
        };
        Some(plain)
    }

    /// As in every row, with the line in a register.
    #[inline]
    fn numbers(&mut self, decimal: u8, values: &mut [f32], decimals: &mut [u8]) -> usize {
        let Some(mut rest) = self.rest else { return 0 };
        let (delimiter, mut taken) = (self.delimiter, 0);
        for (value, decimals) in values.iter_mut().zip(decimals) {
            let Some(plain) = number::plain(rest, decimal) else { break };
            let ends = match &rest[plain.length..] {
                [] => true,
                [byte, next @ ..] if *byte == delimiter => {
                    rest = after(next, delimiter);
                    false
                }
                _ => break,
            };
            *value = plain.value;
            *decimals |= 1 << plain.fraction.min(7);
            taken += 1;
            if ends {
                self.rest = None;
                return taken;
            }
        }
        self.rest = Some(rest);
        taken
    }
}
