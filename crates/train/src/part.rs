//! Work that several processes share: windows of a batch, and lists of items.

use objective::ObjectiveError;
use tch::Tensor;
use torch_ext::{ProcessGroup, Share};

use crate::error::TrainError;

/// The share of a batch that a process computes, and the processes that compute the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) share: Share,
    pub(crate) group: &'a ProcessGroup,
}

impl<'a> Part<'a> {
    pub(crate) fn new(group: &'a ProcessGroup, windows: i64) -> Part<'a> {
        Part { share: Share::of_rank(group.rank(), group.world(), windows), group }
    }

    /// The weight of a mean over this share in the mean over the batch.
    pub(crate) fn weight(&self) -> f64 {
        self.share.weight(self.group.rank(), self.group.world())
    }

    /// The mean over the batch of means over the shares.
    pub(crate) fn mean(&self, mean: &Tensor) -> Result<Tensor, TrainError> {
        let weight = self.weight();
        let sum = if weight > 0.0 { mean * weight } else { mean.f_zeros_like()? };
        let sum = sum.f_contiguous()?;
        self.group.sum(&sum)?;
        Ok(sum)
    }
}

/// The numbers that `work` gives for each of `count` items, one after the other in their order, on every rank. Rank `r` of
/// `N` works on items `r`, `r + N`, …; one process does all.
///
/// # Errors
/// Any error of `work`. One of them is a result as others are: that numbers are not finite, which all ranks then return.
pub fn share_out(
    group: Option<&ProcessGroup>,
    count: usize,
    mut work: impl FnMut(usize) -> Result<Vec<f64>, TrainError>,
) -> Result<Vec<f64>, TrainError> {
    let Some(group) = group else {
        return Ok((0..count).map(work).collect::<Result<Vec<_>, _>>()?.concat());
    };
    let mut torn = None;
    let mut own = Vec::new();
    for index in (group.rank()..count).step_by(group.world()) {
        match work(index) {
            Ok(numbers) => own.push(numbers),
            Err(TrainError::Objective(error @ ObjectiveError::NotFinite { .. })) => {
                torn = Some(error);
                break;
            }
            Err(other) => return Err(other),
        }
    }
    // The first number tells whether the ones after it are whole.
    let mut bytes = vec![u8::from(torn.is_none())];
    for numbers in &own {
        bytes.extend((numbers.len() as u64).to_le_bytes());
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    let all = group.gather_bytes(&bytes)?;
    if all.iter().any(|bytes| bytes[0] == 0) {
        let elsewhere =
            ObjectiveError::NotFinite { what: "the forecasts of another rank", count: 1 };
        return Err(torn.unwrap_or(elsewhere).into());
    }
    let mut queues: Vec<&[u8]> = all.iter().map(|bytes| &bytes[1..]).collect();
    let mut numbers = Vec::new();
    for index in 0..count {
        let queue = &mut queues[index % group.world()];
        for _ in 0..u64::from_le_bytes(eight(queue)) {
            numbers.push(f64::from_le_bytes(eight(queue)));
        }
    }
    Ok(numbers)
}

/// Takes eight bytes off the front of a message of our own form.
pub(crate) fn eight(queue: &mut &[u8]) -> [u8; 8] {
    let (front, rest) = queue.split_first_chunk().expect("all ranks run the same program");
    *queue = rest;
    *front
}
