//! TODO climatology

use crate::{Forecaster, Past};

pub(crate) fn fit(_past: &Past) -> Option<Box<dyn Forecaster>> {
    None
}
