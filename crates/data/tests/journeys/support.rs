//! Files for tests, made in a folder of their own.

use std::path::{Path, PathBuf};

use data::{DataConfig, DataError, Panel, Prepared};

/// A folder that goes away with the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// A `[data]` table as a user writes it.
pub(crate) fn config(text: &str) -> DataConfig {
    toml::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Reads a CSV with context 2 and horizon 1.
pub(crate) fn read(content: impl AsRef<[u8]>) -> Result<Panel, DataError> {
    read_with(content, "")
}

/// As [`read`], with further keys.
pub(crate) fn read_with(content: impl AsRef<[u8]>, keys: &str) -> Result<Panel, DataError> {
    let folder = Folder::new();
    folder.write("t.csv", content);
    let config = config(&format!("path = \"t.csv\"\ncontext = 2\nhorizon = 1\n{keys}"));
    data::read(&config, folder.path())
}

/// Reads, splits and scales.
pub(crate) fn load_with(content: impl AsRef<[u8]>, keys: &str) -> Result<Prepared, DataError> {
    let folder = Folder::new();
    folder.write("t.csv", content);
    data::load(&config(&format!("path = \"t.csv\"\n{keys}")), folder.path())
}

/// The message without the folder's name.
pub(crate) fn message<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
    let text = result.unwrap_err().to_string();
    let folder = std::env::temp_dir().display().to_string();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(&folder) {
        out += &rest[..at];
        let tail = &rest[at..];
        let name = tail.find("/.tmp").map_or(0, |i| i + 5);
        let end = tail[name..].find('/').map_or(tail.len(), |i| name + i + 1);
        rest = &tail[end..];
    }
    out + rest
}

/// Daily rows with one line a row: `date,a,b` where a counts up and b is a wave.
pub(crate) fn daily(rows: usize) -> String {
    let mut text = "date,a,b\n".to_owned();
    let mut day = jiff::civil::date(2012, 1, 1);
    for i in 0..rows {
        text += &format!("{day},{i},{}\n", (i as f64 / 5.0).sin());
        day = day.tomorrow().unwrap();
    }
    text
}

/// The benchmark files, which are not ours to redistribute; `None`, said loudly, where they are not there.
pub(crate) fn dataset(name: &str) -> Option<PathBuf> {
    shared("datasets", "BALLAST_DATASETS", name)
}

/// A file that lies beside the repository, in `shared/FOLDER` or where a variable says.
#[expect(clippy::print_stderr, reason = "a test that runs on generated data only must say so")]
pub(crate) fn shared(folder: &str, variable: &str, name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    let root = std::env::var_os(variable).map_or(beside, PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED on the real file: {} is not there (set {variable})", path.display());
    None
}
