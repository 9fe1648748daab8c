//! The rules for historical requests, whose violation is error 162 (IBKR, "Historical data limitations"): a pure machine
//! that says how long a request has to wait.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use ibkr_connect_core::types::{
    Contract, HistoricalBarUpdatesParams, HistoricalBarsParams, HistoricalScheduleParams,
    HistoricalTicksParams, WhatToShow,
};
use ibkr_connect_core::{Request, StreamRequest};
use ibkr_connect_state::Moment;
use serde::{Deserialize, Serialize};

/// An identical request may come again after this.
const IDENTICAL: Duration = Duration::from_secs(15);
/// Of the same contract, exchange and type, fewer than [`SAME_LIMIT`] in this time.
const SAME: Duration = Duration::from_secs(2);
const SAME_LIMIT: u32 = 6;
/// At most [`ALL_LIMIT`] in this time.
const ALL: Duration = Duration::from_secs(600);
const ALL_LIMIT: u32 = 60;
/// At most this many without an answer.
const OPEN_LIMIT: usize = 50;

/// What the rules look at in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoricalKey {
    /// The same for identical requests.
    pub(crate) identity: String,
    /// The same for requests of the same contract, exchange and type.
    pub(crate) series: String,
    /// How often it counts: BID_ASK twice.
    pub(crate) weight: u32,
}

impl HistoricalKey {
    /// The key of a request; `None` if the rules don't look at it.
    pub(crate) fn of_request(request: &Request) -> Option<Self> {
        match request {
            Request::HistoricalBars(params) => Some(Self::from(params)),
            Request::HistoricalTicks(params) => Some(Self::from(params)),
            Request::HistoricalSchedule(params) => Some(Self::from(params)),
            _ => None,
        }
    }

    /// The key of the request that opens a stream; `None` if the rules don't look at it.
    pub(crate) fn of_stream(request: &StreamRequest) -> Option<Self> {
        match request {
            StreamRequest::HistoricalBarUpdates(params) => Some(Self::from(params)),
            _ => None,
        }
    }

    fn new(params: &impl fmt::Debug, what_to_show: &str, contract: &Contract) -> Self {
        Self {
            identity: digest(&format!("{params:?}")),
            series: digest(&format!("{what_to_show} {contract:?}")),
            weight: if what_to_show == WhatToShow::BidAsk.as_str() { 2 } else { 1 },
        }
    }
}

impl From<&HistoricalBarsParams> for HistoricalKey {
    fn from(params: &HistoricalBarsParams) -> Self {
        Self::new(params, params.what_to_show.as_str(), &params.contract)
    }
}

impl From<&HistoricalTicksParams> for HistoricalKey {
    fn from(params: &HistoricalTicksParams) -> Self {
        Self::new(params, params.what_to_show.as_str(), &params.contract)
    }
}

impl From<&HistoricalScheduleParams> for HistoricalKey {
    fn from(params: &HistoricalScheduleParams) -> Self {
        Self::new(params, "SCHEDULE", &params.contract)
    }
}

impl From<&HistoricalBarUpdatesParams> for HistoricalKey {
    fn from(params: &HistoricalBarUpdatesParams) -> Self {
        Self::new(params, params.what_to_show.as_str(), &params.contract)
    }
}

/// Short, as it is kept in a file.
fn digest(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Whether a historical request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Now; it counts as sent.
    Now,
    /// Not before this time has passed; then ask again.
    In(Duration),
    /// Not before one of the open ones is answered; then ask again.
    AfterAnswer,
}

/// The historical requests of the last ten minutes.
#[derive(Debug, Clone, Default)]
pub(crate) struct HistoricalPacer {
    sent: VecDeque<(Moment, HistoricalKey)>,
    open: usize,
}

impl HistoricalPacer {
    /// Asks to send a request. After [`Turn::Now`] its end must be told to [`answered`](Self::answered).
    pub(crate) fn ask(&mut self, now: Moment, key: &HistoricalKey) -> Turn {
        self.sent.retain(|(at, _)| now.since(*at) < ALL);
        if self.open >= OPEN_LIMIT {
            return Turn::AfterAnswer;
        }
        let identical = self.room(now, IDENTICAL, 1, |sent| u32::from(sent.identity == key.identity));
        let series = self.room(now, SAME, SAME_LIMIT.saturating_sub(key.weight), |sent| {
            if sent.series == key.series { sent.weight } else { 0 }
        });
        let all = self.room(now, ALL, (ALL_LIMIT + 1).saturating_sub(key.weight), |sent| sent.weight);
        let wait = identical.max(series).max(all);
        if wait > Duration::ZERO {
            return Turn::In(wait);
        }
        self.sent.push_back((now, key.clone()));
        self.open += 1;
        Turn::Now
    }

    /// The requests of the last ten minutes, oldest first.
    pub(crate) fn sent(&self) -> &VecDeque<(Moment, HistoricalKey)> {
        &self.sent
    }

    /// Goes on from requests that others know of.
    pub(crate) fn resume(&mut self, sent: VecDeque<(Moment, HistoricalKey)>) {
        self.sent = sent;
    }

    /// A request that was sent is answered, failed or cancelled.
    pub(crate) fn answered(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// How many requests have no answer yet.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// How long until the weights within `span` are below `limit`.
    fn room(
        &self,
        now: Moment,
        span: Duration,
        limit: u32,
        weight: impl Fn(&HistoricalKey) -> u32,
    ) -> Duration {
        let mut total = 0;
        for (at, key) in self.sent.iter().rev() {
            let age = now.since(*at);
            if age >= span {
                break;
            }
            total += weight(key);
            if total >= limit {
                return span - age;
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::types::Contract;
    use proptest::prelude::*;

    use ibkr_connect_core::types::HistoricalTickKind;

    use super::*;

    fn at(millis: i64) -> Moment {
        Moment::from_millis(millis)
    }

    fn key(identity: u32, series: u32, weight: u32) -> HistoricalKey {
        HistoricalKey { identity: identity.to_string(), series: series.to_string(), weight }
    }

    #[test]
    fn bars_and_ticks_of_one_contract_and_kind_are_one_series() {
        let contract = Contract::stock("AAPL");
        let what_to_show = HistoricalTickKind::BidAsk;
        let ticks = HistoricalTicksParams { contract: contract.clone(), what_to_show, ..Default::default() };
        let ticks = HistoricalKey::of_request(&Request::HistoricalTicks(ticks)).unwrap();
        let bars =
            HistoricalBarUpdatesParams { contract, what_to_show: WhatToShow::BidAsk, ..Default::default() };
        let bars = HistoricalKey::of_stream(&StreamRequest::HistoricalBarUpdates(bars)).unwrap();
        assert_eq!((&ticks.series, ticks.weight), (&bars.series, bars.weight));
        assert_eq!(ticks.weight, 2);
        assert_ne!(ticks.identity, bars.identity);
        assert_eq!(HistoricalKey::of_request(&Request::ServerTime), None);
    }

    #[test]
    fn an_identical_request_waits_fifteen_seconds() {
        let mut pacer = HistoricalPacer::default();
        assert_eq!(pacer.ask(at(0), &key(1, 1, 1)), Turn::Now);
        assert_eq!(pacer.ask(at(5_000), &key(1, 1, 1)), Turn::In(Duration::from_secs(10)));
        assert_eq!(pacer.ask(at(15_000), &key(1, 1, 1)), Turn::Now);
    }

    #[test]
    fn the_sixth_of_a_series_waits_until_two_seconds_after_the_first() {
        let mut pacer = HistoricalPacer::default();
        for index in 0..5 {
            assert_eq!(pacer.ask(at(100 * i64::from(index)), &key(index, 1, 1)), Turn::Now);
        }
        assert_eq!(pacer.ask(at(500), &key(6, 1, 1)), Turn::In(Duration::from_millis(1_500)));
        assert_eq!(pacer.ask(at(500), &key(7, 2, 1)), Turn::Now, "another series");
    }

    #[test]
    fn sixty_in_ten_minutes_and_bid_ask_counts_twice() {
        let mut pacer = HistoricalPacer::default();
        for index in 0..30 {
            assert_eq!(pacer.ask(at(0), &key(index, index, 2)), Turn::Now);
            pacer.answered();
        }
        assert_eq!(pacer.ask(at(1_000), &key(99, 99, 1)), Turn::In(ALL - Duration::from_secs(1)));
        assert_eq!(pacer.ask(at(600_000), &key(99, 99, 1)), Turn::Now);
    }

    #[test]
    fn fifty_may_be_open() {
        let mut pacer = HistoricalPacer::default();
        for index in 0..50 {
            assert_eq!(pacer.ask(at(0), &key(index, index, 1)), Turn::Now);
        }
        assert_eq!(pacer.ask(at(0), &key(50, 50, 1)), Turn::AfterAnswer);
        pacer.answered();
        assert_eq!(pacer.ask(at(0), &key(50, 50, 1)), Turn::Now);
    }

    #[test]
    fn a_key_knows_what_is_identical() {
        let trades = HistoricalBarsParams::last_day(Contract::stock("IBM"));
        let quotes = HistoricalBarsParams { what_to_show: WhatToShow::BidAsk, ..trades.clone() };
        let longer = HistoricalBarsParams { use_rth: true, ..trades.clone() };
        let [trades, quotes, longer] = [&trades, &quotes, &longer].map(HistoricalKey::from);
        assert_eq!((trades.weight, quotes.weight), (1, 2));
        assert_ne!(trades.series, quotes.series);
        assert_eq!(trades.series, longer.series);
        assert_ne!(trades.identity, longer.identity);
    }

    proptest! {
        /// Whoever waits as told is never refused longer than told, and no rule is ever broken.
        #[test]
        fn no_rule_is_ever_broken(requests in prop::collection::vec((0_u32..4, 0_u32..3, 1_u32..3, 0_i64..3_000), 1..150)) {
            let mut pacer = HistoricalPacer::default();
            let mut now = 0_i64;
            let mut sent: Vec<(i64, HistoricalKey)> = Vec::new();
            for (identity, series, weight, gap) in requests {
                now += gap;
                let key = key(identity * 10 + series, series, weight);
                while let Turn::In(wait) = pacer.ask(at(now), &key) {
                    prop_assert!(wait <= ALL);
                    now += i64::try_from(wait.as_millis()).unwrap();
                }
                pacer.answered();
                let within = |span: i64| sent.iter().filter(move |(at, _)| now - at < span);
                prop_assert!(within(15_000).all(|(_, other)| other.identity != key.identity));
                let same: u32 = within(2_000).filter(|(_, other)| other.series == key.series).map(|(_, k)| k.weight).sum();
                prop_assert!(same + key.weight < SAME_LIMIT);
                let all: u32 = within(600_000).map(|(_, other)| other.weight).sum();
                prop_assert!(all + key.weight <= ALL_LIMIT);
                sent.push((now, key));
            }
        }
    }
}
