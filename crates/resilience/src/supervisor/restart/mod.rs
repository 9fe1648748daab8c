//! Having the Gateway restarted: by a command, or by IBC's command server. At most every ten minutes, for all who ask together.

mod command;
mod ibc;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect_core::config::{GatewayRestart, LogAccounts};
use ibkr_connect_core::{Error, ErrorKind, Result, millis};
use ibkr_connect_state::names::Kept;
use ibkr_connect_state::{Clock, Error as StateError, KernelClock, Mergeable, Moment, Shareable, Shared};
use serde::{Deserialize, Serialize};

use crate::gateway::Gateway;

/// A Gateway needs some minutes to start and log in; more restarts only hinder it, and logins are counted.
pub(crate) const PAUSE: Duration = Duration::from_secs(10 * 60);
/// How long a restart may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// What may be done about a Gateway that is stuck.
///
/// # Behavior
/// - At most once in ten minutes per Gateway, all processes of the user together: the last time is in the state directory. If
///   it can't be noted, nothing is done.
/// - A command has the environment of a worker (`PATH`, `HOME`, `LANG` and the like), no input, and two minutes; its output
///   goes to `tracing`. When it ends, what is left of its process group is killed: let a service manager start the Gateway.
/// - The outcome is the event `gateway_restart`.
#[derive(Debug, Clone)]
pub struct RestartHook {
    how: GatewayRestart,
    state_dir: PathBuf,
    clock: Arc<dyn Clock>,
}

impl PartialEq for RestartHook {
    fn eq(&self, other: &Self) -> bool {
        (&self.how, &self.state_dir) == (&other.how, &other.state_dir)
    }
}

impl Eq for RestartHook {}

/// When a Gateway was restarted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct LastRestart {
    at: Option<Moment>,
}

impl Shareable for LastRestart {
    const VERSION: u32 = 1;

    fn moments(&mut self, change: &mut dyn FnMut(&mut Moment)) {
        self.at.iter_mut().for_each(change);
    }

    fn clamp(&mut self, _: Moment) {}
}

impl Mergeable for LastRestart {
    fn merge(&mut self, unwritten: Self) {
        self.at = self.at.max(unwritten.at);
    }
}

/// What came of it.
type Outcome = Result<String, String>;

impl RestartHook {
    /// A hook that notes in `state_dir` when it was used.
    pub fn new(how: GatewayRestart, state_dir: &Path) -> Self {
        Self { how, state_dir: state_dir.to_path_buf(), clock: Arc::new(KernelClock::default()) }
    }

    /// Restarts the Gateway, on a thread of its own: nobody waits for it.
    pub(crate) fn run(self, gateway: Gateway, log_accounts: LogAccounts) {
        let (by, address) = (self.by(), gateway.clone());
        let work = move || self.run_here(gateway, log_accounts);
        if let Err(error) = thread::Builder::new().name("ibkr-restart".to_owned()).spawn(work) {
            say(&address, by, Duration::ZERO, "failed", &error.to_string());
        }
    }

    /// Whether it can be run at all: there is such a program, or such a host.
    ///
    /// # Errors
    /// `config`.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = match &self.how {
            GatewayRestart::Command(words) => command::problem(words),
            GatewayRestart::Ibc { host, port } => ibc::problem(host, *port),
        };
        wrong.map_or(Ok(()), |wrong| {
            let message = format!("the Gateway could not be restarted (IBKR_GATEWAY_RESTART): {wrong}");
            Err(Error::new(ErrorKind::Config, message).with_advice(
                "name a program with its whole path, or IBC's command server as ibc:HOST:PORT; `off` restarts nothing",
            ))
        })
    }

    fn run_here(&self, gateway: Gateway, log_accounts: LogAccounts) {
        let begun = Instant::now();
        let gateway = &gateway.resolved();
        let (outcome, detail) = match self.claim(gateway) {
            Ok(None) => match self.restart(gateway, log_accounts) {
                Ok(detail) => ("done", detail),
                Err(detail) => ("failed", detail),
            },
            Ok(Some(ago)) => ("too_soon", format!("it was restarted {} s ago", ago.as_secs())),
            Err(error) => ("failed", format!("the restart can't be noted: {error}")),
        };
        let detail = log_accounts.text(detail).to_string();
        say(gateway, self.by(), begun.elapsed(), outcome, &detail);
    }

    /// Notes a restart now, unless the last one is too recent: then how long ago it was.
    fn claim(&self, gateway: &Gateway) -> Result<Option<Duration>, StateError> {
        let name = Kept::Restart.of(&gateway.file_stem());
        let record = Shared::<LastRestart>::new(&self.state_dir, name, Arc::clone(&self.clock));
        let claimed = record.commit(|last, visit| {
            let ago = last.at.map(|at| visit.now.at.since(at)).filter(|ago| *ago < PAUSE);
            if ago.is_none() {
                last.at = Some(visit.now.at);
            }
            ago
        });
        match claimed {
            // It may have been a moment ago: from now on it is known.
            Err(StateError::Unreadable { .. }) => {
                record.replace(LastRestart { at: Some(self.clock.now().at) })?;
                Ok(Some(Duration::ZERO))
            }
            claimed => claimed,
        }
    }

    fn restart(&self, gateway: &Gateway, log_accounts: LogAccounts) -> Outcome {
        match &self.how {
            GatewayRestart::Command(words) => command::run(words, DEADLINE, log_accounts),
            // A stranger's connection to the API port is what wedges Gateways.
            GatewayRestart::Ibc { host, port } if Gateway::resolve(host, *port) == *gateway => Err(format!(
                "{gateway} is the API port; IBC's command server has one of its own, usually 7462"
            )),
            GatewayRestart::Ibc { host, port } => ibc::restart(host, *port),
        }
    }

    fn by(&self) -> &'static str {
        match self.how {
            GatewayRestart::Command(_) => "command",
            GatewayRestart::Ibc { .. } => "ibc",
        }
    }
}

fn say(gateway: &Gateway, by: &str, took: Duration, outcome: &str, detail: &str) {
    let ms = millis(took);
    if outcome == "failed" {
        tracing::warn!(outcome, %gateway, by, ms, detail, "gateway_restart");
    } else {
        tracing::info!(outcome, %gateway, by, ms, detail, "gateway_restart");
    }
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use ibkr_connect_state::ManualClock;

    fn hook(state_dir: &Path, clock: &ManualClock) -> RestartHook {
        let how = GatewayRestart::Command(vec!["true".to_owned()]);
        RestartHook { clock: Arc::new(clock.clone()), ..RestartHook::new(how, state_dir) }
    }

    #[test]
    fn what_can_not_be_run_is_said_before_it_is_needed() {
        let temp = tempfile::tempdir().unwrap();
        let text = temp.path().join("text");
        std::fs::write(&text, "").unwrap();
        let check = |how| RestartHook::new(how, temp.path()).check();
        let command = |program: &str| GatewayRestart::Command(vec![program.to_owned(), "x".to_owned()]);
        for right in ["true", "/bin/sh"] {
            check(command(right)).unwrap();
        }
        for (wrong, why) in [
            ("no-such-program-anywhere", "is not in PATH"),
            ("/no/such/program", "No such file"),
            (text.to_str().unwrap(), "is not executable"),
            (temp.path().to_str().unwrap(), "is not executable"),
        ] {
            let error = check(command(wrong)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(wrong) && error.message().contains(why), "{error}");
        }
        let ibc = |host: &str| check(GatewayRestart::Ibc { host: host.to_owned(), port: 7462 });
        ibc("127.0.0.1").unwrap();
        let error = ibc("nowhere.invalid").unwrap_err();
        assert!(error.message().contains("nowhere.invalid:7462"), "{error}");
    }

    #[test]
    fn all_processes_together_restart_a_gateway_once_in_ten_minutes() {
        let temp = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let claim = |port| hook(temp.path(), &clock).claim(&Gateway::new("localhost", port)).unwrap();
        assert_eq!(claim(4002), None);
        assert_eq!(claim(4002), Some(Duration::ZERO));
        assert_eq!(claim(4001), None, "another Gateway");
        clock.advance(Duration::from_secs(599));
        assert_eq!(claim(4002), Some(Duration::from_secs(599)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(claim(4002), None);
        clock.reboot(clock.now().wall + Duration::from_secs(60));
        assert_eq!(claim(4002), Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_wall_clock_behind_after_a_reboot_delays_a_restart_by_ten_minutes_at_most() {
        let temp = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let claim = || hook(temp.path(), &clock).claim(&Gateway::new("localhost", 4002)).unwrap();
        assert_eq!(claim(), None);
        clock.reboot(clock.now().wall - Duration::from_secs(86_400));
        assert_eq!(claim(), Some(Duration::ZERO));
        clock.advance(Duration::from_secs(599));
        assert_eq!(claim(), Some(Duration::from_secs(599)));
        clock.set_wall("1970-01-01T00:00:00Z".parse().unwrap());
        clock.advance(Duration::from_secs(1));
        assert_eq!(claim(), None);
    }

    #[test]
    fn a_note_that_cannot_be_read_counts_as_a_restart_now() {
        let temp = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let claim = || hook(temp.path(), &clock).claim(&Gateway::new("localhost", 4002)).unwrap();
        assert_eq!(claim(), None);
        let name = Kept::Restart.of(&Gateway::new("localhost", 4002).file_stem());
        std::fs::write(temp.path().join(format!("{name}.json")), "{").unwrap();
        assert_eq!(claim(), Some(Duration::ZERO));
        clock.advance(PAUSE);
        assert_eq!(claim(), None);
    }

    #[test]
    fn what_cannot_be_noted_is_not_done() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(hook(&file, &ManualClock::new()).claim(&Gateway::new("localhost", 4002)).is_err());
    }

    #[test]
    fn the_api_port_is_never_taken_for_ibcs() {
        let temp = tempfile::tempdir().unwrap();
        let how = GatewayRestart::Ibc { host: "127.0.0.1".to_owned(), port: 4002 };
        let error = RestartHook::new(how, temp.path())
            .restart(&Gateway::new("localhost", 4002), LogAccounts::Masked)
            .unwrap_err();
        assert!(error.contains("is the API port"), "{error}");
    }
}
