//! The config as a JSON Schema, for editors that complete and check.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

use super::Config;

/// The JSON Schema (draft 2020-12) of a config file, made from the types that read it.
///
/// It knows every key with its description, default, range and choices. It is looser than
/// [`Config::parse`] where a rule ties several keys together, such as `noise.beta_start` not above
/// `noise.beta_end`, and knows one spelling of each choice (`"latin-1"`, not its alias `"windows-1252"`).
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(ForToml);
    let mut schema = settings.into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), "Ballast config".into());
    schema.to_value()
}

/// Rewrites a derived schema from the terms of JSON and Rust into those of TOML.
#[derive(Debug, Clone)]
struct ForToml;

impl Transform for ForToml {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        // TOML has no null: an optional key is left out.
        object.retain(|key, value| !(key == "default" && value.is_null()));
        for key in ["type", "enum"] {
            if let Some(Value::Array(choices)) = object.get_mut(key) {
                choices.retain(|choice| choice != "null" && !choice.is_null());
                if let ("type", [one]) = (key, choices.as_slice()) {
                    *object.entry(key).or_insert(Value::Null) = one.clone();
                }
            }
        }
        if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
            choices.retain(|choice| choice["type"] != "null");
            if let [Value::Object(one)] = choices.as_slice() {
                let one = one.clone();
                object.remove("anyOf");
                object.extend(one);
            }
        }
        // Not of use to an editor, and unknown to some validators.
        object.remove("format");
        if let Some(Value::String(text)) = object.get_mut("description") {
            // Its first paragraph: what follows is for those who write Rust.
            let first = text.split("\n\n").next().unwrap_or_default();
            *text = first.replace('\n', " ").replace("[`", "`").replace("`]", "`");
        }
    }
}
