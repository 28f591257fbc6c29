//! Settings of a training that do not change its results.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use torch_ext::ProcessGroup;

/// When a training saves, when it stops early, and whether it writes TensorBoard event files.
///
/// These settings do not change the results: a training that was stopped and continued gives the same bits.
#[derive(Debug, Clone)]
pub struct Control {
    stop: Arc<AtomicBool>,
    save_every: Duration,
    deadline: Option<Instant>,
    events: bool,
    group: Option<Arc<ProcessGroup>>,
}

impl Default for Control {
    fn default() -> Self {
        Control::new(Arc::default())
    }
}

impl Control {
    /// A control that stops a training after the current step once `stop` is set, and saves every minute.
    pub fn new(stop: Arc<AtomicBool>) -> Control {
        Control {
            stop,
            save_every: Duration::from_secs(60),
            deadline: None,
            events: true,
            group: None,
        }
    }

    /// Whether to write TensorBoard event files; the default is to write them.
    pub fn write_events(self, events: bool) -> Control {
        Control { events, ..self }
    }

    /// Time between saves; zero saves after every step.
    pub fn save_every(self, interval: Duration) -> Control {
        Control { save_every: interval, ..self }
    }

    /// Time from this call until the training saves and stops, at the end of a step.
    pub fn max_time(self, time: Duration) -> Control {
        Control { deadline: Instant::now().checked_add(time), ..self }
    }

    /// The processes that train together. Each has a run directory of its own, see [`crate::Mirror`].
    pub fn group(&self) -> Option<&ProcessGroup> {
        self.group.as_deref()
    }

    /// Trains together with the other processes of `group`, all of which run the same training. The results are those of
    /// one process up to rounding; a group of one is no group.
    pub fn with_group(self, group: Option<Arc<ProcessGroup>>) -> Control {
        Control { group: group.filter(|group| group.world() > 1), ..self }
    }

    pub(crate) fn events(&self) -> bool {
        self.events && self.group().is_none_or(|group| group.rank() == 0)
    }

    pub(crate) fn save_is_due(&self, last: Instant) -> bool {
        last.elapsed() >= self.save_every
    }

    /// Whether to stop at once, in the middle of a validation. The maximum time waits for its end, so that each start
    /// gets further than the one before. Several processes can only stop together, after a step.
    pub(crate) fn interrupted(&self) -> bool {
        self.group.is_none() && self.asked_to_stop()
    }

    fn asked_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn stops(&self) -> bool {
        self.asked_to_stop() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
