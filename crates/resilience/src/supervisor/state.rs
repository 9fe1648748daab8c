//! What a supervisor tells its users about the session.

use std::collections::BTreeSet;
use std::fmt;

pub use ibkr_connect_core::types::FarmKind;
use jiff::Timestamp;
use serde::Serialize;

/// The state of a supervised session. Its times are wall-clock times; the state machine inside uses its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SupervisorState<At = Timestamp> {
    /// The first attempt runs.
    Connecting,
    /// The session is whole, and the Gateway has answered a ping within the interval.
    Ready,
    /// There is a session, but something is wrong with it that a new one would not cure.
    Degraded(Damage),
    /// There is no session.
    Recovering {
        /// The number of the attempt that runs or is next, counted from 1 since the last session.
        attempt: u32,
        /// When it is made.
        next: NextAttempt<At>,
    },
    /// There is no session, and no attempt is made: the breaker is open, or sessions were lost too often.
    CircuitOpen {
        /// When the next attempt is made at the latest. A breaker that lets one pass earlier is noticed within a second.
        until: At,
    },
    /// There is no session: the Gateway takes connections and answers nobody. Attempts go on as scheduled, but it
    /// probably needs a restart.
    GatewayWedged,
    /// Closed, or given up. Nothing follows.
    Closed,
}

/// When the next attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NextAttempt<At = Timestamp> {
    /// It runs.
    Now,
    /// Then.
    At(At),
    /// As soon as something listens on the port.
    WhenListening,
}

/// What is wrong with a live session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// For how many intervals the Gateway has not answered a ping.
    pub unanswered: u32,
    /// The Gateway has lost IBKR's servers (1100, 2110) and tries to get them back.
    pub upstream_lost: bool,
    /// The data farms that the Gateway has lost (2103, 2105, 2157).
    pub farms: BTreeSet<Farm>,
    /// So many requests in a row, three at least, got no answer in time while the Gateway answers pings; 0 if fewer. One that is
    /// answered ends it. A Gateway whose login is being renewed is like that (ib_insync#172).
    pub requests_unanswered: u32,
}

/// A data farm of IBKR's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Farm {
    /// What it serves.
    pub kind: FarmKind,
    /// Its name, e.g. `usfarm`; empty where the notice names none.
    pub name: String,
}

impl<At> SupervisorState<At> {
    /// The name in JSON and events.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Degraded(_) => "degraded",
            Self::Recovering { .. } => "recovering",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::GatewayWedged => "gateway_wedged",
            Self::Closed => "closed",
        }
    }

    /// Whether there is a session whose Gateway answers.
    pub fn is_usable(&self) -> bool {
        match self {
            Self::Ready => true,
            Self::Degraded(damage) => damage.unanswered == 0,
            _ => false,
        }
    }

    /// The same state in other times.
    pub(crate) fn map<To>(self, convert: impl FnOnce(At) -> To) -> SupervisorState<To> {
        match self {
            Self::Connecting => SupervisorState::Connecting,
            Self::Ready => SupervisorState::Ready,
            Self::Degraded(damage) => SupervisorState::Degraded(damage),
            Self::Recovering { attempt, next } => {
                SupervisorState::Recovering { attempt, next: next.map(convert) }
            }
            Self::CircuitOpen { until } => SupervisorState::CircuitOpen { until: convert(until) },
            Self::GatewayWedged => SupervisorState::GatewayWedged,
            Self::Closed => SupervisorState::Closed,
        }
    }
}

impl<At> NextAttempt<At> {
    /// The same in other times.
    pub(crate) fn map<To>(self, convert: impl FnOnce(At) -> To) -> NextAttempt<To> {
        match self {
            Self::Now => NextAttempt::Now,
            Self::At(at) => NextAttempt::At(convert(at)),
            Self::WhenListening => NextAttempt::WhenListening,
        }
    }
}

/// As a part of a sentence: "the session is ...".
impl<At: fmt::Display> fmt::Display for SupervisorState<At> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting"),
            Self::Ready => f.write_str("ready"),
            Self::Degraded(damage) => write!(f, "degraded: {damage}"),
            Self::Recovering { attempt, next } => match next {
                NextAttempt::Now => write!(f, "recovering: attempt {attempt} runs"),
                NextAttempt::At(at) => write!(f, "recovering: attempt {attempt} follows at {at:.0}"),
                NextAttempt::WhenListening => {
                    write!(f, "recovering: attempt {attempt} follows when something listens on the port")
                }
            },
            Self::CircuitOpen { until } => write!(f, "not being restored before {until:.0} (circuit open)"),
            Self::GatewayWedged => f.write_str("lost: the Gateway takes connections and answers nobody"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.unanswered > 0 {
            parts.push(format!("no answer to a ping for {} intervals", self.unanswered));
        }
        if self.upstream_lost {
            parts.push("the Gateway has lost IBKR's servers".to_owned());
        }
        parts.extend(self.farms.iter().map(|farm| format!("{farm} is down")));
        if self.requests_unanswered > 0 {
            parts.push(format!("the last {} requests got no answer", self.requests_unanswered));
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Farm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FarmKind::MarketData => "market data farm",
            FarmKind::Historical => "historical data farm",
            FarmKind::SecurityDefinitions => "security definition farm",
        };
        if self.name.is_empty() { write!(f, "a {kind}") } else { write!(f, "{kind} {}", self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_stable_names_in_json_too() {
        let farm = Farm { kind: FarmKind::MarketData, name: "usfarm".to_owned() };
        let damage = Damage { farms: BTreeSet::from([farm]), ..Damage::default() };
        let until = "2026-03-04T15:00:00Z".parse().unwrap();
        let next = NextAttempt::At(until);
        let states: [SupervisorState; 7] = [
            SupervisorState::Connecting,
            SupervisorState::Ready,
            SupervisorState::Degraded(damage),
            SupervisorState::Recovering { attempt: 2, next },
            SupervisorState::CircuitOpen { until },
            SupervisorState::GatewayWedged,
            SupervisorState::Closed,
        ];
        for state in &states {
            assert_eq!(serde_json::to_value(state).unwrap()["state"], state.as_str());
        }
        let json = serde_json::to_value(&states[3]).unwrap();
        assert_eq!(json["next"]["at"], "2026-03-04T15:00:00Z");
        assert_eq!(states[2].to_string(), "degraded: market data farm usfarm is down");
        let damage = Damage { requests_unanswered: 4, ..Damage::default() };
        assert_eq!(damage.to_string(), "the last 4 requests got no answer");
        assert_eq!(states[3].to_string(), "recovering: attempt 2 follows at 2026-03-04T15:00:00Z");
    }
}
