//! A run remembers how its table was read, and forecasts from later files what they allow.

use std::fmt::Write as _;

use journeys::{Desk, autoregression};

/// A config for `train.csv` with these keys of `[data]`, with a small model and a short training.
fn config(keys: &str) -> String {
    format!(
        r#"
seed = 3

[data]
path = "train.csv"
context = 8
horizon = 4
{keys}

[model]
kind = "conditional"
hidden = 8
latent = 2
instance_norm = false

[train]
ridge_start = false
choose_instance_norm = false
epochs = 1
steps_per_epoch = 10

[evaluate]
samples = 20
baselines = ["last-value"]
"#
    )
}

const SHARES: &str = "split = { train = 0.6, validation = 0.2, test = 0.2 }";

/// Trains on `table`; returns the desk and the start message.
fn trained(table: &str, keys: &str) -> (Desk, serde_json::Value) {
    let desk = Desk::new();
    desk.write("train.csv", table).write("config.toml", &config(keys));
    let said = desk.succeed(&["train", "config.toml", "--run", "run"]);
    let start = said.lines().next().expect("a start message");
    let start = serde_json::from_str(start).expect("JSON lines where stdout is no terminal");
    (desk, start)
}

const FORECAST: [&str; 6] = ["forecast", "run", "--input", "now.csv", "--output", "out.csv"];

/// Forecasts from a file; returns what was printed, and the cells of the output.
fn forecast(desk: &Desk, table: &str, more: &[&str]) -> (String, Vec<Vec<String>>) {
    let said = desk.write("now.csv", table).succeed(&[&FORECAST[..], more].concat());
    let text = String::from_utf8(desk.read("out.csv")).expect("UTF-8");
    let cells = |line: &str| line.split(',').map(str::to_owned).collect();
    (said, text.lines().map(cells).collect())
}

/// A table of one column `y`, whose rows are written by `row` from their number and value.
fn table(header: &str, rows: std::ops::Range<usize>, row: impl Fn(usize, f64) -> String) -> String {
    let values = autoregression(rows.end, 0.5, 1);
    rows.fold(format!("{header}\n"), |mut text, i| {
        writeln!(text, "{}", row(i, values[i])).expect("a string takes any text");
        text
    })
}

/// Hour `hour` of 2022 up to the end of March, as month, day and hour.
fn clock(hour: usize) -> (usize, usize, usize) {
    let (day, hour) = (hour / 24, hour % 24);
    match day {
        0..31 => (1, day + 1, hour),
        31..59 => (2, day - 30, hour),
        _ => (3, day - 58, hour),
    }
}

/// Day `day` of 2022 up to the end of March, in ISO notation.
fn day(day: usize) -> String {
    let (month, day, _) = clock(24 * day);
    format!("2022-{month:02}-{day:02}")
}

fn iso(hour: usize) -> String {
    let (month, day, hour) = clock(hour);
    format!("2022-{month:02}-{day:02} {hour:02}:00")
}

/// The rows of the first days of a month could be read with the month first.
#[test]
fn days_before_months_are_remembered() {
    let slashes = |hour: usize, value: f64| {
        let (month, day, hour) = clock(hour);
        format!("{day:02}/{month:02}/2022 {hour:02}:00,{value:.3}")
    };
    let (desk, _) = trained(&table("time,load", 0..400, slashes), SHARES);
    let first = 66 * 24; // the 8th of March
    let (_, rows) = forecast(&desk, &table("time,load", first..first + 20, slashes), &[]);
    assert_eq!((&rows[0][0][..], &rows[1][0][..]), ("time", "2022-03-08 20:00:00"));
    // Another notation is an error that says how to name it, and can be named.
    let iso = table("time,load", first..first + 20, |hour, value| format!("{},{value}", iso(hour)));
    let said = desk.write("now.csv", &iso).fail(65, &FORECAST);
    for part in ["now.csv:2:1", "2022-03-08 00:00", "day first", "--set", "time_format"] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
    let (_, rows) = forecast(&desk, &iso, &["--set", "data.time_format=%Y-%m-%d %H:%M"]);
    assert_eq!(rows[1][0], "2022-03-08 20:00:00");
    let renamed = iso.replace("time,", "moment,");
    assert!(desk.write("now.csv", &renamed).fail(65, &FORECAST).contains("--set"));
    let both = ["--set", "data.time=moment", "--set", "data.time_format=%Y-%m-%d %H:%M"];
    let (_, rows) = forecast(&desk, &renamed, &both);
    assert_eq!((&rows[0][0][..], &rows[1][0][..]), ("moment", "2022-03-08 20:00:00"));
    for wrong in ["data.context=9", "train.epochs=1", "time=moment", "data.time.x=1"] {
        let said = desk.fail(2, &[&FORECAST[..], &["--set", wrong]].concat());
        assert!(
            said.contains(wrong) && said.contains("data.time_format, data.time_zone"),
            "{said}"
        );
    }
}

#[test]
fn times_with_and_without_an_offset_are_told_apart() {
    let utc = |hour, value| format!("{}:00Z,{value:.3}", iso(hour).replace(' ', "T"));
    let (desk, _) = trained(&table("time,y", 0..400, utc), SHARES);
    let naive = table("time,y", 400..420, |hour, value| format!("{},{value:.3}", iso(hour)));
    let said = desk.write("now.csv", &naive).fail(65, &FORECAST);
    for part in ["without an offset from UTC", "with an offset from UTC", "--set data.time_zone"] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
    let (_, rows) = forecast(&desk, &naive, &["--set", "data.time_zone=UTC"]);
    assert!(rows[1][0].starts_with("2022-01-18"), "{rows:?}");
}

/// `1.086` is more than a thousand, as in the table of the training.
#[test]
fn points_between_thousands_are_remembered() {
    let german = |text: &str| text.replace('.', ";").replace(',', ".").replace(';', ",");
    let write = |comma: bool| {
        move |i: usize, value: f64| {
            let value = 1300.0 + 40.0 * value;
            let thousands = (value / 1000.0).floor();
            let rest = value - 1000.0 * thousands;
            let number = match comma {
                true => format!("{thousands},{rest:05.1}"),
                false => format!("{thousands},{:03}", rest.floor()),
            };
            let (month, day, _) = clock(24 * i);
            format!("{day:02}.{month:02}.2022;{}", german(&number))
        }
    };
    let (desk, _) = trained(&table("Datum;Umsatz", 0..60, write(true)), SHARES);
    let (_, rows) = forecast(&desk, &table("Datum;Umsatz", 60..80, write(false)), &[]);
    assert_eq!(rows[0][..2], ["Datum", "Umsatz_mean"]);
    let mean: f64 = rows[1][1].parse().unwrap();
    assert!((1100.0..1500.0).contains(&mean), "{mean}");
}

/// A channel that begins after the training rows is named, and has no part in scores.
#[test]
fn channels_and_series_without_training_rows_are_named() {
    let late = |i: usize, value: f64| {
        let new = if i < 350 { String::new() } else { (463_838.0 + value).to_string() };
        format!("{},{value:.3},{new}", iso(i))
    };
    let (desk, start) = trained(&table("time,old,new", 0..400, late), SHARES);
    let doubt = start["doubtful"][0].as_str().unwrap();
    assert!(doubt.contains("`new`") && doubt.contains("no value in the training rows"), "{doubt}");
    desk.succeed(&["evaluate", "run"]);
    let test = &desk.json("run/evaluation.json")["forecasters"][0]["test"];
    assert!(test["log_score"].as_f64().unwrap().abs() < 100.0, "{test}");
    assert!(test["mse"].as_f64().unwrap() < 100.0, "{test}");
    // The weights that forecast were fitted again on all rows, where the channel has values.
    let (_, rows) = forecast(&desk, &table("time,old,new", 300..400, late), &[]);
    assert_eq!((&rows[0][1][..], &rows[0][9][..], rows[0].len()), ("old_mean", "new_mean", 1 + 16));
    let new: f64 = rows[1][9].parse().unwrap();
    assert!((new - 463_838.0).abs() < 20.0, "{new}");

    let mut shops =
        table("date,store,sales", 0..85, |i, value| format!("{},S1,{value:.3}", day(i)));
    let late = table("", 60..85, |i, value| format!("{},S3,{}", day(i), 1e6 + value));
    shops += late.trim_start();
    let split =
        "id = \"store\"\nsplit = { validation_from = \"2022-02-15\", test_from = \"2022-03-05\" }";
    let (desk, start) = trained(&shops, split);
    let doubt = start["doubtful"][0].as_str().unwrap();
    assert!(doubt.contains("`S3`") && doubt.contains("no value in the training rows"), "{doubt}");
    desk.succeed(&["evaluate", "run"]);
    let test = &desk.json("run/evaluation.json")["forecasters"][0]["test"];
    assert!(test["log_score"].as_f64().unwrap().abs() < 100.0, "{test}");
    assert!(test["mse"].as_f64().unwrap() < 100.0, "{test}");
}

/// A counter near 1e8 grows by 3 and 5 in turn: in single precision its steps would be 0 or 8.
#[test]
fn a_counter_goes_on_counting() {
    let counter = |i: usize, _| format!("{},{}", iso(i), 123_456_789 + 4 * i - i % 2);
    let text = table("time,wh", 0..400, counter);
    let (desk, _) = trained(&text, &format!("{SHARES}\ntransform = \"difference\""));
    let (_, rows) = forecast(&desk, &text, &[]);
    let last = f64::from(123_456_789 + 4 * 399 - 1);
    for (step, row) in rows[1..].iter().enumerate() {
        let quantiles: Vec<f64> = row[2..].iter().map(|cell| cell.parse().unwrap()).collect();
        let grown = quantiles[3] - last;
        let expected = 4.0 * (step + 1) as f64;
        assert!((grown - expected).abs() < 0.5 * expected, "step {step}: {grown}");
        assert!(quantiles.iter().any(|value| value.fract() != 0.0), "{quantiles:?}");
    }
}

/// A model that never saw a gap fills those of a later file, and says so.
#[test]
fn gaps_that_training_did_not_have_are_filled_and_noted() {
    let whole = |i: usize, value: f64| format!("{},{value:.3},{}", iso(i), i % 5);
    let text = table("time,load,other", 0..400, whole);
    let later = table("time,load,other", 380..400, whole);
    let gap = |cell: &dyn Fn(usize, f64) -> String| {
        table("time,load,other", 380..400, |i, value| match i {
            394 | 395 => format!("{},{},{}", iso(i), cell(i, value), i % 5),
            _ => whole(i, value),
        })
    };
    let held = format!("{:.3}", autoregression(400, 0.5, 1)[393]);
    for keys in ["", "fill = \"forward\""] {
        let (desk, _) = trained(&text, &format!("{SHARES}\n{keys}"));
        let (said, _) = forecast(&desk, &later, &[]);
        assert!(!said.contains("note"), "{said}");
        let (said, filled) = forecast(&desk, &gap(&|_, _| String::new()), &[]);
        let note = "`load` has no value in 2 rows of the context, the first at 2022-01-17 10:00:00";
        assert_eq!((said.matches("note: ").count(), said.matches(note).count()), (1, 1), "{said}");
        // Oracle: the file with the last value written into the gap.
        let (said, by_hand) = forecast(&desk, &gap(&|_, _| held.clone()), &[]);
        assert!(!said.contains("note"), "{said}");
        assert_eq!(filled, by_hand);
        // A row that is missing has a gap in every channel.
        let row = iso(394);
        let shorter: String = later
            .lines()
            .filter(|line| !line.starts_with(&row))
            .fold(String::new(), |text, line| text + line + "\n");
        let (said, rows) = forecast(&desk, &shorter, &[]);
        assert_eq!((said.matches("note: ").count(), rows.len()), (2, 5), "{said}");
        let empty = table("time,load,other", 380..400, |i, value| match i {
            390.. => format!("{},,{}", iso(i), i % 5),
            _ => whole(i, value),
        });
        let said = desk.write("now.csv", &empty).fail(65, &FORECAST);
        assert!(said.contains("no value of `load` in its last 8 rows"), "{said}");
    }
    let (desk, _) = trained(&text, &format!("{SHARES}\nfill = \"error\""));
    let said = desk.write("now.csv", &gap(&|_, _| String::new())).fail(65, &FORECAST);
    assert!(
        said.contains("`load` at 2022-01-17 10:00:00") && said.contains("fill = \"error\""),
        "{said}"
    );
}

/// Series and categories that the training did not have are listed; the rest is forecast, under the user's names.
#[test]
fn unknown_series_and_categories_are_listed_beside_forecasts() {
    let stores = |named: &[(&str, &str)]| {
        let rows = named.iter().map(|(store, region)| {
            table("", 0..60, |i, value| format!("{},{store},{region},{value:.3}", day(i)))
        });
        let rows: String = rows.map(|text| text.trim_start().to_owned()).collect();
        format!("date,store,region,sales\n{rows}")
    };
    let keys = format!("{SHARES}\nid = \"store\"\nstatic_covariates = [\"region\"]");
    let two = stores(&[("S1", "north"), ("S2", "south")]);
    let (desk, _) = trained(&two, &keys);
    let (said, rows) =
        forecast(&desk, &stores(&[("S1", "north"), ("S2", "west"), ("S4", "north")]), &[]);
    assert!(said.contains("series `S4` is left out") && said.contains("per = \"all\""), "{said}");
    assert!(said.contains("series `S2` is left out") && said.contains("`west`"), "{said}");
    assert_eq!(rows[0][..3], ["store", "date", "sales_mean"]);
    assert_eq!(rows.len(), 1 + 4);
    assert!(rows[1..].iter().all(|row| row[0] == "S1"), "{rows:?}");
    // A model of one store takes no other store in silence.
    let one = format!("{SHARES}\nid = \"store\"");
    let other = stores(&[("S3", "north")]);
    let (desk, _) = trained(&stores(&[("S1", "north")]), &one);
    let said = desk.write("now.csv", &other).fail(65, &FORECAST);
    assert!(said.contains("series `S3` was not in the training data"), "{said}");
    // With one scale for all, it forecasts any store.
    let shared = format!("{one}\nscale = {{ kind = \"standard\", per = \"all\" }}");
    let (desk, _) = trained(&two, &shared);
    let (said, rows) = forecast(&desk, &other, &[]);
    assert!(!said.contains("left out"), "{said}");
    assert!(rows[1..].iter().all(|row| row[0] == "S3"), "{rows:?}");
}
