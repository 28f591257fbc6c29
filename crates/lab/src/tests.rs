//! Experiments conducted to their end with a stand-in for `ballast`.

mod agreement;
mod backtests;
mod bench;
mod benchmarks;
mod conduct;
mod fake;
mod pages;
mod plans;
mod prepared;
mod study;
