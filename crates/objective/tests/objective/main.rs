//! Journeys through the public API: each of the properties that the objective promises, seen from outside.

mod benchmark;
mod noise_aware;
mod nonlinear;
