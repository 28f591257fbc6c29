//! Printing that cannot change how a command ends, nor what a terminal does.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether stdout belongs to a file that the command writes there.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether another process prints in the place of this one.
static MUTE: AtomicBool = AtomicBool::new(false);

/// Prints nothing from now on: another process of the same command does.
pub fn mute() {
    MUTE.store(true, Ordering::Relaxed);
}

/// Prints again after [`mute`].
pub fn speak() {
    MUTE.store(false, Ordering::Relaxed);
}

fn is_mute() -> bool {
    MUTE.load(Ordering::Relaxed)
}

/// Leaves stdout to the output of a command if one of its paths is stdout; what else is printed then goes to stderr.
pub fn leave_stdout_to<'a>(paths: impl IntoIterator<Item = Option<&'a Path>>) {
    let stdout = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].map(Path::new);
    if paths.into_iter().flatten().any(|path| stdout.contains(&path)) {
        TAKEN.store(true, Ordering::Relaxed);
    }
}

/// Prints a line to stdout.
///
/// A reader that has gone, as in `ballast … | head`, is not an error: the command ends with its own exit code.
///
/// # Errors
/// Any other failure to write, such as a full disk.
pub fn print(line: impl Display) -> io::Result<()> {
    if is_mute() {
        return Ok(());
    }
    if TAKEN.load(Ordering::Relaxed) {
        note(line);
        return Ok(());
    }
    let line = format!("{}\n", harmless(&line.to_string()));
    let mut stdout = io::stdout().lock();
    match stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// `1 row`, `2 rows`.
pub fn count(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

/// Prints a line to stderr, if anybody can read it there.
pub fn note(line: impl Display) {
    if is_mute() {
        return;
    }
    let line = format!("{}\n", harmless(&line.to_string()));
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Text without the characters that a terminal obeys or that change the order of what is read: control characters
/// other than line feed and tab, and the marks of bidirectional text. They become `\u001b` and the like, which is also
/// how JSON writes them.
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if c.is_control() || is_mark(c) => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character is invisible and orders or breaks the text around it: Unicode Bidi_Control, line separators,
/// and the byte order mark.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Stderr for the log, each record as harmless as what else is printed.
#[derive(Debug)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if is_mute() {
            return Ok(record.len());
        }
        let text = harmless(&String::from_utf8_lossy(record));
        io::stderr().write_all(text.as_bytes())?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let text = "a\u{1b}[31mb\r\u{9b}2J\u{7f}\tc\nd \u{202e}e\u{2066}f é–→";
        let shown = harmless(text);
        assert_eq!(shown, "a\\u001b[31mb\\u000d\\u009b2J\\u007f\tc\nd \\u202ee\\u2066f é–→");
        // JSON stays the same JSON.
        let json = serde_json::to_string(text).unwrap();
        let read: String = serde_json::from_str(&harmless(&json)).unwrap();
        assert_eq!(read, text);
    }
}
