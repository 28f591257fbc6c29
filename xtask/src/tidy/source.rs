//! Rust and C++ taken apart into code, comments and literals.
//!
//! By hand, because a parser of Rust would be the largest dependency of the package that everybody
//! compiles first, and would not read C++.

/// A stretch of a source file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    /// The line on which it starts, from 1.
    pub(super) line: usize,
    /// With its `//`, `/*` or quotes.
    pub(super) text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Code,
    Comment,
    Literal,
}

/// Cuts a source file into pieces; together they are the whole file.
pub(super) fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut line, mut start) = (1, 0);
    let mut push = |kind, from: usize, to: usize| {
        let text = &source[from..to];
        if !text.is_empty() {
            pieces.push(Piece { kind, line, text });
            line += text.matches('\n').count();
        }
    };
    let mut at = 0;
    while at < source.len() {
        let rest = &source[at..];
        let (kind, length) = next(rest);
        if kind != Kind::Code {
            push(Kind::Code, start, at);
            push(kind, at, at + length);
            start = at + length;
        }
        at += length;
    }
    push(Kind::Code, start, source.len());
    pieces
}

/// The kind and the length in bytes of the token at the start of `rest`.
fn next(rest: &str) -> (Kind, usize) {
    let first = rest.chars().next().unwrap_or('\0');
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, block_comment(rest));
    }
    if first == '"' {
        return (Kind::Literal, quoted(rest, '"'));
    }
    if first == '\'' {
        let mut after = rest[1..].chars();
        let (one, two) = (after.next(), after.next());
        let literal = one == Some('\\') || two == Some('\'');
        return if literal { (Kind::Literal, quoted(rest, '\'')) } else { (Kind::Code, 1) };
    }
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    if ["r", "br", "cr"].contains(&&rest[..word]) {
        let hashes = rest[word..].bytes().take_while(|byte| *byte == b'#').count();
        if rest[word + hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = word + hashes + 1;
            let end = rest[body..].find(&close).map_or(rest.len(), |end| body + end + close.len());
            return (Kind::Literal, end);
        }
    }
    (Kind::Code, word.max(first.len_utf8()))
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Rust's block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The code outside `#[cfg(test)]`, on the lines it had; comments and literals are blank.
pub(super) fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    for piece in pieces(source) {
        match piece.kind {
            Kind::Code => code.push_str(piece.text),
            Kind::Comment | Kind::Literal => code.push_str(&blank(piece.text)),
        }
    }
    while let Some(start) = code.find("#[cfg(test)]") {
        let end = start + item(&code[start..]);
        code.replace_range(start..end, &blank(&code[start..end]));
    }
    code
}

/// The modules in files of their own that are compiled for tests only.
pub(super) fn test_modules(source: &str) -> Vec<&str> {
    let lines = source.lines().map(str::trim);
    let pairs = lines.clone().zip(lines.skip(1));
    let declared = pairs.filter(|(attribute, _)| *attribute == "#[cfg(test)]");
    declared.filter_map(|(_, line)| line.strip_prefix("mod ")?.strip_suffix(';')).collect()
}

fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

/// Length of an item with its attributes: up to its `;`, or to the brace that closes it.
fn item(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_told_from_code() {
        let source =
            "a(\"x // \\\" y\"); // \"c\"\nlet l: &'a u8 = b'\\''; /* /* n */ */ r#\"/*\"#.len()";
        let found: Vec<_> = pieces(source).iter().map(|p| (p.kind, p.line, p.text)).collect();
        let literal = |line, text| (Kind::Literal, line, text);
        assert_eq!(found[1], literal(1, "\"x // \\\" y\""));
        assert_eq!(found[3], (Kind::Comment, 1, "// \"c\""));
        assert_eq!(found[4], (Kind::Code, 1, "\nlet l: &'a u8 = b"));
        assert_eq!(found[5], literal(2, "'\\''"));
        assert_eq!(found[7], (Kind::Comment, 2, "/* /* n */ */"));
        assert_eq!(found[9], literal(2, "r#\"/*\"#"));
        let whole: String = pieces(source).iter().map(|piece| piece.text).collect();
        assert_eq!(whole, source);
    }

    #[test]
    fn code_leaves_tests_out_and_keeps_lines() {
        let source = "use a; // b\n#[cfg(test)]\nmod tests {\n  fn f() { \"}\" }\n}\nfn g() {}\n\
                      #[cfg(test)]\nmod scene;\nfn h() {}\n";
        let code = code(source);
        let lines: Vec<_> = code.lines().map(str::trim).collect();
        assert_eq!(test_modules(source), ["scene"]);
        assert_eq!(lines, ["use a;", "", "", "", "", "fn g() {}", "", "", "fn h() {}"]);
    }
}
