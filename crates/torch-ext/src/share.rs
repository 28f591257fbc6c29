//! Random numbers for some rows of a batch, as if all of it were here.

use std::cell::Cell;

use tch::{TchError, Tensor};

use crate::ffi::Places;

/// Some rows of a batch, which a process computes; see [`with_share`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The first row of this process.
    pub first: i64,
    /// Number of its rows.
    pub count: i64,
    /// Number of all rows.
    pub of: i64,
}

impl Share {
    /// The share of a rank: consecutive rows, whose numbers differ by at most one between ranks. Where there are fewer
    /// rows than ranks, the last rows are shared by several; [`Share::weight`] counts each once.
    pub fn of_rank(rank: usize, world: usize, rows: i64) -> Share {
        let (rank, world) = (rank as i64, world as i64);
        let [first, end] = [rank, rank + 1].map(|rank| rank * rows / world);
        let first = first.min(rows - 1);
        Share { first, count: (end - first).max(1), of: rows }
    }

    /// The weight of a mean over the rows of this share in the mean over all rows: `count / of`, or 0 for a rank that
    /// repeats the row of another one.
    pub fn weight(&self, rank: usize, world: usize) -> f64 {
        let (rank, world) = (rank as i64, world as i64);
        let own = (rank + 1) * self.of / world - rank * self.of / world;
        own as f64 / self.of as f64
    }
}

thread_local! {
    static SHARE: Cell<Option<Share>> = const { Cell::new(None) };
}

/// Runs `work`, in which [`draw_share`] draws for all rows of a batch and keeps those of `share`.
///
/// Random numbers are then those that one process would draw for the whole batch, and the generator ends in the same
/// state, whatever the number of processes.
pub fn with_share<T>(share: Option<Share>, work: impl FnOnce() -> T) -> T {
    struct Before(Option<Share>);
    impl Drop for Before {
        fn drop(&mut self) {
            SHARE.set(self.0);
        }
    }
    let _before = Before(SHARE.replace(share));
    work()
}

/// The share that is in force on this thread.
pub fn share() -> Option<Share> {
    SHARE.get()
}

/// Random numbers of shape `size`, whose axis `axis` (from the end, from 1) holds the rows of a batch, each `k ≥ 1`
/// times in a row; `draw` makes them for any shape.
///
/// # Errors
/// Any error of `draw`, or of libtorch.
pub fn draw_share<E: From<TchError>>(
    size: &[i64],
    axis: usize,
    draw: impl FnOnce(&[i64]) -> std::result::Result<Tensor, E>,
) -> std::result::Result<Tensor, E> {
    let Some(Share { first, count, of }) = share() else { return draw(size) };
    let axis = size.len() - axis;
    let mut whole = size.to_vec();
    let times = size[axis] / count;
    whole[axis] = times * of;
    // Numbers by place take the share into account by themselves.
    let whole = with_share(None, || draw(&whole))?;
    Ok(whole.f_narrow(axis as i64, times * first, times * count)?)
}

/// The share in force for random numbers by place, of a tensor whose axis of the batch has `axis` rows with `after` rows
/// of memory for each.
pub(crate) fn places(axis: i64, after: i64) -> Places {
    let Some(Share { first, count, of }) = share() else { return Places::default() };
    let times = axis / count;
    Places { first: times * first, count: times * count, of: times * of, after }
}
