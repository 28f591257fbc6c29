//! From training to later files.

use super::*;

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
    // A forecast masks the channel as the training did, and says nothing of it.
    let folder = Folder::new();
    let input = prepared.pipeline.forecast_input(&folder.write("now.csv", &late)).unwrap();
    assert!(input.panel.observed().unwrap().iter().skip(1).step_by(2).all(|seen| !seen));
    let forecast = input.original(0, &[0.0; 6]).unwrap();
    assert!(forecast.iter().step_by(2).all(|v| v.is_finite()));
    assert!(forecast.iter().skip(1).step_by(2).all(|v| v.is_nan()));
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
    let folder = Folder::new();
    let path = folder.write("now.csv", &shops);
    let input = prepared.pipeline.forecast_input(&path).unwrap();
    assert_eq!(input.panel.series().len(), 1);
    let [left_out] = &input.left_out[..] else { panic!("{:?}", input.left_out) };
    assert_eq!(left_out.series, "b");
    assert!(left_out.reason.contains("had no value of a target in the training rows"));
    assert!(left_out.reason.contains("per = \"all\""));
    let shared =
        load_with(&shops, &format!("{split}\nscale = {{ kind = \"standard\", per = \"all\" }}"))
            .unwrap();
    assert!(shared.panel.doubts().is_empty(), "the scale of all series is known");
    let new = shops.replace("\nb,", "\nc,");
    for keys in [
        format!("{split}\nscale = {{ kind = \"standard\", per = \"all\" }}"),
        format!("{split}\nscale = \"none\""),
    ] {
        let pipeline = load_with(&shops, &keys).unwrap().pipeline;
        for later in [&shops, &new] {
            let input = pipeline.forecast_input(&folder.write("now.csv", later)).unwrap();
            assert_eq!((input.panel.series().len(), input.left_out.len()), (2, 0), "{keys}");
        }
    }
}
