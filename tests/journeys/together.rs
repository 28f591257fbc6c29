//! Several processes of one command, as launchers start them.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use journeys::{CONFIG, Desk, autoregression, csv};
use rustix::process::{Pid, Signal, kill_process};

const TRAIN: [&str; 4] = ["train", "config.toml", "--run", "run"];

fn desk(epochs: usize) -> Desk {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(200, 0.5, 1)));
    let config = CONFIG.replace("epochs = 3", &format!("epochs = {epochs}"));
    desk.write("config.toml", &config.replace("patience = 10", "patience = 0"));
    fs::create_dir(desk.path("tmp")).unwrap();
    desk
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts the ranks of a command with the variables of PyTorch.
fn start(desk: &Desk, words: &[&str], world: usize) -> Vec<Child> {
    let port = free_port();
    let words: Vec<&str> = words
        .iter()
        .chain(&["--distributed", "env", "--distributed-timeout", "20s"])
        .copied()
        .collect();
    let rank = |rank: usize| {
        let mut command = desk.command(&words);
        command
            .envs([("RANK", rank.to_string()), ("WORLD_SIZE", world.to_string())])
            .envs([("MASTER_ADDR", "127.0.0.1".to_owned()), ("MASTER_PORT", port.to_string())])
            .env("TMPDIR", desk.path("tmp"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("ballast starts")
    };
    (0..world).map(rank).collect()
}

fn ended(ranks: Vec<Child>) -> Vec<Output> {
    ranks.into_iter().map(|rank| rank.wait_with_output().unwrap()).collect()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn codes(outputs: &[Output]) -> Vec<Option<i32>> {
    outputs.iter().map(|output| output.status.code()).collect()
}

/// The only message of all ranks.
fn only_message(outputs: &[Output]) -> String {
    let said: Vec<String> =
        outputs.iter().map(errors).filter(|text| text.contains("ballast:")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    said.concat()
}

/// Waits until the training has saved.
fn wait_for_checkpoint(desk: &Desk) {
    let end = Instant::now() + Duration::from_secs(60);
    while !desk.path("run/checkpoint.safetensors").exists() {
        assert!(Instant::now() < end, "no checkpoint");
        sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id() as i32).expect("a process id");
    kill_process(pid, signal).expect("the process is there");
}

#[test]
fn ranks_leave_one_run_and_print_once() {
    let desk = desk(3);
    let outputs = ended(start(&desk, &TRAIN, 2));
    assert_eq!(codes(&outputs), [Some(0); 2], "{}", errors(&outputs[0]));
    let lines = String::from_utf8_lossy(&outputs[0].stdout).into_owned();
    assert!(lines.contains("\"event\":\"done\""), "{lines}");
    assert!(outputs[1].stdout.is_empty() && outputs[1].stderr.is_empty());
    assert_eq!(desk.json("run/run.json")["status"], "done");
    assert_eq!(fs::read_dir(desk.path("tmp")).unwrap().count(), 0, "no directory is left");
    desk.succeed(&["evaluate", "run"]);
}

#[test]
fn a_mistake_is_told_once() {
    let desk = desk(3);
    let outputs = ended(start(&desk, &["train", "absent.toml"], 3));
    assert_eq!(codes(&outputs), [Some(66); 3]);
    assert!(only_message(&outputs).starts_with("ballast: absent.toml: no such config"));
}

#[test]
fn a_rank_that_is_killed_ends_the_others_with_one_message() {
    for killed in [1, 0] {
        let desk = desk(2000);
        let words: Vec<&str> = TRAIN.iter().chain(&["--save-every", "0s"]).copied().collect();
        let ranks = start(&desk, &words, 2);
        wait_for_checkpoint(&desk);
        signal(&ranks[killed], Signal::KILL);
        let started = Instant::now();
        let outputs = ended(ranks);
        assert!(started.elapsed() < Duration::from_secs(40));
        let other = 1 - killed;
        assert_eq!(outputs[other].status.code(), Some(75), "{}", errors(&outputs[other]));
        let message = only_message(&outputs);
        let expected = format!("ballast: training: rank {killed} is missing at the exchange of ");
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.contains("start all processes again"), "{message}");
        // The checkpoint is whole: one process goes on from it.
        let stopped = desk.run(&["train", "config.toml", "--run", "run", "--max-time", "0s"]);
        assert_eq!(stopped.status.code(), Some(75), "{}", errors(&stopped));
        assert!(String::from_utf8_lossy(&stopped.stdout).contains("\"continues_after_step\":"));
    }
}

#[test]
fn a_signal_to_one_rank_stops_all_after_the_same_step() {
    let desk = desk(2000);
    let words: Vec<&str> = TRAIN.iter().chain(&["--save-every", "0s"]).copied().collect();
    let ranks = start(&desk, &words, 3);
    wait_for_checkpoint(&desk);
    signal(&ranks[2], Signal::TERM);
    let outputs = ended(ranks);
    assert_eq!(codes(&outputs), [Some(75); 3]);
    assert!(only_message(&outputs).starts_with("ballast: training: saved after step"));
}

#[test]
fn launchers_that_did_not_start_the_process_are_mistakes() {
    let desk = desk(3);
    for (launcher, says) in [
        ("env", "`RANK` is not set"),
        ("torchrun", "torchrun did not start this process"),
        ("slurm", "Slurm did not start this process"),
    ] {
        let words: Vec<&str> = TRAIN.iter().chain(&["--distributed", launcher]).copied().collect();
        let said = desk.fail(2, &words);
        assert!(said.contains(says), "{said}");
        assert!(!desk.path("run").exists());
    }
    // Variables alone start no group.
    let mut command = desk.command(&TRAIN);
    command.envs([("RANK", "0"), ("WORLD_SIZE", "2"), ("TORCHELASTIC_RUN_ID", "left over")]);
    assert!(command.output().unwrap().status.success());
}

/// `torchrun` on the path, or the one that `cargo xtask bench --pytorch` installed.
fn torchrun() -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&paths).collect();
    let home = env::var_os("HOME").map(PathBuf::from);
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home.map(|h| h.join(".cache")));
    folders.extend(cache.map(|cache| cache.join("ballast/pytorch/bin")));
    folders.into_iter().map(|folder| folder.join("torchrun")).find(|path| path.is_file())
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn torchrun_starts_a_training() {
    let Some(torchrun) = torchrun() else {
        eprintln!(
            "SKIPPED under torchrun: it is neither on the path nor in the cache; \
            `cargo xtask bench --pytorch` installs it"
        );
        return;
    };
    let desk = desk(3);
    let ballast = desk.command(&[]).get_program().to_owned();
    let start = |more: &[&str]| {
        let mut command = Command::new(&torchrun);
        command
            .args(["--standalone", "--no-python", "--nproc-per-node", "2", "--"])
            .arg(&ballast)
            .args(TRAIN)
            .args(more)
            .current_dir(desk.path(""))
            .env("OMP_NUM_THREADS", "1");
        command.output().unwrap()
    };
    let stopped = start(&["--max-time", "0s"]);
    let said = errors(&stopped);
    assert!(!stopped.status.success());
    assert!(said.contains("ballast: training: saved after step 1"), "{said}");
    assert!(said.contains("torchrun reports every exit code but 0 as a failure"), "{said}");
    // torchrun read the file of errors.
    assert!(said.contains("exitcode  : 75"), "{said}");
    let done = start(&[]);
    assert!(done.status.success(), "{}", errors(&done));
    let lines = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(lines.matches("\"event\":\"done\"").count(), 1, "{lines}");
    assert_eq!(desk.json("run/run.json")["status"], "done");
}

/// The file of a single process, and of two and three ranks; each command gets a name for its output.
fn by_ranks(desk: &Desk, words: &dyn Fn(&str) -> Vec<String>) {
    let command = |name: &str| words(name);
    let text = |name: &str| String::from_utf8(desk.read(name)).unwrap();
    let one = command("1.csv");
    desk.succeed(&one.iter().map(String::as_str).collect::<Vec<_>>());
    for world in [2, 3] {
        let name = format!("{world}.csv");
        let words = command(&name);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let outputs = ended(start(desk, &words, world));
        assert!(codes(&outputs).iter().all(|code| *code == Some(0)), "{}", errors(&outputs[0]));
        assert!(outputs[1].stdout.is_empty() && outputs[1].stderr.is_empty());
        assert!(text(&name) == text("1.csv"), "{world} ranks forecast something else");
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A table of seven series, with a season.
fn panel() -> String {
    let mut text = "id,month,sales\n".to_owned();
    for series in 0..7 {
        let values = autoregression(60, 0.3, series);
        for (row, value) in values.iter().enumerate() {
            let (year, month) = (2018 + row / 12, row % 12 + 1);
            let season = 10.0 * f64::from(u8::from(month == 12));
            text += &format!("s{series},{year}-{month:02}-01,{:.2}\n", 40.0 + season + value);
        }
    }
    text
}

/// Bit for bit: each series, fold and batch draws from a stream of its own.
#[test]
fn ranks_share_series_folds_and_windows() {
    let desk = desk(3);
    desk.write("sales.csv", &panel());
    by_ranks(&desk, &|name| {
        owned(&[
            "forecast",
            "sales.csv",
            "--without-network",
            "--output",
            name,
            "--picture",
            "page.html",
            "--run",
            &format!("run-{name}"),
        ])
    });
    for refit in [&["--refit"][..], &[]] {
        by_ranks(&desk, &|name| {
            let table = ["backtest", "sales.csv", "--without-network", "--output", name];
            let more = ["--folds", "4", "--picture", "page.html", "--run", &format!("b-{name}")];
            owned(&[&table[..], &more, refit].concat())
        });
    }
    desk.succeed(&TRAIN);
    by_ranks(&desk, &|name| owned(&["forecast", "run", "--input", "series.csv", "--output", name]));
    desk.succeed(&["evaluate", "run", "--output", "alone"]);
    for world in [2, 3] {
        let outputs = ended(start(&desk, &["evaluate", "run", "--output", "shared"], world));
        assert!(codes(&outputs).iter().all(|code| *code == Some(0)), "{}", errors(&outputs[0]));
        for file in ["scores.csv", "evaluation.json"] {
            let same = desk.read(&format!("alone/{file}")) == desk.read(&format!("shared/{file}"));
            assert!(same, "{file} of {world} ranks");
        }
    }
}

/// The pool with its network, which ranks train together, agrees to rounding.
#[test]
fn ranks_forecast_with_the_network() {
    let desk = desk(3);
    desk.write("sales.csv", &panel());
    let numbers = |name: &str| -> Vec<f64> {
        let text = String::from_utf8(desk.read(name)).unwrap();
        let cells = text.lines().skip(1).flat_map(|line| line.split(',').skip(2));
        cells.map(|cell| cell.parse().unwrap()).collect()
    };
    let words = |name: &str| {
        let table = ["forecast", "sales.csv", "--output", name, "--picture", "page.html"];
        owned(&[&table[..], &["--run", &format!("run-{name}")]].concat())
    };
    let one = words("1.csv");
    desk.succeed(&one.iter().map(String::as_str).collect::<Vec<_>>());
    let two = words("2.csv");
    let two: Vec<&str> = two.iter().map(String::as_str).collect();
    let outputs = ended(start(&desk, &two, 2));
    assert_eq!(codes(&outputs), [Some(0); 2], "{}", errors(&outputs[0]));
    let (one, two) = (numbers("1.csv"), numbers("2.csv"));
    assert_eq!(one.len(), two.len());
    for (one, two) in one.iter().zip(&two) {
        assert!((one - two).abs() < 1e-3 * one.abs().max(1.0), "{one} {two}");
    }
}

#[test]
fn ranks_share_the_seeds_of_a_training() {
    let desk = desk(2);
    let words = ["train", "config.toml", "--run", "runs", "--seed", "1,2,3"];
    let outputs = ended(start(&desk, &words, 2));
    assert_eq!(codes(&outputs), [Some(0); 2], "{}", errors(&outputs[0]));
    desk.succeed(&["train", "config.toml", "--run", "alone", "--seed", "2"]);
    for seed in 1..=3 {
        assert_eq!(desk.json(&format!("runs/seed-{seed}/run.json"))["seed"], seed);
    }
    let weights = |name: &str| desk.read(&format!("{name}/model.safetensors"));
    assert_eq!(weights("runs/seed-2"), weights("alone"));
}
