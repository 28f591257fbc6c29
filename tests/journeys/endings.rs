//! Every command ends with its documented exit code, whether or not anybody can read what it says.

use std::fs::{self, File};
use std::io::pipe;
use std::process::{Command, Stdio};
use std::thread;

use journeys::{CONFIG, Desk, autoregression, csv};

/// A way to end: its exit code, and the words that lead to it.
struct Case {
    code: i32,
    words: &'static str,
}

const fn case(code: i32, words: &'static str) -> Case {
    Case { code, words }
}

const CASES: [Case; 40] = [
    case(0, "train config.toml --run new"),
    case(75, "train config.toml --run new --max-time 1ms"),
    case(3, "train config.toml --run new --set train.learning_rate=1e30 --set train.clip_norm=0"),
    case(2, "train config.toml --run new --set epocs=1"),
    case(2, "train"),
    case(66, "train missing.toml"),
    case(65, "train config.toml --run new --set data.path=bad.csv"),
    case(69, "train config.toml --run new --device cuda:99"),
    case(74, "train config.toml --run /proc/new"),
    case(0, "train config.toml --run new --dry-run"),
    case(0, "evaluate run"),
    case(2, "evaluate"),
    case(66, "evaluate nowhere"),
    case(74, "evaluate run --dump /dev/full"),
    case(0, "features run --steps 2"),
    case(66, "features nowhere"),
    case(0, "forecast run --input series.csv --output new.csv"),
    case(2, "forecast run"),
    case(65, "forecast run --input bad.csv --output new.csv"),
    case(66, "forecast run --input missing.csv --output new.csv"),
    case(74, "forecast run --input series.csv --output /dev/full"),
    case(0, "forecast series.csv --horizon 4 --without-network"),
    case(75, "update run --input newer.csv --max-time 1ms"),
    case(65, "update run --input bad.csv"),
    case(66, "update nowhere --input newer.csv"),
    case(0, "backtest series.csv --horizon 4 --folds 2 --without-network"),
    case(65, "backtest bad.csv --horizon 4 --without-network"),
    case(0, "noise config.toml"),
    case(2, "noise config.toml --set noise.schedule=none --set noise.steps=x"),
    case(66, "noise missing.toml"),
    case(0, "data check series.csv"),
    case(65, "data check bad.csv"),
    case(66, "data check missing.csv"),
    case(0, "data fetch"),
    case(0, "init series.csv --output new.toml"),
    case(2, "init series.csv --output config.toml"),
    case(0, "config schema"),
    case(0, "--help"),
    case(0, "--version"),
    case(2, "nonsense"),
];

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(200, 0.5, 1)));
    desk.write("newer.csv", &csv(&autoregression(230, 0.5, 1)));
    desk.write("bad.csv", "time,x\n0,abc\n").write("config.toml", CONFIG);
    desk.succeed(&["train", "config.toml", "--run", "run"]);
    desk
}

/// A stream that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("/dev/full").into()
}

/// Removes the outputs of the case before.
fn clear(desk: &Desk) {
    for name in ["new", "runs"] {
        let _ = fs::remove_dir_all(desk.path(name));
    }
    for name in ["new.csv", "new.toml", "series-forecast.csv", "series-forecast.html"] {
        let _ = fs::remove_file(desk.path(name));
    }
}

/// The exit code, where the streams of the command are as `streams` makes them.
fn code(desk: &Desk, words: &str, streams: impl FnOnce(&mut Command)) -> Option<i32> {
    clear(desk);
    let words: Vec<&str> = words.split(' ').collect();
    let mut command = desk.command(&words);
    command.stdin(Stdio::null());
    streams(&mut command);
    command.status().expect("ballast starts").code()
}

#[test]
fn exit_codes_do_not_depend_on_readers() {
    // Two desks at a time: most of a command is its start.
    thread::scope(|scope| {
        for half in CASES.chunks(CASES.len().div_ceil(2)) {
            scope.spawn(move || {
                let desk = desk();
                half.iter().for_each(|case| try_all(&desk, case));
            });
        }
    });
}

fn try_all(desk: &Desk, Case { code: expected, words }: &Case) {
    let found = code(desk, words, |command| {
        command.stdout(Stdio::null()).stderr(closed());
    });
    assert_eq!(found, Some(*expected), "{words}, stderr closed");
    let found = code(desk, words, |command| {
        command.stdout(closed()).stderr(Stdio::null());
    });
    assert_eq!(found, Some(*expected), "{words}, stdout closed");
    // The result is on stdout, or, of a training, in its directory.
    let trains = words.starts_with("train") && !words.ends_with("--dry-run");
    let expected = if *expected == 0 && !trains { 74 } else { *expected };
    let found = code(desk, words, |command| {
        command.stdout(full()).stderr(full());
    });
    assert_eq!(found, Some(expected), "{words}, both full");
}

/// A limit on the size of files is a full disk, though the system sends a signal.
#[test]
fn a_file_beyond_its_limit_is_a_full_disk() {
    let desk = desk();
    let ballast = desk.command(&["train", "config.toml", "--run", "new"]);
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 4; exec \"$@\"", "sh"])
        .arg(ballast.get_program())
        .args(ballast.get_args())
        .current_dir(desk.path(""))
        .env("OMP_NUM_THREADS", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("hint: check that its folder"), "{said}");
}

/// The table goes to stdout, and everything else that is said to stderr.
#[test]
fn a_dash_is_stdout() {
    let desk = desk();
    let words = ["forecast", "run", "--input", "series.csv", "--output"];
    desk.succeed(&[&words[..], &["new.csv"]].concat());
    for name in ["-", "/dev/stdout"] {
        let output = desk.run(&[&words[..], &[name]].concat());
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout == desk.read("new.csv"), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("4 steps each, written to"));
        assert!(!desk.path("-").exists());
    }
    let found = code(&desk, "forecast run --input series.csv --output -", |command| {
        command.stdout(closed());
    });
    assert_eq!(found, Some(0), "a reader that has gone had enough");
    let two = ["forecast", "series.csv", "--without-network", "--samples", "3", "--output", "-"];
    assert!(desk.fail(2, &two).contains("one table, not two"));
}

/// Names from files and arguments cannot steer a terminal, on stdout, on stderr or in the log.
#[test]
fn nothing_steers_the_terminal() {
    let desk = desk();
    let evil = "x\u{1b}[31m\u{202e}\u{9b}2J";
    desk.write("evil.csv", &csv(&autoregression(60, 0.5, 1)).replacen('x', evil, 1));
    desk.write("evil.toml", &CONFIG.replacen("[train]", "[\"tr\\u001b[31m\\u202eain\"]", 1));
    let argument = format!("{evil}.toml");
    let weird = format!("train={evil}");
    let key = format!("train.{evil}=1");
    for words in [
        &["data", "check", "evil.csv"][..],
        &["data", "check", "evil.csv", "--json"],
        &["init", "evil.csv", "--output", "new.toml"],
        &["forecast", "evil.csv", "--without-network", "--horizon", "2", "--log", "trace"],
        &["train", "evil.toml"],
        &["train", &argument],
        &["train", "config.toml", "--set", &key],
        &["train", "config.toml", "--log", &weird],
        &["evaluate", &argument],
        &[evil],
    ] {
        let output = desk.command(words).env("CLICOLOR_FORCE", "1").output().unwrap();
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8(stream).expect("UTF-8");
            let steers = |c: char| c.is_control() && !"\n\t".contains(c) || c == '\u{202e}';
            assert!(!text.contains(steers), "{words:?} prints {text:?}");
        }
    }
}
