//! What processes share in a state directory, as an outsider sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibkr_connect::resilience::parts::{Clock, HandshakeLock, KernelClock, Leases};
use ibkr_connect::resilience::{BreakerSettings, BreakerState, BreakerStore, Gateway};
use serde_json::Value;

use super::traces::assert_soon;

/// The state of one Gateway on this machine.
#[derive(Debug)]
pub(crate) struct SharedState {
    directory: PathBuf,
    gateway: Gateway,
}

impl SharedState {
    pub(crate) fn new(directory: &Path, port: u16) -> Self {
        Self { directory: directory.to_owned(), gateway: Gateway::new("127.0.0.1", port) }
    }

    /// The client ids that are leased, sorted.
    pub(crate) fn client_ids(&self) -> Vec<i32> {
        let leases = Leases::new(&self.directory, self.gateway.clone(), "a test", clock());
        leases.slots().unwrap().into_iter().map(|slot| slot.client_id).collect()
    }

    /// What the breaker is. Its file, if there is one, is whole: nothing had to be forgotten to read it.
    pub(crate) fn breaker(&self) -> BreakerState {
        for path in self.files("breaker-", ".json") {
            let bytes = fs::read(&path).unwrap();
            let parsed: Result<Value, _> = serde_json::from_slice(&bytes);
            assert!(parsed.is_ok(), "{} is torn: {:?}", path.display(), String::from_utf8_lossy(&bytes));
        }
        let settings = BreakerSettings::default();
        BreakerStore::new(&self.directory, self.gateway.clone(), settings, clock()).state().unwrap()
    }

    /// Nobody is shaking hands.
    pub(crate) fn assert_lock_is_free(&self) {
        let lock = HandshakeLock::of_gateway(&self.directory, &self.gateway, "a test", clock());
        let holder = || lock.try_acquire().unwrap().is_none().then(|| lock.holder().unwrap());
        assert_soon("handshake locks", 0, || holder().into_iter().collect());
    }

    /// So many clients hold an id.
    pub(crate) fn assert_leases(&self, count: usize) {
        assert_soon("leases", count, || self.client_ids());
    }

    fn files(&self, prefix: &str, suffix: &str) -> Vec<PathBuf> {
        let paths = fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path());
        let is_wanted = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(prefix) && name.ends_with(suffix)
        };
        paths.filter(is_wanted).collect()
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(KernelClock::default())
}
