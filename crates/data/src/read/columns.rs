//! Finding columns by name and by look.

use std::collections::HashMap;
use std::path::Path;

use crate::config::DataConfig;
use crate::error::DataError;
use crate::number::{self, Cell, Style};
use crate::time::column::behaves_as_time;
use crate::time::parse::Written;

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

/// The part of a time that a column holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A date, or a date and a time.
    Date,
    Year,
    Quarter,
    Month,
    Week,
    DayOfYear,
    Day,
    Hour,
    /// An hour and a minute as one number.
    Clock,
    Minute,
    Second,
    /// Something else that goes with time: too vague to keep a column of numbers from being forecast.
    Vague,
}

/// The unit of a name as a whole, without its part in brackets: `Time (s)`, `MESS_DATUM`, `Jahr`.
pub(crate) fn unit_of(name: &str) -> Option<Unit> {
    let lower = name.to_lowercase();
    let bare = lower.split(['(', '[']).next().unwrap_or_default();
    let words: Vec<&str> =
        bare.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let unit = |word: &str| {
        Some(match word {
            "date" | "datetime" | "time" | "timestamp" | "ds" | "datum" | "zeit" | "zeitpunkt"
            | "zeitstempel" | "fecha" | "dato" | "epoch" | "yyyymm" | "yyyymmdd" | "dt" | "ts"
            | "daydate" | "elapsed" => Unit::Date,
            "year" | "yr" | "yyyy" | "jahr" | "ano" | "année" | "annee" | "año" => Unit::Year,
            "quarter" | "qtr" | "quartal" => Unit::Quarter,
            "month" | "mon" | "mo" | "mm" | "monat" | "mes" | "mois" => Unit::Month,
            "week" | "isoweek" | "yearweek" | "woche" | "kw" => Unit::Week,
            "doy" | "dayofyear" | "yday" => Unit::DayOfYear,
            "day" | "dy" | "dd" | "tag" | "weekday" | "dayofweek" => Unit::Day,
            "hour" | "hr" | "hh" | "he" | "hourending" | "stunde" | "uhrzeit" => Unit::Hour,
            "hhmm" => Unit::Clock,
            "minute" => Unit::Minute,
            "second" | "seconds" | "sec" | "secs" | "sekunde" | "sekunden" => Unit::Second,
            "t" | "period" | "x" | "data" => Unit::Vague,
            _ => return None,
        })
    };
    match words[..] {
        [word] => unit(word),
        ["day", "of", "year"] => Some(Unit::DayOfYear),
        ["hour", "ending" | "beginning"] => Some(Unit::Hour),
        [
            "time" | "zeit" | "elapsed",
            "s" | "sec" | "seconds" | "ms" | "us" | "utc" | "local" | "index" | "stamp",
        ] => Some(Unit::Date),
        ["time", "period"] => Some(Unit::Date),
        // `observation_date`, `mess_datum`, `local_time`, `year_month`, `iso_week`: the last word decides.
        [.., "time" | "period"] if words.len() > 2 => None, // `time_to_first_byte_time` says nothing
        [first, last] => match (unit(first), unit(last)) {
            (_, Some(Unit::Date))
                if !matches!(first, "lead" | "response" | "travel" | "wait" | "waiting") =>
            {
                Some(Unit::Date)
            }
            (Some(a), Some(b)) if a != Unit::Vague && b != Unit::Vague => Some(Unit::Date),
            (None, Some(Unit::Week)) if first == "iso" => Some(Unit::Week),
            _ => None,
        },
        [.., "date" | "datetime" | "timestamp" | "datum"] => Some(Unit::Date),
        _ => None,
    }
}

/// Whether a name is that of a row index as programs write it.
pub(super) fn is_index_name(name: &str, position: usize) -> bool {
    let lower = name.trim().to_lowercase();
    matches!(lower.as_str(), "rownames" | "row.names" | "index")
        || lower.strip_prefix("unnamed: ").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        || lower == format!("column_{}", position + 1)
}

/// Whether a name is often given to numbers of rows.
pub(super) fn may_count_rows(name: &str) -> bool {
    let lower = name.trim().to_lowercase();
    let names = [
        "id", "no", "nr", "no.", "nr.", "#", "row", "rowid", "row_id", "idx", "obs", "n", "x",
        "instant", "seq",
    ];
    names.contains(&lower.as_str())
}

/// Whether a column of one text says by its name that the text is the name of a series.
pub(super) fn names_series(name: &str) -> bool {
    const NAMES: [&str; 19] = [
        "series", "store", "shop", "branch", "ticker", "symbol", "item", "product", "article",
        "sku", "station", "meter", "sensor", "site", "plant", "country", "city", "customer",
        "name",
    ];
    let lower = name.trim().to_lowercase();
    let word = lower.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    word == "id"
        || NAMES.iter().any(|known| *known == lower || lower.split('_').next() == Some(known))
}

/// Columns the configuration uses for something other than time.
fn is_used(name: &String, config: &DataConfig) -> bool {
    config.id.as_ref() == Some(name)
        || config.targets.as_ref().is_some_and(|t| t.contains(name))
        || config.past_covariates.contains(name)
        || config.spreads.as_flattened().contains(name)
        || config.future_covariates.contains(name)
        || config.static_covariates.contains(name)
}

/// A column whose first cell is a date by its look, one that is called like a time column first of all; else
/// one with such a name and numbers that can be times, or one whose numbers behave as times.
pub(super) fn guess_time(
    header: &[String],
    first: &[String],
    sample: &dyn Fn() -> Vec<Vec<String>>,
    config: &DataConfig,
) -> Option<String> {
    let (rank, name) = match by_name(header, first, config) {
        Some(found) => found,
        None => return by_behavior(header, &sample(), config),
    };
    if rank < NUMBERS {
        return Some(name);
    }
    // Numbers alone are what is to be forecast, and a vague name is believed if they go one way.
    let vague = unit_of(&name) == Some(Unit::Vague);
    let one_way = || {
        let at = header.iter().position(|h| *h == name).unwrap_or(0);
        goes_one_way(sample().iter().filter_map(|row| row.get(at)?.trim().parse().ok()))
    };
    (header.len() > 1 && (!vague || one_way())).then_some(name)
}

/// Whether numbers go up, or down, but for one in twenty.
fn goes_one_way(numbers: impl Iterator<Item = f64>) -> bool {
    let numbers: Vec<f64> = numbers.collect();
    let falls = numbers.windows(2).filter(|w| w[1] < w[0]).count();
    let rises = numbers.windows(2).filter(|w| w[1] > w[0]).count();
    falls.min(rises) * 20 <= numbers.len()
}

/// The first column whose numbers behave as times, whatever its name, if another is left to be forecast.
fn by_behavior(header: &[String], sample: &[Vec<String>], config: &DataConfig) -> Option<String> {
    let cells = |at: usize| -> Vec<&str> {
        sample.iter().map(|row| row.get(at).map_or("", |cell| cell.trim())).collect()
    };
    let mut free = header.iter().enumerate().filter(|(_, name)| !is_used(name, config)).take(1000);
    free.find(|(at, _)| header.len() > 1 && behaves_as_time(&cells(*at)))
        .map(|(_, name)| name.clone())
}

/// Ranks from this one on are of columns whose cells are bare numbers.
const NUMBERS: u8 = 2;

/// The likeliest column by its name and its first cell, and its rank: the smaller, the likelier.
fn by_name(header: &[String], first: &[String], config: &DataConfig) -> Option<(u8, String)> {
    let free = header.iter().zip(first).filter(|(h, _)| !is_used(h, config)).take(1000);
    let rank = |(name, cell): &(&String, &String)| {
        let unit = unit_of(name);
        let readings = Written::candidates(cell.trim());
        let explicit = readings.iter().any(Written::is_explicit);
        let number = || number::parse(cell.as_bytes(), Style::default(), &[]);
        match (unit, explicit) {
            (Some(_), true) => Some(0_u8),
            (None, true) => Some(1),
            (Some(Unit::Date), false) if !readings.is_empty() => Some(2),
            (Some(Unit::Year | Unit::Week), false) if !readings.is_empty() => Some(3),
            (Some(_), false) if !readings.is_empty() || cell.trim().is_empty() => Some(4),
            // Called a date and unreadable: better an error than rows numbered in silence.
            (Some(Unit::Date), false) if number() != Cell::Missing => Some(5),
            (Some(Unit::Year | Unit::Quarter | Unit::Month | Unit::Week), false)
                if number() == Cell::Bad && cell.bytes().any(|b| b.is_ascii_digit()) =>
            {
                Some(6)
            }
            _ => None,
        }
    };
    free.filter_map(|column| Some((rank(&column)?, column.0)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(rank, name)| (rank, name.clone()))
}

/// The columns that tell a time together with `time`, in order from coarse to fine: a year and a month, a date
/// and an hour. Empty where `time` stands alone.
pub(super) fn companions(
    time: &str,
    header: &[String],
    first: &[String],
    config: &DataConfig,
) -> Vec<String> {
    let free: Vec<(&String, Unit)> = header
        .iter()
        .filter(|h| !is_used(h, config))
        .filter_map(|h| Some((h, unit_of(h)?)))
        .collect();
    let with =
        |unit: Unit| free.iter().find(|(h, u)| *u == unit && *h != time).map(|(h, _)| (*h).clone());
    let start = match free.iter().find(|(h, _)| *h == time).map(|(_, unit)| *unit) {
        Some(Unit::Month | Unit::Day | Unit::Hour | Unit::Quarter | Unit::Week) => {
            match with(Unit::Year) {
                Some(year) => (year, Unit::Year),
                None => return Vec::new(),
            }
        }
        Some(unit) => (time.to_owned(), unit),
        None => (time.to_owned(), Unit::Date),
    };
    let among = |unit: Unit| {
        free.iter().find(|(h, u)| *u == unit && **h != start.0).map(|(h, _)| (*h).clone())
    };
    let mut parts = vec![start.0.clone()];
    if start.1 == Unit::Year {
        let finer = [Unit::Month, Unit::Quarter, Unit::Week, Unit::DayOfYear]
            .into_iter()
            .find_map(|u| Some((u, among(u)?)));
        let Some((unit, name)) = finer else { return Vec::new() };
        parts.push(name);
        if unit == Unit::Month {
            parts.extend(among(Unit::Day));
        }
    } else {
        // A time of day of its own: `hour`, or another column called a time with cells such as `09:30`.
        let clock = header
            .iter()
            .zip(first)
            .find(|(h, cell)| *h != time && !is_used(h, config) && is_clock(cell));
        match clock {
            Some((name, _)) => parts.push(name.clone()),
            None => parts.extend(among(Unit::Hour).or_else(|| among(Unit::Clock))),
        }
        return if parts.len() > 1 { parts } else { Vec::new() };
    }
    if parts.len() == 3 || matches!(unit_of(&parts[1]), Some(Unit::DayOfYear)) {
        parts.extend(among(Unit::Hour));
        if parts.len() > 3 {
            parts.extend(among(Unit::Minute));
        }
    }
    parts
}

/// Whether a cell is a time of day such as `09:30` or `9:30:15 PM`.
pub(super) fn is_clock(cell: &str) -> bool {
    let cell = cell.trim();
    let clock = clock_text(cell);
    clock.contains(':')
        && Written::YearFirst.parse(format!("2000-01-01 {clock}").as_bytes()).is_some()
}

/// `18.00.00` as `18:00:00`; other cells as they are.
fn clock_text(cell: &str) -> String {
    if cell.matches('.').count() == 2 { cell.replace('.', ":") } else { cell.to_owned() }
}

/// Whether a `strftime` form is that of the date alone, of a date and another column for the time of day.
pub(super) fn is_of_date(form: &str, units: &[Option<Unit>]) -> bool {
    const CLOCK: [&str; 9] = ["%H", "%I", "%k", "%l", "%M", "%-H", "%-I", "%T", "%R"];
    let whole = !matches!(units.first(), Some(Some(Unit::Year | Unit::Month | Unit::Day)));
    units.len() == 2 && whole && !CLOCK.iter().any(|part| form.contains(part))
}

/// The cells of the columns that tell a time together, as one text.
///
/// ```text
/// 1949, 1 → 1949-01     1949, Jan → Jan 1949     1949, Q2 → 1949Q2     2015, 3 → 2015-W03
/// 2021-01-31, 24 → 2021-01-31 24:00              2021, 1, 31, 9 → 2021-01-31 9:00
/// ```
pub(super) fn join_times(units: &[Option<Unit>], cells: &[String]) -> String {
    let mut text = String::new();
    for (i, (unit, cell)) in units.iter().zip(cells).enumerate() {
        let cell = cell.trim();
        let cell = cell.strip_suffix(".0").unwrap_or(cell); // whole numbers as floats
        let digits = !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit());
        match unit {
            _ if i == 0 => text.push_str(cell),
            Some(Unit::Month) if i == 1 && !digits => text = format!("{cell} {text}"),
            Some(Unit::Month | Unit::Day) if digits => text += &format!("-{cell:0>2}"),
            Some(Unit::Quarter) => text += &format!("Q{}", cell.trim_start_matches(['Q', 'q'])),
            Some(Unit::Week) => text += &format!("-W{:0>2}", cell.trim_start_matches(['W', 'w'])),
            Some(Unit::DayOfYear) => {
                let (year, day) = (text.parse().unwrap_or(0i16), cell.parse().unwrap_or(0i16));
                let date = jiff::civil::Date::new(year, 1, 1)
                    .and_then(|d| d.with().day_of_year(day).build());
                text = date.map_or_else(|_| format!("{text} {cell}"), |date| date.to_string());
            }
            Some(Unit::Minute | Unit::Second) if digits => {
                text = format!("{}:{cell:0>2}", text.strip_suffix(":00").unwrap_or(&text));
            }
            Some(Unit::Clock) if digits && cell.len() < 4 => {
                let minutes = format!("{cell:0>4}");
                text += &format!(" {}:{}", &minutes[..2], &minutes[2..]);
            }
            _ if digits && cell.len() <= 2 => text += &format!(" {cell}:00"),
            _ if digits && cell.len() <= 4 => {
                let (hour, minute) = cell.split_at(cell.len() - 2);
                text += &format!(" {hour}:{minute}");
            }
            _ => text += &format!(" {}", clock_text(cell)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_tells_the_time() {
        for (name, unit) in [
            ("Date", Some(Unit::Date)),
            ("MESS_DATUM", Some(Unit::Date)),
            ("TIME_PERIOD", Some(Unit::Date)),
            ("Time (s)", Some(Unit::Date)),
            ("observation_date", Some(Unit::Date)),
            ("YEAR", Some(Unit::Year)),
            ("Jahr", Some(Unit::Year)),
            ("year_month", Some(Unit::Date)),
            ("hour", Some(Unit::Hour)),
            ("day of year", Some(Unit::DayOfYear)),
            ("response_time", None),
            ("price", None),
            ("day_ahead_price", None),
            ("MAY", None),
        ] {
            assert_eq!(unit_of(name), unit, "{name}");
        }
    }

    #[test]
    fn columns_join_to_one_time() {
        let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let config = DataConfig::new("t.csv", 1, 1);
        for (header, first, parts, joined) in [
            (
                &["year", "month", "y"][..],
                &["1949", "1", "5"][..],
                &["year", "month"][..],
                "1949-01",
            ),
            (&["month", "year", "y"], &["Jan", "1949", "5"], &["year", "month"], "Jan 1949"),
            (&["Year", "Quarter", "y"], &["1949", "Q2", "5"], &["Year", "Quarter"], "1949Q2"),
            (&["year", "week", "y"], &["2015", "3", "5"], &["year", "week"], "2015-W03"),
            (
                &["Date", "Hour", "y"],
                &["2021-01-31", "24", "5"],
                &["Date", "Hour"],
                "2021-01-31 24:00",
            ),
            (
                &["date", "time", "y"],
                &["2021-01-31", "09:30", "5"],
                &["date", "time"],
                "2021-01-31 09:30",
            ),
            (
                &["year", "month", "day", "hour"],
                &["2010", "1", "2", "0"],
                &["year", "month", "day", "hour"],
                "2010-01-02 0:00",
            ),
            (&["year", "doy"], &["2012", "60"], &["year", "doy"], "2012-02-29"),
        ] {
            let (header, first) = (names(header), names(first));
            let time = guess_time(&header, &first, &Vec::new, &config).unwrap();
            let found = companions(&time, &header, &first, &config);
            assert_eq!(found, names(parts), "{header:?}: {time}");
            let cells: Vec<String> = found
                .iter()
                .map(|p| first[header.iter().position(|h| h == p).unwrap()].clone())
                .collect();
            let units: Vec<Option<Unit>> = found.iter().map(|name| unit_of(name)).collect();
            assert_eq!(join_times(&units, &cells), joined);
        }
        let header = names(&["YEAR", "JAN", "FEB"]);
        assert_eq!(companions("YEAR", &header, &names(&["1950.0", "1", "2"]), &config), names(&[]));
    }
}
