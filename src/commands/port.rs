//! What is left on the API port. The kernel is asked; the port is not touched.

use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect::{Config, cleanup, resilience::Gateway};

/// How long closed connections get to settle before what is left of them is counted.
pub(crate) const SETTLE: Duration = Duration::from_secs(2);

/// Half-closed connections on the port now, both sides; `None` if the Gateway is not on this machine, or the socket
/// table can't be read.
pub(crate) fn zombies(config: &Config) -> Option<usize> {
    let is_here = Gateway::resolve_target(&config.target()).is_local();
    is_here.then(|| cleanup::half_closed(&[config.port]).ok().map(|found| found.len())).flatten()
}

/// The same, once they are no more than `before` or have had [`SETTLE`] to become so.
pub(crate) fn zombies_after_settling(config: &Config, before: Option<usize>) -> Option<usize> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let left = zombies(config)?;
        if left <= before.unwrap_or_default() || Instant::now() >= deadline {
            return Some(left);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sockets_of_another_machine_are_not_in_our_table() {
        let remote = Config::default().with_host("gw.example");
        assert_eq!((zombies(&remote), zombies_after_settling(&remote, None)), (None, None));
        assert!(zombies(&Config::default()).is_some());
    }
}
