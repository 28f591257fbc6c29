use feed::{Columns, DevicePanel};

use super::*;
use crate::shape::shape;

const WINDOWS: i64 = 4000;

const COLUMNS: Columns = Columns { context: 8, horizon: 4, targets: 2, past: 0, future: 0 };

/// A forecaster of two channels, and windows of a constant 3, so that all variation is noise.
fn scene(noise: &str, model: &str, objective: &str) -> (Forecaster, Batch) {
    let values = vec![3f32; 2 * (WINDOWS as usize + 11)];
    let panel = DevicePanel::new(&values, None, COLUMNS, Device::Cpu).unwrap();
    let starts = Tensor::arange(WINDOWS, (Kind::Int64, Device::Cpu));
    (forecaster_of(noise, model, objective, &panel), panel.gather(&starts).unwrap())
}

fn forecaster_of(noise: &str, model: &str, objective: &str, panel: &DevicePanel) -> Forecaster {
    let text = format!(
        "[data]\nsource = \"seattle-weather\"\ncontext = 8\nhorizon = 4\n\
        [noise]\n{noise}\n\
        [model]\nhidden = 8\nlatent = 2\ninstance_norm = false\n{model}\n\
        [objective]\n{objective}\n"
    );
    let config = Config::parse(&text, "test", &[]).unwrap();
    Forecaster::new(&config, shape(panel), Device::Cpu).unwrap()
}

/// A noise whose input and target differ in everything: strength, re-injection and normalization.
const UNLIKE: &str = "schedule = \"linear\"\nsteps = 20\nbeta_start = 0.01\nbeta_end = 0.3\n\
    input = { reinject = 0.0, normalization = \"none\" }\n\
    target = { scale = 0.5, reinject = 0.5, normalization = \"none\"";

fn z_score(values: &Tensor) -> f64 {
    let count = values.numel() as f64;
    let mean = values.mean(Kind::Double).double_value(&[]);
    mean * count.sqrt() / values.to_kind(Kind::Double).std(true).double_value(&[])
}

/// Distribution: a noised target minus its signal has mean 0 and the standard deviation that the likelihood is given.
/// Both follow the process of the target, not that of the input.
#[test]
fn a_target_is_noised_as_the_likelihood_is_told() {
    let (forecaster, batch) = scene(&format!("{UNLIKE} }}"), "", "");
    let prepared = forecaster.prepare(&batch, true).unwrap();
    let (signal, std) = prepared.noise.as_ref().unwrap();
    let (values, noise) = forecaster.described.scored(&batch, &prepared).unwrap();
    assert!(noise.is_some() && values == prepared.target);
    let standardized = (values - signal * 3.0) / std;
    assert!(z_score(&standardized).abs() < 5.0, "{}", z_score(&standardized));
    assert!(z_score(&(standardized.square() - 1.0)).abs() < 5.0);
}

/// The CRPS of forecasts scores the clean target: it does not depend on the noise of the target.
#[test]
fn the_crps_never_sees_the_noised_target() {
    let objective = "crps_weight = 1.0\ncrps_samples = 2";
    for kind in ["conditional", "predict"] {
        for likelihood in ["direct", "noise-aware"] {
            let noise = format!("{UNLIKE}, likelihood = \"{likelihood}\" }}");
            let (forecaster, batch) = scene(&noise, &format!("kind = \"{kind}\""), objective);
            let mut prepared = forecaster.prepare(&batch, true).unwrap();
            prepared.target = prepared.target.full_like(f64::NAN);
            prepared.noise = None;
            let crps = forecaster.forecast_crps(&batch, &prepared, 2).unwrap();
            assert!(crps.double_value(&[]).is_finite(), "{kind} {likelihood}");
        }
    }
}

/// Without noise in the target (`scale = 0`) the loss is minus the mean bound of a pass of the model, in the units of
/// the likelihood: by hand, within 5 standard errors of the draws.
#[test]
fn the_loss_is_minus_the_bound_of_a_pass() {
    let _guard = tch::no_grad_guard();
    let objective = "crps_weight = 0.0\nkl_weight = { schedule = \"constant\", end = 0.7 }";
    for kind in ["autoencode", "predict", "conditional", "hierarchical"] {
        for likelihood in ["direct", "noise-aware"] {
            let noise = format!(
                "schedule = \"linear\"\nsteps = 20\nbeta_start = 0\nbeta_end = 0\n\
                target = {{ reinject = 0.5, normalization = \"none\", likelihood = \"{likelihood}\" }}"
            );
            let (forecaster, batch) = scene(&noise, &format!("kind = \"{kind}\""), objective);
            let found = forecaster.training_terms(&batch, 0).unwrap();
            assert_eq!(found.kl_weight, 0.7);
            let prepared = forecaster.prepare(&batch, true).unwrap();
            let Prepared { inputs, target, .. } = &prepared;
            assert!((target - 4.5).abs().max().double_value(&[]) < 1e-6);
            let pass = forecaster.model.forward(inputs, Some(target), true).unwrap();
            // A law of the clean target gives `ỹ` its density at `ỹ/a`, divided by `a` for each of eight values.
            let (truth, jacobian) = match (kind, likelihood) {
                ("autoencode", _) => (&batch.context, 0.0),
                (_, "direct") => (target, 0.0),
                _ => (&batch.target, -8.0 * 1.5f64.ln()),
            };
            let log_prob = pass.likelihood.log_prob(truth).unwrap();
            let log_prob = sum_over_target(&log_prob, None).unwrap() + jacobian;
            let bounds = &log_prob - pass.kl().unwrap() * 0.7;
            let error = bounds.std(true).double_value(&[]) * (2.0 / WINDOWS as f64).sqrt();
            let gap = found.loss.double_value(&[]) + bounds.mean(Kind::Double).double_value(&[]);
            assert!(gap.abs() < 5.0 * error + 1e-4, "{kind} {likelihood}: {gap} ± {error}");
            assert!(error < 0.2, "{error}");
        }
    }
}

/// Oracle: the density of a direct decoder's forecasts integrates to one over the truth in the units of the window,
/// which it would not without the Jacobian. Forecasts and means are in these units too.
#[test]
fn a_direct_decoder_answers_in_the_units_of_the_window() {
    let _guard = tch::no_grad_guard();
    let noise = "schedule = \"linear\"\nsteps = 20\nbeta_start = 0\nbeta_end = 0\n\
        target = { reinject = 0.5, normalization = \"none\", likelihood = \"direct\" }";
    let (forecaster, batch) = scene(noise, "", "");
    // The windows are alike, and each has a different truth: together they form a grid.
    let step = 40.0 / WINDOWS as f64;
    let grid = Tensor::arange(WINDOWS, (Kind::Float, Device::Cpu)) * step - 17.0;
    let target = grid.view([-1, 1, 1]).expand([-1, 4, 2], false).contiguous();
    let batch = Batch { target, ..batch };
    // Draws of `z` differ from window to window, but hardly change the law of a fresh model.
    let mass = forecaster.log_density(&batch, 1).unwrap().exp().select(1, 0).select(1, 0);
    let mass = mass.sum(Kind::Double).double_value(&[]) * step;
    assert!((mass - 1.0).abs() < 0.02, "{mass}");
    let mean = forecaster.mean(&batch, 4).unwrap().mean(Kind::Double).double_value(&[]);
    let sampled = forecaster.sample(&batch, 4).unwrap().mean(Kind::Double).double_value(&[]);
    assert!((mean - sampled).abs() < 0.05, "{mean} {sampled}");
}

/// A forecaster with coherent noise, windows of random values, and their masks if asked for.
fn coherent_scene(space: &str, clean: f64, gaps: bool) -> (Forecaster, Batch) {
    let noise = format!(
        "schedule = \"linear\"\nshape = \"gaussian\"\nspace = \"{space}\"\nsampler = {{ clean = {clean} }}"
    );
    tch::manual_seed(5);
    let values: Vec<f32> = Vec::try_from(Tensor::randn([600], (Kind::Float, Device::Cpu))).unwrap();
    let observed: Vec<bool> = (0..600).map(|i| i % 7 > 0).collect();
    let panel = DevicePanel::new(&values, gaps.then_some(&observed), COLUMNS, Device::Cpu).unwrap();
    let starts = Tensor::arange(64, (Kind::Int64, Device::Cpu)) * 4;
    (forecaster_of(&noise, "", "", &panel), panel.gather(&starts).unwrap())
}

/// Context and target are noised together, at the same windows, and scored as they are; gaps stay gaps.
#[test]
fn coherent_noise_moves_context_and_target_together() {
    for space in ["raw", "normal-scores"] {
        for gaps in [false, true] {
            let (forecaster, batch) = coherent_scene(space, 0.5, gaps);
            let (_, context, target) = forecaster.relative(&batch).unwrap();
            let prepared = forecaster.prepare(&batch, true).unwrap();
            let moved = |noised: &Tensor, clean: &Tensor| {
                noised.not_equal_tensor(clean).flatten(1, 2).any_dim(1, false)
            };
            let noised = prepared.inputs.context.narrow(2, 0, 2);
            let (first, second) = (moved(&noised, &context), moved(&prepared.target, &target));
            assert_eq!(first, second, "{space} {gaps}");
            let share = first.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            assert!((0.2..0.8).contains(&share), "{space} {gaps}: {share} noised");
            let (scored, noise) = forecaster.described.scored(&batch, &prepared).unwrap();
            assert!(noise.is_none() && scored == prepared.target);
            if let Some(observed) = &batch.target_observed {
                let missing = prepared.target.masked_select(&observed.eq(0.0));
                assert_eq!(missing.abs().max().double_value(&[]), 0.0);
            }
            let terms = forecaster.training_terms(&batch, 0).unwrap();
            assert!(terms.loss.double_value(&[]).is_finite());
        }
    }
}

/// Bit for bit: a batch that stays clean is trained on as without noise.
#[test]
fn a_clean_coherent_batch_is_that_of_no_noise() {
    for space in ["raw", "normal-scores"] {
        let (forecaster, batch) = coherent_scene(space, 1.0, false);
        let (_, context, target) = forecaster.relative(&batch).unwrap();
        let prepared = forecaster.prepare(&batch, true).unwrap();
        assert_eq!(prepared.inputs.context, context, "{space}");
        assert_eq!(prepared.target, target, "{space}");
    }
}

/// The CRPS of forecasts scores the target that belongs to the noised context.
#[test]
fn the_crps_of_coherent_noise_sees_the_noised_target() {
    let (forecaster, batch) = coherent_scene("raw", 0.0, false);
    let mut prepared = forecaster.prepare(&batch, true).unwrap();
    prepared.target = prepared.target.full_like(f64::NAN);
    let crps = forecaster.forecast_crps(&batch, &prepared, 2).unwrap();
    assert!(crps.double_value(&[]).is_nan());
}
