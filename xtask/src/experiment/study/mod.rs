//! The study: whether noise, and adding the clean signal back to it, prevents overfitting.

#[cfg_attr(not(test), expect(dead_code, reason = "the study's plan does not name processes yet"))]
mod simulate;
