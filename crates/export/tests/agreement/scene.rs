//! A network, its windows, and Ballast's forecasts of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use data::Affine;
use export::{Exported, Parts};
use feed::DevicePanel;
use serde_json::json;
use tch::{CModule, Device, IValue, Kind, Tensor, no_grad};
use train::{Config, Control, Forecaster, Loaded, RunOptions, prepare};

use crate::cases::Case;
use crate::files;
use crate::noise::{Noise, draw};
use crate::table::{Table, statics_of};

/// Windows of a batch.
pub(crate) const WINDOWS: i64 = 5;
/// Samples of each window.
const SAMPLES: i64 = 7;
/// Levels of the quantiles.
const LEVELS: [f64; 4] = [0.05, 0.5, 0.51, 0.95];

/// A case with everything that a comparison takes.
pub(crate) struct Scene {
    exported: std::rc::Rc<Exported>,
    /// By name, in the order of the graph.
    inputs: Vec<(String, Tensor)>,
    /// Ballast's samples in the units of the table, `[S, B, T, C]`.
    expected: Tensor,
    /// Whether logarithms are forecast.
    log: bool,
}

impl Scene {
    /// Trains a step, moves the weights away from where they started, and forecasts.
    pub(crate) fn new(case: &Case, folder: &Path) -> Scene {
        let table = case.table(true);
        let known = case.known();
        let path = folder.join(format!("{}.csv", case.name));
        fs::write(&path, table.csv(160, 0, known, case.statics)).unwrap();
        let run = folder.join(format!("{}-run", case.name));
        let config = Config::parse(&case.config(&path), &case.name, &case.overrides()).unwrap();
        let control = Control::default().write_events(false);
        let training = prepare(&config, &run, RunOptions::default()).unwrap();
        training.run(&control, &mut |_| {}).unwrap();
        let run = Loaded::open(&run).unwrap();
        Scene::of(case, &case.table(false), &run, folder)
    }

    fn of(case: &Case, table: &Table, run: &Loaded, folder: &Path) -> Scene {
        let fit = run.latest();
        let horizon = run.config.data.horizon;
        let mut parts: Vec<Vec<Tensor>> = (0..=case.names().len()).map(|_| Vec::new()).collect();
        let mut exported = None;
        for window in 0..WINDOWS {
            let rows = 111 + 9 * window as usize;
            let series = window as usize % table.series.len();
            let path = folder.join("window.csv");
            let ahead = if case.known() < table.columns.len() { horizon } else { 0 };
            fs::write(&path, table.csv(rows, ahead, case.known(), case.statics)).unwrap();
            let pipeline = fit.pipeline();
            let input = match fit.masked() {
                true => pipeline.forecast_input(&path),
                false => pipeline.forecast_input_without_gaps(&path),
            }
            .unwrap();
            let mut panel = DevicePanel::of(&input.panel, &run.config.data, Device::Cpu).unwrap();
            if !fit.masked() {
                panel = panel.without_masks();
            }
            let forecaster = fit.forecaster(&panel).unwrap();
            moved(&forecaster);
            let start = input.windows.starts().nth(series).unwrap() as i64;
            let batch = panel.gather(&Tensor::from_slice(&[start])).unwrap();
            tch::manual_seed(window);
            let drawn = no_grad(|| forecaster.sample(&batch, SAMPLES)).unwrap();
            let steps = drawn.size()[2];
            let original = match forecaster.autoencodes() {
                true => unscaled(&drawn, |c| pipeline.scaler().affine(series, c).unwrap()),
                false => {
                    let flat = Vec::<f32>::try_from(drawn.contiguous().view([-1])).unwrap();
                    let values = input.original(series, &flat).unwrap();
                    Tensor::from_slice(&values).view(drawn.size().as_slice())
                }
            };
            let built = Parts {
                config: &run.config,
                forecaster: &forecaster,
                pipeline,
                masked: fit.masked(),
                limits: fit.limits(),
                levels: &LEVELS,
            };
            tch::manual_seed(window);
            let freedom = freedom(&forecaster);
            let noise = draw(&forecaster, freedom.as_ref(), SAMPLES, steps);
            let own = case.inputs(table, series, rows, &run.config.data, noise);
            parts[0].push(original);
            for (list, input) in parts[1..].iter_mut().zip(own) {
                list.push(input);
            }
            exported = Some(Exported::of(&built).unwrap());
        }
        let mut parts = parts.into_iter();
        let expected = Tensor::cat(&parts.next().unwrap(), 1);
        let inputs = case.names().into_iter().zip(parts).map(|(name, parts)| {
            let axis = i64::from(name.ends_with("noise") || name == "chi_square");
            (name.to_owned(), Tensor::cat(&parts, axis))
        });
        let exported = std::rc::Rc::new(exported.unwrap());
        let log = run.config.data.transform == data::Transform::Log;
        Scene { exported, inputs: inputs.collect(), expected, log }
    }

    /// The recorded module, through a file.
    pub(crate) fn torchscript(&self) -> CModule {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forecast.pt");
        fs::write(&path, self.exported.torchscript(&path).unwrap()).unwrap();
        CModule::load(&path).unwrap()
    }

    /// Samples of all windows, after a check of their quantiles.
    pub(crate) fn run_unrecorded(&self) -> Tensor {
        let inputs: Vec<Tensor> =
            self.inputs.iter().map(|(_, tensor)| tensor.shallow_clone()).collect();
        let outputs = self.exported.run(&inputs).unwrap();
        let [samples, quantiles] = outputs.as_slice() else { panic!("two outputs") };
        let known = |tensor: &Tensor| tensor.nan_to_num(0.0, None::<f64>, None::<f64>);
        let expected = samples.quantile(&Tensor::from_slice(&LEVELS), 0, false, "linear");
        let gap = (known(quantiles) - known(&expected)).abs().max().double_value(&[]);
        assert!(gap < 1e-9 * known(samples).abs().max().double_value(&[]), "quantiles: {gap:.1e}");
        samples.shallow_clone()
    }

    /// Samples of the first windows.
    pub(crate) fn run(&self, module: &CModule, windows: i64) -> Tensor {
        let inputs: Vec<IValue> = self
            .inputs
            .iter()
            .map(|(name, tensor)| {
                let axis = i64::from(name.ends_with("noise") || name == "chi_square");
                IValue::Tensor(tensor.narrow(axis, 0, windows))
            })
            .collect();
        let IValue::Tensor(samples) = module.forward_is(&inputs).unwrap() else {
            panic!("one output")
        };
        samples
    }

    /// Largest difference to Ballast's own samples, in their standard deviations by channel.
    pub(crate) fn gap(&self, found: &Tensor, windows: i64) -> f64 {
        let expected = self.expected.narrow(1, 0, windows);
        assert_eq!(found.size(), expected.size());
        let rounding = self.rounding().narrow(1, 0, windows);
        let gap = ((found - &expected).abs() - rounding).clamp_min(0.0) / self.spread();
        // There is no forecast where there must be none; otherwise one that is not a number is not close to one.
        let none = found.isnan().logical_and(&expected.isnan());
        let gap = gap.masked_fill(&none, 0.0);
        let gap = gap.max().double_value(&[]);
        if gap.is_nan() { f64::INFINITY } else { gap }
    }

    /// A forecast is rounded to f32 before the transform is undone, which makes a step of logarithms wider.
    fn rounding(&self) -> Tensor {
        match self.log {
            true => self.expected.abs() * self.expected.log().abs() * f64::from(f32::EPSILON),
            false => self.expected.zeros_like(),
        }
    }

    fn spread(&self) -> Tensor {
        let along = Some([1_i64].as_slice());
        let by_channel = self.expected.movedim_int(3, 0).flatten(1, -1);
        let mean = by_channel.nanmean(along, true, Kind::Double);
        (by_channel - mean).square().nanmean(along, false, Kind::Double).sqrt()
    }

    /// The same with one input times a factor.
    pub(crate) fn with_input(&self, name: &str, factor: f64) -> Scene {
        let changed = |(own, tensor): &(String, Tensor)| {
            let factor = if own == name { factor } else { 1.0 };
            (own.clone(), (tensor * factor).to_kind(tensor.kind()))
        };
        let inputs = self.inputs.iter().map(changed).collect();
        let (exported, expected) = (self.exported.clone(), self.expected.shallow_clone());
        Scene { exported, inputs, expected, log: self.log }
    }

    /// Writes both files, inputs and the forecast to a folder.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("forecast.onnx"), self.exported.onnx()).unwrap();
        let path = folder.join("forecast.pt");
        fs::write(&path, self.exported.torchscript(&path).unwrap()).unwrap();
        let list: Vec<_> =
            self.inputs.iter().map(|(name, tensor)| files::write(folder, name, tensor)).collect();
        let expected = files::write(folder, "expected", &self.expected);
        let spread = files::write(folder, "spread", &self.spread());
        let rounding = files::write(folder, "rounding", &self.rounding());
        let text = json!({ "inputs": list, "expected": expected, "spread": spread, "rounding": rounding, "levels": LEVELS });
        fs::write(folder.join("list.json"), text.to_string()).unwrap();
    }
}

/// Weights away from their start, so that every part of the network matters.
fn moved(forecaster: &Forecaster) {
    tch::manual_seed(11);
    let variables: BTreeMap<String, Tensor> = forecaster.store().variables().into_iter().collect();
    no_grad(|| {
        for (name, mut variable) in variables {
            if name.starts_with("copula") {
                continue;
            }
            let last = variable.size().last().copied().unwrap_or(1) as f64;
            let noise = variable.randn_like() * (0.5 / last.sqrt());
            let _ = variable.g_add_(&noise);
        }
    });
}

/// The degrees of freedom of each channel, `[C]`.
fn freedom(forecaster: &Forecaster) -> Option<Tensor> {
    let raw = forecaster.store().variables().remove("decoder.likelihood.log_excess_df")?;
    Some((((raw.detach() / 7.0).tanh() * 7.0).exp() + 2.0).to_kind(Kind::Float))
}

/// Windows themselves, which an autoencoder describes, in the units of the table.
fn unscaled(drawn: &Tensor, affine: impl Fn(usize) -> Affine) -> Tensor {
    let channels = drawn.size()[3] as usize;
    let numbers = |of: fn(Affine) -> f64| {
        Tensor::from_slice(&(0..channels).map(|c| of(affine(c))).collect::<Vec<f64>>())
    };
    let spread = numbers(|affine| affine.spread);
    drawn.to_kind(Kind::Double) * spread + numbers(|affine| affine.center)
}

impl Case {
    /// The inputs of one window, in the order of their names.
    fn inputs(
        &self,
        table: &Table,
        series: usize,
        rows: usize,
        config: &data::DataConfig,
        noise: Noise,
    ) -> Vec<Tensor> {
        let lost = usize::from(
            self.config_text.contains("\"difference\"") || self.config_text.contains("\"return\""),
        );
        let first = rows - config.context - lost;
        let own = &table.series[series];
        let cells = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
            let count = (rows.len() as i64, columns.len() as i64);
            let values: Vec<f64> =
                rows.flat_map(|row| own.values[row][columns.clone()].to_vec()).collect();
            Tensor::from_slice(&values).view([1, count.0, count.1])
        };
        let known = self.known();
        let mut inputs = vec![cells(first..rows, 0..known)];
        for name in self.names().into_iter().skip(1) {
            inputs.push(match name {
                "future" => cells(first..rows + config.horizon, known..table.columns.len()),
                "time" => {
                    let times = &own.times[first..rows + config.horizon];
                    Tensor::from_slice(times).unsqueeze(0)
                }
                "series" => Tensor::from_slice(&[series as i64]),
                "static" => {
                    let (area, region) = statics_of(series);
                    let south = f64::from(u8::from(region == "south"));
                    Tensor::from_slice(&[area, 1.0 - south, south]).unsqueeze(0)
                }
                "latent_noise" => noise.latent.shallow_clone(),
                "value_noise" => noise.values.shallow_clone(),
                _ => noise.chi_square.as_ref().unwrap().shallow_clone(),
            });
        }
        inputs
    }
}
