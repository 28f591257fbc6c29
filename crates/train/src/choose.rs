//! Choices made on validation windows before training: whether to normalize windows, and the noise.

mod budget;
mod candidates;
mod instance;
mod search;

pub(crate) use budget::{rungs, total};
pub use candidates::{Candidate, candidates};
pub(crate) use instance::instance_helps;
pub use search::SearchProgress;
pub(crate) use search::{resolve, search};
