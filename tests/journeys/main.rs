//! Journeys of a user through the `ballast` binary, from start to end.

mod automatic;
mod endings;
mod errors;
mod export;
mod features;
mod honesty;
mod interrupt;
mod reading;
mod tensorboard;
mod together;
mod tools;
mod weights;
mod whole;
