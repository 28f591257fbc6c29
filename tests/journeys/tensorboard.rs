//! TensorBoard itself reads our event files.

#[allow(dead_code, missing_docs, unreachable_pub, reason = "shared with the tests of the writer")]
#[path = "../../crates/events/tests/events/decoder.rs"]
mod decoder;

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};

use decoder::Datum;
use events::{EventWriter, Fan, Histogram, Picture, Summary};
use journeys::{CONFIG, Desk, autoregression, csv};
use serde_json::{Value, json};

const START: f64 = 1.7e9;

/// `loss = 1/step`, and a histogram of `step` times 0, 1, …, 29, two of which are not finite.
fn summary(step: i64) -> Summary {
    let time = UNIX_EPOCH + Duration::from_secs_f64(START + step as f64);
    let mut latent: Vec<f32> = (0..30).map(|k| (k * step) as f32).collect();
    latent.extend([f32::NAN, f32::INFINITY]);
    let mut summary = Summary::at(step, time);
    summary.scalar("train/loss", 1.0 / step as f64);
    summary.histogram("latent/mean", &Histogram::of(&latent));
    summary
}

fn fan() -> Picture {
    let quantiles =
        [[-2.0, -1.5, -0.6, 0.0, 0.6, 1.5, 2.0], [-3.0, -2.0, -1.0, 0.1, 1.0, 2.0, 3.0]];
    let fan = Fan { context: &[0.1, 0.5, -0.2], truth: &[0.4, -0.8], quantiles: &quantiles };
    fan.draw(320, 120).unwrap()
}

/// Five steps and a kill, then a continuation from the third step with other losses.
fn interrupted_run(folder: &Path) {
    let mut events = EventWriter::create(folder).unwrap();
    for step in 1..=5 {
        events.write(&summary(step)).unwrap();
    }
    events.write(Summary::now(5).image("forecast/x", &fan())).unwrap();
    drop(events);
    let mut events = EventWriter::resume(folder, 3).unwrap();
    for step in 3..=4 {
        events.write(summary(step).scalar("train/resumed", 1.0)).unwrap();
    }
    events.write(Summary::now(4).image("forecast/x", &fan())).unwrap();
    let mut empty = Summary::now(4);
    events.write(empty.histogram("latent/dead", &Histogram::of(&[f64::NAN]))).unwrap();
    events.write(Summary::now(4).histogram("latent/same", &Histogram::of(&[0.5; 9]))).unwrap();
    events.flush().unwrap();
}

/// The two files in order, read by the decoder of the writer's own tests.
fn decoded(folder: &Path) -> Vec<Vec<decoder::Event>> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| decoder::events(&fs::read(path).unwrap()).unwrap()).collect()
}

/// The findings of real TensorBoard; `None`, with a message, if it is not installed.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn accumulated(folder: &Path) -> Option<Value> {
    let Some(python) = env::var_os("BALLAST_TENSORBOARD_PYTHON") else {
        eprintln!(
            "SKIPPED on real TensorBoard: BALLAST_TENSORBOARD_PYTHON is not set to a Python that has it; \
             `cargo xtask test` installs one"
        );
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("journeys/read_events.py");
    let output = Command::new(python).arg(script).arg(folder).output().expect("Python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}")))
}

#[test]
fn tensorboard_reads_an_interrupted_run() {
    let folder = tempfile::tempdir().unwrap();
    interrupted_run(folder.path());

    let files = decoded(folder.path());
    let steps = |file: &[decoder::Event]| file.iter().map(|event| event.step).collect::<Vec<_>>();
    assert_eq!(steps(&files[0]), [0, 0, 1, 2, 3, 4, 5, 5]);
    assert_eq!(steps(&files[1]), [0, 3, 3, 4, 4, 4, 4]);
    assert_eq!(files[1][1].session, 1);
    assert_eq!(files[0][5].values[0], ("train/loss".to_owned(), Datum::Scalar(0.25)));

    let Some(found) = accumulated(folder.path()) else { return };
    assert_eq!(found["file_version"], 2.0);
    // The third to fifth steps of the first part are gone.
    let losses: Vec<Value> = (1..=4)
        .map(|step| json!([step, f64::from(1.0_f32 / step as f32), START + f64::from(step)]))
        .collect();
    assert_eq!(found["scalars"]["train/loss"], json!(losses));
    assert_eq!(found["served"]["train/loss"], json!([1, 2, 3, 4]));
    assert_eq!(found["served"]["forecast/x"], json!([4]));
    assert_eq!(found["scalars"]["train/resumed"].as_array().unwrap().len(), 2);

    let histograms = found["histograms"]["latent/mean"].as_array().unwrap();
    assert_eq!(histograms.len(), 4);
    // Σ 4k = 4 · 435, Σ 16k² = 16 · 8555; thirty intervals of [0, 116] with one value each.
    assert_eq!(histograms[3]["moments"], json!([0.0, 116.0, 30.0, 1740.0, 136_880.0]));
    assert_eq!(histograms[3]["counts"], json!(vec![1.0; 30]));
    assert_eq!(histograms[3]["limits"][29], 116.0);
    let distribution = found["distributions"]["latent/mean"][3].as_array().unwrap();
    assert_eq!(distribution.first().unwrap(), &json!([0, 0.0]));
    assert_eq!(distribution.last().unwrap(), &json!([10_000, 116.0]));
    assert_eq!(found["histograms"]["latent/dead"][0]["moments"][2], 0.0);
    let same = found["distributions"]["latent/same"][0].as_array().unwrap();
    assert!(same.iter().all(|point| point[1] == 0.5), "{same:?}");

    let hex: String = fan().png().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found["images"]["forecast/x"], json!([[4, 320, 120, hex]]));
}

/// A training that is killed in its third epoch and continues leaves one curve without repeated steps.
#[test]
fn tensorboard_reads_a_training() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(200, 0.5, 1))).write("config.toml", CONFIG);
    let train = [
        "train",
        "config.toml",
        "--run",
        "run",
        "--set",
        "train.epochs=100",
        "--set",
        "train.patience=0",
    ];
    let mut child = desk.command(&train).stdout(Stdio::null()).spawn().expect("ballast starts");
    while fs::read_to_string(desk.path("run/metrics.jsonl")).map_or(0, |m| m.lines().count()) < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ends before its second epoch");
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap(); // before its first checkpoint: it starts over
    child.wait().unwrap();
    desk.succeed(&train);

    let folder = desk.path("run/events");
    let metrics = String::from_utf8(desk.read("run/metrics.jsonl")).unwrap();
    let lines: Vec<Value> =
        metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let files = decoded(&folder);
    assert_eq!(files.len(), 2);
    let last = files[1].iter().flat_map(|event| &event.values);
    let curve: Vec<_> = last.filter(|(tag, _)| tag == "validation/crps").collect();
    let Datum::Scalar(crps) = curve.last().unwrap().1 else { panic!("not a scalar") };
    assert_eq!(crps, lines[99]["validation_crps"].as_f64().unwrap() as f32);

    let Some(found) = accumulated(&folder) else { return };
    let steps: Vec<&Value> = lines.iter().map(|line| &line["step"]).collect();
    for tag in ["train/loss", "validation/crps", "validation/skill", "latent/0/active_units"] {
        assert_eq!(found["served"][tag], json!(steps), "{tag}");
    }
    assert_eq!(found["histograms"]["latent/0/posterior_mean"].as_array().unwrap().len(), 100);
    assert!(found["images"]["forecast/x/2"].is_array(), "{:?}", found["images"]);
    desk.succeed(&["train", "config.toml", "--run", "quiet", "--no-events"]);
    assert!(!desk.path("quiet/events").exists());
}
