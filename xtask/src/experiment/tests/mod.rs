//! Experiments conducted to their end with a stand-in for `ballast`.

mod benchmarks;
mod conduct;
mod fake;
mod pages;
mod plans;
