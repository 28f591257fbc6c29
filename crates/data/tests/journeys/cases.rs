//! Tables as people have them, and what is right for each: times and numbers that a guess would read wrong.

use std::fmt::Write;

use data::Panel;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Span, ToSpan};
use proptest::prelude::*;

use crate::support::{Folder, load_with, message, read, read_with};

/// `count` dates `step` apart.
fn dates(start: Date, count: i64, step: impl Fn(i64) -> Span) -> Vec<Date> {
    (0..count).map(|i| start.checked_add(step(i)).unwrap()).collect()
}

fn months(count: i64) -> Vec<Date> {
    dates(date(2010, 1, 1), count, |i| i.months())
}

/// A table of times, each written by `show`, and values that go up by a half.
fn table<T>(
    header: &str,
    delimiter: char,
    times: &[T],
    mut show: impl FnMut(&T) -> String,
) -> String {
    times.iter().enumerate().fold(format!("{header}\n"), |mut text, (i, time)| {
        writeln!(text, "{}{delimiter}{}", show(time), i / 2).unwrap();
        text
    })
}

fn step(panel: &Panel) -> String {
    panel.frequency().to_string()
}

fn first_and_last(panel: &Panel) -> [String; 2] {
    [panel.time(0).unwrap(), panel.time(panel.rows() - 1).unwrap()]
}

/// The times after the table, as a model with horizon 3 forecasts them.
fn ahead(content: &str, keys: &str) -> Vec<String> {
    let split = "context = 4\nhorizon = 3\nsplit = { train = 0.6, validation = 0.2, test = 0.2 }\n";
    let pipeline = load_with(content, &format!("{split}{keys}")).unwrap().pipeline;
    let folder = Folder::new();
    let input = pipeline.forecast_input(&folder.write("t.csv", content)).unwrap();
    input.times(0).unwrap()
}

#[test]
fn the_order_of_day_and_month_gives_a_regular_calendar() {
    let us = |d: &Date| format!("{}/{}/{}", d.month(), d.day(), d.year());
    let german = |d: &Date| format!("{:02}.{:02}.{}", d.day(), d.month(), d.year());
    for (text, keys) in [
        (table("Month,y", ',', &months(120), us), ""),
        (table("Datum;y", ';', &months(120), german), ""),
        (table("Datum;y", ';', &months(26), |d| d.strftime("%d.%m.%y").to_string()), ""),
        (
            table("Month,y", ',', &months(120).into_iter().rev().collect::<Vec<_>>(), us),
            "unsorted = \"sort\"",
        ),
    ] {
        let panel = read_with(&text, keys).unwrap();
        assert_eq!((step(&panel).as_str(), panel.observed()), ("month", None), "{text}");
        assert_eq!(panel.time(1).unwrap(), "2010-02-01");
        assert_eq!(panel.doubts().len(), 1, "{:?}", panel.doubts());
    }
    let text = table("Month,y", ',', &months(120), us);
    assert_eq!(ahead(&text, ""), ["2020-01-01", "2020-02-01", "2020-03-01"]);
    let quarters = dates(date(2010, 1, 1), 24, |i| (3 * i).months());
    assert_eq!(step(&read(table("date,y", ',', &quarters, us)).unwrap()), "3 month");
    // One month is missing: still months.
    let mut gap = months(60);
    gap.remove(30);
    let panel = read(table("date,y", ',', &gap, us)).unwrap();
    assert_eq!((step(&panel).as_str(), panel.rows()), ("month", 60));
    // A year of them are as well twelve days of January: ask.
    let text = message(read(table("date,y", ',', &months(12), us)));
    assert!(
        text.starts_with(
            "t.csv:3:1: `2/1/2010` in column `date` can be read as 2010-01-02 and as 2010-02-01"
        ),
        "{text}"
    );
    assert!(text.contains("set `time_format`"), "{text}");
    // Series of a long table are looked at one by one.
    let mut long = "shop,date,y\n".to_owned();
    for shop in ["a", "b"] {
        months(18).iter().for_each(|d| writeln!(long, "{shop},{},1", us(d)).unwrap());
    }
    assert_eq!(step(&read_with(&long, "id = \"shop\"").unwrap()), "month");
}

#[test]
fn digits_of_dates_are_dates() {
    let hours: Vec<_> =
        (0..72).map(|h| date(2019, 1, 1).at(0, 0, 0, 0) + SignedDuration::from_hours(h)).collect();
    let text = table("MESS_DATUM;y", ';', &hours, |t| t.strftime("%Y%m%d%H").to_string());
    let panel = read(&text).unwrap();
    assert_eq!((step(&panel).as_str(), panel.channels().names()), ("1h", &["y".to_owned()][..]));
    assert_eq!(first_and_last(&panel), ["2019-01-01 00:00:00", "2019-01-03 23:00:00"]);
    let text = table("period,y", ',', &months(30), |d| d.strftime("%Y%m").to_string());
    assert_eq!(first_and_last(&read(&text).unwrap()), ["2010-01-01", "2012-06-01"]);
    // Real seconds of ten digits stay seconds.
    let text = table("time,y", ',', &(0..50).collect::<Vec<i64>>(), |i| {
        (1_600_000_000 + 600 * i).to_string()
    });
    assert_eq!(read(&text).unwrap().time(0).unwrap(), "2020-09-13 12:26:40+00:00");
}

#[test]
fn weeks_quarters_and_months_have_names_of_their_own() {
    let weeks = dates(date(2015, 1, 5), 60, |i| i.weeks());
    let iso = |d: &Date| (d.iso_week_date().year(), d.iso_week_date().week());
    let dashed = table("TIME_PERIOD,y", ',', &weeks, |d| format!("{}-W{:02}", iso(d).0, iso(d).1));
    let plain = table("week,y", ',', &weeks, |d| format!("{}{:02}", iso(d).0, iso(d).1));
    for (text, keys) in [(&dashed, ""), (&plain, ""), (&dashed, "time_format = \"%G-W%V\"")] {
        let panel = read_with(text, keys).unwrap();
        assert_eq!((step(&panel).as_str(), panel.observed()), ("7d", None));
        assert_eq!(first_and_last(&panel), ["2015-01-05", "2016-02-22"]);
    }
    let text = dashed.replace(',', "-3,").replace("TIME_PERIOD-3", "TIME_PERIOD");
    let panel = read_with(&text, "time_format = \"%G-W%V-%u\"").unwrap();
    assert_eq!(panel.time(0).unwrap(), "2015-01-07");
    for (form, last) in [
        ("%b-%y", "2012-06-01"),
        ("%b %Y", "2012-06-01"),
        ("%B %Y", "2012-06-01"),
        ("%YM%m", "2012-06-01"),
        ("%Y-%m", "2012-06-01"),
    ] {
        let text = table("Month,y", ',', &months(30), |d| d.strftime(form).to_string());
        let panel = read(&text).unwrap_or_else(|e| panic!("{form}: {e}"));
        assert_eq!(first_and_last(&panel), ["2010-01-01", last], "{form}");
    }
    let old = dates(date(1949, 1, 1), 144, |i| i.months());
    let text = table("Month,y", ',', &old, |d| d.strftime("%b-%y").to_string());
    assert_eq!(first_and_last(&read(&text).unwrap()), ["1949-01-01", "1960-12-01"]);
    let quarters = dates(date(2019, 1, 1), 12, |i| (3 * i).months());
    for form in ["{y}Q{q}", "{y}-Q{q}", "Q{q} {y}", "{y} Q{q}", "{q}Q{y}"] {
        let text = table("quarter,y", ',', &quarters, |d| {
            form.replace("{y}", &d.year().to_string())
                .replace("{q}", &(d.month() / 3 + 1).to_string())
        });
        assert_eq!(step(&read(&text).unwrap()), "3 month", "{form}");
    }
}

#[test]
fn decimal_times_are_times_and_never_targets() {
    let rows: Vec<i64> = (0..120).collect();
    let seconds = table("time,accel", ',', &rows, |i| format!("{}.{:02}", i / 100, i % 100));
    let panel = read(&seconds).unwrap();
    assert_eq!(
        (panel.channels().names(), step(&panel).as_str()),
        (&["accel".to_owned()][..], "10ms")
    );
    assert_eq!(first_and_last(&panel), ["0", "1.19"]);
    assert_eq!(ahead(&seconds, ""), ["1.2", "1.21", "1.22"]);
    let years = |offset: f64, decimals: usize| {
        table("year,co2", ',', &rows, |i| {
            format!("{:.decimals$}", 1960.0 + (*i as f64 + offset) / 12.0)
        })
    };
    for text in [years(0.5, 4), years(0.0, 11), years(0.0, 2), years(0.0, 3)] {
        let panel = read(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!((step(&panel).as_str(), panel.rows()), ("month", 120), "{text}");
        assert_eq!(first_and_last(&panel), ["1960-01-01", "1969-12-01"]);
        assert_eq!(panel.channels().names(), ["co2"]);
    }
    let whole = table("YEAR,JAN", ',', &rows, |i| format!("{}.0", 1900 + i));
    let panel = read(&whole).unwrap();
    assert_eq!(
        (step(&panel).as_str(), first_and_last(&panel)),
        ("12 month", ["1900-01-01".into(), "2019-01-01".into()])
    );
    let sheet = table("Date,y", ',', &rows, |i| format!("{}", 43_831 + i));
    assert_eq!(first_and_last(&read(&sheet).unwrap()), ["2020-01-01", "2020-04-29"]);
    let sheet = table("timestamp,y", ',', &rows, |i| format!("{:.6}", 43_831.0 + *i as f64 / 24.0));
    let panel = read(&sheet).unwrap();
    assert_eq!(
        (step(&panel).as_str(), first_and_last(&panel)),
        ("1h", ["2020-01-01 00:00:00".into(), "2020-01-05 23:00:00".into()])
    );
}

#[test]
fn a_row_index_is_no_target() {
    let days = dates(date(2021, 1, 1), 30, |i| i.days());
    for name in ["", "rownames", "Unnamed: 0", "index"] {
        let header = format!("{name},date,y");
        let mut row = 0;
        let text = table(&header, ',', &days, |d| {
            row += 1;
            format!("{},{d}", row - 1)
        });
        let panel = read(&text).unwrap();
        assert_eq!(panel.channels().names(), ["y"], "{header}");
        assert!(
            panel.notes().iter().any(|note| note.contains("numbers the rows")),
            "{:?}",
            panel.notes()
        );
    }
    // A column of that name which counts nothing is a column.
    let text = table("index,date,y", ',', &days, |d| format!("{},{d}", d.day() % 7));
    assert_eq!(read(&text).unwrap().channels().names(), ["index", "y"]);
    // Without times, a first column that goes up evenly is no target either.
    let text = table("x,y", ',', &days, |d| format!("{:.2}", f64::from(d.day()) * 0.01));
    assert_eq!(read(&text).unwrap().channels().names(), ["y"]);
    let text = table("date,year,y", ',', &days, |d| format!("{d},{}", d.year()));
    assert_eq!(read(&text).unwrap().channels().names(), ["y"]);
}

#[test]
fn two_columns_may_tell_one_time() {
    let text = table("year,month,y", ',', &months(30), |d| format!("{},{}", d.year(), d.month()));
    assert_eq!(
        message(read(&text)),
        "t.csv: times repeat, because `year` and `month` tell the time together\n  hint: set `time = [\"year\", \"month\"]` under [data]"
    );
    let panel = read_with(&text, "time = [\"year\", \"month\"]").unwrap();
    assert_eq!(
        (step(&panel).as_str(), first_and_last(&panel)),
        ("month", ["2010-01-01".into(), "2012-06-01".into()])
    );
    assert_eq!(panel.channels().names(), ["y"]);
    let hours: Vec<i64> = (0..96).collect();
    let day = |h: &i64| date(2021, 1, 1).checked_add((h / 24).days()).unwrap();
    let text =
        table("Date,Hour,Ontario Demand", ',', &hours, |h| format!("{},{}", day(h), h % 24 + 1));
    assert!(message(read(&text)).contains("set `time = [\"Date\", \"Hour\"]`"));
    let panel = read_with(&text, "time = [\"Date\", \"Hour\"]").unwrap();
    assert_eq!(
        (step(&panel).as_str(), first_and_last(&panel)),
        ("1h", ["2021-01-01 01:00:00".into(), "2021-01-05 00:00:00".into()])
    );
    let text = table("Date;Time;CO", ';', &hours, |h| {
        format!("{};{:02}.00.00", day(h).strftime("%d/%m/%Y"), h % 24)
    });
    assert!(message(read(&text)).contains("set `time = [\"Date\", \"Time\"]`"));

    let text = table("date,time,y", ',', &hours, |h| format!("{},{:02}:00", day(h), h % 24));
    assert!(message(read(&text)).contains("set `time = [\"date\", \"time\"]`"));
    assert_eq!(step(&read_with(&text, "time = [\"date\", \"time\"]").unwrap()), "1h");
}

#[test]
fn a_rare_odd_row_is_noted_like_a_holiday() {
    let weekday = |d: &Date| d.weekday().to_monday_zero_offset();
    let all = dates(date(2019, 6, 3), 690, |i| i.days());
    let mut days: Vec<Date> = all.iter().copied().filter(|d| weekday(d) < 5).collect();
    let plain = table("Date,Close", ',', &days, Date::to_string);
    days.push(date(2020, 3, 14)); // a Saturday
    days.sort();
    let text = table("Date,Close", ',', &days, Date::to_string);
    let panel = read(&text).unwrap();
    assert_eq!(
        (step(&panel).as_str(), panel.rows(), panel.observed()),
        ("business-day", days.len(), None)
    );
    let said = panel.findings()[0].to_string();
    assert!(
        said.contains("time 2020-03-14 is not on a day of the step business-day (1 such rows)"),
        "{said}"
    );
    assert_eq!(days.last().unwrap().to_string(), "2021-04-22");
    assert_eq!(ahead(&text, ""), ["2021-04-23", "2021-04-26", "2021-04-27"]);
    // A model trained without the odd row takes the file all the same.
    let split = "context = 4\nhorizon = 3\n";
    let pipeline = load_with(&plain, split).unwrap().pipeline;
    let folder = Folder::new();
    assert!(pipeline.forecast_input(&folder.write("t.csv", &text)).is_ok());
    // A month late by a day is still a month.
    let mut months = months(60);
    months[30] = months[30].tomorrow().unwrap();
    let panel = read(table("date,y", ',', &months, Date::to_string)).unwrap();
    assert_eq!((step(&panel).as_str(), panel.rows()), ("month", 60));
    // Sunday to Thursday.
    let week: Vec<Date> = all.iter().copied().filter(|d| !matches!(weekday(d), 4 | 5)).collect();
    let text = table("date,y", ',', &week, Date::to_string);
    assert_eq!(step(&read(&text).unwrap()), "mon,tue,wed,thu,sun");
    assert_eq!(ahead(&text, "").len(), 3);
    // Weeks that end on a Wednesday, one of them a day early.
    let mut weeks = dates(date(2019, 1, 2), 60, |i| i.weeks());
    weeks[40] = weeks[40].yesterday().unwrap();
    let text = table("date,y", ',', &weeks, Date::to_string);
    assert_eq!(step(&read(&text).unwrap()), "7d");
    assert_eq!(ahead(&text, "")[0], "2020-02-26");
}

#[test]
fn months_keep_the_day_that_they_mean() {
    let ends: Vec<Date> = months(61).iter().skip(1).map(|d| d.yesterday().unwrap()).collect();
    let text = table("date,y", ',', &ends, Date::to_string);
    let expected = ["2015-01-31", "2015-02-28", "2015-03-31"];
    assert_eq!(ahead(&text, ""), expected);
    assert_eq!(ahead(&text, "frequency = \"month\""), expected);
    assert_eq!(ahead(&text, "frequency = \"month-end\""), expected);
    let payday: Vec<Date> = months(62)
        .iter()
        .skip(1)
        .map(|d| d.with().day(d.days_in_month().min(30)).build().unwrap())
        .collect();
    let text = table("date,y", ',', &payday, Date::to_string);
    for keys in ["", "frequency = \"month\""] {
        assert_eq!(ahead(&text, keys), ["2015-03-30", "2015-04-30", "2015-05-30"]);
    }
    let last_business = |d: &Date| {
        let mut day = d.last_of_month();
        while day.weekday().to_monday_zero_offset() > 4 {
            day = day.yesterday().unwrap();
        }
        day
    };
    let closes: Vec<Date> = months(60).iter().map(last_business).collect();
    let text = table("Date,Close", ',', &closes, Date::to_string);
    assert_eq!(step(&read(&text).unwrap()), "business-month-end");
    assert_eq!(ahead(&text, ""), ["2015-01-30", "2015-02-27", "2015-03-31"]);
}

#[test]
fn stamps_over_a_clock_change_are_local_days() {
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let days = dates(date(2022, 1, 1), 200, |i| i.days());
    let stamp =
        |d: &Date| d.to_zoned(zone.clone()).unwrap().strftime("%Y-%m-%d %H:%M:%S%:z").to_string();
    let text = table("ts,y", ',', &days, stamp);
    let panel = read(&text).unwrap();
    assert_eq!((step(&panel).as_str(), panel.rows(), panel.observed()), ("1d", 200, None));
    assert_eq!(panel.doubts().len(), 1);
    assert_eq!(ahead(&text, "")[0], "2022-07-20");
    let zoned = read_with(&text, "time_zone = \"Europe/Berlin\"").unwrap();
    assert_eq!(
        (step(&zoned).as_str(), zoned.time(199).unwrap().as_str()),
        ("1d", "2022-07-19 00:00:00+02:00")
    );
    // A fixed offset keeps its own days.
    let text = table("ts,y", ',', &days[..60], stamp);
    let panel = read(&text).unwrap();
    assert_eq!(
        (step(&panel).as_str(), panel.time(0).unwrap().as_str()),
        ("1d", "2022-01-01 00:00:00+01:00")
    );
    // Newest first, in clock times, with the hour that comes twice.
    let start = date(2022, 10, 29).at(0, 0, 0, 0).to_zoned(zone).unwrap();
    let mut hours: Vec<_> =
        (0..72).map(|h| start.clone() + SignedDuration::from_hours(h)).collect();
    hours.reverse();
    let text = table("time,y", ',', &hours, |t| t.strftime("%Y-%m-%d %H:%M").to_string());
    let panel = read_with(&text, "unsorted = \"sort\"\ntime_zone = \"Europe/Berlin\"").unwrap();
    assert_eq!((step(&panel).as_str(), panel.rows(), panel.observed()), ("1h", 72, None));
    assert_eq!(panel.values()[71], 0.0);
    assert_eq!(panel.values()[..4], [35.0, 35.0, 34.0, 34.0]);
}

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
        (5, &["2 lines with `#` before the table are left out".to_owned()][..])
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

const SPLIT: &str =
    "context = 4\nhorizon = 3\nsplit = { train = 0.6, validation = 0.2, test = 0.2 }\n";

#[test]
fn a_model_reads_later_files_as_it_read_its_own() {
    let hours = |from: i64, count: i64| -> Vec<_> {
        (from..from + count)
            .map(|h| date(2022, 1, 1).at(0, 0, 0, 0) + SignedDuration::from_hours(h))
            .collect()
    };
    let show = |t: &jiff::civil::DateTime| t.strftime("%d/%m/%Y %H:%M").to_string();
    let trained = |text: &str, keys: &str| {
        let pipeline = load_with(text, &format!("{SPLIT}{keys}")).unwrap().pipeline;
        let stored = serde_json::to_string(&pipeline).unwrap();
        let back: data::Pipeline = serde_json::from_str(&stored).unwrap();
        assert_eq!(back, pipeline);
        back
    };
    let folder = Folder::new();
    let pipeline = trained(&table("time,load", ',', &hours(0, 1000), show), "");
    // Five hours of the 8th of March, which could be the 3rd of August.
    let recent = folder.write("recent.csv", table("time,load", ',', &hours(66 * 24, 5), show));
    assert_eq!(
        pipeline.forecast_input(&recent).unwrap().times(0).unwrap()[0],
        "2022-03-08 05:00:00"
    );
    let iso = folder.write(
        "iso.csv",
        table("time,load", ',', &hours(0, 50), |t| t.strftime("%Y-%m-%d %H:%M").to_string()),
    );
    let said = message(pipeline.forecast_input(&iso));
    assert!(
        said.contains("`2022-01-01 00:00` in column `time` is not a time of the form `day first`"),
        "{said}"
    );
    let config = data::DataConfig {
        time_format: Some("%Y-%m-%d %H:%M".into()),
        ..pipeline.config().clone()
    };
    let input = pipeline.rereading(&config).forecast_input(&iso).unwrap();
    assert_eq!(input.times(0).unwrap()[0], "2022-01-03 02:00:00");
    let semicolons = folder.write("semi.csv", table("time;load", ';', &hours(66 * 24, 5), show));
    let said = message(pipeline.forecast_input(&semicolons));
    assert!(
        said.contains(
            "cells are separated by `;`, those of the training data were separated by `,`"
        ),
        "{said}"
    );
    // With and without an offset from UTC.
    let utc = trained(&table("time,y", ',', &hours(0, 200), |t| format!("{t}Z")), "");
    let naive = folder.write("naive.csv", table("time,y", ',', &hours(0, 50), |t| t.to_string()));
    let said = message(utc.forecast_input(&naive));
    assert!(
        said.contains(
            "times are without an offset from UTC, those of the training data were with an offset"
        ),
        "{said}"
    );
    let config = data::DataConfig { time_zone: Some("UTC".into()), ..utc.config().clone() };
    let input = utc.rereading(&config).forecast_input(&naive).unwrap();
    assert!(input.times(0).unwrap()[0].starts_with("2022-01-03"), "{:?}", input.times(0));
    let clock = trained(&table("time,y", ',', &hours(0, 200), |t| t.to_string()), "");
    let zulu = folder.write("zulu.csv", table("time,y", ',', &hours(0, 50), |t| format!("{t}Z")));
    assert!(message(clock.forecast_input(&zulu)).contains("times are with an offset from UTC"));
    // German numbers, in a file that alone would be doubtful.
    let german = (1..=28).fold("Datum;Umsatz\n".to_owned(), |text, d| {
        text + &format!("{d:02}.01.2022;1.{:03},5\n", 300 + d)
    });
    let pipeline = trained(&german, "");
    let now = folder.write(
        "now.csv",
        (1..=9).fold("Datum;Umsatz\n".to_owned(), |text, d| {
            text + &format!("{d:02}.02.2022;1.08{d}\n")
        }),
    );
    let input = pipeline.forecast_input(&now).unwrap();
    let affine = pipeline.scaler().affine(0, 0).unwrap();
    let last = f64::from(input.panel.row(8).unwrap()[0]) * affine.spread + affine.center;
    assert!((last - 1089.0).abs() < 0.01, "{last}");
    assert_eq!(pipeline.reading().unwrap().time_columns(), ["Datum"]);
    // A file of numbers with points of another meaning is refused, not scaled.
    let plain = folder.write("plain.csv", "Datum;Umsatz\n01.02.2022;1089.5\n02.02.2022;1090.5\n");
    assert!(
        message(pipeline.forecast_input(&plain))
            .contains("`1089.5` in column `Umsatz` is not a number")
    );
}

#[test]
fn models_of_earlier_versions_are_still_read() {
    let pipeline = load_with(crate::support::daily(60), SPLIT).unwrap().pipeline;
    let mut stored = serde_json::to_value(&pipeline).unwrap();
    stored.as_object_mut().unwrap().remove("reading").unwrap();
    let old: data::Pipeline = serde_json::from_value(stored).unwrap();
    let folder = Folder::new();
    let input = old.forecast_input(&folder.write("t.csv", crate::support::daily(20))).unwrap();
    assert_eq!(input.times(0).unwrap()[0], "2012-01-21");
}

#[test]
fn check_and_init_say_what_was_understood() {
    let folder = Folder::new();
    let text =
        table("year,month,passengers", ',', &months(60), |d| format!("{},{}", d.year(), d.month()));
    folder.write("t.csv", &text);
    let config = data::DataConfig::new("t.csv", 1, 1);
    let said = data::check(&config, folder.path()).unwrap().to_string();
    assert!(said.contains("set `time = [\"year\", \"month\"]`"), "{said}");
    assert!(
        said.contains("understood: times in `year` and `month` as year first (`2010-01`)"),
        "{said}"
    );
    let init = data::Init { data: config.clone(), horizon: None, context: None };
    let new = data::init(&init, folder.path()).unwrap();
    assert_eq!(new.config.time.unwrap().names(), ["year", "month"]);
    assert!(new.understood.starts_with("times in `year` and `month`"), "{}", new.understood);
    assert_eq!(new.doubtful.len(), 1);
    // Every hint can be followed with `init`.
    let mut days = dates(date(2021, 1, 9), 120, |i| (3 * i + i % 2).days());
    days.reverse();
    folder.write("t.csv", table("date,qty", ',', &days, Date::to_string));
    assert!(message(data::init(&init, folder.path())).contains("unsorted = \"sort\""));
    let config = data::DataConfig { unsorted: data::Unsorted::Sort, ..config };
    let init = data::Init { data: config.clone(), horizon: None, context: None };
    assert!(message(data::init(&init, folder.path())).contains("frequency = \""));
    let config =
        data::DataConfig { frequency: Some("1d".into()), fill: data::Fill::Zero, ..config };
    let init = data::Init { data: config, horizon: None, context: None };
    let new = data::init(&init, folder.path()).unwrap().config;
    assert_eq!(
        (new.frequency.as_deref(), new.fill, new.unsorted),
        (Some("1d"), data::Fill::Zero, data::Unsorted::Sort)
    );
}

#[test]
fn what_has_no_training_rows_is_named_and_left_out() {
    let rows: Vec<i64> = (0..100).collect();
    let late = table("day,old,new", ',', &rows, |i| format!("{},{}", i, 40 + i % 9));
    // `new` has values only from row 80 on.
    let late: String = late
        .lines()
        .enumerate()
        .map(|(i, line)| match line.rsplit_once(',') {
            Some((before, _)) if (1..81).contains(&i) => format!("{before},\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let keys = "time = \"day\"\ncontext = 4\nhorizon = 3\nsplit = { train = 0.6, validation = 0.2, test = 0.2 }";
    let prepared = load_with(&late, keys).unwrap();
    assert_eq!(
        prepared.panel.doubts(),
        [
            "`new` of series `t` has no value in the training rows: its 20 values in later rows are left out"
        ]
    );
    assert!(prepared.panel.observed().unwrap().iter().skip(1).step_by(2).all(|seen| !seen));
    assert!(
        prepared.original_targets(80..100).unwrap().iter().skip(1).step_by(2).all(|v| v.is_nan())
    );
    // A shop that opens after the border.
    let mut shops = "shop,date,y\n".to_owned();
    let days = dates(date(2021, 1, 1), 100, |i| i.days());
    days.iter().for_each(|d| writeln!(shops, "a,{d},{}", d.day()).unwrap());
    days[80..].iter().for_each(|d| writeln!(shops, "b,{d},{}", 1000 + i32::from(d.day())).unwrap());
    let split = "id = \"shop\"\ncontext = 4\nhorizon = 3\nsplit = { validation_from = \"2021-03-01\", test_from = \"2021-03-20\" }";
    let prepared = load_with(&shops, split).unwrap();
    assert_eq!(prepared.panel.doubts().len(), 1);
    assert!(
        prepared.panel.doubts()[0]
            .starts_with("`y` of series `b` has no value in the training rows")
    );
    let shared =
        load_with(&shops, &format!("{split}\nscale = {{ kind = \"standard\", per = \"all\" }}"))
            .unwrap();
    assert!(shared.panel.doubts().is_empty(), "the scale of all series is known");
}

/// A series of dates of one calendar step, and the ways in which its times are written.
#[derive(Debug, Clone, Copy)]
struct Written {
    step: &'static str,
    form: &'static str,
    start: i64,
    rows: i64,
    newest_first: bool,
}

fn written() -> impl Strategy<Value = Written> {
    const DAYS: [&str; 12] = [
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d.%m.%Y",
        "%-m/%-d/%y",
        "%-d/%-m/%Y",
        "%Y%m%d",
        "%d-%b-%Y",
        "%b %d, %Y",
        "%d %B %Y",
        "%d-%m-%y",
    ];
    const MONTHS: [&str; 8] =
        ["%b-%y", "%b %Y", "%Y-%m", "%m/%Y", "%YM%m", "%Y%m", "%B %Y", "%Y-%b"];
    let days = prop::sample::select(vec![
        "1d",
        "7d",
        "business-day",
        "month-end",
        "business-month-end",
        "month",
        "3 month",
    ]);
    let of_days = (days, prop::sample::select(DAYS.to_vec()));
    let of_months =
        (prop::sample::select(vec!["month", "3 month"]), prop::sample::select(MONTHS.to_vec()));
    (prop_oneof![of_days, of_months], -6000i64..20_000, 24i64..70, any::<bool>()).prop_map(
        |((step, form), start, rows, newest_first)| Written {
            step,
            form,
            start,
            rows,
            newest_first,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Law: times are read as they were meant, or the reader asks; it is never wrong in silence.
    #[test]
    fn times_are_read_as_meant_or_asked_about(written in written()) {
        let Written { step, form, start, rows, newest_first } = written;
        let first = date(1970, 1, 1).checked_add(start.days()).unwrap();
        let mut times: Vec<Date> = match step {
            "1d" => dates(first, rows, |i| i.days()),
            "7d" => dates(first, rows, |i| i.weeks()),
            "business-day" => dates(first, 2 * rows, |i| i.days()).into_iter().filter(|d| d.weekday().to_monday_zero_offset() < 5).collect(),
            "month" => dates(first.first_of_month(), rows, |i| i.months()),
            "3 month" => dates(date(first.year(), 1, 1), rows, |i| (3 * i).months()),
            _ => dates(first.first_of_month(), rows, |i| i.months()).iter().map(|d| {
                let mut end = d.last_of_month();
                while step == "business-month-end" && end.weekday().to_monday_zero_offset() > 4 {
                    end = end.yesterday().unwrap();
                }
                end
            }).collect(),
        };
        // Two digits tell years from 1941 to 2040 only.
        let last = times.last().unwrap().year();
        prop_assume!(!form.contains("%y") || (first.year() > 1940 && last <= 2040));
        let expected: Vec<String> = times.iter().map(Date::to_string).collect();
        if newest_first {
            times.reverse();
        }
        let text = table("when;y", ';', &times, |d| d.strftime(form).to_string());
        let keys = if newest_first { "unsorted = \"sort\"\ntime = \"when\"" } else { "time = \"when\"" };
        match read_with(&text, keys) {
            Err(data::DataError::Ambiguous { .. }) => {}
            other => {
                let panel = other.unwrap();
                let read: Vec<String> = (0..panel.rows()).map(|row| panel.time(row).unwrap()).collect();
                prop_assert_eq!(read, expected);
                prop_assert_eq!(panel.frequency().to_string(), step);
            }
        }
    }
}
