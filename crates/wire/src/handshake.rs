//! The handshake, seen from between a client and the Gateway: what is passed on, which stage it has reached, why it fails.
//!
//! ibapi gives up silently when more than 100 other messages come before the accounts, and errors count among them. So the client gets
//! the accounts and the next order id first, and then what else was said meanwhile, in its order.

use std::time::Instant;

use crate::failure::{Complaint, Failure, Heard, Reason, Stage};
use crate::frame::{Frame, FrameError, FrameReader};
use crate::ids::{MIN_SERVER_VERSION, outgoing};
use crate::opening::{Caller, Opening};

/// How much may come after startApi until the accounts and the next order id are known, all messages together.
pub(crate) const MAX_OPENING: usize = 8 << 20;

/// How much may come before the version. A Gateway can send a piece of news there (nautilus#1191); IBKR's own client skips it.
const MAX_BEFORE_VERSION: usize = 64 << 10;

/// How much a client may say: a range of versions, and startApi.
const MAX_FROM_CLIENT: usize = 1_024;

/// What a client begins with.
const MAGIC: &[u8] = b"API\0";

/// The two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The API client.
    Client,
    /// TWS or the Gateway.
    Gateway,
}

/// What is to be sent.
#[derive(Debug, Default)]
pub struct Output {
    /// To the client.
    pub to_client: Vec<u8>,
    /// To the Gateway.
    pub to_gateway: Vec<u8>,
}

/// What came behind the handshake already.
#[derive(Debug, Default)]
pub struct Rest {
    /// From the client.
    pub from_client: Vec<u8>,
    /// From the Gateway.
    pub from_gateway: Vec<u8>,
}

/// A handshake between a client and the Gateway.
///
/// # Behavior
/// From the client nothing passes but its hello and startApi. At the end the client has all that a session begins with. What is kept
/// meanwhile is bounded, as long as it is given only what [`awaits`](Self::awaits) names.
#[derive(Debug)]
pub struct Handshake {
    deadline: Instant,
    step: Step,
    stage: Stage,
    client: FrameReader,
    gateway: FrameReader,
    opening: Opening,
    heard: Heard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Magic,
    Hello,
    Acknowledgement,
    StartApi,
    Opening,
    Done,
}

impl Handshake {
    /// A handshake that has to be done at `deadline`.
    pub fn new(caller: Caller, deadline: Instant) -> Self {
        Self {
            deadline,
            step: Step::Magic,
            stage: Stage::Version,
            client: FrameReader::new(MAX_FROM_CLIENT),
            gateway: FrameReader::new(MAX_BEFORE_VERSION),
            opening: Opening::new(caller),
            heard: Heard::default(),
        }
    }

    /// Whose bytes it waits for; `None` when it is done.
    pub fn awaits(&self) -> Option<Side> {
        match self.step {
            Step::Magic | Step::Hello | Step::StartApi => Some(Side::Client),
            Step::Acknowledgement | Step::Opening => Some(Side::Gateway),
            Step::Done => None,
        }
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// When [`tick`](Self::tick) ends it.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The last error of the Gateway's that was not about a data farm, unless it is over.
    pub fn complaint(&self) -> Option<&Complaint> {
        self.heard.complaint.as_ref()
    }

    /// The first thing of this stage that the Gateway sent and that was skipped.
    pub fn skipped(&self) -> Option<&str> {
        self.heard.skipped.as_deref()
    }

    /// Takes in the next bytes from one side, and adds to `out` what is to be sent.
    ///
    /// # Errors
    /// Why there will be no session. Nothing of what came last is to be sent then.
    pub fn take(&mut self, from: Side, bytes: &[u8], out: &mut Output) -> Result<(), Failure> {
        match from {
            Side::Client => self.client.push(bytes),
            Side::Gateway => self.gateway.push(bytes),
        }
        while self.advance(out)? {}
        Ok(())
    }

    /// One side has ended the connection; `how` says in which way, e.g. "closed the connection".
    pub fn lost(&self, side: Side, how: String) -> Failure {
        self.failure(match (side, self.skipped()) {
            (Side::Client, _) => Reason::ClientLeft(how),
            (Side::Gateway, Some(skipped)) => {
                Reason::Unexpected(format!("{skipped:?} instead of its version, and {how}"))
            }
            (Side::Gateway, None) => Reason::Rejected(how),
        })
    }

    /// Looks at the time.
    ///
    /// # Errors
    /// [`Reason::Silence`] from the deadline on, unless it is done.
    pub fn tick(&self, now: Instant) -> Result<(), Failure> {
        if now >= self.deadline && self.step != Step::Done {
            Err(self.failure(Reason::Silence))
        } else {
            Ok(())
        }
    }

    /// What came behind it already.
    pub fn into_rest(self) -> Rest {
        Rest { from_client: self.client.into_rest(), from_gateway: self.gateway.into_rest() }
    }

    /// Makes one step; `false` when it waits for more.
    fn advance(&mut self, out: &mut Output) -> Result<bool, Failure> {
        let step = match self.step {
            Step::Magic => self.magic(out),
            Step::Hello => self.hello(out),
            Step::Acknowledgement => self.acknowledgement(out),
            Step::StartApi => self.start_api(out),
            Step::Opening => self.open(out),
            Step::Done => Ok(None),
        };
        let next = step.map_err(|reason| self.failure(reason))?;
        self.step = next.unwrap_or(self.step);
        Ok(next.is_some())
    }

    fn magic(&mut self, _: &mut Output) -> Result<Option<Step>, Reason> {
        match self.client.take(MAGIC.len()) {
            None => Ok(None),
            Some(magic) if magic == MAGIC => Ok(Some(Step::Hello)),
            Some(other) => Err(bad_client("API", format!("{:?}", cut(&other)))),
        }
    }

    fn hello(&mut self, out: &mut Output) -> Result<Option<Step>, Reason> {
        let hello = self.client.text().map_err(|error| unreadable_client("a range of versions", &error))?;
        Ok(hello.map(|hello| {
            out.to_gateway.extend_from_slice(MAGIC);
            out.to_gateway.extend_from_slice(hello.as_bytes());
            self.client.allow(MAX_FROM_CLIENT);
            Step::Acknowledgement
        }))
    }

    /// Waits for the first message that has the acknowledgement's two fields.
    fn acknowledgement(&mut self, out: &mut Output) -> Result<Option<Step>, Reason> {
        let Some(frame) = self.gateway.text().map_err(|error| self.unreadable(error))? else {
            return Ok(None);
        };
        if fields(frame.payload()).count() != 2 {
            self.heard.skip(cut(frame.payload()));
            return Ok(Some(Step::Acknowledgement));
        }
        let version = server_version(frame.payload())?;
        if version < MIN_SERVER_VERSION {
            return Err(Reason::ServerTooOld(version));
        }
        self.enter(Stage::StartApi);
        self.gateway.allow(MAX_OPENING);
        out.to_client.extend_from_slice(frame.as_bytes());
        Ok(Some(Step::StartApi))
    }

    fn start_api(&mut self, out: &mut Output) -> Result<Option<Step>, Reason> {
        let frame = self.client.message().map_err(|error| unreadable_client("startApi", &error))?;
        let Some(frame) = frame else { return Ok(None) };
        if !is_start_api(&frame) {
            return Err(bad_client("startApi", format!("message {}", frame.id().unwrap_or_default())));
        }
        out.to_gateway.extend_from_slice(frame.as_bytes());
        Ok(Some(Step::Opening))
    }

    fn open(&mut self, out: &mut Output) -> Result<Option<Step>, Reason> {
        let Some(frame) = self.gateway.message().map_err(|error| self.unreadable(error))? else {
            return Ok(None);
        };
        let taken = self.opening.take(frame, &mut self.heard);
        if self.opening.has_one() && self.stage == Stage::StartApi {
            self.enter(Stage::Accounts);
        }
        taken?;
        if !self.opening.is_complete() {
            return Ok(Some(Step::Opening));
        }
        self.opening.clients_order().for_each(|bytes| out.to_client.extend_from_slice(bytes));
        Ok(Some(Step::Done))
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.heard.skipped = None;
    }

    fn unreadable(&self, error: FrameError) -> Reason {
        Reason::Unexpected(match error {
            FrameError::TooLong { length } if self.stage == Stage::Version => {
                format!("a message of {length} bytes instead of its version")
            }
            FrameError::TooLong { .. } => {
                format!("{MAX_OPENING} bytes of other messages before the accounts")
            }
            FrameError::BadLength { length, head } => format!("{:?}, a frame length of {length}", cut(&head)),
        })
    }

    fn failure(&self, reason: Reason) -> Failure {
        let stage = if reason == Reason::NoAccounts { Stage::Accounts } else { self.stage };
        Failure { stage, reason, complaint: self.heard.complaint.clone() }
    }
}

/// In any dialect: by its id, or as a text.
fn is_start_api(frame: &Frame) -> bool {
    frame.id() == Some(outgoing::START_API) || frame.payload().starts_with(b"71\0")
}

/// The fields of a text, each of which ends with a NUL.
fn fields(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    payload.strip_suffix(&[0]).unwrap_or(payload).split(|byte| *byte == 0)
}

fn server_version(ack: &[u8]) -> Result<i32, Reason> {
    let text = String::from_utf8_lossy(ack);
    let version = text.split('\0').next().unwrap_or_default();
    version.parse().map_err(|_| Reason::Unexpected(format!("{:?} instead of its version", cut(ack))))
}

fn bad_client(expected: &'static str, got: String) -> Reason {
    Reason::BadClient { expected, got }
}

fn unreadable_client(expected: &'static str, error: &FrameError) -> Reason {
    let (FrameError::BadLength { length, .. } | FrameError::TooLong { length }) = error;
    bad_client(expected, format!("a frame of {length} bytes"))
}

fn cut(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(40).collect()
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
