//! The example `device`, which `cargo xtask gpu-check` carries to machines with a GPU, on the CPU.

use std::path::Path;
use std::process::Command;

/// Every row has a number or the reason why it has none; on the CPU, f32 differs from itself by nothing.
#[test]
fn a_device_is_measured_and_what_is_not_says_why() {
    let this = std::env::current_exe().unwrap();
    let examples = this.parent().and_then(Path::parent).unwrap().join("examples");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("device.json");
    let mut device = Command::new(examples.join("device"));
    let output = device.args(["cpu", "0.05"]).arg(&out).output();
    let output = output.expect("`cargo test` builds the example `device` beside the tests");
    let (text, errors) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{errors}");
    let table: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!((&table["device"], &table["libtorch"]), (&"cpu".into(), &"2.11.0".into()));
    let rows = table["rows"].as_array().unwrap();
    let named = |name: &str| rows.iter().find(|row| row["name"] == name).expect(name);
    for row in rows {
        let (name, note) = (row["name"].as_str().unwrap(), row["note"].as_str().unwrap());
        assert!(text.contains(&format!("| {name} | ")), "{name} is not in\n{text}");
        assert!(
            !row["value"].is_null() || !note.is_empty(),
            "{name} has neither number nor reason"
        );
    }
    for kind in ["autoencode", "predict", "conditional", "hierarchical"] {
        let gap = |precision: &str| {
            let name = format!("{kind} in {precision}, difference from the CPU in f32");
            named(&name)["value"].as_f64().unwrap()
        };
        assert_eq!(gap("f32"), 0.0);
        assert!(gap("bf16") > 0.0 && gap("bf16") < 0.1, "{kind}: {}", gap("bf16"));
    }
    assert!(named("default config, f32, batch 64")["value"].as_f64().unwrap() > 1.0);
    let score = named("its score")["value"].as_f64().unwrap();
    assert!(score > 0.2 && score < 0.6, "{score}");
}
