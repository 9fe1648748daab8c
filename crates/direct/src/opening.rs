//! What a Gateway says between startApi and the session: the accounts, the next order id, and anything else.

use ibkr_connect_core::{Error, ErrorKind, Phase, Result};

use crate::error_frame::ErrorMessage;
use crate::handshake::{Caller, unexpected};
use crate::progress::Progress;
use crate::wire::{Frame, ManagedAccounts, NextValidId, incoming};

/// The code with which TWS refuses a client id that is taken.
const CLIENT_ID_IN_USE: i32 = 326;

/// From here on ids are those of requests; ibapi refuses a next order id as large.
const ORDER_IDS_END: i32 = 1_500_000_000;

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

    /// Takes the next message.
    ///
    /// # Errors
    /// It refuses the session, or no session can begin with it.
    pub(crate) fn take(&mut self, frame: Frame, progress: &mut Progress) -> Result<()> {
        let taken = match frame.id() {
            incoming::MANAGED_ACCOUNTS if self.accounts.is_none() => self.take_accounts(frame),
            incoming::NEXT_VALID_ID if self.order_id.is_none() => self.take_order_id(frame),
            incoming::ERROR => self.take_error(&frame, progress),
            _ => {
                self.others.extend_from_slice(frame.as_bytes());
                Ok(())
            }
        };
        let has_one = self.accounts.is_some() != self.order_id.is_some();
        if has_one && progress.phase() == Phase::StartApi {
            progress.enter(Phase::Accounts);
        }
        taken.map_err(|error| match error.phase() {
            Some(_) => error,
            None => error.in_phase(progress.phase()),
        })
    }

    /// What ibapi is to get, piece by piece.
    pub(crate) fn in_ibapis_order(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.accounts.iter().chain(&self.order_id).map(Frame::as_bytes);
        first.chain(Some(self.others.as_slice()))
    }

    fn take_accounts(&mut self, frame: Frame) -> Result<()> {
        let list: ManagedAccounts = decode(&frame, "accounts")?;
        // A list of nobody is an answer too: of a Gateway that is not logged in yet.
        accounts_of(list.accounts.as_deref().unwrap_or_default())?;
        self.accounts = Some(frame);
        Ok(())
    }

    fn take_order_id(&mut self, frame: Frame) -> Result<()> {
        let next: NextValidId = decode(&frame, "next order id")?;
        self.order_id = Some(match next.order_id.unwrap_or_default() {
            1..ORDER_IDS_END => frame,
            // Without orders any id will do.
            _ if self.caller.readonly => {
                Frame::protobuf(incoming::NEXT_VALID_ID, &NextValidId { order_id: Some(1) })
            }
            next @ ORDER_IDS_END.. => return Err(no_order_ids_left(next)),
            next => return Err(unexpected(format!("{next} as the next order id"))),
        });
        Ok(())
    }

    /// Takes note of what the Gateway says about the session: refusals end it, the rest explains a close or silence.
    fn take_error(&mut self, frame: &Frame, progress: &mut Progress) -> Result<()> {
        let error = if frame.is_protobuf() { ErrorMessage::read(frame.body()) } else { None };
        if let Some(error) = &error {
            if error.code() == CLIENT_ID_IN_USE {
                return Err(self.client_id_in_use());
            }
            progress.hear(error.code(), error.text());
        }
        let repaired = error.and_then(|error| error.repaired());
        self.others.extend_from_slice(repaired.as_ref().unwrap_or(frame).as_bytes());
        Ok(())
    }

    fn client_id_in_use(&self) -> Error {
        let client_id = self.caller.client_id;
        let text = format!("client id {client_id} is already in use by another client of this Gateway");
        Error::new(ErrorKind::ClientIdInUse, text).with_code(CLIENT_ID_IN_USE)
    }
}

/// The accounts in a comma-separated list.
///
/// # Errors
/// `protocol`, retryable, if there is none.
pub(crate) fn accounts_of(list: &str) -> Result<Vec<String>> {
    let accounts: Vec<_> =
        list.split(',').map(str::trim).filter(|account| !account.is_empty()).map(str::to_owned).collect();
    if accounts.is_empty() {
        return Err(unexpected("an empty list of accounts".to_owned())
            .in_phase(Phase::Accounts)
            .retryable()
            .with_advice("log in to the Gateway, or wait until its login is complete"));
    }
    Ok(accounts)
}

fn no_order_ids_left(next: i32) -> Error {
    let message = format!(
        "the Gateway's next order id is {next}, and from {ORDER_IDS_END} on ids are those of requests: a session that trades can't begin"
    );
    Error::new(ErrorKind::Unsupported, message)
        .with_advice("reset the order ids in TWS or the Gateway (Configure, API, Settings: \"Reset API order ID sequence\"), or set IBKR_READONLY=true: a read-only session needs none")
}

fn decode<M: prost::Message + Default>(frame: &Frame, what: &str) -> Result<M> {
    frame.decode().map_err(|error| unexpected(format!("an undecodable {what} ({error})")).with_source(error))
}

#[cfg(test)]
#[path = "opening_tests.rs"]
mod tests;
