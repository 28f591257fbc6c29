//! The model from outside, as a caller with a training loop of their own relies on it.

mod combinations;
mod meaning;
mod support;
mod training;
