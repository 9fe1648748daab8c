//! A connection that holds its client id and keeps IBKR's limits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::backend::close_elsewhere;
use ibkr_connect_core::literal;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, ErrorKind, EventStream, FlowControl, Reply, Request, Result,
    StreamRequest,
};

use crate::connect::dialer::{Admitted, Held};
use crate::ids::Lease;
use crate::pacing::ConnectionPacer;

/// A backend's connection with what it needs to be a good neighbour.
#[derive(Debug)]
pub(crate) struct RobustConnection {
    info: ConnectionInfo,
    /// Before the lease: the id is given back when nobody uses it any more.
    inner: Arc<dyn Connection>,
    lease: Mutex<Option<Lease>>,
    pacer: Option<ConnectionPacer>,
}

impl RobustConnection {
    pub(crate) fn new(admitted: Admitted<Box<dyn Connection>>) -> Self {
        let Admitted { connection, attempts, held: Held { lease, pacer } } = admitted;
        let info = literal!(ConnectionInfo { attempts, ..connection.info().clone() });
        Self { info, inner: connection.into(), lease: Mutex::new(Some(lease)), pacer }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connection for RobustConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        &mut self.info
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        let Some(pacer) = &self.pacer else { return self.inner.request(request, timeout).await };
        let admission = pacer.request(&request, timeout).await?;
        let outcome = self.inner.request(request, timeout).await;
        // A request that is given up is cancelled, which is a message too.
        if !matches!(&outcome, Err(error) if error.kind() == ErrorKind::Timeout) {
            admission.answered();
        }
        outcome
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        let Some(pacer) = &self.pacer else { return self.inner.subscribe(request, flow).await };
        pacer.stream(&request).await?;
        let stream = self.inner.subscribe(request.clone(), flow).await?;
        Ok(pacer.counted(&request, stream))
    }

    async fn closed(&self) -> CloseReason {
        self.inner.closed().await
    }

    async fn close(&self) -> Result<()> {
        let closed = self.inner.close().await;
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        closed
    }
}

impl Drop for RobustConnection {
    fn drop(&mut self) {
        let lease = self.lease.get_mut().unwrap_or_else(PoisonError::into_inner);
        close_elsewhere(&self.inner, || lease.take());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::task::{Context, Poll, Waker};

    use ibkr_connect_core::{Error, MockConnection, block_on, event_channel};
    use ibkr_connect_state::{Clock, ManualClock};

    use super::*;
    use crate::gateway::Gateway;
    use crate::ids::Leases;
    use crate::pacing::{Limits, Pacer};

    /// A connection under a pacer of its own, whose clock stands still: four messages may go, and no more.
    struct Fixture {
        temp: tempfile::TempDir,
        pacer: Arc<Pacer>,
        connection: RobustConnection,
    }

    impl Fixture {
        fn new(prepare: impl FnOnce(&mut MockConnection, &Path)) -> Self {
            let temp = tempfile::tempdir().unwrap();
            let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
            let gateway = Gateway::new("localhost", 4002);
            let lease = leases(temp.path()).fixed(7).unwrap();
            let pacer = Arc::new(Pacer::new(temp.path(), &gateway, &clock, Default::default()));
            pacer.open();
            let mut inner = MockConnection::new();
            prepare(&mut inner, temp.path());
            inner.expect_close().returning(|| Ok(()));
            let limit = Duration::from_secs(30);
            let paced = ConnectionPacer {
                pacer: Arc::clone(&pacer),
                limits: Limits::All,
                limit,
                observer: Default::default(),
            };
            inner.expect_info().return_const(info());
            let held = Held { lease, pacer: Some(paced) };
            let admitted = Admitted { connection: Box::new(inner) as _, attempts: Vec::new(), held };
            let connection = RobustConnection::new(admitted);
            Self { temp, pacer, connection }
        }

        /// How many messages were counted beyond the four.
        fn debt(&self) -> u128 {
            (self.pacer.status().next_in.as_micros() * 44 + 500_000) / 1_000_000
        }
    }

    fn leases(directory: &Path) -> Leases {
        Leases::new(directory, Gateway::new("localhost", 4002), "test", Arc::new(ManualClock::new()))
    }

    fn info() -> ConnectionInfo {
        literal!(ConnectionInfo { client_id: 7, accounts: Vec::new(), ..ConnectionInfo::mock() })
    }

    fn waits<T>(future: impl Future<Output = T>) -> bool {
        let mut future = std::pin::pin!(future);
        matches!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
    }

    #[test]
    fn requests_and_streams_are_paced_and_notices_are_not() {
        let fixture = Fixture::new(|inner, _| {
            inner.expect_request().returning(|_, _| Ok(Reply::NextOrderId(1)));
            inner.expect_subscribe().returning(|_, _| {
                let (sender, stream) = event_channel(FlowControl::default(), || {});
                // It goes on until it is cancelled.
                std::mem::forget(sender);
                Ok(stream)
            });
        });
        let Fixture { connection, .. } = &fixture;
        let flow = FlowControl::default();
        for _ in 0..10 {
            drop(block_on(connection.subscribe(StreamRequest::Notices, flow)).unwrap());
        }
        let mut streams = Vec::new();
        for _ in 0..2 {
            block_on(connection.request(Request::NextOrderId, None)).unwrap();
            streams.push(block_on(connection.subscribe(StreamRequest::PositionUpdates, flow)).unwrap());
        }
        assert_eq!(fixture.debt(), 1, "the four are gone, one more would wait");
        assert!(waits(connection.request(Request::NextOrderId, None)));
        assert!(waits(connection.subscribe(StreamRequest::PositionUpdates, flow)));
        assert_eq!(fixture.debt(), 1, "who has given up has taken nothing");
        drop(streams);
        assert_eq!(fixture.debt(), 3, "the two cancels");
    }

    #[test]
    fn a_request_that_is_given_up_costs_its_cancel() {
        let fixture = Fixture::new(|inner, _| {
            let mut answers =
                [Ok(Reply::NextOrderId(1)), Err(Error::new(ErrorKind::Timeout, "late"))].into_iter();
            inner.expect_request().returning(move |_, _| answers.next().unwrap());
        });
        block_on(fixture.connection.request(Request::NextOrderId, None)).unwrap();
        block_on(fixture.connection.request(Request::NextOrderId, None)).unwrap_err();
        // 1 + 1 and a cancel: of the four one is left.
        fixture.pacer.count(2);
        assert_eq!(fixture.debt(), 2);
    }

    #[test]
    fn the_client_id_is_given_back_when_the_connection_is_closed_and_not_before() {
        let fixture = Fixture::new(|inner, state| {
            let state = state.to_path_buf();
            inner.expect_close().once().returning(move || {
                assert_eq!(leases(&state).fixed(7).unwrap_err().kind(), ErrorKind::ClientIdInUse);
                Ok(())
            });
        });
        block_on(fixture.connection.close()).unwrap();
        drop(leases(fixture.temp.path()).fixed(7).unwrap());
    }
}
