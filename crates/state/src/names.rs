//! The names of everything in the state directory, in one table.
//!
//! `STEM` stands for a Gateway, as a file name can say it:
//!
//! | name | what it is |
//! |---|---|
//! | `breaker-STEM.json`, `.lock` | the circuit breaker, and the lock under which it is changed |
//! | `breaker-STEM.trial-N.lock` | held by the process that runs trial N of a breaker that is half open |
//! | `breaker-STEM.json.bad` | a breaker that could not be read, put aside by `breaker reset` |
//! | `handshake-STEM.lock` | held by the process that shakes hands |
//! | `clients-STEM/` | client ids: `registry.lock`, held by who looks for one; `client-N.lock`, held by who has id N; `refused.json` and `.lock`, ids that the Gateway holds itself |
//! | `rate-STEM.lock` | the messages that were sent: a record in its own lock file |
//! | `history-STEM.json`, `.lock` | the historical requests that were sent |
//! | `restart-STEM.json`, `.lock` | when the Gateway was restarted |
//! | `workers/PID-START.json` | a worker process |
//! | `maintenance.toml` | the user's own maintenance windows |
//!
//! A record is written aside first, as the name with `.new`, and renamed.

/// The directory of the register of workers.
pub const WORKERS: &str = "workers";
/// The user's own maintenance windows.
pub const MAINTENANCE: &str = "maintenance.toml";
/// In a Gateway's directory of client ids: held by who looks for a free one.
pub const REGISTRY: &str = "registry.lock";
/// In a Gateway's directory of client ids: those that the Gateway holds itself.
pub const REFUSED: &str = "refused";

/// Something that is kept for one Gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The circuit breaker: a record.
    Breaker,
    /// The handshake lock.
    Handshake,
    /// The client ids: a directory.
    Clients,
    /// The messages that were sent: a record in its lock file.
    Rate,
    /// The historical requests that were sent: a record.
    History,
    /// When the Gateway was restarted: a record.
    Restart,
}

impl Kept {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Breaker, Self::Handshake, Self::Clients, Self::Rate, Self::History, Self::Restart];

    /// The name for the Gateway `stem`: of a record without its ending, of anything else in full.
    pub fn of(self, stem: &str) -> String {
        let (prefix, suffix) = self.parts();
        format!("{prefix}-{stem}{suffix}")
    }

    /// The Gateway's stem in the name of a file or directory of this kind.
    pub fn stem(self, name: &str) -> Option<&str> {
        let (prefix, suffix) = self.parts();
        let rest = name.strip_prefix(prefix)?.strip_prefix('-')?;
        match self {
            Self::Breaker | Self::History | Self::Restart => rest.strip_suffix(".json"),
            _ => rest.strip_suffix(suffix),
        }
    }

    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Breaker => ("breaker", ""),
            Self::Handshake => ("handshake", ".lock"),
            Self::Clients => ("clients", ""),
            Self::Rate => ("rate", ".lock"),
            Self::History => ("history", ""),
            Self::Restart => ("restart", ""),
        }
    }
}

/// The lock of a breaker's trial.
pub fn trial_lock(stem: &str, trial: u32) -> String {
    format!("{}.trial-{trial}.lock", Kept::Breaker.of(stem))
}

/// The lock of a client id.
pub fn client_lock(id: i32) -> String {
    format!("client-{id}.lock")
}

/// The client id whose lock has this name.
pub fn client_of(name: &str) -> Option<i32> {
    let id = name.strip_prefix("client-")?.strip_suffix(".lock")?.parse().ok()?;
    (client_lock(id) == name).then_some(id)
}

/// The entry of a worker that was started at `start_time`.
pub fn worker(pid: u32, start_time: u64) -> String {
    format!("{pid}-{start_time}.json")
}

/// Whether an entry of a worker can have this name.
pub fn is_worker(name: &str) -> bool {
    let parts = || name.strip_suffix(".json")?.split_once('-');
    parts().is_some_and(|(pid, start)| match (pid.parse(), start.parse()) {
        (Ok(pid), Ok(start)) => worker(pid, start) == name,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_gateway_and_to_no_other_kind() {
        for kept in Kept::ALL {
            let name = match kept {
                Kept::Breaker | Kept::History | Kept::Restart => format!("{}.json", kept.of("h_1")),
                _ => kept.of("h_1"),
            };
            let found: Vec<_> = Kept::ALL.into_iter().filter(|other| other.stem(&name).is_some()).collect();
            assert_eq!((found, kept.stem(&name)), (vec![kept], Some("h_1")), "{name}");
        }
        for name in ["breaker-h_1.lock", "breaker-h_1.json.bad", "breaker-h_1.trial-0.lock", "handshake-h_1"]
        {
            assert!(Kept::ALL.into_iter().all(|kept| kept.stem(name).is_none()), "{name}");
        }
    }

    #[test]
    fn only_names_that_we_would_give_are_ours() {
        assert_eq!(client_of(&client_lock(-7)), Some(-7));
        for name in
            ["client-.lock", "client-07.lock", "client-7", "client-7.lock.new", "client-99999999999.lock"]
        {
            assert_eq!(client_of(name), None, "{name}");
        }
        assert!(is_worker(&worker(4711, 98_765)));
        for name in ["garbage.json", "4711.json", "04711-1.json", "4711-1.json.new", "4711-x.json", "-.json"]
        {
            assert!(!is_worker(name), "{name}");
        }
    }
}
