//! The reader of a worker's stdout: completes what callers wait for. One thread per worker, which never waits for a
//! consumer.

use std::io::Read;
use std::sync::Arc;

use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::{CloseReason, Error, ErrorKind, Event, Result};
use serde_json::value::RawValue;

use crate::lines::{LineError, LineReader, cut};
use crate::link::Link;
use crate::state::{Sink, Waiter};
use crate::wire::{self, Answer, MAX_FRAME, NO_ID, Status};

/// A line that the protocol does not have, in words.
type Violation = String;

/// Reads until the end of `stdout`, or until the worker breaks the protocol.
pub(crate) fn read(link: &Link, stdout: impl Read) {
    let violation = read_frames(link, LineReader::new(stdout, MAX_FRAME)).err();
    link.update(|state| {
        state.violation = violation;
        state.eof = true;
    });
}

fn read_frames<R: Read>(link: &Link, mut lines: LineReader<R>) -> Result<(), Violation> {
    let hello = match lines.next_line() {
        Ok(Some(line)) => line.to_vec(),
        Ok(None) => return Ok(()),
        Err(error) => error.to_string().into_bytes(),
    };
    link.update(|state| state.hello = Some(hello));
    let mut run = None;
    loop {
        match lines.next_line() {
            Ok(Some(line)) => {
                receive(link, &mut run, line).map_err(|how| format!("{how}: {}", cut(line)))?;
            }
            // A torn line is how a killed worker's stdout ends; the exit status says more about that.
            Ok(None) | Err(LineError::Torn { .. }) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
        // What would wait for the worker's next write is passed on before that.
        if run.as_ref().is_some_and(|run: &Run| run.is_long() || !lines.has_line()) {
            run = None;
        }
    }
}

/// Events of one stream that came one after the other: its consumer is woken once for all, when this is dropped.
struct Run {
    id: u64,
    sink: Arc<Sink>,
    events: Vec<Event>,
}

impl Run {
    fn is_long(&self) -> bool {
        const LONG: usize = 256;
        self.events.len() >= LONG
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.sink.sender.send_all(self.events.drain(..));
    }
}

fn receive(link: &Link, run: &mut Option<Run>, line: &[u8]) -> Result<(), Violation> {
    if let Some((id, data)) = wire::event_data(line)
        && let Some(run) = continued(link, run, id)
        && let Ok(event) = run.sink.request.event_from_json(data)
    {
        run.events.push(event);
        return Ok(());
    }
    *run = None;
    let answer: Answer<&RawValue> =
        serde_json::from_slice(line).map_err(|error| format!("no frame ({error})"))?;
    let id = answer.id;
    if !link.has_issued(id) {
        return Err(format!("nothing was asked with id {id}"));
    }
    match answer.status {
        Status::Success => succeed(link, id, answer.data),
        Status::Event => event(link, id, answer.data.ok_or("an event without data")?),
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
            link.lock().heartbeat.pong(from);
        }
        Status::Closed => closed(link, answer.data.ok_or("closed without reason")?, answer.error)?,
    }
    Ok(())
}

fn succeed(link: &Link, id: u64, data: Option<&RawValue>) {
    let data = || data.map_or_else(|| RawValue::NULL.to_owned(), RawValue::to_owned);
    let mut state = link.lock();
    match state.take(id) {
        Some(Waiter::Request(sender)) => {
            drop(state);
            let _ = sender.send(Ok(data()));
        }
        Some(Waiter::Opening(sender, sink)) => {
            state.keep_open(id, sink);
            drop(state);
            let _ = sender.send(Ok(()));
        }
        Some(Waiter::Supervisor) => {
            drop(state);
            link.update(|state| state.connected = Some(Ok(data())));
        }
        Some(stream @ Waiter::Stream(_)) => {
            drop(state);
            let error = Error::new(ErrorKind::Protocol, "the worker opened this stream twice");
            stream.fail(error.with_advice("docs/protocol.md says what a worker answers"));
        }
        // Cancelled in the meantime, or the reply to a cancel or a shutdown.
        None => {}
    }
}

/// The run of events of the stream `id`, a new one if the last event was another stream's.
fn continued<'a>(link: &Link, run: &'a mut Option<Run>, id: u64) -> Option<&'a mut Run> {
    if run.as_ref().is_none_or(|run| run.id != id) {
        *run = None;
        *run = link.lock().stream(id).map(|sink| Run { id, sink, events: Vec::new() });
    }
    run.as_mut()
}

fn event(link: &Link, id: u64, data: &RawValue) {
    let Some(sink) = link.lock().stream(id) else { return };
    match sink.request.event_from_json(data.get()) {
        Ok(event) => sink.sender.send(event),
        Err(error) => {
            sink.sender.finish(Err(error));
            link.cancel(id);
        }
    }
}

fn fail(link: &Link, id: u64, error: Error) {
    if id == NO_ID {
        tracing::warn!(error = %LogAccounts::Masked.text(error), "worker_line_refused");
        return;
    }
    let waiter = link.lock().take(id);
    match waiter {
        Some(Waiter::Supervisor) => link.update(|state| state.connected = Some(Err(error))),
        Some(waiter) => waiter.fail(as_asked(link, error)),
        None => {}
    }
}

fn end(link: &Link, id: u64) {
    // A request has an end only after our cancel, and then nobody waits for it any more. One that ends by itself is not
    // answered: what becomes of the worker says why, or its deadline.
    let sink = link.lock().take_stream(id);
    if let Some(sink) = sink {
        sink.sender.finish(Ok(()));
    }
}

fn closed(link: &Link, data: &RawValue, error: Option<Error>) -> Result<(), Violation> {
    let reason: CloseReason =
        serde_json::from_str(data.get()).map_err(|error| format!("no close reason ({error})"))?;
    let reason = match reason {
        CloseReason::Requested if !link.lock().wanted.is_end() => CloseReason::Disconnected(
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
    if error.kind() == ErrorKind::Closed && !link.lock().wanted.is_end() {
        return CloseReason::Disconnected(error.message().to_owned()).error();
    }
    error
}
