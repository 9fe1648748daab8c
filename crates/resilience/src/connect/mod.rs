//! The robust connect as a connector around a connector: the thin shell around [`Run`].

mod attempt;
mod backoff;
mod connection;
mod lock;
mod maintenance;
mod policy;
mod port;
mod run;

pub use attempt::Attempts;
pub use backoff::{Backoff, Pace};
pub use lock::{HandshakeGuard, HandshakeLock};
pub use policy::{Policy, PortCheck};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use async_trait::async_trait;
use ibkr_connect_cleanup::fill_standard_descriptors;
use ibkr_connect_core::backend::own_thread;
use ibkr_connect_core::config::Pacing;
use ibkr_connect_core::{Connection, ConnectionMode, Connector, Result, Target};
use ibkr_connect_state::{Clock, KernelClock};
use tracing::Instrument;

use crate::breaker::BreakerStore;
use crate::connect::run::Run;
use crate::gateway::Gateway;
use crate::pacing::{Limits, Pacer, Pacers, PacingStatus};
use crate::telemetry;

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
pub struct RobustConnector(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    inner: Arc<dyn Connector>,
    policy: Arc<Policy>,
    clock: Arc<dyn Clock>,
    pacers: Pacers,
    /// What targets turned out to be. Kept, because a breaker remembers what it could not write.
    gateways: Mutex<HashMap<Gateway, Known>>,
}

/// What a target turned out to be.
#[derive(Debug, Clone)]
struct Known {
    gateway: Gateway,
    breaker: BreakerStore,
}

impl RobustConnector {
    /// Wraps `inner`. Nothing is read or written before the first connect.
    pub fn new(inner: impl Into<Arc<dyn Connector>>, policy: Policy) -> Self {
        Self::with_clock(inner, policy, Arc::new(KernelClock::default()))
    }

    /// The same with another clock for breaker, leases and maintenance windows.
    pub fn with_clock(inner: impl Into<Arc<dyn Connector>>, policy: Policy, clock: Arc<dyn Clock>) -> Self {
        let (inner, policy) = (inner.into(), Arc::new(policy));
        Self(Arc::new(Parts { inner, policy, clock, pacers: Pacers::default(), gateways: Mutex::default() }))
    }

    /// How many requests wait in front of the target's Gateway; `None` if none ever does.
    pub fn pacing(&self, target: &Target) -> Option<PacingStatus> {
        let gateway = Gateway::from(target);
        let known = self.0.known(&gateway).map(|known| known.gateway);
        self.0.pacer(&known.unwrap_or(gateway)).map(|(pacer, _)| pacer.status())
    }
}

impl Parts {
    fn pacer(&self, gateway: &Gateway) -> Option<(Arc<Pacer>, Limits)> {
        let limits = match self.policy.pacing {
            Pacing::Queue => Limits::All,
            Pacing::Off => Limits::Messages,
            Pacing::Unlimited => return None,
        };
        Some((self.pacers.of(gateway, &self.policy.state_dir, &self.clock), limits))
    }

    /// Looks up which Gateway the target is: that may take two seconds, in which the thread is blocked.
    fn run(&self, target: &Target) -> Run {
        let Known { gateway, breaker } = self.look_up(target);
        let pacer = self.pacer(&gateway);
        Run {
            inner: Arc::clone(&self.inner),
            policy: Arc::clone(&self.policy),
            clock: Arc::clone(&self.clock),
            target: target.clone(),
            gateway,
            breaker,
            pacer,
        }
    }

    /// Which Gateway the target is. A name that can't be looked up now is what it was the last time.
    fn look_up(&self, target: &Target) -> Known {
        let asked = Gateway::from(target);
        let gateway = asked.clone().resolved();
        let known = self.known(&asked).filter(|known| known.gateway == gateway || gateway.is_name());
        known.unwrap_or_else(|| {
            let settings = self.policy.breaker.clone();
            let clock = Arc::clone(&self.clock);
            let breaker = BreakerStore::new(&self.policy.state_dir, gateway.clone(), settings, clock);
            let known = Known { gateway, breaker };
            self.gateways().insert(asked, known.clone());
            known
        })
    }

    fn known(&self, asked: &Gateway) -> Option<Known> {
        self.gateways().get(asked).cloned()
    }

    fn gateways(&self) -> MutexGuard<'_, HashMap<Gateway, Known>> {
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for RobustConnector {
    fn mode(&self) -> ConnectionMode {
        self.0.inner.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        // Before the files that processes share are opened. If it fails, so does the backend.
        let _ = fill_standard_descriptors();
        let connect = telemetry::Connect::begun(self.mode());
        let gateway = Gateway::from(target);
        let span = tracing::info_span!("connect", %gateway, mode = self.mode().as_str());
        let (parts, target) = (Arc::clone(&self.0), target.clone());
        let work = async move {
            let abandoned = Abandoned;
            let outcome = parts.run(&target).connect().await;
            std::mem::forget(abandoned);
            outcome
        };
        let outcome = own_thread("ibkr-policy", work.instrument(span)).await;
        connect.ended(&outcome);
        outcome
    }
}

/// Tells that the connect was abandoned, if it is dropped before its outcome.
struct Abandoned;

impl Drop for Abandoned {
    fn drop(&mut self) {
        if !thread::panicking() {
            tracing::debug!("connect_abandoned");
        }
    }
}
