//! Numbers and rows that a guess would read wrong.

use super::*;

#[test]
fn a_point_between_thousands_is_asked_about() {
    let rows = |cells: &[&str], delimiter: &str| {
        cells.iter().enumerate().fold(format!("Datum{delimiter}y\n"), |text, (i, cell)| {
            text + &format!("2022-01-{:02}{delimiter}{cell}\n", i + 1)
        })
    };
    let text = message(read(rows(&["979", "1.317", "1.518"], ";")));
    assert!(
        text.starts_with("t.csv:3:1: `1.317` in column `y` can be read as 1.317 and as 1317"),
        "{text}"
    );
    assert!(text.contains("`thousands = \".\"`"), "{text}");
    assert!(read(rows(&["979", "1.317", "1.518"], ",")).is_err());
    assert!(read(rows(&["1.038", "1.303", "1.361"], ";")).is_err());
    let set =
        |keys| read_with(rows(&["979", "1.317", "1.518"], ";"), keys).unwrap().values().to_vec();
    assert_eq!(set("thousands = \".\""), [979.0, 1317.0, 1518.0]);
    assert_eq!(set("decimal = \".\""), [979.0, 1.317, 1.518]);
    // Three decimals throughout, or other counts of decimals, leave no doubt.
    assert_eq!(
        read(rows(&["1.038", "1.303", "12.361"], ",")).unwrap().values(),
        [1.038, 1.303, 12.361]
    );
    assert_eq!(read(rows(&["979", "1.317", "1.5"], ",")).unwrap().values(), [979.0, 1.317, 1.5]);
    assert_eq!(read(rows(&["979", "0.317"], ",")).unwrap().values(), [979.0, 0.317]);
    // The first thousand may come late in a long file.
    let mut late: Vec<String> = (0..28).map(|i| (900 + i).to_string()).collect();
    late.push("1.001".into());
    let late: Vec<&str> = late.iter().map(String::as_str).collect();
    assert!(message(read(rows(&late, ","))).starts_with("t.csv:30:1: `1.001`"));
    assert!(read_with(rows(&late, ","), "transform = \"difference\"").is_err());
    // Beside decimal commas, or in groups, it can only be thousands.
    assert_eq!(read(rows(&["979,5", "1.317"], ";")).unwrap().values(), [979.5, 1317.0]);
    assert_eq!(read(rows(&["979", "1.317.000"], ";")).unwrap().values(), [979.0, 1_317_000.0]);
}

#[test]
fn numbers_keep_their_meaning() {
    let text = "\"Date\",\"Price\",\"Open\",\"Vol.\",\"Change %\"\n\"10/25/2021\",\"1,424.48\",\"1,429.48\",\"574.71K\",\"-1.11%\"\n\
                \"10/26/2021\",\"1,587.89\",\"1,419.48\",\"2.31M\",\"0.55%\"\n\"10/27/2021\",\"815.40\",\"820.40\",\"-\",\"12%\"\n";
    let panel = read(text).unwrap();
    assert_eq!(panel.channels().names(), ["Price", "Open", "Vol.", "Change %"]);
    assert_eq!(panel.row(0).unwrap(), [1424.48, 1429.48, 574_710.0, -1.11]);
    assert_eq!(panel.row(1).unwrap(), [1587.89, 1419.48, 2_310_000.0, 0.55]);
    assert!(panel.row(2).unwrap()[2].is_nan());
    assert_eq!(panel.doubts().len(), 2, "{:?}", panel.doubts());
    let panel = read("Date,PnL\n2021-01-01,0.64\n2021-01-02,(8.93)\n2021-01-03,(1.5)\n").unwrap();
    assert_eq!(panel.values(), [0.64, -8.93, -1.5]);
    let flags = "Date,Sales,IsHoliday\n2021-01-01,952.96,TRUE\n2021-01-08,1011.13,FALSE\n2021-01-15,1064.67,FALSE\n";
    let panel =
        read_with(flags, "targets = [\"Sales\"]\nfuture_covariates = [\"IsHoliday\"]").unwrap();
    assert_eq!(panel.values(), [952.96, 1.0, 1011.13, 0.0, 1064.67, 0.0]);
    assert_eq!(read(flags).unwrap().channels().names(), ["Sales"]);
    let flags = flags.replace("TRUE", "yes").replace("FALSE", "no");
    let panel =
        read_with(&flags, "targets = [\"Sales\"]\nfuture_covariates = [\"IsHoliday\"]").unwrap();
    assert_eq!(panel.values()[..2], [952.96, 1.0]);
    let mixed = "date,y,sky\n2021-01-01,1,no\n2021-01-02,2,no\n2021-01-03,3,rain\n";
    assert_eq!(read(mixed).unwrap().notes(), ["column `sky` is text: left out"]);
    // A sign in some cells only is another unit than in the rest.
    assert!(
        message(read("date,y\n2021-01-01,1\n2021-01-02,12%\n2021-01-03,3\n"))
            .contains("`12%` in column `y`")
    );
}

#[test]
fn lines_before_the_table_are_left_out() {
    let body = "Date,Value\n2021-01-01,53.18\n2021-01-02,54\n2021-01-03,oops\n2021-01-04,1\n2021-01-05,2\n";
    let good = body.replace("oops", "3");
    let panel = read(format!("# station 42\n# units: mm\n\n{good}")).unwrap();
    assert_eq!(
        (panel.rows(), panel.notes()),
        (5, &["left out before the table: 2 lines with `#`".to_owned()][..])
    );
    let text = message(read(format!("# station 42\n# units: mm\n{body}")));
    assert!(text.starts_with("t.csv:6:12: `oops` in column `Value`"), "{text}");
    let panel =
        read_with(format!("Data Source,World\nLast Updated\n{good}"), "skip_rows = 2").unwrap();
    assert_eq!(panel.values()[0], 53.18);
    let text = message(read(format!("Data Source,World\nLast Updated\n{good}")));
    assert!(text.contains("skip_rows") || text.contains("no column"), "{text}");
    assert_eq!(read(format!("sep=;\n{}", good.replace(',', ";"))).unwrap().rows(), 5);
    let panel = read(format!("# station 42\n#{good}# end\n")).unwrap();
    assert_eq!((panel.rows(), panel.channels().names()), (5, &["Value".to_owned()][..]));
    let text = message(read(format!("{good}# a, b\n")));
    assert!(text.starts_with("t.csv:7:1: `# a` in column `Date` is not a time"), "{text}");
}

#[test]
fn sparse_rows_with_a_stated_step_are_filled_as_stated() {
    let days: Vec<Date> = dates(date(2021, 1, 9), 60, |i| (i * i % 11 + 4 * i).days());
    let mut days = days;
    days.sort();
    days.dedup();
    let text = table("date,qty", ',', &days, Date::to_string);
    let said = message(read(&text));
    assert!(
        said.contains("set `frequency = \"1d\"` under [data]") && said.contains("fill = \"zero\""),
        "{said}"
    );
    let rows = (days[days.len() - 1].duration_since(days[0]).as_hours() / 24 + 1) as usize;
    let panel = read_with(&text, "frequency = \"1d\"").unwrap();
    assert_eq!(panel.rows(), rows);
    assert_eq!(panel.values().iter().filter(|v| v.is_nan()).count(), rows - days.len());
    let panel = read_with(&text, "frequency = \"1d\"\nfill = \"zero\"").unwrap();
    assert_eq!((panel.rows(), panel.observed()), (rows, None));
    assert_eq!(panel.values().iter().filter(|v| **v == 0.0).count(), rows - days.len() + 2);
}

#[test]
fn differences_of_large_numbers_are_exact() {
    let rows: Vec<i64> = (0..60).collect();
    let counter = |i: i64| 123_456_789 + 3 * i + i % 2 * 2;
    let text = rows.iter().fold("wh,cost\n".to_owned(), |text, &i| {
        text + &format!("{},{}.25\n", counter(i), 99_999_999 + i)
    });
    let keys = "context = 5\nhorizon = 3\nsplit = { train = 0.6, validation = 0.2, test = 0.2 }\nscale = \"none\"\ntransform = \"difference\"";
    let prepared = load_with(&text, keys).unwrap();
    assert_eq!(prepared.panel.row(1).unwrap(), [5.0, 1.0]);
    assert_eq!(prepared.panel.row(2).unwrap(), [1.0, 1.0]);
    let folder = Folder::new();
    let input = prepared.pipeline.forecast_input(&folder.write("t.csv", &text)).unwrap();
    let original = input.original(0, &[3.0, 0.5, 5.0, 0.5, 1.0, 1.0]).unwrap();
    let last = counter(59) as f64;
    assert_eq!(
        original,
        [last + 3.0, 100_000_058.75, last + 8.0, 100_000_059.25, last + 9.0, 100_000_060.25]
    );
    let spread = load_with(
        &text,
        "context = 5\nhorizon = 3\nscale = \"none\"\ntargets = [\"wh\"]\nspreads = [[\"cost\", \"wh\"]]",
    );
    assert!(spread.is_err(), "a column is used once");
    let spread = text.replace('\n', ",100000000\n").replace("cost,100000000", "cost,base");
    let prepared = load_with(&spread, "context = 5\nhorizon = 3\nscale = \"none\"\ntargets = [\"wh\"]\nspreads = [[\"cost\", \"base\"]]").unwrap();
    assert_eq!(prepared.panel.row(3).unwrap()[1], 2.25);
}

#[test]
fn differences_beyond_the_range_are_refused() {
    let huge = |i: &i64| {
        format!(
            "{i},{0}3e38,{1}3e38",
            if i % 2 == 0 { "-" } else { "" },
            if i % 2 == 0 { "" } else { "-" }
        )
    };
    let rows: Vec<i64> = (0..20).collect();
    let text = table("row,a,b,y", ',', &rows, huge);
    let spread =
        message(read_with(&text, "time = \"row\"\ntargets = [\"y\"]\nspreads = [[\"a\", \"b\"]]"));
    assert!(
        spread.contains("`a - b`") && spread.contains("beyond the range of 32-bit numbers"),
        "{spread}"
    );
    let steps = load_with(
        &text,
        "context = 2\nhorizon = 1\ntime = \"row\"\ntargets = [\"a\"]\ntransform = \"difference\"",
    );
    assert!(message(steps).contains("beyond the range of 32-bit numbers"));
}

#[test]
fn many_doubts_are_counted() {
    let header: String = (0..40).map(|column| format!(",c{column}")).collect();
    let row = ",(8.93)".repeat(40);
    let text: String = (1..10).map(|day| format!("2022-01-0{day}{row}\n")).collect();
    let panel = read(format!("date{header}\n{text}")).unwrap();
    assert_eq!(panel.values()[0], -8.93);
    assert_eq!(panel.doubts().len(), 13, "{:?}", panel.doubts());
    assert_eq!(panel.doubts()[12], "and 28 more");
}
