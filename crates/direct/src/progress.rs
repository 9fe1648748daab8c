//! Where a connect stands, so that a deadline can say what it interrupted.

use std::time::Instant;

use ibkr_connect_core::{Error, ErrorKind, Phase, PhaseTiming, Target, millis};
use ibkr_connect_wire::{Complaint, Handshake};

use crate::failure::{explained, phase};

/// The phases so far, and what the Gateway has said in them.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    phase: Phase,
    phase_started: Instant,
    timings: Vec<PhaseTiming>,
    skipped: Option<String>,
    complaint: Option<Complaint>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            phase: Phase::Preflight,
            phase_started: now,
            timings: Vec::new(),
            skipped: None,
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
        self.skipped = None;
    }

    /// The handshake has come as far as this.
    pub(crate) fn follow(&mut self, handshake: &Handshake) {
        let phase = phase(handshake.stage());
        if phase != self.phase {
            self.enter(phase);
        }
        self.skipped = handshake.skipped().map(str::to_owned);
        self.complaint = handshake.complaint().cloned();
    }

    /// The error of a deadline: what `missing` says did not happen, and what the Gateway said instead.
    pub(crate) fn silence(&self, target: &Target, missing: &str) -> Error {
        let mut message = format!(
            "{} did not finish the handshake within {:?}: {missing}",
            target.address(),
            target.timeout
        );
        if let Some(skipped) = &self.skipped {
            message += &format!("; it sent {skipped:?}");
        }
        let Some(complaint) = &self.complaint else {
            return Error::new(ErrorKind::HandshakeTimeout, message);
        };
        message += &format!("; its last word was {}: {}", complaint.code, complaint.text);
        explained(complaint, Error::new(ErrorKind::HandshakeTimeout, message))
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
