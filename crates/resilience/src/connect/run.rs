//! One robust connect from beginning to end: breaker, handshake lock, port, client id, an attempt; or classify, back off,
//! repeat.

use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_cleanup::forwarder;
use ibkr_connect_core::{Error, ErrorKind, Result, Target};
use ibkr_connect_state::Clock;
use tokio::time::{Instant, sleep};

use crate::breaker::{BreakerStore, Outcome, Permit, Reach, Refusal};
use crate::connect::attempts::{AttemptLog, AttemptTimes};
use crate::connect::backoff::Pace;
use crate::connect::dialer::{Admitted, Dialer, Held};
use crate::connect::lock::{HandshakeGuard, HandshakeLock};
use crate::connect::maintenance::{Reset, Windows};
use crate::connect::policy::{Policy, PortCheck};
use crate::connect::port::check_port;
use crate::connect::wait::ConnectWait;
use crate::gateway::Gateway;
use crate::ids::{Lease, Leases};
use crate::observer::Observer;
use crate::pacing::{ConnectionPacer, Limits, Pacer, PacingWait};
use crate::telemetry;

/// How many leased client ids may turn out to be in use.
pub(crate) const CLIENT_ID_TRIES: u32 = 3;

/// How often a trial that runs without the handshake lock is asked after.
const TRIAL_POLL: Duration = Duration::from_millis(250);

/// What a connect needs. The policy is the same whatever the dialer makes.
pub(crate) struct Run<D> {
    pub(crate) dialer: D,
    pub(crate) policy: Arc<Policy>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) target: Target,
    pub(crate) gateway: Gateway,
    pub(crate) breaker: BreakerStore,
    pub(crate) pacer: Option<(Arc<Pacer>, Limits)>,
    pub(crate) observer: Observer<ConnectWait>,
    pub(crate) pacing_observer: Observer<PacingWait>,
}

/// What all processes share.
struct Shared {
    lock: HandshakeLock,
    leases: Leases,
    windows: Windows,
}

/// Why there is no connection.
enum Failure {
    /// No attempt may be made, now or soon.
    Refused(Error),
    /// An attempt was made and failed.
    Failed(Error),
}

impl<D: Dialer> Run<D> {
    /// Connects, or says why not. Needs a tokio runtime with time. Dropping the future leaves nothing behind.
    pub(crate) async fn connect(&self) -> Result<Admitted<D::Connection>> {
        let shared = self.shared()?;
        let mut log = AttemptLog::new(self.dialer.mode(), self.target.log_accounts);
        let mut last: Option<Error> = None;
        let mut waited = Duration::ZERO;
        let mut retry = 0;
        loop {
            let mut course = AttemptTimes { attempt: retry + 1, waited, ..AttemptTimes::default() };
            let error = match self.attempt(&shared, &mut course, &mut log).await {
                Ok(connection) => return Ok(connection),
                Err(Failure::Refused(refusal)) => return Err(self.refused(log, last, refusal)),
                Err(Failure::Failed(error)) => error,
            };
            log.failed(&course, &error);
            if !error.is_retryable() || retry >= self.policy.max_retries {
                return Err(log.into_error(error, ""));
            }
            let pause = match pause(&self.breaker) {
                Ok(pause) => pause,
                // This attempt has opened it: there is nothing to wait for.
                Err(refusal) => return Err(self.refused(log, Some(error), refusal)),
            };
            let delay = self.policy.backoff.delay(retry, self.pace(&shared), &mut rand::rng());
            waited = delay.max(pause);
            telemetry::retries(self.dialer.mode(), &error, waited);
            retry += 1;
            self.observer.tell(|| ConnectWait::Retry {
                attempt: retry + 1,
                most: self.most_attempts(),
                pause: waited,
                after: error.clone(),
            });
            sleep(waited).await;
            last = Some(error);
        }
    }

    fn shared(&self) -> Result<Shared> {
        let Policy { state_dir, application, .. } = self.policy.as_ref();
        let clock = || Arc::clone(&self.clock);
        let lock = match &self.policy.lock_file {
            Some(path) => HandshakeLock::at(path, application, clock())?,
            None => HandshakeLock::of_gateway(state_dir, &self.gateway, application, clock()),
        };
        Ok(Shared {
            lock,
            leases: Leases::new(state_dir, self.gateway.clone(), application, clock())
                .with_range(self.policy.client_ids.clone()),
            windows: Windows::load(state_dir)?,
        })
    }

    /// Waits for its turn and shakes hands.
    async fn attempt(
        &self,
        shared: &Shared,
        course: &mut AttemptTimes,
        log: &mut AttemptLog,
    ) -> Result<Admitted<D::Connection>, Failure> {
        let asked = Instant::now();
        let (_turn, permit) = self.turn(shared).await?;
        course.waited += asked.elapsed();
        let outcome = self.shake_hands(shared, course, log).await;
        let verdict = match &outcome {
            Ok(_) => Outcome::Success(course.took),
            Err(error) if self.pace(shared) == Pace::Maintenance => self.failure(error).in_maintenance(),
            Err(error) => self.failure(error),
        };
        let is_the_gateways = matches!(verdict, Outcome::Failure(_) | Outcome::Maintenance(_));
        permit.settle(verdict);
        outcome.map_err(|error| {
            Failure::Failed(if is_the_gateways { explained(error, self.reset(shared)) } else { error })
        })
    }

    /// Waits for the turn to shake hands, and for a trial that finds out for all.
    async fn turn(&self, shared: &Shared) -> Result<(HandshakeGuard, Permit), Failure> {
        let (asked, start) = (self.clock.now().at, Instant::now());
        loop {
            match self.breaker.refusal().map_err(Failure::Refused)? {
                // Who runs the trial shakes hands, too. Its outcome is known when the lock is free.
                None | Some(Refusal::TrialsRunning { .. }) => {}
                Some(refusal) => return Err(Failure::Refused(self.breaker.refused(&refusal))),
            }
            let left = self.policy.lock_timeout.saturating_sub(start.elapsed());
            let turn = self.lock(&shared.lock, left).await.map_err(Failure::Refused)?;
            self.check_port().await.map_err(Failure::Failed)?;
            // Asked again: those before us in the queue may have opened it.
            let error = match self.breaker.admit_since(asked) {
                Ok(permit) => return Ok((turn, permit)),
                Err(error) => error,
            };
            let is_trial_elsewhere = matches!(Refusal::of_error(&error), Some(Refusal::TrialsRunning { .. }));
            if !is_trial_elsewhere || start.elapsed() >= self.policy.lock_timeout {
                return Err(Failure::Refused(error));
            }
            drop(turn);
            let at_most = self.policy.lock_timeout.saturating_sub(start.elapsed());
            self.observer.tell(|| ConnectWait::Trial { at_most });
            sleep(TRIAL_POLL).await;
        }
    }

    /// Waits for the handshake lock, and tells whose it is.
    async fn lock(&self, lock: &HandshakeLock, at_most: Duration) -> Result<HandshakeGuard> {
        let busy = |holder| self.observer.tell(|| ConnectWait::Turn { holder, at_most });
        lock.acquire_or_tell(at_most, busy).await
    }

    /// How many attempts there may be.
    fn most_attempts(&self) -> u32 {
        self.policy.max_retries.saturating_add(1)
    }

    /// Shakes hands with a client id of its own; with another one if a leased id is in use after all.
    async fn shake_hands(
        &self,
        shared: &Shared,
        course: &mut AttemptTimes,
        log: &mut AttemptLog,
    ) -> Result<Admitted<D::Connection>> {
        let mut tries = 0;
        loop {
            tries += 1;
            let lease = self.lease(shared)?;
            course.client_id = Some(lease.client_id());
            let started = Instant::now();
            let target = self.target.clone().with_client_id(course.client_id);
            log.begun(course);
            self.observer.tell(|| ConnectWait::Handshake {
                attempt: course.attempt,
                most: self.most_attempts(),
                at_most: self.target.timeout,
            });
            let outcome = self.dialer.dial(&target).await;
            course.took = started.elapsed();
            match outcome {
                Ok(connection) => {
                    let attempts = log.succeeded(course, D::opened(&connection));
                    let held = Held { lease, pacer: self.connection_pacer() };
                    return Ok(Admitted { connection, attempts, held });
                }
                Err(error) if self.is_leased() && error.kind() == ErrorKind::ClientIdInUse => {
                    lease.refuse(self.policy.client_id_hold);
                    if tries == CLIENT_ID_TRIES {
                        // A Gateway that refuses every id has another reason: the ids stay usable.
                        return Err(error.permanent());
                    }
                    log.failed(course, &error);
                    course.waited = Duration::ZERO;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn failure(&self, error: &Error) -> Outcome {
        Outcome::of_attempt(error, || {
            let is_forwarded = || forwarder(self.gateway.port()).is_ok_and(|forwarder| forwarder.is_some());
            let is_between = !self.gateway.is_local() || is_forwarded();
            if is_between { Reach::ThroughOthers } else { Reach::Directly }
        })
    }

    /// A refusal after attempts is the end of them; their error says more.
    fn refused(&self, log: AttemptLog, last: Option<Error>, refusal: Error) -> Error {
        tracing::warn!(
            gateway = %self.gateway,
            kind = refusal.kind().as_str(),
            error = %self.target.log_accounts.text(&refusal),
            "connect_refused"
        );
        match last {
            Some(last) => log.into_error(last, &format!("; {}", refusal.message())),
            None => refusal,
        }
    }

    fn connection_pacer(&self) -> Option<ConnectionPacer> {
        let limit = self.target.request_timeout;
        let (pacer, limits) = self.pacer.clone()?;
        pacer.open();
        Some(ConnectionPacer { pacer, limits, limit, observer: self.pacing_observer.clone() })
    }

    fn lease(&self, shared: &Shared) -> Result<Lease> {
        match self.target.client_id {
            Some(id) => shared.leases.fixed(id),
            None => shared.leases.any(&mut rand::rng()),
        }
    }

    fn is_leased(&self) -> bool {
        self.target.client_id.is_none()
    }

    async fn check_port(&self) -> Result<()> {
        match self.policy.port_check {
            PortCheck::Local if self.gateway.is_local() => check_port(&self.target).await,
            PortCheck::Local | PortCheck::Off => Ok(()),
        }
    }

    fn pace(&self, shared: &Shared) -> Pace {
        match self.reset(shared) {
            Reset::Expected(_) => Pace::Maintenance,
            Reset::Possible(_) | Reset::No => Pace::Normal,
        }
    }

    fn reset<'a>(&self, shared: &'a Shared) -> Reset<'a> {
        shared.windows.at(self.clock.now().wall, self.policy.region)
    }
}

/// A failure with what may have caused it.
fn explained(error: Error, reset: Reset<'_>) -> Error {
    let effect = match reset {
        Reset::No => return error,
        Reset::Possible(_) => "none",
        Reset::Expected(_) => "longer_waits",
    };
    if let Reset::Possible(window) | Reset::Expected(window) = reset {
        tracing::info!(%window, effect, "maintenance_window");
    }
    let cause = reset.advice().unwrap_or_default();
    let advice = error.advice().map_or_else(|| cause.clone(), |advice| format!("{advice}; {cause}"));
    error.with_advice(advice)
}

/// How long the breaker wants everybody to wait, unless it refuses.
fn pause(breaker: &BreakerStore) -> Result<Duration> {
    match breaker.refusal()? {
        Some(Refusal::Maintenance { retry_in }) => Ok(retry_in),
        Some(refusal) => Err(breaker.refused(&refusal)),
        None => Ok(Duration::ZERO),
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
