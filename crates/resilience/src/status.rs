//! How things stand with every Gateway that the state directory knows of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ibkr_connect_core::{Error, Result};
use ibkr_connect_state::names::Kept;
use ibkr_connect_state::{Clock, Dir, Holder, KernelClock};

use crate::breaker::{BreakerState, BreakerStore};
use crate::connect::{HandshakeLock, Policy};
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
    pub handshake: Option<Holder>,
    /// Its clients, by client id; at most [`SLOTS`](crate::SLOTS).
    pub clients: Vec<Slot>,
    /// What can't be shown, or is in the way of new clients, and what to do about it.
    pub problems: Vec<String>,
}

impl GatewayStatus {
    /// All Gateways in the state directory of `policy`, by name, but for those on other machines or in other network
    /// namespaces. No port is touched, and no Gateway is asked.
    ///
    /// A lock file that the user chose is the lock of all Gateways.
    ///
    /// # Errors
    /// `config`, when the state directory can't be used.
    pub fn all(policy: &Policy) -> Result<Vec<Self>> {
        let clock: Arc<dyn Clock> = Arc::new(KernelClock::default());
        let names = names(policy)?;
        let stems: BTreeSet<&str> = names.iter().filter_map(|name| stem(name)).collect();
        // An older version may have left another name of the same Gateway.
        let gateways = stems.into_iter().filter_map(Gateway::from_file_stem);
        let gateways: BTreeMap<String, Gateway> =
            gateways.map(|gateway| (gateway.file_stem(), gateway)).collect();
        Ok(gateways.into_values().map(|gateway| Self::of(gateway, policy, &names, &clock)).collect())
    }

    /// How many Gateways the state directory knows that are on other machines, or in other network namespaces, which share
    /// it.
    ///
    /// # Errors
    /// Those of [`all`](Self::all).
    pub fn count_elsewhere(policy: &Policy) -> Result<usize> {
        let names = names(policy)?;
        let stems: BTreeSet<&str> = names.iter().filter_map(|name| stem(name)).collect();
        Ok(stems.into_iter().filter(|stem| Gateway::is_elsewhere(stem)).count())
    }

    fn of(gateway: Gateway, policy: &Policy, names: &[String], clock: &Arc<dyn Clock>) -> Self {
        let Policy { state_dir, application, .. } = policy;
        let stem = gateway.file_stem();
        let lock = match &policy.lock_file {
            Some(path) => HandshakeLock::at(path, application, Arc::clone(clock)),
            None => Ok(HandshakeLock::of_gateway(state_dir, &gateway, application, Arc::clone(clock))),
        };
        let mut problems = Vec::new();
        let mut or_problem = |error: &Error| problems.push(described(error));
        let settings = policy.breaker.clone();
        let breaker = BreakerStore::new(state_dir, gateway.clone(), settings, Arc::clone(clock)).state();
        let breaker = breaker.inspect_err(&mut or_problem).ok();
        let handshake = lock.and_then(|lock| lock.holder()).inspect_err(&mut or_problem).ok().flatten();
        let glance = names
            .contains(&Kept::Clients.of(&stem))
            .then(|| Leases::new(state_dir, gateway.clone(), application, Arc::clone(clock)).glance());
        let glance = glance.and_then(|glance| glance.inspect_err(&mut or_problem).ok());
        let (clients, stuck) = glance.map_or_else(Default::default, |glance| (glance.slots, glance.stuck));
        stuck.map(unusable_state).iter().for_each(or_problem);
        let unknown = || BreakerState::Unreadable { reason: "see the problems".to_owned() };
        Self { breaker: breaker.unwrap_or_else(unknown), handshake, clients, problems, gateway }
    }
}

/// Everything in the state directory. A directory that is not there is not made by looking.
fn names(policy: &Policy) -> Result<Vec<String>> {
    let dir = Dir::existing(&policy.state_dir).map_err(unusable_state)?;
    dir.map_or_else(|| Ok(Vec::new()), |dir| dir.names().map_err(unusable_state))
}

/// The Gateway's part of a name in the state directory.
fn stem(name: &str) -> Option<&str> {
    [Kept::Breaker, Kept::Handshake, Kept::Clients].into_iter().find_map(|kept| kept.stem(name))
}

fn described(error: &Error) -> String {
    match error.advice() {
        Some(advice) => format!("{}; {advice}", error.message()),
        None => error.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ibkr_connect_core::Config;

    use super::*;
    use crate::breaker::Note;

    fn policy(state_dir: &Path) -> Policy {
        Policy::from(&Config::default().with_state_dir(state_dir.to_owned()))
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
    fn one_stuck_file_hides_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let policy = policy(temp.path());
        let clock: Arc<dyn Clock> = Arc::new(KernelClock::default());
        let gateway = Gateway::new("localhost", 4002);
        let store =
            BreakerStore::new(temp.path(), gateway.clone(), policy.breaker.clone(), Arc::clone(&clock));
        store.force_open(Note { actor: "ops".to_owned(), reason: "update".to_owned() }).unwrap();
        let _lease = Leases::new(temp.path(), gateway.clone(), "trader", clock).fixed(7).unwrap();
        let dir = Dir::private(temp.path()).unwrap();
        let breaker_lock = format!("{}.lock", Kept::Breaker.of(&gateway.file_stem()));
        let clients = Dir::private(&dir.path(&Kept::Clients.of(&gateway.file_stem()))).unwrap();
        let held = [(&dir, breaker_lock.as_str()), (&clients, "registry.lock")]
            .map(|(dir, name)| ibkr_connect_state::FileLock::try_acquire(dir, name).unwrap().unwrap());
        let started = std::time::Instant::now();
        let found = GatewayStatus::all(&policy).unwrap();
        assert!(started.elapsed() < std::time::Duration::from_secs(1));
        let [status] = &found[..] else { panic!("{found:?}") };
        assert_eq!((status.breaker.as_str(), status.clients.len()), ("forced_open", 1));
        let [problem] = &status.problems[..] else { panic!("{status:?}") };
        assert!(
            problem.contains("registry.lock has been locked for") && problem.contains("SIGSTOP"),
            "{problem}"
        );
        drop(held);
        assert_eq!(GatewayStatus::all(&policy).unwrap()[0].problems, Vec::<String>::new());
    }

    #[test]
    fn a_breaker_that_cannot_be_read_is_shown_as_that() {
        let temp = tempfile::tempdir().unwrap();
        let policy = policy(temp.path());
        let name = Kept::Breaker.of(&Gateway::new("localhost", 4002).file_stem());
        std::fs::write(temp.path().join(format!("{name}.json")), "{").unwrap();
        let found = GatewayStatus::all(&policy).unwrap();
        assert!(matches!(&found[0].breaker, BreakerState::Unreadable { reason } if reason.contains(&name)));
    }

    #[test]
    fn gateways_of_other_machines_are_counted() {
        let temp = tempfile::tempdir().unwrap();
        let policy = policy(temp.path());
        for name in
            ["breaker-localhost@00000000_4002.json", "clients-localhost@00000000_4002", "rate-x_1.lock"]
        {
            std::fs::write(temp.path().join(name), "").unwrap();
        }
        assert_eq!(GatewayStatus::all(&policy).unwrap(), []);
        assert_eq!(GatewayStatus::count_elsewhere(&policy).unwrap(), 1);
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
