//! Text for a terminal.

use std::fmt::Write as _;

use super::{Answer, Block, Document, Fold, Form, Item, Table, Tone};

pub(super) fn write(document: &Document) -> String {
    let mut out = format!("{}\n", document.title);
    blocks(&document.blocks, &mut out);
    out
}

fn blocks(list: &[Block], out: &mut String) {
    list.iter().for_each(|each| block(each, out));
}

fn block(block: &Block, out: &mut String) {
    match block {
        Block::Heading(text) => _ = write!(out, "\n{text}\n"),
        Block::Paragraph(tone, text) => {
            let mark = if *tone == Tone::Warning { "note: " } else { "" };
            let _ = writeln!(out, "{mark}{text}");
        }
        Block::Answers(answers) => answers.iter().for_each(|each| answer(each, out)),
        Block::List(items) => {
            items.iter().for_each(|Item { text, .. }| _ = writeln!(out, "- {text}"))
        }
        Block::Facts(facts) => {
            facts.iter().for_each(|(name, value)| _ = writeln!(out, "{name}: {value}"));
        }
        Block::Code(text) => _ = writeln!(out, "{text}"),
        Block::Table(grid) => table(grid, out),
        Block::Figures(_) => {}
        Block::Fold(Fold { title, blocks: inner, .. }) => {
            let _ = write!(out, "\n{title}\n");
            blocks(inner, out);
        }
        Block::Only(forms, inner) if forms.contains(&Form::Terminal) => blocks(inner, out),
        Block::Only(..) => {}
    }
}

fn answer(Answer { word, text, evidence, parts, .. }: &Answer, out: &mut String) {
    let _ = writeln!(out, "- {word}. {text} {evidence}");
    for part in parts {
        let _ = writeln!(out, "    {} {}: {}", part.text, part.word, part.evidence);
    }
}

/// Aligned columns; the best cells have a star.
fn table(table: &Table, out: &mut String) {
    let labels = table.rows.iter().map(|row| row.head.label.clone());
    let mut columns: Vec<Vec<String>> =
        vec![std::iter::once(String::new()).chain(labels).collect()];
    for column in table.columns(Form::Terminal) {
        let cells = table.rows.iter().map(|row| &row.cells[column]);
        let cells = cells.map(|cell| format!("{}{}", cell.text, if cell.best { "*" } else { " " }));
        let heading = format!("{} ", table.headings[column].text);
        columns.push(std::iter::once(heading).chain(cells).collect());
    }
    let length = |text: &String| text.chars().count();
    let widths: Vec<usize> =
        columns.iter().map(|cells| cells.iter().map(length).max().unwrap_or(0)).collect();
    let rule = "─".repeat(widths.iter().sum::<usize>() + widths.len() - 1);
    for line in 0..=table.rows.len() {
        if line == 1 || (line > 1 && table.rows[line - 1].head.rule) {
            let _ = writeln!(out, "{rule}");
        }
        let mut text = format!("{:<width$}", columns[0][line], width = widths[0]);
        for (cells, width) in columns.iter().zip(&widths).skip(1) {
            let _ = write!(text, " {:>width$}", cells[line]);
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
}
