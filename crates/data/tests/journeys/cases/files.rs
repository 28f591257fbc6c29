//! The cases as files, where they are beside the repository: each with what is right for it.

use super::*;

/// File without its ending, keys, step, first time, and the next three.
const TIMES: [(&str, &str, &str, &str, [&str; 3]); 20] = [
    ("monthly-us-slash", "", "month", "2010-01-01", ["2020-01-01", "2020-02-01", "2020-03-01"]),
    ("monthly-german-dots", "", "month", "2010-01-01", ["2020-01-01", "2020-02-01", "2020-03-01"]),
    ("export-european", "", "month", "1949-01-01", ["1961-01-01", "1961-02-01", "1961-03-01"]),
    (
        "stamps-yyyymmddhh",
        "",
        "1h",
        "2019-01-01 00:00:00",
        ["2019-03-02 00:00:00", "2019-03-02 01:00:00", "2019-03-02 02:00:00"],
    ),
    ("stamps-isoweek", "", "7d", "2015-01-05", ["2019-12-30", "2020-01-06", "2020-01-13"]),
    ("time-seconds-decimal", "", "10ms", "0", ["6", "6.01", "6.02"]),
    ("time-decimal-year", "", "month", "1960-01-01", ["1980-01-01", "1980-02-01", "1980-03-01"]),
    ("export-rdecimal", "", "month", "1949-01-01", ["1961-01-01", "1961-02-01", "1961-03-01"]),
    (
        "export-elnino_wide",
        "",
        "12 month",
        "1950-01-01",
        ["2011-01-01", "2012-01-01", "2013-01-01"],
    ),
    ("export-pandas_index", "", "month", "1949-01-01", ["1961-01-01", "1961-02-01", "1961-03-01"]),
    ("file-index_col", "", "1d", "2021-01-01", ["2021-10-28", "2021-10-29", "2021-10-30"]),
    (
        "export-year_month_cols",
        "time = [\"year\", \"month\"]",
        "month",
        "1949-01-01",
        ["1961-01-01", "1961-02-01", "1961-03-01"],
    ),
    (
        "file-date_hour",
        "time = [\"Date\", \"Hour\"]",
        "1h",
        "2021-01-01 01:00:00",
        ["2021-02-10 01:00:00", "2021-02-10 02:00:00", "2021-02-10 03:00:00"],
    ),
    ("export-mon-yy", "", "month", "1949-01-01", ["1961-01-01", "1961-02-01", "1961-03-01"]),
    (
        "business-one-saturday",
        "",
        "business-day",
        "2019-06-03",
        ["2021-04-30", "2021-05-03", "2021-05-04"],
    ),
    (
        "business-month-end",
        "",
        "business-month-end",
        "2010-01-29",
        ["2020-01-31", "2020-02-28", "2020-03-31"],
    ),
    (
        "month-end-stated",
        "frequency = \"month\"",
        "month-end",
        "2010-04-30",
        ["2020-04-30", "2020-05-31", "2020-06-30"],
    ),
    ("payday-30", "", "month@30", "2010-02-28", ["2020-02-29", "2020-03-30", "2020-04-30"]),
    ("daily-offsets-dst", "", "1d", "2022-01-01", ["2022-10-28", "2022-10-29", "2022-10-30"]),
    (
        "newest-first-dst",
        "unsorted = \"sort\"\ntime_zone = \"Europe/Berlin\"",
        "1h",
        "2022-01-01 01:00:00+01:00",
        ["2022-11-01 01:00:00+01:00", "2022-11-01 02:00:00+01:00", "2022-11-01 03:00:00+01:00"],
    ),
];

/// File, keys, and the values of its first two rows in order of time.
const VALUES: [(&str, &str, [&[f32]; 2]); 6] = [
    ("thousands-point", "thousands = \".\"", [&[979.0], &[1317.0]]),
    ("thousands-point", "decimal = \".\"", [&[979.0], &[1.317]]),
    ("file-accounting", "", [&[0.64], &[13.17]]),
    (
        "bool-covariate",
        "targets = [\"Weekly_Sales\"]\nfuture_covariates = [\"IsHoliday\"]",
        [&[952.96, 1.0], &[1011.13, 0.0]],
    ),
    ("file-comment_lines", "", [&[53.18], &[68.05]]),
    ("sparse-sales", "frequency = \"1d\"\nfill = \"zero\"", [&[2.0], &[4.0]]),
];

/// File, and a part of the question that it leads to.
const QUESTIONS: [(&str, &str); 6] = [
    ("export-year_month_cols", "set `time = [\"year\", \"month\"]`"),
    ("file-date_hour", "set `time = [\"Date\", \"Hour\"]`"),
    ("newest-first-dst", "set `unsorted = \"sort\"`"),
    ("file-investing", "set `unsorted = \"sort\"`"),
    ("thousands-point", "`1.317` in column `Umsatz` can be read as 1.317 and as 1317"),
    ("sparse-sales", "set `frequency = \"1d\"`"),
];

fn case(name: &str) -> Option<String> {
    let path = crate::support::shared("cases", "BALLAST_CASES", &format!("{name}.csv"))?;
    Some(std::fs::read_to_string(path).unwrap())
}

#[test]
fn every_case_has_its_right_times() {
    for (name, keys, expected, first, next) in TIMES {
        let Some(text) = case(name) else { return };
        let panel = read_with(&text, keys).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(
            (step(&panel).as_str(), panel.time(0).unwrap().as_str()),
            (expected, first),
            "{name}"
        );
        assert_eq!(panel.observed(), None, "{name}: nothing is missing");
        assert_eq!(ahead(&text, keys), next, "{name}");
    }
}

#[test]
fn every_case_has_its_right_values_or_a_question() {
    for (name, keys, rows) in VALUES {
        let Some(text) = case(name) else { return };
        let panel = read_with(&text, keys).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!([panel.row(0).unwrap(), panel.row(1).unwrap()], rows, "{name}");
    }
    let Some(text) = case("sparse-sales") else { return };
    let panel = read_with(&text, "frequency = \"1d\"\nfill = \"zero\"").unwrap();
    assert_eq!((panel.rows(), panel.row(2).unwrap(), panel.observed()), (1490, &[0.0][..], None));
    let Some(text) = case("file-investing") else { return };
    let panel = read_with(&text, "unsorted = \"sort\"").unwrap();
    let last = panel.row(panel.rows() - 1).unwrap();
    assert_eq!(last, [1424.48, 1424.48, 1429.48, 1419.48, 574_710.0, -1.11]);
    for (name, question) in QUESTIONS {
        let Some(text) = case(name) else { return };
        let said = message(read(&text));
        assert!(said.contains(question), "{name}: {said}");
    }
}
