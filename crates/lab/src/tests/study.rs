//! The study, conducted to its end with a stand-in for `ballast`.

mod best;
mod numbers;
mod page;
mod plans;
mod runs;
pub(super) mod scene;
