//! What the policy runs, and what it gives: it needs to know no more of a connection than this.

use std::sync::Arc;

use async_trait::async_trait;
use ibkr_connect_core::{Attempt, Connection, ConnectionMode, Connector, PhaseTiming, Result, Target};

use crate::ids::Lease;
use crate::pacing::ConnectionPacer;

/// Makes one attempt to connect. A backend is one, and so is anything else that shakes hands with a Gateway.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// What it makes.
    type Connection: Send;

    /// Under which mode its attempts are counted, until one has succeeded.
    fn mode(&self) -> ConnectionMode;

    /// Makes one attempt, with the target's client id.
    ///
    /// # Behavior
    /// One handshake, with [`Target::timeout`] as its deadline. When it fails, and when its future is dropped, nothing is left of it.
    ///
    /// # Errors
    /// Its kind says whether the Gateway is to blame, and so what the breaker makes of it; its retryability, whether there is
    /// another attempt.
    async fn dial(&self, target: &Target) -> Result<Self::Connection>;

    /// What is told of an attempt that succeeded.
    fn opened(connection: &Self::Connection) -> Opened<'_>;
}

/// What is told of an attempt that succeeded.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "not for programs")]
pub struct Opened<'a> {
    /// The mode it really has: a fallback's may be another one.
    pub mode: ConnectionMode,
    /// How long each phase took.
    pub phases: &'a [PhaseTiming],
    /// The accounts behind it.
    pub accounts: &'a [String],
}

/// A connection that the policy has let through.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "not for programs")]
pub struct Admitted<C> {
    /// What the dialer has made.
    pub connection: C,
    /// All attempts, the last of them this one's.
    pub attempts: Vec<Attempt>,
    /// To be kept as long as the connection is.
    pub held: Held,
}

/// What a connection holds while it lives: its client id, and its part in the limits of its Gateway. Dropping it gives them back.
#[derive(Debug)]
pub struct Held {
    pub(crate) lease: Lease,
    pub(crate) pacer: Option<ConnectionPacer>,
}

impl Held {
    /// The client id that nobody else on this machine has meanwhile.
    pub fn client_id(&self) -> i32 {
        self.lease.client_id()
    }
}

/// A connector as a dialer.
#[derive(Debug, Clone)]
pub(crate) struct Dialing(pub(crate) Arc<dyn Connector>);

#[async_trait]
impl Dialer for Dialing {
    type Connection = Box<dyn Connection>;

    fn mode(&self) -> ConnectionMode {
        self.0.mode()
    }

    async fn dial(&self, target: &Target) -> Result<Box<dyn Connection>> {
        self.0.connect(target).await
    }

    fn opened(connection: &Box<dyn Connection>) -> Opened<'_> {
        let info = connection.info();
        Opened { mode: info.mode, phases: &info.phases, accounts: &info.accounts }
    }
}
