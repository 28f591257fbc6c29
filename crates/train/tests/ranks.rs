//! Several processes train as one does: this test's own binary, started once for each rank.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use record::RunDirectory;
use train::{
    Config, Control, Loaded, Meeting, Mirror, ProcessGroup, RunOptions, TrainError, prepare,
};

/// A training: its kind, the rest of `[model]`, `[objective]` and `[noise]`.
type Case = [&'static str; 4];

/// Every kind, backbone, law and noise that draws in another way. Batches of 31, and the last one of each pass, do not
/// divide by two or three.
const CASES: [Case; 6] = [
    ["predict", "backbone = \"mlp\"", "likelihood = \"laplace\"", "schedule = \"linear\""],
    [
        "conditional",
        "backbone = \"gru\"\nlayers = 2",
        "likelihood = \"student-t\"\nfree_bits = { per-dimension = 0.02 }",
        "schedule = \"linear\"\nshape = \"window\"\nspace = \"normal-scores\"",
    ],
    [
        "conditional",
        "backbone = \"conv\"\nchannels = \"joint\"",
        "likelihood = \"gaussian\"\nfree_bits = { per-group = 0.1 }",
        "schedule = \"cosine\"",
    ],
    [
        "hierarchical",
        "backbone = \"mlp\"\nchannels = \"joint\"",
        "likelihood = \"laplace\"\ncrps_weight = 0\nimportance_draws = 3\nkl_weight = 1",
        "schedule = \"linear\"\nshape = \"gaussian\"",
    ],
    [
        "predict",
        "backbone = \"patch\"\npatch = 4\nheads = 2",
        "likelihood = \"gaussian\"\ncrps_weight = 2",
        "schedule = \"linear\"\ninput = { reinject = 3 }\nsampler = { clean = 0.3 }",
    ],
    [
        "autoencode",
        "backbone = \"linear\"",
        "likelihood = \"gaussian\"\ncrps_weight = 0",
        "schedule = \"linear\"",
    ],
];

fn config([kind, model, objective, noise]: Case) -> Config {
    let text = format!(
        "seed = 5\n[data]\nsource = \"seattle-weather\"\ncontext = 12\nhorizon = 4\nstride = 7\n\
        targets = [\"temp_max\", \"wind\"]\n[noise]\n{noise}\n\
        [model]\nkind = \"{kind}\"\nhidden = 8\nlatent = 2\ndropout = 0.2\n{model}\n\
        [objective]\n{objective}\n\
        [train]\nbatch_size = 31\nepochs = 8\nsteps_per_epoch = 25\nrefit = false\nlearning_rate = 0.001\n\
        validation_samples = 10\nvalidate_early = false\npatience = 0\nchoose_instance_norm = false\n"
    );
    Config::parse(&text, "test", &[]).unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts this binary as one rank, to run the ignored test of that name alone.
fn start(role: &str, port: u16, [rank, world]: [usize; 2], folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([role, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("RANKS_PORT", port.to_string())
        .env("RANKS_RANK", rank.to_string())
        .env("RANKS_WORLD", world.to_string())
        .env("RANKS_FOLDER", folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run_ranks(role: &str, world: usize, folder: &Path) -> Vec<Output> {
    let port = free_port();
    let ranks: Vec<Child> =
        (0..world).map(|rank| start(role, port, [rank, world], folder)).collect();
    ranks.into_iter().map(|rank| rank.wait_with_output().unwrap()).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn succeed(role: &str, world: usize, folder: &Path) {
    for output in run_ranks(role, world, folder) {
        assert!(output.status.success(), "{}", said(&output));
    }
}

fn number(name: &str) -> usize {
    env::var(name).expect("set by the test that starts this one").parse().unwrap()
}

fn folder() -> PathBuf {
    env::var_os("RANKS_FOLDER").expect("set by the test that starts this one").into()
}

/// The group of this process; none for one alone.
fn group() -> Option<Arc<ProcessGroup>> {
    let (rank, world) = (number("RANKS_RANK"), number("RANKS_WORLD"));
    if world == 1 {
        return None;
    }
    let meeting = Meeting {
        host: "127.0.0.1".to_owned(),
        port: number("RANKS_PORT") as u16,
        serves: rank == 0,
        name: "test".to_owned(),
    };
    let timeout = Duration::from_secs(120);
    Some(Arc::new(ProcessGroup::meet(&meeting, rank, world, timeout).unwrap()))
}

fn train(
    config: &Config,
    directory: &Path,
    group: &Option<Arc<ProcessGroup>>,
    control: Control,
) -> Result<(), TrainError> {
    let mirror = Mirror::new(group.as_deref(), directory)?;
    let options = RunOptions { threads: Some(1), ..RunOptions::default() };
    let control = control.with_group(group.clone());
    prepare(config, mirror.path(), options)?.run(&control, &mut |_| {}).map(|_| ())
}

#[test]
#[ignore = "one rank of `ranks_train_as_one_process_does`"]
fn training() {
    let group = group();
    let world = number("RANKS_WORLD");
    for (number, case) in CASES.into_iter().enumerate() {
        let directory = folder().join(format!("{world}-{number}"));
        train(&config(case), &directory, &group, Control::default()).unwrap();
    }
    if let Some(group) = &group {
        group.leave();
    }
}

/// ‖a − b‖ / ‖b‖ over all weights.
fn distance(a: &Path, b: &Path) -> f64 {
    let [a, b] = [a, b].map(|path| {
        let mut weights = tch::Tensor::read_safetensors(RunDirectory::at(path).weights()).unwrap();
        weights.sort_by(|a, b| a.0.cmp(&b.0));
        let flat: Vec<_> = weights.into_iter().map(|(_, w)| w.flatten(0, -1)).collect();
        tch::Tensor::cat(&flat, 0).to_kind(tch::Kind::Double)
    });
    ((a - &b).norm() / b.norm()).double_value(&[])
}

/// Oracle: one process. 200 steps with noise and dropout, of every kind and backbone.
#[test]
fn ranks_train_as_one_process_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for world in [1, 2, 3] {
        succeed("training", world, folder);
    }
    for (number, [kind, ..]) in CASES.into_iter().enumerate() {
        let of = |world: usize| folder.join(format!("{world}-{number}"));
        let lines = |world: usize| RunDirectory::at(&of(world)).read_epochs().unwrap();
        for world in [2, 3] {
            let apart = distance(&of(world), &of(1));
            assert!(apart < 1e-5, "{kind}, {world} ranks: {apart}");
            let (one, many) = (lines(1), lines(world));
            assert_eq!(one.len(), many.len());
            for (one, many) in one.iter().zip(&many) {
                for (one, many) in [
                    (one.loss, many.loss),
                    (one.reconstruction, many.reconstruction),
                    (one.kl, many.kl),
                    (one.validation_crps, many.validation_crps),
                ] {
                    let same = (one - many).abs() <= 1e-5 * one.abs().max(1.0);
                    assert!(same || one.is_nan(), "{kind}, {world} ranks: {one} {many}");
                }
            }
        }
        // Nobody but the first rank writes.
        let alone: Vec<_> = fs::read_dir(of(1)).unwrap().map(|e| e.unwrap().file_name()).collect();
        let together = fs::read_dir(of(2)).unwrap().count();
        assert_eq!(alone.len(), together);
    }
}

#[test]
#[ignore = "one rank of `any_number_of_ranks_continues`"]
fn continuing() {
    let group = group();
    let stop = Arc::new(AtomicBool::new(false));
    // The last rank alone asks to stop, after some steps.
    let asks = number("RANKS_RANK") + 1 == number("RANKS_WORLD");
    let mirror = Mirror::new(group.as_deref(), &folder()).unwrap();
    let options = RunOptions { threads: Some(1), ..RunOptions::default() };
    let control = Control::new(Arc::clone(&stop)).with_group(group.clone());
    let training = prepare(&config(CASES[1]), mirror.path(), options).unwrap();
    let from = training.checkpoint().map_or(0, train::Checkpoint::step);
    let mut steps = 0;
    let done = training.run(&control, &mut |_| {
        steps += 1;
        let stops = asks && from < 100 && steps == 55;
        if stops {
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    });
    match done {
        Ok(_) => assert!(from >= 100, "{from}"),
        Err(TrainError::Interrupted { step, .. }) => {
            assert!((from + 40..from + 60).contains(&step))
        }
        Err(other) => panic!("{other}"),
    }
    if let Some(group) = &group {
        group.leave();
    }
}

/// Oracle: one process that was never interrupted.
#[test]
fn any_number_of_ranks_continues() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("1-1"), folder.path().join("parts"));
    train(&config(CASES[1]), &whole, &None, Control::default()).unwrap();
    for world in [3, 1, 2] {
        succeed("continuing", world, &parts);
    }
    let apart = distance(&parts, &whole);
    assert!(apart < 1e-5, "{apart}");
}

#[test]
#[ignore = "one rank of `ranks_with_other_configs_are_refused`"]
fn disagreeing() {
    let group = group();
    let mut config = config(CASES[0]);
    config.seed = if number("RANKS_RANK") == 1 { 6 } else { 5 };
    let error = train(&config, &folder(), &group, Control::default()).unwrap_err();
    assert!(error.to_string().starts_with("rank 1 has other config than rank 0"), "{error}");
    assert_eq!(error.exit_code(), 65);
    group.unwrap().leave();
}

#[test]
fn ranks_with_other_configs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    succeed("disagreeing", 2, folder.path());
}

#[test]
#[ignore = "one rank of `a_rank_that_is_killed_ends_the_others`"]
fn dying() {
    let group = group();
    let rank = number("RANKS_RANK");
    let mirror = Mirror::new(group.as_deref(), &folder()).unwrap();
    let options = RunOptions { threads: Some(1), ..RunOptions::default() };
    let control = Control::default().with_group(group.clone()).save_every(Duration::from_millis(1));
    let mut steps = 0;
    let trained =
        prepare(&config(CASES[0]), mirror.path(), options).unwrap().run(&control, &mut |_| {
            steps += 1;
            if rank == 1 && steps == 30 {
                std::process::abort();
            }
        });
    let error = trained.unwrap_err();
    assert!(error.to_string().starts_with("rank 1 is missing"), "{error}");
    assert_eq!(error.exit_code(), 75);
    group.unwrap().leave();
}

#[test]
fn a_rank_that_is_killed_ends_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let outputs = run_ranks("dying", 3, folder.path());
    assert!(outputs[0].status.success(), "{}", said(&outputs[0]));
    assert!(outputs[2].status.success(), "{}", said(&outputs[2]));
    // Its checkpoint goes on alone.
    let options = RunOptions { threads: Some(1), ..RunOptions::default() };
    let training = prepare(&config(CASES[0]), folder.path(), options).unwrap();
    let step = training.checkpoint().unwrap().step();
    assert!((20..=30).contains(&step), "{step}");
    training.run(&Control::default(), &mut |_| {}).unwrap();
    assert!(Loaded::open(folder.path()).is_ok());
}

/// The first case with a search for a noise and a second training on all rows.
fn choosing_config() -> Config {
    let [kind, model, objective, _] = CASES[0];
    let text = config([kind, model, objective, "schedule = \"none\""]).to_toml().unwrap();
    let set = ["noise=auto", "train.refit=true", "train.epochs=4", "model.dropout=0.1"];
    Config::parse(&text, "test", &set.map(str::to_owned)).unwrap()
}

#[test]
#[ignore = "one rank of `ranks_choose_as_one_process_does`"]
fn choosing() {
    let group = group();
    let directory = folder().join(number("RANKS_WORLD").to_string());
    train(&choosing_config(), &directory, &group, Control::default()).unwrap();
    if let Some(group) = &group {
        group.leave();
    }
}

/// Oracle: one process. A search for a noise, and the training on all rows.
#[test]
fn ranks_choose_as_one_process_does() {
    let folder = tempfile::tempdir().unwrap();
    for world in [1, 2] {
        succeed("choosing", world, folder.path());
    }
    let of = |world: &str| RunDirectory::at(&folder.path().join(world));
    let searches = ["1", "2"].map(|world| of(world).read_search().unwrap().unwrap());
    assert_eq!(
        searches[0].chosen.as_ref().unwrap().candidate,
        searches[1].chosen.as_ref().unwrap().candidate
    );
    for (one, two) in searches[0].trials.iter().zip(&searches[1].trials) {
        let (one, two) = (one.score.unwrap(), two.score.unwrap());
        assert!((one - two).abs() < 1e-4 * one, "{one} {two}");
    }
    let apart = distance(&folder.path().join("2"), &folder.path().join("1"));
    assert!(apart < 1e-5, "{apart}");
    let refit = |world: &str| {
        let info = of(world).read_info().unwrap();
        info.refit.unwrap().steps
    };
    assert_eq!(refit("1"), refit("2"));
}
