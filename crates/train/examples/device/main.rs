//! Measures our models on a device: numbers against those of the CPU, speed, memory, and a training to its end.
//!
//! ```text
//! device DEVICE SECONDS OUT      DEVICE: auto, cpu, cuda or cuda:N; a timing takes about SECONDS
//! ```
//!
//! It prints a table and writes it to OUT as JSON. `cargo xtask gpu-check` packs it for a machine that can build nothing.
#![allow(clippy::print_stdout, reason = "its table")]

mod numbers;
mod table;
mod timing;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use feed::{DeviceChoice, device_name};
use tch::{Device, Kind, Tensor};
use train::{Config, Control, Meeting, ProcessGroup, RunOptions, prepare};

use table::Table;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(device), Some(seconds), Some(out)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("give a device, seconds, and a file to write".into());
    };
    let choice: DeviceChoice = device.parse()?;
    let device = choice.resolve()?;
    train::set_threads(None);
    let limit = Duration::from_secs_f64(seconds.parse()?);
    let folder = tempfile_folder()?;
    let started = Instant::now();
    let mut table = Table::new(&device_name(device));
    let walk = folder.join("walk.csv");
    timing::write_walk(&walk)?;
    numbers::add(&mut table, &walk, device)?;
    timing::add(&mut table, &walk, device, limit)?;
    add_collectives(&mut table, device)?;
    add_training(&mut table, &folder, choice)?;
    table.add("all of this", started.elapsed().as_secs_f64(), "s", "");
    println!("{table}");
    std::fs::write(&out, serde_json::to_string_pretty(&table)?)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// A folder of our own among the temporary ones.
fn tempfile_folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("ballast-device-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The default config of a data set.
pub(crate) fn config(data: &str, more: &str) -> Result<Config> {
    Ok(Config::parse(&format!("seed = 1\n[data]\n{data}\n{more}"), "gpu-check", &[])?)
}

/// Sums over a group of one process, by NCCL on a GPU where it was compiled.
fn add_collectives(table: &mut Table, device: Device) -> Result<()> {
    const ROUNDS: u32 = 100;
    let name = "sum of 200,000 numbers in a group of one";
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (host, name_of_group) = ("127.0.0.1".to_owned(), "gpu-check".to_owned());
    let meeting = Meeting { host, port, serves: true, name: name_of_group };
    let group = ProcessGroup::meet(&meeting, 0, 1, Duration::from_secs(30))?;
    let engine = match device {
        Device::Cuda(_) if group.join_gpus()? => "NCCL",
        Device::Cuda(_) => {
            "Gloo, through the memory of the CPU: no headers of CUDA at compile time"
        }
        _ => "Gloo",
    };
    let numbers = Tensor::f_ones([200_000], (Kind::Float, device))?;
    group.sum(&numbers)?;
    wait(device);
    let started = Instant::now();
    for _ in 0..ROUNDS {
        group.sum(&numbers)?;
    }
    wait(device);
    let each = started.elapsed().as_secs_f64() * 1e3 / f64::from(ROUNDS);
    let kept = numbers.f_sum(Kind::Double)?.f_double_value(&[])?;
    match (kept - 200_000.0).abs() < 0.5 {
        true => table.add(name, each, "ms", engine),
        false => table.miss(name, "the sum is wrong"),
    }
    group.leave();
    Ok(())
}

/// The default config on bundled data, from reading the table to the weights that forecast.
fn add_training(table: &mut Table, folder: &Path, choice: DeviceChoice) -> Result<()> {
    let config = config("source = \"seattle-weather\"\ncontext = 28\nhorizon = 7", "")?;
    let options = RunOptions { device: choice, ..RunOptions::default() };
    let started = Instant::now();
    let training = prepare(&config, &folder.join("run"), options)?;
    let info = training.run(&Control::default(), &mut |_| {})?;
    let seconds = started.elapsed().as_secs_f64();
    let steps = info.fitted.steps + info.refit.as_ref().map_or(0, |refit| refit.steps);
    let note = format!("{steps} steps, Seattle weather 28 to 7");
    table.add("training of the default config", seconds, "s", &note);
    table.add("its score", info.fitted.best_validation, "CRPS", "validation, standardized");
    Ok(())
}

/// Waits until the device has done what it was told.
pub(crate) fn wait(device: Device) {
    if let Device::Cuda(index) = device {
        tch::Cuda::synchronize(index as i64);
    }
}
