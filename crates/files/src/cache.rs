//! The folder for what was fetched from elsewhere.

use std::ffi::OsString;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no cache folder.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CacheError {
    /// No variable names one.
    #[error("no folder for downloads: set BALLAST_CACHE to one")]
    Unset,
    /// The folder would depend on where a program is started.
    #[error("the cache folder {} must be an absolute path", .0.display())]
    Relative(PathBuf),
}

/// The user's cache folder: `$BALLAST_CACHE`, else `$XDG_CACHE_HOME/ballast`, else `~/.cache/ballast`.
///
/// `variable` looks up an environment variable, as [`std::env::var_os`] does. An empty one counts as unset. The
/// folder may not exist yet.
///
/// # Errors
/// [`CacheError`].
pub fn cache_folder(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, CacheError> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("BALLAST_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("ballast")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/ballast")))
        .ok_or(CacheError::Unset)?;
    if folder.is_relative() {
        return Err(CacheError::Relative(folder));
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<PathBuf, CacheError> {
        cache_folder(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let all = [("BALLAST_CACHE", "/b"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(with(&all), Ok("/b".into()));
        assert_eq!(with(&all[1..]), Ok("/x/ballast".into()));
        assert_eq!(with(&all[2..]), Ok("/h/.cache/ballast".into()));
        assert_eq!(with(&[("BALLAST_CACHE", ""), ("HOME", "/h")]), Ok("/h/.cache/ballast".into()));
        assert_eq!(with(&[("HOME", "")]), Err(CacheError::Unset));
        assert_eq!(with(&[("BALLAST_CACHE", "b")]), Err(CacheError::Relative("b".into())));
    }
}
