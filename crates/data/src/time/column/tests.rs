//! Tests.

use super::*;

fn read(cells: &[&str]) -> Result<TimeColumn, (usize, Refused)> {
    named(cells, Hints::default())
}

fn named(cells: &[&str], hints: Hints) -> Result<TimeColumn, (usize, Refused)> {
    let mut column = TimeColumn::new(None, false, hints);
    for (i, cell) in cells.iter().enumerate() {
        column.push(cell.as_bytes()).map_err(|e| (i, e))?;
    }
    Ok(column)
}

fn times(cells: &[&str]) -> Result<Times, TwoReadings> {
    let all = 0..cells.len();
    read(cells).unwrap().finish(None, &[all])
}

/// `{}` in `form` is replaced by 1 to `count`.
fn numbered(form: &str, count: usize) -> Vec<String> {
    (1..=count).map(|i| form.replace("{}", &i.to_string())).collect()
}

fn strs(cells: &[String]) -> Vec<&str> {
    cells.iter().map(String::as_str).collect()
}

#[test]
fn a_later_cell_settles_day_and_month() {
    let read = times(&["01/02/2012", "02/02/2012", "13/02/2012"]).unwrap();
    assert_eq!(read.written, Written::DayFirst);
    assert_eq!(read.values.len(), 3);
    assert_eq!(times(&["01/02/2012", "01/13/2012"]).unwrap().written, Written::MonthFirst);
    assert_eq!(
        times(&["19-12-30", "19-12-31", "20-01-01"]).unwrap().written,
        Written::ShortYearFirst
    );
}

#[test]
fn the_order_that_gives_a_regular_calendar_wins() {
    // The firsts of 13 months; day first they would be twelve days and one a year later.
    let mut months = numbered("{}/1/2012", 12);
    months.push("1/1/2013".into());
    assert_eq!(times(&strs(&months)).unwrap().written, Written::MonthFirst);
    let german: Vec<String> = months
        .iter()
        .map(|m| m.replacen('/', ".", 2))
        .map(|m| {
            let parts: Vec<&str> = m.split('.').collect();
            format!("{}.{}.{}", parts[1], parts[0], parts[2])
        })
        .collect();
    assert_eq!(times(&strs(&german)).unwrap().written, Written::DayFirst);
    let quarters = ["1/1/2010", "4/1/2010", "7/1/2010", "10/1/2010", "1/1/2011", "4/1/2011"];
    assert_eq!(times(&quarters).unwrap().written, Written::MonthFirst);
    // Two days of hours, early in March and in August.
    let hours: Vec<String> =
        (0..48).map(|h| format!("0{}/03/2022 {:02}:00", 8 + h / 24, h % 24)).collect();
    assert_eq!(times(&strs(&hours)).unwrap().written, Written::DayFirst);
    // Business days of a week and a half.
    let days = [3, 4, 5, 6, 7, 10, 11, 12].map(|d| format!("{d:02}.01.2022"));
    assert_eq!(times(&strs(&days)).unwrap().written, Written::DayFirst);
    let newest_first: Vec<&str> = months.iter().rev().map(String::as_str).collect();
    assert_eq!(times(&newest_first).unwrap().written, Written::MonthFirst);
}

#[test]
fn what_stays_ambiguous_is_said() {
    let two = times(&["02/02/2012", "01/02/2012", "03/04/2012"]).unwrap_err();
    let (cell, first, second) = ("01/02/2012".into(), "2012-02-01".into(), "2012-01-02".into());
    assert_eq!(two, TwoReadings { row: 1, cell, first, second });
    // Twelve days of January, or the firsts of twelve months: both are regular.
    assert!(times(&strs(&numbered("{}/1/2012", 12))).is_err());
    assert!(times(&["7/1/2010", "7/1/2011", "7/1/2012"]).is_err());
}

#[test]
fn refusals_say_why() {
    assert_eq!(read(&["2012-01-01", "soon"]).unwrap_err(), (1, Refused::Unreadable));
    assert_eq!(read(&["2012-01-01", ""]).unwrap_err(), (1, Refused::Missing));
    assert_eq!(
        read(&["2012-01-01T00:00Z", "2012-01-01T01:00"]).unwrap_err(),
        (1, Refused::OffsetMixed)
    );
}

#[test]
fn numbers_are_rows_years_dates_or_seconds() {
    let written = |cells: &[&str]| times(cells).unwrap().written;
    assert_eq!(written(&["0", "1", "2"]), Written::Index);
    assert_eq!(written(&["2010", "2011", "2012"]), Written::Year);
    assert_eq!(written(&["2010.0", "2011.0", "2012.0"]), Written::Year);
    assert_eq!(written(&["1328002215", "1328005815"]), Written::Epoch(1_000_000_000));
    assert_eq!(written(&["2019010122", "2019010123", "2019010200"]), Written::CompactHour);
    assert_eq!(written(&["2199", "2200", "2201"]), Written::Index);
    assert_eq!(written(&["201011", "201012", "201101"]), Written::YearMonth);
    assert_eq!(written(&["201551", "201552", "201553", "201601"]), Written::YearWeek);
    assert_eq!(written(&["0.00", "0.01", "0.02"]), Written::Seconds);
    assert_eq!(written(&["43830", "43831", "43832"]), Written::Index);
    assert_eq!(written(&["43831.5", "43831.75", "43832"]), Written::Spreadsheet);
    let dated = named(&["43830", "43831"], Hints { dates: true, ..Hints::default() }).unwrap();
    assert_eq!(
        dated.finish(None, std::slice::from_ref(&(0..2))).unwrap().written,
        Written::Spreadsheet
    );
    let weeks = named(&["201501", "201502"], Hints { weeks: true, ..Hints::default() }).unwrap();
    assert_eq!(
        weeks.finish(None, std::slice::from_ref(&(0..2))).unwrap().written,
        Written::YearWeek
    );
}

#[test]
fn decimal_years_are_months_or_days() {
    let shown = |cells: &[&str]| -> Vec<String> {
        times(cells).unwrap().values.iter().map(|&t| Clock::Civil.show(t)).collect()
    };
    let months = ["1949-01-01", "1949-02-01", "1949-03-01"];
    assert_eq!(shown(&["1949.0", "1949.08333333333", "1949.16666666667"]), months);
    assert_eq!(shown(&["1949.00", "1949.08", "1949.17"]), months);
    assert_eq!(shown(&["1949.0417", "1949.1250", "1949.2083"]), months); // the middles of the months
    assert_eq!(
        shown(&["1960.25", "1960.5", "1960.75"]),
        ["1960-04-01", "1960-07-01", "1960-10-01"]
    );
    assert_eq!(
        shown(&["2010.00274", "2010.00548", "2010.00822"]),
        ["2010-01-02", "2010-01-03", "2010-01-04"]
    );
}

#[test]
fn changing_offsets_are_local_days_or_instants() {
    let day = |d: &str, offset: &str| format!("2022-03-{d} 00:00+0{offset}:00");
    let days: Vec<String> = (20..=27)
        .map(|d| day(&d.to_string(), "1"))
        .chain((28..=31).map(|d| day(&d.to_string(), "2")))
        .collect();
    let read = times(&strs(&days)).unwrap();
    assert_eq!(
        (read.offset, Clock::Civil.show(read.values[11]).as_str()),
        (Offset::Local, "2022-03-31")
    );
    let hours = [
        "2022-03-27 00:00+01:00",
        "2022-03-27 01:00+01:00",
        "2022-03-27 03:00+02:00",
        "2022-03-27 04:00+02:00",
    ];
    assert_eq!(times(&hours).unwrap().offset, Offset::Changing);
    assert_eq!(times(&["2022-03-27 00:00+01:00"]).unwrap().offset, Offset::Fixed(3600));
}
