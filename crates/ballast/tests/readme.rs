//! The Rust of the README is the documented example, which is compiled and run.

use std::fs;

/// The first code block of this language, without the marks of a doc comment and without hidden lines.
fn block(text: &str, opening: &str) -> Vec<String> {
    let code = |line: &str| match line.strip_prefix("//!") {
        Some(doc) => doc.strip_prefix(' ').unwrap_or(doc).to_owned(),
        None => line.to_owned(),
    };
    let lines = text.lines().map(code);
    let inside = lines.skip_while(|line| line != opening).skip(1).take_while(|line| line != "```");
    inside.filter(|line| !line.starts_with("# ")).collect()
}

#[test]
fn the_example_of_the_readme_is_the_documented_one() {
    let readme =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let shown = block(&readme, "```rust");
    assert!(shown.len() > 8, "README.md has no Rust example");
    assert_eq!(shown, block(include_str!("../src/lib.rs"), "```"));
}
