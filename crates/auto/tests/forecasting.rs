//! Forecasts of whole tables: nothing leaks, everything repeats, odd series are left out by name.

use std::fmt::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use auto::{Fitted, Form, Kept, Options, Origins, POOL, Report, Table, Wanted, backtest, forecast};
use data::DataConfig;
use record::Forecast;

fn read(folder: &Path, name: &str, text: &str, horizon: usize) -> Table {
    read_with(folder, name, text, horizon, DataConfig::new("", 1, 1))
}

fn read_with(folder: &Path, name: &str, text: &str, horizon: usize, keys: DataConfig) -> Table {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    let data = DataConfig { path: Some(path), ..keys };
    Table::read(&Wanted { data, horizon: Some(horizon), context: None, season: None }).unwrap()
}

/// `rows` months of a season of twelve with a deterministic disturbance; `change` replaces values.
fn months(rows: usize, change: impl Fn(usize, f64) -> f64) -> String {
    (0..rows).fold("month,x\n".to_owned(), |mut text, row| {
        let phase = (row % 12) as f64 / 12.0 * std::f64::consts::TAU;
        let noise = ((row * 7919 + 13) % 101) as f64 / 101.0;
        let value = change(row, 50.0 + 10.0 * phase.sin() + 4.0 * noise);
        writeln!(text, "{}-{:02}-01,{value:.3}", 2010 + row / 12, row % 12 + 1).unwrap();
        text
    })
}

fn classical() -> Options {
    Options { network: false, ..Options::default() }
}

/// Held by tests that train: libtorch draws from one generator per process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A training of seconds.
fn quick() -> Options {
    let overrides = ["train.epochs=2", "model.hidden=8"].map(str::to_owned).to_vec();
    Options { overrides, ..Options::default() }
}

fn from(table: &Table, ends: &[usize], run: &Path, options: &Options) -> Forecast {
    let mut fitted = Fitted::fit(&table.until(ends).unwrap(), run, options).unwrap();
    let form = Form { samples: 5, ..Form::default() };
    forecast(&mut fitted, table, &[ends.to_vec()], &form).unwrap()
}

/// Rows after the origin do not matter, to the bit: not for members, weights, calibration, or the network.
#[test]
fn rows_after_the_origin_do_not_matter() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let honest = read(folder.path(), "x.csv", &months(84, |_, x| x), 4);
    let other = months(84, |row, x| if row < 72 { x } else { -1000.25 * (row as f64) });
    let garbage = read(folder.path(), "x.csv", &other, 4);
    for (name, options) in [("classical", classical()), ("network", quick())] {
        let run = |which: &str| folder.path().join(format!("{name}-{which}"));
        let found = from(&honest, &[72], &run("honest"), &options);
        assert!(found == from(&garbage, &[72], &run("garbage"), &options), "{name}");
        // The test sees something: one row before the origin changes the forecast.
        let earlier = months(84, |row, x| if row == 70 { x + 5.0 } else { x });
        let earlier = read(folder.path(), "x.csv", &earlier, 4);
        assert!(found != from(&earlier, &[72], &run("earlier"), &options), "{name}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let table = read(folder.path(), "x.csv", &months(72, |_, x| x), 4);
    let found = from(&table, &[72], &folder.path().join("a"), &quick());
    // In another directory, and again from the one that is there.
    assert!(found == from(&table, &[72], &folder.path().join("b"), &quick()));
    assert!(found == from(&table, &[72], &folder.path().join("a"), &quick()));
    let other = Options { seed: 2, ..quick() };
    assert!(found != from(&table, &[72], &folder.path().join("c"), &other));
}

/// A stop that is asked for ends the training with the error whose exit code is 75; the next call continues.
#[test]
fn a_training_stops_when_asked() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let table = read(folder.path(), "x.csv", &months(72, |_, x| x), 4);
    let (stopped, whole) = (folder.path().join("stopped"), folder.path().join("whole"));
    let asked = quick();
    asked.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(Fitted::fit(&table, &stopped, &asked).unwrap_err().exit_code(), 75);
    assert!(from(&table, &[72], &stopped, &quick()) == from(&table, &[72], &whole, &quick()));
}

/// Odd series are left out by name, and the others are forecast, each with samples of its own pool.
#[test]
fn odd_series_are_left_out_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "shop,month,x\n".to_owned();
    let series: [(&str, String); 4] = [
        ("missing", months(30, |_, _| f64::NAN).replace("NaN", "")),
        ("one", months(1, |_, x| x)),
        ("constant", months(60, |_, _| 7.0)),
        ("long", months(60, |_, x| x)),
    ];
    for (name, rows) in series {
        rows.lines().skip(1).for_each(|row| writeln!(text, "{name},{row}").unwrap());
    }
    let table = read(folder.path(), "shops.csv", &text, 3);
    let known = table.known().to_vec();
    let ends: Vec<usize> = known.iter().map(|rows| (*rows).max(1)).collect();
    let mut fitted =
        Fitted::fit(&table.until(&ends).unwrap(), &folder.path().join("run"), &classical())
            .unwrap();
    let form = Form { levels: vec![0.1, 0.5, 0.9], samples: 40, member: None };
    let found = forecast(&mut fitted, &table, &[known], &form).unwrap();
    let names: Vec<&str> = found.series.iter().map(|series| series.name.as_str()).collect();
    assert!(names.contains(&"constant") && names.contains(&"long"), "{names:?}");
    let left_out: Vec<&str> = found.left_out.iter().map(|left| left.series.as_str()).collect();
    assert_eq!(left_out, ["missing", "one"]);
    for series in &found.series {
        assert!(series.quantiles.iter().flatten().all(|levels| levels.is_sorted()));
        // Integers stay integers, and samples lie where the quantiles are.
        let samples = || series.samples.iter().flatten().flatten();
        match series.name.as_str() {
            "constant" => assert!(samples().all(|x| *x == 7.0)),
            _ => assert!(samples().all(|x| (30.0..80.0).contains(x))),
        }
    }
}

/// Oracle: counts by hand. Ten rows hold back three origins of a horizon of 2, two apart.
#[test]
fn a_backtest_scores_what_came() {
    let folder = tempfile::tempdir().unwrap();
    let table = read(folder.path(), "x.csv", &months(60, |_, x| x), 2);
    let origins = Origins::folds(3, 2, 2);
    assert_eq!(origins, Origins::part(6, 2, 2));
    let run = folder.path().join("run");
    let found = backtest(&table, &origins, false, &run, &classical()).unwrap();
    let pooled: Vec<_> = found.windows.iter().filter(|window| window.forecaster == 0).collect();
    assert_eq!(pooled.iter().map(|window| window.known).collect::<Vec<_>>(), [54, 56, 58]);
    let truth =
        |row: usize| months(60, |_, x| x).lines().nth(row + 1).unwrap()[11..].parse().unwrap();
    let expected: Vec<f64> = (54..60).map(truth).collect();
    let seen: Vec<f64> = pooled.iter().flat_map(|window| window.truth.clone()).collect();
    assert!(seen.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4), "{seen:?}");
    // CRPS over the mean of |y|.
    let crps: f64 = pooled
        .iter()
        .flat_map(|window| (0..2).map(|step| window.quantiles.crps(step, window.truth[step])))
        .sum();
    let scores = found.scores();
    assert_eq!((scores[0].forecaster.as_str(), scores[0].windows), (POOL, 3));
    assert!((scores[0].crps - crps / seen.iter().sum::<f64>()).abs() < 1e-12);
    assert!(scores[0].difference.is_none() && scores[1].difference.is_some());
    let weights: f64 = found.weights[0].weights.iter().sum();
    assert!(found.weights.len() == 1 && (weights - 1.0).abs() < 1e-9);
    let csv = folder.path().join("scores.csv");
    found.write_csv(&csv).unwrap();
    let text = std::fs::read_to_string(csv).unwrap();
    assert_eq!(text.lines().count(), 1 + found.windows.len() * 2);
    assert!(text.starts_with("fold,known,series,channel,forecaster,step,truth,crps,q05,q10,"));
}

/// A report of a constant series has no infinite ratio, and names nothing twice.
#[test]
fn reports_read_well() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("constant", months(80, |_, _| 5.0)),
        ("zeros", months(80, |_, _| 0.0)),
        ("season", months(80, |_, x| x)),
        ("few", months(8, |_, x| x)),
    ] {
        let table = read(folder.path(), &format!("{name}.csv"), &text, 4);
        let fitted = Fitted::fit(&table, &folder.path().join(name), &classical()).unwrap();
        let report = Report::of(&table, &fitted, None);
        let said = report.to_string();
        assert!(
            said.contains("monthly") && !said.contains("inf ") && !said.contains("NaN"),
            "{said}"
        );
        assert!(report.past.matches("seasonal naive").count() <= 1, "{said}");
        // A member that could not be fitted is not named.
        assert!(name != "few" || !report.rests_on.contains("ARIMA"), "{said}");
    }
}

/// One thread or two: the same bits.
#[test]
fn threads_do_not_matter() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let table = read(folder.path(), "x.csv", &months(72, |_, x| x), 4);
    let found = [1, 2].map(|threads| {
        let options = Options {
            run: train::RunOptions { threads: Some(threads), ..train::RunOptions::default() },
            ..quick()
        };
        from(&table, &[72], &folder.path().join(format!("{threads}")), &options)
    });
    train::set_threads(Some(1));
    assert!(found[0] == found[1]);
}

/// Sales and visits in shops, with a promotion that is known ahead: in the last rows alone, sales are missing.
fn shops(promoted: bool) -> String {
    let mut text = "month,sales,visits,promotion\n".to_owned();
    for row in 0..88 {
        let promotion = if row >= 84 { u8::from(promoted) } else { u8::from(row % 5 == 0) };
        let base = months(88, |_, x| x);
        let x: f64 = base.lines().nth(row + 1).unwrap()[11..].parse().unwrap();
        let (year, month) = (2010 + row / 12, row % 12 + 1);
        let sales = x + 25.0 * f64::from(promotion);
        match row < 84 {
            true => writeln!(text, "{year}-{month:02}-01,{sales:.2},{:.2},{promotion}", 3.0 * x),
            false => writeln!(text, "{year}-{month:02}-01,,,{promotion}"),
        }
        .unwrap();
    }
    text
}

/// Every channel is forecast from the row after its last value; what is known ahead reaches the network alone.
#[test]
fn channels_are_forecast_with_what_is_known_ahead() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let keys = DataConfig {
        targets: Some(vec!["sales".into(), "visits".into()]),
        future_covariates: vec!["promotion".into()],
        ..DataConfig::new("", 1, 1)
    };
    let run = |name: &str, promoted: bool| {
        let table = read_with(folder.path(), "x.csv", &shops(promoted), 4, keys.clone());
        assert_eq!(table.known(), [84]);
        let mut fitted = Fitted::fit(&table, &folder.path().join(name), &quick()).unwrap();
        let report = Report::of(&table, &fitted, None).to_string();
        assert!(
            report.starts_with("x.csv has 84 monthly rows: ") && report.contains("no gaps"),
            "{report}"
        );
        ["network", "ETS"].map(|member| {
            let form = Form { member: Some(member.into()), ..Form::default() };
            forecast(&mut fitted, &table, &[vec![84]], &form).unwrap()
        })
    };
    let [with, classic] = run("with", true);
    let [without, same] = run("without", false);
    assert_eq!(with.channels, ["sales", "visits"]);
    assert_eq!(with.series[0].times[0], "2017-01-01");
    assert!(classic == same, "a classical method knows no covariate");
    assert!(with != without, "the network knows the promotion ahead");
}

/// Missing cells and missing rows: forecasts are finite and at the right times, and the gaps are counted.
#[test]
fn gaps_are_no_values() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut lines: Vec<String> = months(90, |_, x| x).lines().map(str::to_owned).collect();
    for row in [20, 47, 85] {
        lines[row] = format!("{},", &lines[row][..10]);
    }
    lines.drain(60..63);
    let table = read(folder.path(), "x.csv", &lines.join("\n"), 4);
    assert_eq!(table.known(), [90]);
    let mut fitted = Fitted::fit(&table, &folder.path().join("run"), &quick()).unwrap();
    assert!(fitted.members().iter().any(|member| member == "network"));
    let report = Report::of(&table, &fitted, None).to_string();
    assert!(report.contains("90 monthly rows") && report.contains("6 missing values"), "{report}");
    let found = forecast(&mut fitted, &table, &[vec![90]], &Form::default()).unwrap();
    assert_eq!(found.series[0].times[0], "2017-07-01");
    assert_paths_within(&mut fitted, &table, 90, 20.0..90.0);
}

/// Checks the paths of every member of a table of one series with `rows` rows.
fn assert_paths_within(
    fitted: &mut Fitted,
    table: &Table,
    rows: usize,
    range: std::ops::Range<f64>,
) {
    let [unit] = fitted.forecast(table, &[rows]).unwrap().try_into().unwrap();
    let paths: Vec<_> = fitted.members().iter().zip(&unit.members).collect();
    assert!(
        paths.iter().filter(|(_, paths)| paths.is_some()).count() >= 6,
        "{:?}",
        fitted.members()
    );
    for (member, paths) in paths {
        let mut values = paths.iter().flat_map(|paths| paths.iter().flatten());
        assert!(values.all(|value| range.contains(value)), "{member}");
    }
}

/// A value as far away as a typing error makes it, in the context of the forecast: no member explodes.
#[test]
fn a_spike_does_not_explode() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let table = read(
        folder.path(),
        "x.csv",
        &months(84, |row, x| if row == 80 { 100.0 * x } else { x }),
        4,
    );
    let mut fitted = Fitted::fit(&table, &folder.path().join("run"), &quick()).unwrap();
    // The spike is at 5000; the others lie around 50.
    assert_paths_within(&mut fitted, &table, 84, -5000.0..20_000.0);
}

/// A kept pool forecasts the same rows to the same bits, later rows without the earlier fit, and new series by the weights
/// of the panel.
#[test]
fn a_pool_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let shops = |names: &[&str], rows: usize| {
        let mut text = "shop,month,x\n".to_owned();
        for (index, name) in names.iter().enumerate() {
            let values = months(rows, |_, x| x + 3.0 * index as f64);
            values.lines().skip(1).for_each(|row| writeln!(text, "{name},{row}").unwrap());
        }
        text
    };
    let run = folder.path().join("run");
    let table = read(folder.path(), "a.csv", &shops(&["north", "south"], 60), 3);
    let mut fitted = Fitted::fit(&table, &run, &classical()).unwrap();
    fitted.keep(&table, &[0.1, 0.9]).write(&run).unwrap();
    let kept = Kept::read(&run).unwrap();
    assert_eq!((kept.rows(), kept.levels(), kept.has_network()), (120, &[0.1, 0.9][..], false));
    let form = Form { samples: 4, ..Form::default() };
    let first = forecast(&mut fitted, &table, &[vec![60, 60]], &form).unwrap();
    let open = |table: &Table| {
        Fitted::open(&kept, table, &run, 1, train::RunOptions::default(), None).unwrap()
    };
    let again = kept.table(&folder.path().join("a.csv"), &[]).unwrap();
    assert!(forecast(&mut open(&again), &again, &[vec![60, 60]], &form).unwrap() == first);
    // In another order, with a new series and newer rows.
    let newer = folder.path().join("newer.csv");
    std::fs::write(&newer, shops(&["south", "new", "north"], 66)).unwrap();
    let table = kept.table(&newer, &[]).unwrap();
    let mut fitted = open(&table);
    let report = Report::of(&table, &fitted, None).to_string();
    assert!(report.contains("all 198 rows") && report.contains("there were 120 rows"), "{report}");
    let found = forecast(&mut fitted, &table, &[vec![66; 3]], &form).unwrap();
    assert_eq!(found.series.len(), 3);
    assert_eq!(found.series[0].times[0], "2015-07-01");
    // Each series has a past of its own: north is three lower than south was, and above new in this file.
    let error = kept.table(&newer, &["data.targets=[\"x\"]".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("cannot differ"), "{error}");
}

/// A horizon that no past forecast could cover is tried on its first steps, and the report says so.
#[test]
fn a_long_horizon_is_tried_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let table = read(folder.path(), "x.csv", &months(60, |_, x| x), 100);
    let mut fitted = Fitted::fit(&table, &folder.path().join("run"), &classical()).unwrap();
    let report = Report::of(&table, &fitted, None).to_string();
    assert!(report.contains("Over the first 12 steps from "), "{report}");
    assert!(report.contains("only the first 12 of 100 steps could be tried"), "{report}");
    let found = forecast(&mut fitted, &table, &[vec![60]], &Form::default()).unwrap();
    assert_eq!(found.series[0].quantiles.len(), 100);
}
