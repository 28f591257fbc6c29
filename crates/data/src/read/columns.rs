//! Finding columns by name and by look.

use std::collections::HashMap;
use std::path::Path;

use crate::config::DataConfig;
use crate::error::DataError;
use crate::number::{self, Cell, Style};

pub(super) fn check_duplicates(path: &Path, header: &[String]) -> Result<(), DataError> {
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(header.len());
    let mut column = 1;
    for (i, name) in header.iter().enumerate() {
        if let Some(first) = seen.insert(name, i) {
            return Err(DataError::DuplicateHeader {
                path: path.to_path_buf(),
                header: name.clone(),
                first: first + 1,
                second: i + 1,
                column,
            });
        }
        column += name.chars().count() as u64 + 1;
    }
    Ok(())
}

/// The column `name`, or an error that names the closest one.
pub(super) fn find(
    path: &Path,
    header: &[String],
    name: &str,
    key: &'static str,
) -> Result<String, DataError> {
    if header.iter().any(|h| h == name) {
        return Ok(name.to_owned());
    }
    let close = |h: &&String| strsim::damerau_levenshtein(&h.to_lowercase(), &name.to_lowercase());
    let suggestion = header.iter().take(1000).min_by_key(close);
    let suggestion = suggestion.filter(|h| close(h) <= 1 + name.chars().count() / 4).cloned();
    Err(DataError::MissingColumn {
        path: path.to_path_buf(),
        name: name.to_owned(),
        key,
        available: header.to_vec(),
        suggestion,
    })
}

/// A column whose first cell is a date by its look, one that is called like a time column first of all; else
/// one with such a name and numbers that can be times.
pub(super) fn guess_time(
    header: &[String],
    first: &[String],
    config: &DataConfig,
) -> Option<String> {
    const NAMES: [&str; 12] = [
        "date",
        "datetime",
        "time",
        "timestamp",
        "ds",
        "date_time",
        "datum",
        "year",
        "quarter",
        "period",
        "month",
        "t",
    ];
    let used = |h: &String| {
        config.id.as_ref() == Some(h)
            || config.targets.as_ref().is_some_and(|t| t.contains(h))
            || config.past_covariates.contains(h)
            || config.spreads.as_flattened().contains(h)
            || config.future_covariates.contains(h)
            || config.static_covariates.contains(h)
    };
    let readings = |cell: &str| crate::time::parse::Written::candidates(cell.trim());
    let free = header.iter().zip(first).filter(|(h, _)| !used(h)).take(1000);
    let rank = |(name, cell): &(&String, &String)| {
        let named = NAMES.contains(&name.trim().to_lowercase().as_str());
        let readings = readings(cell);
        match (named, readings.iter().any(|w| w.is_explicit())) {
            (true, true) => Some(0),
            (false, true) => Some(1),
            (true, false) if !readings.is_empty() || cell.trim().is_empty() => Some(2),
            // Called a date and unreadable: better an error than rows numbered in silence.
            (true, false) if number::parse(cell.as_bytes(), Style::default(), &[]) == Cell::Bad => {
                Some(3)
            }
            _ => None,
        }
    };
    free.filter_map(|column| Some((rank(&column)?, column.0)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, name)| name.clone())
}
