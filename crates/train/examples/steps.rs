//! Trains a model on random walks on command, and reports the cost of each phase of a step.
//!
//! ```text
//! steps CONFIG FOLDER      reads commands from standard input, and answers each with one line of JSON
//!   check N                takes N steps from the initial weights, and writes inputs and results to FOLDER
//!   steps N                takes N more steps, and times them
//! ```
//!
//! `benches/pytorch` runs the same steps in PyTorch, and controls both programs. The example reads the window lengths
//! and the settings of model, noise, objective and training from the config, and generates the data itself.
#![allow(clippy::print_stdout, reason = "its answers")]

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use feed::{Columns, DevicePanel, WindowSet};
use rustix::time::{ClockId, clock_gettime};
use tch::{Device, Kind, Tensor, no_grad};
use train::{AdamW, Config, Flat, Forecaster, shape};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROWS: i64 = 4000;
const SEED: i64 = 20;

fn main() -> Result<()> {
    tch::set_num_threads(1);
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(config), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("give a config and a folder".into());
    };
    let mut bench = Bench::new(Config::load(&config, &[])?)?;
    for line in std::io::stdin().lock().lines() {
        let answer = match line?.split_once(' ') {
            Some(("check", count)) => bench.check(count.parse()?, &folder)?,
            Some(("steps", count)) => bench.timed(count.parse()?)?,
            _ => return Err("`check N` or `steps N`".into()),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

struct Bench {
    config: Config,
    values: Tensor,
    panel: DevicePanel,
    windows: WindowSet,
    forecaster: Forecaster,
    flat: Flat,
    optimizer: AdamW,
    order: Vec<Tensor>,
    step: usize,
}

impl Bench {
    fn new(config: Config) -> Result<Bench> {
        tch::manual_seed(SEED);
        let data = &config.data;
        let targets = data.targets.as_ref().map_or(1, Vec::len) as i64;
        let (context, horizon) = (data.context as i64, data.horizon as i64);
        let columns = Columns { context, horizon, targets, past: 0, future: 0 };
        let walk = Tensor::randn([ROWS, targets], (Kind::Float, Device::Cpu));
        let values = (walk * 0.1).cumsum(0, Kind::Float);
        let numbers = Vec::<f32>::try_from(values.view([-1]))?;
        let panel = DevicePanel::new(&numbers, None, columns, Device::Cpu)?;
        let windows = WindowSet::new([(0, ROWS - context - horizon + 1, 1)], Device::Cpu)?;
        let forecaster = Forecaster::new(&config, shape(&panel), Device::Cpu)?;
        let flat = Flat::new(forecaster.store())?;
        let optimizer = AdamW::new(&flat, &config.train)?;
        let order = Vec::new();
        Ok(Bench { config, values, panel, windows, forecaster, flat, optimizer, order, step: 0 })
    }

    /// The next batch of the order, which is drawn again when it is used up.
    fn next(&mut self) -> Result<Tensor> {
        loop {
            if let Some(indices) = self.order.pop() {
                return Ok(indices);
            }
            let size = self.config.train.batch_size as i64;
            let order = Tensor::f_randperm(self.windows.count(), (Kind::Int64, Device::Cpu))?;
            self.order = order.narrow(0, 0, self.windows.count() / size * size).split(size, 0);
        }
    }

    fn step(&mut self, indices: &Tensor, clock: &mut Clock) -> Result<()> {
        let batch = self.panel.gather(&self.windows.first_rows_of(indices)?)?;
        clock.lap(Phase::Data);
        let terms = self.forecaster.training_terms(&batch, self.step)?;
        terms.loss.f_backward()?;
        // The time to free the graph belongs to the pass that built it.
        let loss = terms.loss.detach();
        drop((batch, terms));
        clock.lap(Phase::Passes);
        let _ = self.optimizer.step(&self.flat, &loss, self.config.train.learning_rate)?;
        self.flat.zero_gradients();
        clock.lap(Phase::Optimizer);
        self.step += 1;
        Ok(())
    }

    fn timed(&mut self, count: usize) -> Result<serde_json::Value> {
        let mut clock = Clock::start();
        for _ in 0..count {
            let indices = self.next()?;
            self.step(&indices, &mut clock)?;
        }
        clock.answer(count)
    }

    /// Steps that another program can repeat, with the same windows and the same seed before every step.
    fn check(&mut self, count: usize, folder: &std::path::Path) -> Result<serde_json::Value> {
        let size = self.config.train.batch_size as i64;
        let mut tensors = vec![("rows".to_owned(), self.values.shallow_clone())];
        for (name, value) in self.forecaster.store().variables() {
            tensors.push((format!("initial.{name}"), value.detach().copy()));
        }
        let noise = self.config.noise.fixed().ok_or("name a noise")?;
        for (name, process) in [("input", noise.input()), ("target", noise.target())] {
            let table = |values: &[f64]| Tensor::from_slice(values).to_kind(Kind::Float);
            tensors.push((format!("noise.{name}.signal"), table(process.signal())));
            tensors.push((format!("noise.{name}.std"), table(process.std())));
        }
        let sampler = Tensor::from_slice(noise.sampler().probabilities());
        tensors.push(("noise.probabilities".to_owned(), sampler));
        let mut losses = Vec::new();
        for round in 0..count {
            tch::manual_seed(SEED + 1 + round as i64);
            let indices = Tensor::randint(self.windows.count(), [size], (Kind::Int64, Device::Cpu));
            // The gradients of the first step, before the optimizer scales them.
            let batch = self.panel.gather(&self.windows.first_rows_of(&indices)?)?;
            let terms = self.forecaster.training_terms(&batch, self.step)?;
            terms.loss.f_backward()?;
            if round == 0 {
                for (name, value) in self.forecaster.store().variables() {
                    tensors.push((format!("gradient.{name}"), value.grad().copy()));
                }
            }
            let rate = self.config.train.learning_rate;
            let _ = self.optimizer.step(&self.flat, &terms.loss.detach(), rate)?;
            self.flat.zero_gradients();
            losses.push(terms.loss.f_double_value(&[])?);
        }
        let path = folder.join("check.safetensors");
        no_grad(|| Tensor::write_safetensors(&tensors, &path))?;
        Ok(serde_json::json!({ "losses": losses, "parameters": self.flat.len() }))
    }
}

#[derive(Clone, Copy)]
enum Phase {
    Data,
    Passes,
    Optimizer,
}

/// Wall time and processor time of each phase.
struct Clock {
    last: [Duration; 2],
    origin: Instant,
    wall: [Duration; 3],
    cpu: [Duration; 3],
}

impl Clock {
    fn start() -> Clock {
        let zero = [Duration::ZERO; 3];
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
        let phases = |times: &[Duration; 3]| {
            let each = times.map(|time| time.as_secs_f64() / steps as f64);
            serde_json::json!({ "data": each[0], "passes": each[1], "optimizer": each[2] })
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
