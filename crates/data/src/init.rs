//! A commented configuration for a table, ready to train: `ballast init`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::check::propose;
use crate::config::DataConfig;
use crate::error::DataError;
use crate::panel::Panel;
use crate::read::where_from;

/// What the user says about a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Init {
    /// The file or folder, as it shall stand in the configuration.
    pub path: PathBuf,
    /// Columns to forecast; all numeric ones when empty.
    pub targets: Vec<String>,
    /// Rows to forecast; one natural cycle when not given.
    pub horizon: Option<usize>,
    /// Rows to look back over; a few cycles when not given.
    pub context: Option<usize>,
    /// Column that names the series of a long table.
    pub id: Option<String>,
    /// Column of times; found when not given.
    pub time: Option<String>,
}

/// Writes a commented `[data]` table that trains at once; `base` is the folder relative paths start from.
///
/// Other tables are the caller's: append them.
///
/// # Errors
/// [`DataError`] where the table cannot be read, or has too few rows for the lengths.
pub fn init(init: &Init, base: &Path) -> Result<String, DataError> {
    let config = DataConfig {
        targets: (!init.targets.is_empty()).then(|| init.targets.clone()),
        id: init.id.clone(),
        time: init.time.clone(),
        ..DataConfig::new(&init.path, init.context.unwrap_or(1), init.horizon.unwrap_or(1))
    };
    let panel = crate::read(&config, base)?;
    let Some(proposal) = propose(&panel, init.context, init.horizon) else {
        let longest = panel.series.iter().map(|s| s.rows.len()).max().unwrap_or(0);
        let horizon = init.horizon.unwrap_or(1);
        return Err(DataError::TooFewRows {
            series: panel.path.display().to_string(),
            rows: longest,
            needed: (horizon * 10).max(init.context.unwrap_or(1) * 2 + horizon),
            remedy: "shorten the horizon or the context, or bring more data",
        });
    };
    let config = DataConfig {
        context: proposal.context,
        horizon: proposal.horizon,
        split: proposal.split,
        ..config
    };
    Ok(text(&config, &panel, base))
}

fn text(config: &DataConfig, panel: &Panel, base: &Path) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out += &text;
        out.push('\n');
    };
    let rows = panel.rows();
    line("[data]".into());
    line(format!(
        "# {}: {rows} rows, {} series, time step {}",
        comment(&where_from(config, base).display().to_string()),
        panel.series.len(),
        panel.frequency
    ));
    let path = config.path.as_deref().unwrap_or(Path::new(""));
    line(format!("path = {}", quoted(&path.to_string_lossy())));
    if let Some(id) = &config.id {
        line(format!("id = {}              # one series for each of its values", quoted(id)));
    }
    if let Some(time) = &config.time {
        line(format!("time = {}", quoted(time)));
    }
    let targets = &panel.channels.names[panel.channels.targets()];
    line(format!("targets = {}", list(targets)));
    line("# past_covariates = []    # columns known up to the forecast only".into());
    line("# future_covariates = []  # columns known for the horizon too".into());
    if panel.clock != crate::time::Clock::Index {
        line("# calendar = [\"weekday\", \"day-of-year\"]  # hour, weekday, day-of-month, month, day-of-year".into());
    }
    line(format!("context = {:<17}# rows the model looks back over", config.context));
    line(format!("horizon = {:<17}# rows it forecasts", config.horizon));
    if let crate::config::SplitConfig::Fractions { train, validation, test } = config.split {
        line(format!(
            "split = {{ train = {train:?}, validation = {validation:?}, test = {test:?} }}  # in order of time"
        ));
    }
    line("scale = \"standard\"         # standard | robust | max-abs | none; fitted on training rows".into());
    line(
        "# transform = \"none\"       # none | log | difference | return; undone on forecasts"
            .into(),
    );
    if panel.observed.is_some() {
        let missing = panel.observed.iter().flatten().filter(|seen| !**seen).count();
        line(format!(
            "fill = \"mask\"              # {missing} cells are missing: mask | forward | interpolate | error"
        ));
    }
    out
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c)); // writing to a String cannot fail
            }
            c => out.push(c),
        }
    }
    out + "\""
}

/// Text that stays on its comment line.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An array of strings, a line each where they are many.
fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| quoted(n)).collect();
    match quoted.len() {
        0..=6 => format!("[{}]", quoted.join(", ")),
        _ => format!("[\n    {},\n]", quoted.join(",\n    ")),
    }
}
