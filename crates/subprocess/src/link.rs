//! What the threads of one worker share on the parent's side: who waits for what, and how the worker is.
//!
//! Callers write and register what they wait for; the reader (`incoming.rs`) completes it; the supervisor
//! (`supervisor.rs`) keeps the time and owns the process. Nothing here needs a runtime.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ibkr_connect_core::{
    CloseReason, Error, ErrorKind, EventStream, FlowControl, Request, Result, StreamRequest, event_channel,
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{oneshot, watch};

use crate::outbox::{Lane, Outbox};
use crate::state::{Sink, State, Waiter};
use crate::wire::{CancelParams, Command, CreditParams, MAX_FRAME, command};

/// How many events of a stream the worker may send before its consumer has read any.
const WINDOW: usize = 4_096;

/// The shared state of one worker.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) outbox: Arc<Outbox>,
    next_id: AtomicU64,
    state: Mutex<State>,
    /// Wakes the supervisor, and whoever waits for the end.
    changed: Condvar,
    closed: watch::Sender<Option<CloseReason>>,
    gone: watch::Sender<Option<Result<()>>>,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self {
            outbox: Arc::new(Outbox::new()),
            next_id: AtomicU64::new(1),
            state: Mutex::default(),
            changed: Condvar::new(),
            closed: watch::Sender::new(None),
            gone: watch::Sender::new(None),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for a change.
    pub(crate) fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `ready` gives something, at most until `deadline`.
    pub(crate) fn wait_until<T>(
        &self,
        deadline: Instant,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(value) = ready(&mut state) {
                return Some(value);
            }
            state = self.sleep(state, deadline)?;
        }
    }

    /// Sleeps until a change, or `deadline`; `None` when that has passed.
    pub(crate) fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        deadline: Instant,
    ) -> Option<MutexGuard<'a, State>> {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        state.wakes_at = Some(deadline);
        let mut state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        state.wakes_at = None;
        Some(state)
    }

    /// Whether `id` was ever given to a command.
    pub(crate) fn has_issued(&self, id: u64) -> bool {
        id < self.next_id.load(Ordering::Relaxed)
    }

    fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }
}

/// Sending.
impl Link {
    /// Sends the one `connect`; its answer appears in [`State::connected`].
    pub(crate) fn send_connect(&self, params: &impl Serialize) -> Result<()> {
        let id = self.new_id();
        self.send(&Command::new(id, command::CONNECT, Some(params)), Waiter::Supervisor, None)
    }

    /// Sends a request, with a deadline of its own if it has one; `deadline` ends the wait for its reply here.
    pub(crate) fn call(
        self: &Arc<Self>,
        request: &Request,
        timeout: Option<Duration>,
        deadline: Instant,
    ) -> Result<Call<Box<RawValue>>> {
        let (sender, receiver) = oneshot::channel();
        let id = self.new_id();
        let timeout_ms = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let command = Command { timeout_ms, ..Command::new(id, request.command(), Some(request.params())) };
        self.send(&command, Waiter::Request(sender), Some(deadline))?;
        Ok(Call { link: Arc::clone(self), id, receiver, answered: false })
    }

    /// Sends the request for a stream; dropping the stream cancels it.
    pub(crate) fn open(
        self: &Arc<Self>,
        request: StreamRequest,
        flow: FlowControl,
        deadline: Instant,
    ) -> Result<(Call<()>, EventStream)> {
        let (opened, receiver) = oneshot::channel();
        let id = self.new_id();
        let link = Arc::downgrade(self);
        let (sender, stream) = event_channel(flow, move || {
            if let Some(link) = link.upgrade() {
                link.cancel(id);
            }
        });
        let credit = WINDOW.min(flow.capacity());
        let link = Arc::downgrade(self);
        let stream = stream.report_taken(credit.div_ceil(2), move |events| {
            if let Some(link) = link.upgrade() {
                link.send_control(command::CREDIT, Some(CreditParams { target: id, events }));
            }
        });
        let sink = Arc::new(Sink { request, sender });
        let waiter = Waiter::Opening(opened, Arc::clone(&sink));
        let (name, params) = (sink.request.command(), sink.request.params());
        let credit = Some(credit as u64);
        let command = Command { flow: Some(flow), credit, ..Command::new(id, name, Some(params)) };
        self.send(&command, waiter, Some(deadline))?;
        Ok((Call { link: Arc::clone(self), id, receiver, answered: false }, stream))
    }

    fn send(
        &self,
        command: &Command<'_, impl Serialize>,
        waiter: Waiter,
        deadline: Option<Instant>,
    ) -> Result<()> {
        let bytes = line(command)?;
        self.register(command.id, waiter, deadline)?;
        self.outbox.send(Lane::Data, command.id, bytes);
        Ok(())
    }

    fn register(&self, id: u64, waiter: Waiter, deadline: Option<Instant>) -> Result<()> {
        let mut state = self.lock();
        state.register(id, waiter, deadline)?;
        // Deadlines mostly lie behind the next wake-up, so that most requests wake nobody here.
        let too_late = deadline.zip(state.wakes_at).is_some_and(|(deadline, wakes_at)| deadline < wakes_at);
        if too_late {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Ends the wait for `id`, here and in the worker. Nothing happens if it is over already.
    pub(crate) fn cancel(&self, id: u64) {
        // Not dropped under the lock: that may wake the waiter.
        let waiter = self.lock().take(id);
        if waiter.is_some() {
            self.send_cancel(id);
        }
    }

    pub(crate) fn send_cancel(&self, target: u64) {
        if !self.outbox.withdraw(target) {
            self.send_control(command::CANCEL, Some(CancelParams { target }));
        }
    }

    pub(crate) fn send_control(&self, command: &str, params: Option<impl Serialize>) {
        let id = self.new_id();
        if let Ok(bytes) = line(&Command::new(id, command, params)) {
            self.outbox.send(Lane::Control, id, bytes);
        }
    }
}

/// The end.
impl Link {
    /// Nothing new is taken from here on, for this reason. The first reason stands.
    pub(crate) fn refuse(&self, error: &Error, reason: CloseReason) {
        self.lock().refused.get_or_insert_with(|| error.clone());
        self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            closed.get_or_insert(reason);
            first
        });
    }

    /// Whoever waits gets `error`.
    pub(crate) fn fail_all(&self, error: &Error) {
        let waiters = self.lock().take_all();
        for waiter in waiters {
            waiter.fail(error.clone());
        }
    }

    /// The process, and all that served it, is gone.
    pub(crate) fn finish(&self, outcome: Result<()>) {
        self.gone.send_replace(Some(outcome));
        self.changed.notify_all();
    }

    pub(crate) async fn closed(&self) -> CloseReason {
        first_value(&self.closed).await.unwrap_or(CloseReason::Requested)
    }

    pub(crate) async fn gone(&self) -> Result<()> {
        first_value(&self.gone).await.unwrap_or(Ok(()))
    }

    /// Blocks until the process is gone, at most for `patience`.
    pub(crate) fn wait_gone(&self, patience: Duration) {
        self.wait_until(Instant::now() + patience, |_| self.gone.borrow().is_some().then_some(()));
    }
}

/// A wait for an answer. Dropping it cancels what was asked.
#[derive(Debug)]
pub(crate) struct Call<T> {
    link: Arc<Link>,
    id: u64,
    receiver: oneshot::Receiver<Result<T>>,
    answered: bool,
}

impl<T> Call<T> {
    pub(crate) async fn answer(mut self) -> Result<T> {
        let answer = (&mut self.receiver).await;
        self.answered = true;
        // The sender is never dropped unused while the link lives; should it be, the connection is no more.
        answer.unwrap_or_else(|_| Err(Error::new(ErrorKind::Disconnected, "the worker's reader is gone")))
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        if !self.answered {
            self.link.cancel(self.id);
        }
    }
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
