//! The default config and the benchmark cells keep their meaning.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};
use train::Config;

fn golden(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// `table.key` and value of each key of a resolved config, except the path of the data.
fn keys(config: &Config) -> BTreeMap<String, Value> {
    let mut keys = BTreeMap::new();
    for (name, value) in toml::from_str::<Table>(&config.to_toml().unwrap()).unwrap() {
        match value {
            Value::Table(table) => {
                keys.extend(table.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => drop(keys.insert(name, value)),
        }
    }
    keys.remove("data.path");
    keys
}

/// Oracle: the default as it was measured, key by key. A new key is added to the golden file. A new value of an old key
/// is a new default, which has to be measured before the golden file changes.
#[test]
fn the_default_is_what_was_measured() {
    let default = Config::new(data::DataConfig::new("mine.csv", 48, 24));
    assert_eq!(
        toml::from_str::<Table>(&default.to_toml().unwrap()).unwrap(),
        golden("default.toml")
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/benchmarks/default.toml");
    assert_eq!(keys(&Config::load(&file, &[]).unwrap()), keys(&default));
}

/// Oracle: the configs of the cells from the time when each had its own file.
#[test]
fn the_benchmark_cells_are_what_was_measured() {
    let experiments = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/experiments");
    let text = fs::read_to_string(experiments.join("benchmarks.toml")).unwrap();
    let plan: Table = toml::from_str(&text).unwrap();
    let default = keys(&Config::new(data::DataConfig::new("mine.csv", 48, 24)));
    let expected = golden("cells.toml");
    let cells = plan["cell"].as_array().unwrap();
    assert_eq!(cells.len(), expected.len());
    for cell in cells {
        let base = experiments.join(cell["config"].as_str().unwrap());
        let rows = cell.get("set").into_iter().flat_map(|set| set.as_table().unwrap());
        let set: Vec<String> = rows.map(|(key, value)| format!("{key}={value}")).collect();
        let config = Config::load(&base, &set).unwrap();
        let mut changed = keys(&config);
        changed.retain(|key, value| default.get(key) != Some(value));
        let changed: Table = changed.into_iter().collect();
        let name = cell["name"].as_str().unwrap();
        assert_eq!(&Value::Table(changed), &expected[name], "{name}");
    }
}
