//! The same files in Python: ONNX is checked and run by onnxruntime, TorchScript by torch.

use std::env;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Compares what Python finds in `folder/NAME` with Ballast's forecasts there, or says what is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub(crate) fn compare(folder: &Path, names: &[String]) {
    for (variable, what, form) in [
        ("BALLAST_ONNX_PYTHON", "onnxruntime", "onnx"),
        ("BALLAST_PYTORCH_PYTHON", "Python's torch", "torchscript"),
    ] {
        let Some(python) = env::var_os(variable) else {
            eprintln!("SKIPPED on {what}: {variable} is not set to a Python that has it");
            continue;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agreement/compare.py");
        let output = Command::new(python).arg(script).arg(form).arg(folder).args(names).output();
        let output = output.expect("Python runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(!errors.contains("onnxruntime"), "a warning: {errors}");
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for name in names {
            for gap in found[name].as_array().expect("differences") {
                let gap = gap.as_f64().unwrap_or(f64::INFINITY);
                assert!(gap < super::CLOSE, "{what}: {name} differs by {gap:.1e}");
            }
        }
    }
}
