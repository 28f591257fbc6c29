//! Evaluations of run directories and their files: one run, or several seeds of one config.

use std::path::{Path, PathBuf};

use record::{Evaluation, RecordError, RunDirectory, write_rows};
use train::{Loaded, RunOptions, TrainError, load, set_threads};

use crate::compare::{EvaluateOptions, evaluate_models};

/// Scores the run at `path` on the test windows of its data, and writes `evaluation.json` and
/// `scores.csv`.
///
/// # Errors
/// If the run is damaged, or its data changed since the training.
pub fn evaluate_run(path: &Path, options: RunOptions) -> Result<Evaluation, TrainError> {
    Ok(evaluate_runs(&[path.to_owned()], options, &EvaluateOptions::default())?.0)
}

/// Scores one run, or several runs of one config with different seeds. Several runs are reported as their mean, one by
/// one, and as an ensemble. Returns the evaluation and the folder that it was written to.
///
/// # Errors
/// As [`evaluate_run`], and [`TrainError::Record`] if the runs differ in more than the seed.
pub fn evaluate_runs(
    paths: &[PathBuf],
    options: RunOptions,
    asked: &EvaluateOptions,
) -> Result<(Evaluation, PathBuf), TrainError> {
    let device = options.device.resolve()?;
    set_threads(options.threads);
    let runs = paths.iter().map(|path| Loaded::open(path)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = runs.first() else {
        return Err(RecordError::Missing {
            path: PathBuf::from("RUN"),
            hint: "name at least one run directory".to_owned(),
        }
        .into());
    };
    for (index, run) in runs.iter().enumerate().skip(1) {
        let mut config = run.asked.clone();
        config.seed = first.asked.seed;
        config.train.refit = first.asked.train.refit;
        let twice = runs[..index].iter().any(|other| other.config.seed == run.config.seed);
        if twice || config != first.asked {
            return Err(RecordError::Refused {
                path: paths[index].clone(),
                reason: match twice {
                    true => format!("has the seed {} of another run", run.config.seed),
                    false => format!("differs from {} in more than the seed", paths[0].display()),
                },
                hint: "evaluate it by itself, and compare the two `scores.csv`".to_owned(),
            }
            .into());
        }
    }
    let folder = match &asked.folder {
        Some(folder) => folder.clone(),
        None if asked.last => common_folder(paths)?.join("last"),
        None => common_folder(paths)?,
    };
    let source = load(&first.config, device)?;
    for run in &runs {
        run.check_data(&source)?;
    }
    let models = runs.iter().map(|run| match asked.last {
        true => run.last_forecaster(source.panel()),
        false => run.forecaster(source.panel()),
    });
    let models = models.collect::<Result<Vec<_>, _>>()?;
    let seeds: Vec<u64> = runs.iter().map(|run| run.config.seed).collect();
    let (evaluation, tables) = evaluate_models(&first.config, &source, &models, &seeds, asked)?;
    if !asked.writes() {
        return Ok((evaluation, folder));
    }
    let directory = RunDirectory::create(&folder)?;
    for table in tables {
        write_rows(&directory.scores(table.stride), table.rows)?;
    }
    directory.write_evaluation(&evaluation)?;
    Ok((evaluation, folder))
}

/// The directory of a single run, or the folder that holds all runs.
fn common_folder(paths: &[PathBuf]) -> Result<PathBuf, TrainError> {
    if let [only] = paths {
        return Ok(only.clone());
    }
    let parent = |path: &PathBuf| {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        whole.parent().map(Path::to_owned)
    };
    match parent(&paths[0]) {
        Some(folder) if paths.iter().all(|path| parent(path).as_ref() == Some(&folder)) => {
            Ok(folder)
        }
        _ => Err(RecordError::Missing {
            path: PathBuf::from("a folder for the result"),
            hint: "the runs are in different folders; name the folder to write to with `--output`"
                .to_owned(),
        }
        .into()),
    }
}
