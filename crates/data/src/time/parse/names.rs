//! Names of months and days of the week in other languages than English.

/// Names of each month, short and in full, in English, German, French, Spanish, Italian, Portuguese and Dutch. The
/// first is the one that `strftime` knows. Short names that are English words, such as `set`, are left out.
const MONTHS: [&str; 12] = [
    "jan january januar jänner janv janvier ene enero gen gennaio janeiro januari",
    "feb february februar febr fév févr février fevrier febrero febbraio fev fevereiro februari",
    "mar march märz mär mrz maerz mars marzo março marco maart mrt",
    "apr april avr avril abr abril aprile",
    "may mai mayo mag maggio maio mei",
    "jun june juni juin junio giu giugno junho",
    "jul july juli juil juillet julio lug luglio julho",
    "aug august août aout ago agosto augustus",
    "sep sept september septembre septiembre settembre setembro",
    "oct october okt oktober octobre octubre ott ottobre outubro",
    "nov november novembre noviembre novembro",
    "dec december dez dezember déc décembre dic diciembre dicembre dezembro",
];

/// Days of the week that may stand before a date.
const DAYS: &str = "mon tue wed thu fri sat sun tues thur thurs monday tuesday wednesday thursday friday saturday sunday \
                    mo di mi do fr sa so montag dienstag mittwoch donnerstag freitag samstag sonntag";

fn is_among(names: &str, word: &str) -> bool {
    names.split_ascii_whitespace().any(|name| name == word)
}

/// The cell with the short English name of its month and without a day of the week before it, where that changes it.
pub(super) fn in_english(cell: &[u8]) -> Option<String> {
    const LONGEST: usize = 48;
    if cell.len() > LONGEST || cell.iter().all(|b| !b.is_ascii_alphabetic()) {
        return None;
    }
    let mut rest = std::str::from_utf8(cell).ok()?;
    let mut text = String::with_capacity(rest.len());
    while let Some(start) = rest.find(char::is_alphabetic) {
        text += &rest[..start];
        let word = &rest[start..];
        let end = word.find(|c: char| !c.is_alphabetic()).unwrap_or(word.len());
        let lower = word[..end].to_lowercase();
        rest = &word[end..];
        let month = MONTHS.iter().find(|names| is_among(names, &lower));
        match month.and_then(|names| names.get(..3)) {
            Some(short) => {
                if text.ends_with(". ") {
                    text.truncate(text.len() - 2); // `31. März`
                    text.push(' ');
                }
                text += short;
                rest = rest.strip_prefix('.').unwrap_or(rest);
            }
            None if text.is_empty() && is_among(DAYS, &lower) => {
                rest = rest.trim_start_matches([',', '.', ' ']);
            }
            None if matches!(lower.as_str(), "de" | "of") => rest = rest.trim_start(),
            None => text += &word[..end],
        }
    }
    text += rest;
    (text.as_bytes() != cell).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_english() {
        for (cell, english) in [
            ("März 2010", "mar 2010"),
            ("15. Dezember 2010", "15 dec 2010"),
            ("janv. 2010", "jan 2010"),
            ("1 de enero de 2010", "1 jan 2010"),
            ("Sept 2010", "sep 2010"),
            ("Tue, 01/02/2019", "01/02/2019"),
            ("Mo 01.02.2019", "01.02.2019"),
            ("January, 2010", "jan, 2010"),
        ] {
            assert_eq!(in_english(cell.as_bytes()).unwrap(), english);
        }
        assert_eq!(in_english(b"2010-01-02"), None);
    }
}
