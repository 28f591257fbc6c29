//! Trains a config on command, and reports the cost of each phase of a step.
//!
//! ```text
//! steps CONFIG FOLDER      reads commands from standard input, and answers each with one line of JSON
//!   check N                takes N steps from the initial weights, and writes inputs and results to FOLDER
//!   mean N                 takes N passes through one batch at the initial weights, likewise
//!   steps N                takes N more steps, and times them
//! ```
//!
//! `benches/pytorch` runs the same steps in PyTorch, and controls both programs.
#![allow(clippy::print_stdout, reason = "its answers")]

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use feed::{Batch, Part};
use rustix::time::{ClockId, clock_gettime};
use tch::{Device, Kind, Tensor, no_grad};
use train::{Config, Steps, load};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SEED: i64 = 20;

fn main() -> Result<()> {
    tch::set_num_threads(1);
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(config), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("give a config and a folder".into());
    };
    let config = Config::load(&config, &[])?;
    let mut steps = Steps::new(&config, load(&config, Device::Cpu)?)?;
    for line in std::io::stdin().lock().lines() {
        let answer = match line?.split_once(' ') {
            Some(("check", count)) => check(&config, &mut steps, count.parse()?, &folder)?,
            Some(("mean", count)) => mean(&config, &mut steps, count.parse()?, &folder)?,
            Some(("steps", count)) => timed(&mut steps, count.parse()?)?,
            _ => return Err("`check N`, `mean N` or `steps N`".into()),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn timed(steps: &mut Steps, count: usize) -> Result<serde_json::Value> {
    let mut clock = Clock::start();
    for _ in 0..count {
        let batch = steps.batch()?;
        clock.lap(Phase::Data);
        // Once more, by themselves: in a step they cannot be told from the passes that follow.
        steps.units(&batch, false)?;
        clock.lap(Phase::Units);
        steps.units(&batch, true)?;
        clock.lap(Phase::Noise);
        let terms = steps.passes(&batch)?;
        let windows = batch.context.size()[0];
        // The time to free the graph belongs to the pass that built it.
        drop(batch);
        clock.lap(Phase::Passes);
        steps.update(&terms, windows)?;
        clock.lap(Phase::Optimizer);
    }
    clock.answer(count)
}

/// The batch with these numbers among the training windows.
fn batch_at(steps: &Steps, indices: &Tensor) -> Result<Batch> {
    let source = steps.source();
    Ok(source.panel().gather(&source.windows(Part::Train).first_rows_of(indices)?)?)
}

/// Tensors with which another program repeats the steps: rows, the first row of each training window, initial weights,
/// noise.
fn inputs(config: &Config, steps: &Steps) -> Result<Vec<(String, Tensor)>> {
    let source = steps.source();
    let mut tensors = vec![
        ("rows".to_owned(), source.panel().values().tr().contiguous()),
        ("first_rows".to_owned(), source.windows(Part::Train).first_rows()?),
    ];
    for (name, value) in steps.forecaster().store().variables() {
        tensors.push((format!("initial.{name}"), value.detach().copy()));
    }
    let noise = config.noise.fixed().ok_or("name a noise")?;
    for (name, process) in [("input", noise.input()), ("target", noise.target())] {
        let table = |values: &[f64]| Tensor::from_slice(values).to_kind(Kind::Float);
        tensors.push((format!("noise.{name}.signal"), table(process.signal())));
        tensors.push((format!("noise.{name}.std"), table(process.std())));
    }
    let sampler = Tensor::from_slice(noise.sampler().probabilities());
    tensors.push(("noise.probabilities".to_owned(), sampler));
    Ok(tensors)
}

fn gradients(steps: &Steps, name: &str) -> Vec<(String, Tensor)> {
    let variables = steps.forecaster().store().variables();
    let copied = |(of, value): (String, Tensor)| (format!("{name}.{of}"), value.grad().copy());
    variables.into_iter().map(copied).collect()
}

fn write(tensors: &[(String, Tensor)], folder: &Path) -> Result<()> {
    Ok(no_grad(|| Tensor::write_safetensors(tensors, folder.join("check.safetensors")))?)
}

/// Steps that another program can repeat, with the same windows and the same seed before every step.
fn check(
    config: &Config,
    steps: &mut Steps,
    count: usize,
    folder: &Path,
) -> Result<serde_json::Value> {
    let (size, windows) =
        (config.train.batch_size as i64, steps.source().windows(Part::Train).count());
    let mut tensors = inputs(config, steps)?;
    let mut losses = Vec::new();
    for round in 0..count {
        tch::manual_seed(SEED + 1 + round as i64);
        let indices = Tensor::randint(windows, [size], (Kind::Int64, Device::Cpu));
        let terms = steps.passes(&batch_at(steps, &indices)?)?;
        if round == 0 {
            tensors.extend(gradients(steps, "gradient"));
        }
        losses.push(terms.loss.f_double_value(&[])?);
        steps.update(&terms, size)?;
    }
    write(&tensors, folder)?;
    Ok(serde_json::json!({ "losses": losses, "parameters": steps.flat().len() }))
}

/// Losses and gradients of many passes through one batch, for a program whose random numbers are others: their means
/// must agree up to their errors.
fn mean(
    config: &Config,
    steps: &mut Steps,
    count: usize,
    folder: &Path,
) -> Result<serde_json::Value> {
    let (size, windows) =
        (config.train.batch_size as i64, steps.source().windows(Part::Train).count());
    let mut tensors = inputs(config, steps)?;
    tch::manual_seed(SEED);
    let indices = Tensor::randint(windows, [size], (Kind::Int64, Device::Cpu));
    tensors.push(("indices".to_owned(), indices.copy()));
    let batch = batch_at(steps, &indices)?;
    let mut losses = Vec::new();
    for half in ["first", "second"] {
        for _ in 0..count / 2 {
            losses.push(steps.passes(&batch)?.loss.f_double_value(&[])?);
        }
        tensors.extend(gradients(steps, half));
        steps.flat().zero_gradients();
    }
    write(&tensors, folder)?;
    Ok(serde_json::json!({ "losses": losses, "parameters": steps.flat().len() }))
}

#[derive(Clone, Copy)]
enum Phase {
    Data,
    Units,
    Noise,
    Passes,
    Optimizer,
}

const PHASES: usize = 5;

/// Wall time and processor time of each phase.
struct Clock {
    last: [Duration; 2],
    origin: Instant,
    wall: [Duration; PHASES],
    cpu: [Duration; PHASES],
}

impl Clock {
    fn start() -> Clock {
        let zero = [Duration::ZERO; PHASES];
        let mut clock =
            Clock { last: [Duration::ZERO; 2], origin: Instant::now(), wall: zero, cpu: zero };
        clock.last = clock.now();
        clock
    }

    fn now(&self) -> [Duration; 2] {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = Duration::new(cpu.tv_sec.unsigned_abs(), cpu.tv_nsec as u32);
        [self.origin.elapsed(), cpu]
    }

    fn lap(&mut self, phase: Phase) {
        let now = self.now();
        self.wall[phase as usize] += now[0] - self.last[0];
        self.cpu[phase as usize] += now[1] - self.last[1];
        self.last = now;
    }

    fn answer(&self, steps: usize) -> Result<serde_json::Value> {
        let phases = |times: &[Duration; PHASES]| {
            let [data, units, noised, passes, optimizer] =
                times.map(|time| time.as_secs_f64() / steps as f64);
            // The passes hold the noise, which was drawn twice.
            let noise = (noised - units).max(0.0);
            serde_json::json!({
                "data": data, "noise": noise, "passes": passes - noise, "optimizer": optimizer
            })
        };
        let peak = peak_bytes()?;
        let (wall, cpu) = (phases(&self.wall), phases(&self.cpu));
        Ok(serde_json::json!({ "wall": wall, "cpu": cpu, "peak_bytes": peak }))
    }
}

/// Peak resident memory of this process in bytes.
fn peak_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kib.parse::<u64>()? * 1024)
}
