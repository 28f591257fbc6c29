//! A commented configuration for a table, ready to train: `ballast init`.

use std::fmt::Write;
use std::path::Path;

use crate::check::{propose, read_guessing};
use crate::config::{DataConfig, Encoding, Fill, TimeColumns, Transform};
use crate::error::DataError;
use crate::panel::Panel;
use crate::read::where_from;
use crate::time::Frequency;

/// What the user says about a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Init {
    /// The file or folder, and every key that is to stand in the configuration; its context and horizon are not
    /// looked at.
    pub data: DataConfig,
    /// Rows to forecast; one natural cycle when not given.
    pub horizon: Option<usize>,
    /// Rows to look back over; a few cycles when not given.
    pub context: Option<usize>,
}

/// Writes a commented `[data]` table that trains at once; `base` is the folder relative paths start from.
///
/// Other tables are the caller's: append them.
///
/// # Errors
/// [`DataError`] where the table cannot be read, or has too few rows for the lengths.
pub fn init(init: &Init, base: &Path) -> Result<String, DataError> {
    let lengths = (init.context.unwrap_or(1), init.horizon.unwrap_or(1));
    let config = DataConfig { context: lengths.0, horizon: lengths.1, ..init.data.clone() };
    config.validate()?;
    let (panel, found) = read_guessing(&config, base)?;
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
        id: found.id.or(config.id),
        time: found.time.map(TimeColumns::from).or(config.time),
        ..config
    };
    Ok(text(&config, &panel, base))
}

/// The keys that say how a file is written, where they were set, as lines of TOML.
fn reading_keys(config: &DataConfig) -> Vec<String> {
    let text = |key: &str, value: Option<String>| value.map(|value| format!("{key} = {}", quoted(&value)));
    let sign = |key: &str, value: Option<char>| text(key, value.map(String::from));
    let word = |key: &str, value: String, default: &str| {
        text(key, Some(value).filter(|value| value != default))
    };
    let names = |key: &str, names: &[String]| {
        (!names.is_empty()).then(|| format!("{key} = {}", list(names)))
    };
    let lower = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let encoding = match config.encoding {
        Encoding::Auto => "auto",
        Encoding::Utf8 => "utf-8",
        Encoding::Utf16 => "utf-16",
        Encoding::Latin1 => "latin-1",
    };
    let spreads = config.spreads.iter().map(|pair| list(pair)).collect::<Vec<_>>().join(", ");
    [
        word("format", lower(&config.format), "auto"),
        sign("delimiter", config.delimiter),
        sign("decimal", config.decimal),
        sign("thousands", config.thousands),
        word("encoding", encoding.into(), "auto"),
        (config.skip_rows > 0).then(|| format!("skip_rows = {}", config.skip_rows)),
        (!config.header).then(|| "header = false".into()),
        names("missing", &config.missing),
        text("time_format", config.time_format.clone()),
        text("time_zone", config.time_zone.clone()),
        text("frequency", config.frequency.clone()),
        word("unsorted", lower(&config.unsorted), "error"),
        word("duplicates", lower(&config.duplicates), "error"),
        names("past_covariates", &config.past_covariates),
        (!config.spreads.is_empty()).then(|| format!("spreads = [{spreads}]")),
        names("future_covariates", &config.future_covariates),
        names("static_covariates", &config.static_covariates),
    ]
    .into_iter()
    .flatten()
    .collect()
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
    for remark in panel.doubts().iter().map(|doubt| format!("doubtful: {doubt}")) {
        line(format!("# {}", comment(&remark)));
    }
    match &config.time {
        Some(TimeColumns::One(name)) => line(format!("time = {}", quoted(name))),
        Some(TimeColumns::Several(names)) => line(format!("time = {}", list(names))),
        None => {}
    }
    reading_keys(config).into_iter().for_each(&mut line);
    let targets = &panel.channels.names[panel.channels.targets()];
    line(format!("targets = {}", list(targets)));
    if config.past_covariates.is_empty() {
        line("# past_covariates = []    # columns known up to the forecast only".into());
    }
    if config.future_covariates.is_empty() {
        line("# future_covariates = []  # columns known for the horizon too".into());
    }
    if let Some(features) = calendar_of(panel) {
        line(format!("# calendar = {features}  # hour, weekday, day-of-month, month, day-of-year"));
    }
    line(format!("context = {:<17}# rows the model looks back over", config.context));
    line(format!("horizon = {:<17}# rows it forecasts", config.horizon));
    if let crate::config::SplitConfig::Fractions { train, validation, test } = config.split {
        line(format!(
            "split = {{ train = {train:?}, validation = {validation:?}, test = {test:?} }}  # in order of time"
        ));
    }
    line("scale = \"standard\"         # standard | robust | max-abs | none; fitted on training rows".into());
    let transform = quoted(&format!("{:?}", config.transform).to_lowercase());
    let unset = if config.transform == Transform::None { "# " } else { "" };
    line(format!("{unset}transform = {transform:<12} # none | log | difference | return; undone on forecasts"));
    if panel.observed.is_some() || config.fill != Fill::Mask {
        let missing = panel.observed.iter().flatten().filter(|seen| !**seen).count();
        let fill = quoted(&format!("{:?}", config.fill).to_lowercase());
        line(format!(
            "fill = {fill:<19} # {missing} cells are missing: mask | zero | forward | interpolate | error"
        ));
    }
    out
}

/// Calendar features that tell the rows of a panel apart.
fn calendar_of(panel: &Panel) -> Option<&'static str> {
    if !panel.clock.is_dated() {
        return None;
    }
    match panel.frequency {
        Frequency::Micros(_) => Some("[\"hour\", \"weekday\", \"day-of-year\"]"),
        Frequency::Days(1) | Frequency::Weekdays(_) | Frequency::Irregular => Some("[\"weekday\", \"day-of-year\"]"),
        Frequency::Days(_) => Some("[\"day-of-year\"]"),
        Frequency::Months(step, _) => (step % 12 != 0).then_some("[\"month\"]"),
        Frequency::Index(_) => None,
    }
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
