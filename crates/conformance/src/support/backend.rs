//! The backend under test, as the cases use it.

use std::ops::Deref;
use std::time::Duration;

use ibkr_connect_core::{Connector, Result, Session, Target};

use super::traces;
use crate::Backend;

impl Deref for dyn Backend + '_ {
    type Target = dyn Connector;

    fn deref(&self) -> &Self::Target {
        self.connector()
    }
}

impl dyn Backend + '_ {
    /// Its connections left nothing at `port`, and nothing else behind.
    pub(crate) fn assert_left_nothing(&self, port: u16) {
        traces::assert_no_half_closed(port);
        self.assert_clean();
    }
}

/// Connects as a program does.
pub(crate) async fn session_over(connector: &dyn Connector, target: &Target) -> Result<Session> {
    connector.connect(target).await.map(Session::new)
}

/// A Gateway on this machine with a deadline that only a fault exceeds.
pub(crate) fn target(port: u16) -> Target {
    Target::default()
        .with_port(port)
        .with_timeout(Duration::from_secs(10))
        .with_request_timeout(Duration::from_secs(10))
}
