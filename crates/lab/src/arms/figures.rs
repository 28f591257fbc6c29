//! The figures of the report.

use chart::{Chart, Color};
use record::{Epoch, NoiseCurve};

use super::Run;
use super::compare::{Comparison, Kind};
use super::plan::Plan;
use super::summary::Summary;
use crate::figures::{calibration_chart, fan, mean_calibration, over_epochs};
use crate::page::{Figure, count};

/// Test CRPS of arms and baselines, and their differences to the reference arm.
pub(super) fn scores(summary: &Summary) -> Vec<Figure> {
    let labels: Vec<&str> = summary.rows.iter().map(|row| row.label.as_str()).collect();
    let height = 110.0 + 30.0 * labels.len() as f64;
    let mut chart = Chart::new("Test CRPS")
        .size(440.0, height)
        .x("CRPS, original units, relative to the truth")
        .y_categories(labels.clone());
    for (kind, name) in [(Kind::Arm, "arms"), (Kind::Baseline, "baselines")] {
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
        errors.push((difference.high - difference.low) / 2.0);
    }
    if xs.is_empty() {
        return vec![levels];
    }
    let chart = Chart::new("Difference to the reference arm")
        .size(440.0, height)
        .x("standardized CRPS minus that of the reference")
        .y_categories(labels)
        .vertical_rule(summary.reference.clone(), 0.0)
        .points_error_x("95 % interval", &xs, &ys, &errors);
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
            let xs: Vec<f64> = run.epochs.iter().map(|e| e.epoch as f64).collect();
            let train: Vec<f64> = run.epochs.iter().map(|e| e.loss).collect();
            let validation: Vec<f64> = run.epochs.iter().map(|e| e.validation_loss).collect();
            chart = chart
                .line("training", &xs, &train)
                .color(Color::Blue)
                .line("validation", &xs, &validation)
                .color(Color::Vermillion);
            if let Some(epoch) = run.epochs.iter().rfind(|e| e.best) {
                best.0.push(epoch.epoch as f64);
                best.1.push(epoch.validation_loss);
            }
            seeds += 1;
        }
        if seeds == 0 {
            continue;
        }
        chart = chart.points("epoch kept", &best.0, &best.1).color(Color::Ink);
        let caption =
            format!("{}; the epoch kept has the best validation CRPS.", count(seeds, "seed"));
        figures.push(Figure { svg: chart.render(), caption });
        let epochs: Vec<&[Epoch]> =
            compare.finished(index).map(|(_, run)| run.epochs.as_slice()).collect();
        let (xs, ys) = over_epochs(&epochs, |epoch| epoch.validation_crps);
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
    let finished = runs.iter().filter_map(|run| run.outcome.ok());
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

/// A good, a median and a bad test window of the best arm.
pub(super) fn fans(plan: &Plan, runs: &[Run], summary: &Summary) -> Option<(String, Vec<Figure>)> {
    let arm = summary.best(Kind::Arm)?;
    let run = runs.iter().find(|run| run.arm == arm && run.outcome.is_ok())?;
    let finished = run.outcome.ok()?;
    let figures: Vec<Figure> = finished.evaluation.fans.iter().map(fan).collect();
    let source = format!("{}, seed {}", plan.arms[arm].label, run.seed);
    (!figures.is_empty()).then_some((source, figures))
}

/// The median test window of the best arm, as SVG.
pub(super) fn median_fan(plan: &Plan, runs: &[Run], summary: &Summary) -> Option<String> {
    let (_, mut figures) = fans(plan, runs, summary)?;
    Some(figures.swap_remove(figures.len() / 2).svg)
}

/// Nominal against observed probability, every arm and the best baseline.
pub(super) fn calibration(plan: &Plan, runs: &[Run], summary: &Summary) -> Option<Figure> {
    let compare = Comparison { plan, runs };
    let mut chart = calibration_chart("Calibration");
    let mut any = false;
    for (index, arm) in plan.arms.iter().enumerate() {
        let curves = compare.finished(index).map(|(_, run)| &run.model().calibration);
        let Some((levels, observed)) = mean_calibration(curves) else { continue };
        chart = chart.line(&arm.label, &levels, &observed).color(Color::nth(index));
        any = true;
    }
    let baseline = summary.best(Kind::Baseline).map(|i| &summary.rows[i]);
    let mut finished = runs.iter().filter_map(|run| run.outcome.ok());
    if let (Some(row), Some(run)) = (baseline, finished.next())
        && let Some(curve) = run.baselines().find(|b| b.name == row.name).map(|b| &b.calibration)
    {
        chart = chart.line(&row.label, &curve.levels, &curve.observed).color(Color::Ink).dashed();
    }
    let caption = "On the diagonal, forecasts mean what they say. Flatter than it: too narrow; \
                   steeper: too wide; above or below it: too high or too low.";
    any.then(|| Figure { svg: chart.render(), caption: caption.to_owned() })
}

/// A curve of the noise figure, and the arms that have it.
struct Curve<'a> {
    t: &'a [usize],
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
        let NoiseCurve { t, snr_db, snr_reinjected_db, .. } = &run.evaluation.noise;
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
        let ts: Vec<f64> = t.iter().map(|t| *t as f64).collect();
        chart = chart.line(name, &ts, &ys);
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
