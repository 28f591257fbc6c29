//! Every fault gives one clear message and the documented exit code.

use journeys::{CONFIG, Desk, autoregression, csv};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[test]
fn bad_tables_are_located() {
    let good: Vec<String> = csv(&autoregression(200, 0.5, 1)).lines().map(str::to_owned).collect();
    let change = |line: usize, text: &str| {
        let mut lines = good.clone();
        lines[line - 1] = text.to_owned();
        lines.join("\n")
    };
    let missing_column = good.join("\n").replace("time,x", "time,y");
    let unsorted = {
        let mut lines = good.clone();
        lines.swap(10, 50);
        lines.join("\n")
    };
    let cases = [
        ("missing column", missing_column.as_str(), vec!["series.csv", "x", "hint"]),
        ("text in a number", &change(7, "5,abc"), vec!["series.csv:7:3", "abc", "hint"]),
        ("decimal comma", &change(7, "5,\"1,5\""), vec!["series.csv:7:", "1,5", "hint"]),
        ("ragged row", &change(9, "7,1,2"), vec!["series.csv:9", "hint"]),
        ("unsorted", &unsorted, vec!["series.csv:", "hint"]),
        ("short", "time,x\n0,1\n1,2\n", vec!["hint"]),
        ("empty", "", vec!["series.csv", "hint"]),
    ];
    for (name, text, expected) in cases {
        let desk = Desk::new();
        desk.write("series.csv", text).write("config.toml", CONFIG);
        let said = desk.fail(65, &["train", "config.toml", "--run", "run"]);
        for part in expected {
            assert!(said.contains(part), "{name}: no `{part}` in\n{said}");
        }
        assert!(!desk.path("run/run.json").exists(), "{name}: the command left a run");
    }
}

#[test]
fn wrong_configs_name_the_key() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(200, 0.5, 1)));
    let cases = [
        ("[train]", "[train]\nepocs = 3", vec!["config.toml:", "epocs", "did you mean `epochs`"]),
        ("epochs = 3", "epochs = 1000001", vec!["train.epochs", "from 0 to 1000000"]),
        (
            "epochs = 3",
            "epochs = 9223372036854775807",
            vec!["train.epochs", "9223372036854775807", "from 0 to 1000000"],
        ),
        (
            "crps_weight = 0.0",
            "crps_weight = 0.0\nfree_bits = { per-dimension = 1e308 }",
            vec!["objective.free_bits", "from 0 to 1e9 nats"],
        ),
        ("hidden = 16", "hidden = 1000000000", vec!["model.hidden", "from 1 to 16384"]),
        (
            "epochs = 3",
            "epochs = 3\nlearning_rate = -1.0",
            vec!["train.learning_rate", "-1", "positive"],
        ),
        ("context = 8", "context = \"8\"", vec!["config.toml:", "string"]),
        ("seed = 3", "seed = = 3", vec!["config.toml:2:"]),
        ("schedule = \"linear\"", "schedule = \"linaer\"", vec!["linaer", "linear"]),
    ];
    for (from, to, expected) in cases {
        desk.write("config.toml", &CONFIG.replacen(from, to, 1));
        let said = desk.fail(2, &["train", "config.toml", "--run", "run"]);
        for part in expected {
            assert!(said.contains(part), "{to}: no `{part}` in\n{said}");
        }
    }
    desk.write("config.toml", CONFIG);
    for words in [
        &["--set", "train.epocs=3"][..],
        &["--set", "epochs"],
        &["--set", "train.epochs.x=1"],
        &["--set", "seed=1\nmodel.hidden=7"],
    ] {
        let said = desk.fail(2, &[&["train", "config.toml"], words].concat());
        assert!(said.contains("--set"), "{said}");
    }
}

#[test]
fn missing_files_are_named() {
    let desk = Desk::new();
    desk.write("config.toml", CONFIG);
    assert!(desk.fail(66, &["train", "nowhere.toml"]).contains("nowhere.toml"));
    assert!(desk.fail(66, &["train", "config.toml"]).contains("series.csv"));
    assert!(desk.fail(66, &["evaluate", "nowhere"]).contains("ballast train"));
    desk.fail(2, &["train"]);
    desk.fail(2, &["train", "config.toml", "--device", "gpu"]);
}

/// A request for CUDA never falls back silently. The number of the device is absurd, so that the test also holds on a
/// machine with CUDA.
#[test]
fn a_missing_device_is_an_error() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(200, 0.5, 1))).write("config.toml", CONFIG);
    let said = desk.fail(69, &["train", "config.toml", "--device", "cuda:99"]);
    assert!(said.contains("cuda:99") && said.contains("hint"), "{said}");
}

#[test]
fn an_altered_run_is_refused() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(200, 0.5, 1))).write("config.toml", CONFIG);
    desk.succeed(&["train", "config.toml", "--run", "run", "--set", "train.epochs=1"]);
    let weights = desk.read("run/model.safetensors");
    std::fs::write(desk.path("run/model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    let said = desk.fail(65, &["evaluate", "run"]);
    assert!(said.contains("model.safetensors"), "{said}");
    desk.write("run/run.json", "{ \"version\": 1 }");
    assert!(desk.fail(65, &["evaluate", "run"]).contains("run.json"));
    desk.write("run/run.json", "{ \"version\": 7 }");
    for words in [&["evaluate", "run"][..], &["train", "--run", "run"]] {
        assert!(desk.fail(65, words).contains("is of version 7"));
    }
}

/// Flipped bits in the weights and records of a run, met by the command itself.
#[test]
fn flipped_bits_are_refused_or_change_nothing() {
    const FLIPS: usize = 40;
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(200, 0.5, 1))).write("config.toml", CONFIG);
    desk.succeed(&["train", "config.toml", "--run", "run", "--set", "train.epochs=1"]);
    let words = ["forecast", "run", "--input", "series.csv", "--output", "new.csv"];
    desk.succeed(&words);
    let expected = desk.read("new.csv");
    let mut random = StdRng::seed_from_u64(18);
    for file in ["refit.safetensors", "run.json", "config.toml", "asked.toml", "metrics.jsonl"] {
        let path = desk.path("run").join(file);
        let whole = std::fs::read(&path).unwrap();
        for _ in 0..FLIPS {
            let mut flipped = whole.clone();
            let bit = random.random_range(0..8 * whole.len());
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, flipped).unwrap();
            let output = desk.run(&words);
            match output.status.code() {
                Some(0) => assert!(desk.read("new.csv") == expected, "{file}, bit {bit}"),
                code => {
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(code == Some(65) && said.contains(file), "{file}, bit {bit}: {said}");
                }
            }
        }
        std::fs::write(&path, whole).unwrap();
    }
}

/// A training that diverges exits with code 3 and keeps its best earlier weights usable.
#[test]
fn divergence_is_reported_and_keeps_the_best_weights() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(300, 0.5, 1))).write("config.toml", CONFIG);
    let wild = ["train", "config.toml", "--set", "train.clip_norm=0"];
    let at_once = [&wild[..], &["--run", "a", "--set", "train.learning_rate=1e30"]].concat();
    let said = desk.fail(3, &at_once);
    assert!(said.contains("diverged at epoch 1") && !said.contains("best weights"), "{said}");
    assert!(!desk.path("a/run.json").exists());
    // The step size η grows by 1e-4 a step. Weight decay w multiplies by 1 − η w, which passes −1 at
    // step 20, in the fourth epoch; from there the weights grow without bound.
    let later = ["--run", "b", "--set", "train.learning_rate=100", "--set", "train.epochs=60"];
    let growing = ["--set", "train.warmup_steps=1000000", "--set", "train.weight_decay=1000"];
    let wait = ["--set", "train.patience=0"];
    let said = desk.fail(3, &[&wild[..], &later, &growing, &wait].concat());
    assert!(said.contains("best weights"), "{said}");
    assert_eq!(desk.json("b/run.json")["status"], "diverged");
    desk.succeed(&["evaluate", "b"]);
}
