//! Printing that cannot change how a command ends.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a line to stdout.
///
/// A reader that has gone, as in `ballast … | head`, is not an error: the command ends with its own exit code.
///
/// # Errors
/// Any other failure to write, such as a full disk.
pub(crate) fn print(line: impl Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// `1 row`, `2 rows`.
pub(crate) fn count(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

/// Prints a line to stderr, if anybody can read it there.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
