//! Journeys through the public API, one binary.

mod config;
mod diffuser;
mod distribution;
mod golden;
mod implied;
mod laws;
mod report;
mod samplers;
