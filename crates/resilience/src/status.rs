//! How things stand with every Gateway that the state directory knows of.

use std::collections::BTreeSet;
use std::sync::Arc;

use ibkr_connect_core::Result;
use ibkr_connect_state::{Clock, Dir, KernelClock, Owner};

use crate::breaker::BreakerState;
use crate::breaker::BreakerStore;
use crate::connect::HandshakeLock;
use crate::connect::Policy;
use crate::error::unusable_state;
use crate::gateway::Gateway;
use crate::ids::{Leases, Slot};

/// What this user's processes on this machine share about one Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayStatus {
    /// The Gateway.
    pub gateway: Gateway,
    /// Whether attempts are made.
    pub breaker: BreakerState,
    /// Who shakes hands now, if somebody does and has said so.
    pub handshake: Option<Owner>,
    /// Its clients, by client id; at most [`SLOTS`](crate::SLOTS).
    pub clients: Vec<Slot>,
}

impl GatewayStatus {
    /// All Gateways in the state directory of `policy`, by name. No port is touched, and no Gateway is asked.
    ///
    /// A lock file that the user chose is the lock of all Gateways.
    ///
    /// # Errors
    /// `config`, when the state directory can't be used; `lock_timeout`, when a stopped process holds one of its files.
    pub fn all(policy: &Policy) -> Result<Vec<Self>> {
        let clock: Arc<dyn Clock> = Arc::new(KernelClock::default());
        // A directory that is not there is not made by looking.
        if !policy.state_dir.exists() {
            return Ok(Vec::new());
        }
        let names = Dir::private(&policy.state_dir).and_then(|dir| dir.names()).map_err(unusable_state)?;
        let stems: BTreeSet<&str> = names.iter().filter_map(|name| stem(name)).collect();
        let gateways = stems.into_iter().filter_map(Gateway::from_file_stem);
        gateways.map(|gateway| Self::of(gateway, policy, &names, &clock)).collect()
    }

    fn of(gateway: Gateway, policy: &Policy, names: &[String], clock: &Arc<dyn Clock>) -> Result<Self> {
        let Policy { state_dir, application, .. } = policy;
        let stem = gateway.file_stem();
        let has = |name: String| names.contains(&name);
        let lock = match &policy.lock_file {
            Some(path) => HandshakeLock::at(path, application, Arc::clone(clock))?,
            None => HandshakeLock::of_gateway(state_dir, &gateway, application, Arc::clone(clock)),
        };
        let breaker = if has(format!("breaker-{stem}.json")) {
            let settings = policy.breaker.clone();
            BreakerStore::new(state_dir, gateway.clone(), settings, Arc::clone(clock)).state()?
        } else {
            BreakerState::Closed { failures: 0, attempts: 0 }
        };
        let clients = if has(format!("clients-{stem}")) {
            Leases::new(state_dir, gateway.clone(), application, Arc::clone(clock)).slots()?
        } else {
            Vec::new()
        };
        Ok(Self { breaker, handshake: lock.holder()?, clients, gateway })
    }
}

/// The Gateway's part of a name in the state directory.
fn stem(name: &str) -> Option<&str> {
    name.strip_prefix("clients-")
        .or_else(|| name.strip_prefix("handshake-")?.strip_suffix(".lock"))
        .or_else(|| name.strip_prefix("breaker-")?.strip_suffix(".json"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ibkr_connect_core::Config;

    use super::*;
    use crate::breaker::Note;

    fn policy(state_dir: &Path) -> Policy {
        Policy::from(&Config { state_dir: state_dir.to_owned(), ..Config::default() })
    }

    #[test]
    fn every_trace_of_a_gateway_is_found_and_read() {
        let temp = tempfile::tempdir().unwrap();
        let policy = policy(temp.path());
        let clock: Arc<dyn Clock> = Arc::new(KernelClock::default());
        let [forced, busy, used] = ["::1", "gw.example", "fe80::1"].map(|host| Gateway::new(host, 4002));
        let store =
            BreakerStore::new(temp.path(), forced.clone(), policy.breaker.clone(), Arc::clone(&clock));
        store.force_open(Note { actor: "ops".to_owned(), reason: "update".to_owned() }).unwrap();
        let lock = HandshakeLock::of_gateway(temp.path(), &busy, "shaking", Arc::clone(&clock));
        let _turn = lock.try_acquire().unwrap().unwrap();
        let _lease = Leases::new(temp.path(), used.clone(), "trader", clock).fixed(7).unwrap();

        let found = GatewayStatus::all(&policy).unwrap();
        let of = |gateway: &Gateway| found.iter().find(|status| status.gateway == *gateway).unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(of(&forced).breaker.as_str(), "forced_open");
        assert_eq!(of(&busy).handshake.as_ref().unwrap().program, "shaking");
        assert_eq!((of(&busy).breaker.as_str(), &of(&busy).clients), ("closed", &Vec::new()));
        let [client] = &of(&used).clients[..] else { panic!("{found:?}") };
        assert_eq!((client.client_id, client.owner.as_ref().unwrap().program.as_str()), (7, "trader"));
        assert_eq!(of(&used).handshake, None);
    }

    #[test]
    fn looking_makes_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let state_dir = temp.path().join("state");
        assert_eq!(GatewayStatus::all(&policy(&state_dir)).unwrap(), []);
        assert!(!state_dir.exists());
        std::fs::create_dir(&state_dir).unwrap();
        assert_eq!(GatewayStatus::all(&policy(&state_dir)).unwrap(), []);
        assert_eq!(std::fs::read_dir(&state_dir).unwrap().count(), 0);
    }
}
