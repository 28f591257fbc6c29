//! Sample paths of a run for rows that are in memory.

use data::Panel;
use feed::{DevicePanel, Stream, seed};
use tch::{Device, Kind, Tensor, no_grad};
use train::{Fit, RunOptions, TrainError};

/// Sample paths of each series of `panel` from the end of its rows, by name of the series: `[S · H · C]` in original
/// units. The rows are as they were read, without calendar features. Series that cannot be forecast are missing.
///
/// # Errors
/// [`TrainError`] if no series can be forecast, or the weights are missing.
pub fn samples(
    fit: &Fit,
    panel: Panel,
    count: usize,
    draw: u64,
    options: RunOptions,
) -> Result<Vec<(String, Vec<f64>)>, TrainError> {
    let device = options.device.resolve()?;
    let input = fit.pipeline().forecast_panel(panel, fit.masked())?;
    let mut rows = DevicePanel::of(&input.panel, fit.pipeline().config(), device)?;
    if !fit.masked() {
        rows = rows.without_masks();
    }
    let forecaster = fit.forecaster(&rows)?;
    seed(draw, Stream::Evaluation);
    let starts: Vec<i64> = input.windows.starts().map(|start| start as i64).collect();
    let mut found = Vec::with_capacity(starts.len());
    let at_once = rows.scored_at_once(count as i64) as usize;
    for (chunk, some) in starts.chunks(at_once).enumerate() {
        let first_rows = Tensor::f_from_slice(some)?.f_to(device)?;
        let drawn = no_grad(|| forecaster.sample(&rows.gather(&first_rows)?, count as i64))?;
        for (index, _) in some.iter().enumerate() {
            let one = drawn.f_select(1, index as i64)?.f_contiguous()?.f_view([-1])?;
            let values = Vec::<f32>::try_from(one.f_to_kind(Kind::Float)?.f_to(Device::Cpu)?)?;
            let series = chunk * at_once + index;
            let name = input.panel.series()[series].name().to_owned();
            found.push((name, input.original(series, &values)?));
        }
    }
    Ok(found)
}
