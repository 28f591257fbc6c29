//! Small series and the ring, conducted with a stand-in for `ballast`, and the yardsticks on the real data.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use super::fake::{ALL, Fake};
use crate::experiment::conduct;
use crate::launch::Options;
use crate::plan::PlanFile;
use crate::ring::{self, Ring};
use crate::scores::{Columns, Origins, score, seasonal_naive};
use crate::small::{self, Small};

/// Copies what lies under `prepared/TASK/seed-N`; a file `exit` there makes it fail.
const BALLAST: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
while [ $# -gt 0 ]; do
  case "$1" in
    --output) out=$2 ;;
    --json) json=$2 ;;
  esac
  shift
done
from=$here/prepared/${out#runs/*/}
from=${from%/*}
if [ -f "$from/exit" ]; then echo "error: too short" >&2; exit 65; fi
cp "$from/scores.csv" "$out" && cp "$from/scores.json" "$json"
"#;

/// A forecaster, the CRPS of its columns, and whether its 80 % intervals hold the truth.
type Made<'a> = (&'a str, &'a [f64], bool);

/// `scores.csv` of columns whose values are `of(column, row)`.
///
/// All quantiles at y − d |y| have a loss of d |y|; half of them above and half below at that distance one of
/// 10 d |y| / 19, as Σ p over p = .05, …, .50 is 2.75 and Σ (1 − p) over p = .55, …, .95 is 2.25.
fn scores(
    origins: &[usize],
    columns: &[&str],
    of: fn(usize, usize) -> f64,
    all: &[Made],
) -> String {
    let mut text = "fold,known,series,channel,forecaster,step,truth,crps".to_owned();
    (1..=19).for_each(|k| _ = write!(text, ",q{:02}", 5 * k));
    for (name, crps, covered) in all {
        for (fold, known) in origins.iter().enumerate() {
            for (place, (channel, crps)) in columns.iter().zip(*crps).enumerate() {
                for step in 1..=2 {
                    let truth = of(place, known + step - 1);
                    let fold = fold + 1;
                    let _ = write!(text, "\n{fold},{known},x,{channel},{name},{step},{truth},0");
                    for k in 0..19 {
                        let side = if *covered && k >= 10 { 1.9 } else { -1.0 };
                        let side = if *covered && k < 10 { -1.9 } else { side };
                        let _ = write!(text, ",{}", truth + side * crps * truth.abs());
                    }
                }
            }
        }
    }
    text + "\n"
}

fn weights(members: &Value) -> String {
    json!({ "version": 1, "weights": [{ "series": "x", "channel": "a", "members": members }] })
        .to_string()
}

fn values(rows: usize, columns: &[&str], of: fn(usize, usize) -> f64) -> String {
    let mut text = format!("date,{}\n", columns.join(","));
    for row in 0..rows {
        let each: Vec<String> = (0..columns.len()).map(|c| of(c, row).to_string()).collect();
        let _ = writeln!(text, "{},{}", 1900 + row, each.join(","));
    }
    text
}

fn tens(column: usize, row: usize) -> f64 {
    [10.0, -20.0][column] * if row.is_multiple_of(2) { 1.0 } else { 0.5 }
}

/// Three series, one of which has no file; seeds 1 and 2.
fn small() -> Fake {
    let fake = Fake::bare(BALLAST);
    let plan = include_str!("../../../../configs/experiments/small.toml");
    let plan = plan.replace("seeds = [1, 2, 3]", "seeds = [1, 2]");
    fake.write("configs/experiments/small.toml", &plan);
    let entry = |name: &str, cols: &[&str]| json!({ "name": name, "n": 12, "m": 4, "H": 2, "test": 6, "stride": 2, "cols": cols });
    let series =
        json!([entry("Up.Per", &["value"]), entry("two", &["a", "b"]), entry("gone", &["x"])]);
    fake.write("in/series.json", &series.to_string());
    fake.write("in/data/Up.Per.csv", &values(12, &["value"], tens));
    fake.write("in/data/two.csv", &values(12, &["a", "b"], tens));
    fake.write(
        "in/peers.csv",
        "series,rows,AutoETS_crps,AutoETS_cov80,AutoARIMA_crps,AutoARIMA_cov80,net_crps,net_cov80\n\
         Up.Per,12,0.10,0.8,0.06,0.7,0.05,0.6\ntwo,12,0.25,0.9,,,0.05,0.6\n",
    );
    let origins = [6, 8, 10];
    for (seed, pool) in [(1, 0.08), (2, 0.10)] {
        let text = scores(
            &origins,
            &["value"],
            tens,
            &[("pool", &[pool], true), ("network", &[0.1], true), ("ETS", &[0.12], true)],
        );
        fake.write(&format!("prepared/up-per/seed-{seed}/scores.csv"), &text);
        let text = scores(
            &origins,
            &["a", "b"],
            tens,
            &[
                ("pool", &[0.2, 0.4], false),
                ("network", &[0.3, 0.3], false),
                ("ETS", &[0.2, 0.2], true),
            ],
        );
        let part = scores(&origins[..1], &["a", "b"], tens, &[("Theta", &[0.1, 0.1], true)]);
        let part: String = part.lines().skip(1).map(|line| format!("{line}\n")).collect();
        fake.write(&format!("prepared/two/seed-{seed}/scores.csv"), &(text + &part));
        for name in ["up-per", "two"] {
            let members = weights(&json!({ "network": 0.25, "ETS": 0.75 }));
            fake.write(&format!("prepared/{name}/seed-{seed}/scores.json"), &members);
        }
    }
    fake
}

fn conduct_small(fake: &Fake, change: impl Fn(&mut small::Choice)) -> Result<()> {
    conduct_small_with(ALL, fake, change)
}

fn conduct_small_with(
    options: Options,
    fake: &Fake,
    change: impl Fn(&mut small::Choice),
) -> Result<()> {
    let (folder, only) = (fake.root().join("in"), vec![]);
    let mut choice = small::Choice { folder, only, seeds: None, write_docs: false };
    change(&mut choice);
    let file = PlanFile::read(fake.root(), "small")?;
    conduct(fake.root(), &fake.executable, options, Small::new(&file, choice)?)
}

fn results(fake: &Fake, name: &str) -> Value {
    serde_json::from_str(&fake.read(&format!("runs/{name}/results.json"))).unwrap()
}

#[test]
fn a_stranger_types_file_and_horizon_once_for_each_seed() {
    let fake = small();
    conduct_small(&fake, |_| ()).unwrap();
    let calls = fake.read("calls");
    let lines: Vec<&str> = calls.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[3],
        "backtest runs/small/data/two.csv --horizon 2 --rows 6 --stride 2 --target a --target b --seed 2 \
         --run runs/small/two/seed-2/run --output runs/small/two/seed-2/scores.csv \
         --json runs/small/two/seed-2/scores.json --picture runs/small/two/seed-2/backtest.html"
    );
    let (first, page) = (fake.read("runs/small/table.csv"), fake.read("docs/small.md"));
    fake.calls();
    conduct_small(&fake, |_| ()).unwrap();
    assert_eq!(fake.calls(), 0, "nothing had changed");
    assert_eq!(fake.read("runs/small/table.csv"), first);
    assert!(page.starts_with("<!-- Written by `cargo xtask experiment small`"), "{page}");
    fake.write("in/data/two.csv", &(values(12, &["a", "b"], tens) + "\n"));
    conduct_small(&fake, |_| ()).unwrap();
    assert_eq!(fake.calls(), 2, "another file");
}

/// Oracle: by hand from the CRPS that the files were made for. Ratios are .09 / .10 and .30 / .25, their geometric mean
/// √1.08 = 1.039; the network's are 1 and 1.2. ETS has .12 and .20, so the pool's ratio to it is √(.75 · 1.5) = 1.061,
/// and to AutoARIMA, which has one series, 1.5.
#[test]
fn the_page_says_where_we_stand_and_where_we_lose() {
    let fake = small();
    conduct_small(&fake, |_| ()).unwrap();
    let results = results(&fake, "small");
    let near = |value: &Value, expected: f64| {
        assert!((value.as_f64().unwrap() - expected).abs() < 1e-9, "{value} is not {expected}");
    };
    near(&results["ratio"]["mean"], 1.08_f64.sqrt());
    near(&results["series"][0]["ratio"], 0.9);
    near(&results["series"][1]["ratio"], 1.2);
    near(&results["best_classic"]["ratio"]["mean"], 1.5);
    let page = fake.read("docs/small.md");
    let headline = page.lines().nth(3).unwrap();
    assert!(headline.starts_with("**Ballast ties with AutoETS: CRPS ratio 1.039 ("), "{headline}");
    assert!(headline.contains("the best single classic, AutoARIMA: CRPS ratio 1.500, 1 series."));
    assert!(
        headline.ends_with(
            "Worse than AutoETS by more than 5.0 % on 1 of 2. 80 % intervals cover 50.0 %.**"
        ),
        "{headline}"
    );
    for part in [
        "> Not run: gone: no gone.csv in",
        "| 2 series, geometric CRPS ratio to AutoETS | ≤ 0.840 | 1.039 | missed by 0.199 |",
        "| series worse than AutoETS by more than 5.0 % | ≤ 2 | 1 | met |",
        "| coverage of 80 % intervals, mean over series | 77.0 % to 83.0 % | 50.0 % | missed by 27.0 % |",
        "| coverage of 80 % intervals, least of all series (two) | ≥ 60.0 % | 0.0 % | missed by 60.0 % |",
        "| network alone, geometric CRPS ratio to AutoETS | ≤ 0.920 | 1.095 | missed by 0.175 |",
        "- two: 20.0 % worse than AutoETS (lost)",
        "| Up.Per | 12 | 1 | 2 | 0.09000 ± 0.01000 | 0.1000 | 0.1000 | 0.900 | 1.000 | 100.0 |",
        "| Up.Per | 75 | 25 |",
        "| ratio to AutoETS | 0.980 ",
        "| ETS | 0.980 (",
    ] {
        assert!(page.contains(part), "`{part}` is missing in {page}");
    }
    assert!(!page.contains("Theta |"), "a member that left out windows has no score");
}

#[test]
fn what_is_not_of_the_data_is_a_failure() {
    let fake = small();
    let path = "prepared/two/seed-2/scores.csv";
    let text = fake.read(path);
    for (from, to, expected) in [
        (",10,0,", ",11,0,", "scores.csv: pool: 6 rows known, step 1: a is 10, not 11"),
        ("\n1,6,", "\n1,5,", "scores.csv: pool: 5 rows known and step 1 are not of this backtest"),
        (",b,pool,", ",c,pool,", "`c` is no column of the data"),
        ("forecaster,step", "model,step", "there is no column `forecaster`"),
        (",pool,", ",poll,", "there is no forecaster `pool`"),
        ("3,10,x,a,pool,1,", "3,10,x,a,pool,2,", "step 2: a is 5, not 10"),
    ] {
        let count = if from == ",pool," { usize::MAX } else { 1 };
        fake.write(path, &text.replacen(from, to, count));
        let fresh = Options { fresh: true, ..ALL };
        let error = format!("{:#}", conduct_small_with(fresh, &fake, |_| ()).expect_err(expected));
        assert!(error.starts_with("1 of 4 runs failed"), "{error}");
        let warnings = results(&fake, "small")["warnings"].to_string();
        assert!(warnings.contains(expected), "`{expected}` is missing in {warnings}");
    }
    // A window of the pool that is not there.
    let short: Vec<&str> = text.lines().filter(|line| !line.starts_with("2,8,x,a,pool")).collect();
    fake.write(path, &(short.join("\n") + "\n"));
    fake.write("prepared/up-per/seed-1/exit", "");
    conduct_small_with(Options { fresh: true, ..ALL }, &fake, |_| ()).expect_err("two fail");
    let page = fake.read("docs/small.md");
    for part in [
        "> Failed: runs/small/two/seed-2: scores.csv: 10 forecasts of the pool, 10 of them different, instead of 12.",
        "> Failed: runs/small/up-per/seed-1: `ballast backtest` ended with exit code 65: bad data.",
        "> Not all of 2 seeds in: Up.Per, two.",
    ] {
        assert!(page.contains(part), "`{part}` is missing in {page}");
    }
}

#[test]
fn without_peers_and_with_fewer_seeds_it_still_reports() {
    let fake = small();
    std::fs::remove_file(fake.root().join("in/peers.csv")).unwrap();
    conduct_small(&fake, |choice| choice.seeds = Some(1)).unwrap();
    assert_eq!(fake.calls(), 2);
    let page = fake.read("docs/small.md");
    for part in [
        "**Nothing is known of AutoETS on these series. Ballast ties with the best single classic, our ETS",
        "> There is no peers.csv",
        "> 1 of 2 seeds were asked for.",
        "| – | unknown |",
    ] {
        assert!(page.contains(part), "`{part}` is missing in {page}");
    }
    let error = conduct_small(&fake, |choice| choice.only = vec!["x".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("no such series"), "{error}");
}

fn days(column: usize, row: usize) -> f64 {
    // Day 1 of the hourly table is torn and dropped: the first mean is that of day 2.
    (row + 2) as f64 * [1.0, 2.0][column]
}

fn ring() -> Fake {
    let fake = Fake::bare(BALLAST);
    let plan = r#"
kind = "ring"
title = "The ring"
question = "Where?"
seeds = [1]
notes = ["A note."]
[[task]]
name = "months"
label = "Months"
source = { file = "m.csv" }
horizon = 2
windows = 2
season = 1
published = "M"
target = { wql = 0.1 }
[[task]]
name = "by-day"
label = "By day"
source = { every = "day" }
horizon = 2
windows = 2
season = 1
target = { of-naive = 0.9 }
"#;
    fake.write("configs/experiments/ring.toml", plan);
    fake.write("in/m.csv", &values(9, &["births"], tens));
    let published = "task,model,kind,trained_on_it,WQL,MASE\nM,best,zero-shot,No,0.05,0.1\n\
        M,naive,statistical,No,0.2,0.3\nD,other,zero-shot,No,0.01,0.1\n";
    fake.write("in/published.csv", published);
    let mut hourly = "date,a,b\n".to_owned();
    for day in 1..=12 {
        for hour in 0..24 {
            let _ = writeln!(hourly, "2016-07-{day:02} {hour:02}:00:00,{day},{}", 2 * day);
        }
    }
    fake.write("hourly.csv", &hourly);
    for arm in ["seed-1", "refit-seed-1"] {
        let text = scores(&[5, 7], &["births"], tens, &[("pool", &[0.125], false)]);
        fake.write(&format!("prepared/months/{arm}/scores.csv"), &text);
        let text = scores(&[6, 8], &["a", "b"], days, &[("pool", &[0.0, 0.0], true)]);
        fake.write(&format!("prepared/by-day/{arm}/scores.csv"), &text);
        for name in ["months", "by-day"] {
            let members = weights(&json!({ "ETS": 1.0 }));
            fake.write(&format!("prepared/{name}/{arm}/scores.json"), &members);
        }
    }
    fake
}

fn conduct_ring(fake: &Fake, ett: Option<PathBuf>, refit: bool) -> Result<()> {
    let (folder, only) = (fake.root().join("in"), vec![]);
    let choice = ring::Choice { folder, ett, only, seeds: None, refit, write_docs: false };
    let file = PlanFile::read(fake.root(), "ring")?;
    conduct(fake.root(), &fake.executable, ALL, Ring::new(&file, choice)?)
}

#[test]
fn tasks_have_a_rank_and_a_yardstick() {
    let fake = ring();
    conduct_ring(&fake, Some(fake.root().join("hourly.csv")), true).unwrap();
    let calls = fake.read("calls");
    let lines: Vec<&str> = calls.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(
        lines[1].starts_with(
            "backtest runs/ring/data/m.csv --horizon 2 --rows 4 --stride 2 --refit --seed 1 --run runs/ring/months/refit-seed-1/run"
        ),
        "{}",
        lines[1]
    );
    let by_day = fake.read("runs/ring/data/by-day.csv");
    assert!(by_day.starts_with("date,a,b\n2016-07-02,2,4\n"), "{by_day}");
    assert_eq!(by_day.lines().count(), 11);
    let page = fake.read("docs/ring.md");
    for part in [
        "**1 of 2 tasks reach their target with one fit. Months: WQL 0.1250, missed by 0.02500, rank 2 of 3. \
         By day: 0.00000 of seasonal naive’s loss, met.**",
        "| Months: WQL | ≤ 0.1000 | 0.1250 | missed by 0.02500 |",
        "| Months, refitted: WQL |",
        "| 0.05000 (best) | 0.2000 (naive) |",
        "| Months | ETS 100 |",
    ] {
        assert!(page.contains(part), "`{part}` is missing in {page}");
    }
}

#[test]
fn tasks_without_their_table_are_left_out_loudly() {
    let fake = ring();
    conduct_ring(&fake, None, false).unwrap();
    assert_eq!(fake.calls(), 1);
    let page = fake.read("docs/ring.md");
    assert!(
        page.contains("> Not run: By day: left out: name ETTh1.csv with `--ett FILE`."),
        "{page}"
    );
}

/// The folder of reference scores, where it is named.
fn reference() -> Option<PathBuf> {
    let folder = std::env::var_os("BALLAST_REFERENCE").map(PathBuf::from);
    if folder.is_none() {
        // Past the capture of test output, which would hide it.
        let text =
            "SKIPPED on real scores: set BALLAST_REFERENCE to the folder with small/ and ring/";
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    folder
}

/// Oracle: the rows of seasonal naive that GIFT-Eval publishes, and those of statsforecast in peers.csv, to all digits
/// that they have.
#[test]
fn the_yardstick_repeats_the_scores_of_others() {
    let Some(folder) = reference() else { return };
    for (name, horizon, windows, season, wql, mase) in [
        ("births_D", 30, 20, 1, 0.119_527, 1.864_84),
        ("births_W", 8, 14, 1, 0.019_297, 1.563_42),
        ("births_M", 12, 2, 12, 0.016_826, 0.760_53),
    ] {
        let data = Columns::read(&folder.join(format!("ring/{name}.csv")), &[]).unwrap();
        let origins = Origins { horizon, rows: horizon * windows, stride: horizon };
        let found = score(&seasonal_naive(&data, origins, season), &data, season);
        assert!(
            (found.wql - wql).abs() < 1e-6 && (found.mase - mase).abs() < 1e-5,
            "{name}: {found:?}"
        );
    }
    let text = std::fs::read_to_string(folder.join("small/series.json")).unwrap();
    let series: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut peers = csv::Reader::from_path(folder.join("small/peers.csv")).unwrap();
    let peers: Vec<std::collections::BTreeMap<String, String>> =
        peers.deserialize().collect::<Result<_, _>>().unwrap();
    let mut compared = 0;
    for entry in &series {
        let [season, horizon, rows, stride] =
            ["m", "H", "test", "stride"].map(|key| entry[key].as_u64().unwrap() as usize);
        let name = entry["name"].as_str().unwrap();
        let cols: Vec<String> = serde_json::from_value(entry["cols"].clone()).unwrap();
        let places = ["small/data", "../datasets/small"];
        let file =
            places.iter().map(|p| folder.join(p).join(format!("{name}.csv"))).find(|p| p.exists());
        let Some(file) = file else { continue };
        let data = Columns::read(&file, &cols).unwrap();
        let lines = seasonal_naive(&data, Origins { horizon, rows, stride }, season);
        let found = score(&lines, &data, season);
        let peer = peers.iter().find(|peer| peer["series"] == name).unwrap();
        let of = |column: &str| peer[column].parse::<f64>().unwrap();
        let (crps, coverage) = (of("SeasonalNaive_crps"), of("SeasonalNaive_cov80"));
        let near = (found.crps - crps).abs() < 1e-5 && (found.coverage - coverage).abs() < 1e-3;
        assert!(near, "{name}: {found:?}, not {crps} and {coverage}");
        compared += 1;
    }
    assert!(compared > 0, "no series of series.json was found");
}
