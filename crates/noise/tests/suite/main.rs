//! Journeys through the public API, one binary.

mod coherent;
mod config;
mod copula;
mod diffuser;
mod distribution;
mod golden;
mod implied;
mod laws;
mod report;
mod samplers;
