//! Estimated widths of text, without a font, accurate enough to keep labels apart.

/// Estimated width in the unit of `size`, for a common sans-serif; rather too wide than too narrow.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.32,
            'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
            'A'..='Z' => 0.72,
            c if c.is_ascii() => 0.6,
            '\u{300}'..='\u{36f}' => 0.0, // combining marks lie on the letter before
            c if c as u32 >= 0x1100 => {
                // Latin-like punctuation and arrows lie below U+2E80; above are wide scripts.
                if (c as u32) < 0x2e80 { 0.75 } else { 1.0 }
            }
            _ => 0.65,
        })
        .sum();
    em * size
}

/// Breaks at spaces so that no line is wider than `limit`; a word that is too long is cut.
pub(crate) fn wrap(text: &str, size: f64, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut()
            && width(line, size) + width(" ", size) + width(word, size) <= limit
        {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        let mut rest = String::new();
        for c in word.chars() {
            rest.push(c);
            if width(&rest, size) > limit && rest.chars().count() > 1 {
                rest.pop();
                lines.push(std::mem::replace(&mut rest, c.to_string()));
            }
        }
        lines.push(rest);
    }
    lines
}

/// Shortens to `limit` with an ellipsis.
pub(crate) fn ellipsis(text: &str, size: f64, limit: f64) -> String {
    if width(text, size) <= limit {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while !kept.is_empty() && width(&kept, size) + width("…", size) > limit {
        kept.pop();
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_keeps_every_character_and_the_limit() {
        for text in ["x_0 and y_0 re-injection", "Donaudampfschifffahrtsgesellschaft eV", "", "a"] {
            let lines = wrap(text, 12.0, 60.0);
            let joined: String = lines.concat().split_whitespace().collect();
            assert_eq!(joined, text.split_whitespace().collect::<String>());
            assert!(lines.iter().all(|line| width(line, 12.0) <= 60.0), "{lines:?}");
        }
    }

    #[test]
    fn an_ellipsis_fits_where_the_text_does_not() {
        let cut = ellipsis("a rather long label", 12.0, 50.0);
        assert!(cut.ends_with('…') && width(&cut, 12.0) <= 50.0);
        assert_eq!(ellipsis("short", 12.0, 50.0), "short");
    }
}
