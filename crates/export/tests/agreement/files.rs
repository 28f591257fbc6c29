//! Tensors as raw files with a list in JSON, which NumPy reads without help.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tch::{Kind, Tensor};

/// Writes a tensor to `NAME.bin`; returns its entry in the list.
pub(crate) fn write(folder: &Path, name: &str, tensor: &Tensor) -> Value {
    let tensor = tensor.contiguous();
    let kind = match tensor.kind() {
        Kind::Float => "float32",
        Kind::Double => "float64",
        _ => "int64",
    };
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    fs::write(folder.join(format!("{name}.bin")), bytes).unwrap();
    json!({ "name": name, "kind": kind, "size": tensor.size() })
}
