//! A flipped bit in any file of a run is refused, or changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evaluate::evaluate_run;
use feed::{DeviceChoice, DevicePanel};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use train::{
    Config, Control, Forecaster, Loaded, Progress, RunOptions, RunProgress, TrainError, load,
    prepare, update,
};

const FLIPS: usize = 10_000;

fn table(path: &Path, rows: usize) -> PathBuf {
    let mut text = String::from("day,a\n");
    for row in 0..rows {
        let x = row as f64;
        let _ = writeln!(text, "{row},{}", (x / 3.0).sin() + 0.3 * (x * 1.7).sin());
    }
    fs::write(path, text).unwrap();
    path.to_owned()
}

fn config(folder: &Path) -> Config {
    let data = table(&folder.join("data.csv"), 160);
    let text = format!(
        "seed = 3\n[data]\npath = \"{}\"\ncontext = 8\nhorizon = 4\n[model]\nhidden = 4\n\
        [train]\nbatch_size = 32\nepochs = 2\nsteps_per_epoch = 0\nvalidation_samples = 5\nkeep = \"both\"\n\
        [evaluate]\nsamples = 5\n",
        data.display()
    );
    Config::parse(&text, "test", &[]).unwrap()
}

fn options() -> RunOptions {
    RunOptions { device: DeviceChoice::Cpu, threads: Some(1) }
}

/// Everything that is read back from a run, as text.
fn everything(run: &Path, panel: &DevicePanel) -> Result<String, TrainError> {
    let loaded = Loaded::open(run)?;
    let directory = &loaded.directory;
    let mut text = format!("{:?}{:?}{:?}", loaded.asked, loaded.config, loaded.info);
    let of_update = directory.update(1).read_known()?;
    let (known, epochs) = (directory.read_known()?, directory.read_epochs()?);
    let _ = write!(text, "{known:?}{of_update:?}{epochs:?}{:?}", directory.read_evaluation()?);
    let refit = directory.refit_weights();
    let _ = write!(text, "{:?}", loaded.info.checksums.get(&directory.name(&refit)));
    for forecaster in [
        loaded.forecaster(panel)?,
        loaded.last_forecaster(panel)?,
        loaded.latest().forecaster(panel)?,
    ] {
        text += &weights(&forecaster);
    }
    Ok(text)
}

fn weights(forecaster: &Forecaster) -> String {
    let sorted: BTreeMap<_, _> = forecaster.store().variables().into_iter().collect();
    let numbers = |tensor: &tch::Tensor| Vec::<f32>::try_from(tensor.detach().view([-1])).unwrap();
    sorted.iter().map(|(name, tensor)| format!("{name}{:?}", numbers(tensor))).collect()
}

fn flip(path: &Path, whole: &[u8], random: &mut StdRng) {
    let mut flipped = whole.to_vec();
    let bit = random.random_range(0..8 * whole.len());
    flipped[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, flipped).unwrap();
}

/// Flips bits of a file, and returns how many flips changed nothing.
fn flips(
    path: &Path,
    count: usize,
    random: &mut StdRng,
    read: impl Fn() -> Result<String, TrainError>,
) -> usize {
    let whole = fs::read(path).unwrap();
    let expected = read().unwrap();
    let mut same = 0;
    for _ in 0..count {
        flip(path, &whole, random);
        match read() {
            Ok(found) => {
                assert!(found == expected, "{}: a flip was not noticed", path.display());
                same += 1;
            }
            Err(error) => {
                assert_eq!(error.exit_code(), 65, "{}: {error}", path.display());
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(error.to_string().contains(name), "{name}: {error}");
            }
        }
    }
    fs::write(path, whole).unwrap();
    same
}

#[test]
fn ten_thousand_flips_are_refused_or_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (config, run) = (config(folder.path()), folder.path().join("run"));
    let training = prepare(&config, &run, options()).unwrap();
    training.run(&Control::default(), &mut |_| {}).unwrap();
    evaluate_run(&run, options()).unwrap();
    let before_update = folder.path().join("before");
    fs::create_dir(&before_update).unwrap();
    for entry in fs::read_dir(&run).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), before_update.join(entry.file_name())).unwrap();
    }
    let newer = table(&folder.path().join("newer.csv"), 170);
    update(&run, &newer, &[], options(), &Control::default(), &mut |_, _| {}).unwrap();
    let source = load(&config, tch::Device::Cpu).unwrap();
    let panel = source.panel();

    let files = [
        "run.json",
        "config.toml",
        "asked.toml",
        "metrics.jsonl",
        "rows.json",
        "evaluation.json",
        "model.safetensors",
        "last.safetensors",
        "updates/1/model.safetensors",
        "updates/1/rows.json",
    ];
    let mut random = StdRng::seed_from_u64(18);
    let each = FLIPS.div_ceil(files.len() + 2);
    for file in files {
        let same = flips(&run.join(file), each, &mut random, || everything(&run, panel));
        // A seal has a marker, whose flips leave a file like that of an earlier version.
        assert!(same < each / 4, "{file}: {same}");
    }
    // The weights of the refit are those that forecast where there is no update.
    let latest = || {
        let loaded = Loaded::open(&before_update)?;
        Ok(weights(&loaded.latest().forecaster(panel)?))
    };
    let same = flips(&before_update.join("refit.safetensors"), each, &mut random, latest);
    assert_eq!(same, 0);
    checkpoints(&config, folder.path(), each, &mut random);
}

/// A training that goes on from a checkpoint ends like one that was never stopped, or not at all.
fn checkpoints(config: &Config, folder: &Path, count: usize, random: &mut StdRng) {
    let stopped = folder.join("stopped");
    let stop = Arc::new(AtomicBool::new(false));
    let training = prepare(config, &stopped, options()).unwrap();
    let ended = training.run(&Control::new(Arc::clone(&stop)), &mut |progress| {
        if let RunProgress::Fit(Progress::Step { done: 2, .. }) = progress {
            stop.store(true, Ordering::Relaxed);
        }
    });
    assert_eq!(ended.unwrap_err().exit_code(), 75);
    let whole = folder.join("run").join("model.safetensors");
    let kept: Vec<(PathBuf, Vec<u8>)> = ["config.toml", "asked.toml", "checkpoint.safetensors"]
        .map(|name| (stopped.join(name), fs::read(stopped.join(name)).unwrap()))
        .into();
    for (path, bytes) in &kept {
        for _ in 0..count / kept.len() {
            flip(path, bytes, random);
            match prepare(config, &stopped, options()) {
                // Only what the seals do not cover is left; the training shows that it changes nothing.
                Ok(training) => {
                    training.run(&Control::default(), &mut |_| {}).unwrap();
                    let model = fs::read(stopped.join("model.safetensors")).unwrap();
                    assert!(model == fs::read(&whole).unwrap(), "{}", path.display());
                    fs::remove_dir_all(&stopped).unwrap();
                    fs::create_dir(&stopped).unwrap();
                }
                // A config that cannot be understood without its seal is another one, with the code 2.
                Err(error) => {
                    assert!([2, 65].contains(&error.exit_code()), "{}: {error}", path.display());
                }
            }
            kept.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        }
    }
}
