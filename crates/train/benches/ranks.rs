//! The time of a training step of one process, of a group of one, and of two processes on a core each.
//!
//! `cargo bench --profile dev -p train --bench ranks`. The program starts itself for each training, in turns, and prints
//! the least times and their ratios.
#![allow(clippy::print_stdout, reason = "its result")]

use std::error::Error;
use std::fmt::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use train::{Config, Control, Meeting, Mirror, ProcessGroup, RunOptions, prepare};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROUNDS: usize = 5;
const STEPS: usize = 120;
/// Steps before the clock starts.
const WARM_UP: usize = 20;

fn main() -> Result<()> {
    if let Ok(folder) = env::var("RANKS_FOLDER") {
        return one_rank(Path::new(&folder));
    }
    // The other benchmarks of the workspace take a filter too.
    let mut filters = env::args().skip(1).filter(|word| !word.starts_with('-'));
    if !filters.all(|filter| "ranks".contains(&filter)) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    write_rows(&folder.path().join("rows.csv"))?;
    println!("default config, 24 → 24, seven channels; milliseconds per step, least of {ROUNDS}");
    println!(
        "| batch | alone | group of one | ratio | two processes | speedup | KiB sent per rank |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    for batch in [64, 1024] {
        let mut least = [f64::INFINITY; 3];
        let mut parameters = 0;
        for _ in 0..ROUNDS {
            for (least, world) in least.iter_mut().zip([0, 1, 2]) {
                let (time, size) = measured(folder.path(), batch, world)?;
                *least = least.min(time);
                parameters = size;
            }
        }
        let [alone, one, two] = least;
        // A ring of two sends half of the vector twice.
        let sent = (parameters + 5) as f64 * 4.0 / 1024.0;
        println!(
            "| {batch} | {alone:.2} | {one:.2} | {:.3} | {two:.2} | {:.2} | {sent:.0} |",
            one / alone,
            alone / two
        );
    }
    Ok(())
}

/// Milliseconds per step of rank 0, and the number of parameters. World 0 stands for no group.
fn measured(folder: &Path, batch: usize, world: usize) -> Result<(f64, usize)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let start = |rank: usize| -> Result<Child> {
        let numbers = [("BATCH", batch), ("RANK", rank), ("WORLD", world)];
        let mut command = Command::new("taskset");
        command.args(["-c", &rank.to_string()]).arg(env::current_exe()?);
        command
            .env("RANKS_FOLDER", folder)
            .env("OMP_NUM_THREADS", "1")
            .envs(numbers.map(|(name, number)| (name, number.to_string())))
            .env("PORT", port.to_string())
            .stdout(Stdio::piped());
        Ok(command.spawn()?)
    };
    let ranks = (0..world.max(1)).map(start).collect::<Result<Vec<_>>>()?;
    let mut first = None;
    for rank in ranks {
        let output = rank.wait_with_output()?;
        let text = String::from_utf8(output.stdout)?;
        let mut words = text.split_whitespace();
        let found = words.next().zip(words.next()).ok_or("a rank failed")?;
        let found = (found.0.parse()?, found.1.parse()?);
        first.get_or_insert(found);
    }
    first.ok_or_else(|| "no rank".into())
}

fn number(name: &str) -> Result<usize> {
    Ok(env::var(name)?.parse()?)
}

fn one_rank(folder: &Path) -> Result<()> {
    let (rank, world) = (number("RANK")?, number("WORLD")?);
    let text = format!(
        "[data]\npath = {:?}\ncontext = 24\nhorizon = 24\n[train]\nbatch_size = {}\nsteps_per_epoch = {STEPS}\n\
         epochs = 1\nrefit = false\nvalidate_early = false\nridge_start = false\nchoose_instance_norm = false\n",
        folder.join("rows.csv"),
        number("BATCH")?
    );
    let config = Config::parse(&text, "the benchmark", &[])?;
    let group = match world {
        0 => None,
        _ => {
            let (host, port) = ("127.0.0.1".to_owned(), number("PORT")? as u16);
            let meeting = Meeting { host, port, serves: rank == 0, name: "bench".to_owned() };
            let timeout = Duration::from_secs(60);
            Some(Arc::new(ProcessGroup::meet(&meeting, rank, world, timeout)?))
        }
    };
    let run = tempfile::tempdir()?;
    let mirror = Mirror::new(group.as_deref(), run.path())?;
    let options = RunOptions { threads: Some(1), ..RunOptions::default() };
    let control = Control::default().write_events(false).with_group(group.clone());
    let (mut steps, mut started, mut ended) = (0, Instant::now(), Instant::now());
    let info = prepare(&config, mirror.path(), options)?.run(&control, &mut |_| {
        steps += 1;
        if steps == WARM_UP {
            started = Instant::now();
        }
        if steps == STEPS {
            ended = Instant::now();
        }
    })?;
    let each = (ended - started).as_secs_f64() * 1e3 / (STEPS - WARM_UP) as f64;
    println!("{each} {}", info.fitted.parameters);
    if let Some(group) = group {
        group.leave();
    }
    Ok(())
}

/// Seven walks with a season of 24 rows.
fn write_rows(path: &Path) -> Result<()> {
    let mut text = "a,b,c,d,e,f,g\n".to_owned();
    let (mut state, mut levels) = (1_u64, [0.0_f64; 7]);
    for row in 0..4000 {
        let season = (f64::from(row) * std::f64::consts::TAU / 24.0).sin();
        for (column, level) in levels.iter_mut().enumerate() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *level = 0.99 * *level + (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5;
            write!(text, "{}{:.4}", if column > 0 { "," } else { "" }, *level + season)?;
        }
        text.push('\n');
    }
    Ok(fs::write(path, text)?)
}
