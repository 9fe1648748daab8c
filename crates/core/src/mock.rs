//! Mocks of the two traits, for tests of programs that use a connection; see
//! `examples/swap_backend_in_tests.rs`.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mockall::mock;

use crate::{
    CloseReason, Connection, ConnectionInfo, ConnectionMode, Connector, EventStream, FlowControl, Reply,
    Request, Result, StreamRequest, Target,
};

mock! {
    /// A [`Connector`] whose every call is scripted by the test.
    #[derive(Debug)]
    pub Connector {}

    #[async_trait]
    impl Connector for Connector {
        fn mode(&self) -> ConnectionMode;
        async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>>;
    }
}

mock! {
    /// A [`Connection`] whose every call is scripted by the test. [`ready`](Self::ready) is one that needs answers only.
    #[derive(Debug)]
    pub Connection {
        /// What [`Connection::info`] gives.
        pub fn info(&self) -> &ConnectionInfo;
        /// What [`Connection::info_mut`] gives.
        pub fn info_mut(&mut self) -> &mut ConnectionInfo;
        /// What [`Connection::request`] gives.
        pub fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply>;
        /// What [`Connection::subscribe`] gives.
        pub fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream>;
        /// What [`Connection::closed`] resolves to; `None` while the connection stays up, and then that never resolves.
        pub fn closed(&self) -> Option<CloseReason>;
        /// What [`Connection::close`] gives.
        pub fn close(&self) -> Result<()>;
    }
}

impl MockConnection {
    /// A connection that is up, as [`ConnectionInfo::mock`] describes it: it can be closed, and is gone after that. What it
    /// answers is for the test to say, with `expect_request` and `expect_subscribe`.
    ///
    /// ```
    /// use ibkr_connect_core::{MockConnection, Reply, Session};
    ///
    /// let mut connection = MockConnection::ready();
    /// connection.expect_request().returning(|_, _| Ok(Reply::NextOrderId(7)));
    /// let session = Session::new(Box::new(connection)).blocking();
    /// assert_eq!(session.next_order_id()?, 7);
    /// session.close()?;
    /// # Ok::<(), ibkr_connect_core::Error>(())
    /// ```
    pub fn ready() -> Self {
        Self::with_info(ConnectionInfo::mock())
    }

    /// The same with what connecting found out.
    pub fn with_info(info: ConnectionInfo) -> Self {
        let is_closed = Arc::new(AtomicBool::new(false));
        let closing = Arc::clone(&is_closed);
        let mut connection = Self::new();
        connection.expect_info_mut().return_var(info.clone());
        connection.expect_info().return_const(info);
        connection.expect_close().returning(move || {
            closing.store(true, Ordering::Release);
            Ok(())
        });
        let reason = move || is_closed.load(Ordering::Acquire).then_some(CloseReason::Requested);
        connection.expect_closed().returning(reason);
        connection
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connection for MockConnection {
    fn info(&self) -> &ConnectionInfo {
        self.info()
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        self.info_mut()
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        self.request(request, timeout)
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        self.subscribe(request, flow)
    }

    async fn closed(&self) -> CloseReason {
        match self.closed() {
            Some(reason) => reason,
            None => pending().await,
        }
    }

    async fn close(&self) -> Result<()> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::block_on;

    #[test]
    fn one_that_is_ready_is_up_until_it_is_closed() {
        let connection: Box<dyn Connection> = Box::new(MockConnection::ready());
        assert_eq!(connection.info().mode, ConnectionMode::Mock);
        let polled = connection.closed().as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending);
        block_on(connection.close()).unwrap();
        assert_eq!(block_on(connection.closed()), CloseReason::Requested);
    }
}
