//! Journeys across the crates live in `tests/`.
