//! "Adding one thing" in CONTRIBUTING.md: few files for each, and the list is true.
//!
//! A row names a thing and the code files to touch. Each thing has an enum, and a file that names
//! one of its variants either names them all, so that the compiler or this check asks for a new one
//! there, or is known to pick one for a reason that a new variant does not change.

use std::collections::BTreeSet;

use super::Finding;
use super::rings::{Module, tokens};

/// Code files that one addition may touch.
const MOST: usize = 4;

const PAGE: &str = "CONTRIBUTING.md";

/// A kind of thing that people add.
struct Thing {
    /// The first cell of its row.
    name: &'static str,
    /// The enum with a variant for each.
    variants: &'static str,
    /// Files that pick a variant, whatever others there are.
    picks: &'static [&'static str],
}

const THINGS: [Thing; 5] = [
    Thing {
        name: "a schedule",
        variants: "ScheduleKind",
        picks: &["crates/train/src/choose/candidates.rs"],
    },
    Thing { name: "a likelihood", variants: "Family", picks: &["crates/train/src/config.rs"] },
    Thing { name: "a backbone", variants: "BackboneKind", picks: &[] },
    Thing { name: "a baseline", variants: "Rule", picks: &[] },
    Thing { name: "a classical method", variants: "Method", picks: &[] },
];

/// Compares the rows of the page with the files of the workspace.
pub(super) fn check(page: &str, modules: &[Module]) -> Vec<Finding> {
    let problems = THINGS.iter().flat_map(|thing| thing.check(page, modules));
    problems.map(|(place, problem)| Finding::new(place, problem)).collect()
}

type Problem = (String, String);

impl Thing {
    fn check(&self, page: &str, modules: &[Module]) -> Vec<Problem> {
        let on_page = |problem: String| vec![(PAGE.to_owned(), problem)];
        let Some(files) = listed(page, self.name) else {
            return on_page(format!("has no row for adding {}", self.name));
        };
        let Some(variants) = self.variants(modules) else {
            return on_page(format!("the enum of {} is not one `{}`", self.name, self.variants));
        };
        let mut problems = Vec::new();
        if files.len() > MOST {
            let problem =
                format!("adding {} touches {} files; {MOST} at most", self.name, files.len());
            problems.extend(on_page(problem));
        }
        for file in files.iter().filter(|file| !modules.iter().any(|m| fits(file, &m.file))) {
            problems.extend(on_page(format!("adding {}: there is no `{file}`", self.name)));
        }
        for pick in self.picks.iter().filter(|pick| !modules.iter().any(|m| m.file == **pick)) {
            let place = "xtask/src/tidy/additions.rs".to_owned();
            problems.push((place, format!("picks of {}: there is no `{pick}`", self.name)));
        }
        for module in modules.iter().filter(|module| !self.picks.contains(&module.file.as_str())) {
            let named = self.named(module, &variants);
            let list = files.iter().find(|file| fits(file, &module.file));
            let problem = match (named.first(), list) {
                (None, _) => continue,
                (Some(first), None) => format!(
                    "names `{}::{first}` but {PAGE} does not list it for adding {}; list it, or \
                     add it to `picks` in xtask/src/tidy/additions.rs if it has a reason of its own",
                    self.variants, self.name
                ),
                (Some(_), Some(list)) if list.contains("NAME") => continue,
                (Some(_), Some(_)) => {
                    let forgotten = variants.difference(&named).cloned().collect::<Vec<_>>();
                    if forgotten.is_empty() {
                        continue;
                    }
                    let forgotten = forgotten.join("`, `");
                    format!("names some variants of `{}` but not `{forgotten}`", self.variants)
                }
            };
            problems.push((module.file.clone(), problem));
        }
        problems
    }

    /// The variants of the one enum of that name.
    fn variants(&self, modules: &[Module]) -> Option<BTreeSet<String>> {
        let mut found = modules.iter().filter_map(|module| {
            let tokens: Vec<&str> = tokens(&module.code).iter().map(|(token, _)| *token).collect();
            let start = tokens.windows(3).position(|w| w == ["enum", self.variants, "{"])?;
            Some(variants_of(&tokens[start + 3..]))
        });
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// The variants that a file names; the file that defines the enum names them all.
    fn named(&self, module: &Module, variants: &BTreeSet<String>) -> BTreeSet<String> {
        let tokens: Vec<&str> = tokens(&module.code).iter().map(|(token, _)| *token).collect();
        if tokens.windows(3).any(|w| w == ["enum", self.variants, "{"]) {
            return variants.clone();
        }
        let paths = tokens.windows(3).filter(|w| w[0] == self.variants && w[1] == "::");
        let names = paths.map(|w| w[2].to_owned());
        names.filter(|name| variants.contains(name)).collect()
    }
}

/// The names at depth 0 that a comma, a brace or an attribute comes before.
fn variants_of(body: &[&str]) -> BTreeSet<String> {
    let (mut depth, mut expected) = (0_usize, true);
    let mut variants = BTreeSet::new();
    for token in body {
        match *token {
            "}" if depth == 0 => break,
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            "," if depth == 0 => expected = true,
            word if depth == 0 && expected && word.starts_with(char::is_uppercase) => {
                variants.insert(word.to_owned());
                expected = false;
            }
            _ => {}
        }
    }
    variants
}

/// The files in backticks in the second cell of a thing's row.
fn listed(page: &str, name: &str) -> Option<Vec<String>> {
    let row = page.lines().find_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        (cells.next()? == name).then(|| cells.next().unwrap_or_default().to_owned())
    })?;
    Some(row.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Whether a file is the listed one; `NAME` stands for any name.
fn fits(listed: &str, file: &str) -> bool {
    let Some((before, after)) = listed.split_once("NAME") else { return listed == file };
    let name = file.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: Thing = Thing { name: "a shape", variants: "Shape", picks: &["src/pick.rs"] };
    const PAGE: &str = "| to add | code |\n|---|---|\n| a shape | `src/shape.rs`, `src/draw.rs`, `src/shape/NAME.rs` |\n";

    fn problems(page: &str, changed: &[(&str, &str)]) -> Vec<String> {
        let house = [
            ("src/shape.rs", "enum Shape { #[a] Disc(u8, u8), Box { side: u8 }, Ring }"),
            ("src/shape/disc.rs", "fn f() -> Shape { Shape::Disc(1, 2) }"),
            (
                "src/draw.rs",
                "match s { Shape::Disc(..) => 1, Shape::Box { .. } | Shape::Ring => 2 }",
            ),
            ("src/pick.rs", "fn default() -> Shape { Shape::Ring }"),
            ("src/other.rs", "fn f() { Shape::area(Reshape::Ring) }"),
        ];
        let new = changed.iter().filter(|(file, _)| !house.iter().any(|(old, _)| old == file));
        let modules: Vec<_> = house
            .iter()
            .map(|old| changed.iter().find(|(file, _)| *file == old.0).unwrap_or(old))
            .chain(new)
            .filter(|(_, code)| !code.is_empty())
            .map(|(file, code)| Module::sample(file, code))
            .collect();
        let problems = SHAPES.check(page, &modules);
        problems.iter().map(|(place, problem)| format!("{place}: {problem}")).collect()
    }

    #[test]
    fn a_true_list_has_no_findings() {
        assert_eq!(problems(PAGE, &[]), [""; 0]);
    }

    #[test]
    fn every_way_in_which_the_list_may_lie_is_found() {
        let one = |page: &str, changed: &[(&str, &str)], expected: &str| {
            let found = problems(page, changed);
            assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
        };
        let new = "src/shape.rs: ";
        one(
            PAGE,
            &[("src/other.rs", "Shape::Box { side: 1 }")],
            "src/other.rs: names `Shape::Box`",
        );
        one(PAGE, &[("src/draw.rs", "Shape::Disc | Shape::Ring")], "but not `Box`");
        one(PAGE, &[("src/draw.rs", "")], "there is no `src/draw.rs`");
        one(PAGE, &[("src/shape/disc.rs", "")], "there is no `src/shape/NAME.rs`");
        one(PAGE, &[("src/pick.rs", "")], "picks of a shape: there is no `src/pick.rs`");
        one(PAGE, &[("src/more.rs", "enum Shape { A }")], "is not one `Shape`");
        one("", &[], "has no row for adding a shape");
        let long =
            PAGE.replace("| `src/shape.rs`", "| `src/other.rs`, `src/pick.rs`, `src/shape.rs`");
        one(&long, &[], "touches 5 files; 4 at most");
        let added = "enum Shape { Disc(u8, u8), Box { side: u8 }, Ring, New }";
        one(PAGE, &[("src/shape.rs", added)], "but not `New`");
        assert!(problems(PAGE, &[("src/shape.rs", added)]).iter().all(|p| !p.starts_with(new)));
    }
}
