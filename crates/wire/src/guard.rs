//! What may leave a read-only session: questions, and nothing that trades or changes anything.
//!
//! It is a list of what may pass, by the message's id: what is unknown does not leave. Source of the ids: IBKR's TWS API 10.x.

use std::fmt;
use std::ops::RangeInclusive;

use crate::frame::base_id;

/// The messages that only read, and those that end them. Not among them, beside what trades (3, 4, 19, 21, 58): 14 changes what TWS
/// logs, 15 binds TWS's own orders, 65, 66, 72 and 73 are a login of its own, 69 changes what TWS shows, 71 begins a session, and 109
/// changes TWS's settings, the read-only API among them.
const READING: &[RangeInclusive<u32>] = &[
    1..=2,
    5..=13,
    16..=18,
    20..=20,
    22..=25,
    49..=51,
    54..=57,
    59..=59,
    61..=64,
    67..=68,
    70..=70,
    74..=108,
];

/// Asks for the open orders; for client 0 it binds those that were made in TWS.
const OPEN_ORDERS: u32 = 5;

/// The messages that have a name in refusals.
const NAMES: &[(u32, &str)] = &[
    (3, "PlaceOrder"),
    (4, "CancelOrder"),
    (OPEN_ORDERS, "ReqOpenOrders of client 0"),
    (14, "ServerLogLevel"),
    (15, "ReqAutoOpenOrders"),
    (19, "ReplaceFA"),
    (21, "ExerciseOptions"),
    (58, "GlobalCancel"),
    (69, "UpdateDisplayGroup"),
    (71, "StartApi"),
    (109, "UpdateConfig"),
];

/// Whether asking for the open orders binds orders that this client has not made.
pub fn binds_orders(client_id: i32) -> bool {
    client_id == 0
}

/// What may leave a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardPolicy {
    /// Nothing but questions.
    ReadOnly,
    /// Every message.
    Trading,
}

/// A message that may not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The message's id, without the protobuf mark.
    pub id: u32,
}

impl GuardPolicy {
    /// Whether this client's message may leave, by its id as it stands on the wire.
    ///
    /// # Errors
    /// The message, if it may not.
    pub fn check(self, client_id: i32, id: u32) -> Result<(), Refused> {
        let id = base_id(id);
        let may_leave = match self {
            Self::Trading => true,
            Self::ReadOnly => {
                READING.iter().any(|ids| ids.contains(&id)) && !(id == OPEN_ORDERS && binds_orders(client_id))
            }
        };
        if may_leave { Ok(()) } else { Err(Refused { id }) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(known, _)| *known == self.id) {
            Some((_, name)) => write!(f, "{name}"),
            None => write!(f, "message {}", self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids by hand, from IBKR's tables: 52 and 53 are gone, 60 and 26 to 48 never were.
    #[test]
    fn what_only_reads_may_pass_and_nothing_else() {
        let blocked =
            [0, 3, 4, 14, 15, 19, 21, 52, 53, 58, 60, 65, 66, 69, 71, 72, 73].into_iter().chain(26..=48);
        let blocked: Vec<u32> = blocked.chain(109..=200).collect();
        for id in 0..=200 {
            let expected = if blocked.contains(&id) { Err(Refused { id }) } else { Ok(()) };
            assert_eq!(GuardPolicy::ReadOnly.check(7, id), expected, "{id}");
            if id > 0 {
                assert_eq!(GuardPolicy::ReadOnly.check(7, id + 200), expected, "{id} as protobuf");
            }
        }
        for id in [401, u32::MAX, u32::from_be_bytes(*b"3\x0045"), u32::from_be_bytes(*b"71\x002")] {
            assert!(GuardPolicy::ReadOnly.check(7, id).is_err(), "{id}");
        }
    }

    #[test]
    fn open_orders_are_not_asked_for_by_the_client_whose_question_binds_them() {
        for id in [5, 205] {
            assert_eq!(GuardPolicy::ReadOnly.check(0, id), Err(Refused { id: 5 }));
            assert_eq!(GuardPolicy::ReadOnly.check(1, id), Ok(()));
        }
        assert_eq!(GuardPolicy::ReadOnly.check(0, 216), Ok(()), "those of all clients bind nothing");
    }

    #[test]
    fn who_trades_may_send_everything() {
        for id in [3, 5, 203, 309, 4711] {
            assert_eq!(GuardPolicy::Trading.check(0, id), Ok(()));
        }
    }

    #[test]
    fn a_refusal_names_the_message() {
        let text = |id| Refused { id }.to_string();
        assert_eq!(
            (text(3), text(109), text(150)),
            ("PlaceOrder".into(), "UpdateConfig".into(), "message 150".into())
        );
    }
}
