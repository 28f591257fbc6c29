//! Units, signs and rows beside the numbers of a table.

use super::*;

/// Sixty days with one cell each, between quotes where it has a comma.
fn days(delimiter: char, cell: impl Fn(usize) -> String) -> String {
    let days = dates(date(2019, 1, 1), 60, |i| i.days());
    let rows = days.iter().enumerate().map(|(i, day)| match cell(i) {
        cell if cell.contains(delimiter) => format!("{day}{delimiter}\"{cell}\"\n"),
        cell => format!("{day}{delimiter}{cell}\n"),
    });
    rows.fold(format!("date{delimiter}y\n"), |table, row| table + &row)
}

#[test]
fn a_unit_that_all_cells_share_is_taken_off() {
    type Cell = fn(usize) -> String;
    let cases: [(char, Cell, f32, &str); 8] = [
        (',', |i| format!("${}.5", 100 + i), 101.5, "$"),
        (',', |i| format!("-${}.5M", 100 + i), -101_500_000.0, "$"),
        (',', |i| format!("${},234.50", 1 + i), 2234.5, "$"),
        (';', |i| format!("{}.234,50 €", 1 + i), 2234.5, "€"),
        (';', |i| format!("{} 234,50 EUR", 1 + i), 2234.5, "EUR"),
        (',', |i| format!("{}.25 kWh", 10 + i), 11.25, "kWh"),
        (',', |i| format!("{}.25°C", 10 + i), 11.25, "°C"),
        (',', |i| if i == 4 { "n.a.".into() } else { format!("£{i}") }, 1.0, "£"),
    ];
    for (delimiter, cell, second, unit) in cases {
        let panel = read(days(delimiter, cell)).unwrap();
        assert_eq!(panel.row(1).unwrap(), [second]);
        assert!(panel.doubts()[0].contains(&format!("without their unit, `{unit}`")));
    }
}

#[test]
fn a_unit_that_changes_the_number_or_is_not_shared_is_asked_about() {
    let mixed = |i: usize| format!("{i}.5 {}", if i < 40 { "kWh" } else { "MWh" });
    assert!(message(read(days(',', mixed))).starts_with("t.csv:42:12: `40.5 MWh`"));
    let half = |i: usize| format!("{}{i}.5", if i == 30 { "" } else { "$" });
    assert!(message(read(days(',', half))).contains("in one unit and without it, as `0.5`"));
    for unit in ["m", " T€", " TEUR", "PM"] {
        let text = message(read(days(',', |i| format!("{i}.5{unit}"))));
        assert!(text.starts_with("t.csv:2:12:") && text.contains("is not a number"), "{text}");
    }
    let either = message(read(days(',', |i| format!("${},234", i + 1))));
    assert!(either.contains("can be read as $1.234 and as $1234"), "{either}");
    let either = message(read(days(';', |i| format!("{}.234 €", i + 1))));
    assert!(either.contains("can be read as 1.234 and as 1234"), "{either}");
}

#[test]
fn a_later_file_has_the_unit_of_the_training() {
    let keys = "context = 4\nhorizon = 3\nsplit = { train = 0.6, validation = 0.2, test = 0.2 }";
    let folder = Folder::new();
    let dollars = days(',', |i| format!("${i}.5"));
    let pipeline = load_with(&dollars, keys).unwrap().pipeline;
    assert!(pipeline.forecast_input(&folder.write("same.csv", &dollars)).is_ok());
    for (now, unit) in [("€", "the unit `€`"), ("", "no unit")] {
        let path = folder.write("now.csv", days(',', |i| format!("{now}{i}.5")));
        let text = message(pipeline.forecast_input(&path));
        let expected =
            format!("cells of column `y` have {unit}, those of the training data had the unit `$`");
        assert!(text.contains(&expected), "{text}");
    }
    let plain = load_with(days(',', |i| format!("0.{i}")), keys).unwrap().pipeline;
    let percent = folder.write("percent.csv", days(',', |i| format!("{i}%")));
    assert!(message(plain.forecast_input(&percent)).contains("have the unit `%`"));
}

#[test]
fn spaces_and_apostrophes_stand_between_thousands() {
    for space in [" ", "\u{a0}", "\u{202f}", "'", "’"] {
        for (decimal, delimiter) in [(',', ';'), ('.', ',')] {
            let cell = |i: usize| format!("{}{space}234{decimal}5", i + 1);
            assert_eq!(read(days(delimiter, cell)).unwrap().row(1).unwrap(), [2234.5], "{space}");
        }
        let whole = days(',', |i| format!("{}{space}000", 999 + i));
        assert!(read(whole).is_err(), "four digits come before no such sign");
        let whole = days(',', |i| format!("{}{space}000", 99 + i));
        assert_eq!(read(whole).unwrap().row(1).unwrap(), [100_000.0], "{space}");
    }
    let latin: Vec<u8> = days(';', |i| format!("{}#234,5 @", i + 1))
        .bytes()
        .map(|b| match b {
            b'#' => 0xa0,
            b'@' => 0x80,
            b => b,
        })
        .collect();
    assert_eq!(read(latin).unwrap().row(1).unwrap(), [2234.5], "Windows-1252");
}

#[test]
fn rows_of_units_and_cells_beyond_the_header_are_noted() {
    let plain = days(',', |i| format!("{i}.5"));
    let (header, rows) = plain.split_once('\n').unwrap();
    for (table, count) in [
        (format!("{header}\n[d],MW\n{rows}"), 1),
        (format!("{header}\n,(MW)\n{rows}"), 1),
        (format!("Price,Close\nTicker,ABC\nDate,\n{rows}"), 2),
    ] {
        let panel = read(&table).unwrap();
        assert_eq!((panel.rows(), panel.row(0).unwrap()), (60, &[0.5][..]));
        let notes = panel.notes().iter().filter(|note| note.starts_with("a row of text after"));
        assert_eq!(notes.count(), count, "{:?}", panel.notes());
    }
    let missing = format!("{header}\n2018-12-31,-\n{rows}");
    assert_eq!(read(missing).unwrap().rows(), 61, "a time is no unit");
    let trailing = format!("{header}\n{}", rows.replace('\n', ",\n"));
    let panel = read(trailing).unwrap();
    assert_eq!((panel.rows(), panel.channels().names()), (60, &["y".to_owned()][..]));
    assert!(panel.notes()[0].starts_with("60 rows with an empty cell beyond the header"));
    assert!(read(plain.replacen("0.5\n", "0.5,7\n", 1)).is_err(), "a value is not left out");
}

#[test]
fn no_value_is_written_in_many_ways() {
    for word in ["n.a.", "N.A.", "..", ":", "–", "…"] {
        let panel = read(days(',', |i| if i == 7 { word.into() } else { format!("{i}.5") }));
        let panel = panel.unwrap_or_else(|e| panic!("{word}: {e}"));
        assert_eq!(panel.observed().unwrap().iter().filter(|seen| !**seen).count(), 1, "{word}");
    }
    let minus = read(days(',', |i| format!("\u{2212}{i}.5"))).unwrap();
    assert_eq!(minus.row(1).unwrap(), [-1.5]);
}
