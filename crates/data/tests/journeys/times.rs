//! Time: forms, zones, gaps, order, steps, in every series.

use crate::support::{message, read, read_with};

fn rows(times: &[&str]) -> String {
    times
        .iter()
        .enumerate()
        .fold("time,y\n".to_owned(), |t, (i, time)| t + &format!("{time},{i}\n"))
}

#[test]
fn gaps_are_masked_filled_or_refused() {
    let table = rows(&["2012-01-01", "2012-01-02", "2012-01-04", "2012-01-05", "2012-01-06"]);
    let panel = read(&table).unwrap();
    assert_eq!(panel.rows(), 6);
    assert!(panel.values()[2].is_nan());
    assert_eq!(panel.observed().unwrap(), [true, true, false, true, true, true]);
    assert_eq!(panel.time(3).unwrap(), "2012-01-04");
    assert_eq!(
        panel.findings()[0].to_string().rsplit_once('/').unwrap().1,
        "t.csv:4:1: series `t`, row 3: 1 row missing between 2012-01-02 and 2012-01-04 (1 row in 1 gap)"
    );
    let refused = message(read_with(&table, "fill = \"error\""));
    assert!(refused.starts_with("t.csv:4:1: series `t`, row 3: 1 row missing"), "{refused}");
}

#[test]
fn order_and_repetition_end_in_a_remedy() {
    let unsorted = rows(&["2012-01-02", "2012-01-01", "2012-01-03"]);
    assert_eq!(
        message(read(&unsorted)),
        "t.csv:3:1: series `t`, row 2: time goes back from 2012-01-02 to 2012-01-01 (1 such row)\n  \
         hint: sort the rows by time, or set `unsorted = \"sort\"` under [data]"
    );
    let sorted = read_with(&unsorted, "unsorted = \"sort\"").unwrap();
    assert_eq!(sorted.values(), [1.0, 0.0, 2.0]);
    let twice = rows(&["2012-01-01", "2012-01-02", "2012-01-02", "2012-01-03"]);
    assert!(
        message(read(&twice))
            .starts_with("t.csv:4:1: series `t`, row 3: time 2012-01-02 is there already")
    );
    for (keys, expected) in [("first", 1.0), ("last", 2.0), ("mean", 1.5)] {
        let panel = read_with(&twice, &format!("duplicates = \"{keys}\"")).unwrap();
        assert_eq!(panel.values(), [0.0, expected, 3.0], "{keys}");
    }
}

#[test]
fn faults_are_found_in_every_series() {
    let long = "id,time,y\na,2012-01-01,1\na,2012-01-02,2\na,2012-01-03,2\nb,2012-01-02,3\n\
                b,2012-01-01,3\nb,2012-01-03,3\nc,2012-01-01,4\nc,2012-01-01,5\nc,2012-01-02,5\n";
    let text = message(read_with(long, "id = \"id\""));
    assert!(text.contains("t.csv:6:1: series `b`, row 2: time goes back"), "{text}");
    assert!(
        text.contains("t.csv:9:1: series `c`, row 2: time 2012-01-01 is there already"),
        "{text}"
    );
}

#[test]
fn a_series_of_another_step_is_named() {
    let mut long = "id,time,y\n".to_owned();
    for d in 1..=20 {
        long += &format!("a,2012-01-{d:02},1\n");
    }
    for h in 0..10 {
        long += &format!("b,2012-01-01 {h:02}:00,1\n");
    }
    let text = message(read_with(&long, "id = \"id\""));
    assert!(text.contains("series `b`, row 1: time step is 1h, other series have 1d"), "{text}");
}

#[test]
fn clock_changes_need_a_zone() {
    let hours = |skip: Option<usize>, twice: Option<usize>, day: &str| {
        let mut all: Vec<String> = (0..24).map(|h| format!("{day} {h:02}:00")).collect();
        if let Some(h) = twice {
            all.insert(h, all[h].clone());
        }
        if let Some(h) = skip {
            all.remove(h);
        }
        all
    };
    let table = |times: &[String]| rows(&times.iter().map(String::as_str).collect::<Vec<_>>());
    // 2012-10-28 in Berlin: the hour from 2 to 3 comes twice.
    let autumn = table(&hours(None, Some(2), "2012-10-28"));
    let text = message(read(&autumn));
    assert!(
        text.contains("hint: the hour clocks change: set `time_zone = \"Europe/Berlin\"`"),
        "{text}"
    );
    let panel = read_with(&autumn, "time_zone = \"Europe/Berlin\"").unwrap();
    assert_eq!((panel.rows(), panel.observed()), (25, None));
    assert_eq!(panel.time(2).unwrap(), "2012-10-28 02:00:00+02:00");
    assert_eq!(panel.time(3).unwrap(), "2012-10-28 02:00:00+01:00");
    // 2012-03-25: it does not come at all.
    let spring = table(&hours(Some(2), None, "2012-03-25"));
    let panel = read(&spring).unwrap();
    assert_eq!(panel.rows(), 24);
    assert!(panel.findings()[0].remedy().contains("time_zone"));
    let panel = read_with(&spring, "time_zone = \"Europe/Berlin\"").unwrap();
    assert_eq!((panel.rows(), panel.findings().len()), (23, 0));
}

#[test]
fn offsets_and_integers_are_times_too() {
    let offsets =
        rows(&["2012-03-25T01:00+01:00", "2012-03-25T03:00+02:00", "2012-03-25T04:00+02:00"]);
    let panel = read_with(&offsets, "time_zone = \"Europe/Berlin\"").unwrap();
    assert_eq!((panel.frequency().to_string().as_str(), panel.rows()), ("1h", 3));
    assert_eq!(panel.time(1).unwrap(), "2012-03-25 03:00:00+02:00");
    let hours = read(rows(&["2012-01-01 23:00", "2012-01-02 00:00", "2012-01-02 01:00"])).unwrap();
    assert_eq!(hours.time(1).unwrap(), "2012-01-02 00:00:00", "one form for all rows");
    let numbered = read(rows(&["10", "20", "40"])).unwrap();
    assert_eq!((numbered.frequency().to_string().as_str(), numbered.rows()), ("10 index", 4));
    assert_eq!(numbered.time(2).unwrap(), "30");
    let none = read("y\n1\n2\n3\n").unwrap();
    assert_eq!(none.time(2).unwrap(), "2");
    assert_eq!(none.notes(), ["no time column: rows are numbered from 0"]);
}

#[test]
fn trading_days_and_months_have_steps_of_their_own() {
    let days = ["2014-01-02", "2014-01-03", "2014-01-06", "2014-01-07", "2014-01-08", "2014-01-09"];
    assert_eq!(read(rows(&days)).unwrap().frequency().to_string(), "business-day");
    let months = ["2014-01-31", "2014-02-28", "2014-03-31", "2014-05-31"];
    let panel = read(rows(&months)).unwrap();
    assert_eq!((panel.frequency().to_string().as_str(), panel.rows()), ("month-end", 5));
    assert_eq!(panel.time(3).unwrap(), "2014-04-30");
}

#[test]
fn a_mixed_step_is_refused_and_irregular_rows_can_be_taken() {
    let mut times: Vec<String> = (1..=15).map(|d| format!("2012-01-{d:02} 00:00")).collect();
    times.extend((0..12).map(|h| format!("2012-01-16 {h:02}:00")));
    let times: Vec<&str> = times.iter().map(String::as_str).collect();
    let text = message(read(rows(&times)));
    assert!(text.contains("the step changes from"), "{text}");
    let panel = read_with(rows(&times), "frequency = \"irregular\"").unwrap();
    assert_eq!((panel.rows(), panel.observed()), (27, None));
    assert_eq!(panel.time(26).unwrap(), "2012-01-16 11:00:00");
}

#[test]
fn seconds_beyond_every_clock_are_refused() {
    // Found by fuzzing: the smallest integer has no absolute value.
    let text = message(read(rows(&["0.5", "-9223372036854775808", "1.5"])));
    assert!(text.contains("-9223372036854775808"), "{text}");
}
