//! The packages that a program is built from, as `cargo metadata` knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace::{Workspace, output};

/// The part of `cargo metadata` that is read.
#[derive(Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    pub(super) license_file: Option<PathBuf>,
    pub(super) repository: Option<String>,
    pub(super) manifest_path: PathBuf,
    /// `None` for our own.
    pub(super) source: Option<String>,
}

impl Package {
    /// Name and version.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `None` is a plain dependency, else `dev` or `build`.
    kind: Option<String>,
}

/// The metadata of the workspace, with all features.
pub(super) fn read(workspace: &Workspace) -> Result<Metadata> {
    let platform = ["--filter-platform", "x86_64-unknown-linux-gnu"];
    let mut cargo = workspace.cargo(["metadata", "--format-version", "1", "--all-features"]);
    let output = output(cargo.args(platform))?;
    serde_json::from_slice(&output).context("reading the output of `cargo metadata`")
}

/// The packages of others that become a part of the program of package `root`, by name: not those that only tests or build
/// scripts use.
pub(super) fn shipped(metadata: &Metadata, root: &str) -> Result<Vec<Package>> {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let root =
        metadata.packages.iter().find(|package| package.name == root && package.source.is_none());
    let root = root.context("the package of the program is not in the workspace")?;
    let (mut seen, mut next) = (BTreeSet::new(), vec![root.id.as_str()]);
    while let Some(id) = next.pop() {
        if !seen.insert(id) {
            continue;
        }
        let edges = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        let plain = edges.filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        next.extend(plain.map(|edge| edge.pkg.as_str()));
    }
    let mut shipped: Vec<Package> = seen
        .into_iter()
        .filter_map(|id| packages.get(id))
        .filter(|package| package.source.is_some())
        .map(|package| (*package).clone())
        .collect();
    shipped.sort_by_key(Package::title);
    Ok(shipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form of cargo's output, shortened from a real one.
    #[test]
    fn tests_and_build_scripts_are_not_shipped() {
        let package = |name: &str, source: &str| {
            format!(
                r#"{{"id": "{name}", "name": "{name}", "version": "1.0.0", "license": "MIT", "license_file": null,
                    "repository": null, "manifest_path": "/{name}/Cargo.toml", "source": {source}, "edition": "2021"}}"#
            )
        };
        let edge = |name: &str, kind: &str| {
            format!(
                r#"{{"name": "{name}", "pkg": "{name}", "dep_kinds": [{{"kind": {kind}, "target": null}}]}}"#
            )
        };
        let node = |name: &str, edges: &[String]| {
            format!(r#"{{"id": "{name}", "deps": [{}], "features": []}}"#, edges.join(","))
        };
        let registry = r#""registry""#;
        let (dev, build) = (r#""dev""#, r#""build""#);
        let packages = [("cli", "null"), ("data", "null")]
            .into_iter()
            .chain(["csv", "proptest", "cc", "memchr"].map(|name| (name, registry)));
        let packages: Vec<String> = packages.map(|(name, source)| package(name, source)).collect();
        let nodes = [
            node("cli", &[edge("data", "null"), edge("proptest", dev), edge("cc", build)]),
            node("data", &[edge("csv", "null")]),
            node("csv", &[edge("memchr", "null"), edge("csv", "null")]),
            node("proptest", &[]),
            node("cc", &[]),
            node("memchr", &[]),
        ];
        let text = format!(
            r#"{{"packages": [{}], "resolve": {{"nodes": [{}], "root": null}}}}"#,
            packages.join(","),
            nodes.join(",")
        );
        let metadata: Metadata = serde_json::from_str(&text).unwrap();
        let titles = |root: &str| -> Vec<String> {
            shipped(&metadata, root).unwrap().iter().map(Package::title).collect()
        };
        assert_eq!(titles("cli"), ["csv 1.0.0", "memchr 1.0.0"]);
        assert!(shipped(&metadata, "csv").is_err(), "not a package of the workspace");
    }
}
