//! Configs that are compared: every kind with every backbone, everything else that a config can ask for, and those that
//! ship.

use std::fs;
use std::path::Path;

use crate::table::{Table, table};

/// A config and the table that it is for.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The config but for the `[data]` keys that name the file.
    pub(crate) config_text: String,
    pub(crate) columns: Vec<&'static str>,
    /// Columns at the end that are known ahead.
    pub(crate) ahead: usize,
    pub(crate) series: Vec<&'static str>,
    pub(crate) statics: bool,
    pub(crate) gaps: bool,
    /// Gaps in the windows of a network that was trained without any.
    pub(crate) late_gaps: bool,
    /// Whether the second series has no value of its second channel in the rows of the training.
    pub(crate) unseen: bool,
    /// Hours between rows.
    pub(crate) step: i64,
    /// Whether it ships, with keys of its own for the length of training.
    pub(crate) shipped: bool,
    pub(crate) student: bool,
    pub(crate) timed: bool,
    /// Whether series have scales of their own.
    pub(crate) numbered: bool,
    pub(crate) early: bool,
}

/// Keys of a training of one step.
const SHORT: [&str; 9] = [
    "train.epochs=1",
    "train.steps_per_epoch=1",
    "train.refit=false",
    "train.validation_samples=2",
    "train.choose_instance_norm=false",
    "train.keep=\"last\"",
    "train.patience=0",
    "seed=5",
    "data.split={ train = 0.6, validation = 0.2, test = 0.2 }",
];

impl Case {
    fn new(name: &str, model: &str) -> Case {
        Case {
            name: name.to_owned(),
            config_text: format!(
                "[data]\ncontext = 13\nhorizon = 5\n[model]\nhidden = 8\nlatent = 2\n\
                 layers = 2\npatch = 4\nheads = 2\n{model}"
            ),
            columns: vec!["a", "b"],
            ahead: 0,
            series: vec!["one"],
            statics: false,
            gaps: false,
            late_gaps: false,
            unseen: false,
            step: 24,
            shipped: false,
            student: model.contains("student"),
            timed: false,
            numbered: false,
            early: false,
        }
    }

    fn data(mut self, keys: &str) -> Case {
        self.config_text = self.config_text.replacen("[data]\n", &format!("[data]\n{keys}\n"), 1);
        self.timed |= keys.contains("calendar") || keys.contains("seasonal");
        self
    }

    fn model(mut self, keys: &str) -> Case {
        self.config_text = self.config_text.replacen("[model]\n", &format!("[model]\n{keys}\n"), 1);
        self
    }

    /// A row less, so that the first row of a window with differences has no gap, whose value Ballast takes from the rows
    /// before.
    fn shorter(mut self) -> Case {
        self.config_text = self.config_text.replace("context = 13", "context = 12");
        self
    }

    /// The whole config, for the file at `path`.
    pub(crate) fn config(&self, path: &Path) -> String {
        let id = if self.series.len() > 1 { "id = \"shop\"\n" } else { "" };
        let file = format!("[data]\npath = \"{}\"\ntime = \"date\"\n{id}", path.display());
        let targets = match self.shipped || self.config_text.contains("targets") {
            true => "",
            false => "targets = [\"a\", \"b\"]\n",
        };
        let dropped = ["path =", "source =", "time =", "split =", "stride ="];
        let kept = self.config_text.lines().filter(|line| {
            !(self.shipped && dropped.iter().any(|key| line.trim_start().starts_with(key)))
        });
        let text: Vec<&str> = kept.collect();
        text.join("\n").replacen("[data]\n", &(file + targets), 1)
    }

    pub(crate) fn overrides(&self) -> Vec<String> {
        SHORT.iter().map(|item| (*item).to_owned()).collect()
    }

    /// The table of the training, or of the windows to forecast from.
    pub(crate) fn table(&self, training: bool) -> Table {
        let gaps = self.gaps || (self.late_gaps && !training);
        let mut table = table(&self.columns, &self.series, self.step, gaps, self.early);
        // The rows ahead need all their covariates.
        let whole = crate::table::table(&self.columns, &self.series, self.step, false, self.early);
        for (own, whole) in table.series.iter_mut().zip(&whole.series) {
            for (row, whole) in own.values.iter_mut().zip(&whole.values) {
                row[self.known()..].copy_from_slice(&whole[self.known()..]);
            }
        }
        if self.unseen && training {
            table.series[1].values.iter_mut().for_each(|row| row[1] = f64::NAN);
        }
        table
    }

    /// Columns of the context.
    pub(crate) fn known(&self) -> usize {
        self.columns.len() - self.ahead
    }

    /// Names of the inputs, in the order of the graph.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        [
            ("context", true),
            ("future", self.ahead > 0),
            ("time", self.timed),
            ("series", self.numbered),
            ("static", self.statics),
            ("latent_noise", true),
            ("value_noise", true),
            ("chi_square", self.student),
        ]
        .into_iter()
        .filter_map(|(name, there)| there.then_some(name))
        .collect()
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = grid();
    cases.extend(features());
    cases.extend(shipped());
    cases
}

/// Every kind with every backbone, over likelihoods, channels, scales and instance normalization in turn.
fn grid() -> Vec<Case> {
    let mut cases = Vec::new();
    let kinds = ["conditional", "predict", "hierarchical", "autoencode"];
    let backbones = ["linear", "mlp", "gru", "conv", "patch"];
    for (i, kind) in kinds.into_iter().enumerate() {
        for (j, backbone) in backbones.into_iter().enumerate() {
            let family = ["gaussian", "laplace", "student-t"][(i + j) % 3];
            let channels = ["joint", "independent"][(i + j) % 2];
            let scale = ["\"predicted\"", "\"per-step\"", "\"global\"", "{ fixed = 0.5 }"][j % 4];
            let instance = ["true", "false"][(i + j / 2) % 2];
            let center = ["mean", "last"][j % 2];
            let text = format!(
                "kind = \"{kind}\"\nbackbone = \"{backbone}\"\nchannels = \"{channels}\"\nscale = {scale}\n\
                 instance_norm = {instance}\ninstance_center = \"{center}\"\n[objective]\nlikelihood = \"{family}\"\n"
            );
            cases.push(Case::new(&format!("{kind}-{backbone}"), &text));
        }
    }
    cases
}

/// Everything else that a config can ask for, once at least.
fn features() -> Vec<Case> {
    let laplace = "[objective]\nlikelihood = \"laplace\"\n";
    let student = "[objective]\nlikelihood = \"student-t\"\n";
    let gaussian = "[objective]\nlikelihood = \"gaussian\"\n";
    let noised = "[noise]\nschedule = \"linear\"\nsteps = 10\ninput = { reinject = 1.0 }\n\
                  target = { scale = 0.3, reinject = 1.0, likelihood = \"direct\" }\n";
    let all = "calendar = [\"hour\", \"weekday\", \"day-of-month\", \"month\", \"day-of-year\"]\n\
               seasonal = [\"weekday\", \"day-of-year\"]";
    let mut cases = vec![
        Case::new("log", laplace).data("transform = \"log\"").model("instance_floor = 1.0"),
        Case::new("difference", gaussian).data("transform = \"difference\""),
        Case::new("return", student).data("transform = \"return\""),
        Case::new("copula-gaussian", gaussian).model("residuals = \"correlated\""),
        Case::new("copula-laplace", laplace).model("residuals = \"correlated\""),
        Case::new("copula-student", student).model("residuals = \"correlated\""),
        Case::new("location-skip", student).model("location = \"skip\"\ninstance_norm = false"),
        Case::new("location-nothing", laplace)
            .model("location = \"skip\"\nlinear_skip = false\ninstance_center = \"last\""),
        Case::new("noised", &format!("noise_conditioning = true\n{gaussian}{noised}")),
        Case::new("noised-gru", &format!("noise_conditioning = true\n{gaussian}{noised}"))
            .model("backbone = \"gru\"\nchannel_embedding = 0"),
        Case::new("robust", laplace).data("scale = \"robust\""),
    ];
    for backbone in ["mlp", "gru", "conv", "patch"] {
        let mut calendar = Case::new(&format!("calendar-{backbone}"), laplace)
            .data(all)
            .model(&format!("backbone = \"{backbone}\""));
        calendar.step = if backbone == "mlp" { 7 } else { 24 };
        calendar.early = backbone == "gru";
        cases.push(calendar);
        let mut gaps = Case::new(&format!("gaps-{backbone}"), gaussian)
            .model(&format!("backbone = \"{backbone}\"\ninstance_center = \"last\""));
        gaps.gaps = true;
        cases.push(gaps);
    }
    for (name, keys) in [
        ("gaps-log", "transform = \"log\""),
        ("gaps-difference", "transform = \"difference\""),
        ("gaps-zero", "fill = \"zero\""),
        ("gaps-forward", "fill = \"forward\""),
        ("gaps-interpolate", "fill = \"interpolate\""),
        ("gaps-interpolate-return", "fill = \"interpolate\"\ntransform = \"return\""),
    ] {
        let mut gaps = Case::new(name, laplace).data(keys);
        if keys.contains("transform") && name != "gaps-log" {
            gaps = gaps.shorter();
        }
        gaps.gaps = true;
        cases.push(gaps);
    }
    for (name, keys) in
        [("late-gaps", "fill = \"mask\""), ("late-gaps-difference", "transform = \"difference\"")]
    {
        let mut gaps = Case::new(name, gaussian).data(keys);
        if keys.contains("transform") && name != "gaps-log" {
            gaps = gaps.shorter();
        }
        gaps.late_gaps = true;
        cases.push(gaps);
    }
    let covariates = "targets = [\"a\", \"b\"]\npast_covariates = [\"c\"]\n\
                      spreads = [[\"high\", \"low\"]]\nfuture_covariates = [\"price\"]";
    for (name, channels, gaps) in [
        ("covariates", "independent", false),
        ("covariates-joint", "joint", false),
        ("covariates-gaps", "independent", true),
    ] {
        let mut case = Case::new(name, gaussian)
            .data(covariates)
            .data("calendar = [\"month\"]")
            .model(&format!("channels = \"{channels}\""));
        case.columns = vec!["a", "b", "c", "high", "low", "price"];
        (case.ahead, case.gaps) = (1, gaps);
        cases.push(case);
    }
    let statics = "static_covariates = [\"area\", \"region\"]";
    for (name, keys, numbered) in [
        ("panel", "scale = \"standard\"", true),
        ("panel-common", "scale = { kind = \"standard\", per = \"all\" }", false),
    ] {
        let mut case = Case::new(name, laplace).data(keys).data(statics);
        (case.series, case.statics, case.numbered) = (vec!["one", "two", "three"], true, numbered);
        cases.push(case);
    }
    let mut unseen = Case::new("unseen", laplace);
    (unseen.series, unseen.numbered, unseen.unseen) = (vec!["one", "two"], true, true);
    cases.push(unseen);
    cases
}

/// The configs in the repository, over columns of our own.
fn shipped() -> Vec<Case> {
    let weather = vec!["precipitation", "temp_max", "temp_min", "wind"];
    let etth1 = vec!["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"];
    let stocks = vec!["target", "high", "low"];
    let files: [(&str, &[&'static str]); 12] = [
        ("seattle-weather.toml", &weather),
        ("hierarchical.toml", &weather),
        ("benchmarks/default.toml", &["a", "b"]),
        ("benchmarks/etth1.toml", &etth1),
        ("benchmarks/exchange.toml", &etth1),
        ("benchmarks/stocks.toml", &stocks),
        ("benchmarks/weather.toml", &weather),
        ("study/etth1.toml", &etth1),
        ("study/exchange.toml", &etth1),
        ("study/simulated.toml", &["a"]),
        ("study/stocks.toml", &stocks[..1]),
        ("study/weather.toml", &weather),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let case = |(file, columns): (&str, &[&'static str])| {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        // A window as long as its table has no room for others.
        let text =
            text.replace("context = 96", "context = 24").replace("horizon = 96", "horizon = 24");
        let text = text
            .replace("context = 48 ", "context = 24 ")
            .replace("context = 48\n", "context = 24\n");
        Case {
            name: file.replace('/', "-").replace(".toml", ""),
            student: text.contains("\"student-t\""),
            timed: text.contains("\ncalendar"),
            columns: columns.to_vec(),
            shipped: true,
            config_text: text,
            ..Case::new("", "")
        }
    };
    files.into_iter().map(case).collect()
}
