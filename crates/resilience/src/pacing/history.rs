//! The rules for historical data of small bars and ticks, whose violation is error 162 (IBKR, "Pacing Violations for Small
//! Bars (30 secs or less)"): a pure machine that says how long a request has to wait.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use ibkr_connect_state::Moment;

/// The Gateway counts from when a request comes to it, and this one may be faster than the one before it.
const IN_FLIGHT: Duration = Duration::from_millis(500);
/// An identical request may come again after this.
const IDENTICAL: Duration = Duration::from_secs(15).saturating_add(IN_FLIGHT);
/// Of the same contract, exchange and type, fewer than [`SERIES_LIMIT`] in this time.
const SERIES: Duration = Duration::from_secs(2).saturating_add(IN_FLIGHT);
const SERIES_LIMIT: u32 = 6;
/// At most [`ALL_LIMIT`] in this time.
const ALL: Duration = Duration::from_secs(600).saturating_add(IN_FLIGHT);
const ALL_LIMIT: u32 = 60;
/// A request of bids with asks counts twice.
const HEAVIEST: u32 = 2;

/// What the rules look at in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoricalKey {
    /// The same for requests of the same contract, exchange and type.
    pub(crate) series: String,
    /// What else is asked for: the same for identical requests of a series.
    pub(crate) details: String,
    /// How often it counts: BID_ASK twice.
    pub(crate) weight: u32,
}

impl HistoricalKey {
    fn is_identical(&self, other: &Self) -> bool {
        self.series == other.series && self.details == other.details
    }
}

/// A request that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    at: Moment,
    #[serde(flatten)]
    key: HistoricalKey,
}

/// The historical requests of the last ten minutes, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoricalRequests {
    sent: VecDeque<Sent>,
}

impl HistoricalRequests {
    /// How long a request has to wait that comes after those `ahead`, which wait too: they count as sent now.
    pub(crate) fn wait<'a>(
        &self,
        now: Moment,
        key: &HistoricalKey,
        ahead: impl IntoIterator<Item = &'a HistoricalKey> + Clone,
    ) -> Duration {
        let wait = |span, limit, weight: &dyn Fn(&HistoricalKey) -> u32| {
            let before = ahead.clone().into_iter().map(weight).sum();
            self.room(now, span, limit, before, weight)
        };
        let identical = wait(IDENTICAL, 1, &|sent| u32::from(sent.is_identical(key)));
        let of_series = |sent: &HistoricalKey| if sent.series == key.series { sent.weight } else { 0 };
        let series = wait(SERIES, SERIES_LIMIT.saturating_sub(key.weight), &of_series);
        let all = wait(ALL, (ALL_LIMIT + 1).saturating_sub(key.weight), &|sent| sent.weight);
        identical.max(series).max(all)
    }

    /// A request is sent now.
    pub(crate) fn record(&mut self, now: Moment, key: &HistoricalKey) {
        self.sent.retain(|sent| now.since(sent.at) < ALL);
        self.sent.push_back(Sent { at: now, key: key.clone() });
    }

    /// Adds what others have not recorded yet.
    pub(crate) fn add(&mut self, others: Self) {
        let unknown: Vec<_> = others.sent.into_iter().filter(|sent| !self.sent.contains(sent)).collect();
        self.sent.extend(unknown);
        self.sent.make_contiguous().sort_by_key(|sent| sent.at);
    }

    pub(crate) fn each_moment(&mut self, change: &mut dyn FnMut(&mut Moment)) {
        self.sent.iter_mut().for_each(|sent| change(&mut sent.at));
    }

    /// Makes sense of what was read from a file.
    pub(crate) fn sanitize(&mut self, now: Moment) {
        self.sent.retain(|sent| now.since(sent.at) < ALL);
        for sent in &mut self.sent {
            sent.at = sent.at.min(now);
            sent.key.weight = sent.key.weight.clamp(1, HEAVIEST);
        }
        self.sent.make_contiguous().sort_by_key(|sent| sent.at);
        // More can't have been sent by who keeps the rules.
        let surplus = self.sent.len().saturating_sub(ALL_LIMIT as usize);
        self.sent.drain(..surplus);
    }

    /// How long until the weights within `span` and those `before` this request are below `limit`.
    fn room(
        &self,
        now: Moment,
        span: Duration,
        limit: u32,
        before: u32,
        weight: &dyn Fn(&HistoricalKey) -> u32,
    ) -> Duration {
        let mut total = before;
        if total >= limit {
            return span;
        }
        for sent in self.sent.iter().rev() {
            let age = now.since(sent.at);
            if age >= span {
                break;
            }
            total += weight(&sent.key);
            if total >= limit {
                return span - age;
            }
        }
        Duration::ZERO
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

    fn key(details: u32, series: u32, weight: u32) -> HistoricalKey {
        HistoricalKey { details: details.to_string(), series: series.to_string(), weight }
    }

    /// Sends the request if it need not wait; else says how long it has to.
    fn ask(requests: &mut HistoricalRequests, millis: i64, key: &HistoricalKey) -> Duration {
        let wait = requests.wait(at(millis), key, []);
        if wait.is_zero() {
            requests.record(at(millis), key);
        }
        wait
    }

    #[test]
    fn an_identical_request_waits_fifteen_seconds() {
        let requests = &mut HistoricalRequests::default();
        assert_eq!(ask(requests, 0, &key(1, 1, 1)), Duration::ZERO);
        assert_eq!(ask(requests, 5_000, &key(1, 1, 1)), Duration::from_millis(10_500));
        assert_eq!(ask(requests, 5_000, &key(1, 2, 1)), Duration::ZERO, "of another series");
        assert_eq!(ask(requests, 15_499, &key(1, 1, 1)), Duration::from_millis(1));
        assert_eq!(ask(requests, 15_500, &key(1, 1, 1)), Duration::ZERO);
    }

    #[test]
    fn the_sixth_of_a_series_waits_until_two_seconds_after_the_first() {
        let requests = &mut HistoricalRequests::default();
        for index in 0..5 {
            assert_eq!(ask(requests, 100 * i64::from(index), &key(index, 1, 1)), Duration::ZERO);
        }
        assert_eq!(ask(requests, 500, &key(6, 1, 1)), Duration::from_millis(2_000));
        assert_eq!(ask(requests, 500, &key(7, 2, 1)), Duration::ZERO, "another series");
    }

    #[test]
    fn sixty_in_ten_minutes_and_bids_with_asks_count_twice() {
        let requests = &mut HistoricalRequests::default();
        for index in 0..30 {
            assert_eq!(ask(requests, 0, &key(index, index, 2)), Duration::ZERO);
        }
        assert_eq!(ask(requests, 1_000, &key(99, 99, 1)), ALL - Duration::from_secs(1));
        assert_eq!(ask(requests, 600_500, &key(99, 99, 1)), Duration::ZERO);
    }

    #[test]
    fn who_waits_already_goes_first() {
        let requests = &mut HistoricalRequests::default();
        assert_eq!(ask(requests, 0, &key(1, 1, 1)), Duration::ZERO);
        let first = key(1, 1, 1);
        assert_eq!(requests.wait(at(14_999), &key(1, 1, 1), [&first]), IDENTICAL);
        assert_eq!(requests.wait(at(14_999), &key(2, 1, 1), [&first]), Duration::ZERO);
        for index in 2..60 {
            assert_eq!(ask(requests, 0, &key(index, index, 1)), Duration::ZERO);
        }
        let now = at(1_000);
        assert_eq!(requests.wait(now, &key(60, 60, 1), []), Duration::ZERO, "the last place is free");
        assert_eq!(requests.wait(now, &key(60, 60, 1), [&first]), ALL - Duration::from_secs(1), "and taken");
    }

    #[test]
    fn nonsense_in_a_file_ends_after_ten_minutes() {
        let sent = |millis, weight| Sent { at: at(millis), key: key(0, 0, weight) };
        let sent = (0..500).map(|index| sent(i64::MAX - index, 0)).chain([sent(i64::MIN, u32::MAX)]);
        let mut requests = HistoricalRequests { sent: sent.collect() };
        requests.sanitize(at(5));
        assert_eq!(requests.sent.len(), 60);
        assert!(requests.sent.iter().all(|sent| sent.at == at(5) && sent.key.weight == 1));
        assert_eq!(requests.wait(at(5), &key(1, 1, 1), []), ALL);
        assert_eq!(requests.wait(at(600_505), &key(0, 0, 2), []), Duration::ZERO);
    }

    #[test]
    fn what_others_add_is_added_once_and_in_order() {
        let [mut one, mut other] = [0; 2].map(|_| HistoricalRequests::default());
        ask(&mut one, 0, &key(1, 1, 1));
        other.add(one.clone());
        ask(&mut other, 2_000, &key(2, 1, 1));
        ask(&mut one, 1_000, &key(3, 1, 1));
        one.add(other);
        assert_eq!(one.sent.iter().map(|sent| sent.at).collect::<Vec<_>>(), [0, 1_000, 2_000].map(at));
    }

    proptest! {
        /// Who waits as told never has to wait longer than the longest span, and no rule is ever broken.
        #[test]
        fn no_rule_is_ever_broken(requests in prop::collection::vec((0_u32..4, 0_u32..3, 1_u32..3, 0_i64..3_000), 1..150)) {
            let mut pacer = HistoricalRequests::default();
            let mut now = 0_i64;
            let mut sent: Vec<(i64, HistoricalKey)> = Vec::new();
            for (details, series, weight, gap) in requests {
                now += gap;
                let key = key(details, series, weight);
                loop {
                    let wait = ask(&mut pacer, now, &key);
                    if wait.is_zero() {
                        break;
                    }
                    prop_assert!(wait <= ALL);
                    now += i64::try_from(wait.as_millis()).unwrap();
                }
                let within = |span: i64| sent.iter().filter(move |(at, _)| now - at < span);
                prop_assert!(within(15_000).all(|(_, other)| !other.is_identical(&key)));
                let same: u32 = within(2_000).filter(|(_, other)| other.series == key.series).map(|(_, k)| k.weight).sum();
                prop_assert!(same + key.weight < SERIES_LIMIT);
                let all: u32 = within(600_000).map(|(_, other)| other.weight).sum();
                prop_assert!(all + key.weight <= ALL_LIMIT);
                sent.push((now, key));
            }
        }
    }
}
