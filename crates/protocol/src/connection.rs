//! The connection over a link: its requests and streams. What ends it is up to whoever keeps the link.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibkr_connect_core::backend::may_wait;
use ibkr_connect_core::{
    Access, CloseReason, Connection, ConnectionInfo, Error, ErrorKind, EventStream, FlowControl, Reply,
    Request, Result, StreamRequest,
};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::alarm::after;
use crate::frames::{Command, CreditParams, command};
use crate::lines::Data;
use crate::link::Link;
use crate::state::{Pending, Sink, Waiter};

/// How many events of a stream the server may send before its consumer has read any.
const WINDOW: usize = 4_096;

/// Holds what a [`LinkConnection`] is over: ends it when the connection is to end. [`Link::finish`] says when it has.
pub trait Holder: Debug + Send + Sync {
    /// The session is to end gracefully.
    fn close(&self);

    /// Nobody is left who could use it. Says how long whoever can wait waits for [`Link::finish`].
    fn let_go(&self) -> Duration;
}

/// How long a request takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// When the server gives up on one that has no deadline of its own.
    pub request: Duration,
    /// How much later we do.
    pub grace: Duration,
}

impl Deadlines {
    /// When one that begins now is given up here: a moment after the server's own deadline.
    fn of(self, timeout: Option<Duration>) -> Instant {
        after(Instant::now(), timeout.unwrap_or(self.request).saturating_add(self.grace))
    }
}

/// A session that another process holds, at the other end of a link.
#[derive(Debug)]
pub struct LinkConnection<H: Holder> {
    link: Arc<Link>,
    info: ConnectionInfo,
    deadlines: Deadlines,
    holder: H,
}

impl<H: Holder> LinkConnection<H> {
    /// One over a link that has connected.
    pub fn new(link: Arc<Link>, info: ConnectionInfo, deadlines: Deadlines, holder: H) -> Self {
        Self { link, info, deadlines, holder }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<H: Holder> Connection for LinkConnection<H> {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        &mut self.info
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        self.link.request(&request, timeout, self.deadlines.of(timeout)).await
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        self.link.subscribe(request, flow, self.deadlines.of(None)).await
    }

    async fn closed(&self) -> CloseReason {
        self.link.closed().await
    }

    async fn close(&self) -> Result<()> {
        self.holder.close();
        self.link.finished().await
    }
}

impl<H: Holder> Drop for LinkConnection<H> {
    fn drop(&mut self) {
        let patience = self.holder.let_go();
        if may_wait() {
            self.link.wait_finished(patience);
        }
    }
}

impl Link {
    /// Runs a request, with a deadline of its own if it has one; `deadline` ends the wait for its reply here. Dropping the future
    /// cancels it, unless it trades: then it runs to its end, and nobody learns how.
    ///
    /// # Errors
    /// Those of the operation; `timeout` at the deadline, and what the link was refused or failed with.
    /// [`is_unsent`](Error::is_unsent) says of these whether not a byte of it was written.
    pub async fn request(
        self: &Arc<Self>,
        request: &Request,
        timeout: Option<Duration>,
        deadline: Instant,
    ) -> Result<Reply> {
        let question = Question {
            command: request.command(),
            params: request.params(),
            access: request.access(),
            timeout,
            deadline,
        };
        let data = self.call(question)?.answer().await?;
        // Read here and not on the reader's thread, which serves everybody.
        request.reply_from_json(data.get())
    }

    /// Opens a stream, until `deadline`. Dropping the stream cancels it.
    ///
    /// # Errors
    /// As those of [`request`](Self::request).
    pub async fn subscribe(
        self: &Arc<Self>,
        request: StreamRequest,
        flow: FlowControl,
        deadline: Instant,
    ) -> Result<EventStream> {
        let access = request.access();
        let (opened, stream) = self.open_stream((request, access), flow, deadline)?;
        opened.answer().await?;
        Ok(stream)
    }

    pub(crate) fn call<P: Serialize>(self: &Arc<Self>, question: Question<P>) -> Result<Call<Data>> {
        let (sender, receiver) = oneshot::channel();
        let Question { command, params, access, timeout, deadline } = question;
        let id = self.new_id();
        let timeout_ms = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let frame = Command { timeout_ms, ..Command::new(id, command, Some(params)) };
        self.send(&frame, Pending::new(Waiter::Request(sender), (command, access), Some(deadline)))?;
        Ok(Call { link: Arc::clone(self), id, receiver, is_answered: false })
    }

    pub(crate) fn open_stream(
        self: &Arc<Self>,
        (request, access): (StreamRequest, Access),
        flow: FlowControl,
        deadline: Instant,
    ) -> Result<(Call<()>, EventStream)> {
        let (opened, receiver) = oneshot::channel();
        let id = self.new_id();
        let link = Arc::downgrade(self);
        let (sender, stream) = self.streams.event_channel(flow, move || {
            if let Some(link) = link.upgrade() {
                link.abandon(id);
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
        let command = sink.request.command();
        let waiter = Waiter::Opening(opened, Arc::clone(&sink));
        let frame = Command {
            flow: Some(flow),
            credit: Some(credit as u64),
            ..Command::new(id, command, Some(sink.request.params()))
        };
        self.send(&frame, Pending::new(waiter, (command, access), Some(deadline)))?;
        Ok((Call { link: Arc::clone(self), id, receiver, is_answered: false }, stream))
    }
}

/// A one-shot operation as the link sends it.
pub(crate) struct Question<P> {
    pub(crate) command: &'static str,
    pub(crate) params: P,
    pub(crate) access: Access,
    /// The server's deadline for it, instead of the connection's.
    pub(crate) timeout: Option<Duration>,
    /// Ours.
    pub(crate) deadline: Instant,
}

/// A wait for an answer. Dropping it cancels what was asked, unless that trades.
#[derive(Debug)]
pub(crate) struct Call<T> {
    link: Arc<Link>,
    id: u64,
    receiver: oneshot::Receiver<Result<T>>,
    is_answered: bool,
}

impl<T> Call<T> {
    pub(crate) async fn answer(mut self) -> Result<T> {
        let answer = (&mut self.receiver).await;
        self.is_answered = true;
        // The sender is never dropped unused while the link lives; should it be, the connection is no more.
        answer.unwrap_or_else(|_| Err(Error::new(ErrorKind::Disconnected, "the worker's reader is gone")))
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.link.abandon(self.id);
        }
    }
}
