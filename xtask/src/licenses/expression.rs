//! License expressions of SPDX, such as `(MIT OR Apache-2.0) AND BSD-3-Clause`.

use anyhow::{Result, bail};

/// Whether the licenses of the list are enough for a package with this expression.
pub(super) fn allows(expression: &str, allowed: &[String]) -> Result<bool> {
    // An older form has a slash for OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed, whole: expression };
    let verdict = reader.any_of()?;
    match reader.words {
        [] => Ok(verdict),
        [word, ..] => bail!("`{word}` is out of place in the license `{expression}`"),
    }
}

struct Reader<'a> {
    /// Words not read yet.
    words: &'a [&'a str],
    allowed: &'a [String],
    whole: &'a str,
}

impl Reader<'_> {
    fn any_of(&mut self) -> Result<bool> {
        let mut verdict = self.all_of()?;
        while self.take("OR") {
            verdict |= self.all_of()?;
        }
        Ok(verdict)
    }

    fn all_of(&mut self) -> Result<bool> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Ok(verdict)
    }

    fn one(&mut self) -> Result<bool> {
        if self.take("(") {
            let verdict = self.any_of()?;
            if !self.take(")") {
                bail!("a parenthesis is open in the license `{}`", self.whole);
            }
            return Ok(verdict);
        }
        let name = match self.words {
            [name, rest @ ..] if !["OR", "AND", "WITH", ")"].contains(name) => {
                self.words = rest;
                *name
            }
            _ => bail!("a name is missing in the license `{}`", self.whole),
        };
        // An exception grants more, but is another name.
        let name = match self.words {
            ["WITH", exception, rest @ ..] => {
                self.words = rest;
                format!("{name} WITH {exception}")
            }
            _ => name.to_owned(),
        };
        Ok(self.allowed.contains(&name))
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words {
            [first, rest @ ..] if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_spdx_says() {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT/GPL-3.0-only", true),
            ("GPL-3.0-only OR MIT", true),
            ("GPL-3.0-only AND MIT", false),
            ("MIT AND ISC", true),
            // AND binds more than OR.
            ("MIT OR ISC AND GPL-3.0-only", true),
            ("GPL-3.0-only AND MIT OR ISC", true),
            ("(MIT OR ISC) AND GPL-3.0-only", false),
            ("(GPL-3.0-only OR MIT) AND ISC", true),
            ("Apache-2.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
        ] {
            assert_eq!(allows(expression, &allowed).unwrap(), expected, "{expression}");
        }
        for expression in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH"] {
            assert!(allows(expression, &allowed).is_err(), "{expression}");
        }
    }
}
