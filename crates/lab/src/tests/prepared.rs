//! The files that a stand-in for `ballast` leaves; the tests of the real binary use them too.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::path::Path;
use std::sync::LazyLock;

use data::{DataConfig, Pipeline};
use record::{
    Calibration, Coverage, DataInfo, Differences, DropLast, Epoch, Evaluation, Fan, Fitted,
    ForecasterKind, LatentHealth, NoiseCurve, PointError, RunInfo, Scored, Scores, Status,
    WindowCounts,
};
use stats::Difference;

/// Two numbers that the scores of a forecaster are made of: standardized CRPS on test windows, and gap to training.
#[derive(Clone, Copy)]
pub(crate) struct Skill {
    pub(crate) test: f64,
    pub(crate) gap: f64,
}

/// The files of a run, by name.
pub(crate) fn run(
    arm: &str,
    seed: u64,
    skill: Skill,
    baseline: f64,
) -> [(&'static str, String); 3] {
    [
        ("run.json", json(&info(seed))),
        ("metrics.jsonl", epochs(seed, skill).iter().map(|epoch| line(epoch) + "\n").collect()),
        ("evaluation.json", json(&evaluation(arm, seed, skill, baseline))),
    ]
}

pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn line(epoch: &Epoch) -> String {
    serde_json::to_string(epoch).unwrap()
}

static PIPELINE: LazyLock<Pipeline> = LazyLock::new(|| {
    let config = DataConfig::bundled("seattle-weather", 28, 7);
    data::load(&config, Path::new("")).unwrap().pipeline
});

pub(crate) fn info(seed: u64) -> RunInfo {
    RunInfo {
        version: RunInfo::VERSION,
        status: Status::Done,
        seed,
        device: "cpu".to_owned(),
        threads: 1,
        precision: "f32".to_owned(),
        ballast: "0.1.0".to_owned(),
        libtorch: "2.11.0".to_owned(),
        noise: None,
        instance_norm: None,
        fitted: Fitted {
            epochs: 40,
            best_epoch: 25,
            steps: 640,
            parameters: 20_412,
            ..Fitted::default()
        },
        wall_seconds: 12.5,
        data: DataInfo {
            name: "seattle-weather".to_owned(),
            fingerprint: "0123456789abcdef0123".to_owned(),
            rows: 1461,
            series: 1,
            channels: vec!["precipitation".to_owned(), "temp_max".to_owned()],
            windows: WindowCounts { train: 988, validation: 140, test: 280 },
        },
        masked: false,
        pipeline: PIPELINE.clone(),
        limits: None,
        refit: None,
        checksums: BTreeMap::default(),
        updates: Vec::new(),
    }
}

pub(crate) fn epochs(seed: u64, skill: Skill) -> Vec<Epoch> {
    let epoch = |number: usize| {
        let fall = (-(number as f64) / 8.0).exp();
        let rise = skill.gap * (number as f64 / 10.0);
        let wiggle = 0.1 * ((number as u64 * 7 + seed * 13) as f64).sin();
        Epoch {
            epoch: number,
            step: number * 16,
            loss: 30.0 + 15.0 * fall - 8.0 * rise,
            validation_loss: 33.0 + 12.0 * fall + 3.0 * rise + wiggle,
            train_crps: 0.3 - 0.001 * number as f64,
            validation_crps: skill.test + 0.3 * fall + 0.05 * rise + 0.01 * wiggle,
            best: number <= 25,
            ..Epoch::default()
        }
    };
    (1..=40).map(epoch).collect()
}

/// Scores of windows, all of their numbers made from the CRPS.
pub(crate) fn scores(crps: f64, windows: Vec<f64>) -> Scores {
    Scores {
        windows: windows.len(),
        crps: 0.7 * crps,
        nmae: 0.9 * crps,
        mae: 4.0 * crps,
        mse: 60.0 * crps,
        nrmse: crps,
        coverage: Coverage { half: 0.47, eighty: 0.78, ninety: 0.88 },
        mae_coverage: 0.02,
        width_90: 2.0,
        crps_sum: None,
        crps_standardized: crps,
        window_crps: windows.into_iter().map(Some).collect(),
        log_score: None,
        slope: None,
        energy: None,
        crps_of_step_sum: None,
        crps_of_channel_sum: None,
        by_step: vec![],
        by_channel: vec![],
        by_series: vec![],
        zero_windows: 0,
    }
}

/// Windows that vary around a CRPS, alike for all forecasters but for some noise of their own; their mean is the CRPS.
fn windows(crps: f64, count: usize, seed: u64) -> Vec<f64> {
    let noise = |w: f64| (((w * 12.9898 + seed as f64 * 78.233 + crps).sin()) * 43_758.547).fract();
    let raw: Vec<f64> =
        (0..count).map(|w| 0.1 * (w as f64 * 0.7).sin() + 0.1 * noise(w as f64)).collect();
    let center = stats::mean(&raw);
    raw.iter().map(|v| crps + v - center).collect()
}

pub(crate) fn scored(name: &str, kind: ForecasterKind, test: Scores) -> Scored {
    let calibration = Calibration { levels: vec![], observed: vec![], pit: vec![] };
    Scored { name: name.to_owned(), kind, test, train: None, calibration, difference: None }
}

/// An evaluation of these forecasters, without pictures and noise.
pub(crate) fn bare(forecasters: Vec<Scored>) -> Evaluation {
    Evaluation {
        version: Evaluation::VERSION,
        channels: vec!["precipitation".to_owned(), "temp_max".to_owned()],
        context: 28,
        horizon: 7,
        stride: Some(1),
        origins: (0..forecasters[0].test.windows).collect(),
        samples: 100,
        seeds: vec![1],
        forecasters,
        supplement: None,
        drop_last: None,
        left_out: vec![],
        fans: vec![],
        noise: NoiseCurve { steps: 0, t: vec![], snr_db: vec![], snr_reinjected_db: vec![] },
        health: LatentHealth {
            kl_per_dim: vec![],
            active_units: vec![],
            elbo: 0.0,
            iwae: 0.0,
            findings: vec![],
        },
    }
}

pub(crate) fn evaluation(arm: &str, seed: u64, skill: Skill, baseline: f64) -> Evaluation {
    let levels: Vec<f64> = (1..20).map(|i| f64::from(i) * 0.05).collect();
    let calibration = |by: f64| Calibration {
        observed: levels.iter().map(|l| l + by * (l * TAU).sin()).collect(),
        levels: levels.clone(),
        pit: vec![],
    };
    let crps = skill.test + 0.001 * (seed as f64 - 2.0);
    let model = Scored {
        train: Some(scores(crps - skill.gap, windows(crps - skill.gap, 250, seed))),
        calibration: calibration(skill.gap / 2.0),
        ..scored("ballast", ForecasterKind::Model, scores(crps, windows(crps, 280, seed)))
    };
    let other = |name: &str, crps: f64| Scored {
        calibration: calibration(0.02),
        ..scored(name, ForecasterKind::Baseline, scores(crps, windows(crps, 280, 0)))
    };
    let t: Vec<usize> = (0..=100).collect();
    let snr = |lambda: f64| -> Vec<Option<f64>> {
        let db = |t: f64| {
            let alpha_bar = (-5.0 * (t / 100.0_f64).powi(2)).exp();
            let signal = alpha_bar.sqrt() + lambda;
            10.0 * (signal * signal / (1.0 - alpha_bar)).log10()
        };
        t.iter().map(|t| (*t > 0).then(|| db(*t as f64))).collect()
    };
    let (snr_db, snr_reinjected_db) = match arm {
        "none" | "no-noise" => (vec![None; t.len()], vec![None; t.len()]),
        "plain" => (snr(0.0), snr(0.0)),
        _ => (snr(0.0), snr(1.0)),
    };
    Evaluation {
        noise: NoiseCurve { steps: 100, t, snr_db, snr_reinjected_db },
        fans: vec![fan("good", 3, 0.5), fan("median", 120, 1.5), fan("bad", 201, 4.0)],
        ..bare(vec![model, other("ridge", baseline), other("seasonal-naive", baseline + 0.05)])
    }
}

fn fan(label: &str, window: usize, miss: f64) -> Fan {
    let time = |d: usize| match d {
        0..17 => format!("2015-01-{:02}", d + 15),
        d => format!("2015-02-{:02}", d - 16),
    };
    let truth = |d: usize| 9.0 + 3.0 * (d as f64 * 0.4).sin() + 1.5 * (d as f64 * 1.7).cos();
    let quantile = |q: f64| (0..7).map(|h| 9.0 + q * (1.0 + 0.05 * f64::from(h))).collect();
    let mut context: Vec<f64> = (0..28).map(truth).collect();
    context[11] = f64::NAN;
    Fan {
        label: label.to_owned(),
        window,
        channel: "temp_max".to_owned(),
        times: (0..35).map(time).collect(),
        context,
        target: (28..35).map(|d| truth(d) + miss).collect(),
        levels: vec![0.05, 0.25, 0.5, 0.75, 0.95],
        quantiles: [-4.0, -1.6, 0.0, 1.6, 4.0].map(quantile).to_vec(),
        crps: 0.1 + miss / 8.0,
    }
}

/// The numbers of a benchmark's cell.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    /// CRPS of the two seeds.
    pub(crate) seeds: [f64; 2],
    /// Paired difference of the CRPS to ridge: mean, error, low, high.
    pub(crate) ridge: [f64; 4],
    pub(crate) coverage: f64,
    /// Squared error minus that of zero, as `ridge`.
    pub(crate) to_zero: [f64; 4],
    /// Differences of the log score to climatology and to GARCH.
    pub(crate) log: [f64; 2],
}

pub(crate) const GOOD: Numbers = Numbers {
    seeds: [0.212, 0.216],
    ridge: [-0.026, 0.004, -0.034, -0.018],
    coverage: 0.9,
    to_zero: [-0.002, 0.001, -0.004, 0.0],
    log: [0.05, 0.01],
};

fn paired([mean, error, low, high]: [f64; 4]) -> Option<Difference> {
    Some(Difference { mean, error, low, high, decided: high < 0.0, origins: 30, lag: 2 })
}

/// The evaluation of a benchmark's cell.
pub(crate) fn cell(numbers: Numbers) -> Evaluation {
    let Numbers { seeds: [one, two], ridge, coverage, to_zero, log } = numbers;
    let mean = (one + two) / 2.0;
    let test = |crps: f64| Scores {
        crps,
        coverage: Coverage { half: 0.5, eighty: 0.8, ninety: coverage },
        log_score: Some(-1.25),
        ..scores(crps, vec![crps, crps])
    };
    let forecaster = |name: &str, kind, crps| scored(name, kind, test(crps));
    let baseline = |name: &str, crps: f64, difference: [f64; 4], log: f64| Scored {
        difference: Some(Differences {
            crps: paired(difference),
            crps_standardized: None,
            mse: None,
            log_score: paired([log, 0.001, log - 0.002, log + 0.002]),
            energy: None,
            skill: 0.1,
        }),
        ..forecaster(name, ForecasterKind::Baseline, crps)
    };
    let far = [-0.1, 0.01, -0.12, -0.08];
    let forecasters = vec![
        forecaster("ballast, mean of 2", ForecasterKind::Model, mean),
        forecaster("ballast, seed 1", ForecasterKind::Seed, one),
        forecaster("ballast, seed 2", ForecasterKind::Seed, two),
        forecaster("ensemble of 2", ForecasterKind::Ensemble, mean - 0.005),
        baseline("last value", 0.442, far, 0.5),
        baseline("seasonal naive (24)", 0.247, far, 0.5),
        baseline("climatology", 0.3, far, log[0]),
        baseline("GARCH(1,1)-t", 0.29, far, log[1]),
        baseline("ridge", 0.24, ridge, 0.1),
    ];
    let points = vec![
        PointError {
            name: "ballast, mean of 2".to_owned(),
            kept: 0.91,
            all: 0.90,
            to_zero: paired(to_zero),
        },
        PointError { name: "zero".to_owned(), kept: 0.912, all: 0.902, to_zero: None },
    ];
    Evaluation {
        seeds: vec![1, 2],
        drop_last: Some(DropLast { batch: 16, kept: 128, forecasters: points }),
        ..bare(forecasters)
    }
}
