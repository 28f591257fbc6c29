//! A table as text: Markdown, HTML, and aligned columns for the terminal.

use std::fmt::Write as _;

use chart::escape;

/// A table whose first column names the rows.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub(super) columns: Vec<Heading>,
    pub(super) lines: Vec<Line>,
}

/// What a column shows.
#[derive(Debug, Clone)]
pub(super) struct Heading {
    pub(super) text: String,
    /// Unit or remark.
    pub(super) note: String,
}

/// A row.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) label: String,
    /// Where its label leads in the report, if anywhere.
    pub(super) link: Option<String>,
    /// Whether a rule parts it from the row before.
    pub(super) rule: bool,
    /// One per column.
    pub(super) cells: Vec<Cell>,
}

/// A cell ready to be written.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) best: bool,
}

impl Cell {
    /// `–` where there is nothing to say.
    pub(super) fn plain(text: Option<String>) -> Cell {
        Cell { text: text.unwrap_or_else(|| "–".to_owned()), best: false }
    }
}

impl Grid {
    /// A pipe table; the best cells are bold.
    pub(super) fn markdown(&self, corner: &str) -> String {
        let safe = |text: &str| text.replace('|', "\\|");
        let mut out = format!("| {} |", safe(corner));
        self.columns.iter().for_each(|column| out += &format!(" {} |", safe(&column.text)));
        out += "\n|---|";
        self.columns.iter().for_each(|_| out += "--:|");
        for line in &self.lines {
            let _ = write!(out, "\n| {} |", safe(&line.label));
            for Cell { text, best } in &line.cells {
                let text = safe(text);
                out += &if *best { format!(" **{text}** |") } else { format!(" {text} |") };
            }
        }
        out + "\n"
    }

    /// Aligned columns; the best cells have a star.
    pub(super) fn terminal(&self) -> String {
        let mark = |cell: &Cell| format!("{}{}", cell.text, if cell.best { "*" } else { " " });
        let labels = self.lines.iter().map(|line| line.label.clone());
        let mut columns: Vec<Vec<String>> =
            vec![std::iter::once(String::new()).chain(labels).collect()];
        for (index, column) in self.columns.iter().enumerate() {
            let cells = self.lines.iter().map(|line| mark(&line.cells[index]));
            columns.push(std::iter::once(format!("{} ", column.text)).chain(cells).collect());
        }
        let length = |text: &String| text.chars().count();
        let widths: Vec<usize> =
            columns.iter().map(|cells| cells.iter().map(length).max().unwrap_or(0)).collect();
        let mut out = String::new();
        for line in 0..=self.lines.len() {
            if line == 1 || (line > 1 && self.lines[line - 1].rule) {
                out +=
                    &format!("{}\n", "─".repeat(widths.iter().sum::<usize>() + widths.len() - 1));
            }
            for (index, (cells, &width)) in columns.iter().zip(&widths).enumerate() {
                let cell = &cells[line];
                out += &if index == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!(" {cell:>width$}")
                };
            }
            out = out.trim_end().to_owned() + "\n";
        }
        out
    }

    /// A table that becomes one card per row where the page is narrow.
    pub(super) fn html(&self, corner: &str) -> String {
        let mut out = format!(
            "<div class=\"scroll\"><table class=\"cards\">\n<thead><tr><th scope=\"col\">{}</th>",
            escape(corner)
        );
        for Heading { text, note } in &self.columns {
            let (text, note) = (escape(text), escape(note));
            let _ = write!(out, "<th scope=\"col\" title=\"{note}\">{text}</th>");
        }
        out += "</tr></thead>\n<tbody>\n";
        for line in &self.lines {
            let class = if line.rule { " class=\"first-baseline\"" } else { "" };
            let label = escape(&line.label);
            let label = match &line.link {
                Some(link) => format!("<a href=\"{}\">{label}</a>", escape(link)),
                None => label,
            };
            let _ = write!(out, "<tr{class}><th scope=\"row\">{label}</th>");
            for (Cell { text, best }, column) in line.cells.iter().zip(&self.columns) {
                let class = if *best { " class=\"best\"" } else { "" };
                let (heading, text) = (escape(&column.text), escape(text));
                let _ = write!(out, "<td{class} data-heading=\"{heading}\">{text}</td>");
            }
            out += "</tr>\n";
        }
        out + "</tbody>\n</table></div>\n"
    }

    /// What the columns mean, to be unfolded.
    pub(super) fn legend(&self) -> String {
        let mut out = "<details><summary>What the columns mean</summary>\n<dl>\n".to_owned();
        for Heading { text, note } in &self.columns {
            let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(text), escape(note));
        }
        out + "</dl></details>\n"
    }
}

/// A field of a CSV.
pub(super) fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
