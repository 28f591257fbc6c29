//! Resident memory of ten million windows over a series of about 100 MB.
//!
//! ```text
//! cargo run -p data --example memory -- FILE.csv [ROWS]
//! ```
//!
//! Writes FILE.csv (12 500 000 hourly rows of two channels unless ROWS says otherwise: 100 MB as `f32`),
//! reads it, prepares it, walks over every window, and prints resident and peak memory at each stage,
//! in MB and in multiples of the series. Linux only: it reads `/proc/self/status`.

use std::io::Write;
use std::path::Path;

#[expect(clippy::print_stdout, reason = "a measurement prints what it measured")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: memory FILE.csv [ROWS]")?;
    let rows: usize = arguments.next().map_or(Ok(12_500_000), |r| r.parse())?;
    write_table(Path::new(&path), rows)?;
    let series = (rows * 2 * 4) as f64 / 1e6;
    println!("file {:.0} MB, series {series:.0} MB", std::fs::metadata(&path)?.len() as f64 / 1e6);
    let start = status("VmRSS")?;
    let report = |stage: &str| -> Result<(), Box<dyn std::error::Error>> {
        let (now, peak) = (status("VmRSS")? - start, status("VmHWM")? - start);
        println!(
            "{stage:28} resident {now:6.1} MB = {:.3} series, peak so far {peak:6.1} MB = {:.3} series",
            now / series,
            peak / series
        );
        Ok(())
    };
    let config = data::DataConfig::new(&path, 96, 24);
    let panel = data::read(&config, Path::new(""))?;
    report("read")?;
    let prepared = data::prepare(&config, panel)?;
    report("prepared")?;
    let windows = [&prepared.windows.train, &prepared.windows.validation, &prepared.windows.test];
    let (mut count, mut sum) = (0_usize, 0.0_f64);
    for part in windows {
        for start in part.starts() {
            count += 1;
            sum += f64::from(prepared.panel.values()[2 * start]);
        }
    }
    report("every window visited")?;
    println!("{count} windows, checksum {sum:.6e}");
    Ok(())
}

fn write_table(path: &Path, rows: usize) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "t,a,b")?;
    for row in 0..rows {
        writeln!(file, "{row},{}.{},{}", row % 977, row % 10, (row * 7919) % 1013)?;
    }
    file.flush()
}

/// A line of `/proc/self/status`, in MB.
fn status(key: &str) -> Result<f64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|l| l.starts_with(key)).ok_or("no such line")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}
