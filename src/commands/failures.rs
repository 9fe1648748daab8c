//! Failures, counted by what they were.

use ibkr_connect::{Error, ErrorKind, Phase};
use serde::Serialize;

use crate::output::optional;

/// How often something failed in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    kind: ErrorKind,
    phase: Option<Phase>,
    count: usize,
}

impl Failure {
    /// The header of [`cells`](Self::cells).
    pub(crate) const HEADER: [&str; 3] = ["failure", "phase", "count"];

    /// A row of a table.
    pub(crate) fn cells(&self) -> Vec<String> {
        vec![self.kind.to_string(), optional(self.phase), self.count.to_string()]
    }
}

/// What failed, in the order in which it first did.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    counts: Vec<Failure>,
    last: Option<Error>,
}

impl Failures {
    pub(crate) fn add(&mut self, error: Error) {
        let (kind, phase) = (error.kind(), error.phase());
        match self.counts.iter_mut().find(|failure| (failure.kind, failure.phase) == (kind, phase)) {
            Some(failure) => failure.count += 1,
            None => self.counts.push(Failure { kind, phase, count: 1 }),
        }
        self.last = Some(error);
    }

    pub(crate) fn counts(&self) -> &[Failure] {
        &self.counts
    }

    pub(crate) fn total(&self) -> usize {
        self.counts.iter().map(|failure| failure.count).sum()
    }

    pub(crate) fn last(&self) -> Option<&Error> {
        self.last.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_kind_in_another_phase_is_another_failure() {
        let mut failures = Failures::default();
        for phase in [Phase::Version, Phase::Accounts, Phase::Version] {
            failures.add(Error::new(ErrorKind::HandshakeTimeout, "").in_phase(phase));
        }
        failures.add(Error::new(ErrorKind::Disconnected, "the last"));
        let expected = json!([
            { "kind": "handshake_timeout", "phase": "version", "count": 2 },
            { "kind": "handshake_timeout", "phase": "accounts", "count": 1 },
            { "kind": "disconnected", "phase": null, "count": 1 },
        ]);
        assert_eq!(json!(failures.counts()), expected);
        assert_eq!((failures.total(), failures.last().unwrap().message()), (4, "the last"));
    }
}
