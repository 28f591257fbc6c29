//! `cargo xtask experiment elbo`: what `ballast elbo` measured, as a report.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use chart::{Chart, Color, escape};
use serde::Deserialize;

use super::binary::sha256;
use super::figures::Figure;
use super::machine::{self, Machine};
use super::number::plain;
use super::{plan, report};

/// The experiment file of this kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ElboPlan {
    #[serde(rename = "kind")]
    _kind: Kind,
    title: String,
    question: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Elbo,
}

/// What `ballast elbo` writes.
#[derive(Debug, Deserialize)]
struct Study {
    tightness: Vec<Tightness>,
    training: Training,
    nonlinear: Nonlinear,
    noised: Vec<TargetFit>,
}

#[derive(Debug, Deserialize)]
struct Tightness {
    latent: u32,
    log_evidence: f64,
    at_posterior: f64,
    gap_full: f64,
    gap_diagonal: f64,
    diagonal_loss: f64,
    diagonal_loss_exact: f64,
}

#[derive(Debug, Deserialize)]
struct Training {
    examples: u32,
    best: f64,
    log_evidence: f64,
    elbo: f64,
    gap: f64,
    cosines: Vec<f64>,
    curve: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
struct Stage {
    log_evidence: f64,
    elbo: f64,
}

#[derive(Debug, Deserialize)]
struct Nonlinear {
    log_evidence: f64,
    elbo: f64,
    gap: f64,
    z: Vec<f64>,
    posterior: Vec<f64>,
    approximation: Vec<f64>,
    bounds: Vec<Bound>,
}

#[derive(Debug, Deserialize)]
struct Bound {
    samples: f64,
    mean: f64,
    error: f64,
}

#[derive(Debug, Deserialize)]
struct TargetFit {
    beta_end: f64,
    clean: [f64; 2],
    noise_aware: [f64; 2],
    direct: [f64; 2],
    direct_expected: [f64; 2],
}

impl ElboPlan {
    /// The experiment `name`, which is of this kind.
    pub(super) fn load(root: &Path, name: &str) -> Result<ElboPlan> {
        let file = Path::new(plan::FOLDER).join(name).with_extension("toml");
        let text = fs::read_to_string(root.join(&file))
            .with_context(|| format!("reading {}", file.display()))?;
        plan::parse_toml(&file, &text)
    }

    /// Measures, unless this very executable has, and writes the report.
    pub(super) fn conduct(&self, root: &Path, name: &str, executable: &Path) -> Result<()> {
        let folder = root.join("runs").join(name);
        let (results, stamp) = (folder.join("elbo.json"), folder.join("executable.sha256"));
        let code = sha256(executable)?;
        if fs::read_to_string(&stamp).is_ok_and(|old| old == code) && results.exists() {
            println!("measured before by the same code: runs/{name}/elbo.json");
        } else {
            println!("measuring; this takes a minute");
            let _ = fs::remove_file(&stamp);
            let status = Command::new(executable)
                .arg("elbo")
                .arg(&folder)
                .env("OMP_NUM_THREADS", "1")
                .status()
                .with_context(|| format!("starting {}", executable.display()))?;
            if !status.success() {
                bail!("`ballast elbo` failed ({status})");
            }
            fs::write(&stamp, code).with_context(|| format!("writing {}", stamp.display()))?;
        }
        let text = fs::read_to_string(&results)
            .with_context(|| format!("reading {}", results.display()))?;
        let study: Study = serde_json::from_str(&text)
            .with_context(|| format!("reading {}", results.display()))?;
        let page = self.html(&study, &machine::describe(root));
        let path = folder.join("report.html");
        fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
        println!("\n{}", self.title);
        for answer in answers(&study) {
            println!("- {answer}");
        }
        println!("\nreport: runs/{name}/report.html");
        Ok(())
    }

    fn html(&self, study: &Study, machine: &Machine) -> String {
        let mut page = report::open(&self.title, &self.question);
        page += "<ul class=\"answers\">\n";
        for answer in answers(study) {
            let _ = writeln!(page, "<li>{}</li>", escape(&answer));
        }
        page += "</ul>\n";
        report::section(
            &mut page,
            "Tight exactly at the true posterior",
            "A linear decoder (probabilistic PCA), where evidence and posterior are known in closed form; \
             64-bit, 32 examples of twice as many dimensions. Nats; the three columns in between are relative errors: of \
             the bound at the posterior, and of the gap of a random q against KL[q ‖ posterior].",
        );
        tightness(&study.tightness, &mut page);
        report::charts(&mut page, &[diagonal_loss(&study.tightness)]);
        report::section(
            &mut page,
            "Reached by training",
            "A variational autoencoder with a linear decoder, trained by the loop that trains everything \
             else, on data from a known model. Its best possible log evidence follows from eigenvalues.",
        );
        report::charts(&mut page, &curves(&study.training));
        report::section(
            &mut page,
            "A curved decoder",
            "One latent dimension, two of data, mean (z/2, z²): the evidence is an integral over a line.",
        );
        report::charts(&mut page, &[posterior(&study.nonlinear), bounds(&study.nonlinear)]);
        report::section(
            &mut page,
            "Noised targets and the clean one behind them",
            "A target with mean 2 and variance ¼ is noised by 100 steps up to β, and fitted with and \
             without knowing of the noise. Theory is the moments of the noised mixture.",
        );
        report::charts(&mut page, &noised(&study.noised));
        page += "<h2>What was run</h2>\n<pre><code>cargo xtask experiment elbo</code></pre>\n";
        let facts = [
            ("machine", machine.processor.clone()),
            ("system", machine.system.clone()),
            ("commit", machine.commit.clone()),
            ("written", Some(machine.written.clone())),
        ];
        page += "<dl>\n";
        for (key, value) in facts {
            let value = escape(&value.unwrap_or_else(|| "unknown".to_owned()));
            let _ = writeln!(page, "<dt>{key}</dt><dd>{value}</dd>");
        }
        page += "</dl>\n";
        page += "<p class=\"note\">All numbers: <a href=\"elbo.json\">elbo.json</a>; \
                 the training run: <a href=\"linear/\">linear/</a>.</p>\n</main>\n</body>\n</html>\n";
        page
    }
}

/// Yes or no, with the numbers.
fn answers(study: &Study) -> Vec<String> {
    let worst = |of: fn(&Tightness) -> f64| study.tightness.iter().map(of).fold(0.0, f64::max);
    let yes = |holds: bool| if holds { "Yes" } else { "NO" };
    let tight = worst(|row| row.at_posterior);
    let gap = worst(|row| row.gap_full.max(row.gap_diagonal));
    let Training { best, elbo, cosines, .. } = &study.training;
    let cosine = cosines.iter().copied().fold(1.0, f64::min);
    let Nonlinear { log_evidence, bounds, .. } = &study.nonlinear;
    let rising = bounds
        .windows(2)
        .all(|pair| pair[1].mean > pair[0].mean - 3.0 * pair[0].error.hypot(pair[1].error));
    let below = bounds.iter().all(|bound| bound.mean < log_evidence + 3.0 * bound.error);
    let aware = study.noised.iter().map(|fit| (fit.noise_aware[0] / fit.clean[0] - 1.0).abs());
    let aware = aware.fold(0.0, f64::max);
    let direct = study.noised.last().map_or(f64::NAN, |fit| fit.direct[0] / fit.clean[0]);
    vec![
        format!(
            "{}: at the true posterior the bound is the log evidence, to {tight:.1e} relative",
            yes(tight < 1e-9)
        ),
        format!(
            "{}: elsewhere the gap is KL[q ‖ posterior], to {gap:.1e} relative",
            yes(gap < 1e-9)
        ),
        format!(
            "{}: training comes within {:.4} nats of the best possible log evidence, and within a principal cosine of {cosine:.5} of the true subspace",
            yes(best - elbo < 0.02),
            best - elbo
        ),
        format!(
            "{}: importance weighted bounds rise with the number of samples and stay below the evidence",
            yes(rising && below)
        ),
        format!(
            "{}: the noise-aware likelihood finds the clean mean (off by at most {:.2} %), where the direct one shrinks it to {:.0} %",
            yes(aware < 0.02),
            100.0 * aware,
            100.0 * direct
        ),
    ]
}

fn tightness(rows: &[Tightness], page: &mut String) {
    *page += "<div class=\"scroll\"><table>\n<thead><tr><th>latent</th><th>log evidence</th>\
              <th>at posterior</th><th>gap, full q</th><th>gap, diagonal q</th>\
              <th>diagonal loses</th><th>in theory</th></tr></thead>\n<tbody>\n";
    for row in rows {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{:.1e}</td><td>{:.1e}</td><td>{:.1e}</td><td>{:.6}</td><td>{:.6}</td></tr>",
            row.latent,
            plain(row.log_evidence),
            row.at_posterior,
            row.gap_full,
            row.gap_diagonal,
            row.diagonal_loss,
            row.diagonal_loss_exact
        );
    }
    *page += "</tbody>\n</table></div>\n";
}

fn diagonal_loss(rows: &[Tightness]) -> Figure {
    let column = |of: fn(&Tightness) -> f64| rows.iter().map(of).collect::<Vec<_>>();
    let xs: Vec<f64> = rows.iter().map(|row| f64::from(row.latent)).collect();
    let svg = Chart::new("What a diagonal posterior cannot reach")
        .description("Nats between the log evidence and the bound of the best diagonal q, over the latent dimensions.")
        .x("latent dimensions")
        .y("nats")
        .line("closed form", &xs, &column(|row| row.diagonal_loss_exact))
        .points("measured", &xs, &column(|row| row.diagonal_loss))
        .render();
    Figure { svg, caption: "A full-covariance q closes this gap; a diagonal one cannot.".into() }
}

fn curves(training: &Training) -> [Figure; 2] {
    let epochs: Vec<f64> = (1..=training.curve.len()).map(|epoch| epoch as f64).collect();
    let column = |of: &dyn Fn(&Stage) -> f64| training.curve.iter().map(of).collect::<Vec<_>>();
    // The first epochs lie far below and would flatten the rest.
    let low = training.best - 1.0;
    let levels = Chart::new("Evidence and bound over training")
        .description(
            "Log evidence and bound after each epoch rise to the best possible log evidence.",
        )
        .x("epoch")
        .y("nats per example")
        .y_range(low, training.best + 0.1)
        .line("log evidence", &epochs, &column(&|stage| stage.log_evidence))
        .line("bound", &epochs, &column(&|stage| stage.elbo))
        .horizontal_rule("best possible", training.best)
        .render();
    let distances = Chart::new("What is missing")
        .description(
            "The gap of the bound and the distance to the best possible log evidence shrink.",
        )
        .x("epoch")
        .y("nats per example")
        .y_log()
        .line("gap: KL[q ‖ posterior]", &epochs, &column(&|stage| stage.log_evidence - stage.elbo))
        .line("bound to best possible", &epochs, &column(&|stage| training.best - stage.elbo))
        .render();
    let caption = format!(
        "{} examples. At the end: bound {:.4}, log evidence of the trained model {:.4} (gap {:.4}), best possible {:.4}.",
        training.examples, training.elbo, training.log_evidence, training.gap, training.best
    );
    let shrinks = "The decoder turns until a diagonal posterior fits, and the gap closes.".into();
    [Figure { svg: levels, caption }, Figure { svg: distances, caption: shrinks }]
}

fn posterior(found: &Nonlinear) -> Figure {
    let zero = vec![0.0; found.z.len()];
    let svg = Chart::new("True and approximate posterior")
        .description("The true posterior density of z and the Gaussian with the best bound.")
        .x("z")
        .y("density")
        .band("true posterior", &found.z, &zero, &found.posterior)
        .line("best Gaussian q", &found.z, &found.approximation)
        .color(Color::Vermillion)
        .render();
    let caption = format!(
        "Evidence {:.4}, bound {:.4}: the gap, {:.4} nats, is the KL divergence between the two.",
        found.log_evidence, found.elbo, found.gap
    );
    Figure { svg, caption }
}

fn bounds(found: &Nonlinear) -> Figure {
    let column = |of: fn(&Bound) -> f64| found.bounds.iter().map(of).collect::<Vec<_>>();
    let svg = Chart::new("Bound over the number of samples")
        .description("The importance weighted bound rises from the ELBO towards the log evidence.")
        .x("samples K")
        .x_log()
        .y("nats")
        .points_error_y(
            "importance weighted bound",
            &column(|bound| bound.samples),
            &column(|bound| bound.mean),
            &column(|bound| 2.0 * bound.error),
        )
        .horizontal_rule("log evidence", found.log_evidence)
        .render();
    Figure { svg, caption: "Bars: ± two standard errors. One sample is the ELBO.".into() }
}

fn noised(fits: &[TargetFit]) -> [Figure; 2] {
    let xs: Vec<f64> = fits.iter().map(|fit| fit.beta_end).collect();
    let draw = |index: usize, title: &str| {
        let column = |of: fn(&TargetFit) -> [f64; 2]| {
            fits.iter().map(|fit| of(fit)[index]).collect::<Vec<_>>()
        };
        Chart::new(title)
            .description("Found from noised targets, over the strength of the noise.")
            .x("β at the last step")
            .x_log()
            .y("standardized")
            .line("clean", &xs, &column(|fit| fit.clean))
            .color(Color::Ink)
            .points("noise-aware", &xs, &column(|fit| fit.noise_aware))
            .color(Color::Blue)
            .line("direct, theory", &xs, &column(|fit| fit.direct_expected))
            .color(Color::Vermillion)
            .dashed()
            .points("direct", &xs, &column(|fit| fit.direct))
            .color(Color::Vermillion)
            .render()
    };
    [
        Figure {
            svg: draw(0, "Mean of the clean target"),
            caption: "Matched directly, the mean shrinks by E[√ᾱ]; noise-aware, it stays.".into(),
        },
        Figure {
            svg: draw(1, "Variance of the clean target"),
            caption: "Matched directly, the noise counts as forecast variance.".into(),
        },
    ]
}
