//! Who asks: an operation's way to ibapi, which notes what it asks, so that a deadline can say why nothing came.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ibapi::Client;
use ibkr_connect_core::{Error, Result};
use time::OffsetDateTime;

use super::Shared;
use crate::clock::Unit;
use crate::error::request_error;
use crate::late::Late;
use crate::log;
use crate::notes::Notes;
use crate::overdue::Overdue;
use crate::standing::Topic;

/// One operation that is under way. It derefs to ibapi's client.
pub(crate) struct Asker {
    client: Arc<Client>,
    pub(crate) shared: Shared,
    pub(crate) notes: Notes,
    pub(crate) task: Task,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) command: &'static str,
    pub(crate) topic: Topic,
    /// How long an answer, or the opening of a stream, may take.
    pub(crate) limit: Duration,
}

impl Asker {
    pub(crate) fn new(client: Arc<Client>, shared: Shared, task: Task) -> Self {
        Self { client, shared, notes: Notes::new(), task }
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Asks a question that has a request id; its future has not been polled yet.
    pub(crate) async fn ask<T>(
        &self,
        question: impl Future<Output = std::result::Result<T, ibapi::Error>>,
    ) -> Result<T> {
        self.ask_as(next_request_id(&self.client), question).await
    }

    /// The same where the id is known.
    pub(crate) async fn ask_as<T>(
        &self,
        request_id: i32,
        question: impl Future<Output = std::result::Result<T, ibapi::Error>>,
    ) -> Result<T> {
        self.shared.tap.expect(request_id);
        self.notes.ask_as(request_id);
        question.await.map_err(|error| self.failed(error))
    }

    /// Asks a question about the past, which the Gateway may answer with 2188 and nothing else.
    pub(crate) async fn ask_history<T>(
        &self,
        question: impl Future<Output = std::result::Result<T, ibapi::Error>>,
    ) -> Result<T> {
        let (request_id, late) = self.late();
        self.unless(late, self.ask_as(request_id, question)).await
    }

    /// The id of the next request, which is about the past, and what hears whether that is late.
    pub(crate) fn late(&self) -> (i32, Late) {
        let request_id = next_request_id(&self.client);
        // Noted at once: what is noted is forgotten with the operation.
        self.notes.ask_as(request_id);
        (request_id, Late::new(self.shared.tap.late(request_id)))
    }

    /// The answer, unless 2188 is all that comes.
    pub(crate) async fn unless<T>(&self, late: Late, answer: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            answer = answer => answer,
            error = late.alone(&self.notes) => Err(error),
        }
    }

    /// Asks a question that has none and one answer. An error without an id fails whatever ibapi has in flight of that kind, also what
    /// it is not about, or what it closes the connection for: so the question is asked once more, and a second error is its answer.
    pub(crate) async fn ask_unnumbered<T, F>(&self, question: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, ibapi::Error>>,
    {
        self.notes.ask();
        match question().await {
            Err(ibapi::Error::Notice(notice)) if notice.request_id.is_none() => {
                self.notice(&notice);
                question().await.map_err(|error| self.failed(error))
            }
            outcome => outcome.map_err(|error| self.failed(error)),
        }
    }

    /// Subscribes to what has no request id.
    pub(crate) async fn subscribe_unnumbered<T>(
        &self,
        question: impl Future<Output = std::result::Result<T, ibapi::Error>>,
    ) -> Result<T> {
        self.notes.ask();
        question.await.map_err(|error| self.failed(error))
    }

    /// Asks for the Gateway's time; where another question is due first, when its turn comes.
    pub(crate) async fn time(&self, unit: Unit) -> Result<OffsetDateTime> {
        self.notes.ask();
        self.shared.clock.time(&self.client, unit, self.task.limit).await
    }

    /// ibapi takes an answer that never came, because its end was closed, for one that is empty.
    pub(crate) fn answered<T>(&self, rows: Vec<T>) -> Result<Vec<T>> {
        if rows.is_empty() && !self.is_connected() {
            Err(self.failed(ibapi::Error::Shutdown))
        } else {
            Ok(rows)
        }
    }

    /// The Gateway says something about an operation that goes on.
    pub(crate) fn notice(&self, notice: &ibapi::Notice) {
        log::request_notice(self.shared.log_accounts, self.task.command, notice.code, &notice.message);
    }

    /// ibapi's error as this operation's.
    pub(crate) fn failed(&self, error: ibapi::Error) -> Error {
        request_error(error)
    }

    /// The error when nothing, or not all, has come in time.
    pub(crate) fn overdue(&self) -> Error {
        let Task { command, topic, limit } = self.task;
        let (since, request_ids) = (self.notes.since(), self.notes.request_ids());
        let tap = &self.shared.tap;
        let session = self.shared.notices.reasons(topic, since);
        let about_it = request_ids.iter().rev().find_map(|id| tap.last_word_about(*id));
        // An error without a request id may be about a question that has none.
        let complaint = session.complaint.clone().filter(|_| request_ids.is_empty());
        let other_end = if topic == Topic::AccountUpdates { tap.other_account_end(since) } else { None };
        let stage = self.notes.stage();
        let about_it = about_it.or(complaint);
        let error = Overdue { command, limit, stage, topic, about_it, session, other_end }.error();
        if self.notes.is_unsent() { error.unsent() } else { error }
    }
}

impl Deref for Asker {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        for id in self.notes.request_ids() {
            self.shared.tap.forget(id);
        }
    }
}

/// The id that ibapi gives its next request. ibapi keeps most of them to itself; but it numbers in sequence, and tells the id of a
/// request that is prepared, also of one that is never sent.
fn next_request_id(client: &Client) -> i32 {
    client.contract_details_stream(&ibapi::contracts::Contract::default()).request_id().saturating_add(1)
}
