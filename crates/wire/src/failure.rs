//! Why a handshake fails.

use crate::ids::CHATTER;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Until the Gateway has said its version.
    Version,
    /// From then until the first of accounts and next order id.
    StartApi,
    /// Until there are both.
    Accounts,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How far it had come.
    pub stage: Stage,
    /// What ended it.
    pub reason: Reason,
    /// What the Gateway has complained about before.
    pub complaint: Option<Complaint>,
}

/// What ends a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The Gateway ended the connection; the text says how.
    Rejected(String),
    /// The Gateway sent what does not belong there.
    Unexpected(String),
    /// The Gateway's version is below [`MIN_SERVER_VERSION`](crate::ids::MIN_SERVER_VERSION).
    ServerTooOld(i32),
    /// Another client has this client's id.
    ClientIdInUse,
    /// The Gateway has no accounts: it is not logged in.
    NoAccounts,
    /// The next order id is one that clients use for requests, and the client would trade.
    NoOrderIdsLeft(i32),
    /// The client sent what does not belong there. Nothing of it was passed on.
    BadClient {
        /// What belongs there.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// The client ended the connection; the text says how.
    ClientLeft(String),
    /// The deadline has passed.
    Silence,
}

/// What keeps the Gateway from a session, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The code of its error message.
    pub code: i32,
    /// The text of it.
    pub text: String,
}

/// What the Gateway has said beside what belongs there.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) skipped: Option<String>,
    pub(crate) complaint: Option<Complaint>,
}

impl Heard {
    pub(crate) fn hear(&mut self, code: i32, text: String) {
        match code {
            // About data farms: no reason why a handshake does not go on.
            code if CHATTER.contains(&code) => {}
            1_101 | 1_102 => drop(self.complaint.take_if(|complaint| complaint.code == 1_100)),
            _ => self.complaint = Some(Complaint { code, text }),
        }
    }

    pub(crate) fn skip(&mut self, what: String) {
        self.skipped.get_or_insert(what);
    }
}
