//! Where a connect stands, so that a deadline can say what it interrupted.

use std::time::Instant;

use ibkr_connect_core::{Phase, PhaseTiming, millis};

/// The phases so far, and what the Gateway has said in the current one.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    phase: Phase,
    phase_started: Instant,
    timings: Vec<PhaseTiming>,
    /// Whether the Gateway has sent anything at all.
    pub(crate) heard: bool,
    /// The last error that the Gateway sent and that was not about a data farm.
    pub(crate) complaint: Option<(i32, String)>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            phase: Phase::Preflight,
            phase_started: now,
            timings: Vec::new(),
            heard: false,
            complaint: None,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Ends the current phase and begins `phase`.
    pub(crate) fn enter(&mut self, phase: Phase) {
        let now = Instant::now();
        self.timings.push(PhaseTiming::new(self.phase, now - self.phase_started));
        self.phase = phase;
        self.phase_started = now;
    }

    /// Every phase with its length so far.
    pub(crate) fn timings(&self) -> Vec<PhaseTiming> {
        let current = PhaseTiming::new(self.phase, self.phase_started.elapsed());
        self.timings.iter().copied().chain([current]).collect()
    }

    /// The whole so far, in milliseconds.
    pub(crate) fn total_ms(&self) -> f64 {
        millis(self.started.elapsed())
    }
}
