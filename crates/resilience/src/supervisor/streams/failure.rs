//! What becomes of a stream that has failed: only the Gateway's refusal ends it.

use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind};

/// Codes with which the Gateway ends a stream and asks for another subscription: a bust event has deactivated bars
/// (backtrader#396), bars are no longer kept up to date (ib_insync#669; its text is localised, its code is not), and an order book
/// is halted ("please re-subscribe").
const ASKS_TO_SUBSCRIBE_AGAIN: [i32; 3] = [10225, 10182, 316];

/// No data during a competing session of the same user (Lean.Brokerages.InteractiveBrokers#140): they come when that one is over.
const COMPETING_SESSION: i32 = 10197;

/// What a failure means for the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It says something about the session and nothing about the stream.
    Lost,
    /// The same request can succeed after a pause.
    Again(Pace),
    /// It will not be served.
    Refused,
}

/// How quickly pauses follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Soon,
    Slowly,
}

/// Judges a failure of a stream that has given events before, or not.
///
/// What we can't read, and a fault of ours, ends a stream only before its first event: then it would probably fail for ever, and
/// its consumer learns of it at once.
pub(crate) fn judge(error: &Error, has_given: bool) -> Verdict {
    match error.kind() {
        ErrorKind::Disconnected | ErrorKind::WorkerCrashed | ErrorKind::Closed => Verdict::Lost,
        ErrorKind::GatewayError => match error.code() {
            Some(COMPETING_SESSION) => Verdict::Again(Pace::Slowly),
            Some(code) if ASKS_TO_SUBSCRIBE_AGAIN.contains(&code) => Verdict::Again(Pace::Soon),
            _ => unless_permanent(error),
        },
        ErrorKind::Internal | ErrorKind::Protocol if has_given => Verdict::Again(Pace::Soon),
        _ => unless_permanent(error),
    }
}

/// A deadline or a queue of ours, pacing, a consumer that is too slow.
fn unless_permanent(error: &Error) -> Verdict {
    if error.is_retryable() { Verdict::Again(Pace::Soon) } else { Verdict::Refused }
}

/// Growing pauses between questions for the same stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pauses {
    asked: u32,
}

impl Pauses {
    /// A stream that was served for this long begins again with the shortest pause.
    const SETTLED: Duration = Duration::from_secs(60);

    /// The pause before the next question.
    pub(crate) fn next(&mut self, pace: Pace) -> Duration {
        let (first, longest) = match pace {
            Pace::Soon => (Duration::from_secs(1), Duration::from_secs(60)),
            Pace::Slowly => (Duration::from_secs(30), Duration::from_secs(300)),
        };
        let doubled = 1_u32.checked_shl(self.asked).unwrap_or(u32::MAX);
        self.asked = self.asked.saturating_add(1);
        first.saturating_mul(doubled).min(longest)
    }

    /// The stream was served for this long.
    pub(crate) fn served(&mut self, lived: Duration) {
        if lived >= Self::SETTLED {
            self.asked = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "as planned")
    }

    fn code(code: i32) -> Error {
        error(ErrorKind::GatewayError).with_code(code)
    }

    #[test]
    fn a_lost_session_says_nothing_about_the_stream() {
        for kind in [ErrorKind::Disconnected, ErrorKind::WorkerCrashed, ErrorKind::Closed] {
            assert_eq!(judge(&error(kind), true), Verdict::Lost, "{kind}");
        }
    }

    #[test]
    fn our_own_queue_deadline_and_pacing_are_no_refusal() {
        for kind in [ErrorKind::Timeout, ErrorKind::Busy, ErrorKind::SlowConsumer, ErrorKind::LockTimeout] {
            assert_eq!(judge(&error(kind), false), Verdict::Again(Pace::Soon), "{kind}");
        }
        assert_eq!(judge(&code(162).retryable(), false), Verdict::Again(Pace::Soon), "pacing violation");
        assert_eq!(judge(&code(100).retryable(), true), Verdict::Again(Pace::Soon));
    }

    #[test]
    fn the_gateway_may_ask_for_another_subscription() {
        for number in [10225, 10182, 316] {
            assert_eq!(judge(&code(number), true), Verdict::Again(Pace::Soon), "{number}");
        }
        assert_eq!(judge(&code(10197), true), Verdict::Again(Pace::Slowly));
    }

    #[test]
    fn only_the_gateways_refusal_ends_a_stream() {
        for number in [200, 354, 10089, 10189, 317, 2110] {
            assert_eq!(judge(&code(number), true), Verdict::Refused, "{number}");
        }
        for kind in [ErrorKind::ReadOnly, ErrorKind::InvalidRequest, ErrorKind::Unsupported] {
            assert_eq!(judge(&error(kind), true), Verdict::Refused, "{kind}");
        }
    }

    #[test]
    fn a_fault_of_ours_ends_a_stream_only_before_its_first_event() {
        for kind in [ErrorKind::Internal, ErrorKind::Protocol] {
            assert_eq!(judge(&error(kind), false), Verdict::Refused, "{kind}");
            assert_eq!(judge(&error(kind), true), Verdict::Again(Pace::Soon), "{kind}");
        }
    }

    #[test]
    fn pauses_grow_to_their_cap_and_begin_again_for_a_stream_that_was_served() {
        let mut pauses = Pauses::default();
        let mut next = |pace| pauses.next(pace).as_secs();
        assert_eq!([(); 8].map(|()| next(Pace::Soon)), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(next(Pace::Slowly), 300);
        pauses.served(Duration::from_secs(59));
        assert_eq!(pauses.next(Pace::Soon).as_secs(), 60);
        pauses.served(Duration::from_secs(60));
        assert_eq!([(); 5].map(|()| pauses.next(Pace::Slowly).as_secs()), [30, 60, 120, 240, 300]);
        pauses.asked = u32::MAX;
        assert_eq!(pauses.next(Pace::Soon).as_secs(), 60);
    }
}
