//! The shape of a model for a panel.

use feed::{Columns, DevicePanel};
use vae::Shape;

/// The shape of a model that fits the windows of `panel`.
pub fn shape(panel: &DevicePanel) -> Shape {
    let Columns { context, horizon, targets, future, .. } = panel.columns();
    let (extras, seasonal) = (panel.extras(), panel.seasonal());
    Shape { context, horizon, channels: targets, extras, future, seasonal }
}
