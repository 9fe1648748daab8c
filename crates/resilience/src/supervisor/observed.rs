//! A connection that tells whether the requests on it are answered.

use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, ErrorKind, EventStream, FlowControl, Reply, Request, Result,
    StreamRequest,
};
use tokio::sync::watch;

/// A backend's connection, and how many requests in a row it has left unanswered.
///
/// Pings don't count: the question is whether anything else is answered while they are.
#[derive(Debug)]
pub(crate) struct ObservedConnection {
    inner: Box<dyn Connection>,
    unanswered: watch::Sender<u32>,
}

impl ObservedConnection {
    pub(crate) fn new(inner: Box<dyn Connection>) -> (Self, watch::Receiver<u32>) {
        let (unanswered, receiver) = watch::channel(0);
        (Self { inner, unanswered }, receiver)
    }

    /// A request has ended. One that was not sent, because its turn would have come too late, was not left unanswered.
    fn count(&self, answer: &Result<Reply>) {
        let is_answered = match answer {
            Ok(_) => true,
            Err(error) => match error.kind() {
                ErrorKind::GatewayError => true,
                ErrorKind::Timeout if error.waited().is_none() => false,
                _ => return,
            },
        };
        self.unanswered.send_if_modified(|count| {
            let before = *count;
            *count = if is_answered { 0 } else { count.saturating_add(1) };
            *count != before
        });
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connection for ObservedConnection {
    fn info(&self) -> &ConnectionInfo {
        self.inner.info()
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        self.inner.info_mut()
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        if request == Request::ProofOfLife {
            return self.inner.request(request, timeout).await;
        }
        let answer = self.inner.request(request, timeout).await;
        self.count(&answer);
        answer
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        self.inner.subscribe(request, flow).await
    }

    async fn closed(&self) -> CloseReason {
        self.inner.closed().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::types::ProofOfLife;
    use ibkr_connect_core::{Error, MockConnection};

    use super::*;

    /// Asks once, and is answered so.
    async fn asks(
        connection: &mut ObservedConnection,
        answer: impl FnOnce() -> Result<Reply> + Send + 'static,
    ) {
        let mut mock = MockConnection::new();
        mock.expect_request().return_once(move |_, _| answer());
        connection.inner = Box::new(mock);
        let _ = connection.request(Request::Positions, None).await;
    }

    fn fails(kind: ErrorKind) -> impl FnOnce() -> Result<Reply> {
        move || Err(Error::new(kind, "as planned"))
    }

    #[tokio::test]
    async fn unanswered_requests_are_counted_until_one_is_answered() {
        let (mut connection, unanswered) = ObservedConnection::new(Box::new(MockConnection::new()));
        for expected in 1..=3 {
            asks(&mut connection, fails(ErrorKind::Timeout)).await;
            assert_eq!(*unanswered.borrow(), expected);
        }
        for kind in [ErrorKind::Disconnected, ErrorKind::Busy, ErrorKind::InvalidRequest] {
            asks(&mut connection, fails(kind)).await;
            assert_eq!(*unanswered.borrow(), 3, "{kind} is neither an answer nor silence");
        }
        asks(&mut connection, || Ok(Reply::Positions(Vec::new()))).await;
        assert_eq!(*unanswered.borrow(), 0);
        asks(&mut connection, fails(ErrorKind::Timeout)).await;
        asks(&mut connection, fails(ErrorKind::GatewayError)).await;
        assert_eq!(*unanswered.borrow(), 0, "a refusal is an answer");
    }

    #[tokio::test]
    async fn what_was_not_sent_was_not_left_unanswered() {
        let (mut connection, unanswered) = ObservedConnection::new(Box::new(MockConnection::new()));
        let not_sent = || Error::new(ErrorKind::Timeout, "as planned").with_waited(Duration::from_secs(30));
        asks(&mut connection, move || Err(not_sent())).await;
        assert_eq!(*unanswered.borrow(), 0);
    }

    #[tokio::test]
    async fn a_ping_counts_neither_way() {
        let (mut connection, unanswered) = ObservedConnection::new(Box::new(MockConnection::new()));
        asks(&mut connection, fails(ErrorKind::Timeout)).await;
        for answer in [Ok(Reply::ProofOfLife(ProofOfLife::ManagedAccounts)), fails(ErrorKind::Timeout)()] {
            let mut mock = MockConnection::new();
            mock.expect_request().return_once(move |_, _| answer);
            connection.inner = Box::new(mock);
            let _ = connection.request(Request::ProofOfLife, None).await;
            assert_eq!(*unanswered.borrow(), 1);
        }
    }
}
