//! Data sets outside of the repository: where they lie, and how a run names them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// A file or folder that is not part of the repository.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    /// Relative to the folder that `--data` names.
    pub(crate) path: PathBuf,
    /// Its name for `ballast data fetch`, if it can be fetched.
    pub(crate) fetch: Option<String>,
}

/// Folders to look in.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The folder of `--data`.
    folder: Option<PathBuf>,
    /// Where `ballast data fetch` puts files.
    fetched: Option<PathBuf>,
}

impl Places {
    /// The folder of `--data`, and the cache.
    pub(crate) fn new(folder: Option<&Path>) -> Result<Places> {
        Places::with_cache(
            folder,
            files::cache_folder(|name| std::env::var_os(name)).ok().as_deref(),
        )
    }

    /// `folder` is that of `--data`, `cache` that of everything Ballast fetches.
    pub(crate) fn with_cache(folder: Option<&Path>, cache: Option<&Path>) -> Result<Places> {
        let folder = folder.map(|folder| {
            ensure!(folder.is_dir(), "--data {}: no such folder", folder.display());
            std::path::absolute(folder).context("the folder of --data")
        });
        Ok(Places { folder: folder.transpose()?, fetched: cache.map(|cache| cache.join("data")) })
    }

    /// The file or folder itself.
    pub(crate) fn find(&self, data: &Data) -> Option<PathBuf> {
        let given = self.folder.as_ref().map(|folder| folder.join(&data.path));
        let cached = || {
            let file = data.fetch.as_ref().and(data.path.file_name())?;
            Some(self.fetched.as_ref()?.join(file)).filter(|path| path.exists())
        };
        given.filter(|path| path.exists()).or_else(cached)
    }
}

/// Advice on how to get data that are missing.
pub(crate) fn remedy(data: &Data) -> String {
    let fetch =
        data.fetch.as_ref().map(|name| format!("fetch it with `ballast data fetch {name}`, or "));
    format!(
        "{}name the folder that holds {} with `--data DIR`",
        fetch.unwrap_or_default(),
        data.path.display()
    )
}

/// Links the data into the experiment's folder and returns that path, relative to the workspace: so
/// commands and results are the same wherever the data lie.
pub(crate) fn link(root: &Path, name: &str, data: &Data, found: &Path) -> Result<String> {
    let shown = format!("runs/{name}/data/{}", data.path.display());
    let path = root.join(&shown);
    if fs::read_link(&path).is_ok_and(|old| old == found) {
        return Ok(shown);
    }
    let make = || {
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        if path.is_symlink() {
            fs::remove_file(&path)?;
        }
        std::os::unix::fs::symlink(found, &path)
    };
    make().with_context(|| format!("linking {} to {}", path.display(), found.display()))?;
    Ok(shown)
}
