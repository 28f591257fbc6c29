//! Steps per second, the share of time that the device is idle, and memory.

use std::fmt::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use feed::{Part, is_out_of_memory};
use tch::{Device, Kind, Tensor};
use train::{Steps, load};

use crate::table::Table;
use crate::{Result, config, wait};

const ROWS: usize = 40_000;
const BATCHES: [i64; 3] = [64, 1024, 16_384];
/// Largest batch that is tried.
const MOST: i64 = 1 << 20;

/// Seven walks with a season of 24 rows, from a generator of one line: the same on every machine.
pub(crate) fn write_walk(path: &Path) -> Result<()> {
    let mut text = "a,b,c,d,e,f,g\n".to_owned();
    let (mut state, mut levels) = (1_u64, [0.0_f64; 7]);
    for row in 0..ROWS {
        let season = (row as f64 * std::f64::consts::TAU / 24.0).sin();
        for (column, level) in levels.iter_mut().enumerate() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *level = 0.99 * *level + (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5;
            let comma = if column > 0 { "," } else { "" };
            write!(text, "{comma}{:.5}", *level + season)?;
        }
        text.push('\n');
    }
    Ok(std::fs::write(path, text)?)
}

fn steps(walk: &Path, device: Device, precision: &str) -> Result<Steps> {
    let data = format!("path = {walk:?}\ncontext = 24\nhorizon = 24");
    let more = format!("[train]\nridge_start = false\nprecision = \"{precision}\"");
    let config = config(&data, &more)?;
    let source = load(&config, device)?;
    Ok(Steps::new(&config, source)?)
}

/// One step on random windows, more of them than there are if need be.
fn step(steps: &mut Steps, batch: i64) -> Result<()> {
    let source = steps.source();
    let windows = source.windows(Part::Train);
    let device = source.panel().device();
    let indices = Tensor::f_randint(windows.count(), [batch], (Kind::Int64, device))?;
    let gathered = source.panel().gather(&windows.first_rows_of(&indices)?)?;
    let terms = steps.passes(&gathered)?;
    Ok(steps.update(&terms, batch)?)
}

pub(crate) fn add(table: &mut Table, walk: &Path, device: Device, limit: Duration) -> Result<()> {
    for precision in ["f32", "bf16"] {
        let mut steps = steps(walk, device, precision)?;
        for batch in BATCHES {
            let name = format!("default config, {precision}, batch {batch}");
            if device == Device::Cpu && (batch > 1024 || precision == "bf16") {
                table.miss(&name, "of no use on a CPU");
                continue;
            }
            let (rate, idle) = rate(&mut steps, batch, device, limit)?;
            table.add(&name, rate, "steps/s", &idle);
        }
    }
    let mut steps = steps(walk, device, "f32")?;
    if device == Device::Cpu {
        table.miss("peak memory at batch 1024", "of no use on a CPU");
        table.miss("largest batch", "of no use on a CPU");
        return Ok(());
    }
    torch_ext::reset_peak_memory(device)?;
    step(&mut steps, 1024)?;
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    table.add("peak memory at batch 1024", mib(torch_ext::peak_memory(device)?), "MiB", "tensors");
    let mut largest = 0;
    let mut batch = 1024;
    let why = loop {
        match step(&mut steps, batch) {
            Ok(()) => largest = batch,
            Err(error) if is_out_of_memory(&error.to_string()) => break "then memory runs out",
            Err(error) => return Err(error),
        }
        if batch >= MOST {
            break "none larger was tried";
        }
        batch *= 2;
    };
    table.add("largest batch", largest as f64, "windows", why);
    table.add("peak memory there", mib(torch_ext::peak_memory(device)?), "MiB", "tensors");
    Ok(())
}

/// Steps per second after a warm-up, and a note on the share of time in which the device did nothing.
fn rate(steps: &mut Steps, batch: i64, device: Device, limit: Duration) -> Result<(f64, String)> {
    for _ in 0..3 {
        step(steps, batch)?;
    }
    wait(device);
    let watch = Watch::start(device);
    let started = Instant::now();
    let mut count = 0;
    while count < 3 || started.elapsed() < limit {
        step(steps, batch)?;
        count += 1;
    }
    wait(device);
    let seconds = started.elapsed().as_secs_f64();
    let note = match watch.map(Watch::busy) {
        Some(Some(busy)) => format!("device idle {:.0} % of the time", 100.0 - busy),
        Some(None) => "idle share not measured: nvidia-smi gave no numbers".to_owned(),
        None => String::new(),
    };
    Ok((f64::from(count) / seconds, note))
}

/// `nvidia-smi`, which says five times a second how busy the device was.
struct Watch(Child);

impl Watch {
    fn start(device: Device) -> Option<Watch> {
        let Device::Cuda(index) = device else { return None };
        let mut command = Command::new("nvidia-smi");
        command.args([
            "--query-gpu=utilization.gpu",
            "--format=csv,noheader,nounits",
            "-lms",
            "200",
        ]);
        command.arg("-i").arg(index.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok().map(Watch)
    }

    /// Mean of the percentages.
    fn busy(mut self) -> Option<f64> {
        self.0.kill().ok()?;
        let output = self.0.wait_with_output().ok()?;
        mean_of_lines(&String::from_utf8_lossy(&output.stdout))
    }
}

/// The mean of the numbers, one a line; the first is from before the steps.
fn mean_of_lines(text: &str) -> Option<f64> {
    let numbers: Vec<f64> =
        text.lines().skip(1).filter_map(|line| line.trim().parse().ok()).collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_averages_what_was_said() {
        assert_eq!(mean_of_lines("3\n 50\n100 \n[N/A]\n"), Some(75.0));
        assert_eq!(mean_of_lines("3\n"), None);
        assert_eq!(mean_of_lines(""), None);
    }
}
