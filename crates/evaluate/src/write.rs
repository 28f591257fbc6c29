//! The files beside `evaluation.json`: scores of every window, and the samples.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use record::{RecordError, WindowRow};
use tch::{Kind, Tensor};
use train::{TrainError, serialized};

use crate::table::{Measure, ScoreTable};

/// The rows of a forecaster in `scores.csv`, one per window.
pub(crate) fn window_rows<'a>(
    name: &'a str,
    table: &'a ScoreTable,
    series: &'a [usize],
    names: &'a [&str],
    times: &'a [String],
) -> impl Iterator<Item = WindowRow> + 'a {
    let places = series.iter().zip(times).enumerate();
    places.map(move |(window, (series, time))| {
        let score = |measure| table.get(measure, window);
        WindowRow {
            forecaster: name.to_owned(),
            window,
            series: names[*series].to_owned(),
            origin: time.clone(),
            crps: score(Measure::Crps),
            nmae: score(Measure::Nmae),
            mae: score(Measure::Mae),
            mse: score(Measure::Mse),
            coverage_50: score(Measure::Coverage50),
            coverage_80: score(Measure::Coverage80),
            coverage_90: score(Measure::Coverage90),
            width_90: score(Measure::Width90),
            crps_sum: score(Measure::CrpsSum),
            crps_standardized: score(Measure::CrpsStandardized),
            log_score: score(Measure::LogScore),
            energy: score(Measure::Energy),
            crps_of_step_sum: score(Measure::StepSum),
            crps_of_channel_sum: score(Measure::ChannelSum),
        }
    })
}

/// Truth and samples of all windows, for other programs to score.
#[derive(Debug)]
pub(crate) struct Dump {
    path: PathBuf,
    targets: Vec<Tensor>,
    samples: Vec<Tensor>,
}

impl Dump {
    pub(crate) fn new(path: &Path) -> Dump {
        Dump { path: path.to_owned(), targets: Vec::new(), samples: Vec::new() }
    }

    /// Truth `[B, H, C]` and samples `[S, B, H, C]` of the next windows, original units.
    pub(crate) fn add(&mut self, truth: &Tensor, samples: &Tensor) -> Result<(), TrainError> {
        let single = |tensor: &Tensor| tensor.f_to_kind(Kind::Float)?.f_contiguous();
        self.targets.push(single(truth)?);
        self.samples.push(single(&samples.f_transpose(0, 1)?)?);
        Ok(())
    }

    /// Writes `targets` `[N, H, C]` and `samples` `[N, S, H, C]` as f32 safetensors.
    pub(crate) fn finish(self) -> Result<(), TrainError> {
        let named = [("samples", &self.samples), ("targets", &self.targets)];
        let named = named.map(|(name, parts)| Ok((name.to_owned(), Tensor::f_cat(parts, 0)?)));
        let named = named.into_iter().collect::<Result<BTreeMap<_, _>, TrainError>>()?;
        let bytes = serialized(&self.path, &named, None)?;
        let written = files::write(&self.path, |file| file.write_all(&bytes));
        Ok(written.map_err(RecordError::writing(&self.path))?)
    }
}
