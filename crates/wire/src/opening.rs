//! What a Gateway says between startApi and the session: the accounts, the next order id, and anything else.

use prost::Message;

use crate::error_frame::ErrorMessage;
use crate::failure::{Heard, Reason};
use crate::frame::Frame;
use crate::ids::{ManagedAccounts, NextValidId, REQUEST_IDS, incoming};

/// The code with which TWS refuses a client id that is taken.
const CLIENT_ID_IN_USE: i32 = 326;

/// From here on ids are those of requests; ibapi refuses a next order id as large.
const ORDER_IDS_END: i32 = REQUEST_IDS.start;

/// Who shakes hands.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// Its client id.
    pub client_id: i32,
    /// Whether its session may only read: then it needs no order ids.
    pub readonly: bool,
}

/// The messages so far.
#[derive(Debug)]
pub(crate) struct Opening {
    caller: Caller,
    accounts: Option<Frame>,
    order_id: Option<Frame>,
    others: Vec<u8>,
}

impl Opening {
    pub(crate) fn new(caller: Caller) -> Self {
        Self { caller, accounts: None, order_id: None, others: Vec::new() }
    }

    /// Whether there is all that a session begins with.
    pub(crate) fn is_complete(&self) -> bool {
        self.accounts.is_some() && self.order_id.is_some()
    }

    /// Whether there is one of the two.
    pub(crate) fn has_one(&self) -> bool {
        self.accounts.is_some() != self.order_id.is_some()
    }

    /// Takes the next message.
    ///
    /// # Errors
    /// It refuses the session, or no session can begin with it.
    pub(crate) fn take(&mut self, frame: Frame, heard: &mut Heard) -> Result<(), Reason> {
        match frame.id() {
            Some(incoming::MANAGED_ACCOUNTS) if self.accounts.is_none() => self.take_accounts(frame),
            Some(incoming::NEXT_VALID_ID) if self.order_id.is_none() => self.take_order_id(frame),
            Some(incoming::ERROR) => self.take_error(&frame, heard),
            _ => {
                self.others.extend_from_slice(frame.as_bytes());
                Ok(())
            }
        }
    }

    /// What the client is to get, piece by piece.
    pub(crate) fn clients_order(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.accounts.iter().chain(&self.order_id).map(Frame::as_bytes);
        first.chain(Some(self.others.as_slice()))
    }

    fn take_accounts(&mut self, frame: Frame) -> Result<(), Reason> {
        let list: ManagedAccounts = decode(&frame, "accounts")?;
        // A list of nobody is an answer too: of a Gateway that is not logged in yet.
        if ManagedAccounts::names(list.accounts.as_deref().unwrap_or_default()).is_empty() {
            return Err(Reason::NoAccounts);
        }
        self.accounts = Some(frame);
        Ok(())
    }

    fn take_order_id(&mut self, frame: Frame) -> Result<(), Reason> {
        let next: NextValidId = decode(&frame, "next order id")?;
        self.order_id = Some(match next.order_id.unwrap_or_default() {
            1..ORDER_IDS_END => frame,
            // Without orders any id will do.
            _ if self.caller.readonly => {
                Frame::protobuf(incoming::NEXT_VALID_ID, &NextValidId { order_id: Some(1) })
            }
            next @ ORDER_IDS_END.. => return Err(Reason::NoOrderIdsLeft(next)),
            next => return Err(Reason::Unexpected(format!("{next} as the next order id"))),
        });
        Ok(())
    }

    /// Takes note of what the Gateway says about the session: refusals end it, the rest explains a close or silence.
    fn take_error(&mut self, frame: &Frame, heard: &mut Heard) -> Result<(), Reason> {
        let error = if frame.is_protobuf() { ErrorMessage::read(frame.body()) } else { None };
        if let Some(error) = &error {
            if error.code() == CLIENT_ID_IN_USE {
                return Err(Reason::ClientIdInUse);
            }
            heard.hear(error.code(), error.text());
        }
        let repaired = error.and_then(|error| error.repaired());
        self.others.extend_from_slice(repaired.as_ref().unwrap_or(frame).as_bytes());
        Ok(())
    }
}

fn decode<M: Message + Default>(frame: &Frame, what: &str) -> Result<M, Reason> {
    frame.decode().map_err(|error| Reason::Unexpected(format!("an undecodable {what} ({error})")))
}

#[cfg(test)]
#[path = "opening_tests.rs"]
mod tests;
