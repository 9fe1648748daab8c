//! Mocks of the two traits, for tests of programs that use a connection; see
//! `examples/swap_backend_in_tests.rs`.

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
    /// A [`Connection`] whose every call is scripted by the test.
    #[derive(Debug)]
    pub Connection {}

    #[async_trait]
    impl Connection for Connection {
        fn info(&self) -> &ConnectionInfo;
        fn info_mut(&mut self) -> &mut ConnectionInfo;
        async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply>;
        async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream>;
        async fn closed(&self) -> CloseReason;
        async fn close(&self) -> Result<()>;
    }
}
