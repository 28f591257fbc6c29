//! Times that a guess would read wrong.

use super::*;

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
    assert!(text.contains("set `time_format = \"%d/%m/%Y\"`"), "{text}");
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
        said.contains("time 2020-03-14 is not on a day of the step business-day (1 such row)"),
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
fn forms_of_offices_and_spreadsheets_are_read() {
    let months = months(40);
    let weeks = dates(date(2018, 12, 31), 60, |i| i.weeks());
    let quarters = dates(date(2005, 1, 1), 40, |i| (3 * i).months());
    let iso = |d: &Date| (d.iso_week_date().year(), d.iso_week_date().week());
    let quarter = |d: &Date| (d.year(), (d.month() + 2) / 3);
    let month = |header: &str, form: &'static str| {
        table(header, ',', &months, |d| d.strftime(form).to_string())
    };
    for (text, expected) in [
        (month("TIME,y", "%YM%m"), "month"),
        (month("TIME,y", "%Y-M%m"), "month"),
        (month("Month,y", "%b'%y"), "month"),
        (month("yyyymm,y", "%Y%m.0"), "month"),
        (month("Monat,y", "%m.%Y"), "month"),
        (table("week,y", ',', &weeks, |d| format!("{}-{:02}", iso(d).0, iso(d).1)), "7d"),
        (table("week,y", ',', &weeks, |d| format!("{}W{:02}1", iso(d).0, iso(d).1)), "7d"),
        (table("Woche,y", ',', &weeks, |d| format!("KW {:02}/{}", iso(d).1, iso(d).0)), "7d"),
        (table("w,y", ',', &weeks, |d| format!("{d} - {}", *d + 6.days())), "7d"),
        (
            table("q,y", ',', &quarters, |d| format!("FY{} Q{}", quarter(d).0, quarter(d).1)),
            "3 month",
        ),
        (
            table("q,y", ',', &quarters, |d| format!("Q{} FY{:02}", quarter(d).1, d.year() % 100)),
            "3 month",
        ),
    ] {
        let panel = read(&text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(step(&panel), expected, "{text}");
        let first = match expected {
            "month" => "2010-01-01",
            "7d" => "2018-12-31",
            _ => "2005-01-01",
        };
        assert_eq!(panel.time(0).unwrap(), first, "{text}");
        assert_eq!(text.contains("FY"), panel.doubts().iter().any(|d| d.starts_with("fiscal")));
    }
    assert_eq!(step(&read(month("week,y", "%Y-%m-%d")).unwrap()), "month", "a name is no proof");
    let hours: Vec<_> = (0..60).map(|i| date(2019, 1, 31).at(10, 0, 0, 0) + i.hours()).collect();
    for form in
        ["%Y%m%d %H:%M", "%Y%m%d-%H%M%S", "%Y%m%d %H", "%a %b %d %H:%M:%S %Y", "%Y-%m-%d %H"]
    {
        let text = table("time,y", ',', &hours, |t| t.strftime(form).to_string());
        let panel = read(&text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            (step(&panel), panel.time(0).unwrap()),
            ("1h".into(), "2019-01-31 10:00:00".into())
        );
    }
    let spans = table("MTU,y", ',', &hours, |t| {
        let form = "%d.%m.%Y %H:%M";
        format!("{} - {}", t.strftime(form), (*t + 1.hours()).strftime(form))
    });
    let panel = read(spans).unwrap();
    assert_eq!((step(&panel), panel.time(0).unwrap()), ("1h".into(), "2019-01-31 10:00:00".into()));
}

/// A column called by a step whose cells no form reads is asked about, not left out for numbered rows.
#[test]
fn unreadable_times_are_asked_about() {
    for (header, cell) in [("year", "1980/83"), ("Quartal", "I/2005"), ("week", "wk 7")] {
        let rows: Vec<i32> = (0..40).collect();
        let text = message(read(table(&format!("{header},y"), ',', &rows, |_| cell.into())));
        assert!(
            text.starts_with(&format!("t.csv:2:1: `{cell}` in column `{header}` is not a time")),
            "{text}"
        );
    }
}
