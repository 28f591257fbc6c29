//! The dependencies that each package may have on ours and on tch.

use std::path::PathBuf;

use serde::Deserialize;

use super::Finding;

/// The part of `cargo metadata --no-deps` that we read.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(super) packages: Vec<Package>,
}

#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    pub(super) targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` is a plain dependency, else `dev` or `build`.
    kind: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Target {
    pub(super) kind: Vec<String>,
    pub(super) src_path: PathBuf,
}

/// The dependencies of one package; the arrows of ARCHITECTURE.md.
struct Rule {
    package: &'static str,
    may_use: Use,
    /// Further ones, for its tests and benches only.
    in_tests: &'static [&'static str],
}

enum Use {
    Anything,
    Only(&'static [&'static str]),
}

const RULES: &[Rule] = &[
    rule("chart", &[], &[]),
    rule("classical", &[], &[]),
    rule("data", &["files"], &[]),
    rule("events", &[], &[]),
    rule("files", &[], &[]),
    rule("fuzz", &["data", "events", "feed", "record", "train"], &[]),
    rule("libtorch", &[], &[]),
    rule("noise", &["chart", "tch"], &["data"]),
    rule("objective", &["tch", "torch-ext"], &[]),
    rule("torch-ext", &["tch"], &[]),
    rule("vae", &["objective", "tch", "torch-ext"], &[]),
    rule("pool", &["classical", "stats"], &[]),
    rule("record", &["data", "files", "stats"], &[]),
    rule("stats", &[], &[]),
    rule("terminal", &[], &[]),
    rule("feed", &["data", "stats", "tch", "torch-ext"], &[]),
    rule("baseline", &["feed", "objective", "tch"], &[]),
    rule(
        "train",
        &[
            "baseline",
            "data",
            "events",
            "feed",
            "files",
            "noise",
            "objective",
            "record",
            "stats",
            "tch",
            "torch-ext",
            "vae",
        ],
        &[],
    ),
    rule(
        "evaluate",
        &[
            "baseline",
            "data",
            "feed",
            "files",
            "noise",
            "objective",
            "record",
            "stats",
            "tch",
            "train",
            "vae",
        ],
        &[],
    ),
    rule(
        "probe",
        &["baseline", "evaluate", "feed", "noise", "record", "stats", "tch", "train", "vae"],
        &["data"],
    ),
    rule(
        "export",
        &["data", "feed", "files", "noise", "objective", "record", "tch", "train", "vae"],
        &[],
    ),
    rule(
        "auto",
        &[
            "chart",
            "classical",
            "data",
            "evaluate",
            "files",
            "pool",
            "record",
            "stats",
            "train",
            "vae",
        ],
        &[],
    ),
    rule(
        "ballast",
        &[
            "auto",
            "baseline",
            "data",
            "evaluate",
            "export",
            "feed",
            "files",
            "noise",
            "objective",
            "probe",
            "record",
            "stats",
            "train",
            "vae",
        ],
        &[],
    ),
    rule("cli", &["ballast", "terminal"], &[]),
    rule("lab", &["chart", "data", "files", "record", "stats", "terminal"], &[]),
    rule("xtask", &["files"], &[]),
    Rule { package: "journeys", may_use: Use::Anything, in_tests: &[] },
];

const fn rule(
    package: &'static str,
    may_use: &'static [&'static str],
    in_tests: &'static [&'static str],
) -> Rule {
    Rule { package, may_use: Use::Only(may_use), in_tests }
}

/// Checks every dependency on one of ours or on tch.
pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let ours = |name: &str| metadata.packages.iter().any(|package| package.name == name);
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let Some(rule) = RULES.iter().find(|rule| rule.package == package.name) else {
            let problem = "no rule says what it may depend on; add one to xtask/src/tidy/edges.rs";
            findings.push(Finding::new(&package.name, problem));
            continue;
        };
        for dependency in &package.dependencies {
            let name = match dependency.name.as_str() {
                "torch-sys" => "tch", // the lower half of tch
                name if name == "tch" || ours(name) => name,
                _ => continue,
            };
            if !rule.allows(name, dependency.kind.as_deref()) {
                let kind = dependency.kind.as_deref().unwrap_or("plain");
                let problem = format!("must not have `{}` as a {kind} dependency", dependency.name);
                findings.push(Finding::new(&package.name, problem));
            }
        }
    }
    findings
}

impl Rule {
    fn allows(&self, name: &str, kind: Option<&str>) -> bool {
        let plain = match self.may_use {
            Use::Anything => true,
            Use::Only(names) => names.contains(&name),
        };
        match kind {
            // Our build scripts use this and nothing else, and only they use it.
            Some("build") => name == "libtorch",
            Some("dev") => plain || self.in_tests.contains(&name),
            _ => plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package, with the name and the kind of each dependency.
    type Stated<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

    fn problems(packages: &[Stated]) -> Vec<String> {
        let package = |(name, dependencies): &Stated| Package {
            name: (*name).into(),
            manifest_path: PathBuf::new(),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency {
                    name: (*name).into(),
                    kind: kind.map(str::to_owned),
                })
                .collect(),
            targets: Vec::new(),
        };
        let metadata = Metadata { packages: packages.iter().map(package).collect() };
        check(&metadata).iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn the_house_as_drawn_has_no_findings() {
        let none = problems(&[
            ("chart", &[]),
            ("data", &[("csv", None), ("files", None)]),
            ("events", &[("prost", None)]),
            ("files", &[("tempfile", None)]),
            ("stats", &[("statrs", None)]),
            ("terminal", &[]),
            ("record", &[("data", None), ("files", None), ("stats", None)]),
            ("libtorch", &[]),
            ("noise", &[("tch", None), ("data", Some("dev")), ("libtorch", Some("build"))]),
            ("objective", &[("tch", None), ("torch-ext", None)]),
            ("torch-ext", &[("tch", None), ("libtorch", Some("build"))]),
            ("vae", &[("objective", None), ("tch", None), ("torch-ext", None)]),
            ("train", &[("data", None), ("events", None), ("vae", None), ("tch", None)]),
            ("classical", &[("rand", None)]),
            ("pool", &[("classical", None), ("stats", None)]),
            ("auto", &[("pool", None), ("classical", None), ("train", None), ("chart", None)]),
            ("ballast", &[("auto", None), ("train", None), ("data", None)]),
            ("cli", &[("ballast", None), ("clap", None)]),
            ("lab", &[("chart", None), ("statrs", None)]),
            ("xtask", &[("clap", None)]),
            ("journeys", &[("tch", None), ("vae", Some("dev"))]),
        ]);
        assert_eq!(none, Vec::<String>::new());
    }

    #[test]
    fn every_arrow_that_is_not_drawn_is_found() {
        let found = problems(&[
            ("data", &[("tch", None), ("noise", Some("dev"))]),
            ("noise", &[("data", None), ("vae", Some("dev"))]),
            ("vae", &[("train", None)]),
            ("train", &[]),
            ("cli", &[("train", None)]),
            ("xtask", &[("torch-sys", Some("dev")), ("libtorch", None)]),
            ("objective", &[("tch", Some("build"))]),
            ("pool", &[("tch", None), ("train", None)]),
            ("files", &[("stats", None)]),
            ("stats", &[("record", None)]),
            ("terminal", &[("files", None)]),
            ("record", &[("train", None)]),
            ("libtorch", &[]),
            ("extra", &[]),
        ]);
        assert_eq!(
            found,
            [
                "error: data: must not have `tch` as a plain dependency",
                "error: data: must not have `noise` as a dev dependency",
                "error: noise: must not have `data` as a plain dependency",
                "error: noise: must not have `vae` as a dev dependency",
                "error: vae: must not have `train` as a plain dependency",
                "error: cli: must not have `train` as a plain dependency",
                "error: xtask: must not have `torch-sys` as a dev dependency",
                "error: xtask: must not have `libtorch` as a plain dependency",
                "error: objective: must not have `tch` as a build dependency",
                "error: pool: must not have `tch` as a plain dependency",
                "error: pool: must not have `train` as a plain dependency",
                "error: files: must not have `stats` as a plain dependency",
                "error: stats: must not have `record` as a plain dependency",
                "error: terminal: must not have `files` as a plain dependency",
                "error: record: must not have `train` as a plain dependency",
                "error: extra: no rule says what it may depend on; \
                 add one to xtask/src/tidy/edges.rs",
            ]
        );
    }

    /// The form of cargo's output, shortened from a real one.
    #[test]
    fn metadata_is_read_as_cargo_writes_it() {
        let text = r#"{"packages": [{"name": "vae", "version": "0.1.0", "manifest_path": "/c/Cargo.toml",
            "dependencies": [
                {"name": "train", "kind": null, "optional": false, "path": "/c/train"},
                {"name": "tch", "kind": "dev", "req": "=0.24.0"}],
            "targets": [{"kind": ["lib"], "name": "vae", "src_path": "/c/src/lib.rs"}]}],
            "workspace_root": "/c"}"#;
        let metadata: Metadata = serde_json::from_str(text).unwrap();
        assert_eq!(metadata.packages[0].targets[0].kind, ["lib"]);
        assert!(check(&metadata).is_empty(), "train is not in this workspace");
    }
}
