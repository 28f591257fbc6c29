//! Scores on added rows, which the weights before an update have not seen.

use baseline::{Baseline, Rule};
use feed::{Batch, Stream, WindowSet, seed};
use objective::ObjectiveError;
use objective::score::window_crps;
use record::UpdateScores;
use tch::{Tensor, no_grad};

use super::Newer;
use crate::error::TrainError;
use crate::forecaster::Forecaster;
use crate::run::Loaded;

/// Maximum number of windows.
const MOST: i64 = 500;

impl Newer {
    /// Scores of the weights before and after an update and of the naive forecaster, fitted on the known rows, on the
    /// targets of `added` windows that are in the added rows.
    pub(super) fn scores(
        &self,
        run: &Loaded,
        [before, after]: [&Forecaster; 2],
        added: &WindowSet,
    ) -> Result<Option<UpdateScores>, TrainError> {
        let windows = added.at_most(MOST);
        let samples = run.config.evaluate.samples as i64;
        let of = |forecaster: &Forecaster| {
            self.crps(run, &windows, &mut |batch| forecaster.sample(batch, samples))
        };
        let Some(score) = of(before)? else { return Ok(None) };
        let rule = Rule::naive(&self.before);
        let mut fitted = Baseline::fit_all(&self.before, &[rule], run.config.seed)?;
        let (naive_name, naive) = match fitted.pop() {
            Some((name, Some(naive))) => {
                let mut draw = |batch: &Batch| Ok(naive.sample(batch, samples)?);
                (name, self.crps(run, &windows, &mut draw)?.unwrap_or(f64::NAN))
            }
            Some((name, None)) => (name, f64::NAN),
            None => (String::new(), f64::NAN),
        };
        Ok(Some(UpdateScores {
            windows: windows.count(),
            before: score,
            after: of(after)?.unwrap_or(f64::NAN),
            naive_name,
            naive,
        }))
    }

    /// The mean over windows of the fair CRPS on observed targets in the added rows, standardized; `None` if there are
    /// none, NaN if a forecast is not finite.
    fn crps(
        &self,
        run: &Loaded,
        windows: &WindowSet,
        draw: &mut dyn FnMut(&Batch) -> Result<Tensor, TrainError>,
    ) -> Result<Option<f64>, TrainError> {
        let Newer { source, known, .. } = self;
        let panel = source.panel();
        no_grad(|| {
            seed(run.config.seed, Stream::Evaluation);
            let mut scores = Vec::new();
            for batch in
                windows.batches(panel, panel.scored_at_once(run.config.evaluate.samples as i64))
            {
                let batch = batch?;
                let new = source.targets_after(&batch.first_rows, known)?;
                let observed = match &batch.target_observed {
                    Some(observed) => observed.f_mul(&new)?,
                    None => new.f_expand_as(&batch.target)?,
                };
                match window_crps(&draw(&batch)?, &batch.target, Some(&observed)) {
                    Ok(each) => scores.extend(Vec::<f64>::try_from(each)?),
                    Err(ObjectiveError::NotFinite { .. }) => return Ok(Some(f64::NAN)),
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(stats::mean_of_finite(scores))
        })
    }
}
