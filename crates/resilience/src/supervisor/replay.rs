//! Some streams begin with what has been: when such a stream is opened again, its consumer has had most of that.
//!
//! What is dropped are events that were given before. What a stream begins with as its present state (positions, an order book, the
//! last prices) is not repetition, and passes.

use std::cmp::Ordering;
use std::collections::VecDeque;

use ibkr_connect_core::types::{
    Bar, BarTime, HistoricalBarUpdatesEvent, NewsBulletin, NewsEvent, TickByTickEvent, TickByTickParams,
};
use ibkr_connect_core::{Event, StreamRequest};
use jiff::Timestamp;

/// A connection begins its notices with at most this many of the past.
const NOTICES: usize = 256;
/// Ticks or notices of one and the same time that are remembered: TWS gives at most 1,000 ticks of the past.
const AT_ONE_TIME: usize = 1_024;
/// Bulletins and headlines that are remembered. There are a few bulletins a day.
const REMEMBERED: usize = 512;

/// What was given of a stream that may begin with it again.
#[derive(Debug)]
pub(crate) enum Replay {
    /// Its events come once.
    None,
    Bars {
        /// The newest bar that was given.
        newest: Option<Bar>,
    },
    /// The ticks of the past that are asked for with the stream.
    Ticks {
        tail: Tail<Event>,
        first: usize,
    },
    /// Notices, and the changes in connectivity that they tell. They are the session's own.
    Notices {
        tail: Tail<Event>,
    },
    Bulletins {
        given: VecDeque<NewsBulletin>,
    },
    Headlines {
        given: VecDeque<(String, String)>,
    },
}

impl From<&StreamRequest> for Replay {
    fn from(request: &StreamRequest) -> Self {
        match request {
            StreamRequest::HistoricalBarUpdates(_) => Self::Bars { newest: None },
            StreamRequest::TickByTick(TickByTickParams { number_of_ticks: first @ 1.., .. }) => {
                Self::Ticks { tail: Tail::default(), first: usize::try_from(*first).unwrap_or(usize::MAX) }
            }
            StreamRequest::Notices | StreamRequest::Connectivity => Self::Notices { tail: Tail::default() },
            StreamRequest::NewsBulletins => Self::Bulletins { given: VecDeque::new() },
            StreamRequest::ContractNews(_) | StreamRequest::BroadTapeNews(_) => {
                Self::Headlines { given: VecDeque::new() }
            }
            _ => Self::None,
        }
    }
}

/// Whether a stream is opened again in the session that it was open in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    Same,
    New,
}

impl Replay {
    /// The stream is opened again, and begins once more.
    pub(crate) fn begins_again(&mut self, session: Session) {
        match self {
            Self::Ticks { tail, first } => tail.begins_again(*first),
            Self::Notices { tail } if session == Session::Same => tail.begins_again(NOTICES),
            // What another session was told when it began is its own.
            Self::Notices { tail } => *tail = Tail::default(),
            _ => {}
        }
    }

    /// The event, or what of it is new.
    pub(crate) fn admit(&mut self, event: Event) -> Option<Event> {
        match (self, event) {
            (Self::Bars { newest }, Event::HistoricalBarUpdates(update)) => {
                Some(Event::HistoricalBarUpdates(new_bars(newest, update)))
            }
            (Self::Ticks { tail, .. } | Self::Notices { tail }, event) => {
                let Some(time) = time_of(&event) else { return Some(event) };
                tail.admit(time, &event).then_some(event)
            }
            (Self::Bulletins { given }, Event::NewsBulletins(bulletin)) => {
                let is_new = remember(given, bulletin.clone());
                is_new.then_some(Event::NewsBulletins(bulletin))
            }
            (Self::Headlines { given }, event) => {
                let is_new = match headline(&event) {
                    Some(NewsEvent::Headline(headline)) => {
                        remember(given, (headline.provider_code.clone(), headline.article_id.clone()))
                    }
                    _ => true,
                };
                is_new.then_some(event)
            }
            (_, event) => Some(event),
        }
    }
}

/// Of a history, the bars from the newest one that was given on; that one too if it has changed since.
fn new_bars(newest: &mut Option<Bar>, mut event: HistoricalBarUpdatesEvent) -> HistoricalBarUpdatesEvent {
    let latest = match &mut event {
        HistoricalBarUpdatesEvent::History { bars } => {
            if let Some(newest) = newest.as_ref() {
                bars.retain(|bar| match order(bar.time, newest.time) {
                    Ordering::Less => false,
                    Ordering::Equal => bar != newest,
                    Ordering::Greater => true,
                });
            }
            bars.last()
        }
        HistoricalBarUpdatesEvent::Update(bar) => Some(&*bar),
        _ => None,
    };
    let is_newer = |bar: &&Bar| newest.as_ref().is_none_or(|newest| order(bar.time, newest.time).is_ge());
    if let Some(bar) = latest.filter(is_newer) {
        *newest = Some(bar.clone());
    }
    event
}

/// The bars of a stream begin at times, or all of them at days; one that says neither is given.
fn order(one: Option<BarTime>, other: Option<BarTime>) -> Ordering {
    match (one, other) {
        (Some(BarTime::Time(one)), Some(BarTime::Time(other))) => one.cmp(&other),
        (Some(BarTime::Date(one)), Some(BarTime::Date(other))) => one.cmp(&other),
        _ => Ordering::Greater,
    }
}

fn time_of(event: &Event) -> Option<Timestamp> {
    match event {
        Event::Notices(notice) => notice.time,
        Event::Connectivity(change) => change.time,
        Event::TickByTick(tick) => match tick {
            TickByTickEvent::Trade(tick) => tick.time,
            TickByTickEvent::BidAsk(tick) => tick.time,
            TickByTickEvent::Midpoint(tick) => tick.time,
            _ => None,
        },
        _ => None,
    }
}

fn headline(event: &Event) -> Option<&NewsEvent> {
    match event {
        Event::ContractNews(event) | Event::BroadTapeNews(event) => Some(event),
        _ => None,
    }
}

/// Tells whether it is new.
fn remember<T: PartialEq>(given: &mut VecDeque<T>, item: T) -> bool {
    if given.contains(&item) {
        return false;
    }
    if given.len() == REMEMBERED {
        given.pop_front();
    }
    given.push_back(item);
    true
}

/// The newest of the events that were given, in the order of their times. Times are coarse: several events have the same one.
#[derive(Debug)]
pub(crate) struct Tail<T> {
    newest: Option<Timestamp>,
    /// Those with that time.
    at_newest: Vec<T>,
    /// While the past is being given again: those of the newest time that have not come yet, and how many events it has left.
    again: Option<(Vec<T>, usize)>,
}

impl<T> Default for Tail<T> {
    fn default() -> Self {
        Self { newest: None, at_newest: Vec::new(), again: None }
    }
}

impl<T: PartialEq + Clone> Tail<T> {
    /// The next events, at most so many, may be of the past.
    fn begins_again(&mut self, most: usize) {
        self.again = self.newest.map(|_| (self.at_newest.clone(), most));
    }

    /// Tells whether the event is new, and remembers it then.
    fn admit(&mut self, time: Timestamp, event: &T) -> bool {
        if self.was_given(time, event) {
            return false;
        }
        match self.newest.map(|newest| time.cmp(&newest)) {
            Some(Ordering::Less) => {}
            // More than a connection begins again with need not be known.
            Some(Ordering::Equal) if self.at_newest.len() < AT_ONE_TIME => self.at_newest.push(event.clone()),
            Some(Ordering::Equal) => {}
            Some(Ordering::Greater) | None => {
                (self.newest, self.at_newest) = (Some(time), vec![event.clone()]);
            }
        }
        true
    }

    fn was_given(&mut self, time: Timestamp, event: &T) -> bool {
        let (Some((open, left)), Some(newest)) = (&mut self.again, self.newest) else { return false };
        let was_given = match time.cmp(&newest) {
            Ordering::Less => true,
            Ordering::Equal => {
                open.iter().position(|given| given == event).map(|at| open.swap_remove(at)).is_some()
            }
            Ordering::Greater => false,
        };
        *left = left.saturating_sub(1);
        // Events of the past come in their order: the first new one is the end of them.
        if !was_given && time > newest || *left == 0 {
            self.again = None;
        }
        was_given
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::types::{
        Connectivity, ConnectivityEvent, HistoricalBarUpdatesParams, MarketDataParams, MidpointTick,
        NewsHeadline, Notice,
    };
    use jiff::civil::date;

    use super::*;

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn bar(begin: i64, close: f64) -> Bar {
        let price = Some(close);
        let time = Some(BarTime::Time(time(begin)));
        ibkr_connect_core::literal!(Bar {
            time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: None,
            wap: None,
            count: None
        })
    }

    fn history(bars: &[Bar]) -> Event {
        Event::HistoricalBarUpdates(HistoricalBarUpdatesEvent::History { bars: bars.to_vec() })
    }

    fn update(bar: Bar) -> Event {
        Event::HistoricalBarUpdates(HistoricalBarUpdatesEvent::Update(bar))
    }

    fn notice(seconds: i64, code: i32) -> Event {
        Event::Notices(ibkr_connect_core::literal!(Notice {
            code,
            message: String::new(),
            time: Some(time(seconds))
        }))
    }

    /// Those of the events that pass.
    fn admitted(replay: &mut Replay, events: Vec<Event>) -> Vec<Event> {
        events.into_iter().filter_map(|event| replay.admit(event)).collect()
    }

    #[test]
    fn a_history_that_comes_again_begins_with_the_newest_bar_that_was_given() {
        let mut replay =
            Replay::from(&StreamRequest::HistoricalBarUpdates(HistoricalBarUpdatesParams::default()));
        let first = vec![history(&[bar(0, 1.0), bar(60, 2.0)]), update(bar(60, 3.0)), update(bar(120, 4.0))];
        assert_eq!(admitted(&mut replay, first.clone()), first);
        replay.begins_again(Session::New);
        let again = history(&[bar(0, 1.0), bar(60, 3.0), bar(120, 5.0), bar(180, 6.0)]);
        assert_eq!(admitted(&mut replay, vec![again]), [history(&[bar(120, 5.0), bar(180, 6.0)])]);
        replay.begins_again(Session::Same);
        let again = history(&[bar(120, 5.0), bar(180, 6.0)]);
        assert_eq!(admitted(&mut replay, vec![again]), [history(&[])], "it has not changed");
        let late = update(bar(120, 9.0));
        assert_eq!(admitted(&mut replay, vec![late.clone()]), [late], "a correction is news");
        replay.begins_again(Session::Same);
        assert_eq!(
            admitted(&mut replay, vec![history(&[bar(120, 9.0), bar(240, 7.0)])]),
            [history(&[bar(240, 7.0)])]
        );
    }

    #[test]
    fn daily_bars_are_compared_by_their_day() {
        let mut replay = Replay::Bars { newest: None };
        let day = |day, close| {
            ibkr_connect_core::literal!(Bar {
                time: Some(BarTime::Date(date(2026, 12, day))),
                ..bar(0, close)
            })
        };
        admitted(&mut replay, vec![history(&[day(1, 1.0), day(2, 2.0)])]);
        replay.begins_again(Session::New);
        let again = history(&[day(1, 1.0), day(2, 2.5), day(3, 3.0)]);
        assert_eq!(admitted(&mut replay, vec![again]), [history(&[day(2, 2.5), day(3, 3.0)])]);
    }

    #[test]
    fn notices_of_the_same_session_come_once_and_those_of_another_one_are_its_own() {
        let mut replay = Replay::from(&StreamRequest::Notices);
        let said = vec![notice(1, 2104), notice(1, 2106), notice(2, 1100), notice(2, 1100)];
        assert_eq!(admitted(&mut replay, said.clone()), said, "said twice is given twice");
        replay.begins_again(Session::Same);
        let again = [said.clone(), vec![notice(2, 1102), notice(3, 2104), notice(3, 2104)]].concat();
        assert_eq!(admitted(&mut replay, again), [notice(2, 1102), notice(3, 2104), notice(3, 2104)]);
        replay.begins_again(Session::New);
        assert_eq!(admitted(&mut replay, said.clone()), said);
    }

    #[test]
    fn connectivity_is_told_once_as_well() {
        let mut replay = Replay::from(&StreamRequest::Connectivity);
        let lost =
            Event::Connectivity(ConnectivityEvent { change: Connectivity::Lost {}, time: Some(time(5)) });
        assert_eq!(admitted(&mut replay, vec![lost.clone()]).len(), 1);
        replay.begins_again(Session::Same);
        assert_eq!(admitted(&mut replay, vec![lost]), []);
    }

    #[test]
    fn a_gateway_whose_clock_was_set_back_is_heard_again() {
        let mut replay = Replay::from(&StreamRequest::Notices);
        admitted(&mut replay, vec![notice(1_000_000, 1100)]);
        replay.begins_again(Session::Same);
        let later = (0..300).map(|second| notice(second, 2104)).collect();
        assert_eq!(
            admitted(&mut replay, later).len(),
            300 - NOTICES,
            "no more than can be of the past are dropped"
        );
        let mut live = Replay::from(&StreamRequest::Notices);
        admitted(&mut live, vec![notice(1_000_000, 1100)]);
        assert_eq!(admitted(&mut live, vec![notice(5, 1102)]).len(), 1);
    }

    #[test]
    fn events_without_end_of_one_time_are_not_all_remembered() {
        let mut replay = Replay::from(&StreamRequest::Notices);
        let said = (0..10_000).map(|code| notice(1, code)).collect::<Vec<_>>();
        assert_eq!(admitted(&mut replay, said.clone()), said, "but given");
        let Replay::Notices { tail } = &replay else { unreachable!() };
        assert_eq!(tail.at_newest.len(), AT_ONE_TIME);
    }

    #[test]
    fn ticks_of_the_past_come_once() {
        let params = TickByTickParams::default().with_number_of_ticks(3);
        let mut replay = Replay::from(&StreamRequest::TickByTick(params));
        let tick = |seconds, price| {
            Event::TickByTick(TickByTickEvent::Midpoint(ibkr_connect_core::literal!(MidpointTick {
                time: Some(time(seconds)),
                price: Some(price),
            })))
        };
        let first = vec![tick(1, 1.0), tick(1, 2.0), tick(2, 1.0)];
        assert_eq!(admitted(&mut replay, first.clone()), first);
        replay.begins_again(Session::New);
        let again = vec![tick(1, 2.0), tick(2, 1.0), tick(2, 3.0), tick(2, 1.0)];
        assert_eq!(admitted(&mut replay, again), [tick(2, 3.0), tick(2, 1.0)]);
    }

    #[test]
    fn bulletins_and_headlines_come_once_a_day() {
        let bulletin = |id| {
            let (message, exchange) = ("NYSE is down".to_owned(), String::new());
            Event::NewsBulletins(ibkr_connect_core::literal!(NewsBulletin {
                message_id: id,
                message_type: 2,
                message,
                exchange
            }))
        };
        let mut replay = Replay::from(&StreamRequest::NewsBulletins);
        assert_eq!(admitted(&mut replay, vec![bulletin(1), bulletin(2)]).len(), 2);
        replay.begins_again(Session::New);
        assert_eq!(admitted(&mut replay, vec![bulletin(1), bulletin(2), bulletin(3)]), [bulletin(3)]);

        let headline = |id: &str| {
            let (provider_code, headline) = ("BRFG".to_owned(), "news".to_owned());
            let article_id = id.to_owned();
            let headline = ibkr_connect_core::literal!(NewsHeadline {
                time: Some(time(1)),
                provider_code,
                article_id,
                headline,
                extra_data: None
            });
            Event::ContractNews(NewsEvent::Headline(headline))
        };
        let mut replay = Replay::Headlines { given: VecDeque::new() };
        assert_eq!(admitted(&mut replay, vec![headline("a"), headline("a"), headline("b")]).len(), 2);
        let warning = Event::ContractNews(NewsEvent::Notice { code: 1, message: String::new() });
        assert_eq!(admitted(&mut replay, vec![warning.clone(), warning]).len(), 2);
        for number in 0..2 * REMEMBERED {
            admitted(&mut replay, vec![headline(&number.to_string())]);
        }
        let Replay::Headlines { given } = &replay else { unreachable!() };
        assert_eq!(given.len(), REMEMBERED);
    }

    #[test]
    fn what_a_stream_begins_with_as_its_state_passes() {
        let mut replay = Replay::from(&StreamRequest::MarketData(MarketDataParams::default()));
        let event = update(bar(0, 1.0));
        replay.begins_again(Session::New);
        assert_eq!(admitted(&mut replay, vec![event.clone(), event]).len(), 2);
        let none_asked = TickByTickParams::default();
        assert!(matches!(Replay::from(&StreamRequest::TickByTick(none_asked)), Replay::None));
    }
}
