//! The rate of messages: a pure machine.
//!
//! IBKR allows 50 messages per second, counts those of all clients of a Gateway together, and answers more with error 100,
//! then with a closed socket. 44 per second, bursts of 4, and one that overtakes per second are 49 in any second, and one is spare: on
//! the way to the Gateway messages may come closer together than they left.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use ibkr_connect_state::Moment;

/// Messages per second.
const RATE: f64 = 44.0;
/// Messages that may go out at once.
const BURST: f64 = 4.0;
/// At most one message in this time overtakes the others, whichever process sends it.
const OVERTAKING: Duration = Duration::from_secs(1);
/// No process is so many messages ahead of the rate: what a file says beyond it is nonsense.
const DEEPEST: f64 = RATE;

/// How long `messages` take at the rate.
pub(crate) fn time_for(messages: u32) -> Duration {
    Duration::from_secs_f64(f64::from(messages) / RATE)
}

/// A token bucket. A message takes its token when its turn is next, so the bucket runs into debt by at most one request of
/// each process, and the processes take turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Tokens at `at`; negative while messages wait for those that they have taken.
    level: f64,
    at: Moment,
    /// When a message last overtook the others.
    #[serde(default)]
    overtaken: Option<Moment>,
}

impl Default for Bucket {
    fn default() -> Self {
        Self::full(Moment::default())
    }
}

impl Bucket {
    /// A full bucket.
    pub fn full(now: Moment) -> Self {
        Self { level: BURST, at: now, overtaken: None }
    }

    /// How long a request of so many messages would have to wait.
    pub fn wait(&self, now: Moment, messages: u32) -> Duration {
        let missing = f64::from(messages) - self.level(now);
        Duration::try_from_secs_f64(missing / RATE).unwrap_or(Duration::ZERO)
    }

    /// Takes the tokens of a request, which has to wait for them as [`wait`](Self::wait) has said.
    pub fn take(&mut self, now: Moment, messages: u32) {
        self.level = self.level(now) - f64::from(messages);
        self.at = now;
    }

    /// Gives tokens back that were taken and not used.
    pub(crate) fn give_back(&mut self, now: Moment, messages: u32) {
        self.level = (self.level(now) + f64::from(messages)).min(BURST);
        self.at = now;
    }

    /// Whether a message may go out before those that wait. It takes its token all the same.
    pub(crate) fn may_overtake(&self, now: Moment) -> bool {
        self.overtaken.is_none_or(|last| now.since(last) >= OVERTAKING)
    }

    /// Takes the token of a message that goes out before those that wait.
    pub(crate) fn overtake(&mut self, now: Moment) {
        self.take(now, 1);
        self.overtaken = Some(now);
    }

    pub(crate) fn each_moment(&mut self, change: &mut dyn FnMut(&mut Moment)) {
        change(&mut self.at);
        self.overtaken.as_mut().map(change);
    }

    /// Makes sense of what was read from a file.
    pub(crate) fn sanitize(&mut self, now: Moment) {
        self.level = if self.level.is_finite() { self.level.clamp(-DEEPEST, BURST) } else { BURST };
        self.at = self.at.min(now);
        self.overtaken = self.overtaken.map(|at| at.min(now));
    }

    fn level(&self, now: Moment) -> f64 {
        (self.level + now.since(self.at).as_secs_f64() * RATE).min(BURST)
    }
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Moment {
        Moment::from_millis(millis)
    }

    /// Takes the tokens and says how long the request has to wait for them.
    fn taken(bucket: &mut Bucket, now: Moment, messages: u32) -> Duration {
        let wait = bucket.wait(now, messages);
        bucket.take(now, messages);
        wait
    }

    /// But for rounding.
    fn assert_about(wait: Duration, expected: Duration) {
        assert!(wait.abs_diff(expected) < Duration::from_nanos(10), "{wait:?}, and not {expected:?}");
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::full(at(0));
        let waits: Vec<_> = (0..92).map(|_| taken(&mut bucket, at(0), 1)).collect();
        assert_eq!(waits[..4], [Duration::ZERO; 4]);
        assert_eq!(waits[4], time_for(1));
        assert_eq!(waits[91], Duration::from_secs(2));
        assert_eq!(bucket.wait(at(2_000), 4), time_for(4));
        assert_eq!(bucket.wait(at(60_000), 4), Duration::ZERO, "it is full, and no fuller");
        assert_eq!(bucket.wait(at(60_000), 5), time_for(1));
    }

    #[test]
    fn what_is_given_back_is_there_again_and_no_more_than_that() {
        let mut bucket = Bucket::full(at(0));
        for _ in 0..10 {
            taken(&mut bucket, at(0), 2);
        }
        let before = bucket.wait(at(0), 1);
        taken(&mut bucket, at(0), 2);
        assert_about(bucket.wait(at(0), 1), before + time_for(2));
        bucket.give_back(at(0), 2);
        assert_about(bucket.wait(at(0), 1), before);
        bucket.give_back(at(60_000), 2);
        assert_eq!(bucket.wait(at(60_000), 5), time_for(1), "a full bucket takes nothing back");
    }

    #[test]
    fn one_message_a_second_overtakes_and_pays() {
        let mut bucket = Bucket::full(at(0));
        for _ in 0..20 {
            taken(&mut bucket, at(0), 1);
        }
        let before = bucket.wait(at(0), 1);
        assert!(bucket.may_overtake(at(0)));
        bucket.overtake(at(0));
        assert_about(bucket.wait(at(0), 1), before + time_for(1));
        assert!(!bucket.may_overtake(at(999)));
        assert!(bucket.may_overtake(at(1_000)));
    }

    #[test]
    fn nonsense_makes_nobody_wait_for_long() {
        for level in [f64::NAN, f64::INFINITY, -1e300, 1e300] {
            let mut bucket = Bucket { level, at: at(i64::MAX), overtaken: Some(at(i64::MAX)) };
            bucket.sanitize(at(5));
            assert!(bucket.wait(at(5), 1) <= Duration::from_secs(2), "{level}");
            assert!(bucket.wait(at(5), 5) > Duration::ZERO, "{level}");
            assert!(bucket.may_overtake(at(1_005)), "{level}");
        }
    }

    proptest! {
        /// In no second do more than 49 messages leave, however they are asked for, also when some of them overtake.
        #[test]
        fn one_message_below_the_limit_in_any_second(requests in prop::collection::vec((0_u64..100, 1_u32..3, any::<bool>()), 1..400)) {
            let mut bucket = Bucket::full(at(0));
            let mut now = at(0);
            let mut sent = Vec::new();
            for (gap, messages, overtakes) in requests {
                now = now + Duration::from_millis(gap);
                if overtakes && bucket.may_overtake(now) {
                    bucket.overtake(now);
                    sent.push(now.since(at(0)).as_secs_f64());
                } else {
                    let wait = taken(&mut bucket, now, messages);
                    sent.extend((0..messages).map(|_| (now.since(at(0)) + wait).as_secs_f64()));
                }
            }
            sent.sort_by(f64::total_cmp);
            for (index, first) in sent.iter().enumerate() {
                let second = sent[index..].iter().take_while(|&&at| at < first + 0.999).count();
                prop_assert!(second <= 49, "{second}");
            }
        }
    }
}
