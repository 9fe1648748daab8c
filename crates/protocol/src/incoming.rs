//! What the other side of a link writes: completes what callers wait for.

use std::io::Read;
use std::sync::Arc;

use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::{Access, CloseReason, Error, ErrorKind, Event, Result, telemetry};
use serde_json::value::RawValue;

use crate::frames::{self, Answer, MAX_FRAME, NO_ID, Status};
use crate::lines::{Data, Line, LineError, LineReader, complaint, cut};
use crate::link::Link;
use crate::parts::Joined;
use crate::state::{Pending, Sink, Waiter};

/// From this length on a reply is given to its caller with the memory it was read to, and not copied.
const LONG: usize = 64 * 1024;

/// A line that the protocol does not have, in words.
type Violation = String;

/// Reads for `link` until the end of `reader`, or until the other side breaks the protocol. For a thread of its own: it waits for
/// nothing but the other side.
pub fn read(link: &Link, reader: impl Read) {
    let violation = read_lines(link, LineReader::new(reader, MAX_FRAME)).err();
    link.update(|state| {
        state.violation = violation;
        state.has_ended = true;
    });
}

fn read_lines<R: Read>(link: &Link, mut lines: LineReader<R>) -> Result<(), Violation> {
    let mut incoming = Incoming::new(link);
    loop {
        match lines.next_line() {
            Ok(Some(line))
                if line.len() < LONG || !incoming.has_hello || frames::part_text(line).is_some() =>
            {
                incoming.line(line)?;
            }
            Ok(Some(_)) => incoming.long_line(lines.take_last())?,
            Err(error) if !incoming.has_hello => incoming.greet(error.to_string().as_bytes()),
            // A torn line is how the output of a killed process ends; its exit status says more about that.
            Ok(None) | Err(LineError::Torn { .. }) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
        // What would wait for the other side's next write is passed on before that.
        if !lines.has_line() {
            incoming.pause();
        }
    }
}

/// Takes the lines of the other side, one by one.
pub struct Incoming<'a> {
    link: &'a Link,
    has_hello: bool,
    run: Option<Run>,
}

/// Events of one stream that came one after the other: its consumer is woken once for all, when this is dropped.
struct Run {
    id: u64,
    sink: Arc<Sink>,
    events: Vec<Event>,
}

impl Run {
    /// When its consumer is told, though more events of it follow.
    const LONG: usize = 256;
}

impl Drop for Run {
    fn drop(&mut self) {
        self.sink.sender.send_all(self.events.drain(..));
    }
}

impl<'a> Incoming<'a> {
    /// Of a link whose hello comes first.
    pub fn new(link: &'a Link) -> Self {
        Self { link, has_hello: false, run: None }
    }

    /// Takes the next line, without its line end.
    ///
    /// # Errors
    /// What is wrong with it, in words: the protocol has no such line. No other line may follow.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Violation> {
        if !self.has_hello {
            self.greet(line);
            return Ok(());
        }
        if self.take_event(line) {
            return Ok(());
        }
        self.pause();
        if let Some((id, text)) = frames::part_text(line)
            && let Some(Ok(())) = part(self.link, id, text)
        {
            return Ok(());
        }
        receive(self.link, line).map_err(|how| format!("{how}: {}", cut(line)))
    }

    /// The same for a long line, which is kept if it is a reply.
    fn long_line(&mut self, line: Line) -> Result<(), Violation> {
        self.pause();
        reply_within(self.link, line).or_else(|line| self.line(line.bytes()))
    }

    /// Passes on what was kept back to be passed on together. To be called when the next line is not there yet.
    pub fn pause(&mut self) {
        self.run = None;
    }

    fn greet(&mut self, line: &[u8]) {
        self.has_hello = true;
        self.link.update(|state| state.hello = Some(line.to_vec()));
    }

    /// Takes a line that is an event of an open stream. Any other line is for [`receive`].
    fn take_event(&mut self, line: &[u8]) -> bool {
        if let Some((id, data)) = frames::event_data(line)
            && let Some(run) = self.continued(id)
            && let Ok(event) = run.sink.request.event_from_json(data)
        {
            run.events.push(event);
            if run.events.len() >= Run::LONG {
                self.pause();
            }
            return true;
        }
        false
    }

    /// The run of events of the stream `id`, a new one if the last event was another stream's.
    fn continued(&mut self, id: u64) -> Option<&mut Run> {
        if self.run.as_ref().is_none_or(|run| run.id != id) {
            self.run = None;
            let state = self.link.lock();
            let sink = if state.parts(id) == Some(0) { state.stream(id) } else { None };
            self.run = sink.map(|sink| Run { id, sink, events: Vec::new() });
        }
        self.run.as_mut()
    }
}

/// Gives a line to the request whose reply it is; gives it back if it is anything else.
fn reply_within(link: &Link, line: Line) -> Result<(), Line> {
    let bytes = line.bytes();
    let Ok(Answer { id, status: Status::Success, data: Some(data), .. }) =
        serde_json::from_slice::<Answer<&RawValue>>(bytes)
    else {
        return Err(line);
    };
    let start = data.get().as_ptr().addr() - bytes.as_ptr().addr();
    let value = start..start + data.get().len();
    let pending = link.lock().take_request(id);
    let Some(Pending { waiter: Waiter::Request(sender), command, access, .. }) = pending else {
        return Err(line);
    };
    let answer = Ok(Data::within(line, value));
    let _ = sender.send(answer).map_err(|answer| unheard(command, access, &answer));
    Ok(())
}

fn receive(link: &Link, line: &[u8]) -> Result<(), Violation> {
    let answer: Answer<&RawValue> =
        serde_json::from_slice(line).map_err(|error| format!("no frame ({})", complaint(&error)))?;
    let id = answer.id;
    if !link.has_issued(id) {
        return Err(format!("nothing was asked with id {id}"));
    }
    match answer.status {
        Status::Success => {
            check_parts(link, &answer)?;
            succeed(link, id, answer.data)?;
        }
        Status::Event => {
            check_parts(link, &answer)?;
            if answer.data.is_none() && answer.parts.is_none() {
                return Err("an event without data".to_owned());
            }
            event(link, id, answer.data);
        }
        Status::Part => {
            let text = answer.text.ok_or("a part without text")?;
            if let Some(Err(error)) = part(link, id, text.get()) {
                return Err(format!("no text ({})", complaint(&error)));
            }
        }
        Status::Error => fail(link, id, answer.error.ok_or("an error without error")?),
        Status::End => end(link, id),
        Status::Merged => {
            let count = answer.count.ok_or("merged without count")?;
            let stream = link.lock().stream(id);
            if let Some(sink) = stream {
                sink.sender.add_merged(count);
            }
        }
        Status::Pong => {
            let from = answer.from.ok_or("a pong from nowhere")?;
            if let Some(heartbeat) = &mut link.lock().heartbeat {
                heartbeat.pong(&from);
            }
        }
        Status::Closed => closed(link, answer.data.ok_or("closed without reason")?, answer.error)?,
        Status::Other(status) => {
            tracing::debug!(id, status = %LogAccounts::Masked.text(status), "answer_unknown");
        }
    }
    Ok(())
}

/// Keeps a part of the data of `id`, whose text is this JSON string; `None` if nobody waits for them.
fn part(link: &Link, id: u64, text: &str) -> Option<serde_json::Result<()>> {
    // Nobody else takes it, so that it can be read without the lock, for which all callers would wait.
    let mut joined = link.lock().take_joined(id)?;
    let pushed = joined.push(text);
    let mut state = link.lock();
    if let Some(heartbeat) = &mut state.heartbeat {
        heartbeat.progress();
    }
    let is_allowed = state.keep_joined(id, joined);
    let limit = state.allowance.limit;
    drop(state);
    if !is_allowed {
        let how = format!(
            "the worker sends answers of more than {limit} bytes, which is more than the protocol has"
        );
        let error = Error::new(ErrorKind::Protocol, how);
        give_up(
            link,
            id,
            error.with_advice("ask for less at once; docs/protocol.md says what a worker may send"),
        );
    }
    Some(pushed)
}

/// Data are whole when as many parts have come as the line after them counts, none if it has the data itself.
fn check_parts(link: &Link, answer: &Answer<&RawValue>) -> Result<(), Violation> {
    let have_come = match link.lock().parts(answer.id) {
        Some(count) => count,
        // What was cancelled in the meantime.
        None => return Ok(()),
    };
    match (answer.parts, answer.data) {
        (Some(_), Some(_)) => Err("data, and parts as well".to_owned()),
        (counted, _) if counted.unwrap_or(0) == have_come => Ok(()),
        (counted, _) => Err(format!("{have_come} parts have come, and {} are counted", counted.unwrap_or(0))),
    }
}

/// The data of an answer: those of its line, or its parts.
fn whole(joined: Joined, data: Option<&RawValue>) -> Data {
    if joined.parts() > 0 {
        return Data::joined(joined.into_text());
    }
    Data::copied(data.unwrap_or(RawValue::NULL))
}

fn succeed(link: &Link, id: u64, data: Option<&RawValue>) -> Result<(), Violation> {
    let mut state = link.lock();
    // What was cancelled in the meantime is answered too, and so are a cancel and a shutdown.
    let Some(Pending { waiter, command, access, joined, .. }) = state.take(id) else { return Ok(()) };
    match waiter {
        Waiter::Request(sender) => {
            drop(state);
            let _ = sender.send(Ok(whole(joined, data))).map_err(|answer| unheard(command, access, &answer));
        }
        Waiter::Opening(sender, sink) => {
            state.keep_open(id, command, sink);
            drop(state);
            if let Err(answer) = sender.send(Ok(())) {
                unheard(command, access, &answer);
                link.abandon(id);
            }
        }
        Waiter::Keeper => {
            drop(state);
            let connected = serde_json::from_str(whole(joined, data).get());
            let connected =
                connected.map_err(|error| format!("no answer to connect ({})", complaint(&error)))?;
            link.update(|state| state.connected = Some(Ok(connected)));
        }
        stream @ Waiter::Stream(_) => {
            drop(state);
            let error = Error::new(ErrorKind::Protocol, "the worker opened this stream twice");
            stream.fail(error.with_advice("docs/protocol.md says what a worker answers"));
        }
    }
    Ok(())
}

fn event(link: &Link, id: u64, data: Option<&RawValue>) {
    let (sink, joined) = {
        let mut state = link.lock();
        let Some(sink) = state.stream(id) else { return };
        (sink, state.take_joined(id).unwrap_or_default())
    };
    match sink.request.event_from_json(whole(joined, data).get()) {
        Ok(event) => sink.sender.send(event),
        Err(error) => {
            sink.sender.finish(Err(error));
            link.abandon(id);
        }
    }
}

/// Ends the wait for `id`, whose answer can't be taken, here and on the other side.
fn give_up(link: &Link, id: u64, error: Error) {
    let Some(access) = link.lock().access(id) else { return };
    fail(link, id, error);
    link.take_back(id, access);
}

fn fail(link: &Link, id: u64, error: Error) {
    if id == NO_ID {
        tracing::warn!(error = %LogAccounts::Masked.text(error), "worker_line_refused");
        return;
    }
    let Some(Pending { waiter, command, access, .. }) = link.lock().take(id) else { return };
    match waiter {
        Waiter::Keeper => link.update(|state| state.connected = Some(Err(error))),
        waiter => {
            let error = as_asked(link, error);
            if !waiter.fail(error.clone()) {
                unheard(command, access, &Err::<(), _>(error));
            }
        }
    }
}

/// The caller of a trade has gone before its end. Everything else is cancelled then, and its answer is nobody's.
fn unheard<T>(command: &'static str, access: Access, answer: &Result<T>) {
    if access == Access::Trade {
        tracing::warn!(command, outcome = telemetry::outcome(answer), "trade_unheard");
    }
}

fn end(link: &Link, id: u64) {
    // A request has an end only after our cancel, and then nobody waits for it any more. One that ends by itself is not
    // answered: what becomes of the other side says why, or its deadline.
    let sink = link.lock().take_stream(id);
    if let Some(sink) = sink {
        sink.sender.finish(Ok(()));
    }
}

fn closed(link: &Link, data: &RawValue, error: Option<Error>) -> Result<(), Violation> {
    let reason: CloseReason = serde_json::from_str(data.get())
        .map_err(|error| format!("no close reason ({})", complaint(&error)))?;
    let reason = match reason {
        CloseReason::Requested if !link.lock().is_end_expected => CloseReason::Disconnected(
            "the worker closed the session, and nobody had asked for that".to_owned(),
        ),
        other => other,
    };
    let expected = reason.error();
    let error = error.filter(|error| error.kind() == expected.kind()).unwrap_or(expected);
    link.refuse(&error, reason);
    Ok(())
}

/// Only what this side has asked for is `closed`; where it has not, the session was lost.
fn as_asked(link: &Link, error: Error) -> Error {
    if error.kind() == ErrorKind::Closed && !link.lock().is_end_expected {
        return CloseReason::Disconnected(error.message().to_owned()).error();
    }
    error
}

#[cfg(test)]
mod fuzz_tests;
