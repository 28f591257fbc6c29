//! The common part of `ballast forecast FILE` and `ballast backtest`: the table, the options, the run directory.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Error;
use ballast::auto::{Options, Table, Wanted};
use ballast::data::DataConfig;
use ballast::train::{Config, RunOptions, TrainError};

use crate::args::{ReadingArgs, TableArgs};
use crate::signals;
use crate::together;

/// Reads the table that the arguments describe.
pub(crate) fn read(file: &Path, args: &TableArgs) -> Result<Table, Error> {
    let of_data = |item: &&String| item.trim_start().starts_with("data.");
    let set = args.set.iter().filter(of_data).cloned().collect();
    let wanted = Wanted {
        data: data_config(file, &args.reading, set)?,
        horizon: args.lengths.horizon,
        context: args.lengths.context,
        season: args.season,
    };
    Ok(Table::read(&wanted)?)
}

/// The `[data]` table that the command line asks for, with the keys of `set`.
pub(crate) fn data_config(
    file: &Path,
    reading: &ReadingArgs,
    mut set: Vec<String>,
) -> Result<DataConfig, Error> {
    let ReadingArgs { target, id, time, time_format, frequency } = reading;
    let plain = DataConfig::new("", 1, 1); // the file's own path may not fit into TOML text
    set.retain(|item| !item.trim_start().starts_with("data.path"));
    let text = "[data]\npath = \"-\"\ncontext = 1\nhorizon = 1\n";
    let set = match set.is_empty() {
        true => plain,
        false => Config::parse(text, "the command line", &set).map_err(TrainError::from)?.data,
    };
    Ok(DataConfig {
        path: Some(std::path::absolute(file)?),
        targets: if target.is_empty() { set.targets } else { Some(target.clone()) },
        id: id.clone().or(set.id),
        time: if time.is_empty() { set.time } else { Some(time.clone().into()) },
        time_format: time_format.clone().or(set.time_format),
        frequency: frequency.clone().or(set.frequency),
        ..set
    })
}

/// How to fit. Signals ask the training of the network to save and stop, with exit code 75; a terminal shows how far
/// it is.
pub(crate) fn options(args: &TableArgs, seed: u64) -> Result<Options, Error> {
    let network = !args.without_network;
    let stop = if network { signals::stop()? } else { Arc::default() };
    let observe =
        if std::io::stderr().is_terminal() && together::is_first() { show_share } else { |_| {} };
    Ok(Options {
        seed,
        run: RunOptions {
            device: together::device(args.device),
            threads: args.threads.map(usize::from),
        },
        network,
        config: None,
        group: together::group(),
        stop,
        observe,
        overrides: args
            .set
            .iter()
            .filter(|item| !item.trim_start().starts_with("data."))
            .cloned()
            .collect(),
    })
}

/// One line on stderr, written again with each percent and wiped at the end.
fn show_share(share: f64) {
    static SHOWN: AtomicU32 = AtomicU32::new(u32::MAX);
    let percent = (100.0 * share) as u32;
    if SHOWN.swap(percent, Ordering::Relaxed) == percent {
        return;
    }
    let line = match percent {
        100.. => "\r\x1b[K".to_owned(),
        percent => format!("\r\x1b[Ktraining the network: {percent} %"),
    };
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(line.as_bytes()).and_then(|()| stderr.flush());
}

/// `runs/FILE-HASH`, where the hash is that of the rows and of what was asked for: the same question is answered from
/// the same run, another one in another directory.
pub(crate) fn directory(
    file: &Path,
    args: &TableArgs,
    asked: &str,
    table: &Table,
) -> Result<PathBuf, Error> {
    if let Some(run) = &args.run {
        return Ok(run.clone());
    }
    let text = format!("{} {args:?} {asked}", table.fingerprint());
    let hash = ballast::files::sha256_of(text.as_bytes())?;
    Ok(Path::new("runs").join(format!("{}-{}", stem(file), &hash[..8])))
}

/// The name of a file without its ending, for the names of outputs.
pub(crate) fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// [`TrainError`] for a mistake on the command line.
pub(crate) fn usage(origin: &str, message: &str, hint: &str) -> Error {
    let (origin, message) = (origin.to_owned(), message.to_owned());
    let error =
        ballast::train::ConfigError::Invalid { origin, message, hint: Some(hint.to_owned()) };
    TrainError::from(error).into()
}
