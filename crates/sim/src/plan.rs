//! A connection's faults, folded into what to do at each step.

use std::time::Duration;

use crate::{Fault, Hold, OverLimit};

/// What one connection will do. Made before its first byte, then only read.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) stops: Vec<(Stage, Stop)>,
    pub(crate) version: Version,
    pub(crate) accounts: Accounts,
    pub(crate) next_valid_id: NextValidId,
    pub(crate) flood: usize,
    pub(crate) pace: Pace,
    pub(crate) lifetime: Option<(Duration, Stop)>,
    pub(crate) hold: Hold,
}

/// The steps of a connection after which it can stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Accepted,
    Acknowledged,
    StartApi,
    Handshake,
}

/// How a connection stops going well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Close,
    Reset,
    /// Says nothing more, but stays.
    Mute,
    /// Sends an error, then closes.
    Reject(i32),
    /// Sends a length no frame can have, then says nothing more.
    BadFrameLength,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Negotiated,
    Fixed(i32),
    Garbage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accounts {
    Managed,
    Empty,
    Garbage,
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextValidId {
    AfterAccounts,
    BeforeAccounts,
    Missing,
}

/// How slowly frames leave; zero is at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    pub(crate) every_frame: Duration,
    pub(crate) handshake_frame: Duration,
    pub(crate) mid_handshake_frame: Duration,
    pub(crate) every_byte: Duration,
}

impl Plan {
    pub(crate) fn new(faults: &[Fault], hold: Hold) -> Self {
        let mut plan = Self {
            stops: Vec::new(),
            version: Version::Negotiated,
            accounts: Accounts::Managed,
            next_valid_id: NextValidId::AfterAccounts,
            flood: 0,
            pace: Pace::default(),
            lifetime: None,
            hold,
        };
        for fault in faults {
            plan.add(fault);
        }
        plan
    }

    /// The plan for a client that is one too many.
    pub(crate) fn turn_away(over_limit: OverLimit) -> Self {
        let fault = match over_limit {
            OverLimit::Refuse => Fault::ResetBeforeVersion,
            OverLimit::Close => Fault::CloseBeforeVersion,
            OverLimit::Silence => Fault::Silent,
        };
        Self::new(&[fault], Hold::MidHandshake)
    }

    /// The stop planned after a stage, the first one if several are.
    pub(crate) fn stop_after(&self, stage: Stage) -> Option<Stop> {
        self.stops.iter().find(|(at, _)| *at == stage).map(|(_, stop)| *stop)
    }

    /// Whether the handshake tells the client all it needs.
    pub(crate) fn completes_handshake(&self) -> bool {
        self.accounts == Accounts::Managed && self.next_valid_id != NextValidId::Missing
    }

    fn add(&mut self, fault: &Fault) {
        let mut stop = |stage, stop| self.stops.push((stage, stop));
        match *fault {
            Fault::Silent => stop(Stage::Accepted, Stop::Mute),
            Fault::CloseBeforeVersion => stop(Stage::Accepted, Stop::Close),
            Fault::ResetBeforeVersion => stop(Stage::Accepted, Stop::Reset),
            Fault::CloseAfterVersion => stop(Stage::Acknowledged, Stop::Close),
            Fault::MuteAfterVersion => stop(Stage::Acknowledged, Stop::Mute),
            Fault::CloseAfterStartApi => stop(Stage::StartApi, Stop::Close),
            Fault::ResetAfterStartApi => stop(Stage::StartApi, Stop::Reset),
            Fault::BadFrameLength => stop(Stage::StartApi, Stop::BadFrameLength),
            Fault::Reject(code) => stop(Stage::StartApi, Stop::Reject(code)),
            Fault::ClientIdInUse => stop(Stage::StartApi, Stop::Reject(326)),
            Fault::MuteAfterHandshake => stop(Stage::Handshake, Stop::Mute),
            Fault::DelayPerFrame(time) => self.pace.every_frame = time,
            Fault::DelayHandshake(time) => self.pace.handshake_frame = time,
            Fault::PauseMidFrame(time) => self.pace.mid_handshake_frame = time,
            Fault::Drip(time) => self.pace.every_byte = time,
            Fault::Hold => self.hold = Hold::Always,
            Fault::DropAfter(time) => self.lifetime = Some((time, Stop::Close)),
            Fault::ResetAfter(time) => self.lifetime = Some((time, Stop::Reset)),
            Fault::GarbageVersion => self.version = Version::Garbage,
            Fault::ServerVersion(version) => self.version = Version::Fixed(version),
            Fault::GarbageFrame => self.accounts = Accounts::Garbage,
            Fault::NoManagedAccounts => self.accounts = Accounts::Missing,
            Fault::EmptyAccounts => self.accounts = Accounts::Empty,
            Fault::NoNextValidId => self.next_valid_id = NextValidId::Missing,
            Fault::Reorder => self.next_valid_id = NextValidId::BeforeAccounts,
            Fault::Flood(count) => self.flood = count,
        }
    }
}
