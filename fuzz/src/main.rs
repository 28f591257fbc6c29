//! A small deterministic fuzzer: `cargo xtask fuzz`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use std::collections::BTreeMap;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use fuzz::{TARGETS, Target, mutate};
use rustix::process::{Resource, Rlimit, setrlimit};

/// Feed the readers with changed files; a panic, an overflow, a hang or the use of more than 2 GB is a finding
#[derive(Parser)]
#[command(bin_name = "cargo xtask fuzz")]
struct Args {
    /// Only this target
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(TARGETS.iter().map(|t| t.name)))]
    target: Option<String>,
    /// Executions of each target
    #[arg(long, default_value_t = 20_000)]
    executions: u64,
    /// The first execution, to repeat a finding
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Another seed gives other inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Memory that one process may map.
const MOST_MEMORY: u64 = 2 << 30;
/// One execution takes well below a millisecond.
const LONGEST: Duration = Duration::from_secs(20);

/// Where and why the last panic was.
static PANIC: Mutex<Option<(String, String)>> = Mutex::new(None);
/// The execution in progress.
static INDEX: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let args = Args::parse();
    let memory = Rlimit { current: Some(MOST_MEMORY), maximum: Some(MOST_MEMORY) };
    if let Err(error) = setrlimit(Resource::As, memory) {
        eprintln!("warning: memory is not limited: {error}");
    }
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or(String::new(), ToString::to_string);
        let place = if place.starts_with("/rustc/") { caller().unwrap_or(place) } else { place };
        *PANIC.lock().unwrap() = Some((place, info.to_string()));
    }));
    let chosen =
        TARGETS.iter().filter(|t| args.target.as_deref().is_none_or(|name| name == t.name));
    let findings: usize = chosen.map(|target| fuzz(target, &args)).sum();
    if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The line that called a function of the standard library that panicked.
fn caller() -> Option<String> {
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    let places = trace.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let ours = |place: &&str| !place.starts_with("/rustc/") && !place.contains("fuzz/src/");
    places.into_iter().find(ours).map(str::to_owned)
}

/// Runs one target and returns the number of places where it panicked.
fn fuzz(target: &'static Target, args: &Args) -> usize {
    let checked = panic::catch_unwind(|| {
        let seeds = (target.seeds)();
        for input in &seeds {
            (target.run)(&[input, &[0, 0xf8][..]].concat());
        }
        seeds
    });
    let Ok(seeds) = checked else {
        let panicked = PANIC.lock().unwrap().take().unwrap_or_default();
        eprintln!("{}: a seed: {}: {}", target.name, panicked.0, panicked.1);
        return 1;
    };
    let (begin, mut slowest) = (Instant::now(), Duration::ZERO);
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let (done, watched) = std::sync::mpsc::channel::<()>();
    let again = move |index: u64, seed: u64| {
        format!(
            "cargo xtask fuzz --target {} --seed {seed} --first {index} --executions 1",
            target.name
        )
    };
    let seed = args.seed;
    let watch = std::thread::spawn(move || {
        let mut last = u64::MAX;
        while watched.recv_timeout(LONGEST) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let index = INDEX.load(Ordering::Relaxed);
            if index == last {
                eprintln!("{}: hangs; again: {}", target.name, again(index, seed));
                std::process::exit(1);
            }
            last = index;
        }
    });
    for index in args.first..args.first + args.executions {
        INDEX.store(index, Ordering::Relaxed);
        let input = mutate::input(&seeds, args.seed, index);
        let started = Instant::now();
        let outcome = panic::catch_unwind(|| (target.run)(&input));
        slowest = slowest.max(started.elapsed());
        // A panic that the reader caught counts too, unless it comes from another crate.
        let Some((place, message)) = PANIC.lock().unwrap().take() else { continue };
        if outcome.is_ok() && !place.contains("crates/data/") {
            continue;
        }
        let times = found.entry(place.clone()).or_insert(0);
        *times += 1;
        if *times == 1 {
            let kept = keep(target.name, index, &input);
            eprintln!(
                "{}: {place}: {message}\n  input: {}\n  again: {}",
                target.name,
                kept.display(),
                again(index, seed)
            );
        }
    }
    drop(done);
    watch.join().unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{:<9} {} executions in {seconds:.1} s, the slowest {:.1} ms, {} findings",
        target.name,
        args.executions,
        slowest.as_secs_f64() * 1e3,
        found.len()
    );
    found.len()
}

fn keep(target: &str, index: u64, input: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz");
    let path = folder.join(format!("{target}-{index}"));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input));
    kept.map_or_else(|_| "(not kept)".into(), |()| path)
}
