//! The figures of a study.

use std::path::Path;
use std::process::Command;

use chart::{Chart, Color};
use record::{Epoch, StepFeatures};
use serde::Deserialize;
use stats::{Spread, mean};

use super::measure::{Table, value};
use super::plan::{Cell, Measure};
use super::runs::Studied;
use crate::figures::{calibration_chart, fan, mean_calibration, over_epochs};
use crate::page::Figure;

/// Arms shown in most figures, by name, and their colors.
const SHOWN: [(&str, Color); 5] = [
    ("none", Color::Ink),
    ("plain-x", Color::Vermillion),
    ("x0", Color::Blue),
    ("y0", Color::Orange),
    ("x0-y0", Color::Green),
];

fn arm(table: &Table, name: &str) -> Option<usize> {
    table.plan.arms.iter().position(|arm| arm.name == name)
}

/// Mean and standard error over seeds of a measure; `None` without runs.
fn point(table: &Table, cell: usize, arm: usize, measure: Measure) -> Option<(f64, f64)> {
    let spread = Spread::of(table.values(cell, arm, measure))?;
    Some((spread.mean, spread.error().unwrap_or(f64::NAN)))
}

/// Cells of one data set and model, by percent.
fn series(table: &Table, same: &Cell) -> Vec<(usize, f64)> {
    let cells = table.plan.cells.iter().enumerate();
    let mut found: Vec<(usize, f64)> = cells
        .filter(|(_, cell)| (cell.data, cell.model) == (same.data, same.model))
        .map(|(index, cell)| (index, f64::from(cell.percent)))
        .collect();
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    found
}

/// The first cell of each data set and model for which `has` holds.
fn firsts<'a>(table: &'a Table, has: impl Fn(usize, &Cell) -> bool + 'a) -> Vec<&'a Cell> {
    let mut seen = Vec::new();
    let cells = table.plan.cells.iter().enumerate();
    let first = |(index, cell): (usize, &'a Cell)| {
        let key = (cell.data, cell.model);
        if seen.contains(&key) || !has(index, cell) {
            return None;
        }
        seen.push(key);
        Some(cell)
    };
    cells.filter_map(first).collect()
}

fn set_label(table: &Table, cell: &Cell) -> String {
    let model = &table.plan.models[cell.model];
    let data = &table.plan.data[cell.data].label;
    if cell.model == 0 { data.clone() } else { format!("{data}, {}", model.label) }
}

/// The gap at the end of training against the share of the training rows.
pub(super) fn gap(table: &Table) -> Vec<Figure> {
    let sets = firsts(table, |_, cell| series(table, cell).len() > 1 && !cell.features);
    let figure = |same: &&Cell| {
        let cells = series(table, same);
        let mut chart = Chart::new(set_label(table, same))
            .size(440.0, 280.0)
            .x("training rows used, %")
            .y("test minus training CRPS, last epoch")
            .x_log();
        let mut any = false;
        for (place, (name, color)) in SHOWN.iter().enumerate() {
            let Some(arm) = arm(table, name) else { continue };
            let points = cells.iter().filter_map(|(cell, percent)| {
                let (mean, error) = point(table, *cell, arm, Measure::GapEnd)?;
                // Beside each other, so that bars do not hide one another.
                Some((percent * (1.0 + 0.02 * (place as f64 - 2.0)), mean, error))
            });
            let points: Vec<_> = points.collect();
            if points.is_empty() {
                continue;
            }
            any = true;
            chart = draw(chart, &table.plan.arms[arm].label, *color, &points);
        }
        any.then(|| Figure {
            svg: chart.render(),
            caption: "Nearer to zero is less overfitting. Means over seeds ± standard error."
                .to_owned(),
        })
    };
    sets.iter().filter_map(figure).collect()
}

/// A line through points with error bars.
fn draw(chart: Chart, name: &str, color: Color, points: &[(f64, f64, f64)]) -> Chart {
    let column = |pick: fn(&(f64, f64, f64)) -> f64| points.iter().map(pick).collect::<Vec<f64>>();
    let (xs, ys, errors) = (column(|p| p.0), column(|p| p.1), column(|p| p.2));
    chart.line("", &xs, &ys).color(color).points_error_y(name, &xs, &ys, &errors).color(color)
}

/// Arms by re-injection strength, from plain diffusion to no noise.
const STRENGTHS: [(&str, &str); 7] = [
    ("plain-x", "0"),
    ("x0-quarter", "¼"),
    ("x0-half", "½"),
    ("x0", "1"),
    ("x0-two", "2"),
    ("x0-four", "4"),
    ("none", "no noise"),
];

/// Test score against the strength of re-injection.
pub(super) fn strength(table: &Table) -> Vec<Figure> {
    let has = |index: usize, name: &str| {
        arm(table, name).is_some_and(|arm| table.of(index, arm).count() > 0)
    };
    let cells = table.plan.cells.iter().enumerate();
    let cells = cells.filter(|(index, _)| has(*index, "x0-four") && has(*index, "x0-quarter"));
    let figure = |(index, cell): (usize, &Cell)| {
        let mut chart = Chart::new(table.plan.cell_label(cell))
            .size(440.0, 280.0)
            .x("strength λ of x₀ re-injection")
            .y("test CRPS, standardized")
            .x_categories(STRENGTHS.map(|(_, label)| label));
        for (measure, name, color, shift) in [
            (Measure::TestEnd, "last epoch", Color::Vermillion, 0.06),
            (Measure::Test, "epoch chosen on validation", Color::Blue, -0.06),
        ] {
            let points = STRENGTHS.iter().enumerate().filter_map(|(place, (name, _))| {
                let (mean, error) = point(table, index, arm(table, name)?, measure)?;
                Some((place as f64 + shift, mean, error))
            });
            chart = draw(chart, name, color, &points.collect::<Vec<_>>());
        }
        let caption = "λ = 0 is plain diffusion, the largest λ are nearly no noise. Means over seeds ± standard error.";
        Figure { svg: chart.render(), caption: caption.to_owned() }
    };
    cells.map(figure).collect()
}

/// Feature R² over the diffusion steps, with and without re-injection.
pub(super) fn features(table: &Table) -> Vec<Figure> {
    let sets = firsts(table, |index, cell| {
        cell.features && cell.arms.iter().any(|arm| table.of(index, *arm).count() > 0)
    });
    let figure = |same: &&Cell| {
        let index = table.plan.cells.iter().position(|cell| std::ptr::eq(cell, *same))?;
        let mut chart = Chart::new(set_label(table, same))
            .size(440.0, 300.0)
            .x("diffusion step t")
            .y("R² of the future from features");
        for (name, color) in
            [("plain-x", Color::Vermillion), ("x0", Color::Blue), ("x0-four", Color::Green)]
        {
            let Some(arm) = arm(table, name) else { continue };
            let runs: Vec<&Studied> = table.of(index, arm).map(|(_, run)| run).collect();
            for dashed in [false, true] {
                let (xs, ys) = over_steps(&runs, dashed);
                if xs.is_empty() || (dashed && name == "x0-four") {
                    continue;
                }
                let label = &table.plan.arms[arm].label;
                let label =
                    if dashed { format!("{label}: the window itself") } else { label.clone() };
                chart = chart.line(label, &xs, &ys).color(color);
                if dashed {
                    chart = chart.dashed();
                }
            }
        }
        if let Some(arm) = arm(table, "none") {
            let clean = point(table, index, arm, Measure::FeaturesClean);
            if let Some((clean, _)) = clean {
                chart = chart.horizontal_rule("no noise, clean windows", clean);
            }
        }
        let caption = "Ridge probe on test windows noised at t, by a model trained on all of the arm’s steps; mean over seeds. \
                       Dashed: a linear reader of the noised window itself.";
        Some(Figure { svg: chart.render(), caption: caption.to_owned() })
    };
    sets.iter().filter_map(figure).collect()
}

/// Mean over runs of R² at each step, from the features or from the window itself.
fn over_steps(runs: &[&Studied], raw: bool) -> (Vec<f64>, Vec<f64>) {
    let Some(first) = runs.first().and_then(|run| run.features.as_ref()) else {
        return (vec![], vec![]);
    };
    let r2 = |step: &StepFeatures| if raw { step.raw_future.r2 } else { step.probe_future.r2 };
    let at = |step: usize| {
        let value = |run: &&Studied| r2(run.features.as_ref()?.steps.get(step)?);
        let values: Option<Vec<f64>> = runs.iter().map(value).collect();
        values.map_or(f64::NAN, |values| mean(&values))
    };
    let steps = first.steps.len();
    (first.steps.iter().map(|step| step.t as f64).collect(), (0..steps).map(at).collect())
}

/// One line of `ballast noise --json`.
#[derive(Deserialize)]
struct NoiseRow {
    t: f64,
    equivalent_step: f64,
}

/// Density of the steps of plain diffusion that training sees, for some strengths: computed by `ballast noise`.
pub(super) fn density(table: &Table, root: &Path, executable: &Path) -> Option<Figure> {
    const BINS: usize = 20;
    let config = &table.plan.data.first()?.config.path;
    let mut chart = Chart::new("Re-injection as plain diffusion")
        .size(440.0, 300.0)
        .x("equivalent step τ(t) of plain diffusion, t uniform")
        .y("density relative to uniform");
    let strengths = [
        ("0", "plain diffusion", Color::Vermillion),
        ("0.25", "λ = ¼", Color::Orange),
        ("1", "λ = 1", Color::Blue),
        ("4", "λ = 4", Color::Green),
    ];
    for (strength, name, color) in strengths {
        let set = format!("noise.input.reinject={strength}");
        let args = ["noise", config.to_str()?, "--json", "--set", &set];
        let out = Command::new(executable).args(args).current_dir(root).output().ok()?;
        let rows: Vec<NoiseRow> = serde_json::from_slice(&out.stdout).ok()?;
        let last = rows.iter().map(|row| row.t).fold(0.0, f64::max);
        let taus: Vec<f64> =
            rows.iter().filter(|row| row.t > 0.0).map(|row| row.equivalent_step).collect();
        if taus.is_empty() || last == 0.0 {
            return None;
        }
        let mut counts = [0.0; BINS];
        for tau in &taus {
            let bin = ((tau / last * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            counts[bin] += BINS as f64 / taus.len() as f64;
        }
        let edges: Vec<f64> = (0..=BINS).map(|edge| last * edge as f64 / BINS as f64).collect();
        let mut heights = counts.to_vec();
        heights.push(counts[BINS - 1]);
        chart = chart.step(name, &edges, &heights).color(color);
    }
    let caption = "With x₀ added back, no sample is noisier than plain diffusion at the right end of each curve: training on re-injected \
                   windows is training on plain ones with these steps. Histogram of τ(t) over the 100 steps.";
    Some(Figure { svg: chart.render(), caption: caption.to_owned() })
}

/// Slope of the truth on the mean forecast: direct against noise-aware target likelihoods.
pub(super) fn bias(table: &Table) -> Option<Figure> {
    let names = ["none", "y-aware", "y-signal", "y-direct", "y0-aware", "y0-direct"];
    let arms: Vec<usize> = names.iter().filter_map(|name| arm(table, name)).collect();
    let direct = arm(table, "y-direct")?;
    let labels = arms.iter().map(|arm| table.plan.arms[*arm].label.as_str());
    let mut chart = Chart::new("Bias of the forecast")
        .size(440.0, 400.0)
        .x("slope of the truth on the mean forecast")
        .y_categories(labels)
        .vertical_rule("unbiased", 1.0);
    let cells = table.plan.cells.iter().enumerate();
    let cells: Vec<_> = cells.filter(|(index, _)| table.of(*index, direct).count() > 0).collect();
    for (place, (index, cell)) in cells.iter().enumerate() {
        let (mut xs, mut ys, mut errors) = (vec![], vec![], vec![]);
        for (row, arm) in arms.iter().enumerate() {
            let slopes =
                table.of(*index, *arm).filter_map(|(_, run)| run.chosen.model().test.slope);
            let Some(spread) = Spread::of(slopes) else { continue };
            xs.push(spread.mean);
            ys.push(row as f64 + 0.16 * (place as f64 - 0.5 * (cells.len() as f64 - 1.0)));
            errors.push(spread.std.unwrap_or(f64::NAN));
        }
        chart = chart
            .points_error_x(set_label(table, cell), &xs, &ys, &errors)
            .color(Color::nth(place));
    }
    let caption = "Right of the line forecasts are shrunk: the truth moves more than they do. Left of it they move too much. Bars: \
                   ± one standard deviation over seeds.";
    (!cells.is_empty()).then(|| Figure { svg: chart.render(), caption: caption.to_owned() })
}

/// Validation and training CRPS over the epochs.
pub(super) fn learning(table: &Table) -> Vec<Figure> {
    let cells =
        table.plan.cells.iter().enumerate().filter(|(_, cell)| cell.data == 0 && !cell.features);
    let cells = cells.filter(|(_, cell)| [10, 100].contains(&cell.percent) && cell.model < 2);
    let figure = |(index, cell): (usize, &Cell)| {
        let mut chart = Chart::new(table.plan.cell_label(cell))
            .size(440.0, 280.0)
            .x("epoch")
            .y("CRPS, standardized");
        let mut any = false;
        for (name, color) in
            [("none", Color::Ink), ("plain-x", Color::Vermillion), ("x0", Color::Blue)]
        {
            let Some(arm) = arm(table, name) else { continue };
            let runs: Vec<&Studied> = table.of(index, arm).map(|(_, run)| run).collect();
            let runs: Vec<&[Epoch]> = runs.iter().map(|run| run.chosen.epochs.as_slice()).collect();
            any |= !runs.is_empty();
            for training in [false, true] {
                let (xs, ys) = over_epochs(&runs, |epoch| match training {
                    true => epoch.train_crps,
                    false => epoch.validation_crps,
                });
                if xs.is_empty() {
                    continue;
                }
                let label = &table.plan.arms[arm].label;
                let label = if training { format!("{label}: training") } else { label.clone() };
                chart = chart.line(label, &xs, &ys).color(color);
                if training {
                    chart = chart.dashed();
                }
            }
        }
        let caption = "Validation windows (solid) and clean training windows (dashed), mean over seeds: where the two part, the model overfits.";
        any.then(|| Figure { svg: chart.render(), caption: caption.to_owned() })
    };
    cells.filter_map(figure).collect()
}

/// The best, the median and the worst test window of x₀ re-injection on the first set.
pub(super) fn fans(table: &Table) -> Option<(String, Vec<Figure>)> {
    let arm = arm(table, "x0")?;
    let cells = table.plan.cells.iter().enumerate();
    let (index, cell) = cells
        .filter(|(_, cell)| cell.data == 0 && cell.model == 0)
        .max_by_key(|(_, cell)| cell.percent)?;
    let (seed, run) = table.of(index, arm).next()?;
    let figures: Vec<Figure> = run.chosen.evaluation.fans.iter().map(fan).collect();
    let source =
        format!("{}, {}, seed {seed}", table.plan.cell_label(cell), table.plan.arms[arm].label);
    (!figures.is_empty()).then_some((source, figures))
}

/// Nominal against observed probability on the first set.
pub(super) fn calibration(table: &Table) -> Vec<Figure> {
    let cells = table.plan.cells.iter().enumerate();
    let cells = cells
        .filter(|(_, cell)| cell.model == 0 && [10, 100].contains(&cell.percent) && cell.data == 0);
    let figure = |(index, cell): (usize, &Cell)| {
        let mut chart = calibration_chart(&table.plan.cell_label(cell));
        for (name, color) in SHOWN {
            let Some(arm) = arm(table, name) else { continue };
            let curves = table.of(index, arm).map(|(_, run)| &run.chosen.model().calibration);
            let Some((levels, observed)) = mean_calibration(curves) else { continue };
            chart = chart.line(&table.plan.arms[arm].label, &levels, &observed).color(color);
        }
        let caption = "On the diagonal, forecasts mean what they say; flatter: too narrow; steeper: too wide. Chosen epochs, mean over seeds.";
        Figure { svg: chart.render(), caption: caption.to_owned() }
    };
    cells.map(figure).collect()
}

/// Score against information: how much the posterior tells, and how good forecasts are.
pub(super) fn latent(table: &Table) -> Option<Figure> {
    let index = table
        .plan
        .cells
        .iter()
        .position(|cell| cell.data == 0 && cell.model == 0 && cell.percent == 100)?;
    let mut chart = Chart::new("Information of the posterior about the target")
        .size(440.0, 300.0)
        .x("KL from posterior to prior, nats")
        .y("test CRPS, chosen epoch");
    let mut any = false;
    for (name, color) in SHOWN {
        let Some(arm) = arm(table, name) else { continue };
        let pairs = table.of(index, arm).filter_map(|(_, run)| {
            Some((run.chosen.evaluation.health.kl(), value(run, Measure::Test)?))
        });
        let (xs, ys): (Vec<f64>, Vec<f64>) = pairs.unzip();
        any |= !xs.is_empty();
        chart = chart.points(&table.plan.arms[arm].label, &xs, &ys).color(color);
    }
    let caption = format!(
        "{}. A point per seed. The information of the posterior about one target is missing when forecasts are drawn from the prior.",
        table.plan.cell_label(&table.plan.cells[index])
    );
    any.then(|| Figure { svg: chart.render(), caption })
}
