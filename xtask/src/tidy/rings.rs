//! No ring of imports between the modules of a crate.
//!
//! Siblings are compared at every level: an arrow `a → b` stands for a path in `a`, or in anything
//! below it, that names something in `b`, or in anything below that. A module and its own children
//! may use each other. Re-exports are followed, so `crate::Name` counts as the module that holds it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::edges::Package;
use super::{Finding, source};

/// A module of a crate: its path from the crate root, and its code.
pub(super) struct Module {
    path: Vec<String>,
    pub(super) file: String,
    pub(super) code: String,
}

#[cfg(test)]
impl Module {
    pub(super) fn sample(file: &str, code: &str) -> Module {
        Module { path: Vec::new(), file: file.to_owned(), code: code.to_owned() }
    }
}

/// The modules below the crate roots of a package, tests aside.
pub(super) fn modules(package: &Package, root: &Path) -> Result<Vec<Module>> {
    let src = package.manifest_path.with_file_name("src");
    let mut modules = Vec::new();
    let mut tests = Vec::new();
    if src.is_dir() {
        walk(&src, &[], root, &mut modules, &mut tests)?;
    }
    modules.retain(|module| !tests.iter().any(|test| module.path.starts_with(test)));
    Ok(modules)
}

fn walk(
    folder: &Path,
    path: &[String],
    root: &Path,
    modules: &mut Vec<Module>,
    tests: &mut Vec<Vec<String>>,
) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {folder:?}"))?;
    for entry in entries {
        let file = entry.with_context(|| format!("reading {folder:?}"))?.path();
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let inner: Vec<String> = path.iter().cloned().chain([stem.clone()]).collect();
        if file.is_dir() {
            walk(&file, &inner, root, modules, tests)?;
        } else if file.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&file).with_context(|| format!("reading {file:?}"))?;
            let path = if ["lib", "main", "mod"].contains(&stem.as_str()) { path } else { &inner };
            let inner = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect();
            tests.extend(source::test_modules(&text).into_iter().map(inner));
            modules.push(Module {
                path: path.to_vec(),
                file: file.strip_prefix(root).unwrap_or(&file).display().to_string(),
                code: source::code(&text),
            });
        }
    }
    Ok(())
}

/// The rings in a crate.
pub(super) fn check(package: &str, modules: &[Module]) -> Vec<Finding> {
    rings(modules).into_iter().map(|ring| Finding::new(package, ring)).collect()
}

/// For two siblings, where the first names something in the second.
type Arrows = BTreeMap<(String, String), String>;

fn rings(modules: &[Module]) -> Vec<String> {
    let tree = Tree::new(modules);
    let mut levels: BTreeMap<Vec<String>, Arrows> = BTreeMap::new();
    for (module, named) in modules.iter().zip(&tree.named) {
        for (path, line) in named {
            let Some(target) = tree.holder(&module.path, path, 0) else { continue };
            let shared = module.path.iter().zip(&target).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (module.path.get(shared), target.get(shared)) {
                levels
                    .entry(target[..shared].to_vec())
                    .or_default()
                    .entry((from.clone(), to.clone()))
                    .or_insert_with(|| format!("{}:{line}", module.file));
            }
        }
    }
    levels.iter().flat_map(|(level, arrows)| describe(level, arrows)).collect()
}

/// One text for each ring among the siblings of a level, with a line for each of its arrows.
fn describe(level: &[String], arrows: &Arrows) -> Vec<String> {
    let reached = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(here) = open.pop() {
            let next = arrows.keys().filter(|(a, _)| *a == here).map(|(_, b)| b.clone());
            open.extend(next.filter(|b| reached.insert(b.clone())).collect::<Vec<_>>());
        }
        reached
    };
    let reach: BTreeMap<&String, _> = arrows.keys().map(|(a, _)| (a, reached(a))).collect();
    let mutual = |a: &String, b: &String| {
        reach[a].contains(b) && reach.get(b).is_some_and(|r| r.contains(a))
    };
    let mut texts = Vec::new();
    let mut told = BTreeSet::new();
    for first in reach.keys().filter(|first| reach[*first].contains(**first)) {
        if !told.insert((*first).clone()) {
            continue;
        }
        let ring: Vec<&String> =
            reach[*first].iter().filter(|other| mutual(first, other)).collect();
        told.extend(ring.iter().map(|name| (*name).clone()));
        let prefix: String = level.iter().map(|name| format!("{name}::")).collect();
        let names: Vec<_> = ring.iter().map(|name| format!("{prefix}{name}")).collect();
        let mut text = format!("a ring of modules that import each other: {}", names.join(", "));
        for ((from, to), place) in arrows {
            if ring.contains(&from) && ring.contains(&to) {
                text += &format!("\n    {from} → {to}  {place}");
            }
        }
        texts.push(text);
    }
    texts
}

/// A path as written, without what it is renamed to.
type Segments = Vec<String>;

struct Tree<'a> {
    paths: BTreeSet<&'a [String]>,
    /// Names that a module imports, with the path they stand for.
    imports: HashMap<&'a [String], HashMap<String, Segments>>,
    /// For each module, in order: the paths it names, and on which line.
    named: Vec<Vec<(Segments, usize)>>,
}

impl<'a> Tree<'a> {
    fn new(modules: &'a [Module]) -> Tree<'a> {
        let paths = modules.iter().map(|module| module.path.as_slice()).collect();
        let mut imports: HashMap<&[String], HashMap<String, Segments>> = HashMap::new();
        let mut named = Vec::new();
        for module in modules {
            let found = Paths::of(&module.code);
            imports.entry(&module.path).or_default().extend(found.imports);
            named.push(found.named);
        }
        Tree { paths, imports, named }
    }

    /// The module that holds what `path` names in the module `from`; `None` outside of the crate.
    fn holder(&self, from: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let mut segments = path.iter().peekable();
        let mut here = match segments.peek()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => from.to_vec(),
            child => {
                let inner: Vec<String> = from.iter().cloned().chain([child.to_owned()]).collect();
                self.paths.contains(inner.as_slice()).then_some(())?;
                from.to_vec()
            }
        };
        while let Some(segment) = segments.next() {
            if segment == "crate" || segment == "self" {
                continue;
            } else if segment == "super" {
                here.pop();
                continue;
            }
            here.push(segment.clone());
            if self.paths.contains(here.as_slice()) {
                continue;
            }
            here.pop();
            let import = self.imports.get(here.as_slice()).and_then(|names| names.get(segment));
            let Some(import) = import.filter(|_| depth < 8) else { break };
            let rest: Segments = import.iter().chain(segments).cloned().collect();
            return Some(self.holder(&here, &rest, depth + 1).unwrap_or(here));
        }
        Some(here)
    }
}

/// The paths that a piece of code names.
struct Paths {
    imports: HashMap<String, Segments>,
    named: Vec<(Segments, usize)>,
}

impl Paths {
    fn of(code: &str) -> Paths {
        let tokens = tokens(code);
        let mut paths = Paths { imports: HashMap::new(), named: Vec::new() };
        let mut at = 0;
        while at < tokens.len() {
            let next = tokens.get(at + 1).map(|(token, _)| *token);
            at = match tokens[at].0 {
                "use" if next != Some("<") => paths.import(&tokens, at + 1, &[]),
                "crate" | "super" if next == Some("::") => {
                    let (path, end) = path(&tokens, at);
                    paths.named.push((path, tokens[at].1));
                    end
                }
                _ => at + 1,
            };
        }
        paths
    }

    /// Reads the use tree at `at`, and says where it ends.
    fn import(&mut self, tokens: &[(&str, usize)], at: usize, prefix: &[String]) -> usize {
        let (segments, mut end) = path(tokens, at);
        let whole: Segments = prefix.iter().cloned().chain(segments).collect();
        let token = |at: usize| tokens.get(at).map_or(";", |(token, _)| *token);
        if token(end) == "{" {
            while !["}", ";"].contains(&token(end)) {
                end = self.import(tokens, end + 1, &whole); // at a comma or the closing brace
            }
            return end + 1;
        }
        if let Some(last) = whole.last().filter(|_| end > at) {
            let mut name = last.clone();
            if last == "self" && whole.len() > 1 {
                name = whole[whole.len() - 2].clone();
            }
            if token(end) == "as" {
                name = token(end + 1).to_owned();
            }
            self.named.push((whole.clone(), tokens[at].1));
            self.imports.insert(name, whole);
        }
        while ![",", "}", ";"].contains(&token(end)) {
            end += 1;
        }
        end
    }
}

/// The segments of the path at `at`, without a final `::`, and where it ends.
fn path(tokens: &[(&str, usize)], mut at: usize) -> (Segments, usize) {
    let token = |at: usize| tokens.get(at).map_or("", |(token, _)| *token);
    let mut segments = Vec::new();
    while token(at).starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        segments.push(token(at).to_owned());
        at += 1;
        if token(at) != "::" {
            break;
        }
        at += 1;
    }
    (segments, at)
}

/// Words, `::` and single characters, with their lines.
pub(super) fn tokens(code: &str) -> Vec<(&str, usize)> {
    let mut tokens = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                word => word,
            };
            tokens.push((&rest[..length], number + 1));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let module = |(path, text): &(&str, &str)| Module {
            path: path.split_terminator("::").map(str::to_owned).collect(),
            file: format!("src/{path}"),
            code: source::code(text),
        };
        let modules: Vec<_> = files.iter().map(module).collect();
        check("house", &modules).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_ring_is_named_with_a_line_for_each_arrow() {
        let files = [
            ("", "mod a; mod b; mod c; mod d;"),
            ("a", "use crate::b::{self, B};\n// use crate::d::D;"),
            ("b", "fn f() -> u8 {\n    crate::c::g()\n}"),
            ("c", "use {super::a::A as Renamed, std::fmt};"),
            ("d", "use crate::a::A;"),
        ];
        let ring = "error: house: a ring of modules that import each other: a, b, c\n    \
                    a → b  src/a:1\n    b → c  src/b:2\n    c → a  src/c:1";
        assert_eq!(found(&files), [ring]);
        assert!(found(&files[..3]).is_empty(), "an open chain is not a ring");
    }

    #[test]
    fn reexports_are_followed_to_the_module_that_holds_the_name() {
        let files = [
            ("", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("a", "use crate::B;"),
            ("b", "use crate::A;"),
        ];
        assert_eq!(found(&files).len(), 1);
        let through_a_parent = [
            ("", "mod a; mod b;"),
            ("a", "mod x;\nmod y;\nuse x::X;\npub(crate) use y::Y;"),
            ("a::x", "use super::Y;"),
            ("a::y", "use crate::a::X;"),
            ("b", "use crate::a::Y;"),
        ];
        let ring = found(&through_a_parent);
        assert!(ring.len() == 1 && ring[0].contains(": a::x, a::y\n"), "{ring:?}");
    }

    #[test]
    fn parents_children_and_tests_make_no_ring() {
        let files = [
            ("", "mod a; mod b; pub struct Root;"),
            ("a", "mod x; use x::X; pub struct A; use crate::Root;"),
            ("a::x", "use super::A; use crate::a; use crate::b::B;"),
            ("b", "#[cfg(test)]\nmod tests { use crate::a::A; }"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }
}
