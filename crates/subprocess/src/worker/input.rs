//! The thread that reads commands: answers what must not wait for the loop, passes on the rest.

use std::io::Read;
use std::sync::Arc;

use ibkr_connect_core::{Error, ErrorKind, OPERATIONS, Request, StreamRequest, Target};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::output::Output;
use crate::lines::{LineError, LineReader, cut};
use crate::wire::{
    Answer, CancelParams, CommandLine, ConnectParams, MAX_FRAME, MAX_IN_FLIGHT, NO_ID, PongFrom, command,
};

/// A checked command.
#[derive(Debug)]
pub(super) enum Command {
    Connect(Target),
    Cancel(u64),
    Ping,
    Shutdown,
    Request(Request, OwnedSemaphorePermit),
    Subscribe(StreamRequest, OwnedSemaphorePermit),
}

/// What the loop gets; the end of the channel is the end of the input.
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) command: Command,
}

pub(super) struct Input {
    output: Arc<Output>,
    inbox: UnboundedSender<Message>,
    /// One permit per request that may be open, so that the inbox is bounded.
    permits: Arc<Semaphore>,
}

impl Input {
    pub(super) fn new(output: Arc<Output>, inbox: UnboundedSender<Message>) -> Self {
        Self { output, inbox, permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)) }
    }

    /// Reads until the end of the input.
    pub(super) fn read(self, reader: impl Read) {
        let mut lines = LineReader::new(reader, MAX_FRAME);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => self.receive(line),
                Ok(None) => return,
                Err(error @ LineError::TooLong { .. }) => self.complain(NO_ID, error.to_string()),
                Err(error) => return self.complain(NO_ID, error.to_string()),
            }
        }
    }

    fn receive(&self, line: &[u8]) {
        match self.parse(line) {
            Ok(message) => {
                if matches!(message.command, Command::Ping) {
                    self.output.answer(&Answer::pong(message.id, PongFrom::Link));
                }
                // The loop has ended: there is nobody left to answer.
                let _ = self.inbox.send(message);
            }
            Err((id, error)) => self.output.error(id, error),
        }
    }

    fn complain(&self, id: u64, message: String) {
        self.output.error(id, protocol(message));
    }

    fn parse(&self, line: &[u8]) -> Result<Message, (u64, Error)> {
        let parsed: CommandLine<'_> = serde_json::from_slice(line)
            .map_err(|error| (NO_ID, protocol(format!("not a command ({error}): {}", cut(line)))))?;
        let id = match parsed.id {
            Some(NO_ID) => return Err((NO_ID, protocol("the id 0 is the worker's own".to_owned()))),
            None => return Err((NO_ID, protocol(format!("a command without id: {}", cut(line))))),
            Some(id) => id,
        };
        let name = parsed.command.ok_or_else(|| (id, protocol("there is no command".to_owned())))?;
        let command =
            self.command(&name, parsed.params.map_or("{}", RawValue::get)).map_err(|error| (id, error))?;
        Ok(Message { id, command })
    }

    fn command(&self, name: &str, params: &str) -> Result<Command, Error> {
        Ok(match name {
            command::CONNECT => Command::Connect(own_params::<ConnectParams>(name, params)?.into()),
            command::CANCEL => Command::Cancel(own_params::<CancelParams>(name, params)?.target),
            command::PING => Command::Ping,
            command::SHUTDOWN => Command::Shutdown,
            _ => self.operation(name, params)?,
        })
    }

    fn operation(&self, name: &str, params: &str) -> Result<Command, Error> {
        if let Some(request) = Request::from_json(name, params)? {
            return Ok(Command::Request(request, self.permit()?));
        }
        if let Some(request) = StreamRequest::from_json(name, params)? {
            return Ok(Command::Subscribe(request, self.permit()?));
        }
        Err(unknown(name))
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            Error::new(
                ErrorKind::Unsupported,
                format!("{MAX_IN_FLIGHT} requests and streams are open at the same time already"),
            )
            .with_advice("wait for some of them, or use another worker")
        })
    }
}

fn own_params<'a, T: Deserialize<'a>>(name: &str, params: &'a str) -> Result<T, Error> {
    serde_json::from_str(params).map_err(|error| protocol(format!("{name}: {error}")))
}

fn protocol(message: String) -> Error {
    Error::new(ErrorKind::Protocol, message).with_advice("docs/protocol.md describes every line")
}

fn unknown(name: &str) -> Error {
    let operations = OPERATIONS.iter().map(|operation| operation.command);
    let valid: Vec<_> = command::ALL.into_iter().chain(operations).collect();
    let message = format!("unknown command {:?}; valid are: {}", cut(name.as_bytes()), valid.join(", "));
    Error::new(ErrorKind::Unsupported, message).with_advice("docs/protocol.md describes every command")
}
