//! A report as a document, and the writers of its three forms: a page, Markdown, and text for a terminal.
//!
//! A document is a list of blocks. Each is written once, by whoever has something to say, and no block knows HTML.
//! Text may hold `code` between backticks; nothing else in it is markup.

mod html;
mod markdown;
mod table;
mod terminal;

#[cfg(test)]
mod tests;

pub(crate) use table::{Column, Field, Head, Table, csv};

use crate::outcome::Outcome;

/// A report.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) title: String,
    pub(crate) question: String,
    pub(crate) blocks: Vec<Block>,
}

/// A part of a report.
#[derive(Debug)]
pub(crate) enum Block {
    Heading(String),
    Paragraph(Tone, String),
    Answers(Vec<Answer>),
    List(Vec<Item>),
    /// Names and their values.
    Facts(Vec<(String, String)>),
    /// To be copied as it is.
    Code(String),
    Table(Table),
    /// On a page only: Markdown and terminals do without.
    Figures(Vec<Figure>),
    /// Blocks under a title, which a page shows on demand.
    Fold(Fold),
    /// Blocks for some forms only.
    Only(&'static [Form], Vec<Block>),
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Page,
    Markdown,
    Terminal,
}

/// The role of a paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// The sentence to take away.
    Strong,
    /// An explanation, for those who want to know.
    Note,
    /// To be known before the numbers are trusted.
    Warning,
}

/// A question or target, and how it came out.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// The outcome in a word.
    pub(crate) word: String,
    pub(crate) text: String,
    /// The numbers that decide.
    pub(crate) evidence: String,
    /// The questions that it is made of.
    pub(crate) parts: Vec<Answer>,
}

/// An item of a list.
#[derive(Debug)]
pub(crate) struct Item {
    /// A link and its text, relative to the report.
    pub(crate) link: Option<String>,
    pub(crate) text: String,
}

/// Blocks under a title.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) title: String,
    /// For links to it.
    pub(crate) id: Option<String>,
    /// Whether a page shows it from the start.
    pub(crate) open: bool,
    pub(crate) blocks: Vec<Block>,
}

/// A figure and its caption.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) svg: String,
    pub(crate) caption: String,
}

impl Document {
    pub(crate) fn new(title: &str, question: &str) -> Document {
        Document { title: title.to_owned(), question: question.to_owned(), blocks: Vec::new() }
    }

    pub(crate) fn add(&mut self, block: Block) {
        self.blocks.push(block);
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.add(Block::Heading(text.to_owned()));
    }

    /// A paragraph, unless it is empty.
    pub(crate) fn paragraph(&mut self, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.add(Block::Paragraph(tone, text));
        }
    }

    /// A section of figures for the page, if there are any.
    pub(crate) fn figures(&mut self, heading: &str, note: &str, figures: Vec<Figure>) {
        if figures.is_empty() {
            return;
        }
        let mut blocks = vec![Block::Heading(heading.to_owned())];
        if !note.is_empty() {
            blocks.push(Block::Paragraph(Tone::Note, note.to_owned()));
        }
        blocks.push(Block::Figures(figures));
        self.add(Block::Only(&[Form::Page], blocks));
    }

    /// A list whose items are paragraphs of a text that has one per line, each after `- `.
    pub(crate) fn list(&mut self, text: &str) {
        self.add(Block::List(items(text)));
    }

    /// One HTML file that needs no script and no network.
    pub(crate) fn html(&self) -> String {
        html::write(self)
    }

    /// The blocks in Markdown, without the title.
    pub(crate) fn markdown(&self) -> String {
        markdown::write(self)
    }

    /// The blocks for a terminal, below the title.
    pub(crate) fn terminal(&self) -> String {
        terminal::write(self)
    }
}

impl Answer {
    pub(crate) fn new(outcome: Outcome, text: &str, evidence: String) -> Answer {
        let word = outcome.word().to_owned();
        Answer { outcome, word, text: text.to_owned(), evidence, parts: Vec::new() }
    }
}

impl Item {
    pub(crate) fn text(text: impl Into<String>) -> Item {
        Item { link: None, text: text.into() }
    }
}

impl Fold {
    pub(crate) fn new(title: impl Into<String>, blocks: Vec<Block>) -> Fold {
        Fold { title: title.into(), id: None, open: false, blocks }
    }

    /// A text to be copied, under a title.
    pub(crate) fn code(title: impl Into<String>, text: impl Into<String>) -> Block {
        Block::Fold(Fold::new(title, vec![Block::Code(text.into())]))
    }
}

/// The items of a Markdown list, whose lines may be wrapped.
fn items(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match (line.strip_prefix("- "), items.last_mut()) {
            (None, Some(item)) => item.text += &format!(" {line}"),
            (start, _) => items.push(Item::text(start.unwrap_or(line))),
        }
    }
    items
}

/// A number of things: `1 seed`, `3 seeds`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A prose template with its placeholders `{name}` filled in.
pub(crate) fn fill(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}
