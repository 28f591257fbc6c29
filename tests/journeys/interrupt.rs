//! Trainings that are killed, interrupted, or run out of disk, and the files that they leave.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use journeys::{CONFIG, Desk, autoregression, csv};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use safetensors::SafeTensors;
use serde_json::Value;
use wait4::Wait4;

const TRAIN: [&str; 4] = ["train", "config.toml", "--run", "run"];
const KINDS: [&str; 4] = ["conditional", "hierarchical", "predict", "autoencode"];

/// A desk with a series and the config of a model of `kind`, which uses every part of training that has a state.
fn desk(kind: &str, epochs: usize) -> Desk {
    let mut config = CONFIG.to_owned();
    for (from, to) in [
        ("conditional", kind),
        ("epochs = 3", &format!("epochs = {epochs}\nwarmup_steps = 5")),
        ("\"constant\"", "\"cosine\""),
        ("ema_decay = 0.0", "ema_decay = 0.9"),
        ("patience = 10", "patience = 0"),
        ("schedule = \"linear\"", "schedule = \"linear\"\nsteps = 20"),
        ("dropout = 0.0", "dropout = 0.1"),
    ] {
        assert_eq!(config.matches(from).count(), 1, "{from}");
        config = config.replace(from, to);
    }
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(200, 0.5, 1)));
    desk.write("config.toml", &config);
    desk
}

fn start(desk: &Desk, more: &[&str]) -> Child {
    let words: Vec<&str> = TRAIN.iter().chain(more).copied().collect();
    let mut command = desk.command(&words);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ballast starts")
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id() as i32).expect("a process id");
    kill_process(pid, signal).expect("the process is there");
}

/// The bits that a training leaves: weights and metrics.
fn left_behind(desk: &Desk) -> [Vec<u8>; 2] {
    ["run/model.safetensors", "run/metrics.jsonl"].map(|file| desk.read(file))
}

/// Every file that exists is complete.
fn assert_whole(desk: &Desk) {
    for entry in fs::read_dir(desk.path("run")).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = || fs::read(&path).unwrap();
        match name.as_str() {
            _ if name.ends_with(".part") => {} // the next training here removes it
            "checkpoint.safetensors" | "model.safetensors" | "refit.safetensors" => {
                SafeTensors::deserialize(&bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
            "run.json" | "rows.json" => drop(serde_json::from_slice::<Value>(&bytes()).unwrap()),
            "metrics.jsonl" => {
                // Only its last line may be torn.
                let text = String::from_utf8(bytes()).unwrap();
                let lines: Vec<&str> = text.lines().collect();
                for line in lines.iter().rev().skip(1) {
                    serde_json::from_str::<Value>(line).unwrap();
                }
            }
            "asked.toml" | "config.toml" | "lock" | "events" | "refit" => {}
            other => panic!("unexpected file {other}"),
        }
    }
}

/// Fifty kills at random moments, over every kind of model.
#[test]
fn fifty_kills_lose_nothing() {
    let mut moments = StdRng::seed_from_u64(11);
    let (mut kills, mut rounds, mut resumed) = (0, 0, 0);
    while kills < 50 || resumed < 25 || rounds < KINDS.len() {
        let kind = KINDS[rounds % KINDS.len()];
        rounds += 1;
        let whole = desk(kind, 12);
        let started = Instant::now();
        whole.succeed(&TRAIN);
        let duration = started.elapsed().as_millis() as u64;
        let killed = desk(kind, 12);
        loop {
            let mut child = start(&killed, &["--save-every", "0s"]);
            sleep(Duration::from_millis(moments.random_range(duration / 4..=duration)));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{kind}: {status}");
                break;
            }
            signal(&child, Signal::KILL);
            child.wait().unwrap();
            kills += 1;
            // With a checkpoint, the next command continues and does not start over.
            resumed += usize::from(killed.path("run/checkpoint.safetensors").exists());
            assert_whole(&killed);
            assert!(kills < 1000, "no training ends");
        }
        assert!(left_behind(&killed) == left_behind(&whole), "{kind} differs after {kills} kills");
        let unfinished = fs::read_dir(killed.path("run")).unwrap().filter(|entry| {
            entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "part")
        });
        assert_eq!(unfinished.count(), 0, "half-written files were removed");
    }
}

/// Waits for the first checkpoint, which shows that the training is running.
fn under_way(desk: &Desk) {
    let patience = Instant::now();
    while !desk.path("run/checkpoint.safetensors").exists() {
        assert!(patience.elapsed() < Duration::from_secs(60), "no checkpoint after a minute");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn signals_save_and_the_same_command_continues() {
    // Long enough that no training ends before its signal comes.
    let whole = desk("conditional", 250);
    whole.succeed(&TRAIN);
    let stopped = desk("conditional", 250);
    for signal_ in [Signal::INT, Signal::TERM, Signal::USR1, Signal::USR2] {
        let _ = fs::remove_file(stopped.path("run/checkpoint.safetensors"));
        let mut child = start(&stopped, &["--save-every", "0s"]);
        under_way(&stopped);
        signal(&child, signal_);
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(75), "{signal_:?}");
        assert!(!stopped.path("run/lock").exists());
        assert!(!stopped.path("run/run.json").exists());
    }
    // A run directory holds its config, so nothing else is needed to continue.
    let said = stopped.fail(75, &["train", "--run", "run", "--max-time", "1ms"]);
    assert!(said.contains("run the same command again"), "{said}");
    stopped.succeed(&["train", "--run", "run"]);
    assert!(left_behind(&stopped) == left_behind(&whole));
    let said = stopped.succeed(&["train", "--run", "run"]);
    assert!(said.contains("already-done"), "{said}");
}

/// A validation of many samples takes seconds; an interrupt ends it, and the state before it was saved.
#[test]
fn an_interrupt_ends_a_validation() {
    let desk = desk("conditional", 12);
    let slow = ["train.steps_per_epoch=1", "train.validation_samples=30000"];
    let mut child = start(&desk, &["--save-every", "0s", "--set", slow[0], "--set", slow[1]]);
    under_way(&desk);
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(75));
    assert_eq!(desk.read("run/metrics.jsonl"), b"", "the validation came to its end");
    assert_whole(&desk);
}

/// Before its first step a training scores the naive forecast, which takes seconds with a million samples. The first
/// interrupt waits for it; the second does not.
#[test]
fn a_second_interrupt_quits() {
    let desk = desk("conditional", 12);
    let mut child = start(&desk, &["--set", "train.validation_samples=1000000"]);
    while !desk.path("run/config.toml").exists() {
        assert!(child.try_wait().unwrap().is_none(), "no training began");
        sleep(Duration::from_millis(5));
    }
    signal(&child, Signal::INT);
    sleep(Duration::from_millis(800));
    assert!(child.try_wait().unwrap().is_none(), "the start was over too soon to interrupt");
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_whole(&desk);
    assert!(!desk.path("run/checkpoint.safetensors").exists());
}

/// A training that goes on with another number of threads says so, since its bits may be others.
#[test]
fn other_threads_than_before_are_told() {
    let desk = desk("conditional", 12);
    desk.fail(75, &[&TRAIN[..], &["--max-time", "1ms"]].concat());
    let output = desk.run(&[&TRAIN[..], &["--threads", "2", "--max-time", "1ms"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("warning: 1 threads trained up to the checkpoint, and 2 go on"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(75));
}

/// Training continues although nobody reads its output.
#[test]
fn a_closed_pipe_ends_no_training() {
    let desk = desk("conditional", 12);
    let mut command = desk.command(&TRAIN);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("ballast starts");
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert!(desk.path("run/run.json").exists());
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let again = ["train", "config.toml", "--run", "again"];
    let status = desk.command(&again).stdout(full).status().expect("ballast starts");
    assert!(status.success() && desk.path("again/run.json").exists(), "{status}");
}

/// The restart with sleeping threads keeps arguments, folder and exit code.
#[test]
fn several_threads_train_too() {
    let desk = desk("conditional", 3);
    let said = desk.succeed(&["train", "config.toml", "--run", "run", "--threads", "2"]);
    assert!(said.contains("2 threads"), "{said}");
    desk.fail(66, &["train", "missing.toml", "--threads", "2"]);
    desk.fail(2, &["train", "config.toml", "--threads", "0"]);
    desk.fail(2, &["train", "config.toml", "--log", "train=oops=x"]);
}

#[test]
fn a_second_writer_is_turned_away() {
    let desk = desk("conditional", 2000);
    let mut child = start(&desk, &["--save-every", "0s"]);
    under_way(&desk);
    let said = desk.fail(2, &TRAIN);
    assert!(said.contains(&format!("process {}", child.id())), "{said}");
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(75), "the first training continues undisturbed");
}

/// A limit on file sizes acts like a disk that fills up in the middle of the checkpoint, the largest file.
#[test]
fn a_full_disk_leaves_the_checkpoint_before() {
    let desk = desk("conditional", 12);
    desk.fail(75, &["train", "config.toml", "--run", "run", "--max-time", "1ms"]);
    let before = desk.read("run/checkpoint.safetensors");
    let blocks = before.len() / 512 / 2;
    let ballast = desk.command(&["train", "config.toml", "--run", "run", "--save-every", "0s"]);
    let limit = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &limit, "sh"])
        .arg(ballast.get_program())
        .args(ballast.get_args())
        .current_dir(desk.path(""))
        .env("OMP_NUM_THREADS", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("checkpoint.safetensors") && said.contains("hint"), "{said}");
    assert!(desk.read("run/checkpoint.safetensors") == before);
    assert_whole(&desk);
    desk.succeed(&TRAIN);
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let desk = desk("conditional", 12);
    let said = desk.succeed(&["train", "config.toml", "--run", "run", "--dry-run"]);
    // 200 rows, 60 % of them to train on: 120 − 8 − 4 + 1 windows in batches of 32.
    for expected in ["109 train", "12 epochs of 4 steps, 48 steps in all", "parameters", "MiB"] {
        assert!(said.contains(expected), "no `{expected}` in\n{said}");
    }
    assert!(!desk.path("run").exists());
    desk.fail(75, &["train", "config.toml", "--run", "run", "--max-time", "1ms"]);
    let other = ["train", "config.toml", "--run", "run", "--seed", "9", "--dry-run"];
    assert!(desk.fail(2, &other).contains("another config"));
    desk.write("series.csv", "time,x\n0,1\n");
    desk.fail(65, &["train", "config.toml", "--dry-run"]);
}

/// Oracle: the kernel's own measure of the training that follows.
#[test]
fn a_dry_run_knows_the_memory() {
    for size in ["model.hidden=16", "model.hidden=1200"] {
        let desk = desk("conditional", 2);
        let words = [&TRAIN[..], &["--set", size, "--set", "model.layers=4"]].concat();
        let said = desk.succeed(&[&words[..], &["--dry-run"]].concat());
        let number = said.split_once("peak memory ").unwrap().1.split(' ').next().unwrap();
        let told: f64 = number.parse().unwrap();
        let mut command = desk.command(&words);
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let ended = child.wait4().unwrap();
        assert!(ended.status.success());
        let taken = ended.rusage.maxrss as f64 / f64::from(1 << 20);
        assert!((0.8..1.2).contains(&(told / taken)), "{size}: {told} MiB told, {taken} taken");
    }
}

/// A training that cannot fit is refused before it is built, with one line and its remedy.
#[test]
fn a_training_beyond_memory_is_refused() {
    let desk = desk("conditional", 2);
    let vast = ["--set", "model.hidden=16384", "--set", "model.layers=256"];
    for more in [&[][..], &["--dry-run"]] {
        let said = desk.fail(69, &[&TRAIN[..], &vast, more].concat());
        assert!(said.contains("out of memory: the training needs at least 13690"), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }
}

/// A limit on the addresses of a process is met by libtorch, or by Rust, which would abort.
#[test]
fn whoever_meets_the_end_of_memory_says_so() {
    let desk = desk("conditional", 2);
    let rows: Vec<f64> = (0..3_000_000).map(|row| f64::from(row % 17)).collect();
    desk.write("long.csv", &csv(&rows));
    let wide = [&TRAIN[..], &["--set", "model.hidden=2048", "--set", "model.layers=3"]].concat();
    let limited = |words: &[&str], mebibytes: u32| {
        let ballast = desk.command(words);
        let limit = format!("ulimit -v {}; exec \"$@\"", mebibytes << 10);
        let output = Command::new("sh")
            .args(["-c", &limit, "sh"])
            .arg(ballast.get_program())
            .args(ballast.get_args())
            .current_dir(desk.path(""))
            .env("OMP_NUM_THREADS", "1")
            .env_remove("RUST_BACKTRACE")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("this is a bug"), "{said}");
        (output.status.code(), said)
    };
    for mebibytes in [560, 750, 900] {
        let (code, said) = limited(&wide, mebibytes);
        assert_eq!(code, Some(69), "{mebibytes} MiB: {said}");
        assert!(said.contains("out of memory") && said.lines().count() <= 2, "{said}");
    }
    for mebibytes in [480, 520] {
        let (code, said) = limited(&["data", "check", "long.csv"], mebibytes);
        assert_eq!(code, Some(69), "{mebibytes} MiB: {said}");
        assert!(said.starts_with("memory allocation of"), "{said}");
    }
    assert_eq!(limited(&["data", "check", "long.csv"], 4000).0, Some(0));
}

/// A search for a noise that is killed, interrupted and timed out ends like an undisturbed one, and its result
/// evaluates and forecasts.
#[test]
fn a_search_for_a_noise_survives_kills() {
    let auto = |desk: &Desk| {
        let words = ["train", "config.toml", "--run", "run", "--set", "noise=auto"];
        let said = desk.succeed(&[&words[..], &["--dry-run"]].concat());
        // 12 epochs of 4 steps. The smallest search would take 7·1 + 3·3 + 2·9 = 34 steps, but its 9 steps are not two
        // epochs.
        let expected = "search for a noise comes first: 32 steps, 0.67 of the training";
        assert!(said.contains(expected), "{said}");
        words
    };
    let whole = desk("conditional", 12);
    let words = auto(&whole);
    whole.succeed(&words);
    let killed = desk("conditional", 12);
    auto(&killed);
    let said = killed.fail(75, &[&words[..], &["--max-time", "1ms"]].concat());
    assert!(said.contains("candidate `plain`, in rung 1"), "{said}");
    let mut moments = StdRng::seed_from_u64(3);
    for _ in 0..8 {
        let mut child = start(&killed, &["--set", "noise=auto", "--save-every", "0s"]);
        sleep(Duration::from_millis(moments.random_range(20..400)));
        let _ = child.kill();
        child.wait().unwrap();
    }
    killed.succeed(&["train", "--run", "run"]);
    assert!(left_behind(&killed) == left_behind(&whole));
    assert!(killed.read("run/noise.json") == whole.read("run/noise.json"));
    let chosen = whole.json("run/noise.json")["chosen"]["candidate"].clone();
    let said = whole.json("run/run.json")["noise"].as_str().unwrap().to_owned();
    assert!(said.starts_with(&format!("noise: {}", chosen.as_str().unwrap())), "{said}");
    killed.succeed(&["evaluate", "run"]);
    killed.succeed(&["forecast", "run", "--input", "series.csv", "--output", "next.csv"]);
    let said = killed.succeed(&["noise", "run/config.toml"]);
    assert!(said.contains("both-3"), "{said}");
    killed.fail(2, &["noise", "run/config.toml", "--figure", "noise.svg"]);
    killed.fail(2, &["train", "config.toml", "--run", "b", "--set", "noise={auto={budget=0.5}}"]);
}
