//! The figures of the report.

use chart::{Chart, Color};

use super::arms::Run;
use super::number::plain;
use super::plan::Plan;
use super::read::{Fan, Finished, Noise};
use super::summary::{Comparison, Summary, best};

/// A figure and what to see in it.
pub(super) struct Figure {
    pub(super) svg: String,
    pub(super) caption: String,
}

/// Test CRPS of arms and baselines, and their differences to the reference arm.
pub(super) fn scores(summary: &Summary) -> Vec<Figure> {
    let labels: Vec<&str> = summary.rows.iter().map(|row| row.label.as_str()).collect();
    let height = 110.0 + 30.0 * labels.len() as f64;
    let mut chart = Chart::new("Test CRPS")
        .size(440.0, height)
        .x("CRPS, original units, relative to the truth")
        .y_categories(labels.clone());
    for (kind, name) in [("arm", "arms"), ("baseline", "baselines")] {
        let (mut xs, mut ys, mut errors) = (vec![], vec![], vec![]);
        for (i, row) in summary.rows.iter().enumerate().filter(|(_, row)| row.kind == kind) {
            let Some(scores) = &row.scores else { continue };
            xs.push(scores.crps.mean);
            ys.push(i as f64);
            errors.push(scores.crps.std.unwrap_or(f64::NAN));
        }
        chart = chart.points_error_x(name, &xs, &ys, &errors);
    }
    let levels = Figure {
        svg: chart.render(),
        caption: "Smaller is better. Bars: ± one standard deviation over seeds.".to_owned(),
    };
    let (mut xs, mut ys, mut errors) = (vec![], vec![], vec![]);
    for (i, row) in summary.rows.iter().enumerate() {
        let Some(difference) = row.difference else { continue };
        xs.push(difference.mean);
        ys.push(i as f64);
        errors.push(2.0 * difference.error);
    }
    if xs.is_empty() {
        return vec![levels];
    }
    let chart = Chart::new("Difference to the reference arm")
        .size(440.0, height)
        .x("standardized CRPS less the reference’s")
        .y_categories(labels)
        .vertical_rule(summary.reference.clone(), 0.0)
        .points_error_x("± two standard errors", &xs, &ys, &errors);
    let caption = "Left of the line is better than the reference. Paired by window and seed, so \
                   what is hard for all cancels.";
    vec![levels, Figure { svg: chart.render(), caption: caption.to_owned() }]
}

/// Training and validation loss of every arm, and the validation CRPS of all arms together.
pub(super) fn learning(plan: &Plan, runs: &[Run]) -> Vec<Figure> {
    let compare = Comparison { plan, runs };
    let range = loss_range(runs);
    let mut figures = Vec::new();
    let mut together = Chart::new("Validation CRPS of all arms")
        .id("validation-crps")
        .x("epoch")
        .y("standardized CRPS, mean over seeds");
    let mut shown = vec![];
    for (index, arm) in plan.arms.iter().enumerate() {
        let mut chart = Chart::new(&arm.label)
            .id(format!("learning-{}", arm.name))
            .size(440.0, 280.0)
            .x("epoch")
            .y("loss (nats per window)");
        if let Some((low, high)) = range {
            chart = chart.y_range(low, high);
        }
        let (mut seeds, mut best) = (0, (vec![], vec![]));
        for (_, run) in compare.finished(index) {
            let xs: Vec<f64> = run.epochs.iter().map(|e| e.epoch).collect();
            let train: Vec<f64> = run.epochs.iter().map(|e| e.loss).collect();
            let validation: Vec<f64> = run.epochs.iter().map(|e| e.validation_loss).collect();
            chart = chart
                .line("training", &xs, &train)
                .color(Color::Blue)
                .line("validation", &xs, &validation)
                .color(Color::Vermillion);
            if let Some(epoch) = run.epochs.iter().rfind(|e| e.best) {
                best.0.push(epoch.epoch);
                best.1.push(epoch.validation_loss);
            }
            seeds += 1;
        }
        if seeds == 0 {
            continue;
        }
        chart = chart.points("epoch kept", &best.0, &best.1).color(Color::Ink);
        let count = if seeds == 1 { "One seed".to_owned() } else { format!("{seeds} seeds") };
        let caption = format!("{count}; the epoch kept has the best validation CRPS.");
        figures.push(Figure { svg: chart.render(), caption });
        let (xs, ys) = mean_validation_crps(compare.finished(index).map(|(_, run)| run));
        together = together.line(&arm.label, &xs, &ys).color(Color::nth(index));
        shown.extend(ys);
    }
    if let Some((low, high)) = most(shown, 90) {
        together = together.y_range(low, high);
        let caption = "As far as every seed of an arm was still training.".to_owned();
        figures.insert(0, Figure { svg: together.render(), caption });
    }
    figures
}

/// One range for all arms, so that they can be compared; the first epochs may stick out.
fn loss_range(runs: &[Run]) -> Option<(f64, f64)> {
    let finished = runs.iter().filter_map(|run| run.outcome.as_ref().ok());
    let epochs = finished.flat_map(|run| &run.epochs);
    most(epochs.flat_map(|e| [e.loss, e.validation_loss]).collect(), 97)
}

/// From the smallest value to a percentile, with some air.
fn most(mut values: Vec<f64>, percentile: usize) -> Option<(f64, f64)> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let low = *values.first()?;
    let high = values[(values.len() - 1) * percentile / 100];
    let air = 0.05 * (high - low);
    (high > low).then_some((low - air, high + air))
}

fn mean_validation_crps<'a>(runs: impl Iterator<Item = &'a Finished>) -> (Vec<f64>, Vec<f64>) {
    let runs: Vec<&Finished> = runs.collect();
    let shortest = runs.iter().map(|run| run.epochs.len()).min().unwrap_or(0);
    let (mut xs, mut ys) = (vec![], vec![]);
    for i in 0..shortest {
        let values: Option<Vec<f64>> =
            runs.iter().map(|run| run.epochs[i].validation_crps).collect();
        if let Some(values) = values {
            xs.push(runs[0].epochs[i].epoch);
            ys.push(super::statistics::mean(&values));
        }
    }
    (xs, ys)
}

/// A good, a median and a bad test window of the best arm.
pub(super) fn fans(plan: &Plan, runs: &[Run], summary: &Summary) -> Option<(String, Vec<Figure>)> {
    let arm = summary.best_arm()?;
    let run = runs.iter().find(|run| run.arm == arm && run.outcome.is_ok())?;
    let finished = run.outcome.as_ref().ok()?;
    let figures: Vec<Figure> = finished.evaluation.fans.iter().map(fan).collect();
    let source = format!("{}, seed {}", plan.arms[arm].label, run.seed);
    (!figures.is_empty()).then_some((source, figures))
}

pub(super) fn fan(fan: &Fan) -> Figure {
    let horizon = fan.target.len();
    let skipped = fan.context.len().saturating_sub(4 * horizon);
    let times: Vec<String> = fan.times[skipped..].iter().map(|time| short_date(time)).collect();
    let gap = |value: &Option<f64>| value.unwrap_or(f64::NAN);
    let mut seen: Vec<f64> = fan.context[skipped..].iter().map(gap).collect();
    let first = seen.len();
    let xs: Vec<f64> = (0..first + horizon).map(|i| i as f64).collect();
    seen.extend(fan.target.iter().map(gap));
    let ahead = &xs[first..];
    let year = fan.times.last().and_then(|time| time.get(..4)).unwrap_or("");
    let title = format!("A {} window", fan.label);
    let mut chart = Chart::new(title)
        .id(format!("fan-{}", fan.label))
        .x(if short_date(&fan.times[0]) == fan.times[0] { "time" } else { year })
        .y(format!("{}, original units", fan.channel))
        .x_sequence(times);
    let levels = fan.levels.len();
    for inner in 0..levels / 2 {
        let outer = levels - 1 - inner;
        let share = 100.0 * (fan.levels[outer] - fan.levels[inner]);
        let name = format!("{share:.0} % interval");
        chart = chart
            .band(name, ahead, &fan.quantiles[inner], &fan.quantiles[outer])
            .color(if inner == 0 { Color::Sky } else { Color::Blue });
    }
    if levels % 2 == 1 {
        chart = chart.line("median", ahead, &fan.quantiles[levels / 2]).color(Color::Blue);
    }
    chart = chart.line("truth", &xs, &seen).color(Color::Ink);
    chart = chart.vertical_rule("", first as f64 - 0.5);
    let (window, crps) = (fan.window, plain(fan.crps));
    Figure {
        svg: chart.render(),
        caption: format!(
            "Test window {window}, standardized CRPS {crps}. The rule is where the forecast begins."
        ),
    }
}

/// `2015-01-05…` as `5 Jan`; anything else as it is.
fn short_date(time: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = || {
        let mut parts = time.get(..10)?.splitn(3, '-');
        let (_year, month, day): (u32, usize, u32) =
            (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let rest = &time[10..];
        let clock = rest.get(1..6).filter(|clock| *clock != "00:00").unwrap_or("");
        Some(format!("{day} {} {clock}", MONTHS.get(month.checked_sub(1)?)?).trim_end().to_owned())
    };
    date().unwrap_or_else(|| time.to_owned())
}

/// An empty chart of nominal against observed probability, with its diagonal.
pub(super) fn calibration_chart(title: &str) -> Chart {
    Chart::new(title)
        .size(440.0, 440.0)
        .x("quantile level")
        .y("share of the truth below it")
        .x_range(0.0, 1.0)
        .y_range(0.0, 1.0)
        .line("perfect", &[0.0, 1.0], &[0.0, 1.0])
        .color(Color::Muted)
        .dashed()
}

/// Nominal against observed probability, every arm and the best baseline.
pub(super) fn calibration(plan: &Plan, runs: &[Run], summary: &Summary) -> Option<Figure> {
    let compare = Comparison { plan, runs };
    let mut chart = calibration_chart("Calibration");
    let mut any = false;
    for (index, arm) in plan.arms.iter().enumerate() {
        let curves: Vec<_> = compare
            .finished(index)
            .filter_map(|(_, run)| run.model().calibration.as_ref())
            .collect();
        let Some(first) = curves.first() else { continue };
        let same: Vec<_> = curves.iter().filter(|c| c.levels == first.levels).collect();
        let average = |i: usize| {
            super::statistics::mean(&same.iter().map(|c| c.observed[i]).collect::<Vec<_>>())
        };
        let observed: Vec<f64> = (0..first.levels.len()).map(average).collect();
        chart = chart.line(&arm.label, &first.levels, &observed).color(Color::nth(index));
        any = true;
    }
    let baseline = best(&summary.rows, "baseline").map(|i| &summary.rows[i]);
    let mut finished = runs.iter().filter_map(|run| run.outcome.as_ref().ok());
    if let (Some(row), Some(run)) = (baseline, finished.next())
        && let Some(forecaster) = run.baselines().find(|b| b.name == row.name)
        && let Some(curve) = &forecaster.calibration
    {
        chart = chart.line(&row.label, &curve.levels, &curve.observed).color(Color::Ink).dashed();
    }
    let caption = "On the diagonal, forecasts mean what they say. Flatter than it: too narrow; \
                   steeper: too wide; above or below: too high or too low.";
    any.then(|| Figure { svg: chart.render(), caption: caption.to_owned() })
}

/// A curve of the noise figure, and the arms that have it.
struct Curve<'a> {
    t: &'a [f64],
    snr_db: &'a [Option<f64>],
    plain: bool,
    arms: Vec<usize>,
}

/// Signal to noise of the input window over the diffusion steps, plain and re-injected.
pub(super) fn noise(plan: &Plan, runs: &[Run]) -> Option<Figure> {
    let compare = Comparison { plan, runs };
    let mut curves: Vec<Curve> = Vec::new();
    for arm in 0..plan.arms.len() {
        let Some((_, run)) = compare.finished(arm).next() else { continue };
        let Some(Noise { t, snr_db, snr_reinjected_db }) = &run.evaluation.noise else { continue };
        for (snr_db, plain) in [(snr_db, true), (snr_reinjected_db, false)] {
            if snr_db.iter().all(Option::is_none) {
                continue; // no noise: the ratio is infinite
            }
            // The plain curve of an arm is nobody's name: it is there for comparison.
            let arms = if plain { vec![] } else { vec![arm] };
            match curves.iter_mut().find(|curve| curve.t == t && curve.snr_db == snr_db) {
                Some(curve) => curve.arms.extend(arms),
                None => curves.push(Curve { t, snr_db, plain, arms }),
            }
        }
    }
    let mut chart = Chart::new("Signal to noise over the diffusion steps")
        .x("diffusion step t")
        .y("SNR of the noised input (dB)");
    for Curve { t, snr_db, plain, arms } in &curves {
        let labels: Vec<&str> = arms.iter().map(|arm| plan.arms[*arm].label.as_str()).collect();
        let name =
            if arms.is_empty() { "without re-injection".to_owned() } else { labels.join("; ") };
        let ys: Vec<f64> = snr_db.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
        chart = chart.line(name, t, &ys);
        chart = chart.color(arms.first().map_or(Color::Muted, |arm| Color::nth(*arm)));
        if *plain {
            chart = chart.dashed();
        }
    }
    let caption = "At 0 dB there is as much noise as signal. Plain diffusion (dashed) sinks into \
                   noise; with re-injection the ratio stays above 20 log₁₀ λ dB. Arms without \
                   noise have no curve.";
    (!curves.is_empty()).then(|| Figure {
        svg: chart.horizontal_rule("", 0.0).render(),
        caption: caption.to_owned(),
    })
}
