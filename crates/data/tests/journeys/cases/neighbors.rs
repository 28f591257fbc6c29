//! Neighbors of the cases: the same kinds in other notations, orders and languages.

use jiff::civil::DateTime;

use super::*;

fn quarter(d: &Date) -> i8 {
    (d.month() + 2) / 3
}

fn week(d: &Date) -> (i16, i8) {
    (d.iso_week_date().year(), d.iso_week_date().week())
}

/// Checks step and first time of each table.
fn check(tables: Vec<(String, &str, &str)>) {
    for (text, expected, first) in tables {
        let panel = read(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(
            (step(&panel).as_str(), panel.time(0).unwrap().as_str(), panel.observed()),
            (expected, first, None),
            "{text}"
        );
        assert_eq!(panel.channels().names(), ["y"], "{text}");
    }
}

#[test]
fn years_and_quarters_have_many_notations() {
    let years = dates(date(1980, 1, 1), 40, |i| (12 * i).months());
    let quarters = dates(date(2005, 1, 1), 40, |i| (3 * i).months());
    let halves = dates(date(2000, 1, 1), 40, |i| (6 * i).months());
    let next = |d: &Date| d.year() + 1;
    let year = |header, show: fn(&Date, i16) -> String| {
        (table(header, ',', &years, |d| show(d, next(d))), "12 month", "1980-01-01")
    };
    let quarter_of = |header, show: fn(i8, i16) -> String| {
        (table(header, ',', &quarters, |d| show(quarter(d), d.year())), "3 month", "2005-01-01")
    };
    check(vec![
        year("season,y", |d, next| format!("{}/{:02}", d.year(), next % 100)),
        year("season,y", |d, next| format!("{}-{:02}", d.year(), next % 100)),
        year("year,y", |d, next| format!("{}/{next}", d.year())),
        year("year,y", |d, next| format!("{}-{next}", d.year())),
        year("Fiscal Year,y", |d, _| format!("FY{}", d.year())),
        quarter_of("Quartal,y", |q, y| format!("{q}. Quartal {y}")),
        quarter_of("period,y", |q, y| format!("Quarter {q} {y}")),
        quarter_of("obs,y", |q, y| format!("{q}Q/{y}")),
        quarter_of("obs,y", |q, y| format!("Q{q}-{:02}", y % 100)),
        quarter_of("trimestre,y", |q, y| format!("T{q} {y}")),
        quarter_of("time,y", |q, y| format!("{}", f64::from(y) + f64::from(q - 1) / 4.0)),
        (
            table("TIME_PERIOD,y", ',', &halves, |d| {
                format!("{}-S{}", d.year(), d.month() / 7 + 1)
            }),
            "6 month",
            "2000-01-01",
        ),
    ]);
    // Sunspots are older than 1800; without a name that says so, such numbers count rows.
    let old = table("Year,y", ',', &(1700..1790).collect::<Vec<i32>>(), i32::to_string);
    check(vec![(old.clone(), "12 month", "1700-01-01")]);
    assert_eq!(step(&read(old.replace("Year", "time")).unwrap()), "index");
    // A year of months in two digits is no season.
    let months = table("date,y", ',', &months(12), |d| d.strftime("%Y-%m").to_string());
    check(vec![(months, "month", "2010-01-01")]);
}

#[test]
fn months_and_days_have_names_in_many_languages() {
    const GERMAN: [&str; 12] = [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ];
    const FRENCH: [&str; 12] = [
        "janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.",
        "déc.",
    ];
    let name = |d: &Date, names: [&str; 12]| names[d.month() as usize - 1].to_owned();
    let months = months(40);
    let days = dates(date(2019, 1, 1), 120, |i| i.days());
    let month = |show: &dyn Fn(&Date) -> String| {
        (table("when;y", ';', &months, show), "month", "2010-01-01")
    };
    let day = |form: &str| {
        (table("when;y", ';', &days, |d| d.strftime(form).to_string()), "1d", "2019-01-01")
    };
    check(vec![
        month(&|d| format!("{} {}", name(d, GERMAN), d.year())),
        month(&|d| format!("{} {:02}", &name(d, GERMAN), d.year() % 100)),
        month(&|d| format!("{} {}", name(d, FRENCH), d.year())),
        month(&|d| d.strftime("%B, %Y").to_string()),
        month(&|d| d.strftime("%b %Y").to_string().replace("Sep", "Sept")),
        month(&|d| d.strftime("%b-%y").to_string().to_uppercase()),
        day("%a %d/%m/%Y"),
        day("%a, %d %b %Y"),
        day("%-d de %b de %Y"),
        day("%Y-%j"),
        day("%Y%j"),
    ]);
}

#[test]
fn digits_of_dates_have_several_orders() {
    let days = dates(date(2019, 1, 1), 120, |i| i.days());
    let day = |form: &str, count: usize| {
        table("date,y", ',', &days[..count], |d| d.strftime(form).to_string())
    };
    let first = "2019-01-01";
    check(["%d%m%Y", "%m%d%Y", "%y%m%d"].map(|form| (day(form, 120), "1d", first)).into());
    // Twelve days are as well twelve months, or other days.
    for form in ["%d%m%Y", "%y%m%d"] {
        let text = message(read(day(form, 12)));
        assert!(text.contains("can be read as") && text.contains("time_format"), "{text}");
    }
}

#[test]
fn weeks_have_signs_and_orders_of_their_own() {
    // Over two years of 53 weeks.
    let weeks = dates(date(2014, 12, 29), 330, |i| i.weeks());
    let of = |header: &str, show: fn(i16, i8) -> String| {
        (table(header, ';', &weeks, |d| show(week(d).0, week(d).1)), "7d", "2014-12-29")
    };
    check(vec![
        of("week;y", |y, w| format!("{y}/{w:02}")),
        of("week;y", |y, w| format!("{w:02}/{y}")),
        of("Week;y", |y, w| format!("W{w:02} {y}")),
        of("Woche;y", |y, w| format!("{y} KW{w:02}")),
        of("yw;y", |y, w| format!("{y}{w:02}")),
    ]);
}

/// Numbers that behave as times are no targets, whatever they are called.
#[test]
fn times_without_a_name_are_found() {
    let hours: Vec<DateTime> =
        (0..72).map(|h| date(2019, 1, 1).at(0, 0, 0, 0) + SignedDuration::from_hours(h)).collect();
    let zone = jiff::tz::TimeZone::UTC;
    let days = |t: &DateTime| {
        t.to_zoned(zone.clone()).unwrap().timestamp().as_second() as f64 / 86_400.0 + 25_569.0
    };
    check(vec![
        (table("p,y", ',', &months(60), |d| d.strftime("%Y%m").to_string()), "month", "2010-01-01"),
        (
            table("caldt,y", ',', &months(60), |d| {
                d.last_of_month().strftime("%Y%m%d").to_string()
            }),
            "month-end",
            "2010-01-31",
        ),
        (
            table("stamp,y", ',', &hours, |t| t.strftime("%Y%m%d%H").to_string()),
            "1h",
            "2019-01-01 00:00:00",
        ),
        (table("stamp,y", ',', &hours, |t| format!("{:.8}", days(t))), "1h", "2019-01-01 00:00:00"),
    ]);
    // Values that go up and down are values.
    let rows: Vec<i32> = (0..60).collect();
    for header in ["x,y", "data,y", "t,y"] {
        let text = table(header, ',', &rows, |i| format!("{}.5", 100 + i * 7 % 11));
        let names: Vec<&str> = header.split(',').collect();
        assert_eq!(read(text).unwrap().channels().names(), names);
    }
    for only in ["x", "t", "year", "y", "id"] {
        let text = rows.iter().fold(format!("{only}\n"), |text, i| text + &format!("{i}\n"));
        assert_eq!(read(text).unwrap().channels().names(), [only], "a column alone is a value");
    }
    // Labels that no form reads leave a doubt.
    let panel = read(table("obs,y", ',', &rows, |i| format!("2005:{i}"))).unwrap();
    assert!(panel.doubts()[0].starts_with("column `obs` (`2005:0`) may tell the time"));
    let sideways = "Country,1960,1961,1962,1963\nA,1,2,3,4\nB,2,3,4,5\n";
    assert!(message(read(sideways)).contains("has a column for each time (`1960`, `1961`, …)"));
}

#[test]
fn zones_and_parts_of_times_are_read() {
    let hours: Vec<DateTime> =
        (0..72).map(|h| date(2020, 1, 27).at(0, 0, 0, 0) + SignedDuration::from_hours(h)).collect();
    let first = "2020-01-27 00:00:00+01:00";
    let of = |form: &str| table("time,y", ',', &hours, |t| t.strftime(form).to_string());
    check(vec![
        (of("%Y-%m-%d %H:%M CET"), "1h", first),
        (of("%Y-%m-%dT%H:%M:%S+01:00[Europe/Berlin]"), "1h", first),
    ]);
    assert!(read(of("%Y-%m-%d %H:%M CST")).is_err(), "in China it is another time");
    let parts = |header, form: &str| table(header, ',', &hours, |t| t.strftime(form).to_string());
    for (text, time) in [
        (parts("YR,MO,DY,HR,y", "%Y,%-m,%-d,%-H"), "[\"YR\", \"MO\", \"DY\", \"HR\"]"),
        (parts("YYYYMMDD,HHMM,y", "%Y%m%d,%-H%M"), "[\"YYYYMMDD\", \"HHMM\"]"),
    ] {
        assert!(message(read(&text)).contains(&format!("set `time = {time}`")), "{text}");
        let panel = read_with(&text, &format!("time = {time}")).unwrap();
        assert_eq!((step(&panel).as_str(), panel.rows()), ("1h", 72));
    }
    // Twelve days of either order: the format that is asked for is that of the date.
    let either = parts("date,hour,y", "%d/%m/%Y,%-H").replace("/01/", "/02/").replace("27/", "07/");
    let early = either.lines().take(25).fold(String::new(), |text, line| text + line + "\n");
    let keys = "time = [\"date\", \"hour\"]";
    assert!(message(read_with(&early, keys)).contains("set `time_format = \"%d/%m/%Y\"`"));
    let panel = read_with(&early, &format!("{keys}\ntime_format = \"%d/%m/%Y\"")).unwrap();
    assert_eq!(panel.time(0).unwrap(), "2020-02-07 00:00:00");
}

#[test]
fn sparse_months_are_months() {
    let all = months(120);
    let some: Vec<Date> = (0..120).filter(|i| matches!(i % 5, 0 | 1 | 3)).map(|i| all[i]).collect();
    let panel = read(table("date,y", ',', &some, Date::to_string)).unwrap();
    assert_eq!((step(&panel).as_str(), panel.rows()), ("month", 119));
}

#[test]
fn numbers_have_many_marks() {
    let days = dates(date(2019, 1, 1), 40, |i| i.days());
    let of = |cell: &dyn Fn(usize) -> String| {
        let rows = days.iter().enumerate().map(|(i, day)| format!("{day};{}\n", cell(i)));
        rows.fold("date;y\n".to_owned(), |text, row| text + &row)
    };
    for (text, second) in [
        (of(&|i| format!("{}.2bn", i + 1)), 2.2e9_f32),
        (of(&|i| format!("{},2 Mio.", i + 1)), 2.2e6),
        (of(&|i| format!("({i}.5%)")), -1.5),
        (of(&|i| format!("\u{2212}{},317.50", i + 1)), -2317.5),
        (of(&|i| format!("{}.317,50-", i + 1)), -2317.5),
        (of(&|i| format!("(${},317.50)", i + 1)), -2317.5),
        (of(&|i| format!("{},23,456.50", i + 1)), 223_456.5),
        (of(&|i| if i == 7 { "*".into() } else { format!("{i}.5") }), 1.5),
        (of(&|i| if i == 7 { "---".into() } else { format!("{i}.5") }), 1.5),
    ] {
        let panel = read(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(panel.row(1).unwrap(), [second], "{text}");
    }
    let flags = "targets = [\"y\"]\nfuture_covariates = [\"promo\"]";
    for (yes, no) in [("Y", "N"), ("WAHR", "FALSCH"), ("ja", "nein"), ("on", "off")] {
        let text = of(&|i| format!("{i}.5;{}", if i == 1 { yes } else { no }));
        let panel = read_with(text.replace("date;y", "date;y;promo"), flags).unwrap();
        assert_eq!(panel.values()[..4], [0.5, 0.0, 1.5, 1.0], "{yes}");
    }
    // Two notations in one file: following the hint for one would break the other.
    let mixed = of(&|i| format!("{i}.25;{i},25")).replace("date;y", "date;a;b");
    let text = message(read(&mixed));
    assert!(text.starts_with("t.csv:2:17: `0,25` in column `b` is not a number"), "{text}");
    assert!(text.contains("write `0.25`, or set `targets = "), "{text}");
    assert_eq!(read_with(&mixed, "targets = [\"a\"]").unwrap().row(1).unwrap(), [1.25]);
}

#[test]
fn titles_and_aligned_columns_are_read() {
    let plain = table("date,y", ',', &dates(date(2019, 1, 1), 40, |i| i.days()), Date::to_string);
    let panel = read(format!("Sales report,\nRegion: North,\n{plain}")).unwrap();
    assert_eq!((panel.channels().names(), panel.rows()), (&["y".to_owned()][..], 40));
    assert_eq!(panel.notes().len(), 2, "{:?}", panel.notes());
    let titled = format!("Sales report\nGenerated 2020-01-01\n\n{plain}");
    assert!(message(read(&titled)).contains("set `skip_rows = 3` under [data]"));
    assert_eq!(read_with(&titled, "skip_rows = 3").unwrap().rows(), 40);
    let aligned: String = plain.lines().fold(String::new(), |text, line| {
        let (date, y) = line.split_once(',').unwrap();
        text + &format!("  {date:10}   {y:>8}  \n")
    });
    let panel = read(&aligned).unwrap();
    assert_eq!((panel.rows(), panel.time(39).unwrap().as_str()), (40, "2019-02-09"));
    assert_eq!(panel.row(7).unwrap(), [3.0]);
    let wrong = aligned.replacen("       3  ", "       x  ", 1);
    assert!(message(read(&wrong)).starts_with("t.csv:8:"), "{}", message(read(&wrong)));
}

/// A table of one shop is read as that of the shop, so that a model of it does not take another in silence.
#[test]
fn the_only_series_has_its_name() {
    let days = dates(date(2019, 1, 1), 90, |i| i.days());
    let shop =
        |name: &str| table("date,store,region,y", ',', &days, |d| format!("{d},{name},north"));
    let folder = Folder::new();
    folder.write("t.csv", shop("S1"));
    let config = data::DataConfig::new("t.csv", 1, 1);
    let init = data::Init { data: config, horizon: Some(3), context: Some(4) };
    let new = data::init(&init, folder.path()).unwrap();
    assert_eq!(new.config.id.as_deref(), Some("store"));
    assert_eq!(new.doubtful, ["`store` is taken to name the series"]);
    let pipeline = data::load(&new.config, folder.path()).unwrap().pipeline;
    let other = folder.write("now.csv", shop("S3"));
    assert!(
        message(pipeline.forecast_input(&other))
            .contains("series `S3` was not in the training data")
    );
}
