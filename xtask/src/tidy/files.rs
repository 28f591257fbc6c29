//! Rules for the content of every package and every file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;
use super::edges::Package;

/// Lines above which a file should be split.
const LONG: usize = 500;

/// The package that calls C++. It repeats the lints of the workspace, except the one against unsafe code.
const UNSAFE: &str = "torch-ext";

/// Files that every visitor looks for.
const EXPECTED: [&str; 4] = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md"];

/// Hosts of package registries, which no file may name: downloads come from the registry that the user
/// has set up. Each name is in two parts, so that this file does not contain it.
const REGISTRIES: [[&str; 2]; 5] = [
    ["pypi", ".org"],
    ["pythonhosted", ".org"],
    ["download.pytorch", ".org"],
    ["crates", ".io"],
    ["npmjs", ".org"],
];

/// Beginnings of absolute paths on somebody's machine, in two parts as well.
const MACHINE_PATHS: [[&str; 2]; 4] =
    [["/ro", "ot/"], ["/wo", "rk/"], ["/ho", "me/"], ["/Us", "ers/"]];

/// The lints, and the documentation of each crate root.
pub(super) fn package(package: &Package, root: &Path) -> Result<Vec<Finding>> {
    let place = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("reading {path:?}"));
    let mut findings = Vec::new();
    let manifest = read(&package.manifest_path)?;
    if package.name == UNSAFE {
        let workspace = read(&root.join("Cargo.toml"))?;
        for lint in missing_lints(&workspace, &manifest)? {
            let problem = format!("lacks the workspace's lint `{lint}`");
            findings.push(Finding::new(place(&package.manifest_path), problem));
        }
    } else if !inherits_lints(&manifest) {
        let problem = "does not inherit the lints: `[lints]` with `workspace = true`";
        findings.push(Finding::new(place(&package.manifest_path), problem));
    }
    for target in &package.targets {
        let root_of_crate = target.kind.iter().any(|kind| kind == "lib" || kind == "bin");
        if root_of_crate && !read(&target.src_path)?.trim_start().starts_with("//!") {
            let problem = "does not begin with `//!`, a sentence on what the crate is for";
            findings.push(Finding::new(place(&target.src_path), problem));
        }
    }
    Ok(findings)
}

/// The lints of the workspace that a manifest with lints of its own does not repeat.
fn missing_lints(workspace: &str, manifest: &str) -> Result<Vec<String>> {
    let workspace: toml::Table = toml::from_str(workspace)?;
    let manifest: toml::Table = toml::from_str(manifest)?;
    let (all, own) =
        (workspace.get("workspace").and_then(|table| table.get("lints")), manifest.get("lints"));
    let mut missing = Vec::new();
    for (tool, lints) in all.and_then(toml::Value::as_table).into_iter().flatten() {
        for (lint, level) in lints.as_table().into_iter().flatten() {
            let found = own.and_then(|lints| lints.get(tool)?.get(lint));
            // A denied lint can be allowed in one module, a forbidden one cannot.
            let kept = if lint == "unsafe_code" {
                found.and_then(toml::Value::as_str) == Some("deny")
            } else {
                found == Some(level)
            };
            if !kept {
                missing.push(lint.clone());
            }
        }
    }
    Ok(missing)
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.any(|line| line == "[lints]") && lines.next() == Some("workspace = true")
}

/// The names of all files: required ones, and the names of decisions.
pub(super) fn names(paths: &[String]) -> Vec<Finding> {
    let missing = EXPECTED.into_iter().filter(|name| !paths.iter().any(|path| path == name));
    let mut findings: Vec<_> = missing.map(|name| Finding::new(name, "is missing")).collect();
    let mut numbers = Vec::new();
    for path in paths {
        let Some(name) = path.strip_prefix("docs/decisions/") else { continue };
        match decision_number(name) {
            None => findings.push(Finding::new(path, "is not called NNNN-title.md")),
            Some(number) if numbers.contains(&number) => {
                findings.push(Finding::new(path, "has the number of another decision"));
            }
            Some(number) => numbers.push(number),
        }
    }
    findings
}

fn decision_number(name: &str) -> Option<&str> {
    let (number, title) = name.strip_suffix(".md")?.split_once('-')?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (digits && !title.is_empty() && title.bytes().all(plain)).then_some(number)
}

/// The content of one file.
pub(super) fn text(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if path == "Cargo.lock" {
        return findings; // cargo writes it, with the name of its registry
    }
    for (at, line) in text.lines().enumerate() {
        let place = format!("{path}:{}", at + 1);
        if REGISTRIES.iter().any(|parts| line.contains(&parts.concat())) {
            findings.push(Finding::new(&place, "names the host of a package registry"));
        }
        if MACHINE_PATHS.iter().any(|parts| holds_path(line, &parts.concat())) {
            findings.push(Finding::new(&place, "holds an absolute path of one machine"));
        }
        let bare = ["#[ignore]", "#[ignore = \"\"]"];
        if path.ends_with(".rs") && bare.iter().any(|bare| line.trim_start().starts_with(bare)) {
            findings.push(Finding::new(&place, "ignores a test without a reason"));
        }
    }
    let cpp = [".cpp", ".h"].iter().any(|end| path.ends_with(end));
    if cpp && !text.starts_with("// ") {
        findings.push(Finding::new(path, "does not begin with `//`, a sentence on what it is for"));
    }
    let lines = text.lines().count();
    if (cpp || path.ends_with(".rs")) && lines > LONG {
        let problem = format!("has {lines} lines; split it");
        findings.push(Finding { fatal: false, ..Finding::new(path, problem) });
    }
    findings
}

/// Whether `start` begins a path in the line, and is not the middle of a longer one.
fn holds_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "._-/}>~$".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, content: &str) -> Vec<String> {
        text(path, content).iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn hosts_and_machine_paths_are_found_with_their_line() {
        for parts in REGISTRIES {
            let found = problems("a.md", &format!("one\nsee https://{}/x", parts.concat()));
            assert_eq!(found, ["error: a.md:2: names the host of a package registry"]);
            assert!(problems("Cargo.lock", &parts.concat()).is_empty());
        }
        for parts in MACHINE_PATHS {
            let path = parts.concat();
            let found = problems("a.toml", &format!("data = \"{path}x.csv\""));
            assert_eq!(found, ["error: a.toml:1: holds an absolute path of one machine"]);
            assert!(problems("a.toml", &format!("data = \"target{path}x.csv\"")).is_empty());
        }
    }

    #[test]
    fn an_ignored_test_needs_a_reason() {
        let found = problems("a.rs", "    #[ignore]\n");
        assert_eq!(found, ["error: a.rs:1: ignores a test without a reason"]);
        assert!(problems("a.rs", "#[ignore = \"slow: trains a model\"]").is_empty());
        assert!(problems("a.md", "#[ignore]").is_empty());
    }

    #[test]
    fn a_long_file_is_a_warning() {
        assert!(problems("a.rs", &"\n".repeat(500)).is_empty());
        assert_eq!(problems("a.rs", &"\n".repeat(501)), ["warning: a.rs: has 501 lines; split it"]);
        assert!(problems("a.csv", &"\n".repeat(501)).is_empty());
    }

    #[test]
    fn cpp_says_what_it_is_for_and_is_not_long_either() {
        assert!(problems("a.cpp", "// The sum of two numbers.\n#include <cmath>\n").is_empty());
        let none = "does not begin with `//`, a sentence on what it is for";
        assert_eq!(problems("a.h", "#pragma once\n"), [format!("error: a.h: {none}")]);
        let long = format!("// Zeros.\n{}", "\n".repeat(500));
        assert_eq!(problems("a.cpp", &long), ["warning: a.cpp: has 501 lines; split it"]);
    }

    #[test]
    fn the_package_that_calls_cpp_keeps_all_lints_but_one() {
        let workspace = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"warn\"\n\
                         [workspace.lints.clippy]\ntodo = \"warn\"\n";
        let missing = |manifest: &str| missing_lints(workspace, manifest).unwrap();
        let all = "[lints.rust]\nunsafe_code = \"deny\"\nmissing_docs = \"warn\"\n\
                   [lints.clippy]\ntodo = \"warn\"\nextra = \"warn\"\n";
        assert_eq!(missing(all), [""; 0]);
        let without = |from, to| missing(&all.replace(from, to));
        assert_eq!(without("deny", "allow"), ["unsafe_code"]);
        assert_eq!(without("todo = \"warn\"", "todo = \"allow\""), ["todo"]);
        let mut none = missing("[package]\n");
        none.sort();
        assert_eq!(none, ["missing_docs", "todo", "unsafe_code"]);
    }

    #[test]
    fn lints_are_inherited_by_two_lines() {
        assert!(inherits_lints("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\nedition.workspace = true\n"));
        assert!(!inherits_lints("[lints]\n\n[dependencies]\nworkspace = true\n"));
    }

    #[test]
    fn decisions_are_numbered_once_and_expected_files_are_there() {
        let found = |paths: &[&str]| {
            let mut paths: Vec<String> = paths.iter().map(|path| (*path).into()).collect();
            paths.extend(EXPECTED.map(String::from));
            names(&paths).iter().map(|finding| finding.place.clone()).collect::<Vec<_>>()
        };
        assert!(found(&["docs/decisions/0001-tch-and-libtorch.md", "docs/math.md"]).is_empty());
        for wrong in ["1-a.md", "0001.md", "0001-A.md", "0001-a.txt", "0001-a b.md", "0001-.md"] {
            assert_eq!(found(&[&format!("docs/decisions/{wrong}")]).len(), 1, "{wrong}");
        }
        let twice = ["docs/decisions/0001-a.md", "docs/decisions/0001-b.md"];
        assert_eq!(found(&twice), ["docs/decisions/0001-b.md"]);
        assert_eq!(names(&[]).len(), EXPECTED.len());
    }
}
