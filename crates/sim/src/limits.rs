//! The limits that a Gateway sets to all its clients together: messages per second, and the pacing of small bars and ticks.
//! Pure, and the current time is an argument.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use prost::Message;

use crate::SimOptions;
use crate::framing::Frame;
use crate::messages::{HistoricalDataRequest, HistoricalTicksRequest, RealTimeBarsRequest, request};
use crate::session::Refusal;

/// How often the rate may be exceeded, second by second, before a client is thrown out.
const STRIKES: u32 = 3;

/// Exceeding the rate after so long counts from the start again.
const FORGIVEN_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// Identical requests, requests for one series, and all requests for small bars and ticks have to keep these (IBKR, "Pacing
/// Violations for Small Bars (30 secs or less)").
const IDENTICAL: SignedDuration = SignedDuration::from_secs(15);
const SERIES: (usize, SignedDuration) = (5, SignedDuration::from_secs(2));
const ALL: (usize, SignedDuration) = (60, SignedDuration::from_mins(10));

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    Served,
    Refused(Refusal),
    /// It is refused and its client thrown out.
    Ended(Refusal),
}

/// What the limits remember.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    rate: Option<Rate>,
    pacing: Option<Pacing>,
}

impl Limits {
    pub(crate) fn new(options: &SimOptions) -> Self {
        Self {
            rate: options.message_rate.map(|limit| Rate { limit, ..Rate::default() }),
            pacing: options.historical_pacing.then(Pacing::default),
        }
    }

    pub(crate) fn judge(&mut self, frame: &Frame, now: Timestamp) -> Verdict {
        match self.rate.as_mut().map_or(Verdict::Served, |rate| rate.judge(now)) {
            Verdict::Served => {
                self.pacing.as_mut().map_or(Verdict::Served, |pacing| pacing.judge(frame, now))
            }
            refused => refused,
        }
    }
}

/// The messages of the last second, and how often they were too many.
#[derive(Debug, Default)]
struct Rate {
    limit: usize,
    recent: VecDeque<Timestamp>,
    strikes: u32,
    struck: Option<Timestamp>,
}

impl Rate {
    fn judge(&mut self, now: Timestamp) -> Verdict {
        let second = SignedDuration::from_secs(1);
        self.recent.retain(|at| now.duration_since(*at) < second);
        self.recent.push_back(now);
        if self.recent.len() <= self.limit {
            return Verdict::Served;
        }
        match self.struck.map(|struck| now.duration_since(struck)) {
            Some(since) if since < second => {}
            Some(since) if since < FORGIVEN_AFTER => self.strike(now),
            _ => {
                self.strikes = 0;
                self.strike(now);
            }
        }
        let (limit, received, strikes) = (self.limit, self.recent.len(), self.strikes);
        let message = format!(
            "Max rate of messages per second has been exceeded:max={limit} rec={received} ({strikes})"
        );
        let refusal = Refusal::new(-1, 100, message);
        if strikes < STRIKES { Verdict::Refused(refusal) } else { Verdict::Ended(refusal) }
    }

    fn strike(&mut self, now: Timestamp) {
        self.strikes += 1;
        self.struck = Some(now);
    }
}

/// The requests for small bars and ticks that were served.
#[derive(Debug, Default)]
struct Pacing {
    served: VecDeque<Asked>,
}

/// A request for small bars or ticks.
#[derive(Debug)]
struct Asked {
    at: Timestamp,
    req_id: i32,
    /// What refuses it.
    refusal: (i32, &'static str),
    /// All of it but its id.
    whole: Vec<u8>,
    /// Its contract and kind of data.
    series: Vec<u8>,
    /// Bids with asks count twice.
    weight: usize,
}

impl Pacing {
    fn judge(&mut self, frame: &Frame, now: Timestamp) -> Verdict {
        let Some(asked) = Asked::read(frame, now) else { return Verdict::Served };
        self.served.retain(|before| now.duration_since(before.at) < ALL.1);
        let within = |span: SignedDuration| {
            self.served.iter().filter(move |asked| now.duration_since(asked.at) < span)
        };
        let identical = within(IDENTICAL).any(|before| before.whole == asked.whole);
        let of_series = |before: &&Asked| before.series == asked.series;
        let series: usize = within(SERIES.1).filter(of_series).map(|before| before.weight).sum();
        let all: usize = within(ALL.1).map(|before| before.weight).sum();
        if identical || series + asked.weight > SERIES.0 || all + asked.weight > ALL.0 {
            let (code, message) = asked.refusal;
            return Verdict::Refused(Refusal::new(asked.req_id, code, message));
        }
        self.served.push_back(asked);
        Verdict::Served
    }
}

impl Asked {
    /// The request; `None` for what has no pacing.
    fn read(frame: &Frame, at: Timestamp) -> Option<Self> {
        let (req_id, whole, contract, show) = match frame.id {
            request::HISTORICAL_DATA => {
                let mut wanted = HistoricalDataRequest::decode(frame.body.as_slice()).ok()?;
                if !wanted.bar_size_setting.as_deref().is_some_and(is_small) {
                    return None;
                }
                (wanted.req_id.take(), wanted.encode_to_vec(), wanted.contract, wanted.what_to_show)
            }
            request::REAL_TIME_BARS => {
                let mut wanted = RealTimeBarsRequest::decode(frame.body.as_slice()).ok()?;
                (wanted.req_id.take(), wanted.encode_to_vec(), wanted.contract, wanted.what_to_show)
            }
            request::HISTORICAL_TICKS => {
                let mut wanted = HistoricalTicksRequest::decode(frame.body.as_slice()).ok()?;
                (wanted.req_id.take(), wanted.encode_to_vec(), wanted.contract, wanted.what_to_show)
            }
            _ => return None,
        };
        let show = show.unwrap_or_default();
        let weight = if show == "BID_ASK" { 2 } else { 1 };
        let series = [contract.unwrap_or_default().encode_to_vec(), show.into_bytes()].concat();
        let refusal = if frame.id == request::REAL_TIME_BARS { REAL_TIME } else { HISTORICAL };
        Some(Self { at, req_id: req_id.unwrap_or(-1), refusal, whole, series, weight })
    }
}

const HISTORICAL: (i32, &str) =
    (162, "Historical Market Data Service error message:Historical data request pacing violation");
const REAL_TIME: (i32, &str) = (420, "Invalid Real-time Query:Historical data request pacing violation");

/// Bars of 30 seconds and less.
fn is_small(size: &str) -> bool {
    matches!(size, "1 secs" | "5 secs" | "10 secs" | "15 secs" | "30 secs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Contract;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_787_000_000_000 + millis).unwrap()
    }

    fn limited(message_rate: Option<usize>, historical_pacing: bool) -> Limits {
        Limits::new(&SimOptions { message_rate, historical_pacing, ..SimOptions::default() })
    }

    fn bars(con_id: i32, duration: &str, show: &str) -> Frame {
        bars_of("30 secs", con_id, duration, show)
    }

    fn bars_of(size: &str, con_id: i32, duration: &str, show: &str) -> Frame {
        let wanted = HistoricalDataRequest {
            req_id: Some(con_id),
            contract: Some(Contract { con_id: Some(con_id), ..Default::default() }),
            bar_size_setting: Some(size.into()),
            duration: Some(duration.into()),
            what_to_show: Some(show.into()),
            ..Default::default()
        };
        Frame { id: request::HISTORICAL_DATA, body: wanted.encode_to_vec() }
    }

    /// The code of a refusal, with a minus where the client is thrown out; 0 for an answer.
    fn code(verdict: &Verdict) -> i32 {
        match verdict {
            Verdict::Served => 0,
            Verdict::Refused(refusal) => refusal.code,
            Verdict::Ended(refusal) => -refusal.code,
        }
    }

    #[test]
    fn without_options_everything_is_served() {
        let mut limits = limited(None, false);
        for _ in 0..500 {
            assert_eq!(code(&limits.judge(&bars(1, "1 D", "TRADES"), at(0))), 0);
        }
    }

    #[test]
    fn more_messages_than_the_rate_are_refused_and_in_the_third_second_the_last() {
        let mut limits = limited(Some(50), false);
        let mut second = |number: i64| {
            let verdicts = (0..60).map(|message| {
                let frame = Frame { id: request::CURRENT_TIME, body: Vec::new() };
                code(&limits.judge(&frame, at(number * 1000 + message)))
            });
            verdicts.collect::<Vec<_>>()
        };
        let first = second(0);
        assert!(first[..50].iter().all(|code| *code == 0) && first[50..].iter().all(|code| *code == 100));
        assert!(second(2)[50..].iter().all(|code| *code == 100));
        assert_eq!(second(20)[50], 100, "forgiven");
        assert_eq!((second(22)[50], second(24)[50]), (100, -100));
    }

    #[test]
    fn an_identical_request_has_to_wait() {
        let mut limits = limited(None, true);
        let mut ask = |millis, duration| code(&limits.judge(&bars(1, duration, "TRADES"), at(millis)));
        assert_eq!((ask(0, "1 D"), ask(1, "2 D"), ask(14_999, "1 D"), ask(15_000, "1 D")), (0, 0, 162, 0));
    }

    #[test]
    fn a_series_has_five_requests_in_two_seconds() {
        let mut limits = limited(None, true);
        let mut ask = |millis, duration: i32, show| {
            code(&limits.judge(&bars(1, &format!("{duration} D"), show), at(millis)))
        };
        assert_eq!([1, 2, 3, 4, 5, 6].map(|duration| ask(0, duration, "TRADES")), [0, 0, 0, 0, 0, 162]);
        assert_eq!(ask(0, 7, "MIDPOINT"), 0, "another series");
        assert_eq!([1, 2, 3].map(|duration| ask(0, duration, "BID_ASK")), [0, 0, 162], "they count twice");
        assert_eq!(ask(2_000, 8, "TRADES"), 0);
    }

    #[test]
    fn sixty_requests_in_ten_minutes_and_bids_with_asks_count_twice() {
        let mut limits = limited(None, true);
        let mut ask = |millis, con_id, show| code(&limits.judge(&bars(con_id, "1 D", show), at(millis)));
        for con_id in 0..29 {
            assert_eq!(ask(0, con_id, "BID_ASK"), 0);
        }
        assert_eq!((ask(1, 100, "TRADES"), ask(1, 101, "BID_ASK"), ask(1, 102, "TRADES")), (0, 162, 0));
        assert_eq!((ask(2, 103, "TRADES"), ask(600_001, 103, "TRADES")), (162, 0));
    }

    #[test]
    fn bars_of_a_minute_and_more_have_no_pacing() {
        let mut limits = limited(None, true);
        for size in ["1 min", "1 hour", "1 day"] {
            for _ in 0..100 {
                assert_eq!(code(&limits.judge(&bars_of(size, 1, "1 D", "TRADES"), at(0))), 0, "{size}");
            }
        }
        assert_eq!(code(&limits.judge(&bars(1, "1 D", "TRADES"), at(0))), 0);
    }

    #[test]
    fn real_time_bars_count_among_the_sixty() {
        let mut limits = limited(None, true);
        let real_time = |con_id| {
            let contract = Some(Contract { con_id: Some(con_id), ..Default::default() });
            let wanted = RealTimeBarsRequest { req_id: Some(con_id), contract, ..Default::default() };
            Frame { id: request::REAL_TIME_BARS, body: wanted.encode_to_vec() }
        };
        for con_id in 0..60 {
            assert_eq!(code(&limits.judge(&real_time(con_id), at(0))), 0);
        }
        assert_eq!(code(&limits.judge(&real_time(60), at(1))), 420);
        assert_eq!(code(&limits.judge(&bars(60, "1 D", "TRADES"), at(1))), 162);
    }
}
