//! Sample paths of a run for rows that are in memory.

use data::Panel;
use feed::{DevicePanel, Stream, seed_batch};
use tch::{Device, Kind, Tensor, no_grad};
use train::{Fit, ProcessGroup, RunOptions, TrainError, share_out};

/// Sample paths of each series of `panel` from the end of its rows, by name of the series: `[S · H · C]` in original
/// units. The rows are as they were read, without calendar features. Series that cannot be forecast are missing. The
/// processes of `group`, if there are some, share the work.
///
/// # Errors
/// [`TrainError`] if no series can be forecast, or the weights are missing.
pub fn samples(
    fit: &Fit,
    panel: Panel,
    count: usize,
    draw: u64,
    options: RunOptions,
    group: Option<&ProcessGroup>,
) -> Result<Vec<(String, Vec<f64>)>, TrainError> {
    let device = options.device.resolve()?;
    let input = fit.pipeline().forecast_panel(panel, fit.masked())?;
    let mut rows = DevicePanel::of(&input.panel, fit.pipeline().config(), device)?;
    if !fit.masked() {
        rows = rows.without_masks();
    }
    let forecaster = fit.forecaster(&rows)?;
    let starts: Vec<i64> = input.windows.starts().map(|start| start as i64).collect();
    let at_once = rows.scored_at_once(count as i64) as usize;
    let chunks: Vec<&[i64]> = starts.chunks(at_once).collect();
    let all = share_out(group, chunks.len(), |chunk| {
        seed_batch(draw, Stream::Evaluation, chunk);
        let first_rows = Tensor::f_from_slice(chunks[chunk])?.f_to(device)?;
        let drawn = no_grad(|| forecaster.sample(&rows.gather(&first_rows)?, count as i64))?;
        let mut numbers = Vec::new();
        for index in 0..chunks[chunk].len() {
            let one = drawn.f_select(1, index as i64)?.f_contiguous()?.f_view([-1])?;
            let values = Vec::<f32>::try_from(one.f_to_kind(Kind::Float)?.f_to(Device::Cpu)?)?;
            numbers.extend(input.original(chunk * at_once + index, &values)?);
        }
        Ok(numbers)
    })?;
    let each = all.len() / starts.len().max(1);
    let name = |series: usize| input.panel.series()[series].name().to_owned();
    Ok(all.chunks(each.max(1)).enumerate().map(|(i, one)| (name(i), one.to_vec())).collect())
}
