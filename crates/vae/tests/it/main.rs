//! The model from outside: what a caller with a training loop of their own relies on.

mod combinations;
mod meaning;
mod support;
mod training;
