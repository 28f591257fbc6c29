//! Tests.

use super::*;
use proptest::prelude::*;

fn times(cells: &[&str]) -> Vec<i64> {
    cells
        .iter()
        .map(|cell| {
            super::super::parse::Written::candidates(cell)[0].parse(cell.as_bytes()).unwrap().value
        })
        .collect()
}

#[test]
fn steps_are_inferred() {
    let cases: [(&[&str], &str); 12] = [
        (&["2012-01-01 00:00", "2012-01-01 01:00", "2012-01-01 02:00"], "1h"),
        (&["2012-01-01", "2012-01-02", "2012-01-04"], "1d"),
        (&["2012-01-05", "2012-01-06", "2012-01-09", "2012-01-10"], "business-day"),
        (&["2012-01-01", "2012-01-08", "2012-01-15"], "7d"),
        (&["2012-01-15", "2012-02-15", "2012-03-15"], "month"),
        (&["2012-01-31", "2012-02-29", "2012-03-31"], "month-end"),
        (&["2012-01-30", "2012-02-29", "2012-03-30"], "month@30"),
        (&["2010-01-29", "2010-02-26", "2010-03-31", "2010-04-30"], "business-month-end"),
        (
            &["2010-01-01", "2010-02-01", "2010-03-01", "2010-04-01", "2010-05-03"],
            "business-month-start",
        ),
        (&["2010", "2011", "2012"], "12 month"),
        (&["2012Q1", "2012Q2", "2012Q3"], "3 month"),
        (&["2012-03-31", "2012-06-30", "2012-09-30"], "3 month-end"),
    ];
    for (cells, expected) in cases {
        assert_eq!(
            Frequency::infer(&times(cells), &Clock::Civil).to_string(),
            expected,
            "{cells:?}"
        );
    }
    assert_eq!(Frequency::infer(&[10, 20, 40], &Clock::Index), Frequency::Index(10));
}

/// Eight weeks of the given days of the week.
fn weeks(days: &[i64]) -> Vec<i64> {
    (15_336..15_392).filter(|&day| days.contains(&weekday(day))).map(|day| day * DAY).collect()
}

#[test]
fn weeks_may_have_any_days() {
    let step = |times: &[i64]| Frequency::infer(times, &Clock::Civil).to_string();
    assert_eq!(step(&weeks(&[6, 0, 1, 2, 3])), "mon,tue,wed,thu,sun");
    assert_eq!(step(&weeks(&[0, 1, 2, 3, 4, 5])), "mon,tue,wed,thu,fri,sat");
    assert_eq!(step(&weeks(&[1, 3])), "tue,thu");
    assert_eq!(step(&weeks(&[2])), "7d");
    assert_eq!(step(&weeks(&[0, 1, 2, 3, 4, 5, 6])), "1d");
    let mut saturday = weeks(&[0, 1, 2, 3, 4]);
    saturday.push(15_346 * DAY);
    saturday.sort_unstable();
    assert_eq!(weekday(15_346), 5);
    assert_eq!(step(&saturday), "business-day", "one Saturday among forty days");
}

#[test]
fn a_day_is_as_long_as_its_zone_says() {
    let berlin = Clock::in_zone("Europe/Berlin").unwrap();
    // 2012-03-25 00:00 in Berlin is 23:00 UTC the day before; that day has 23 hours.
    let start = times(&["2012-03-24 23:00"])[0];
    let next = Frequency::Days(1).advance(start, 1, &berlin);
    assert_eq!((next - start) / HOUR, 23);
    assert_eq!(Frequency::Days(1).steps(start, next, &berlin), Some(1));
}

#[test]
fn months_keep_the_day_that_the_series_means() {
    let after = |cells: &[&str], stated: &str| -> Vec<String> {
        let times = times(cells);
        let frequency = stated.parse::<Frequency>().unwrap().anchored(&times, &Clock::Civil);
        (1..=3)
            .map(|k| Clock::Civil.show(frequency.advance(*times.last().unwrap(), k, &Clock::Civil)))
            .collect()
    };
    assert_eq!(
        after(&["2010-03-31", "2010-04-30"], "month"),
        ["2010-05-31", "2010-06-30", "2010-07-31"]
    );
    assert_eq!(
        after(&["2010-12-30", "2011-01-30", "2011-02-28"], "month"),
        ["2011-03-30", "2011-04-30", "2011-05-30"]
    );
    assert_eq!(
        after(&["2010-12-28", "2011-01-28", "2011-02-28"], "month"),
        ["2011-03-28", "2011-04-28", "2011-05-28"]
    );
    assert_eq!(
        after(&["2010-03-31", "2010-06-30"], "quarter"),
        ["2010-09-30", "2010-12-31", "2011-03-31"]
    );
    assert_eq!(
        after(&["2010-03-31", "2010-04-30"], "business-month-end"),
        ["2010-05-31", "2010-06-30", "2010-07-30"]
    );
}

#[test]
fn names_are_read_and_written() {
    for name in [
        "15min",
        "1h",
        "1d",
        "7d",
        "business-day",
        "mon,wed,fri",
        "month",
        "month-end",
        "month@30",
        "3 month@29",
        "business-month-end",
        "business-month-start",
        "3 month",
        "index",
        "irregular",
        "250ms",
        "90min",
        "36h",
    ] {
        assert_eq!(name.parse::<Frequency>().unwrap().to_string(), name);
    }
    assert_eq!("24h".parse::<Frequency>().unwrap(), Frequency::Days(1));
    assert_eq!("quarter".parse::<Frequency>().unwrap().to_string(), "3 month");
    for bad in
        ["", "0h", "-1h", "h1", "1 fortnight", "2 irregular", "99999999999h", "1.5h", "mon,xyz"]
    {
        let error = bad.parse::<Frequency>().unwrap_err().to_string();
        assert!(error.starts_with("data.frequency = "), "{bad}: {error}");
    }
}

proptest! {
    /// Law: advancing by k steps is k steps away.
    #[test]
    fn advance_and_steps_are_inverse(
        day in -20_000i64..40_000, k in 0i64..3000, which in 0usize..8,
    ) {
        let names = [
            "1h", "3d", "business-day", "mon,thu,sun", "month@30", "3 month-end", "business-month-end", "5 index",
        ];
        let (frequency, clock): (Frequency, _) = (names[which].parse().unwrap(), Clock::Civil);
        let start = match frequency {
            Frequency::Weekdays(_) | Frequency::Months(..) => frequency.advance(day * DAY, 1, &clock),
            _ => day * DAY,
        };
        let end = frequency.advance(start, k, &clock);
        prop_assert_eq!(frequency.steps(start, end, &clock), Some(k));
    }
}
