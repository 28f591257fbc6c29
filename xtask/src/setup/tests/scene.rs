//! A checkout, a cache, an index of small wheels and a pip, all in one temporary folder.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::pins::{Keep, Pins, Wheel};
use super::super::surroundings::Surroundings;
use super::super::verify::RECORD;
use super::super::{Build, Libtorch, resolve};

pub(super) const CORE: &str = "demo_core-1.0-cp312-cp312-manylinux_2_28_x86_64.whl";
pub(super) const RUNTIME: &str =
    "demo_rt-2.0-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl";

/// Where everything of one test is.
pub(super) struct Scene {
    pub(super) dir: PathBuf,
    pub(super) pins: Pins,
    /// Removes the folder in the end.
    pub(super) _owner: Option<TempDir>,
}

impl Scene {
    /// An index with two wheels; `bytes` is the size of the large library in one of them.
    pub(super) fn new(bytes: usize) -> Scene {
        let owner = tempfile::tempdir().unwrap();
        let dir = owner.path().to_owned();
        for folder in ["root", "index", "bin"] {
            fs::create_dir(dir.join(folder)).unwrap();
        }
        let library = vec![7; bytes];
        wheel(
            &dir.join("index").join(CORE),
            &[
                ("torch/lib/libtorch_cpu.so", &library),
                ("torch/include/torch/torch.h", b"// header"),
                ("torch/not_kept.py", b"pass"),
            ],
        );
        wheel(&dir.join("index").join(RUNTIME), &[("nvidia/cu13/lib/libcudart.so.13", b"runtime")]);
        Scene { _owner: Some(owner), ..Scene::at(&dir) }
    }

    /// The scene that another process has made.
    pub(super) fn at(dir: &Path) -> Scene {
        let pin = |name: &'static str, kept| {
            let content = fs::read(dir.join("index").join(name)).unwrap();
            let sha256 = format!("{:x}", Sha256::digest(&content));
            let keep = Keep::Beginning(kept);
            Wheel { file: name, bytes: content.len() as u64, sha256, keep }
        };
        let wheels = vec![
            pin(CORE, &[("torch/include/", "include/"), ("torch/lib/", "lib/")]),
            pin(RUNTIME, &[("nvidia/cu13/lib/", "lib/")]),
        ];
        let size = fs::read_to_string(dir.join("installed_bytes"));
        let installed_bytes = size.map_or(1, |size| size.parse().unwrap());
        let pins = Pins { folder: "demo", wheels, installed_bytes, ..Pins::of(Build::Cpu) };
        Scene { dir: dir.to_owned(), pins, _owner: None }
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.dir.join("cache")
    }

    pub(super) fn around(&self) -> Surroundings {
        Surroundings {
            root: self.dir.join("root"),
            libtorch: None,
            use_pytorch: false,
            cache: self.cache(),
            path: self.dir.join("bin").into(),
            nvidia_driver: false,
        }
    }

    pub(super) fn resolve(&self) -> Result<Libtorch> {
        resolve(&self.around(), None, &|_| self.pins.clone())
    }

    /// A `python3` on the path, whose `-m pip download` does what `body` says; `$dest` is where the
    /// wheel goes, `$wheel` the one that is asked for. Each call adds a line to `calls`.
    pub(super) fn pip(&self, body: &str) {
        let dir = self.dir.display();
        self.program(
            "python3",
            &format!(
                "PATH=/bin:/usr/bin\n\
                 case \"$*\" in *--version*) echo 'pip 24 (python 3.12)'; exit 0;; esac\n\
                 for dest; do :; done\n\
                 name=$(cut -d= -f1 \"$dest/requirements.txt\" | tr - _)\n\
                 wheel=$(echo {dir}/index/$name-*.whl)\n\
                 echo \"$name\" >> {dir}/calls\n\
                 {body}"
            ),
        );
    }

    /// The user's own pip, kept from any index but ours; `false` where there is none.
    pub(super) fn real_pip(&self) -> bool {
        let version = Command::new("python3").args(["-I", "-m", "pip", "--version"]).output();
        if !version.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: this machine has no `python3 -I -m pip` to test with");
            return false;
        }
        let path = std::env::var("PATH").unwrap();
        let index = self.dir.join("index");
        self.program(
            "python3",
            &format!(
                "export PATH='{path}' PIP_NO_INDEX=1 PIP_FIND_LINKS='{}'\nexec python3 \"$@\"",
                index.display()
            ),
        );
        true
    }

    pub(super) fn program(&self, name: &str, body: &str) {
        let file = self.dir.join("bin").join(name);
        fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The wheels that pip was asked for.
    pub(super) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.dir.join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// Asserts that libtorch is there, whole and nothing besides.
    pub(super) fn assert_installed(&self) {
        let home = self.cache().join("demo");
        let read = |path: &str| fs::read(home.join(path)).unwrap();
        assert!(read("lib/libtorch_cpu.so").iter().all(|&byte| byte == 7));
        assert_eq!(read("include/torch/torch.h"), b"// header");
        assert_eq!(read("lib/libcudart.so.13"), b"runtime");
        assert_eq!(read("lib/libtorch.so"), b"INPUT(libtorch_cpu.so)\n");
        assert_eq!(read("build-version"), b"2.11.0+cu130\n");
        assert_eq!(list(&home), [RECORD, "build-version", "include", "lib"]);
        assert_eq!(list(&self.cache()), ["demo", "wheels"]);
        assert!(list(&self.cache().join("wheels")).is_empty());
        assert_eq!(fs::read_link(self.dir.join("root/.libtorch")).unwrap(), home);
    }

    /// Asserts that no libtorch is there, and no leftover of one but finished wheels.
    pub(super) fn assert_nothing_installed(&self) {
        let there = list(&self.cache());
        assert!(there == ["wheels"] || there.is_empty(), "{there:?}");
        assert!(!self.dir.join("root/.libtorch").is_symlink());
    }
}

/// Writes a wheel with the files given, and what pip wants to see.
pub(super) fn wheel(file: &Path, files: &[(&str, &[u8])]) {
    let mut parts = file.file_name().unwrap().to_str().unwrap().split('-');
    let (name, version) = (parts.next().unwrap(), parts.next().unwrap());
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    let info = format!("{name}-{version}.dist-info");
    let mut zip = ZipWriter::new(File::create(file).unwrap());
    let mut add = |path: &str, content: &[u8]| {
        zip.start_file(path, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    };
    for (path, content) in files {
        add(path, content);
    }
    add(&format!("{info}/METADATA"), metadata.as_bytes());
    add(&format!("{info}/WHEEL"), b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n");
    zip.finish().unwrap();
}

/// The names in a folder, in order.
pub(super) fn list(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A folder that passes for libtorch.
pub(super) fn libtorch(folder: &Path, version: &str) {
    fs::create_dir_all(folder.join("lib")).unwrap();
    fs::create_dir_all(folder.join("include/torch")).unwrap();
    fs::write(folder.join("lib/libtorch_cpu.so"), "").unwrap();
    fs::write(folder.join("build-version"), version).unwrap();
}
