//! The thread that reads commands: answers what must not wait for the loop, passes on the rest.

use std::any::Any;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ibkr_connect_core::{
    Access, Connection, Error, ErrorKind, FlowControl, OPERATIONS, Request, StreamRequest, Target,
    check_access,
};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};

use super::output::{Form, Output};
use crate::frames::{
    Answer, CancelParams, CommandLine, ConnectParams, CreditParams, MAX_FRAME, MAX_IN_FLIGHT, NO_ID,
    PongFrom, command,
};
use crate::lines::{LineError, LineReader, complaint, cut};

/// The connection that the loop has now, for requests that need not wait for the loop.
pub(super) type Current = Arc<Mutex<Option<Arc<dyn Connection>>>>;

/// A request under way; it writes its own answer.
pub(super) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A checked command.
pub(super) enum Command {
    Connect(Target),
    Cancel(u64),
    Credit(CreditParams),
    Ping,
    Shutdown,
    Request(Request, Option<Duration>, Open),
    /// A request that this thread has begun.
    Begun(Work, Open),
    Subscribe(Opening, Open),
    /// The connector panicked on this thread.
    Panicked(Box<dyn Any + Send>),
}

impl Command {
    fn access(&self) -> Access {
        match self {
            Self::Request(request, ..) => request.access(),
            Self::Subscribe(opening, _) => opening.request.access(),
            _ => Access::Read,
        }
    }
}

/// What every request and stream carries from its line to its end, so that this thread knows whether one is open.
pub(super) struct Open {
    _counted: Arc<()>,
}

/// A stream to be opened.
pub(super) struct Opening {
    pub(super) request: StreamRequest,
    pub(super) flow: FlowControl,
    /// How many events may be sent at first.
    pub(super) credit: u64,
}

/// What the loop gets.
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) access: Access,
    pub(super) command: Command,
}

/// What waits for the loop, bounded: who sends faster than the loop takes is read no further. The end of both is the end of the
/// input.
pub(super) struct Inbox {
    /// Taken first.
    pub(super) trades: Receiver<Message>,
    pub(super) others: Receiver<Message>,
}

pub(super) struct Input {
    output: Arc<Output>,
    trades: Sender<Message>,
    others: Sender<Message>,
    open: Arc<()>,
    current: Current,
}

impl Input {
    pub(super) fn new(output: Arc<Output>, current: Current) -> (Self, Inbox) {
        /// All that may be open, and the cancel of each.
        const INBOX: usize = 2 * MAX_IN_FLIGHT;
        let (trades, waiting_trades) = channel(INBOX);
        let (others, waiting_others) = channel(INBOX);
        let input = Self { output, trades, others, open: Arc::default(), current };
        (input, Inbox { trades: waiting_trades, others: waiting_others })
    }

    /// Reads until the end of the input.
    pub(super) fn read(self, reader: impl Read) {
        let mut lines = LineReader::new(reader, MAX_FRAME);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => {
                    self.output.hold();
                    self.receive(line);
                    if !lines.has_line() {
                        self.output.flush();
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    self.complain(NO_ID, error.to_string());
                    self.output.flush();
                    if !matches!(error, LineError::TooLong { .. }) {
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn receive(&self, line: &[u8]) {
        match self.parse(line) {
            Ok(message) => {
                if matches!(message.command, Command::Ping) {
                    self.output.answer(&Answer::pong(message.id, PongFrom::Link));
                }
                if let Some(message) = self.begin(message) {
                    self.pass_on(message);
                }
            }
            Err((id, error)) => self.output.error(id, error),
        }
    }

    /// Begins a request here if it is the only one open, so that waking the loop is not part of its way. What is
    /// not answered at once, and everything else, is the loop's.
    fn begin(&self, Message { id, access, command }: Message) -> Option<Message> {
        // Besides our own count there is only that of this command.
        let is_alone = Arc::strong_count(&self.open) == 2;
        let command = match (command, self.connection()) {
            (Command::Request(request, timeout, open), Some(connection)) if is_alone => {
                if let Err(error) = check_access(connection.info(), request.command(), access) {
                    self.output.error(id, error);
                    return None;
                }
                let mut work = answered(id, connection, request, timeout, Arc::clone(&self.output));
                // The loop polls again with a waker of its own.
                let poll = || work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                match catch_unwind(AssertUnwindSafe(poll)) {
                    Ok(Poll::Ready(())) => return None,
                    Ok(Poll::Pending) => Command::Begun(work, open),
                    Err(panic) => Command::Panicked(panic),
                }
            }
            (command, _) => command,
        };
        Some(Message { id, access, command })
    }

    /// A trade does not wait behind questions; two trades stay in their order.
    pub(super) fn pass_on(&self, message: Message) {
        let inbox = match message.access {
            Access::Trade => &self.trades,
            Access::Read => &self.others,
        };
        // If the loop has ended, there is nobody left to answer.
        if let Err(TrySendError::Full(message)) = inbox.try_send(message) {
            let _ = inbox.blocking_send(message);
        }
    }

    fn connection(&self) -> Option<Arc<dyn Connection>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn complain(&self, id: u64, message: String) {
        self.output.error(id, protocol(message));
    }

    fn parse(&self, line: &[u8]) -> Result<Message, (u64, Error)> {
        let mut parsed: CommandLine<'_> = object(line).map_err(|error| {
            let id = object::<IdOnly>(line).map_or(NO_ID, |line| line.id);
            (id, protocol(format!("not a command ({}): {}", complaint(&error), cut(line))))
        })?;
        let id = match parsed.id {
            Some(NO_ID) => return Err((NO_ID, protocol("the id 0 is the worker's own".to_owned()))),
            None => return Err((NO_ID, protocol(format!("a command without id: {}", cut(line))))),
            Some(id) => id,
        };
        let name = parsed.command.take().ok_or_else(|| (id, protocol("there is no command".to_owned())))?;
        let command = self.command(&name, &parsed).map_err(|error| (id, error))?;
        Ok(Message { id, access: command.access(), command })
    }

    fn command(&self, name: &str, line: &CommandLine<'_>) -> Result<Command, Error> {
        let params = line.params.map_or("{}", RawValue::get);
        Ok(match name {
            command::CONNECT => {
                let params: ConnectParams = own_params(name, params)?;
                let takes_parts = params.parts.unwrap_or(false);
                let target = Target::from(params);
                target.check()?;
                self.output.set_form(if takes_parts { Form::Parts } else { Form::Lines });
                Command::Connect(target)
            }
            command::CANCEL => Command::Cancel(own_params::<CancelParams>(name, params)?.target),
            command::CREDIT => Command::Credit(own_params(name, params)?),
            command::PING => Command::Ping,
            command::SHUTDOWN => Command::Shutdown,
            _ => self.operation(name, params, line)?,
        })
    }

    fn operation(&self, name: &str, params: &str, line: &CommandLine<'_>) -> Result<Command, Error> {
        if let Some(request) = Request::from_json(name, params)? {
            let timeout = line.timeout_ms.map(Duration::from_millis);
            return Ok(Command::Request(request, timeout, self.open()));
        }
        if let Some(request) = StreamRequest::from_json(name, params)? {
            let opening = Opening {
                request,
                flow: line.flow.unwrap_or_default(),
                credit: line.credit.unwrap_or(u64::MAX),
            };
            return Ok(Command::Subscribe(opening, self.open()));
        }
        Err(unknown(name))
    }

    pub(super) fn open(&self) -> Open {
        Open { _counted: Arc::clone(&self.open) }
    }
}

/// Runs a request and writes its answer.
pub(super) fn answered(
    id: u64,
    connection: Arc<dyn Connection>,
    request: Request,
    timeout: Option<Duration>,
    output: Arc<Output>,
) -> Work {
    Box::pin(async move {
        match connection.request(request, timeout).await {
            Ok(reply) => drop(output.deliver(Answer::success(id, reply)).await),
            Err(error) => output.error(id, error),
        }
    })
}

/// What can be read of a line that is not a command.
#[derive(Deserialize)]
struct IdOnly {
    id: u64,
}

fn own_params<'a, T: Deserialize<'a>>(name: &str, params: &'a str) -> Result<T, Error> {
    object(params.as_bytes()).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("{name}: {}", complaint(&error)))
            .with_advice("docs/protocol.md describes every command")
    })
}

/// Reads an object. Serde would take its fields from an array too, in their order.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    if json.trim_ascii_start().starts_with(b"[") {
        return Err(serde_json::Error::custom("an array and not an object"));
    }
    serde_json::from_slice(json)
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

#[cfg(test)]
mod fuzz_tests;
