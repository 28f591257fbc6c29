//! The first step of a training, which has closed forms.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::{Mutex, PoisonError};

use feed::{Part, Stream, seed};
use objective::score::window_crps;
use tch::Tensor;
use train::{Config, Control, Device, Forecaster, RunOptions, load, prepare, shape};

/// Trainings take turns, since the generator of libtorch belongs to the process.
static TURN: Mutex<()> = Mutex::new(());

/// The greatest rate of the training below, and the decay of its average.
const RATE: f64 = 0.01;
const EMA_DECAY: f64 = 0.9;

/// A training of one step, whose rate warms up over ten steps and whose KL weight grows from zero.
fn config(folder: &std::path::Path, ema_decay: f64) -> Config {
    let mut text = String::from("row,a,b\n");
    for row in 0..160 {
        let x = f64::from(row);
        let _ = writeln!(text, "{row},{},{}", (x / 3.0).sin(), 0.5 * x.sin() + (x * 2.3).cos());
    }
    fs::write(folder.join("data.csv"), text).unwrap();
    let text = format!(
        "seed = 3\n[data]\npath = '{}'\ntime = \"row\"\ncontext = 8\nhorizon = 4\n\
        [noise]\nschedule = \"linear\"\nsteps = 20\nbeta_end = 0.2\n\
        [model]\nkind = \"conditional\"\nlatent = 2\nhidden = 8\ndropout = 0\n\
        [objective]\ncrps_weight = 0.0\n\
        kl_weight = {{ schedule = \"linear\", start = 0.0, end = 1.0, steps = 10 }}\n\
        [train]\nepochs = 1\nsteps_per_epoch = 1\nbatch_size = 64\nlearning_rate = {RATE}\n\
        learning_rate_schedule = \"constant\"\nwarmup_steps = 10\nweight_decay = 0.0\n\
        ema_decay = {ema_decay}\nvalidation_samples = 5\nridge_start = false\n\
        choose_instance_norm = false\n",
        folder.join("data.csv").display()
    );
    Config::parse(&text, "test", &[]).unwrap()
}

/// Oracle: Adam moves a parameter by the learning rate in its first step, whatever the gradient, and leaves it where it
/// is without one. The first KL weight is 0, so that the prior has no gradient. The average moves by `1 − d_1 = 9/11` of
/// the step. The score of the epoch is that of the weights that are kept.
#[test]
fn the_first_step_has_the_first_rate_and_the_first_weight() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for (ema_decay, kept) in [(0.0, 1.0), (EMA_DECAY, 9.0 / 11.0)] {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), ema_decay);
        let run = folder.path().join("run");
        let training = prepare(&config, &run, RunOptions::default()).unwrap();
        let control = Control::default();
        training.run(&control, &mut |_| {}).unwrap();

        let source = load(&config, Device::Cpu).unwrap();
        seed(config.seed, Stream::Weights);
        let mut forecaster = Forecaster::new(&config, shape(source.panel()), Device::Cpu).unwrap();
        let before: HashMap<String, Tensor> = forecaster
            .store()
            .variables()
            .into_iter()
            .map(|(name, value)| (name, value.detach().copy()))
            .collect();
        forecaster.store_mut().load(run.join("model.safetensors")).unwrap();
        let mut moved = 0;
        for (name, after) in forecaster.store().variables() {
            let moves: Vec<f32> =
                (after.detach() - &before[&name]).abs().reshape([-1]).try_into().unwrap();
            for step in moves.into_iter().map(f64::from) {
                if name.starts_with("prior") {
                    assert!(step == 0.0, "{name} moves by {step} at weight 0");
                } else if step > 0.0 {
                    let expected = RATE / 10.0 * kept;
                    // A tiny gradient next to Adam's ε moves its parameter less.
                    assert!(step < expected * 1.001, "{name} moves by {step} for {expected}");
                    moved += usize::from(step > expected * 0.99);
                }
            }
        }
        assert!(moved > 100, "{moved} parameters move by the whole rate");

        let _guard = tch::no_grad_guard();
        seed(config.seed, Stream::Validation);
        let (panel, mut scores) = (source.panel(), Vec::new());
        let windows = source.windows(Part::Validation).at_most(1024);
        for batch in windows.batches(panel, panel.scored_at_once(5)) {
            let batch = batch.unwrap();
            let drawn = forecaster.sample(&batch, 5).unwrap();
            let (truth, observed) = forecaster.truth(&batch);
            let crps = window_crps(&drawn, truth, observed).unwrap();
            scores.extend(Vec::<f64>::try_from(crps).unwrap());
        }
        let expected = stats::mean_of_finite(scores).unwrap();
        let line = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let line: serde_json::Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
        let found = line["validation_crps"].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}, ema_decay {ema_decay}");
    }
}
