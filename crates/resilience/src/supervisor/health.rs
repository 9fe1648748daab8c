//! The health of a live session: what its pings and the Gateway's notices say.

use std::collections::BTreeSet;
use std::time::Duration;

use ibkr_connect_core::types::{Connectivity, FarmStatus, Notice};

use super::options::SupervisorOptions;
use super::outage::Servers;
use super::state::{Damage, Farm, SupervisorState};
use super::time::Reading;

/// A ping is sent so much of the interval before its end.
const LEAD: u32 = 5;
/// So many requests in a row without an answer say something about the session; fewer, about the requests.
const UNANSWERED: u32 = 3;

/// Farms that are known to be down: IBKR has a few dozen.
const MOST_FARMS: usize = 64;
/// The longest name of a farm that is kept whole. IBKR's have a dozen letters, and each transition has all of those that are down.
const LONGEST_NAME: usize = 64;

/// What is known about a live session.
#[derive(Debug)]
pub(crate) struct Health {
    rules: Rules,
    /// When the Gateway last answered.
    last_answer: Reading,
    /// When it was last heard of at all.
    last_heard: Reading,
    ask_at: Reading,
    is_asked: bool,
    /// The end of the interval.
    due: Reading,
    unanswered: u32,
    servers: Servers,
    farms: BTreeSet<Farm>,
    /// Requests in a row without an answer.
    requests_unanswered: u32,
}

#[derive(Debug)]
struct Rules {
    interval: Duration,
    misses: u32,
    patience: Duration,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wait,
    Ask,
    Lost,
}

impl Health {
    /// The health of a session whose Gateway answered at `last_answer`.
    pub(crate) fn new(options: &SupervisorOptions, last_answer: Reading) -> Self {
        let rules = Rules {
            interval: options.ping_interval,
            misses: options.misses,
            patience: options.upstream_patience,
        };
        let mut health = Self {
            rules,
            last_answer,
            last_heard: last_answer,
            ask_at: last_answer,
            is_asked: false,
            due: last_answer,
            unanswered: 0,
            servers: Servers::default(),
            farms: BTreeSet::new(),
            requests_unanswered: 0,
        };
        health.answered(last_answer);
        health
    }

    /// When the Gateway last answered.
    pub(crate) fn last_answer(&self) -> Reading {
        self.last_answer
    }

    /// When to [`check`](Self::check) next.
    pub(crate) fn wake_at(&self) -> Reading {
        if self.is_asked { self.due } else { self.ask_at }
    }

    /// A ping was answered.
    pub(crate) fn answered(&mut self, now: Reading) {
        self.last_answer = now;
        self.last_heard = now;
        self.unanswered = 0;
        self.is_asked = false;
        self.ask_at = now + (self.rules.interval - self.rules.interval / LEAD);
        self.due = now + self.rules.interval;
    }

    /// Counts an interval without an answer, and says whether to ask now.
    ///
    /// At most one is counted at a time: after this machine has slept for an hour, the Gateway is asked before it is
    /// condemned.
    pub(crate) fn check(&mut self, now: Reading) -> Verdict {
        if now.has_reached(self.due) {
            self.unanswered = self.unanswered.saturating_add(1);
            if self.unanswered >= self.rules.misses && !self.is_excused(now) {
                return Verdict::Lost;
            }
            self.is_asked = false;
            self.ask_at = now;
            self.due = now + self.rules.interval;
        }
        if self.is_asked || !now.has_reached(self.ask_at) {
            return Verdict::Wait;
        }
        self.is_asked = true;
        Verdict::Ask
    }

    /// Takes a notice; `Some` when every market data subscription is void since then.
    pub(crate) fn notice(&mut self, now: Reading, notice: &Notice) -> Option<Reading> {
        self.last_heard = now;
        let change = notice.connectivity()?;
        let ended = self.servers.on(now, &change);
        if ended.is_some() {
            self.ask_again(now);
        }
        match change {
            Connectivity::Restored { data_kept: false } => return Some(ended.unwrap_or(self.last_answer)),
            Connectivity::DataFarm { kind, mut name, status } => {
                name.truncate(name.floor_char_boundary(LONGEST_NAME));
                self.farm(Farm { kind, name }, status);
            }
            // The loss of the socket is told elsewhere.
            _ => {}
        }
        None
    }

    fn farm(&mut self, farm: Farm, status: FarmStatus) {
        match status {
            FarmStatus::Disconnected if self.farms.len() < MOST_FARMS => {
                self.farms.insert(farm);
            }
            FarmStatus::Connected => {
                let is_back = |lost: &Farm| farm.name.is_empty() || lost.name == farm.name;
                self.farms.retain(|lost| lost.kind != farm.kind || !is_back(lost));
            }
            // An inactive farm wakes up when asked.
            FarmStatus::Disconnected | FarmStatus::Connecting | FarmStatus::Inactive => {}
        }
    }

    /// So many requests in a row got no answer in time.
    pub(crate) fn requests_unanswered(&mut self, count: u32) {
        self.requests_unanswered = count;
    }

    /// Ready or degraded.
    pub(crate) fn state(&self, now: Reading) -> SupervisorState<Reading> {
        let stale = u32::from(now.since(self.last_answer) > self.rules.interval);
        let damage = Damage {
            unanswered: self.unanswered.max(stale),
            upstream_lost: self.servers.lost_since().is_some(),
            farms: self.farms.clone(),
            requests_unanswered: Some(self.requests_unanswered)
                .filter(|count| *count >= UNANSWERED)
                .unwrap_or(0),
        };
        if damage == Damage::default() { SupervisorState::Ready } else { SupervisorState::Degraded(damage) }
    }

    fn is_excused(&self, now: Reading) -> bool {
        self.servers.lost_since().is_some() && now.since(self.last_heard) < self.rules.patience
    }

    /// An outage is over. The silence in it was excused, so the Gateway is asked again at once.
    fn ask_again(&mut self, now: Reading) {
        if self.unanswered > 0 {
            self.unanswered = 1;
            self.is_asked = false;
            self.ask_at = now;
            self.due = now + self.rules.interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Reading {
        Reading::START + Duration::from_secs(seconds)
    }

    fn health() -> Health {
        Health::new(&SupervisorOptions::default(), Reading::START)
    }

    fn tell(health: &mut Health, seconds: u64, code: i32, message: &str) -> Option<Reading> {
        health.notice(
            at(seconds),
            &ibkr_connect_core::literal!(Notice { code, message: message.to_owned(), time: None }),
        )
    }

    #[test]
    fn the_question_comes_early_enough_for_its_answer() {
        let mut health = health();
        assert_eq!(health.wake_at(), at(24));
        assert_eq!(health.check(at(23)), Verdict::Wait);
        assert_eq!(health.check(at(24)), Verdict::Ask);
        assert_eq!(health.check(at(29)), Verdict::Wait);
        health.answered(at(29));
        assert_eq!(health.state(at(59)), SupervisorState::Ready);
        assert_eq!(health.wake_at(), at(53));
    }

    #[test]
    fn farms_without_end_are_not_all_known() {
        let mut health = health();
        for farm in 0..1_000 {
            tell(&mut health, 1, 2103, &format!("Market data farm connection is broken:{farm}"));
        }
        assert_eq!(health.farms.len(), MOST_FARMS);
        tell(&mut health, 1, 2104, "Market data farm connection is OK:7");
        assert_eq!(health.farms.len(), MOST_FARMS - 1);
    }

    #[test]
    fn a_name_without_end_is_cut_and_its_farm_comes_back_all_the_same() {
        let mut health = health();
        let long = "ü".repeat(4_000);
        tell(&mut health, 1, 2103, &format!("Market data farm connection is broken:{long}"));
        assert!(health.farms.iter().all(|farm| farm.name.len() == LONGEST_NAME), "{:?}", health.farms);
        assert_eq!(health.farms.len(), 1);
        tell(&mut health, 2, 2104, &format!("Market data farm connection is OK:{long}"));
        assert_eq!(health.farms.len(), 0);
    }

    #[test]
    fn three_intervals_of_silence_are_the_end_and_none_of_them_is_ready() {
        let mut health = health();
        assert_eq!(health.check(at(24)), Verdict::Ask);
        for (now, unanswered) in [(30, 1), (60, 2)] {
            assert_eq!(health.check(at(now)), Verdict::Ask, "{now}");
            let damage = Damage { unanswered, ..Damage::default() };
            assert_eq!(health.state(at(now)), SupervisorState::Degraded(damage));
        }
        assert_eq!(health.wake_at(), at(90));
        assert_eq!(health.check(at(90)), Verdict::Lost);
    }

    #[test]
    fn a_stale_session_is_not_ready_even_if_nobody_has_checked() {
        let unchecked = health();
        assert!(matches!(unchecked.state(at(3600)), SupervisorState::Degraded(Damage { unanswered: 1, .. })));
    }

    #[test]
    fn a_machine_that_slept_asks_before_it_condemns() {
        let mut health = health();
        assert_eq!(health.check(at(3600)), Verdict::Ask);
        assert_eq!(health.check(at(3601)), Verdict::Wait);
        assert_eq!(health.check(at(3630)), Verdict::Ask);
        assert_eq!(health.check(at(3660)), Verdict::Lost);
    }

    #[test]
    fn silence_during_an_outage_upstream_is_excused_for_a_while() {
        let mut health = health();
        tell(&mut health, 10, 1100, "Connectivity between IB and Trader Workstation has been lost.");
        let mut now = 10;
        while health.check(at(now)) != Verdict::Lost {
            assert!(matches!(
                health.state(at(now)),
                SupervisorState::Degraded(Damage { upstream_lost: true, .. })
            ));
            now += 1;
        }
        assert!((910..=940).contains(&now), "15 minutes after the last notice: {now}");
    }

    #[test]
    fn excused_silence_is_forgotten_when_the_outage_is_over() {
        let mut health = health();
        tell(&mut health, 10, 1100, "lost");
        (11..400).for_each(|now| assert_ne!(health.check(at(now)), Verdict::Lost));
        tell(&mut health, 400, 1102, "restored, data maintained");
        assert!(!health.state(at(400)).is_usable(), "it has yet to answer");
        assert_eq!(health.check(at(400)), Verdict::Ask);
        assert_eq!(health.check(at(430)), Verdict::Ask);
        assert_eq!(health.check(at(460)), Verdict::Lost);
    }

    #[test]
    fn farms_come_and_go_by_name() {
        let mut health = health();
        tell(&mut health, 1, 2103, "Market data farm connection is broken:usfarm");
        tell(&mut health, 1, 2103, "Market data farm connection is broken:cashfarm");
        tell(&mut health, 1, 2105, "HMDS data farm connection is broken:ushmds");
        tell(&mut health, 2, 2104, "Market data farm connection is OK:usfarm");
        tell(
            &mut health,
            2,
            2107,
            "HMDS data farm connection is inactive but should be available upon demand.ushmds",
        );
        let SupervisorState::Degraded(damage) = health.state(at(2)) else { panic!("{health:?}") };
        let names: Vec<_> = damage.farms.iter().map(|farm| farm.name.as_str()).collect();
        assert_eq!(names, ["cashfarm", "ushmds"]);
        tell(&mut health, 3, 2104, "Market data farm connection is OK:cashfarm");
        tell(&mut health, 3, 2106, "");
        assert_eq!(health.state(at(3)), SupervisorState::Ready);
    }

    #[test]
    fn market_data_is_void_since_the_outage_began() {
        let mut health = health();
        assert_eq!(tell(&mut health, 10, 1100, "lost"), None);
        assert_eq!(tell(&mut health, 20, 1100, "lost"), None);
        assert_eq!(tell(&mut health, 25, 1101, "restored, data lost"), Some(at(10)));
        assert_eq!(health.state(at(25)), SupervisorState::Ready);
        assert_eq!(
            tell(&mut health, 26, 1101, "restored, data lost"),
            Some(Reading::START),
            "nobody told of the loss"
        );
        tell(&mut health, 27, 1100, "lost");
        assert_eq!(tell(&mut health, 28, 1102, "restored, data maintained"), None);
        assert_eq!(health.state(at(28)), SupervisorState::Ready);
    }

    #[test]
    fn requests_without_an_answer_are_damage_until_one_is_answered() {
        let mut health = health();
        for (count, shown) in [(2, None), (3, Some(3)), (7, Some(7)), (0, None)] {
            health.requests_unanswered(count);
            let damage = shown.map(|requests_unanswered| Damage { requests_unanswered, ..Damage::default() });
            let state = damage.map_or(SupervisorState::Ready, SupervisorState::Degraded);
            assert_eq!(health.state(at(1)), state, "{count}");
            assert!(health.state(at(1)).is_usable(), "or nobody could find out that it is over");
        }
    }

    #[test]
    fn a_2110_is_over_when_a_farm_is_back_and_a_1100_is_not() {
        let mut health = health();
        tell(&mut health, 1, 2110, "Connectivity between Trader Workstation and server is broken.");
        tell(&mut health, 2, 2104, "Market data farm connection is OK:usfarm");
        assert_eq!(health.state(at(2)), SupervisorState::Ready);
        tell(&mut health, 3, 1100, "lost");
        tell(&mut health, 4, 2104, "Market data farm connection is OK:usfarm");
        assert!(matches!(health.state(at(4)), SupervisorState::Degraded(_)));
    }
}
