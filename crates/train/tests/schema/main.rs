//! The JSON Schema of configs and the parser accept and refuse the same configs.

mod cells;

use std::path::Path;
use std::{fs, sync::LazyLock};

use jsonschema::Validator;
use serde_json::Value;
use train::{Config, schema};

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::draft202012::meta::validate(&schema()).expect("the schema is one");
    jsonschema::draft202012::new(&schema()).expect("the schema is one")
});

/// The verdict of the schema on a config.
fn by_schema(text: &str) -> Result<(), String> {
    let table: toml::Table = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let config = serde_json::to_value(table).unwrap();
    VALIDATOR.validate(&config).map_err(|error| format!("{}: {error}", error.instance_path()))
}

fn by_parser(text: &str) -> Result<Config, String> {
    Config::parse(text, "config.toml", &[]).map_err(|error| error.to_string())
}

/// Both verdicts, which must be `valid`.
fn judge(text: &str, valid: bool) {
    let (schema, parser) = (by_schema(text), by_parser(text));
    assert_eq!(schema.is_ok(), valid, "the schema on\n{text}\n{schema:?}");
    assert_eq!(parser.is_ok(), valid, "the parser on\n{text}\n{:?}", parser.err());
}

/// A config with one more line in a table.
fn with(table: &str, line: &str) -> String {
    let data = "source = \"seattle-weather\"\ncontext = 28\nhorizon = 7\n";
    match table {
        "" => format!("{line}\n[data]\n{data}"),
        "data" => {
            let key = line.split(' ').next().unwrap_or_default();
            let rest = data.lines().filter(|other| !other.starts_with(key)).collect::<Vec<_>>();
            format!("[data]\n{}\n{line}\n", rest.join("\n"))
        }
        // A `[noise]` table must name its schedule.
        "noise" if line.starts_with("schedule") => format!("[data]\n{data}[noise]\n{line}\n"),
        "noise" => format!("[data]\n{data}[noise]\nschedule = \"linear\"\n{line}\n"),
        _ if table.starts_with("noise.") => {
            format!("[data]\n{data}[noise]\nschedule = \"linear\"\n[{table}]\n{line}\n")
        }
        _ => format!("[data]\n{data}[{table}]\n{line}\n"),
    }
}

#[test]
fn the_configs_of_the_repository_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut seen = 0;
    let benchmarks = fs::read_dir(folder.join("benchmarks")).unwrap();
    for entry in fs::read_dir(&folder).unwrap().chain(benchmarks) {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path).unwrap();
            by_schema(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // The form that a run directory holds.
            let resolved = by_parser(&text).unwrap().to_toml().unwrap();
            by_schema(&resolved).unwrap_or_else(|error| panic!("{resolved}\n{error}"));
            seen += 1;
        }
    }
    assert!(seen >= 7, "{seen}");
}

/// Every number with a range: the value at its limit, and one just beyond.
#[test]
fn borders_are_the_same() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("seed", &["0"], &["-1", "1.5"]),
        ("data.context", &["1", "1000000"], &["0", "-1", "1000001", "2.5"]),
        ("data.horizon", &["1", "1000000"], &["0", "1000001"]),
        ("data.purge", &["0", "1000000"], &["-1", "1000001"]),
        ("data.stride", &["1", "1000000"], &["0", "1000001"]),
        (
            "data.delimiter",
            &["\";\"", "\"\\t\"", "\"|\"", "\" \"", "\"\\u0001\""],
            &["\"a\"", "\"1\"", "\"\"", "\".\"", "\"-\"", "\"ä\"", "\"ab\"", "\"\\n\""],
        ),
        ("data.decimal", &["\".\"", "\",\""], &["\";\"", "\"\""]),
        ("data.thousands", &["\"'\"", "\" \""], &["\"1\"", "\"-\"", "\"+\"", "\"\""]),
        ("data.targets", &["[\"a\"]"], &["[]", "\"a\"", "[1]"]),
        (
            "data.scale",
            &[
                "\"robust\"",
                "{ kind = \"standard\" }",
                "{ kind = \"none\", ddof = 0 }",
                "{ kind = \"max-abs\", per = \"all\", ddof = 1 }",
            ],
            &[
                "\"max\"",
                "{}",
                "{ kind = \"standard\", ddof = 2 }",
                "{ kind = \"standard\", ddof = -1 }",
                "{ kind = \"standard\", by = 1 }",
            ],
        ),
        (
            "data.split",
            &[
                "{ train = 1, validation = 0, test = 0 }",
                "{ rows = [1, 0, 0] }",
                "{ validation_from = \"2014-01-01\", test_from = 7 }",
                "{ validation_from = \"2014\", test_from = \"2015\", until = \"2016\" }",
                "{ protocol = \"exchange-short\" }",
            ],
            &[
                "{}",
                "{ train = 0, validation = 0.5, test = 0.5 }",
                "{ train = 0.5, validation = -0.1, test = 0.5 }",
                "{ train = 0.5, validation = 0.1, test = 1.1 }",
                "{ train = 0.5, validation = 0.1 }",
                "{ rows = [0, 1, 1] }",
                "{ rows = [1, 1] }",
                "{ rows = [1, 1, 1, 1] }",
                "{ rows = [1, 1, 1], until = 5 }",
                "{ rows = [1, 1, 1], train = 0.5 }",
                "{ validation_from = \"2014\" }",
                "{ validation_from = 1.5, test_from = 7 }",
                "{ protocol = \"etth\" }",
                "\"ett\"",
            ],
        ),
        ("data.calendar", &["[]", "[\"hour\", \"day-of-year\"]"], &["[\"year\"]"]),
        ("data.header", &["false"], &["0"]),
        (
            "noise",
            &[
                "\"auto\"",
                "{ schedule = \"none\" }",
                "{ schedule = \"linear\", steps = 5 }",
                "{ auto = {} }",
                "{ auto = { budget = 1e-9 } }",
                "{ auto = { budget = 10 } }",
            ],
            &[
                "\"none\"",
                "{}",
                "{ steps = 5 }",
                "true",
                "{ auto = true }",
                "{ auto = { budget = 0 } }",
                "{ auto = { budget = 10.1 } }",
                "{ auto = { steps = 1 } }",
                "{ auto = {}, steps = 5 }",
                "{ steps = 5, auto = {} }",
            ],
        ),
        ("noise.steps", &["1", "1000000"], &["0", "1000001", "1.5"]),
        ("noise.beta_start", &["0", "0.1"], &["-1e-9", "1.001"]),
        ("noise.beta_end", &["1"], &["1.001", "-1e-9"]),
        (
            "noise.input",
            &["{ reinject = 0 }", "{ reinject = 1e6 }"],
            &["{ reinject = -1e-9 }", "{ reinject = 1000001 }"],
        ),
        (
            "noise.target",
            &["{ reinject = 0, scale = 0 }", "{ reinject = 1e6, scale = 10 }"],
            &[
                "{ reinject = -1e-9 }",
                "{ reinject = 1000001 }",
                "{ scale = -1e-9 }",
                "{ scale = 1000001 }",
            ],
        ),
        (
            "noise.sampler",
            &[
                "{ clean = 0 }",
                "{ clean = 1 }",
                "{ kind = \"low-noise\", power = 0 }",
                "{ kind = \"low-noise\", power = 1000 }",
                "{ kind = \"push-forward\", reinject = 0, target_reinject = 1e6 }",
                "{ kind = \"snr-uniform\", range_db = [-10, 10] }",
            ],
            &[
                "{ clean = -1e-9 }",
                "{ clean = 1.001 }",
                "{ kind = \"low-noise\", power = -1e-9 }",
                "{ kind = \"low-noise\", power = 1000.1 }",
                "{ kind = \"push-forward\", reinject = -1 }",
                "{ kind = \"push-forward\", target_reinject = 1000001 }",
                "{ kind = \"snr-uniform\", range_db = [-1001, 10] }",
                "{ kind = \"snr-uniform\", range_db = [-10, 1001] }",
                "{ kind = \"snr-uniform\", range_db = [-10] }",
                "{ kind = \"snr-uniform\", range_db = [-10, 0, 10] }",
            ],
        ),
        ("model.latent", &["1", "4096"], &["0", "4097"]),
        ("model.hidden", &["1", "16384"], &["0", "16385"]),
        ("model.layers", &["1", "256"], &["0", "257"]),
        ("model.decoder_layers", &["1", "256"], &["0", "257"]),
        ("model.groups", &["1", "256"], &["0", "257"]),
        ("model.dropout", &["0", "0.999"], &["-1e-9", "1"]),
        ("model.channel_embedding", &["0", "4096"], &["-1", "4097"]),
        ("model.patch", &["1", "1000000"], &["0", "1000001"]),
        ("model.heads", &["1", "3", "256"], &["0", "257"]),
        ("model.kernel", &["2", "1000000"], &["1", "1000001"]),
        ("model.instance_center", &["\"mean\"", "\"last\""], &["\"first\"", "0"]),
        ("model.instance_floor", &["1e-9"], &["0", "-1"]),
        (
            "model.scale",
            &["\"global\"", "{ fixed = 1e-9 }"],
            &[
                "{ fixed = 0 }",
                "{ fixed = -1 }",
                "{ global = 1 }",
                "\"fixed\"",
                "{ fixed = 1, per-step = 1 }",
            ],
        ),
        (
            "objective.kl_weight",
            &[
                "0",
                "2.5",
                "{ schedule = \"constant\" }",
                "{ schedule = \"constant\", end = 0 }",
                "{ schedule = \"linear\", steps = 1 }",
                "{ schedule = \"linear\", steps = 1000000000 }",
                "{ schedule = \"linear\", start = 0, end = 0, steps = 9 }",
                "{ schedule = \"cyclical\", period = 1, cycles = 1, rise = 1 }",
                "{ schedule = \"cyclical\", period = 9, cycles = 2, rise = 1e-9 }",
            ],
            &[
                "-1e-9",
                "\"1\"",
                "{}",
                "{ schedule = \"constant\", end = -1 }",
                "{ schedule = \"constant\", steps = 5 }",
                "{ schedule = \"linear\" }",
                "{ schedule = \"linear\", steps = 0 }",
                "{ schedule = \"linear\", steps = 1000000001 }",
                "{ schedule = \"linear\", steps = 5, start = -1 }",
                "{ schedule = \"linear\", steps = 5, period = 3 }",
                "{ schedule = \"cyclical\", period = 0, cycles = 1 }",
                "{ schedule = \"cyclical\", period = 1000000001, cycles = 1 }",
                "{ schedule = \"cyclical\", period = 1, cycles = 1000000001 }",
                "{ schedule = \"cyclical\", period = 1, cycles = 0 }",
                "{ schedule = \"cyclical\", period = 1, cycles = 1, rise = 0 }",
                "{ schedule = \"cyclical\", period = 1, cycles = 1, rise = 1.01 }",
                "{ schedule = \"cubic\", steps = 1 }",
            ],
        ),
        (
            "objective.free_bits",
            &["\"none\"", "{ per-dimension = 0 }", "{ per-group = 0.5 }"],
            &[
                "{ per-dimension = -1e-9 }",
                "{ per-group = -1 }",
                "0.5",
                "\"all\"",
                "{ per-dimension = 1, per-group = 1 }",
            ],
        ),
        ("objective.crps_weight", &["0", "2.5"], &["-1e-9", "\"1\""]),
        ("objective.crps_samples", &["2", "6", "1000"], &["0", "1", "3", "1002"]),
        ("train.ridge_start", &["true", "false"], &["1"]),
        ("train.epochs", &["0", "1", "1000000"], &["-1", "1000001", "9223372036854775807"]),
        ("train.max_steps", &["1", "1000000"], &["0", "1000001"]),
        ("train.validate_early", &["true", "false"], &["1"]),
        ("train.refit", &["true", "false"], &["1"]),
        ("train.batch_size", &["1", "1000000"], &["0", "1000001"]),
        ("train.steps_per_epoch", &["0", "1000000"], &["-1", "1000001"]),
        ("train.learning_rate", &["1e-12", "1"], &["0", "-1"]),
        ("train.warmup_steps", &["0", "1000000"], &["-1", "1000001"]),
        ("train.weight_decay", &["0"], &["-1e-9"]),
        ("train.ema_decay", &["0", "0.999"], &["-1e-9", "1"]),
        (
            "train.learning_rate_schedule",
            &[
                "\"cosine\"",
                "{ step = { every = 1, factor = 1 } }",
                "{ step = { every = 5, factor = 1e-9 } }",
            ],
            &[
                "\"step\"",
                "{ step = { every = 0, factor = 0.5 } }",
                "{ step = { every = 1000001, factor = 0.5 } }",
                "{ step = { every = 1, factor = 0 } }",
                "{ step = { every = 1, factor = 1.1 } }",
                "{ step = { every = 1 } }",
                "{ step = { every = 1, factor = 0.5, more = 1 } }",
            ],
        ),
        ("train.precision", &["\"auto\"", "\"f32\"", "\"bf16\""], &["\"f16\"", "32"]),
        ("train.clip_norm", &["0"], &["-1e-9"]),
        ("train.patience", &["0", "1000000"], &["-1", "1000001"]),
        ("train.validation_samples", &["2", "1000000"], &["1", "9223372036854775807"]),
        ("train.validation_stride", &["0", "1", "1000000"], &["-1", "1000001"]),
        ("evaluate.samples", &["2", "1000000"], &["1", "1000001"]),
        ("evaluate.season", &["0", "1000000"], &["-1", "1000001"]),
        ("evaluate.train_windows", &["1", "1000000"], &["0", "1000001"]),
    ];
    for &(key, good, bad) in cases {
        let (table, key) = key.rsplit_once('.').unwrap_or(("", key));
        for (values, valid) in [(good, true), (bad, false)] {
            for value in values {
                judge(&with(table, &format!("{key} = {value}")), valid);
            }
        }
    }
    let betas = |values: &str| with("noise", &format!("schedule = \"custom\"\nbetas = [{values}]"));
    judge(&betas("0, 0.5, 1"), true);
    for values in ["", "-1e-9", "1.001"] {
        judge(&betas(values), false);
    }
    let unnamed = "[data]\ncontext = 1\nhorizon = 1\n";
    judge(unnamed, false);
    judge(&format!("{unnamed}path = \"a.csv\"\n"), true);
    judge(&format!("{unnamed}path = \"\"\n"), false);
    judge(&format!("{unnamed}path = \"a.csv\"\nsource = \"seattle-weather\"\n"), false);
    judge("seed = 1", false);
}

/// Rules that involve several keys, and numbers that JSON does not have: the schema accepts these configs, and only the
/// parser refuses them. A rule that the schema learns must leave this list.
#[test]
fn the_schema_is_looser_only_here() {
    for (table, lines) in [
        ("data", "split = { train = 0.9, validation = 0.9, test = 0 }"),
        ("data", "layout = \"long\""),
        ("data", "layout = \"wide\"\nid = \"a\""),
        ("data", "targets = [\"a\"]\ntime = \"a\""),
        ("data", "decimal = \",\"\nthousands = \",\""),
        ("noise", "beta_start = 0.2\nbeta_end = 0.1"),
        ("noise", "betas = [0.1]"),
        ("noise", "schedule = \"custom\""),
        ("noise", "schedule = \"custom\"\nsteps = 2\nbetas = [0.1]"),
        ("noise", "sampler = { power = 1 }"),
        ("noise", "sampler = { kind = \"snr-uniform\", range_db = [10, 10] }"),
        ("noise", "target = { scale = 10.1 }"),
        ("noise", "schedule = \"jsd\"\ntarget = { scale = 1, reinject = 0 }"),
        ("model", "backbone = \"patch\"\nheads = 3"),
        ("train", "epochs = 1.0"), // JSON does not distinguish 1.0 from 1
    ] {
        let text = with(table, lines);
        assert_eq!(by_schema(&text), Ok(()), "{text}");
        assert!(by_parser(&text).is_err(), "{text}");
    }
}

/// Unknown keys are refused in every table; the tables come from the schema itself.
#[test]
fn every_table_is_closed() {
    fn walk(schema: &Value, place: &str, closed: &mut usize) {
        match schema {
            Value::Object(object) => {
                if object.get("properties").is_some_and(Value::is_object) {
                    assert_eq!(object.get("additionalProperties"), Some(&false.into()), "{place}");
                    *closed += 1;
                }
                for (key, value) in object {
                    walk(value, &format!("{place}/{key}"), closed);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, place, closed)),
            _ => {}
        }
    }
    let mut closed = 0;
    walk(&schema(), "", &mut closed);
    assert!(closed >= 15, "{closed}");
    for table in [
        "",
        "data",
        "noise",
        "noise.input",
        "noise.target",
        "noise.sampler",
        "model",
        "objective",
        "train",
        "evaluate",
    ] {
        judge(&with(table, "unheard_of = 1"), false);
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text == "null",
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(object) => object.values().any(holds_null),
        _ => false,
    }
}

/// The config that `ballast init` writes.
#[test]
fn a_new_config_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.csv");
    let rows: String = (0..400).map(|k| format!("{k},{}\n", (f64::from(k) / 3.0).sin())).collect();
    fs::write(&path, format!("time,x\n{rows}")).unwrap();
    let data = data::DataConfig::new(&path, 1, 1);
    let wanted = data::Init { data, horizon: Some(4), context: None };
    let data::Initial { config, about, .. } = data::init(&wanted, Path::new("")).unwrap();
    judge(&Config::new(config).commented(&about).unwrap(), true);
}

/// Every key of every table has a description and a default, unless it is required or found in the file.
#[test]
fn keys_are_described_and_show_their_defaults() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema.get("$id").is_none() && !holds_null(&schema));
    assert_eq!(schema.to_string(), train::schema().to_string(), "the same each time");
    let tables = [
        "DataConfig",
        "AutoNoise",
        "NoiseConfig",
        "InputTable",
        "TargetTable",
        "SamplerTable",
        "ModelConfig",
        "ObjectiveConfig",
        "TrainConfig",
        "EvaluateConfig",
    ];
    // Keys without a default are required, found in the file, or have a different one for each kind of model.
    let without = [
        "path",
        "source",
        "context",
        "horizon",
        "delimiter",
        "decimal",
        "thousands",
        "layout",
        "id",
        "time",
        "time_format",
        "time_zone",
        "frequency",
        "targets",
        "stride",
        "schedule",
        "steps",
        "betas",
        "power",
        "range_db",
        "reinject",
        "baselines",
        "target_reinject",
    ];
    for table in tables {
        let found = schema["$defs"].get(table).unwrap_or_else(|| panic!("{table}"));
        for (key, of) in found["properties"].as_object().unwrap() {
            assert!(of["description"].as_str().is_some_and(|text| text.len() > 5), "{table}.{key}");
            assert!(
                of.get("default").is_some() || without.contains(&key.as_str()),
                "{table}.{key}"
            );
        }
    }
    // Oracle: the defaults that the documentation of the keys states.
    let default =
        |table: &str, key: &str| schema["$defs"][table]["properties"][key]["default"].clone();
    assert_eq!(default("TrainConfig", "epochs"), 0);
    assert_eq!(default("ModelConfig", "backbone"), "mlp");
    assert_eq!(default("NoiseConfig", "beta_end"), 0.1);
    assert_eq!(default("TargetTable", "likelihood"), "noise-aware");
    assert_eq!(default("DataConfig", "format"), "auto");
    // Each default is a valid value of its key, since a config of nothing but defaults is valid.
    let resolved = by_parser(&with("", "seed = 0")).unwrap().to_toml().unwrap();
    by_schema(&resolved).unwrap();
}
