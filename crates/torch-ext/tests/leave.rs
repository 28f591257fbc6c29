//! The end of a process, seen from the one that started it.
#![allow(clippy::print_stdout, reason = "what the process that ends has to say")]

use std::process::Command;

struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        println!("dropped");
    }
}

/// The exit code arrives, and what was printed before, even half a line; nothing runs after.
#[test]
fn a_process_leaves_with_its_code_and_its_words() {
    if std::env::var_os("LEAVES").is_some() {
        let _loud = Loud;
        print!("half a line");
        torch_ext::leave(75);
    }
    let this = std::env::current_exe().unwrap();
    let mut child = Command::new(this);
    child.args(["--exact", "a_process_leaves_with_its_code_and_its_words", "--nocapture"]);
    let output = child.env("LEAVES", "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(75), "{text}");
    assert!(text.ends_with("half a line"), "{text}");
}
