//! Journeys: what a user does, start to end, through the `ballast` binary.

mod errors;
mod features;
mod honesty;
mod interrupt;
mod tensorboard;
mod tools;
mod weights;
mod whole;
