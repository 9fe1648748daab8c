//! Requests and streams over a link.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ibkr_connect_core::{
    Access, Error, ErrorKind, EventStream, FlowControl, Reply, Request, Result, StreamRequest,
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::frames::{Command, CreditParams, command};
use crate::link::Link;
use crate::state::{Pending, Sink, Waiter};

/// How many events of a stream the server may send before its consumer has read any.
const WINDOW: usize = 4_096;

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
        let (opened, stream) = self.open_stream(request, flow, deadline)?;
        opened.answer().await?;
        Ok(stream)
    }

    pub(crate) fn call<P: Serialize>(self: &Arc<Self>, question: Question<P>) -> Result<Call<Box<RawValue>>> {
        let (sender, receiver) = oneshot::channel();
        let Question { command, params, access, timeout, deadline } = question;
        let id = self.new_id();
        let timeout_ms = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let frame = Command { timeout_ms, ..Command::new(id, command, Some(params)) };
        let deadline = Some(deadline);
        self.send(&frame, Pending { waiter: Waiter::Request(sender), command, access, deadline })?;
        Ok(Call { link: Arc::clone(self), id, receiver, is_answered: false })
    }

    pub(crate) fn open_stream(
        self: &Arc<Self>,
        request: StreamRequest,
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
        let (command, access) = (sink.request.command(), sink.request.access());
        let waiter = Waiter::Opening(opened, Arc::clone(&sink));
        let frame = Command {
            flow: Some(flow),
            credit: Some(credit as u64),
            ..Command::new(id, command, Some(sink.request.params()))
        };
        self.send(&frame, Pending { waiter, command, access, deadline: Some(deadline) })?;
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
