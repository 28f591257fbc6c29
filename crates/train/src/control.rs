//! What a training is told from outside, and what changes nothing of what it computes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// When a training saves, when it stops before its end, and what it writes by the way.
///
/// None of it changes what is computed: a training that was stopped and continued gives the same bits.
#[derive(Debug, Clone)]
pub struct Control {
    stop: Arc<AtomicBool>,
    save_every: Duration,
    deadline: Option<Instant>,
    events: bool,
}

impl Default for Control {
    fn default() -> Self {
        Control::new(Arc::default())
    }
}

impl Control {
    /// Stops after the step under way once `stop` is set; saves every minute.
    pub fn new(stop: Arc<AtomicBool>) -> Control {
        Control { stop, save_every: Duration::from_secs(60), deadline: None, events: true }
    }

    /// Whether to write TensorBoard event files, which it does where this is not called.
    pub fn write_events(self, events: bool) -> Control {
        Control { events, ..self }
    }

    /// Saves after the first step that ends so long after the last save; zero saves after every step.
    pub fn save_every(self, interval: Duration) -> Control {
        Control { save_every: interval, ..self }
    }

    /// Saves and stops after the first step that ends so long after this call.
    pub fn max_time(self, time: Duration) -> Control {
        Control { deadline: Instant::now().checked_add(time), ..self }
    }

    pub(crate) fn events(&self) -> bool {
        self.events
    }

    pub(crate) fn save_is_due(&self, last: Instant) -> bool {
        last.elapsed() >= self.save_every
    }

    pub(crate) fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
