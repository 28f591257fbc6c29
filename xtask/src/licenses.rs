//! `cargo xtask licenses`: the licenses of everything that `ballast` is built from, in one file.

mod expression;
mod graph;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use graph::Package;
use serde::Deserialize;

use crate::setup;
use crate::workspace::Workspace;

/// Collect the licenses of all that `ballast` ships into one file; a missing or unexpected one is an error
#[derive(clap::Args)]
pub(crate) struct Licenses {
    /// File to write
    #[arg(long, default_value = "target/licenses.txt")]
    output: PathBuf,
}

impl Licenses {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let mut shipped = shipped(workspace)?;
        let libtorch = setup::ensure(workspace, None)?.folder.canonicalize()?;
        shipped.texts.insert("libtorch".to_owned(), of_libtorch(&libtorch)?);
        shipped.check()?;
        fs::write(&self.output, shipped.page())
            .with_context(|| format!("writing {}", self.output.display()))?;
        let (packages, file) = (shipped.packages.len(), self.output.display());
        println!("{packages} packages and libtorch: {file}");
        Ok(())
    }
}

/// Checks the packages alone, without libtorch.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    shipped(workspace)?.check()
}

/// The part of `deny.toml` that is read.
#[derive(Deserialize)]
struct Deny {
    licenses: Allowed,
}

#[derive(Deserialize)]
struct Allowed {
    allow: Vec<String>,
}

/// The packages that `ballast` is built from, and their texts.
struct Shipped {
    allowed: Vec<String>,
    packages: Vec<Package>,
    /// Texts by name and version of a package; none for a package without.
    texts: BTreeMap<String, Vec<String>>,
}

fn shipped(workspace: &Workspace) -> Result<Shipped> {
    let path = workspace.root.join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let deny: Deny =
        toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    let packages = graph::shipped(&graph::read(workspace)?, "cli")?;
    let mut texts = BTreeMap::new();
    for package in &packages {
        let folder = package.manifest_path.parent().context("a manifest has a folder")?;
        texts.insert(package.title(), texts_in(folder, package.license_file.as_deref())?);
    }
    // Some packages of a repository leave the texts to others of it.
    for package in packages.iter().filter(|package| package.repository.is_some()) {
        let lent = || {
            let of_it = packages.iter().filter(|other| other.repository == package.repository);
            of_it.map(|other| &texts[&other.title()]).find(|texts| !texts.is_empty()).cloned()
        };
        if texts[&package.title()].is_empty()
            && let Some(lent) = lent()
        {
            texts.insert(package.title(), lent);
        }
    }
    Ok(Shipped { allowed: deny.licenses.allow, packages, texts })
}

impl Shipped {
    /// Every package has a license that we expect, and its text.
    fn check(&self) -> Result<()> {
        let mut faults = Vec::new();
        for package in &self.packages {
            let title = package.title();
            match package.license.as_deref() {
                None => faults.push(format!("{title} names no license")),
                Some(license) => match expression::allows(license, &self.allowed) {
                    Ok(true) => {}
                    Ok(false) => faults.push(format!("{title} is licensed under {license}")),
                    Err(error) => faults.push(format!("{title}: {error}")),
                },
            }
        }
        let without = self.texts.iter().filter(|(_, texts)| texts.is_empty());
        faults.extend(
            without.map(|(title, _)| format!("{title} comes without the text of its license")),
        );
        if faults.is_empty() {
            return Ok(());
        }
        bail!(
            "do without these packages, or, once a person has read the license, add it to deny.toml:\n  {}",
            faults.join("\n  ")
        )
    }

    /// A list of the packages, and each text once.
    fn page(&self) -> String {
        let mut page = "Ballast contains the following packages, and uses libtorch.\n\n".to_owned();
        for package in &self.packages {
            let license = package.license.as_deref().unwrap_or_default();
            let _ = writeln!(page, "{}: {license}", package.title());
        }
        let mut titles: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (title, texts) in &self.texts {
            texts.iter().for_each(|text| titles.entry(text).or_default().push(title));
        }
        for (text, titles) in titles {
            let line = "=".repeat(80);
            let _ =
                write!(page, "\n{line}\n{}\n{line}\n\n{}\n", titles.join(", "), text.trim_end());
        }
        page
    }
}

/// Beginnings of the names of files that hold a license, in capitals.
const NAMES: [&str; 5] = ["LICEN", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// The texts of the licenses in the folder of a package, without those of its examples and parts.
fn texts_in(folder: &Path, named: Option<&Path>) -> Result<Vec<String>> {
    let mut paths: Vec<PathBuf> = named.map(|file| folder.join(file)).into_iter().collect();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        let code = path.extension().is_some_and(|end| end == "rs");
        if NAMES.iter().any(|beginning| name.starts_with(beginning)) && !code {
            paths.push(path);
        }
    }
    let mut texts = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(&path)?.flatten().map(|entry| entry.path()));
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    texts.retain(|text| !text.trim().is_empty());
    texts.sort();
    texts.dedup();
    Ok(texts)
}

/// The texts of an installed libtorch: in `licenses/` of ours, beside it where whole wheels were installed, or at its top.
fn of_libtorch(folder: &Path) -> Result<Vec<String>> {
    let mut texts = texts_in(folder, None)?;
    let beside = folder.parent().into_iter().flat_map(fs::read_dir).flatten().flatten();
    let wheels = beside.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".dist-info") && (name.starts_with("torch-") || name.starts_with("nvidia_"))
    });
    for wheel in wheels {
        texts.extend(texts_in(&wheel, None)?);
    }
    texts.sort();
    texts.dedup();
    if texts.is_empty() {
        bail!(
            "{} comes without the text of its license: an older setup left it out; \
             remove the folder and run `cargo xtask setup`",
            folder.display()
        );
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, license: Option<&str>) -> Package {
        Package {
            id: name.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            license_file: None,
            repository: None,
            manifest_path: PathBuf::new(),
            source: Some("registry".to_owned()),
        }
    }

    #[test]
    fn a_missing_or_unexpected_license_is_an_error() {
        let shipped = |packages: Vec<Package>, texts: &[(&str, &[&str])]| Shipped {
            allowed: vec!["MIT".to_owned()],
            packages,
            texts: (texts.iter())
                .map(|(title, texts)| {
                    ((*title).to_owned(), texts.iter().map(|text| (*text).to_owned()).collect())
                })
                .collect(),
        };
        let good = shipped(
            vec![package("a", Some("MIT OR GPL-3.0")), package("b", Some("MIT"))],
            &[("a 1.0.0", &["one text", "other"]), ("b 1.0.0", &["one text"])],
        );
        good.check().unwrap();
        let page = good.page();
        assert!(page.contains("a 1.0.0: MIT OR GPL-3.0\nb 1.0.0: MIT\n"), "{page}");
        assert!(page.contains("\na 1.0.0, b 1.0.0\n"), "{page}");
        assert_eq!(page.matches("one text").count(), 1, "each text once");

        let fault =
            |packages, texts: &[_]| format!("{:#}", shipped(packages, texts).check().unwrap_err());
        let text: &[(&str, &[&str])] = &[("a 1.0.0", &["text"])];
        let said = fault(vec![package("a", Some("GPL-3.0"))], text);
        assert!(
            said.contains("a 1.0.0 is licensed under GPL-3.0") && said.contains("deny.toml"),
            "{said}"
        );
        assert!(fault(vec![package("a", None)], text).contains("a 1.0.0 names no license"));
        let said = fault(vec![package("a", Some("MIT"))], &[("a 1.0.0", &[])]);
        assert!(said.contains("a 1.0.0 comes without the text of its license"), "{said}");
    }

    #[test]
    fn texts_are_found_where_packages_put_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (path, text) in [
            ("package/LICENSE-MIT", "mit"),
            ("package/license.md", "mit"),
            ("package/COPYING", ""),
            ("package/src/LICENSE", "not of the package as a whole"),
            ("package/licenses/deep/NOTICE.txt", "notice"),
            ("package/TERMS", "terms"),
            ("package/license.rs", "code"),
            ("cuda/torch/lib/a.so", ""),
            ("cuda/torch-2.11.0.dist-info/licenses/LICENSE", "torch"),
            ("cuda/nvidia_nccl_cu13-2.28.9.dist-info/License.txt", "nvidia"),
            ("cuda/numpy-1.dist-info/LICENSE", "not ours"),
            ("bare/lib/a.so", ""),
        ] {
            write(path, text);
        }
        let package = folder.path().join("package");
        assert_eq!(texts_in(&package, None).unwrap(), ["mit", "notice"]);
        assert_eq!(
            texts_in(&package, Some(Path::new("TERMS"))).unwrap(),
            ["mit", "notice", "terms"]
        );
        assert_eq!(of_libtorch(&folder.path().join("cuda/torch")).unwrap(), ["nvidia", "torch"]);
        let error = of_libtorch(&folder.path().join("bare")).unwrap_err();
        assert!(error.to_string().contains("comes without the text of its license"), "{error}");
    }
}
