//! One client's questions for the time. A Gateway leaves those unanswered that follow the last one too soon. Pure, and the current
//! time is an argument.

use std::time::{Duration, Instant};

use crate::messages::request;

/// What a Gateway remembers of them.
#[derive(Debug)]
pub(crate) struct ClockQuestions {
    apart: Duration,
    last: Option<Instant>,
}

impl ClockQuestions {
    /// Answers those that are `apart` from the one before; zero answers all.
    pub(crate) fn new(apart: Duration) -> Self {
        Self { apart, last: None }
    }

    /// Whether a request stays unanswered. Either clock counts for both, and an unanswered question like any other.
    pub(crate) fn suppress(&mut self, id: i32, now: Instant) -> bool {
        if !matches!(id, request::CURRENT_TIME | request::CURRENT_TIME_IN_MILLIS) {
            return false;
        }
        let last = self.last.replace(now);
        last.is_some_and(|last| now.duration_since(last) < self.apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suppressed(apart: u64, questions: &[(i32, u64)]) -> Vec<bool> {
        let begin = Instant::now();
        let mut clock = ClockQuestions::new(Duration::from_secs(apart));
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        questions.iter().map(|(id, seconds)| clock.suppress(*id, at(*seconds))).collect()
    }

    #[test]
    fn a_question_too_soon_after_either_clock_stays_unanswered() {
        let (seconds, millis) = (request::CURRENT_TIME, request::CURRENT_TIME_IN_MILLIS);
        let asked = [(seconds, 0), (millis, 3), (seconds, 6), (millis, 10), (seconds, 13), (seconds, 17)];
        assert_eq!(suppressed(4, &asked), [false, true, true, false, true, false]);
    }

    #[test]
    fn other_questions_are_answered_and_do_not_count() {
        let (seconds, accounts) = (request::CURRENT_TIME, request::MANAGED_ACCOUNTS);
        assert_eq!(suppressed(4, &[(accounts, 0), (accounts, 0), (seconds, 1)]), [false; 3]);
    }

    #[test]
    fn without_suppression_all_are_answered() {
        assert_eq!(suppressed(0, &[(request::CURRENT_TIME, 0); 3]), [false; 3]);
    }
}
