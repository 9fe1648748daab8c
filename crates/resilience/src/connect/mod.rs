//! The robust connect as a connector around a connector. [`Pipeline`] runs whatever dials; a [`Connector`] is but one of those.

mod attempts;
mod backoff;
mod connection;
mod dialer;
mod lock;
mod maintenance;
mod pipeline;
mod policy;
mod port;
mod run;
mod wait;

pub use attempts::Attempts;
pub use backoff::{Backoff, Pace};
pub use dialer::{Admitted, Dialer, Held, Opened};
pub use lock::{HandshakeGuard, HandshakeLock};
pub use pipeline::Pipeline;
pub use policy::{Policy, PortCheck};
pub use wait::ConnectWait;

use std::sync::Arc;

use async_trait::async_trait;
use ibkr_connect_core::{Connection, ConnectionMode, Connector, Result, Target};
use ibkr_connect_state::{Clock, KernelClock};

use crate::pacing::{PacingStatus, PacingWait};
use connection::RobustConnection;
use dialer::Dialing;

/// A connector that connects through another one, under a [`Policy`].
///
/// # Behavior
/// - One handshake at a time per user and Gateway, across processes; none while the breaker is open; none to a local port
///   on which nobody listens.
/// - A target without a client id gets one that no other process of this machine uses; the connection keeps it until it is
///   closed or dropped.
/// - What can help is tried again, at most [`Policy::max_retries`] times, after waits that grow. The deadline of the
///   target is that of each attempt; the waits come on top.
/// - A request that would break IBKR's limits waits for its turn, at most as long as it may take afterwards
///   ([`Target::request_timeout`]); if it would wait longer it fails at once. [`pacing`](Self::pacing) says how full the queue
///   is. The limits hold for all processes of this user together, but for that of 50 historical requests open at once.
/// - The policy runs on a thread of its own, so the future needs no runtime. Dropping it abandons the attempt.
///
/// # Errors
/// The last attempt's, with [`Attempts`](crate::Attempts) as its source; `circuit_open`, `lock_timeout`, `not_listening`
/// and `client_id_in_use` in `preflight`, without having touched the Gateway; `config`, when the state directory can't be
/// used.
#[derive(Debug)]
pub struct RobustConnector {
    inner: Dialing,
    pipeline: Pipeline,
}

impl RobustConnector {
    /// Wraps `inner`. Nothing is read or written before the first connect.
    pub fn new(inner: impl Into<Arc<dyn Connector>>, policy: Policy) -> Self {
        Self::with_clock(inner, policy, Arc::new(KernelClock::default()))
    }

    /// The same with another clock for breaker, leases and maintenance windows.
    #[doc(hidden)]
    pub fn with_clock(inner: impl Into<Arc<dyn Connector>>, policy: Policy, clock: Arc<dyn Clock>) -> Self {
        Self { inner: Dialing(inner.into()), pipeline: Pipeline::with_clock(policy, clock) }
    }

    /// The same, which tells what each connect waits for. It is told from the connect's own thread and must not block it.
    #[must_use]
    pub fn with_observer(self, told: impl Fn(ConnectWait) + Send + Sync + 'static) -> Self {
        Self { pipeline: self.pipeline.with_observer(told), ..self }
    }

    /// The same, which tells when a request of its connections waits for its turn, so that a limit of IBKR is kept. It is told from
    /// whoever makes the request and must not block it.
    #[must_use]
    pub fn with_pacing_observer(self, told: impl Fn(PacingWait) + Send + Sync + 'static) -> Self {
        Self { pipeline: self.pipeline.with_pacing_observer(told), ..self }
    }

    /// How many requests wait in front of the target's Gateway; `None` if none ever does.
    pub fn pacing(&self, target: &Target) -> Option<PacingStatus> {
        self.pipeline.pacing(target)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for RobustConnector {
    fn mode(&self) -> ConnectionMode {
        self.inner.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        let admitted = self.pipeline.execute(self.inner.clone(), target).await?;
        Ok(Box::new(RobustConnection::new(admitted)))
    }
}
