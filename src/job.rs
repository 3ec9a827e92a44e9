//! Resumable long work: page, command line and tests drive the same jobs. Cancelling is not calling
//! `step` again.

use crate::error::Result;
use std::time::Duration;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Share of the work done, 0 to 1.
    pub fraction: f64,
    /// Whether nothing is left.
    pub done: bool,
}

/// Something longer than a frame.
pub trait Job {
    /// Works for about `budget` (at least one indivisible piece) and says how far it is.
    fn step(&mut self, budget: Duration) -> Result<Progress>;
}

/// Runs a job to its end.
pub fn run(job: &mut dyn Job) -> Result<()> {
    while !job.step(Duration::from_secs(3600))?.done {}
    Ok(())
}

/// Elapsed time. `std::time::Instant` is missing on wasm32 without a host, so there it asks the page's clock.
pub(crate) struct Clock {
    #[cfg(not(target_arch = "wasm32"))]
    start: std::time::Instant,
    #[cfg(target_arch = "wasm32")]
    start: f64,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        #[cfg(not(target_arch = "wasm32"))]
        return Clock { start: std::time::Instant::now() };
        #[cfg(target_arch = "wasm32")]
        return Clock { start: js_sys::Date::now() };
    }

    pub(crate) fn elapsed(&self) -> Duration {
        #[cfg(not(target_arch = "wasm32"))]
        return self.start.elapsed();
        #[cfg(target_arch = "wasm32")]
        return Duration::from_secs_f64((js_sys::Date::now() - self.start).max(0.0) / 1e3);
    }
}
