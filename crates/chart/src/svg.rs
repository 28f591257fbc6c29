//! Elements of SVG: numbers, escaped text, polylines.

use std::fmt::Write as _;

/// Escapes text for XML and HTML, in element content and in quoted attributes.
///
/// Control characters that XML forbids become U+FFFD.
///
/// ```
/// assert_eq!(chart::escape("a < b & \"c\""), "a &lt; b &amp; &quot;c&quot;");
/// ```
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A coordinate with at most two decimals.
pub(crate) fn number(value: f64) -> String {
    let mut text = format!("{value:.2}");
    while text.ends_with('0') {
        text.pop();
    }
    if text.ends_with('.') {
        text.pop();
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// `x,y x,y …` as `points` of a polyline or polygon.
pub(crate) fn points(list: &[(f64, f64)]) -> String {
    let mut out = String::new();
    for (i, &(x, y)) in list.iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        let _ = write!(out, "{space}{},{}", number(x), number(y));
    }
    out
}

/// An identifier from content: FNV-1a, so that the same chart has the same bytes everywhere.
pub(crate) fn content_id(content: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in content.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("chart-{hash:016x}")
}

/// Keeps letters, digits, `-` and `_` of a caller's identifier; it starts with a letter.
pub(crate) fn safe_id(id: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    format!("chart-{}", id.chars().map(clean).collect::<String>())
}
