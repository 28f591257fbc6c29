//! Properties for any table and any bytes.

use data::{DataConfig, Duplicates, Unsorted};
use proptest::prelude::*;

use crate::support::{read, read_with};

/// A table of finite numbers with holes: rows of cells.
fn cells() -> impl Strategy<Value = Vec<Vec<Option<f32>>>> {
    let number = prop_oneof![
        (-1e6f32..1e6).prop_map(Some),
        any::<f32>().prop_map(|v| v.is_finite().then_some(v)),
        Just(None),
    ];
    (1usize..5).prop_flat_map(move |width| {
        proptest::collection::vec(proptest::collection::vec(number.clone(), width), 2..30)
    })
}

/// One way to write a table: delimiter, decimal sign, line end, quotes, notation.
#[derive(Debug, Clone, Copy)]
struct Style {
    delimiter: char,
    decimal: char,
    end: &'static str,
    quotes: bool,
    exponent: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let marks = prop::sample::select(vec![
        (',', '.'),
        (';', '.'),
        ('\t', '.'),
        ('|', '.'),
        (';', ','),
        ('\t', ','),
    ]);
    let ends = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    (marks, ends, any::<bool>(), any::<bool>()).prop_map(
        |((delimiter, decimal), end, quotes, exponent)| Style {
            delimiter,
            decimal,
            end,
            quotes,
            exponent,
        },
    )
}

fn write(rows: &[Vec<Option<f32>>], style: Style) -> String {
    let Style { delimiter, decimal, end, quotes, exponent } = style;
    let mut text = "time".to_owned();
    (0..rows[0].len()).for_each(|c| text += &format!("{delimiter}c{c}"));
    text += end;
    let mut day = jiff::civil::date(2012, 1, 1);
    for row in rows {
        text += &day.to_string();
        day = day.tomorrow().unwrap();
        for cell in row {
            let number = match cell {
                None => String::new(),
                Some(v) if exponent => format!("{v:e}"),
                Some(v) => v.to_string(),
            };
            let number = number.replace('.', &decimal.to_string());
            text.push(delimiter);
            text += &if quotes { format!("\"{number}\"") } else { number };
        }
        text += end;
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Law: written and read, every number is the same to the bit and every hole a hole.
    #[test]
    fn a_table_written_is_the_table_read(rows in cells(), style in style()) {
        let width = rows[0].len();
        // A column without any value is no column; give each one.
        let mut rows = rows;
        rows[0].iter_mut().for_each(|cell| { cell.get_or_insert(1.5); });
        let keys = format!(
            "delimiter = \"{}\"\ndecimal = \"{}\"", style.delimiter.escape_default(), style.decimal
        );
        let panel = read_with(write(&rows, style), &keys).unwrap();
        let expected: Vec<Option<f32>> = rows.concat();
        prop_assert_eq!(panel.channels().len(), width);
        prop_assert_eq!(panel.values().len(), expected.len());
        for (i, (value, expected)) in panel.values().iter().zip(&expected).enumerate() {
            let observed = panel.observed().is_none_or(|o| o[i]);
            prop_assert_eq!(observed, expected.is_some());
            prop_assert_eq!(value.to_bits(), expected.unwrap_or(f32::NAN).to_bits());
        }
    }

    /// Law: what is found out about delimiter and decimal sign is what was written, where anything shows it.
    #[test]
    fn the_way_a_table_is_written_is_found(values in proptest::collection::vec(-1000i32..1000, 6..40), style in style()) {
        let rows: Vec<Vec<Option<f32>>> =
            values.chunks_exact(2).map(|pair| pair.iter().map(|&v| Some(v as f32 / 4.0 + 0.125)).collect()).collect();
        let style = Style { exponent: false, ..style };
        // ±x.125 with one to three digits before it could be thousands too, where nothing else in its column or
        // with its decimal comma in the table settles it.
        let decimals = |v: f32| v.to_string().split('.').nth(1).map_or(0, str::len);
        let clear = |v: f32| v.abs() < 1.0 || !matches!(decimals(v), 0 | 3);
        let settled = |column: usize| rows.iter().filter_map(|row| row[column]).any(clear);
        let expected: Vec<f32> = rows.concat().into_iter().flatten().collect();
        match read(write(&rows, style)) {
            Err(data::DataError::Ambiguous { .. }) => prop_assert!(!(settled(0) && settled(1))),
            result => {
                let panel = result.unwrap();
                prop_assert_eq!(panel.values(), &expected[..]);
            }
        }
    }

    /// Law: one table of several series is the same panel in every way in which it may be written: long, or one
    /// wide table a series; any delimiter; decimal point or comma; thousands apart or not; any quotes and line ends.
    #[test]
    fn every_style_is_the_same_panel(
        values in proptest::collection::vec(proptest::option::weighted(0.9, -99_999_999i64..99_999_999), 24),
        decimals in 0usize..4, style in style(), thousands in 0usize..4,
    ) {
        let thousands = ["", ".", ",", " "][thousands];
        let apart = thousands != style.decimal.to_string() && thousands != style.delimiter.to_string();
        let thousands = if apart { thousands } else { "" };
        let scale = 10i64.pow(decimals as u32);
        let mut values = values;
        values.iter_mut().step_by(6).for_each(|v| { v.get_or_insert(15); }); // no column without a value
        values.iter_mut().skip(1).step_by(6).for_each(|v| { v.get_or_insert(25); });
        let number = |value: &Option<i64>| {
            let Some(value) = value else { return String::new() };
            let (whole, part) = (value.abs() / scale, value.abs() % scale);
            let digits = whole.to_string();
            let mut text = if *value < 0 { "-".to_owned() } else { String::new() };
            for (i, digit) in digits.chars().enumerate() {
                if i > 0 && (digits.len() - i) % 3 == 0 {
                    text += thousands;
                }
                text.push(digit);
            }
            if decimals > 0 {
                text += &format!("{}{part:0decimals$}", style.decimal);
            }
            if style.quotes { format!("\"{text}\"") } else { text }
        };
        let Style { delimiter, decimal, end, .. } = style;
        let mut keys = format!("delimiter = \"{}\"\ndecimal = \"{decimal}\"\n", delimiter.escape_default());
        if !thousands.is_empty() {
            keys += &format!("thousands = \"{thousands}\"\n");
        }
        let day = |row: usize| jiff::civil::date(2012, 1, 1 + row as i8).to_string();
        let expected = |part: &[Option<i64>]| -> Vec<u32> {
            let plain = |v: &Option<i64>| v.map_or(f32::NAN, |v| format!("{v}e-{decimals}").parse().unwrap());
            part.iter().map(|v| plain(v).to_bits()).collect()
        };
        let bits = |panel: &data::Panel| -> Vec<u32> { panel.values().iter().map(|v| v.to_bits()).collect() };
        // Two series of six days and two channels.
        let mut long = format!("id{delimiter}day{delimiter}a{delimiter}b{end}");
        for (name, part) in ["x", "y"].iter().zip(values.chunks_exact(12)) {
            let mut wide = format!("day{delimiter}a{delimiter}b{end}");
            for (row, pair) in part.chunks_exact(2).enumerate() {
                let cells = format!("{}{delimiter}{}{delimiter}{}{end}", day(row), number(&pair[0]), number(&pair[1]));
                long += &format!("{name}{delimiter}{cells}");
                wide += &cells;
            }
            let panel = read_with(&wide, &keys).unwrap();
            prop_assert_eq!(bits(&panel), expected(part), "{}", wide);
        }
        let panel = read_with(&long, &format!("{keys}id = \"id\"\n")).unwrap();
        prop_assert_eq!(bits(&panel), expected(&values), "{}", long);
        prop_assert_eq!(panel.series().len(), 2);
    }

    /// Law: shuffled rows, sorted on request, are the rows in order.
    #[test]
    fn sorting_undoes_shuffling(order in Just((0..40usize).collect::<Vec<_>>()).prop_shuffle()) {
        let line = |i: &usize| format!("{i},{}\n", i * i);
        let sorted: String = (0..40).map(|i| line(&i)).collect();
        let shuffled: String = order.iter().map(line).collect();
        let keys = "time = \"t\"\nunsorted = \"sort\"";
        let expected = read(format!("t,y\n{sorted}")).unwrap();
        let panel = read_with(format!("t,y\n{shuffled}"), keys).unwrap();
        prop_assert_eq!(panel.fingerprint(), expected.fingerprint());
    }

    /// Law: any bytes end in data or in an error, and data are consistent.
    #[test]
    fn any_bytes_end_in_data_or_an_error(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "[0-9a,;.\"\n\r\t -]{0,300}".prop_map(String::into_bytes),
            "(date|t|),y\n([0-9]{1,4}[-/][0-9]{1,2}[-/]?[0-9]{0,4}[ T]?[0-9:]{0,8},-?[0-9.e]{0,6}\n){0,20}"
                .prop_map(String::into_bytes),
        ],
        sort: bool, header: bool,
    ) {
        let mut config = DataConfig { header, ..DataConfig::new("any.csv", 2, 1) };
        if sort {
            (config.unsorted, config.duplicates) = (Unsorted::Sort, Duplicates::Mean);
        }
        match data::read_bytes(&bytes, &config) {
            Ok(panel) => {
                prop_assert_eq!(panel.values().len(), panel.rows() * panel.channels().len());
                prop_assert!(panel.values().iter().all(|v| !v.is_infinite()));
                let _ = data::prepare(&config, panel); // either way, without a panic
            }
            Err(error) => prop_assert!(error.to_string().len() < 20_000),
        }
    }
}
