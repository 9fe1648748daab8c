//! A question that the Gateway answers if it answers at all.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ibapi::Client;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::ProofOfLife;
use tokio::time::{sleep, timeout};

use crate::clock::{AsksTime, Clock, Unit};
use crate::error::request_error;

/// How long the Gateway may be silent about its accounts before it is asked for its time as well.
const SILENCE: Duration = Duration::from_secs(1);

/// After an unrelated complaint the accounts are asked for again; these are the shortest and the longest pause before that. The
/// first time there is none, for the answer is on its way.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Asks for the managed accounts, which a Gateway answers every time, also where its API is read-only.
pub(crate) trait AsksAccounts {
    fn accounts(&self) -> impl Future<Output = Result<(), ibapi::Error>> + Send;
}

impl AsksAccounts for Arc<Client> {
    async fn accounts(&self) -> Result<(), ibapi::Error> {
        let accounts = self.managed_accounts().await?;
        // ibapi has no accounts where its end is closed, too.
        if accounts.is_empty() && !self.is_connected() { Err(ibapi::Error::Shutdown) } else { Ok(()) }
    }
}

/// Waits until the Gateway has answered. The caller keeps the deadline.
pub(crate) async fn proof_of_life(
    asks: &(impl AsksAccounts + AsksTime),
    clock: &Clock,
) -> Result<ProofOfLife> {
    let mut accounts = pin!(accounts_answered(asks));
    if let Ok(answered) = timeout(SILENCE, &mut accounts).await {
        return answered.map(|()| ProofOfLife::ManagedAccounts);
    }
    tokio::select! {
        biased;
        answered = accounts => answered.map(|()| ProofOfLife::ManagedAccounts),
        time = clock.time(asks, Unit::Seconds, Duration::MAX) => time.map(|_| ProofOfLife::ServerTime),
    }
}

/// An error without a request id fails whatever is in flight, also what it is not about: it is neither an answer nor silence.
async fn accounts_answered(asks: &impl AsksAccounts) -> Result<()> {
    let mut pause = Duration::ZERO;
    loop {
        match asks.accounts().await {
            Ok(()) => return Ok(()),
            Err(ibapi::Error::Notice(_)) => sleep(pause).await,
            Err(error) => return Err(request_error(error)),
        }
        pause = (2 * pause).clamp(PAUSES.0, PAUSES.1);
    }
}

#[cfg(test)]
#[path = "proof_of_life_tests.rs"]
mod tests;
