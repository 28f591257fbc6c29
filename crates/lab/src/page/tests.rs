//! One small document in its three forms, written out.

use super::*;

fn document() -> Document {
    let mut document = Document::new("A & B", "Is `A` < B?");
    let part = Answer::new(Outcome::Undecided, "In one?", "p = .2".to_owned());
    let answer = Answer::new(Outcome::Partly, "A is smaller.", "p < .001".to_owned());
    document.add(Block::Answers(vec![Answer { parts: vec![part], ..answer }]));
    document.paragraph(Tone::Warning, "One run failed.");
    document.heading("Scores");
    let head = |row: &(&str, f64)| Head {
        link: (row.0 == "A").then(|| "#a".to_owned()),
        rule: row.0 == "C",
        ..Head::new(row.0)
    };
    let columns = [
        Column::new("CRPS", "smaller is better", |row: &(&str, f64)| {
            Some(format!("{} ± 1", row.1))
        })
        .best(|row| Some(row.1)),
        Column::new("wide", "on pages", |_: &(&str, f64)| Some("x|y".to_owned()))
            .only(&[Form::Page, Form::Markdown]),
        Column::new("empty", "nothing", |_: &(&str, f64)| None),
    ];
    let table = Table::new("arm", &[("A", 2.0), ("B", 1.0), ("C", 3.0)], head, &columns);
    document.add(Block::Table(table.without_empty_columns()));
    document.figures(
        "Curves",
        "",
        vec![Figure { svg: "<svg/>".to_owned(), caption: "C".to_owned() }],
    );
    document.list("- one\n  line\n- two\n");
    document.add(Fold::code("Commands", "ballast train <a>"));
    document
}

#[test]
fn markdown_is_complete_but_for_figures() {
    let expected = "\
- **In part.** A is smaller. p < .001
  - In one? *Undecided*: p = .2

> One run failed.

## Scores

| arm | CRPS | wide |
|---|--:|--:|
| A | 2 ± 1 | x\\|y |
| B | **1 ± 1** | x\\|y |
| C | 3 ± 1 | x\\|y |

- one line
- two

### Commands

    ballast train <a>
";
    assert_eq!(document().markdown(), expected);
}

#[test]
fn a_terminal_gets_aligned_columns() {
    let text = document().terminal();
    let table = "\n   CRPS\n────────\nA 2 ± 1\nB 1 ± 1*\n────────\nC 3 ± 1\n";
    assert!(text.contains(table), "{text}");
    assert!(
        text.contains("- In part. A is smaller. p < .001\n    In one? Undecided: p = .2\n"),
        "{text}"
    );
    assert!(text.contains("note: One run failed.\n"), "{text}");
}

#[test]
fn a_page_is_escaped_and_every_cell_knows_its_column() {
    let page = document().html();
    for part in [
        "<title>A &amp; B</title>",
        "<p class=\"question\">Is <code>A</code> &lt; B?</p>",
        "<li class=\"open\"><b>In part.</b> A is smaller.<span class=\"evidence\">p &lt; .001</span>",
        "<tr><th scope=\"row\"><a href=\"#a\">A</a></th>",
        "<td class=\"best\" data-heading=\"CRPS\"><span>1 ±\u{a0}1</span></td>",
        "<tr class=\"ruled\">",
        "<dt>CRPS</dt><dd>smaller is better</dd>",
        "<figcaption>C</figcaption>",
        "<pre>ballast train &lt;a&gt;</pre>",
    ] {
        assert!(page.contains(part), "`{part}` is missing in {page}");
    }
    assert!(!page.contains("empty"));
}

#[test]
fn programs_get_quoted_fields_and_all_digits() {
    let columns: [(&str, Field<f64>); 2] =
        [("name", Box::new(|_| "a, \"b\"".to_owned())), ("value", Box::new(f64::to_string))];
    assert_eq!(csv(&[0.1 + 0.2], &columns), "name,value\n\"a, \"\"b\"\"\",0.30000000000000004\n");
}
