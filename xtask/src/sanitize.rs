//! `cargo xtask sanitize`: the C++ of `torch-ext` under AddressSanitizer and UndefinedBehaviorSanitizer.
//!
//! Stable Rust links no sanitizer, so a driver in C++ calls what Rust calls. libtorch itself is not instrumented: what is
//! found lies in our code, or in memory that we gave to libtorch.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};

use crate::setup;
use crate::workspace::{Workspace, run, shown};

/// Run the C++ of torch-ext under address and undefined-behavior sanitizers, with random tensors
#[derive(clap::Args)]
pub(crate) struct Sanitize {
    /// Number of rounds, each a call of one function
    #[arg(long, default_value_t = 5_000)]
    rounds: u64,
    /// Another seed gives other tensors
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Options of compiler and linker.
const SANITIZERS: [&str; 4] = [
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
    // Types of libtorch, which is not instrumented.
    "-fno-sanitize=vptr",
    "-fno-omit-frame-pointer",
];

impl Sanitize {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let libtorch = setup::ensure(workspace, None)?.folder;
        let sources = Sources::of(&workspace.root.join("crates/torch-ext"))?;
        sources.check()?;
        let target = workspace.root.join("target/sanitize");
        fs::create_dir_all(&target).with_context(|| format!("making {}", target.display()))?;
        let compiler = compiler(&target, &["c++", "g++", "clang++"])?;
        let driver = build(&compiler, &sources, &libtorch, &target)?;
        // Sanitizers that find nothing where there is something would find nothing anywhere.
        for fault in ["overflow", "undefined"] {
            let output = start(&driver).arg(fault).output().context("starting the driver")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                !output.status.success()
                    && (said.contains("Sanitizer") || said.contains("runtime error")),
                "the sanitizers are silent about a planted fault (`{fault}`), so their silence means nothing"
            );
        }
        run(start(&driver).args([self.rounds, self.seed].map(|number| number.to_string())))
    }
}

/// The C++ files of `torch-ext`.
struct Sources {
    /// With their text.
    ours: Vec<(PathBuf, String)>,
    driver: (PathBuf, String),
    /// The last change of a header.
    changed: SystemTime,
}

impl Sources {
    fn of(package: &Path) -> Result<Sources> {
        let read = |path: PathBuf| {
            let text =
                fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()));
            text.map(|text| (path, text))
        };
        let folder = package.join("cpp");
        let mut ours = Vec::new();
        let mut changed = SystemTime::UNIX_EPOCH;
        for entry in
            fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?
        {
            let path = entry?.path();
            if path.ends_with("nccl.cpp") {
                continue; // compiled only where the headers of CUDA are
            }
            if path.extension() == Some(OsStr::new("cpp")) {
                ours.push(read(path)?);
            } else {
                changed = changed.max(path.metadata()?.modified()?);
            }
        }
        ours.sort();
        Ok(Sources { ours, driver: read(package.join("sanitize/driver.cpp"))?, changed })
    }

    /// Every function that is exported is called by the driver.
    fn check(&self) -> Result<()> {
        let exported = self.ours.iter().flat_map(|(_, text)| exports(text));
        let missing: Vec<&str> = exported.filter(|name| !calls(&self.driver.1, name)).collect();
        ensure!(
            missing.is_empty(),
            "{} does not call {}; add them",
            self.driver.0.display(),
            missing.join(", ")
        );
        Ok(())
    }
}

/// The names of the functions that a C++ file exports to Rust.
fn exports(text: &str) -> impl Iterator<Item = &str> {
    text.split("extern \"C\"").skip(1).filter_map(|after| {
        let (declared, _) = after.split_once('(')?;
        declared.rsplit([' ', '*', '\n']).next()
    })
}

/// Whether the driver names the function other than by declaring it.
fn calls(driver: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let whole = driver.match_indices(name).filter(|(at, _)| {
        let after = driver[at + name.len()..].chars().next();
        !driver[..*at].ends_with(is_part) && !after.is_some_and(is_part)
    });
    whole.count() > 1
}

/// The first compiler that builds a program with both sanitizers that runs.
fn compiler(target: &Path, candidates: &[&str]) -> Result<OsString> {
    let source = target.join("probe.cpp");
    fs::write(&source, "int main() { return 0; }\n").context("writing a probe")?;
    let probe = target.join("probe");
    let works = |compiler: &OsString| {
        let mut command = Command::new(compiler);
        let built = command.args(SANITIZERS).arg(&source).arg("-o").arg(&probe).output();
        built.is_ok_and(|output| output.status.success())
            && Command::new(&probe).output().is_ok_and(|output| output.status.success())
    };
    let named = env::var_os("CXX").into_iter().chain(candidates.iter().map(OsString::from));
    named.into_iter().find(works).with_context(|| {
        format!(
            "NOT SANITIZED: none of {} builds a program with {}; install one that does, with its libasan and libubsan, \
             or name it in CXX",
            candidates.join(", "),
            SANITIZERS[0]
        )
    })
}

/// Compiles what has changed, and links the driver.
fn build(compiler: &OsStr, sources: &Sources, libtorch: &Path, target: &Path) -> Result<PathBuf> {
    let mut objects = Vec::new();
    for (source, _) in sources.ours.iter().chain([&sources.driver]) {
        let name = source.file_stem().context("a source has a name")?;
        let object = target.join(name).with_extension("o");
        let changed = sources.changed.max(source.metadata()?.modified()?);
        let fresh =
            object.metadata().and_then(|there| there.modified()).is_ok_and(|made| made > changed);
        if !fresh {
            eprintln!("compiling {}", source.display());
            let mut command = Command::new(compiler);
            command.args(SANITIZERS).args([
                "-std=c++17",
                "-O1",
                "-g1",
                "-fno-math-errno",
                "-fno-trapping-math",
            ]);
            for include in ["include/torch/csrc/api/include", "include"] {
                command.arg("-isystem").arg(libtorch.join(include));
            }
            // Headers that libtorch includes and does not ship.
            let package =
                sources.driver.0.ancestors().nth(2).context("the driver has a package")?;
            command.arg("-isystem").arg(package.join("cpp/gloo"));
            command.args(["-D_GLIBCXX_USE_CXX11_ABI=1", "-DGLOG_USE_GLOG_EXPORT"]);
            run(command.arg("-c").arg(source).arg("-o").arg(&object))?;
        }
        objects.push(object);
    }
    let driver = target.join("sanitized");
    let lib = libtorch.join("lib");
    let mut link = Command::new(compiler);
    link.args(SANITIZERS).args(objects).arg("-L").arg(&lib).args(["-ltorch_cpu", "-lc10", "-ldl"]);
    let output = link
        .arg(format!("-Wl,-rpath,{}", lib.display()))
        .arg("-o")
        .arg(&driver)
        .output()
        .context("linking the driver")?;
    if !output.status.success() {
        bail!("`{}` failed:\n{}", shown(&link), String::from_utf8_lossy(&output.stderr));
    }
    Ok(driver)
}

/// The driver, with reports that name lines.
fn start(driver: &Path) -> Command {
    let mut command = Command::new(driver);
    command.env("UBSAN_OPTIONS", "print_stacktrace=1");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_the_driver_does_not_call_is_named() {
        let text = "extern \"C\" char* torch_ext_a(\n    int b) {\n}\nextern \"C\" void torch_ext_ab() {}\n";
        assert_eq!(exports(text).collect::<Vec<_>>(), ["torch_ext_a", "torch_ext_ab"]);
        let driver = |text: &str| (PathBuf::from("driver.cpp"), text.to_owned());
        let mut sources = Sources {
            ours: vec![(PathBuf::from("a.cpp"), text.to_owned())],
            driver: driver(
                "char* torch_ext_a(int); void torch_ext_ab();\n torch_ext_a(1); torch_ext_ab();",
            ),
            changed: SystemTime::UNIX_EPOCH,
        };
        sources.check().unwrap();
        sources.driver = driver("char* torch_ext_a(int); void torch_ext_ab();\n torch_ext_ab();");
        let error = sources.check().unwrap_err().to_string();
        assert!(error.ends_with("does not call torch_ext_a; add them"), "{error}");
    }

    #[test]
    fn without_a_compiler_it_says_so_loudly() {
        let folder = tempfile::tempdir().unwrap();
        // A `CXX` of the user's own may well work.
        let error = match env::var_os("CXX") {
            Some(_) => return,
            None => compiler(folder.path(), &["no-such-compiler", "false"]).unwrap_err(),
        };
        assert!(
            error.to_string().starts_with("NOT SANITIZED: none of no-such-compiler, false"),
            "{error}"
        );
    }

    /// The driver that is there calls all that is there.
    #[test]
    fn our_driver_calls_every_function() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let sources = Sources::of(&root.join("crates/torch-ext")).unwrap();
        let count: usize = sources.ours.iter().map(|(_, text)| exports(text).count()).sum();
        assert!(count > 15, "{count} functions");
        sources.check().unwrap();
    }
}
