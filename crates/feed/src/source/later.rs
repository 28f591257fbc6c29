//! The data of more training: a newer table, of which a model knows the first rows of each series.

use data::{KnownRows, Prepared};
use tch::{Device, Kind, Tensor};

use super::{Part, Selection, Source};
use crate::error::FeedError;
use crate::windows::WindowSet;

impl Source {
    /// Rows that were prepared by [`data::Pipeline::prepare`]; the model has masks or not.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn of_prepared(
        prepared: Prepared,
        selection: Selection,
        masks: bool,
        device: Device,
    ) -> Result<Source, FeedError> {
        let config = prepared.pipeline.config().clone();
        let source = Source::of(prepared, &config, selection, device)?;
        let panel = if masks { source.panel } else { source.panel.without_masks() };
        Ok(Source { panel, ..source })
    }

    /// The rows of each series as they were read, by which a newer table is compared.
    pub fn known_rows(&self) -> &[KnownRows] {
        &self.prepared.known
    }

    /// The training windows whose last row is after the first `known[s]` rows of their series `s`.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if the device has no room.
    pub fn windows_after(&self, known: &[usize]) -> Result<WindowSet, FeedError> {
        let length = self.config.context + self.config.horizon;
        let series = self.prepared.panel.series();
        let segments = Part::Train.of(&self.prepared).segments().iter().map(|segment| {
            let known = known.get(segment.series).copied().unwrap_or(0);
            // The last row of window `k` is `first + k · stride + length − 1`.
            let border = series[segment.series].rows().start + known;
            let before = (border + 1).saturating_sub(segment.first + length);
            let skipped = before.div_ceil(segment.stride).min(segment.count);
            let first = segment.first + skipped * segment.stride;
            (first as i64, (segment.count - skipped) as i64, segment.stride as i64)
        });
        WindowSet::new(segments, self.panel.device())
    }

    /// Which targets of the windows that start at `first_rows` are after the first `known[s]` rows of their series `s`:
    /// `[B, H, 1]`, one or zero.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if libtorch fails.
    pub fn targets_after(&self, first_rows: &Tensor, known: &[usize]) -> Result<Tensor, FeedError> {
        let panel = &self.prepared.panel;
        let (context, horizon) = (self.config.context, self.config.horizon);
        let starts = Vec::<i64>::try_from(first_rows.f_to(Device::Cpu)?)?;
        let mut after = Vec::with_capacity(starts.len() * horizon);
        for start in starts {
            let origin = start as usize + context;
            let series = panel.series_of(origin).unwrap_or(0);
            let known = known.get(series).copied().unwrap_or(0);
            let border = panel.series()[series].rows().start + known;
            after.extend((origin..origin + horizon).map(|row| f32::from(u8::from(row >= border))));
        }
        let after = Tensor::f_from_slice(&after)?.f_view([-1, horizon as i64, 1])?;
        Ok(after.f_to_kind(Kind::Float)?.f_to(first_rows.device())?)
    }
}
