//! The running text of a file: comments, messages and Markdown as sentences of words.

use super::source::{Kind, pieces};

/// Words that belong together: a paragraph of a comment or of a page, an item of a list, a message.
#[derive(Debug, Default)]
pub(super) struct Paragraph {
    pub(super) words: Vec<Word>,
    pub(super) source: Source,
    /// Whether code in backticks goes on in the next line.
    in_code: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Source {
    Comment,
    Page,
    #[default]
    Message,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// In lower case, without punctuation around it. Code in backticks is one word, `code`.
    pub(super) text: String,
    pub(super) line: usize,
    /// The mark behind it, if any.
    pub(super) mark: Option<char>,
}

/// How code in backticks is written as a word.
pub(super) const CODE: &str = "`code`";

impl Word {
    pub(super) fn ends_sentence(&self) -> bool {
        self.mark.is_some_and(|mark| ".?!:;".contains(mark))
    }
}

/// The paragraphs of a file; none for a kind of file that holds no prose.
pub(super) fn paragraphs(path: &str, text: &str) -> Vec<Paragraph> {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "rs" | "cpp" | "h" => of_source(text),
        "md" => joined(text.lines().enumerate().map(|(at, line)| (at + 1, line)), Source::Page),
        "toml" | "py" => {
            let lines = text.lines().enumerate();
            let comments = lines.filter_map(|(at, line)| {
                let (code, comment) = line.split_once('#')?;
                code.trim().is_empty().then_some((at + 1, comment.trim_start_matches('#')))
            });
            joined(comments, Source::Comment)
        }
        _ => Vec::new(),
    }
}

fn of_source(text: &str) -> Vec<Paragraph> {
    let mut paragraphs = Vec::new();
    let mut comments: Vec<(usize, &str)> = Vec::new();
    let flush = |comments: &mut Vec<(usize, &str)>, paragraphs: &mut Vec<Paragraph>| {
        paragraphs.extend(joined(comments.drain(..), Source::Comment));
    };
    for piece in pieces(text) {
        match piece.kind {
            // Comments on lines of their own, one below the other, are one text.
            Kind::Code if piece.text.trim().is_empty() && piece.text.matches('\n').count() < 2 => {}
            Kind::Code => flush(&mut comments, &mut paragraphs),
            Kind::Comment => {
                for (at, line) in piece.text.lines().enumerate() {
                    comments.push((piece.line + at, uncommented(line)));
                }
            }
            Kind::Literal => {
                let message = piece.text.replace("\\\n", " \n").replace("\\n", "\u{b6}");
                paragraphs.extend(message.split('\u{b6}').scan(piece.line, |line, part| {
                    let mut paragraph = Paragraph::default();
                    for (at, text) in part.split('\n').enumerate() {
                        paragraph.push(*line + at, text);
                    }
                    *line += part.matches('\n').count();
                    Some(paragraph)
                }));
            }
        }
    }
    flush(&mut comments, &mut paragraphs);
    paragraphs
}

fn uncommented(line: &str) -> &str {
    let line = line.trim_start().trim_start_matches(['/', '*']);
    line.strip_prefix('!').unwrap_or(line).trim_end_matches("*/")
}

/// Lines joined to paragraphs: blank lines, list items, headings and rows of tables begin a new one,
/// and what stands between fences is left out.
fn joined<'a>(lines: impl Iterator<Item = (usize, &'a str)>, source: Source) -> Vec<Paragraph> {
    let mut paragraphs = Vec::new();
    let mut fenced = false;
    let (mut last, mut heading) = (0, false);
    for (number, line) in lines {
        let text = line.trim();
        let fence = text.starts_with("```");
        fenced ^= fence;
        let item = text.split_once(' ').is_some_and(|(mark, _)| {
            let number = mark.strip_suffix('.').unwrap_or("").parse::<u32>().is_ok();
            number || ["-", "*", "+"].contains(&mark) || mark.chars().all(|c| c == '#')
        });
        let new = text.is_empty() || fence || item || text.starts_with('|') || number != last + 1;
        if new || heading || paragraphs.is_empty() {
            paragraphs.push(Paragraph { source, ..Paragraph::default() });
        }
        last = number;
        heading = text.starts_with("# ") || text.starts_with("##");
        if let Some(paragraph) = paragraphs.last_mut().filter(|_| !fenced && !fence) {
            paragraph.push(number, text);
        }
    }
    paragraphs
}

impl Paragraph {
    fn push(&mut self, line: usize, text: &str) {
        let mut plain = String::new();
        for (at, part) in text.split('`').enumerate() {
            if at > 0 {
                self.in_code = !self.in_code;
            }
            match (self.in_code, at) {
                (true, 0) => {}
                (true, _) => plain += CODE,
                (false, _) => plain += part,
            }
        }
        for word in plain.split_whitespace() {
            let around = |c: char| !c.is_alphanumeric() && c != '`';
            let core = word.trim_matches(around);
            let rest = word.trim_start_matches(around);
            let marks = rest.get(core.len()..).unwrap_or("");
            if core.is_empty() {
                continue;
            }
            self.words.push(Word {
                text: core.to_lowercase().replace('\u{2019}', "'"),
                line,
                mark: marks.chars().find(|c| ",.?!:;".contains(*c)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        let joined = |paragraph: Paragraph| {
            let words: Vec<_> = paragraph.words.iter().map(|word| word.text.as_str()).collect();
            words.join(" ")
        };
        paragraphs(path, text).into_iter().map(joined).filter(|text| !text.is_empty()).collect()
    }

    #[test]
    fn comments_and_messages_of_rust_are_read() {
        let source = "/// One of `a\n/// b` two.\n///\n/// ```text\n/// x = 1\n/// ```\n/// Three\nfn f() {}\n\
                      // Four\nlet a = \"Five \\\n   six\\nseven {x}\"; // eight\n";
        assert_eq!(
            texts("a.rs", source),
            ["one of `code` two", "three", "four", "five six", "seven x", "eight"]
        );
        let lines: Vec<_> =
            paragraphs("a.rs", source).iter().flat_map(|p| &p.words).map(|w| w.line).collect();
        assert_eq!(lines, [1, 1, 1, 2, 7, 9, 10, 11, 11, 11, 11]);
    }

    #[test]
    fn markdown_falls_into_paragraphs() {
        let page = "# A title\nA line\nand, on. the next.\n\n- an item\n  of two lines\n| a | b |\n```\ncode\n```\nEnd";
        assert_eq!(
            texts("a.md", page),
            ["a title", "a line and on the next", "an item of two lines", "a b", "end"]
        );
        let marks: Vec<_> =
            paragraphs("a.md", page)[1].words.iter().filter_map(|w| w.mark).collect();
        assert_eq!(marks, [',', '.', '.']);
        assert_eq!(texts("a.toml", "# One\n# two\na = 1 # three\n"), ["one two"]);
        assert!(texts("a.csv", "one").is_empty());
    }
}
