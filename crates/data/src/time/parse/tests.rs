//! Tests.

use super::*;

fn civil(text: &str) -> i64 {
    let time: jiff::civil::DateTime = text.parse().unwrap();
    time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond()
}

/// Oracle: jiff's reading of the ISO form in the right column.
#[test]
fn common_forms_are_read() {
    let cases = [
        ("2012-01-31", "2012-01-31T00:00", false),
        ("2012/1/31", "2012-01-31T00:00", false),
        ("2012.01.31", "2012-01-31T00:00", false),
        ("2012-01", "2012-01-01T00:00", false),
        ("2012-01-31 09:30", "2012-01-31T09:30", false),
        ("1990/1/1 0:00", "1990-01-01T00:00", false),
        ("2012-01-31T09:30:15.25", "2012-01-31T09:30:15.25", false),
        ("2012-01-31T09:30:15Z", "2012-01-31T09:30:15", true),
        ("2012-01-31 09:30:15+01:00", "2012-01-31T08:30:15", true),
        ("2012-01-31 09:30:15 -0530", "2012-01-31T15:00:15", true),
        ("2012-01-31 24:00", "2012-02-01T00:00", false),
        ("31.01.2012 9:30", "2012-01-31T09:30", false),
        ("1/31/2012 12:05 AM", "2012-01-31T00:05", false),
        ("1/31/2012 9:30 pm", "2012-01-31T21:30", false),
        ("31.1.12", "2012-01-31T00:00", false),
        ("1/31/99", "1999-01-31T00:00", false),
        ("20120131", "2012-01-31T00:00", false),
        ("2012013109", "2012-01-31T09:00", false),
        ("201201", "2012-01-01T00:00", false),
        ("2012.0", "2012-01-01T00:00", false),
        ("2012M05", "2012-05-01T00:00", false),
        ("2012H2", "2012-07-01T00:00", false),
        ("2012-S2", "2012-07-01T00:00", false),
        ("3. Quartal 2012", "2012-07-01T00:00", false),
        ("Quarter 3, 2012", "2012-07-01T00:00", false),
        ("T3 2012", "2012-07-01T00:00", false),
        ("1980/81", "1980-01-01T00:00", false),
        ("1999-2000", "1999-01-01T00:00", false),
        ("2012-060", "2012-02-29T00:00", false),
        ("31012012", "2012-01-31T00:00", false),
        ("01312012", "2012-01-31T00:00", false),
        ("Januar 2010", "2010-01-01T00:00", false),
        ("1 de enero de 2010", "2010-01-01T00:00", false),
        ("31. März 2010", "2010-03-31T00:00", false),
        ("Sept 2010", "2010-09-01T00:00", false),
        ("January, 2010", "2010-01-01T00:00", false),
        ("Tue 31/01/2012", "2012-01-31T00:00", false),
        ("2012-01-31 09:30 CET", "2012-01-31T08:30", true),
        ("2012-01-31T09:30:00+01:00[Europe/Berlin]", "2012-01-31T08:30", true),
        ("Q1-12", "2012-01-01T00:00", false),
        ("05/2012", "2012-05-01T00:00", false),
        ("20120131T0930", "2012-01-31T09:30", false),
        ("20120131T093015Z", "2012-01-31T09:30:15", true),
        ("3Q2012", "2012-07-01T00:00", false),
        ("2015-W01", "2014-12-29T00:00", false),
        ("2015-W53-7", "2016-01-03T00:00", false),
        ("Jan-49", "1949-01-01T00:00", false),
        ("Jan 2010", "2010-01-01T00:00", false),
        ("5-Jan-19", "2019-01-05T00:00", false),
        ("20120131093015", "2012-01-31T09:30:15", false),
        ("2012", "2012-01-01T00:00", false),
        ("2012Q3", "2012-07-01T00:00", false),
        ("Q4 2012", "2012-10-01T00:00", false),
        ("31 Jan 2012", "2012-01-31T00:00", false),
        ("January 31, 2012", "2012-01-31T00:00", false),
        ("Feb 2012", "2012-02-01T00:00", false),
        ("1328002215", "2012-01-31T09:30:15", true),
        ("1328002215000", "2012-01-31T09:30:15", true),
        ("1328002215.5", "2012-01-31T09:30:15.5", true),
        ("43831.0416666667", "2020-01-01T01:00", false),
    ];
    for (cell, expected, has_offset) in cases {
        let first = Written::candidates(cell).into_iter().next().expect(cell);
        let parsed = first.parse(cell.as_bytes()).unwrap();
        assert_eq!(
            (parsed.value, parsed.offset.is_some()),
            (civil(expected), has_offset),
            "{cell}"
        );
    }
}

#[test]
fn impossible_times_are_refused() {
    for cell in [
        "",
        "x",
        "2012-13-01",
        "2012-02-30",
        "2012-1-1-1",
        "2012-01-31T25:00",
        "2012-01-31 9:60",
        "31/31/2012",
        "2012-01-31T09:30+25:00",
        "2012-01-31 09:30 Mars",
        "13:00 PM",
        "2012Q5",
        "2012-01-31T09:30:15.0000001",
        "0000-01-01",
        "99999-01-01",
        "2014-W53",
        "2012M13",
        "--1",
        "9223372036854775808",
    ] {
        assert!(Written::candidates(cell).is_empty(), "{cell}: {:?}", Written::candidates(cell));
    }
}

#[test]
fn day_first_and_month_first_are_both_kept_until_one_fails() {
    assert_eq!(Written::candidates("01/02/2012"), [Written::DayFirst, Written::MonthFirst]);
    assert_eq!(Written::candidates("31/01/2012"), [Written::DayFirst]);
    assert_eq!(Written::candidates("17"), [Written::Index, Written::Seconds]);
}
