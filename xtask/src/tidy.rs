//! `cargo xtask tidy`: the rules of this workspace that no compiler checks.
//!
//! One run lists all findings before it fails.

mod additions;
mod edges;
mod files;
mod links;
mod phrases;
mod prose;
mod rings;
mod source;

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use edges::Metadata;

use crate::workspace::{Workspace, output};

/// Check the rules that no compiler checks: dependencies, module rings, required files, links, phrases
#[derive(clap::Args)]
pub(crate) struct Tidy {}

impl Tidy {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        check(workspace)
    }
}

/// A broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file or package.
    place: String,
    problem: String,
    /// Whether it fails the check; otherwise it is a warning.
    fatal: bool,
}

impl Finding {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Finding {
        Finding { place: place.into(), problem: problem.into(), fatal: true }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.fatal { "error" } else { "warning" };
        write!(f, "{kind}: {}: {}", self.place, self.problem)
    }
}

/// Checks the whole workspace.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    report(&findings(workspace)?)
}

fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let metadata = metadata(workspace)?;
    let mut findings = edges::check(&metadata);
    let mut all_modules = Vec::new();
    for package in &metadata.packages {
        findings.extend(files::package(package, &workspace.root)?);
        let modules = rings::modules(package, &workspace.root)?;
        findings.extend(rings::check(&package.name, &modules));
        all_modules.extend(modules);
    }
    findings.extend(additions::check(&read(&workspace.root, "CONTRIBUTING.md")?, &all_modules));
    let paths = tracked(&workspace.root)?;
    findings.extend(files::names(&paths));
    for path in &paths {
        // Skip binary files, and files deleted from the work tree.
        let Ok(text) = std::fs::read_to_string(workspace.root.join(path)) else { continue };
        findings.extend(files::text(path, &text));
        findings.extend(links::check(path, &text, &paths));
        findings.extend(phrases::check(path, &text));
    }
    findings.sort();
    Ok(findings)
}

fn report(findings: &[Finding]) -> Result<()> {
    findings.iter().for_each(|finding| eprintln!("{finding}"));
    let errors = findings.iter().filter(|finding| finding.fatal).count();
    if errors > 0 {
        bail!("tidy found {errors} errors");
    }
    Ok(())
}

fn read(root: &Path, path: &str) -> Result<String> {
    std::fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"))
}

fn metadata(workspace: &Workspace) -> Result<Metadata> {
    let output = output(&mut workspace.cargo(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_slice(&output).context("reading the output of `cargo metadata`")
}

/// The files of the checkout: those in git, and new ones that it does not ignore.
fn tracked(root: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let output = String::from_utf8(output(&mut git)?).context("a file name is not UTF-8")?;
    Ok(output.split_terminator('\0').map(str::to_owned).collect())
}
