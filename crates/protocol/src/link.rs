//! The client's side of the protocol, as a machine: it has a lock, but no thread and no clock of its own.
//!
//! Callers send and register what they wait for (`connection.rs`); whoever reads gives it the lines (`incoming.rs`); whoever keeps the
//! time gives it that, by [`Link::tick`]. Nothing here needs a runtime.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ibkr_connect_core::{Access, CloseReason, Error, ErrorKind, Result, StreamBudget, Target};
use serde::Serialize;
use tokio::sync::watch;

use crate::alarm::Alarm;
use crate::frames::{
    CancelParams, Command, Connect, Connected, Empty, Hello, HelloFrame, MAX_FRAME, NO_ID, PARTS, command,
};
use crate::heartbeat::{Beat, Heartbeat, HeartbeatLost};
use crate::lines::cut;
use crate::outbox::{Lane, Outbox, Written};
use crate::pipe::Pipe;
use crate::state::{Pending, State, Waiter};

const NO_PARAMS: Option<Empty> = None;

/// A link to one server of the protocol.
///
/// # Behavior
/// - [`open`](Self::open) gives it what it writes to, [`Incoming`](crate::Incoming) what it reads, [`tick`](Self::tick) the time.
///   Every moment is an argument.
/// - One thread keeps the link: it ticks, looks at what has come, and sleeps on the [`alarm`](Self::alarm), which rings
///   whenever one of these may have changed.
/// - At the end its keeper says so by [`refuse`](Self::refuse), [`fail_all`](Self::fail_all) and [`finish`](Self::finish), in this
///   order.
#[derive(Debug)]
pub struct Link {
    pub(crate) outbox: Arc<Outbox>,
    next_id: AtomicU64,
    state: Mutex<State>,
    alarm: Alarm,
    closed: watch::Sender<Option<CloseReason>>,
    finished: watch::Sender<Option<Result<()>>>,
    /// What its streams may keep together on this side of the pipe.
    pub(crate) streams: StreamBudget,
    /// For those who wait for `finished` without a runtime.
    is_finished: (Mutex<bool>, Condvar),
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

impl Link {
    /// A link that is not connected to anything yet.
    pub fn new() -> Self {
        Self {
            outbox: Arc::new(Outbox::new()),
            next_id: AtomicU64::new(NO_ID + 1),
            state: Mutex::default(),
            alarm: Alarm::default(),
            closed: watch::Sender::new(None),
            finished: watch::Sender::new(None),
            streams: StreamBudget::default(),
            is_finished: Default::default(),
        }
    }

    /// Gives it what it writes to.
    pub fn open(&self, pipe: Arc<dyn Pipe>) {
        self.outbox.open(pipe);
    }

    /// What wakes the thread that keeps this link.
    pub fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what the keeper looks at.
    pub(crate) fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.alarm.ring();
    }

    /// Whether `id` was ever given to a command.
    pub(crate) fn has_issued(&self, id: u64) -> bool {
        id < self.next_id.load(Ordering::Relaxed)
    }

    pub(crate) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }
}

/// What has come, for the keeper.
impl Link {
    /// The hello of the other side, once it has come; or what it said instead.
    pub fn take_hello(&self) -> Option<Result<Hello, String>> {
        let mut state = self.lock();
        let line = state.hello.take()?;
        let hello =
            serde_json::from_slice::<HelloFrame>(&line).map(|frame| frame.hello).map_err(|_| cut(&line));
        state.knows_parts = hello.as_ref().is_ok_and(|hello| hello.has(PARTS));
        Some(hello)
    }

    /// The answer to [`send_connect`](Self::send_connect), once it has come.
    pub fn take_connected(&self) -> Option<Result<Connected>> {
        self.lock().connected.take()
    }

    /// What the other side wrote that the protocol does not have, in words. A link is of no use after that.
    pub fn take_violation(&self) -> Option<String> {
        self.lock().violation.take()
    }

    /// Whether the other side writes no more, and all that it wrote was read.
    pub fn has_ended(&self) -> bool {
        self.lock().has_ended
    }
}

/// Time.
impl Link {
    /// Pings the other side every `interval` from `now` on.
    pub fn start_heartbeat(&self, now: Instant, interval: Duration) {
        self.lock().heartbeat = Some(Heartbeat::new(now, interval));
    }

    /// Does what is due at `now`: ends the waits that have lasted too long, pings. Says when the next is due. A wait that begins
    /// later and ends earlier rings the [`alarm`](Self::alarm).
    ///
    /// # Errors
    /// When the other side has left too many pings without an answer: it is lost.
    pub fn tick(&self, now: Instant) -> Result<Option<Instant>, HeartbeatLost> {
        self.expire(now);
        let (beat, next) = {
            let mut state = self.lock();
            let beat = state.heartbeat.as_mut().map_or(Ok(Beat::Wait), |heartbeat| heartbeat.tick(now))?;
            (beat, state.next_due())
        };
        if beat == Beat::Ping {
            self.send_control(command::PING, NO_PARAMS);
        }
        Ok(next)
    }

    /// The server keeps the real deadlines, a moment before ours.
    fn expire(&self, now: Instant) {
        loop {
            let expired = self.lock().take_expired(now);
            let Some((id, pending)) = expired else { return };
            let written = self.take_back(id, pending.access);
            pending.waiter.fail(marked(overdue(pending.joined.len()), written));
        }
    }
}

/// What a request fails with of whose answer so many bytes have come.
fn overdue(received: usize) -> Error {
    if received > 0 {
        let how = format!("{received} bytes of the answer have come, and not its end, within the deadline");
        return Error::new(ErrorKind::Timeout, how)
            .with_advice("ask for less at once, or give the request more time");
    }
    Error::new(ErrorKind::Timeout, "the worker did not answer the request within its deadline")
        .with_advice("the worker or its machine is overloaded, or the worker hangs")
}

/// Sending.
impl Link {
    /// Asks the server to connect; its answer is [`take_connected`](Self::take_connected)'s.
    ///
    /// # Errors
    /// Why nothing is taken any more.
    pub fn send_connect(&self, target: &Target) -> Result<()> {
        let parts = self.lock().knows_parts.then_some(true);
        let command = Command::new(self.new_id(), command::CONNECT, Some(Connect { target, parts }));
        self.send(&command, Pending::new(Waiter::Keeper, (command::CONNECT, Access::Read), None))
    }

    /// Asks the server for the end of its session, and of itself.
    pub fn send_shutdown(&self) {
        self.send_control(command::SHUTDOWN, NO_PARAMS);
    }

    /// Sends a command, overtaking what is less urgent; there is a wait for its answer from here on.
    pub(crate) fn send(&self, command: &Command<'_, impl Serialize>, pending: Pending) -> Result<()> {
        let bytes = line(command)?;
        let lane = Lane::from(pending.access);
        let first_deadline = self.lock().register(command.id, pending)?;
        if let Some(deadline) = first_deadline {
            self.alarm.wake_by(deadline);
        }
        self.outbox.send(lane, command.id, bytes);
        Ok(())
    }

    pub(crate) fn send_control(&self, command: &str, params: Option<impl Serialize>) {
        let id = self.new_id();
        if let Ok(bytes) = line(&Command::new(id, command, params)) {
            self.outbox.send(Lane::Control, id, bytes);
        }
    }

    /// Ends the wait for `id`, here and on the other side, because its caller has gone. Nothing happens if it is over already, and
    /// none to a trade: it runs to its end.
    pub(crate) fn abandon(&self, id: u64) {
        // Not dropped under the lock: that may wake the waiter.
        let abandoned = self.lock().take_abandoned(id);
        if let Some(pending) = abandoned {
            self.take_back(id, pending.access);
        }
    }

    /// Takes back what nobody waits for any more: out of the outbox, or, unless it is a trade, by a cancel.
    pub(crate) fn take_back(&self, target: u64, access: Access) -> Written {
        let written = self.outbox.withdraw(target);
        if written != Written::Nothing && access == Access::Read {
            self.send_control(command::CANCEL, Some(CancelParams { target }));
        }
        written
    }
}

/// The end.
impl Link {
    /// This side has asked for the end of the session: it is `closed` from here on, and not lost.
    pub fn expect_end(&self) {
        self.update(|state| state.is_end_expected = true);
    }

    /// Nothing new is taken from here on, for this reason. The first reason stands.
    pub fn refuse(&self, error: &Error, reason: CloseReason) {
        self.lock().refused.get_or_insert_with(|| error.clone());
        self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            closed.get_or_insert(reason);
            first
        });
    }

    /// Whoever waits gets `error`; those of whose command no byte was written get it as
    /// [`unsent`](ibkr_connect_core::Error::is_unsent).
    pub fn fail_all(&self, error: &Error) {
        let waiting = self.lock().take_all();
        for (id, pending) in waiting {
            let written = self.outbox.withdraw(id);
            pending.waiter.fail(marked(error.clone(), written));
        }
    }

    /// Closes the writing end; the other side sees the end of its input.
    pub fn hang_up(&self) {
        self.outbox.close();
    }

    /// Nothing is left of the other side, and of the threads that served this one.
    pub fn finish(&self, outcome: Result<()>) {
        self.finished.send_replace(Some(outcome));
        let (is_finished, changed) = &self.is_finished;
        *is_finished.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Resolves when the session is gone.
    pub async fn closed(&self) -> CloseReason {
        first_value(&self.closed).await.unwrap_or(CloseReason::Requested)
    }

    /// Resolves at [`finish`](Self::finish).
    ///
    /// # Errors
    /// Its outcome.
    pub async fn finished(&self) -> Result<()> {
        first_value(&self.finished).await.unwrap_or(Ok(()))
    }

    /// Blocks until [`finish`](Self::finish), at most for `patience`.
    pub fn wait_finished(&self, patience: Duration) {
        let (is_finished, changed) = &self.is_finished;
        let is_finished = is_finished.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_timeout_while(is_finished, patience, |is_finished| !*is_finished));
    }
}

/// Says of `error` what is known about its command.
fn marked(error: Error, written: Written) -> Error {
    if written == Written::Nothing { error.unsent() } else { error }
}

async fn first_value<T: Clone>(sender: &watch::Sender<Option<T>>) -> Option<T> {
    let mut receiver = sender.subscribe();
    receiver.wait_for(Option::is_some).await.ok()?.clone()
}

/// A frame as a line.
fn line(frame: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(frame).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("a request can't be written as JSON: {error}"))
            .with_source(error)
    })?;
    if bytes.len() > MAX_FRAME {
        return Err(Error::new(
            ErrorKind::InvalidRequest,
            format!("a request of {} bytes is longer than the protocol's {MAX_FRAME}", bytes.len()),
        )
        .with_advice("ask for less at once"));
    }
    bytes.push(b'\n');
    Ok(bytes)
}
