//! Where a day of an instrument begins, and at which price the one before ended.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Hours, Instrument};

impl Instrument {
    /// The price of the newest trade, in ticks.
    pub(crate) fn last_price(&self, second: i64) -> i64 {
        self.tape.second(second).trades.last().map_or(0, |trade| trade.price)
    }

    /// The price of the last trade before the day that runs, in ticks.
    pub(crate) fn prior_close(&self, second: i64) -> i64 {
        self.close_before(self.day_start(second))
    }

    /// Where the session that runs began; outside of all sessions, midnight.
    pub(super) fn day_start(&self, second: i64) -> i64 {
        let (midnight, session) = self.session_of(second);
        if session.contains(&second) { session.start } else { midnight }
    }

    /// The last trade of the last session before.
    pub(super) fn close_before(&self, second: i64) -> i64 {
        let sessions = (0..7).map(|days| self.session_of(second - days * 86_400).1);
        let ended = sessions.map(|session| session.end).find(|end| *end <= second).unwrap_or(second);
        self.last_price(ended - 1)
    }

    /// The midnight that begins a day, and the day's session.
    fn session_of(&self, second: i64) -> (i64, Range<i64>) {
        let midnight = second - second.rem_euclid(86_400);
        let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        let session = self.listing.session(TimeZone::UTC.to_datetime(time).date(), Hours::All);
        (midnight, midnight + session.start..midnight + session.end)
    }
}
