//! Journeys through the public API, one for each property that the crate promises.

mod benchmark;
mod noise_aware;
mod nonlinear;
