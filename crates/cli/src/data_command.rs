//! `ballast data` and `ballast init`.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Error;
use ballast::data::fetch::{DataSet, SETS, fetch, find};
use ballast::data::{DataConfig, check};
use ballast::record::RecordError;
use ballast::train::{Config, TrainError};
use indicatif::ProgressBar;

use crate::args::{Data, DataCommand, Init};
use crate::automatic::data_config;
use crate::hints::{as_options, from_here};
use terminal::{leave_stdout_to, print};

pub(crate) fn run(args: Data) -> Result<(), Error> {
    match args.command {
        DataCommand::Check { file, reading, set, json } => {
            describe(&data_config(&file, &reading, set)?, json)
        }
        DataCommand::Fetch { name: None } => {
            for set in SETS {
                print(format_args!("{:<12} {} ({})", set.name, set.title, set.license))?;
            }
            Ok(())
        }
        DataCommand::Fetch { name: Some(name) } => download(find(&name).map_err(TrainError::from)?),
    }
}

fn describe(config: &DataConfig, json: bool) -> Result<(), Error> {
    let description = check(config, Path::new("")).map_err(TrainError::from)?;
    if json {
        print(serde_json::to_string_pretty(&description)?)?;
    } else {
        print(from_here(&as_options(&description.to_string())))?;
    }
    Ok(())
}

fn download(set: &DataSet) -> Result<(), Error> {
    print(format_args!(
        "{}\nlicense: {}\nplease cite: {}\nfrom {}",
        set.title, set.license, set.citation, set.url
    ))?;
    let cache = ballast::files::cache_folder(|name| env::var_os(name))?;
    let bar = ProgressBar::new(set.bytes);
    let mirror = env::var("BALLAST_DATA_MIRROR").ok();
    let path = fetch(set, &cache.join("data"), mirror.as_deref(), &mut |bytes| {
        bar.set_position(bytes);
    });
    bar.finish_and_clear();
    Ok(print(path.map_err(TrainError::from)?.display())?)
}

pub(crate) fn init(args: Init) -> Result<(), Error> {
    let output = args.output.clone().unwrap_or_else(|| args.file.with_extension("toml"));
    leave_stdout_to([Some(output.as_path())]);
    if output != Path::new("-") && (output.is_file() || output.is_dir()) {
        anyhow::bail!(Taken(output));
    }
    let (horizon, context) = (args.lengths.horizon, args.lengths.context);
    let wanted = ballast::data::Init {
        data: data_config(&args.file, &args.reading, args.set.clone())?,
        horizon,
        context,
    };
    let new = ballast::data::init(&wanted, Path::new("")).map_err(TrainError::from)?;
    let doubtful = match new.doubtful.is_empty() {
        true => "nothing".to_owned(),
        false => new.doubtful.join("; "),
    };
    let about = format!("{}\nunderstood: {}\ndoubtful: {doubtful}", new.about, new.understood);
    let about = from_here(&about);
    let config = DataConfig { path: beside(&new.config, &output)?, ..new.config };
    let text = Config::new(config).commented(&about).map_err(TrainError::from)?;
    Config::parse(&text, &output.display().to_string(), &[]).map_err(TrainError::from)?;
    ballast::files::write_text(&output, &text).map_err(RecordError::writing(&output))?;
    print(as_options(&about))?;
    Ok(print(format_args!("written to {0}; next: ballast train {0}", output.display()))?)
}

/// The path of the table as a config in `output` names it: from the folder of the config if it is below that.
fn beside(data: &DataConfig, output: &Path) -> std::io::Result<Option<PathBuf>> {
    let output = std::path::absolute(output)?;
    let below = |path: &PathBuf| path.strip_prefix(output.parent()?).ok().map(Path::to_owned);
    Ok(data.path.as_ref().map(|path| below(path).unwrap_or_else(|| path.clone())))
}

/// A file that would be overwritten.
#[derive(Debug, thiserror::Error)]
#[error("{}: already exists\n  hint: choose another name with `--output`", .0.display())]
pub(crate) struct Taken(PathBuf);
