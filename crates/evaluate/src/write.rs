//! What is written beside `evaluation.json`: scores window by window, and the samples themselves.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};
use train::{TrainError, write_atomically, write_text};

use crate::forecast::quoted;
use crate::scoring::WindowScore;

/// Scores of every forecaster and window, as CSV.
#[derive(Debug)]
pub(crate) struct Sheet {
    stride: usize,
    text: String,
}

const HEADER: &str = "forecaster,window,series,origin,crps,nmae,mae,mse,coverage_50,coverage_80,\
coverage_90,width_90,crps_sum,crps_standardized,log_score,energy,crps_of_step_sum,crps_of_channel_sum\n";

impl Sheet {
    pub(crate) fn new(stride: usize) -> Sheet {
        Sheet { stride, text: HEADER.to_owned() }
    }

    /// One row per window; what a window has no score of is empty.
    pub(crate) fn add(
        &mut self,
        name: &str,
        windows: &[WindowScore],
        series: &[usize],
        names: &[&str],
        times: &[String],
    ) {
        let name = quoted(name);
        let places = series.iter().zip(times);
        for (index, (window, (series, time))) in windows.iter().zip(places).enumerate() {
            let (series, time) = (quoted(names[*series]), quoted(time));
            let relative = &window.relative;
            let _ = write!(self.text, "{name},{index},{series},{time}");
            for value in [
                relative.crps,
                relative.nmae,
                relative.mae,
                relative.mse,
                relative.coverage_50,
                relative.coverage_80,
                relative.coverage_90,
                relative.width_90,
                window.crps_sum,
                window.crps_standardized,
                window.log_score,
                window.energy,
                window.step_sum,
                window.channel_sum,
            ] {
                let _ = match value.is_finite() {
                    true => write!(self.text, ",{value}"),
                    false => write!(self.text, ","),
                };
            }
            self.text.push('\n');
        }
    }

    /// Writes `scores.csv`, or for a supplement `scores-stride-N.csv`, into a folder.
    pub(crate) fn write(&self, folder: &Path, supplement: bool) -> Result<PathBuf, TrainError> {
        let path = match supplement {
            true => folder.join(format!("scores-stride-{}.csv", self.stride)),
            false => folder.join("scores.csv"),
        };
        write_text(&path, &self.text)?;
        Ok(path)
    }
}

/// Truth and samples of all windows, for anyone to score again.
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
        let (targets, samples) =
            (Tensor::f_cat(&self.targets, 0)?, Tensor::f_cat(&self.samples, 0)?);
        write_atomically(&self.path, |path| {
            let named = [("targets", &targets), ("samples", &samples)];
            Tensor::write_safetensors(&named, path).map_err(std::io::Error::other)
        })
    }
}
