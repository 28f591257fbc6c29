//! Journeys: what a user does, start to end, through the `ballast` binary.

mod errors;
mod honesty;
mod tensorboard;
mod tools;
mod whole;
