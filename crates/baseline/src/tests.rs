//! Fitted baselines against closed forms, simulations and laws.

use feed::{Batch, Columns, DevicePanel, History, SeriesRows, WindowSet};
use objective::Likelihood;
use tch::{Device, Kind, Tensor};

use crate::examples::Examples;
use crate::fit::{Baseline, FitData, Fitted};
use crate::residual::{Residuals, WithResiduals};
use crate::rule::Rule;

fn random(size: [i64; 3]) -> Tensor {
    Tensor::randn(size, (Kind::Float, Device::Cpu))
}

fn examples(context: &Tensor, target: &Tensor) -> Examples {
    let starts = Tensor::zeros([context.size()[0]], (Kind::Int64, Device::Cpu));
    Examples::of(context.shallow_clone(), target.shallow_clone(), starts)
}

/// Fits a rule that reads nothing but windows.
fn fit(rule: Rule, train: &Examples, validation: &Examples, season: usize) -> Option<Baseline> {
    let columns = Columns { context: 1, horizon: 1, targets: 1, past: 0, future: 0 };
    let panel = DevicePanel::new(&[0.0; 4], None, columns, Device::Cpu).unwrap();
    let history = History::new(vec![0.0; 4], 1, vec![SeriesRows { rows: 0..4, train: 0..4 }]);
    let (panel, history) = (&panel, &history);
    let data = FitData { panel, history, train, validation, season: Some(season) };
    Baseline::fit(rule, &data).unwrap()
}

fn with_residuals(baseline: &Baseline) -> &WithResiduals {
    let Fitted::Residual(fitted) = &baseline.0 else { panic!("no residuals") };
    fitted
}

/// Law: on targets that are an exact linear map of the scaled context, ridge finds the map.
#[test]
fn ridge_recovers_a_linear_map() {
    let (context, held) = (random([400, 12, 2]), random([100, 12, 2]));
    let target = |context: &Tensor| {
        context.narrow(1, 8, 3) * 0.5
            + context.narrow(1, 0, 3) * 0.25
            + context.mean_dim(1_i64, true, Kind::Float) * 0.25
    };
    let (train, held) = (examples(&context, &target(&context)), examples(&held, &target(&held)));
    let baseline = fit(Rule::Ridge, &train, &held, 1).unwrap();
    let found = with_residuals(&baseline).point.forecast(held.batch()).unwrap();
    let error = (found - held.target()).abs().max();
    assert!(error.double_value(&[]) < 2e-3, "{error:?}");
}

/// Oracle: a context that counts 0, 1, 2, …, for which the forecast of each rule is obvious.
#[test]
fn naive_rules_repeat_what_they_say() {
    let count = Tensor::arange(7, (Kind::Float, Device::Cpu)).view([1, 7, 1]);
    let windows = examples(&count, &random([1, 5, 1]));
    let forecast = |rule| {
        let baseline = fit(rule, &windows, &windows, 3).unwrap();
        let found = with_residuals(&baseline).point.forecast(windows.batch()).unwrap();
        Vec::<f32>::try_from(found.flatten(0, -1)).unwrap()
    };
    assert_eq!(forecast(Rule::LastValue), [6.0; 5]);
    assert_eq!(forecast(Rule::SeasonalNaive), [4.0, 5.0, 6.0, 4.0, 5.0]);
    assert_eq!(forecast(Rule::Drift), [7.0, 8.0, 9.0, 10.0, 11.0]);
    assert!(fit(Rule::SeasonalNaive, &windows, &windows, 8).is_none(), "longer than the context");
    assert!(fit(Rule::SeasonalNaive, &windows, &windows, 1).is_none(), "the last value");
}

/// Oracle: the mean of samples, within its standard error, for biased errors that are absolute or relative to their
/// window.
#[test]
fn the_stated_mean_is_that_of_the_samples() {
    for relative in [false, true] {
        // Windows of very different scales, or all of one scale.
        let spread = random([2000, 1, 1]).exp().pow_tensor_scalar(2.0 * f64::from(relative));
        let context = random([2000, 3, 1]) * &spread;
        let target = context.narrow(1, 2, 1) + (random([2000, 2, 1]) + 0.5) * spread;
        let train = examples(&context, &target);
        let baseline = fit(Rule::LastValue, &train, &train, 1).unwrap();
        assert_eq!(with_residuals(&baseline).relative, relative);
        let some = train.every(100).unwrap();
        let samples = baseline.sample(some.batch(), 4000).unwrap();
        let mean = baseline.mean(some.batch()).unwrap();
        let error = samples.std_dim(Some([0_i64].as_slice()), true, false) / 4000_f64.sqrt();
        let z = (samples.mean_dim([0_i64].as_slice(), false, Kind::Float) - mean) / error;
        assert!(z.abs().max().double_value(&[]) < 6.0, "{z:?}");
    }
}

/// Distribution: with errors of unit variance the samples have unit variance around the point forecast, and the log
/// density is that of the normal.
#[test]
fn samples_spread_like_training_errors() {
    let context = random([4000, 3, 1]);
    let target = context.narrow(1, 2, 1) + random([4000, 2, 1]);
    let train = examples(&context, &target);
    let baseline = fit(Rule::LastValue, &train, &train, 1).unwrap();
    let asked = train.every(80).unwrap();
    let samples = baseline.sample(asked.batch(), 400).unwrap();
    let errors = samples - asked.context().narrow(1, 2, 1);
    assert_eq!(errors.size(), [400, 50, 2, 1]);
    // 4000 residual blocks of 2 errors: the standard error of their variance is √(2/8000).
    let z = (errors.var(true).double_value(&[]) - 1.0) / (2.0_f64 / 8000.0).sqrt();
    assert!(z.abs() < 5.0, "{z}");

    let density = baseline.log_density(train.batch(), 1).unwrap();
    let mean = density.mean(Kind::Double).double_value(&[]);
    let best = -0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
    // The entropy of 8000 normals has the standard error √(1/2/8000) = .008; a kernel over 200 values loses some.
    assert!((best - 0.06..best + 0.04).contains(&mean), "{mean} of {best}");
}

/// Errors that grow with the scale of the window are kept relative to it, others as they are. The log density of a
/// relative error is that of the scaled error minus the logarithm of the scale.
#[test]
fn residuals_are_taken_as_validation_prefers() {
    let scale = random([3000, 1, 1]).exp();
    let context = random([3000, 16, 1]) * &scale;
    let last = context.narrow(1, 15, 1);
    for relative in [true, false] {
        let noise = random([3000, 2, 1]);
        let target = &last + if relative { noise * &scale } else { noise };
        let windows = examples(&context, &target);
        let baseline = fit(Rule::LastValue, &windows, &windows, 1).unwrap();
        assert_eq!(with_residuals(&baseline).relative, relative);
        if relative {
            let density = baseline.log_density(windows.batch(), 1).unwrap();
            let truth = Likelihood::gaussian(last.shallow_clone(), scale.log()).unwrap();
            let best = truth.log_prob(&target).unwrap().mean(Kind::Double);
            let lost = (best - density.mean(Kind::Double)).double_value(&[]);
            assert!((-0.02..0.12).contains(&lost), "{lost}");
        }
    }
}

#[test]
fn windows_with_missing_targets_give_no_residuals() {
    let context = random([10, 3, 1]);
    let target = random([10, 2, 1]);
    let _ = target.narrow(0, 4, 1).fill_(f64::NAN);
    let windows = examples(&context, &target);
    for rule in [Rule::LastValue, Rule::Ridge] {
        let baseline = fit(rule, &windows, &windows, 1).unwrap();
        let Residuals::Joint(blocks) = &with_residuals(&baseline).residuals else {
            panic!("{rule:?}")
        };
        assert_eq!(blocks.size()[0], 9);
        assert_eq!(blocks.isfinite().all().int64_value(&[]), 1);
    }
}

/// Channels observed on different days: no block is complete in all channels, and each channel keeps its own.
#[test]
fn channels_with_gaps_of_their_own_have_residuals_of_their_own() {
    let context = random([40, 3, 2]);
    let mut target = random([40, 2, 2]);
    let _ = target.narrow(0, 0, 20).narrow(2, 0, 1).fill_(f64::NAN);
    let _ = target.narrow(0, 20, 20).narrow(2, 1, 1).fill_(f64::NAN);
    let windows = examples(&context, &target);
    for rule in [Rule::LastValue, Rule::Ridge] {
        let baseline = fit(rule, &windows, &windows, 1).unwrap();
        let samples = baseline.sample(windows.batch(), 10).unwrap();
        assert_eq!(samples.isfinite().all().int64_value(&[]), 1);
    }
    let _ = target.fill_(f64::NAN);
    let nothing = examples(&context, &target);
    assert!(fit(Rule::LastValue, &nothing, &nothing, 1).is_none());
    assert!(fit(Rule::Ridge, &nothing, &nothing, 1).is_none());
}

/// Two series of one channel in one buffer.
struct Panel {
    device: DevicePanel,
    history: History,
}

const CONTEXT: i64 = 4;
const HORIZON: i64 = 3;

impl Panel {
    fn new(values: &[f64]) -> Panel {
        let half = values.len() / 2;
        let columns =
            Columns { context: CONTEXT, horizon: HORIZON, targets: 1, past: 0, future: 0 };
        let single: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let series = [0..half, half..2 * half]
            .map(|rows| SeriesRows { train: rows.start..rows.start + half * 3 / 4, rows });
        Panel {
            device: DevicePanel::new(&single, None, columns, Device::Cpu).unwrap(),
            history: History::new(values.to_vec(), 1, series.to_vec()),
        }
    }

    fn fit(&self, rule: Rule, season: usize) -> Baseline {
        let half = self.history.series()[0].rows.end as i64;
        let windows = |from: i64, to: i64| {
            let segments = [(from, to - from, 1), (from + half, to - from, 1)];
            let windows = WindowSet::new(segments, Device::Cpu).unwrap();
            Examples::new(&self.device, &windows).unwrap()
        };
        let (train, validation) = (windows(0, half * 3 / 4 - 7), windows(half / 2, half * 3 / 4));
        let data = FitData {
            panel: &self.device,
            history: &self.history,
            train: &train,
            validation: &validation,
            season: Some(season),
        };
        Baseline::fit(rule, &data).unwrap().unwrap()
    }

    fn batch(&self, first_rows: &[i64]) -> Batch {
        self.device.gather(&Tensor::from_slice(first_rows)).unwrap()
    }
}

/// Oracle: values that encode their row show that blocks come from the same series, phase and training rows.
#[test]
fn climatology_draws_blocks_of_its_series_and_season() {
    let panel = Panel::new(&(0..160).map(f64::from).collect::<Vec<_>>());
    for (rule, season) in [(Rule::Climatology, 1), (Rule::SeasonalClimatology, 5)] {
        let baseline = panel.fit(rule, season as usize);
        // Origins 72 and 80 + 66.
        let batch = panel.batch(&[68, 142]);
        let samples = baseline.sample(&batch, 4000).unwrap().squeeze_dim(-1);
        let mean = baseline.mean(&batch).unwrap();
        for (window, phase, rows) in [(0, 72 % season, 0..60), (1, 66 % season, 80..140)] {
            let drawn = samples.select(1, window);
            let first = Vec::<f32>::try_from(drawn.select(1, 0).contiguous()).unwrap();
            let last = Vec::<f32>::try_from(drawn.select(1, 2).contiguous()).unwrap();
            assert!(first.iter().zip(&last).all(|(a, b)| b - a == 2.0), "blocks are whole");
            let mut seen: Vec<i64> = first.iter().map(|value| *value as i64).collect();
            seen.sort_unstable();
            seen.dedup();
            let may = |row: &i64| (row - rows.start) % season == phase;
            let expected: Vec<i64> = (rows.start..rows.end - 2).filter(may).collect();
            assert_eq!(seen, expected, "{rule:?}, window {window}");
            let average = expected.iter().sum::<i64>() as f64 / expected.len() as f64;
            for step in 0..HORIZON {
                let stated = mean.double_value(&[window, step, 0]);
                assert!((stated - average - step as f64).abs() < 1e-4, "{rule:?}: {stated}");
            }
        }
    }
}

/// Oracle: for normal values the climatology has nearly the density that they were drawn from.
#[test]
fn climatology_has_the_density_of_the_training_values() {
    let values = Vec::<f64>::try_from(random([4000, 1, 1]).view([-1]).to_kind(Kind::Double));
    let panel = Panel::new(&values.unwrap());
    let baseline = panel.fit(Rule::Climatology, 1);
    let starts: Vec<i64> = (1600..1900).chain(3600..3900).collect();
    let batch = panel.batch(&starts);
    let density = baseline.log_density(&batch, 1).unwrap();
    let truth = batch.target.square().mean(Kind::Double);
    let best = -0.5 * ((2.0 * std::f64::consts::PI).ln() + truth.double_value(&[]));
    let found = density.mean(Kind::Double).double_value(&[]);
    assert!((best - 0.08..best + 0.01).contains(&found), "{found} of {best}");
}

/// Returns whose volatility clusters: σ² doubles after a large return.
fn returns(rows: usize) -> Vec<f64> {
    let z =
        Vec::<f64>::try_from(Tensor::randn([rows as i64], (Kind::Double, Device::Cpu))).unwrap();
    let mut variance = 1.0;
    let step = |z: f64| {
        let shock = f64::sqrt(variance) * z;
        variance = 0.05 + 0.1 * shock * shock + 0.85 * variance;
        shock
    };
    z.into_iter().map(step).collect()
}

/// Oracle: the recursion of the variance, `E σ²_{h+1} = ω + (α + β) E σ²_h`, from the filtered one, and the density of
/// the first step in closed form.
#[test]
fn simulated_returns_have_the_variance_of_the_recursion() {
    let values = returns(2400);
    let panel = Panel::new(&values);
    for rule in
        [Rule::ConstantGaussian, Rule::ConstantStudentT, Rule::Ewma, Rule::EwmaFitted, Rule::Garch]
    {
        let baseline = panel.fit(rule, 1);
        let Fitted::Volatility(fitted) = &baseline.0 else { panic!("{rule:?}") };
        let (start, draws) = (1100, 40_000);
        let law = fitted.laws[0][0];
        let mut variance = law.filter(&values[..start + 4])[start + 4];
        let batch = panel.batch(&[start as i64]);
        let samples = baseline.sample(&batch, draws).unwrap();
        let density = baseline.log_density(&batch, 50).unwrap();
        let mean = baseline.mean(&batch).unwrap();
        assert_eq!(mean.size(), [1, HORIZON, 1]);
        let off = (mean.to_kind(Kind::Double) - law.mean).abs().max();
        assert!(off.double_value(&[]) < 1e-6, "{rule:?}: {off:?}");
        let truth = batch.target.to_kind(Kind::Double);
        let one = |value: f64| Tensor::from_slice(&[value]);
        let first = match law.degrees {
            None => Likelihood::gaussian(one(law.mean), one(0.5 * variance.ln())),
            Some(df) => {
                let scale = (variance * (df - 2.0) / df).sqrt();
                Likelihood::student_t(one(law.mean), one(scale.ln()), one((df - 2.0).ln()))
            }
        };
        let expected = first.unwrap().log_prob(&truth.view([-1]).narrow(0, 0, 1)).unwrap();
        let found = density.double_value(&[0, 0, 0]);
        // To the rounding of f32.
        assert!((found - expected.double_value(&[0])).abs() < 1e-5, "{rule:?}");
        for step in 0..HORIZON {
            let squares = (samples.select(2, step).to_kind(Kind::Double) - law.mean).square();
            let error = squares.std(true).double_value(&[]) / (draws as f64).sqrt();
            let mean = squares.mean(Kind::Double).double_value(&[]);
            assert!((mean - variance).abs() < 6.0 * error, "{rule:?}, step {step}: {mean}");
            variance = law.omega + (law.alpha + law.beta) * variance;
        }
    }
}

/// Leakage: values after an origin change no forecast made there, and values after the training rows do not change the
/// fit.
#[test]
fn nothing_after_the_origin_is_seen() {
    let values = returns(800);
    let altered: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(row, value)| if row % 400 >= 350 { value + 50.0 } else { *value })
        .collect();
    for rule in [Rule::Ets, Rule::Garch, Rule::EwmaFitted, Rule::Climatology] {
        let forecast = |values: &[f64]| {
            let panel = Panel::new(values);
            let baseline = panel.fit(rule, 5);
            // Origins 349 and 748: the first altered row is 350, 750.
            match &baseline.0 {
                Fitted::Residual(fitted) => {
                    fitted.point.forecast(&panel.batch(&[346, 744])).unwrap()
                }
                Fitted::Volatility(fitted) => {
                    let law = fitted.laws[1][0];
                    let places = [350, 748 + 1].map(|at| fitted.variances[at] as f32);
                    Tensor::from_slice(&[law.mean as f32, law.alpha as f32, places[0], places[1]])
                }
                Fitted::Climatology(fitted) => {
                    let blocks = fitted.groups.iter().flatten().map(|row| *row as i64);
                    let rows = Tensor::from_slice(&blocks.collect::<Vec<_>>());
                    fitted.blocks.index_select(0, &rows)
                }
            }
        };
        let (before, after) = (forecast(&values), forecast(&altered));
        assert!(before.equal(&after), "{rule:?}");
    }
}

/// Oracle: the squared correlation of levels in plain loops; differences between channels and windows without a target
/// do not count. It is about zero for white noise, and one where the target copies the level.
#[test]
fn persistence_is_the_squared_correlation_of_levels() {
    tch::manual_seed(21);
    let (context, noise) = (random([300, 6, 2]), random([300, 3, 2]));
    let target = noise
        + context.mean_dim(1_i64, true, Kind::Float) * 0.8
        + Tensor::from_slice(&[0.0_f32, 50.0]);
    let _ = target.narrow(0, 0, 20).narrow(2, 1, 1).fill_(f64::NAN);
    let found = examples(&context, &target).persistence().unwrap();
    let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
    for channel in 0..2 {
        let first = if channel == 1 { 20 } else { 0 };
        let level = |values: &Tensor, window: i64| {
            let steps = values.size()[1];
            (0..steps).map(|t| values.double_value(&[window, t, channel])).sum::<f64>()
                / steps as f64
        };
        let levels: Vec<(f64, f64)> =
            (first..300).map(|w| (level(&context, w), level(&target, w))).collect();
        let n = levels.len() as f64;
        let (x, y) = levels.iter().fold((0.0, 0.0), |(x, y), l| (x + l.0 / n, y + l.1 / n));
        for (a, b) in levels {
            both += (a - x) * (b - y);
            one += (a - x).powi(2);
            other += (b - y).powi(2);
        }
    }
    let expected = both * both / (one * other);
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    let copy = context.mean_dim(1_i64, true, Kind::Float).repeat([1, 3, 1]);
    assert!((examples(&context, &copy).persistence().unwrap() - 1.0).abs() < 1e-6);
    // 600 levels: r² is about 1 / 600.
    assert!(examples(&context, &random([300, 3, 2])).persistence().unwrap() < 36.0 / 600.0);
    assert_eq!(examples(&context, &random([300, 3, 2]).zeros_like()).persistence().unwrap(), 0.0);
}
