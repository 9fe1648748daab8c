//! Where a connect stands, so that a deadline can say what it interrupted.

use std::time::Instant;

use ibkr_connect_core::{Error, ErrorKind, Phase, PhaseTiming, Target, millis};

use crate::wiretap::CHATTER;

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

/// What keeps the Gateway from a session, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) code: i32,
    pub(crate) text: String,
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

    /// The Gateway has sent something that was skipped.
    pub(crate) fn skip(&mut self, what: &str) {
        self.skipped.get_or_insert_with(|| what.to_owned());
    }

    /// The first thing that was skipped in this phase.
    pub(crate) fn skipped(&self) -> Option<&str> {
        self.skipped.as_deref()
    }

    /// The Gateway has sent an error.
    pub(crate) fn hear(&mut self, code: i32, text: String) {
        match code {
            // About data farms: no reason why a handshake does not go on.
            code if CHATTER.contains(&code) => {}
            1_101 | 1_102 => drop(self.complaint.take_if(|complaint| complaint.code == 1_100)),
            _ => self.complaint = Some(Complaint { code, text }),
        }
    }

    /// The last error that the Gateway sent and that was not about a data farm, unless it is over.
    pub(crate) fn complaint(&self) -> Option<&Complaint> {
        self.complaint.as_ref()
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
        complaint.explain(Error::new(ErrorKind::HandshakeTimeout, message))
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

impl Complaint {
    /// Gives an error its code, and the advice that fits it.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let error = error.with_code(self.code);
        match self.code {
            1_100 => error.with_advice(
                "the Gateway has no connection to IBKR: look at its window, its network and IBKR's system status; it says 1102 when the connection is back",
            ),
            10_141 => error.with_advice(
                "log in to the paper trading account in TWS or the Gateway and accept its disclaimer there; the API waits for that",
            ),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(codes: &[i32]) -> Option<i32> {
        let mut progress = Progress::new();
        codes.iter().for_each(|code| progress.hear(*code, String::new()));
        progress.complaint().map(|complaint| complaint.code)
    }

    #[test]
    fn the_last_complaint_that_is_not_over_counts() {
        for (codes, expected) in [
            (&[][..], None),
            (&[2_104, 2_106, 2_158], None),
            (&[1_100, 2_110, 2_105], Some(1_100)),
            (&[1_100, 1_102], None),
            (&[1_100, 1_101], None),
            (&[10_141, 1_102], Some(10_141)),
            (&[321, 1_100], Some(1_100)),
        ] {
            assert_eq!(after(codes), expected, "{codes:?}");
        }
    }

    #[test]
    fn advice_fits_the_complaint() {
        let usual = Error::new(ErrorKind::Rejected, "closed");
        for (code, expected) in [(1_100, "no connection to IBKR"), (10_141, "disclaimer")] {
            let error = Complaint { code, text: String::new() }.explain(usual.clone());
            assert_eq!(error.code(), Some(code));
            assert!(error.advice().unwrap().contains(expected), "{error:?}");
        }
        let other = Complaint { code: 507, text: String::new() }.explain(usual.clone());
        assert_eq!((other.code(), other.advice()), (Some(507), usual.advice()));
    }
}
