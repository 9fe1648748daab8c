//! Whether a stream is as lively as it was before the Gateway lost a farm or IBKR's servers.
//!
//! The Gateway may say that all is well again (1102, 2104, 2106) while a subscription stays silent for good
//! (Lean.Brokerages.InteractiveBrokers#169, nautilus_trader#3001). Subscribing again on every such notice is worse
//! (nautilus_trader#4412): farms flap. So only a stream that was lively before and is silent afterwards is suspected.

use std::collections::VecDeque;
use std::time::Duration;

use crate::supervisor::time::Reading;

/// How far back events count.
const WINDOW: Duration = Duration::from_secs(60);
/// A stream with so many events in the window is lively. Bars that are kept up to date and real-time bars have twelve.
const LIVELY: u64 = 6;
/// A lively stream is suspected when this many events should have come, and none has.
const OVERDUE: u32 = 20;
/// But it is never suspected sooner than the first of these, and not later than the second.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(120));

/// An event takes less than this from a worker to its consumer's buffer.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// What a subscription has received so far.
#[derive(Debug)]
pub(crate) struct Activity {
    total: u64,
    /// When it was last looked at.
    sampled: Reading,
    /// How many events came up to which look.
    counts: VecDeque<(Reading, u64)>,
    /// No event has come since this look.
    quiet_since: Reading,
    /// At this look the consumer had read everything, and nothing older came later.
    caught_up: Reading,
    /// At this look it had, too; what a worker had kept until then may still be on its way.
    is_read: Option<Reading>,
    outage: Option<Outage>,
}

/// What a lively stream depends on was lost.
#[derive(Debug)]
struct Outage {
    /// How many events came in the window before it.
    before: u64,
    /// When all was well again.
    over: Option<Reading>,
}

impl Activity {
    /// Of a subscription that is open from now on.
    pub(crate) fn new(now: Reading) -> Self {
        Self {
            total: 0,
            sampled: now,
            counts: VecDeque::new(),
            quiet_since: now,
            caught_up: now,
            is_read: Some(now),
            outage: None,
        }
    }

    /// So many events have come since it is open, and so many of them are unread.
    pub(crate) fn received(&mut self, now: Reading, total: u64, unread: usize) {
        let new = total.saturating_sub(self.total);
        if new > 0 {
            // The last of them came after the look before this one.
            self.quiet_since = self.sampled;
            self.counts.push_back((now, new));
            self.outage.take_if(|outage| outage.over.is_some());
        }
        (self.total, self.sampled) = (total, now);
        self.read(now, unread);
        while self.counts.front().is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
            self.counts.pop_front();
        }
    }

    /// What it depends on is lost.
    pub(crate) fn outage_began(&mut self, now: Reading) {
        let before = self.rate(now);
        match &mut self.outage {
            Some(outage) => outage.over = None,
            None => self.outage = (before >= LIVELY).then_some(Outage { before, over: None }),
        }
    }

    /// What it depends on is back.
    pub(crate) fn outage_ended(&mut self, now: Reading) {
        if let Some(outage) = &mut self.outage {
            outage.over.get_or_insert(now);
        }
    }

    /// When it is suspected, if nothing comes before.
    pub(crate) fn suspected_at(&self) -> Option<Reading> {
        let Outage { before, over } = self.outage.as_ref()?;
        let expected = u32::try_from(*before).unwrap_or(u32::MAX).max(1);
        let patience = WINDOW.saturating_mul(OVERDUE) / expected;
        over.map(|over| over + patience.clamp(PATIENCE.0, PATIENCE.1))
    }

    /// Since when events may be missing if the subscription ends now.
    ///
    /// What a worker keeps for a consumer that is behind is lost with the subscription. A lively one that has been silent since an
    /// outage began is served again only when an event says so.
    pub(crate) fn missing_since(&self) -> Reading {
        match self.outage {
            Some(_) => self.caught_up.earlier_of(self.quiet_since),
            None => self.caught_up,
        }
    }

    fn read(&mut self, now: Reading, unread: usize) {
        self.is_read = match self.is_read {
            _ if unread > 0 => None,
            Some(before) if now.since(before) < ON_ITS_WAY => Some(before),
            Some(before) => {
                self.caught_up = before;
                Some(now)
            }
            None => Some(now),
        };
    }

    fn rate(&self, now: Reading) -> u64 {
        self.counts.iter().filter(|(at, _)| now.since(*at) < WINDOW).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Reading {
        Reading::START + Duration::from_secs(seconds)
    }

    /// A stream that is looked at every five seconds for a minute, with so many events each time.
    fn after_a_minute(per_look: u64) -> Activity {
        let mut activity = Activity::new(at(0));
        (1..=12).for_each(|look| activity.received(at(look * 5), look * per_look, 0));
        activity
    }

    fn suspected_at(activity: &mut Activity) -> Option<Reading> {
        activity.outage_began(at(60));
        activity.outage_ended(at(63));
        activity.suspected_at()
    }

    #[test]
    fn a_lively_stream_that_stays_silent_is_suspected_the_sooner_the_livelier_it_was() {
        assert_eq!(suspected_at(&mut after_a_minute(100)), Some(at(63 + 20)));
        assert_eq!(suspected_at(&mut after_a_minute(2)), Some(at(63 + 50)));
        assert_eq!(suspected_at(&mut after_a_minute(1)), Some(at(63 + 100)));
    }

    #[test]
    fn a_quiet_stream_is_never_suspected() {
        assert_eq!(suspected_at(&mut after_a_minute(0)), None);
        let mut rare = Activity::new(at(0));
        rare.received(at(30), 5, 0);
        assert_eq!(suspected_at(&mut rare), None);
        let mut long_ago = Activity::new(at(0));
        long_ago.received(at(0), 1_000, 0);
        assert_eq!(suspected_at(&mut long_ago), None, "silent before the outage, too");
    }

    #[test]
    fn an_event_after_the_outage_clears_it_and_one_during_the_outage_does_not() {
        let mut activity = after_a_minute(10);
        activity.outage_began(at(60));
        activity.received(at(61), 130, 0);
        activity.outage_ended(at(63));
        assert!(activity.suspected_at().is_some());
        activity.received(at(64), 131, 0);
        assert_eq!(activity.suspected_at(), None);
    }

    #[test]
    fn flaps_are_one_outage_that_begins_with_the_first_and_ends_with_the_last() {
        let mut activity = after_a_minute(10);
        for flap in 0..100 {
            activity.outage_began(at(60 + flap * 3));
            assert_eq!(activity.suspected_at(), None, "it is not over");
            activity.outage_ended(at(61 + flap * 3));
        }
        activity.outage_ended(at(400));
        assert_eq!(activity.suspected_at(), Some(at(61 + 99 * 3 + 20)), "of 120 events a minute");
    }

    #[test]
    fn in_an_outage_events_may_be_missing_since_the_look_before_the_last_one() {
        let mut activity = after_a_minute(1);
        (13..=20).for_each(|look| activity.received(at(look * 5), 12, 0));
        assert_eq!(activity.missing_since(), at(95), "a quiet stream is not a suspect");
        let mut activity = after_a_minute(10);
        activity.outage_began(at(60));
        (13..=20).for_each(|look| activity.received(at(look * 5), 120, 0));
        assert_eq!(activity.missing_since(), at(55), "the last one came between 55 and 60");
        activity.outage_ended(at(101));
        assert_eq!(activity.missing_since(), at(55), "nothing has come since");
        activity.received(at(105), 121, 0);
        assert_eq!(activity.missing_since(), at(100));
    }

    #[test]
    fn a_consumer_that_is_behind_has_not_caught_up_before_what_it_had_coming_is_read_as_well() {
        let mut activity = after_a_minute(1);
        assert_eq!(activity.missing_since(), at(55));
        activity.received(at(65), 20, 3);
        activity.received(at(70), 20, 1);
        assert_eq!(activity.missing_since(), at(55));
        for (now, caught_up) in [(75, 55), (75, 55), (80, 75), (85, 80)] {
            activity.received(at(now), 20, 0);
            assert_eq!(activity.missing_since(), at(caught_up), "{now}");
        }
        activity.received(at(90), 20, 1);
        activity.received(at(95), 20, 0);
        activity.received(at(95), 20, 0);
        assert_eq!(activity.missing_since(), at(80), "a second look at once shows nothing new");
    }
}
