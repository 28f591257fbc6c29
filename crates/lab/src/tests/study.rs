//! The study, conducted to its end with a stand-in for `ballast`.

mod best;
mod numbers;
mod oracle;
mod page;
mod plans;
mod runs;
mod scene;
