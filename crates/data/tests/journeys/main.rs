//! Journeys through the crate's public face: files in, windows, scaled values and messages out.

mod cases;
mod checking;
mod forecast;
mod hostile;
mod laws;
mod leakage;
mod origin;
mod protocols;
mod reading;
mod support;
mod times;
