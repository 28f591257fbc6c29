//! One HTML file that needs no script and no network.

use std::fmt::Write as _;

use chart::escape;

use super::{Answer, Block, Document, Figure, Fold, Form, Item, Table, Tone};
use crate::outcome::Outcome;

const STYLE: &str = include_str!("style.css");

pub(super) fn write(document: &Document) -> String {
    let (title, question) = (escape(&document.title), text(&document.question));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"cargo xtask experiment\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"question\">{question}</p>\n"
    );
    blocks(&document.blocks, &mut out);
    out + "</main>\n</body>\n</html>\n"
}

/// Text, with words between backticks as code.
fn text(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        // An odd number of backticks leaves the last one as it is.
        let code = index % 2 == 1 && index + 1 < parts.len();
        match (code, index % 2 == 1) {
            (true, _) => _ = write!(out, "<code>{}</code>", escape(part)),
            (false, true) => _ = write!(out, "`{}", escape(part)),
            (false, false) => out += &escape(part),
        }
    }
    out
}

/// Text of a narrow cell: a line may end before a sign, not between it and its number.
fn joined(words: &str) -> String {
    let words = text(words).replace("± ", "±\u{a0}").replace("− ", "−\u{a0}");
    words.replace(" %", "\u{a0}%").replace("≤ ", "≤\u{a0}")
}

fn blocks(list: &[Block], out: &mut String) {
    list.iter().for_each(|each| block(each, out));
}

fn block(block: &Block, out: &mut String) {
    match block {
        Block::Heading(heading) => _ = writeln!(out, "<h2>{}</h2>", text(heading)),
        Block::Paragraph(tone, words) => {
            let words = text(words);
            let _ = match tone {
                Tone::Plain => writeln!(out, "<p>{words}</p>"),
                Tone::Strong => writeln!(out, "<p><b>{words}</b></p>"),
                Tone::Note => writeln!(out, "<p class=\"note\">{words}</p>"),
                Tone::Warning => writeln!(out, "<p class=\"warning\">{words}</p>"),
            };
        }
        Block::Answers(answers) => {
            *out += "<ul class=\"answers\">\n";
            answers.iter().for_each(|each| answer(each, out));
            *out += "</ul>\n";
        }
        Block::List(items) => {
            let folders = items.iter().any(|item| item.link.is_some());
            *out += if folders { "<ul class=\"folders\">\n" } else { "<ul>\n" };
            for Item { link, text: words } in items {
                let link = link.as_ref().map(|link| escape(link));
                let link = link.map_or(String::new(), |l| format!("<a href=\"{l}/\">{l}</a> "));
                let _ = writeln!(out, "<li>{link}{}</li>", text(words));
            }
            *out += "</ul>\n";
        }
        Block::Facts(facts) => {
            *out += "<dl>\n";
            for (name, value) in facts {
                let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", text(name), text(value));
            }
            *out += "</dl>\n";
        }
        Block::Code(code) => _ = writeln!(out, "<pre>{}</pre>", escape(code)),
        Block::Table(grid) => table(grid, out),
        Block::Figures(figures) => {
            *out += "<div class=\"charts\">\n";
            for Figure { svg, caption } in figures {
                let caption = text(caption);
                let _ =
                    writeln!(out, "<figure>\n{svg}<figcaption>{caption}</figcaption>\n</figure>");
            }
            *out += "</div>\n";
        }
        Block::Fold(Fold { title, id, open, blocks: inner }) => {
            let id = id.as_ref().map_or(String::new(), |id| format!(" id=\"{}\"", escape(id)));
            let open = if *open { " open" } else { "" };
            let _ = writeln!(out, "<details{id}{open}><summary>{}</summary>", text(title));
            blocks(inner, out);
            *out += "</details>\n";
        }
        Block::Only(forms, inner) if forms.contains(&Form::Page) => blocks(inner, out),
        Block::Only(..) => {}
    }
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Yes => "yes",
        Outcome::No => "no",
        Outcome::Partly | Outcome::Undecided | Outcome::Unknown => "open",
    }
}

fn answer(Answer { outcome, word, text: words, evidence, parts }: &Answer, out: &mut String) {
    let (class, word, words) = (class(*outcome), text(word), text(words));
    let evidence = text(evidence);
    let _ = write!(
        out,
        "<li class=\"{class}\"><b>{word}.</b> {words}<span class=\"evidence\">{evidence}</span>"
    );
    if !parts.is_empty() {
        *out += "\n<details open><summary>Test by test</summary>\n<ul>\n";
        parts.iter().for_each(|part| answer(part, out));
        *out += "</ul></details>";
    }
    *out += "</li>\n";
}

/// A table that becomes one card per row on a phone.
fn table(table: &Table, out: &mut String) {
    let columns = table.columns(Form::Page);
    let corner = text(&table.corner);
    let _ = write!(
        out,
        "<div class=\"scroll\"><table class=\"cards\">\n<thead><tr><th scope=\"col\">{corner}</th>"
    );
    for column in &columns {
        let heading = &table.headings[*column];
        let (words, meaning) = (joined(&heading.text), escape(&heading.meaning));
        let _ = write!(out, "<th scope=\"col\" title=\"{meaning}\">{words}</th>");
    }
    *out += "</tr></thead>\n<tbody>\n";
    for row in &table.rows {
        let id = row.head.id.as_ref().map_or(String::new(), |id| format!(" id=\"{}\"", escape(id)));
        let rule = if row.head.rule { " class=\"ruled\"" } else { "" };
        let label = text(&row.head.label);
        let label = match &row.head.link {
            Some(link) => format!("<a href=\"{}\">{label}</a>", escape(link)),
            None => label,
        };
        let _ = write!(out, "<tr{id}{rule}><th scope=\"row\">{label}</th>");
        for column in &columns {
            let (cell, heading) = (&row.cells[*column], escape(&table.headings[*column].text));
            let best = if cell.best { " class=\"best\"" } else { "" };
            let words = joined(&cell.text);
            let _ = write!(out, "<td{best} data-heading=\"{heading}\"><span>{words}</span></td>");
        }
        *out += "</tr>\n";
    }
    *out += "</tbody>\n</table></div>\n";
    if table.explained {
        *out += "<details><summary>What the columns mean</summary>\n<dl>\n";
        for column in columns {
            let heading = &table.headings[column];
            let (words, meaning) = (text(&heading.text), text(&heading.meaning));
            let _ = writeln!(out, "<dt>{words}</dt><dd>{meaning}</dd>");
        }
        *out += "</dl></details>\n";
    }
}
