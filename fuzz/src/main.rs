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

/// Feed the readers with changed files; a panic, an overflow, a hang or the use of 2 GB is a finding
#[derive(Parser)]
#[command(bin_name = "cargo xtask fuzz")]
struct Args {
    /// Only this target
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(TARGETS.iter().map(|t| t.name)))]
    target: Option<String>,
    /// Executions of each target [default: 20 000, and 2000 of those that train]
    #[arg(long)]
    executions: Option<u64>,
    /// The first execution, to repeat a finding
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Another seed gives other inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// This input alone, such as one that was kept
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
}

/// Memory that the executions may map, beside what the program itself takes.
const MOST_MEMORY: u64 = 2 << 30;
/// One execution takes a few milliseconds at most.
const LONGEST: Duration = Duration::from_secs(20);

/// Where and why the last panic was.
static PANIC: Mutex<Option<(String, String)>> = Mutex::new(None);
/// The execution in progress.
static INDEX: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(path) = &args.input {
        let input = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        TARGETS
            .iter()
            .filter(|t| Some(t.name) == args.target.as_deref())
            .for_each(|t| (t.run)(&input));
        return ExitCode::SUCCESS;
    }
    let most = Some(MOST_MEMORY + mapped());
    let memory = Rlimit { current: most, maximum: most };
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

/// Bytes that this process maps by now, such as libtorch.
fn mapped() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
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
    INDEX.store(args.first, Ordering::Relaxed);
    let watch = Watch::start(target.name, args.seed);
    let checked = panic::catch_unwind(|| {
        let material = mutate::Material::of(target);
        for input in &material.seeds {
            (target.run)(&[input, &[0, 0xf8][..]].concat());
        }
        material
    });
    let Ok(material) = checked else {
        let panicked = PANIC.lock().unwrap().take().unwrap_or_default();
        eprintln!("{}: a seed: {}: {}", target.name, panicked.0, panicked.1);
        return 1;
    };
    let (begin, mut slowest) = (Instant::now(), Duration::ZERO);
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let executions = args.executions.unwrap_or(target.few);
    for index in args.first..args.first + executions {
        INDEX.store(index, Ordering::Relaxed);
        let input = mutate::input(&material, args.seed, index);
        let started = Instant::now();
        let outcome = panic::catch_unwind(|| (target.run)(&input));
        slowest = slowest.max(started.elapsed());
        // A panic that the reader caught counts too, unless it comes from another crate.
        let Some((place, message)) = PANIC.lock().unwrap().take() else { continue };
        if outcome.is_ok() && !place.contains("crates/") {
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
                again(target.name, args.seed, index)
            );
        }
    }
    watch.end();
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{:<10} {} executions in {seconds:.1} s, the slowest {:.1} ms, {} findings",
        target.name,
        executions,
        slowest.as_secs_f64() * 1e3,
        found.len()
    );
    found.len()
}

/// The command that repeats one execution.
fn again(target: &str, seed: u64, index: u64) -> String {
    format!("cargo xtask fuzz --target {target} --seed {seed} --first {index} --executions 1")
}

/// Ends the program where an execution, or a seed before the first, hangs.
struct Watch {
    done: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Watch {
    fn start(target: &'static str, seed: u64) -> Watch {
        let (done, watched) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut last = u64::MAX;
            while watched.recv_timeout(LONGEST) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let index = INDEX.load(Ordering::Relaxed);
                if index == last {
                    eprintln!("{target}: hangs; again: {}", again(target, seed, index));
                    std::process::exit(1);
                }
                last = index;
            }
        });
        Watch { done, thread }
    }

    fn end(self) {
        drop(self.done);
        self.thread.join().unwrap();
    }
}

fn keep(target: &str, index: u64, input: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz");
    let path = folder.join(format!("{target}-{index}"));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input));
    kept.map_or_else(|_| "(not kept)".into(), |()| path)
}
