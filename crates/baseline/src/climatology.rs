//! Climatology: blocks of the training rows of the same series, and of the same phase of the season on request.

use std::collections::HashMap;

use feed::{Batch, DevicePanel, History};
use objective::score::{bandwidth, kernel_log_density};
use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::law::{Law, MAX_COMPONENTS, NUMBERS};

/// Training blocks `[H, C]`, grouped by series and phase of the season.
#[derive(Debug)]
pub(crate) struct Climatology {
    context: usize,
    season: usize,
    /// First row of each series, from which the phases of its rows are counted.
    first: Vec<usize>,
    /// First rows of the blocks of each group, `[K · season]`; no group is empty.
    pub(crate) groups: Vec<Vec<usize>>,
    /// All blocks on the device, `[R', H, C]`: a view of the rows.
    pub(crate) blocks: Tensor,
}

impl Climatology {
    /// Groups the training blocks without gaps; a `season` of 1 gives one group per series. A group without such a
    /// block uses those of its series, and a series without one those of all series; `None` if there are none at all.
    pub(crate) fn fit(
        history: &History,
        panel: &DevicePanel,
        context: usize,
        season: usize,
    ) -> Result<Option<Climatology>> {
        let blocks = panel.target_blocks()?;
        let horizon = blocks.size()[1] as usize;
        let count = history.series().len();
        let whole: Vec<Vec<usize>> =
            (0..count).map(|series| history.whole_blocks(series, horizon)).collect();
        let all: Vec<usize> = whole.concat();
        if all.is_empty() {
            return Ok(None);
        }
        let first: Vec<usize> = history.series().iter().map(|series| series.rows.start).collect();
        let mut groups = Vec::with_capacity(count * season);
        for (series, whole) in whole.iter().enumerate() {
            for phase in 0..season {
                let fits = |row: &&usize| (*row - first[series]) % season == phase;
                let of_phase: Vec<usize> = whole.iter().filter(fits).copied().collect();
                groups.push(match (of_phase.is_empty(), whole.is_empty()) {
                    (false, _) => of_phase,
                    (true, false) => whole.clone(),
                    (true, true) => all.clone(),
                });
            }
        }
        Ok(Some(Climatology { context, season, first, groups, blocks }))
    }

    /// The group of each window.
    fn groups_of(&self, batch: &Batch) -> Result<Vec<usize>> {
        let starts = Vec::<i64>::try_from(batch.first_rows.f_to(Device::Cpu)?)?;
        let group = |start: i64| {
            let origin = start as usize + self.context;
            let series = self.first.partition_point(|first| *first < origin).max(1) - 1;
            series * self.season + (origin - self.first[series]) % self.season
        };
        Ok(starts.into_iter().map(group).collect())
    }
}

impl Law for Climatology {
    /// Blocks drawn with replacement from each window's group, `[S, B, H, C]`.
    fn sample(&self, batch: &Batch, samples: i64) -> Result<Tensor> {
        let groups = self.groups_of(batch)?;
        let place = Tensor::f_rand([samples, groups.len() as i64], (Kind::Double, Device::Cpu))?;
        let place = Vec::<f64>::try_from(place.f_view([-1])?)?;
        let pick = |(index, share): (usize, f64)| {
            let blocks = &self.groups[groups[index % groups.len()]];
            blocks[((share * blocks.len() as f64) as usize).min(blocks.len() - 1)] as i64
        };
        let rows: Vec<i64> = place.into_iter().enumerate().map(pick).collect();
        let rows = Tensor::f_from_slice(&rows)?.f_to(self.blocks.device())?;
        let drawn = self.blocks.f_index_select(0, &rows)?;
        let size = [samples, groups.len() as i64, drawn.size()[1], drawn.size()[2]];
        Ok(drawn.f_view(size)?)
    }

    /// The mean of all blocks of each window's group, `[B, H, C]`.
    fn mean(&self, batch: &Batch) -> Result<Tensor> {
        let groups = self.groups_of(batch)?;
        let mut means: HashMap<usize, Tensor> = HashMap::new();
        for group in &groups {
            if !means.contains_key(group) {
                let rows: Vec<i64> = self.groups[*group].iter().map(|row| *row as i64).collect();
                let rows = Tensor::f_from_slice(&rows)?.f_to(self.blocks.device())?;
                let blocks = self.blocks.f_index_select(0, &rows)?;
                means.insert(*group, blocks.f_mean_dim([0_i64].as_slice(), false, None)?);
            }
        }
        let each: Vec<&Tensor> = groups.iter().map(|group| &means[group]).collect();
        Ok(Tensor::f_stack(&each, 0)?)
    }

    /// The log density of each element under a kernel estimate from up to 200 blocks of its group,
    /// `[B, H, C]`, in nats.
    fn log_density(&self, batch: &Batch, _: i64) -> Result<Tensor> {
        let groups = self.groups_of(batch)?;
        let target = &batch.target;
        let mut scored: Vec<Option<Tensor>> = groups.iter().map(|_| None).collect();
        let mut distinct = groups.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for group in distinct {
            let rows: Vec<i64> =
                thinned(&self.groups[group], MAX_COMPONENTS).map(|row| *row as i64).collect();
            let rows = Tensor::f_from_slice(&rows)?.f_to(self.blocks.device())?;
            let blocks = self.blocks.f_index_select(0, &rows)?;
            let members: Vec<usize> = (0..groups.len()).filter(|b| groups[*b] == group).collect();
            if blocks.size()[0] < 2 {
                // A kernel width cannot be estimated from one block.
                for member in members {
                    let missing = target.f_get(member as i64)?.f_full_like(f64::NAN)?;
                    scored[member] = Some(missing.f_to_kind(Kind::Double)?);
                }
                continue;
            }
            let width = bandwidth(&blocks)?;
            let at_once = (NUMBERS / blocks.numel().max(1) as i64).max(1) as usize;
            for some in members.chunks(at_once) {
                let index = some.iter().map(|b| *b as i64).collect::<Vec<_>>();
                let index = Tensor::f_from_slice(&index)?.f_to(target.device())?;
                let truth = target.f_index_select(0, &index)?;
                let density = kernel_log_density(&blocks.f_unsqueeze(1)?, &width, &truth)?;
                for (place, member) in some.iter().enumerate() {
                    scored[*member] = Some(density.f_get(place as i64)?);
                }
            }
        }
        let scored: Vec<Tensor> = scored.into_iter().flatten().collect();
        Ok(Tensor::f_stack(&scored, 0)?)
    }
}

/// Evenly spaced items, at most `most` of them.
fn thinned<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let kept = all.len().min(most);
    (0..kept).map(move |i| &all[i * all.len() / kept])
}
