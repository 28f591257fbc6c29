//! A table in any of many styles, written and read back.

use super::*;

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
