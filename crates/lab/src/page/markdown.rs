//! Markdown.

use std::fmt::Write as _;

use super::{Answer, Block, Document, Fold, Form, Item, Table, Tone};

pub(super) fn write(document: &Document) -> String {
    let mut out = String::new();
    blocks(&document.blocks, 2, &mut out);
    out.trim_start().to_owned()
}

fn blocks(list: &[Block], depth: usize, out: &mut String) {
    list.iter().for_each(|each| block(each, depth, out));
}

/// A block after an empty line.
fn block(block: &Block, depth: usize, out: &mut String) {
    match block {
        Block::Heading(text) => {
            let _ = write!(out, "\n{} {text}\n", "#".repeat(depth));
        }
        Block::Paragraph(tone, text) => {
            let _ = match tone {
                Tone::Plain | Tone::Note => write!(out, "\n{text}\n"),
                Tone::Strong => write!(out, "\n**{text}**\n"),
                Tone::Warning => write!(out, "\n> {text}\n"),
            };
        }
        Block::Answers(answers) => {
            out.push('\n');
            answers.iter().for_each(|each| answer(each, out));
        }
        Block::List(items) => {
            out.push('\n');
            for Item { link, text } in items {
                let _ = match link {
                    Some(link) => writeln!(out, "- [{link}]({link}/) {text}"),
                    None => writeln!(out, "- {text}"),
                };
            }
        }
        Block::Facts(facts) => {
            out.push('\n');
            facts.iter().for_each(|(name, value)| _ = writeln!(out, "- {name}: {value}"));
        }
        Block::Code(text) => {
            out.push('\n');
            text.lines().for_each(|line| _ = writeln!(out, "    {line}"));
        }
        Block::Table(grid) => table(grid, out),
        Block::Figures(_) => {}
        Block::Fold(Fold { title, blocks: inner, .. }) => {
            let _ = write!(out, "\n{} {title}\n", "#".repeat(depth + 1));
            blocks(inner, depth + 1, out);
        }
        Block::Only(forms, inner) if forms.contains(&Form::Markdown) => blocks(inner, depth, out),
        Block::Only(..) => {}
    }
}

fn answer(Answer { word, text, evidence, parts, .. }: &Answer, out: &mut String) {
    let _ = writeln!(out, "- **{word}.** {text} {evidence}");
    for part in parts {
        let _ = writeln!(out, "  - {} *{}*: {}", part.text, part.word, part.evidence);
    }
}

/// A pipe table; the best cells are bold.
fn table(table: &Table, out: &mut String) {
    let safe = |text: &str| text.replace('|', "\\|");
    let columns = table.columns(Form::Markdown);
    let _ = write!(out, "\n| {} |", safe(&table.corner));
    for column in &columns {
        let _ = write!(out, " {} |", safe(&table.headings[*column].text));
    }
    *out += "\n|---|";
    columns.iter().for_each(|_| *out += "--:|");
    for row in &table.rows {
        let _ = write!(out, "\n| {} |", safe(&row.head.label));
        for column in &columns {
            let cell = &row.cells[*column];
            let mark = if cell.best { "**" } else { "" };
            let _ = write!(out, " {mark}{}{mark} |", safe(&cell.text));
        }
    }
    out.push('\n');
}
