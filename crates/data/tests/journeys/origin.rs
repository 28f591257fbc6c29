//! Tables as they were known at earlier rows, natural seasons, and parts counted from the end.

use data::{Frequency, Split};

use crate::support::{config, daily, read, read_with};

/// Oracle: the rows by hand. Targets after an end are gone, covariates known ahead stay for the horizon.
#[test]
fn later_rows_are_cut_off() {
    let text = "id,day,y,promo\na,2020-01-01,1,0\na,2020-01-02,2,1\na,2020-01-03,3,0\na,2020-01-04,4,1\n\
                b,2020-01-01,5,0\nb,2020-01-02,6,1\n";
    let plain = read_with(text, "id = \"id\"\ntargets = [\"y\"]").unwrap();
    let cut = plain.until(&[2, 9], 1).unwrap();
    assert_eq!((cut.target(0, 0), cut.target(1, 0)), (vec![1.0, 2.0], vec![5.0, 6.0]));
    let only = plain.until(&[0, 1], 1).unwrap();
    assert_eq!((only.series().len(), only.series()[0].name()), (1, "b"));
    assert_eq!(only.target(0, 0), [5.0]);
    let keys = "id = \"id\"\ntargets = [\"y\"]\nfuture_covariates = [\"promo\"]";
    let ahead = read_with(text, keys).unwrap().until(&[2, 2], 1).unwrap();
    let seen = ahead.target(0, 0);
    assert!(seen.len() == 3 && seen[1] == 2.0 && seen[2].is_nan(), "{seen:?}");
    assert_eq!(ahead.row(2).unwrap()[1], 0.0);
    assert_eq!(ahead.observed().unwrap()[4..6], [false, true]);
    assert!(plain.until(&[1], 1).unwrap_err().to_string().contains("one per series"));
    assert!(plain.target(7, 0).is_empty());
}

/// Oracle: the calendar.
#[test]
fn times_go_on_after_month_ends_and_weekends() {
    let ends = read("day,y\n2019-11-30,1\n2019-12-31,2\n2020-01-31,3\n").unwrap();
    assert_eq!(ends.times_after(0, 3, 2).unwrap(), ["2020-02-29", "2020-03-31"]);
    assert_eq!(ends.times_after(0, 2, 2).unwrap(), ["2020-01-31", "2020-02-29"]);
    let days = "day,y\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n2020-01-06,4\n2020-01-07,5\n\
                2020-01-08,6\n2020-01-09,7\n2020-01-10,8\n";
    let business = read(days).unwrap();
    assert_eq!(business.times_after(0, 8, 2).unwrap(), ["2020-01-13", "2020-01-14"]);
    assert!(business.times_after(1, 8, 2).is_err());
}

/// Oracle: 24 hours in a day, 168 in a week; 365 days in a year; 5 and 260 business days; 12 months.
#[test]
fn seasons_follow_from_the_step() {
    let cases: [(&str, &[usize]); 8] = [
        ("1h", &[24, 168]),
        ("30min", &[48, 336]),
        ("1d", &[7, 365]),
        ("7d", &[52]),
        ("business-day", &[5, 260]),
        ("month", &[12]),
        ("quarter", &[4]),
        ("year", &[]),
    ];
    for (step, expected) in cases {
        assert_eq!(step.parse::<Frequency>().unwrap().seasons(), expected, "{step}");
    }
}

/// Oracle: by hand; at most two fifths of the rows are held back.
#[test]
fn parts_are_counted_from_the_end() {
    let panel = read(daily(20)).unwrap();
    let parts = |last: &str| {
        let text =
            format!("path = \"t.csv\"\ncontext = 2\nhorizon = 1\nsplit = {{ last = {last} }}");
        Split::new(&config(&text), &panel).unwrap().parts()[0].clone()
    };
    let found = parts("[5, 3]");
    assert_eq!((found.train, found.validation, found.test), (0..12, 12..17, 17..20));
    let found = parts("[50, 0]");
    assert_eq!((found.train, found.validation, found.test), (0..12, 12..20, 20..20));
}

#[test]
fn calendar_features_are_the_last_channels() {
    let panel = read(daily(10)).unwrap();
    let width = panel.channels().len();
    assert!(panel.is_dated());
    let with = panel.with_calendar(&[data::CalendarFeature::Weekday]).unwrap();
    assert!(with.channels().len() > width && with.channels().calendar().start == width);
    let numbered = read("t,y\n0,1\n1,2\n2,3\n").unwrap();
    assert!(!numbered.is_dated());
    assert!(numbered.with_calendar(&[data::CalendarFeature::Weekday]).is_err());
}
