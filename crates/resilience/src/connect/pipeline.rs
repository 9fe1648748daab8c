//! The policy as a pipeline: breaker, handshake lock, port, client id, attempts with backoff, limits, around any [`Dialer`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use ibkr_connect_cleanup::fill_standard_descriptors;
use ibkr_connect_core::backend::own_thread;
use ibkr_connect_core::config::Pacing;
use ibkr_connect_core::{Result, Target};
use ibkr_connect_state::{Clock, KernelClock};
use tracing::Instrument;

use crate::breaker::BreakerStore;
use crate::connect::dialer::{Admitted, Dialer};
use crate::connect::policy::Policy;
use crate::connect::run::Run;
use crate::connect::wait::ConnectWait;
use crate::gateway::Gateway;
use crate::observer::Observer;
use crate::pacing::{Limits, Pacer, Pacers, PacingStatus, PacingWait};
use crate::telemetry;

/// Runs dialers under a [`Policy`]. What it knows of Gateways (their breakers, their limits) serves all of them. Clones are the same.
#[derive(Debug, Clone)]
pub struct Pipeline {
    parts: Arc<Parts>,
    observers: Observers,
}

/// Who is told of waits.
#[derive(Debug, Clone, Default)]
struct Observers {
    connects: Observer<ConnectWait>,
    requests: Observer<PacingWait>,
}

#[derive(Debug)]
struct Parts {
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

impl Pipeline {
    /// A pipeline of this policy. Nothing is read or written before the first use.
    pub fn new(policy: Policy) -> Self {
        Self::with_clock(policy, Arc::new(KernelClock::default()))
    }

    /// The same with another clock for breaker, leases and maintenance windows.
    pub fn with_clock(policy: Policy, clock: Arc<dyn Clock>) -> Self {
        let policy = Arc::new(policy);
        let parts = Parts { policy, clock, pacers: Pacers::default(), gateways: Mutex::default() };
        Self { parts: Arc::new(parts), observers: Observers::default() }
    }

    /// The same, which tells what each connect waits for. It is told from the connect's own thread and must not block it.
    #[must_use]
    pub fn with_observer(self, told: impl Fn(ConnectWait) + Send + Sync + 'static) -> Self {
        let observers = Observers { connects: Observer::new(told), ..self.observers };
        Self { observers, ..self }
    }

    /// The same, which tells when a request of its connections waits for its turn. It is told from whoever makes the request and must
    /// not block it.
    #[must_use]
    pub fn with_pacing_observer(self, told: impl Fn(PacingWait) + Send + Sync + 'static) -> Self {
        let observers = Observers { requests: Observer::new(told), ..self.observers };
        Self { observers, ..self }
    }

    /// Has `dialer` connect to the target, as often as the policy says.
    ///
    /// # Behavior
    /// It runs on a thread of its own, so the future needs no runtime; dropping it abandons the attempt.
    ///
    /// # Errors
    /// The last attempt's, with [`Attempts`](crate::Attempts) as its source, or why none was made.
    pub async fn execute<D: Dialer + 'static>(
        &self,
        dialer: D,
        target: &Target,
    ) -> Result<Admitted<D::Connection>> {
        // Before the files that processes share are opened. If it fails, so does the backend.
        let _ = fill_standard_descriptors();
        let connect = telemetry::Connect::begun(dialer.mode());
        let gateway = Gateway::from(target);
        let span = tracing::info_span!("connect", %gateway, mode = dialer.mode().as_str());
        let (parts, target, observers) = (Arc::clone(&self.parts), target.clone(), self.observers.clone());
        let work = async move {
            let abandoned = Abandoned;
            let outcome = parts.run(dialer, &target, observers).connect().await;
            std::mem::forget(abandoned);
            outcome
        };
        let outcome = own_thread("ibkr-policy", work.instrument(span)).await;
        connect.ended(&outcome, |admitted| D::opened(&admitted.connection));
        outcome
    }

    /// How many requests wait in front of the target's Gateway; `None` if none ever does.
    pub fn pacing(&self, target: &Target) -> Option<PacingStatus> {
        let gateway = Gateway::from(target);
        let known = self.parts.known(&gateway).map(|known| known.gateway);
        self.parts.pacer(&known.unwrap_or(gateway)).map(|(pacer, _)| pacer.status())
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
    fn run<D: Dialer>(&self, dialer: D, target: &Target, observers: Observers) -> Run<D> {
        let Known { gateway, breaker } = self.look_up(target);
        let pacer = self.pacer(&gateway);
        Run {
            dialer,
            policy: Arc::clone(&self.policy),
            clock: Arc::clone(&self.clock),
            target: target.clone(),
            gateway,
            breaker,
            pacer,
            observer: observers.connects,
            pacing_observer: observers.requests,
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

/// Tells that the connect was abandoned, if it is dropped before its outcome.
struct Abandoned;

impl Drop for Abandoned {
    fn drop(&mut self) {
        if !thread::panicking() {
            tracing::debug!("connect_abandoned");
        }
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
