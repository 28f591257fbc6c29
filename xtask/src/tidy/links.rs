//! Links between the files of the checkout, and pages that other files mention, exist.

use super::Finding;

/// Links to files that do not exist: those of a page, and mentions of `docs/….md` in any file.
pub(super) fn check(path: &str, text: &str, paths: &[String]) -> Vec<Finding> {
    let exists = |target: &str| {
        let folder = format!("{}/", target.trim_end_matches('/'));
        paths.iter().any(|path| path == target || path.starts_with(&folder))
    };
    let mut findings = Vec::new();
    if path.starts_with("xtask/src/tidy/") {
        return findings; // the tests there name pages that do not exist
    }
    let page = path.ends_with(".md") && !path.contains("/src/"); // there lie templates of pages
    for (at, line) in text.lines().enumerate() {
        let links = if page { linked(path, line) } else { Vec::new() };
        for target in links.into_iter().chain(mentioned(line)).filter(|target| !exists(target)) {
            let place = format!("{path}:{}", at + 1);
            findings.push(Finding::new(place, format!("names `{target}`, which does not exist")));
        }
    }
    findings.dedup();
    findings
}

/// The files of the checkout that a line of a page links to, as paths from the root.
fn linked(page: &str, line: &str) -> Vec<String> {
    let plain: String = line.split('`').step_by(2).collect();
    let targets = plain.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter_map(|target| target.split('#').next());
    let files = files.filter(|file| !file.is_empty() && !file.contains([':', '{', ' ']));
    files.filter_map(|file| from_root(page, file)).collect()
}

/// A relative path as seen from the root; `None` outside of the checkout.
fn from_root(page: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Pages that a line mentions by their path from the root.
fn mentioned(line: &str) -> Vec<String> {
    let name = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let words = line.split(|c: char| !name(c)).map(|word| word.trim_end_matches('.'));
    let pages = words.filter(|word| word.starts_with("docs/") && word.ends_with(".md"));
    pages.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(path: &str, text: &str) -> Vec<String> {
        let paths = ["docs/math.md", "docs/math/noise.md", "README.md"].map(String::from);
        check(path, text, &paths).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn links_are_followed_from_the_folder_of_the_page() {
        let page = "[a](math/noise.md#x), [b](../README.md),\n[c](math), [d](https://a.b/c.md), [e](#f), `f[g](h.md)`";
        assert_eq!(missing("docs/math.md", page), [""; 0]);
        let broken = "error: docs/math.md:2: names `docs/noise.md`, which does not exist";
        assert_eq!(missing("docs/math.md", "\n[a](noise.md)"), [broken]);
        for other in ["docs/math.rs", "crates/a/src/math.md"] {
            assert!(missing(other, "[a](noise.md)").is_empty(), "{other} is not a page");
        }
    }

    #[test]
    fn mentioned_pages_exist() {
        assert!(missing("a.toml", "# See docs/math.md.").is_empty());
        let broken = "error: a.toml:1: names `docs/gone.md`, which does not exist";
        assert_eq!(missing("a.toml", "# `docs/gone.md` says why"), [broken]);
    }
}
