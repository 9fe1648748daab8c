//! The historical requests that all processes of this user have sent to one Gateway, in a file of the state directory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibkr_connect_core::Result;
use ibkr_connect_state::{Clock, Dir, FileLock, Moment, Stamp};
use serde::{Deserialize, Serialize};

use crate::error::unusable_state;
use crate::gateway::Gateway;
use crate::pacing::history::{HistoricalKey, HistoricalPacer, Turn};

/// Others hold the file for a moment.
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);
/// Sixty requests are some kilobytes.
const LONGEST: u64 = 64 * 1024;

/// The contents of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    written: Stamp,
    sent: VecDeque<(Moment, HistoricalKey)>,
}

/// The historical requests of one Gateway. Those without an answer are counted in this process only.
#[derive(Debug)]
pub(crate) struct History {
    directory: PathBuf,
    name: String,
    clock: Arc<dyn Clock>,
    pacer: Mutex<HistoricalPacer>,
}

impl History {
    pub(crate) fn new(directory: &Path, gateway: &Gateway, clock: Arc<dyn Clock>) -> Self {
        let name = format!("history-{}.lock", gateway.file_stem());
        Self { directory: directory.to_path_buf(), name, clock, pacer: Mutex::default() }
    }

    /// Asks to send a request, as [`HistoricalPacer::ask`]. Without the file the rules are kept by this process alone.
    pub(crate) fn ask(&self, key: &HistoricalKey) -> Turn {
        let mut pacer = self.pacer();
        self.ask_all(&mut pacer, key).unwrap_or_else(|error| {
            tracing::debug!(command = "historical_bars", %error, "request_not_paced");
            pacer.ask(self.clock.now().at, key)
        })
    }

    /// A request that was sent is answered, failed or cancelled.
    pub(crate) fn answered(&self) {
        self.pacer().answered();
    }

    /// How many requests have no answer yet.
    pub(crate) fn open(&self) -> usize {
        self.pacer().open()
    }

    fn ask_all(&self, pacer: &mut HistoricalPacer, key: &HistoricalKey) -> Result<Turn> {
        let dir = Dir::private(&self.directory).map_err(unusable_state)?;
        let lock = FileLock::acquire_briefly(&dir, &self.name, LOCK_TIMEOUT).map_err(unusable_state)?;
        let now = self.clock.now();
        // A file that makes no sense, e.g. after a crash, says as much as none.
        let sent = read(lock.file()).map(|record| record.sent_at(&now)).unwrap_or_default();
        pacer.resume(sent);
        let turn = pacer.ask(now.at, key);
        if turn == Turn::Now {
            // What can't be written, e.g. on a full disk, the others don't know: it doesn't stop requests.
            let _ = write(lock.file(), &Record { written: now, sent: pacer.sent().clone() });
        }
        Ok(turn)
    }

    fn pacer(&self) -> MutexGuard<'_, HistoricalPacer> {
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn sent_at(self, now: &Stamp) -> VecDeque<(Moment, HistoricalKey)> {
        let Self { written, sent } = self;
        sent.into_iter().map(|(at, key)| (now.translate(at, &written), key)).collect()
    }
}

fn read(mut file: &File) -> Option<Record> {
    let mut bytes = Vec::new();
    file.rewind().ok()?;
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn write(mut file: &File, record: &Record) -> io::Result<()> {
    let bytes = serde_json::to_vec(record)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ibkr_connect_state::ManualClock;

    fn key(identity: u32) -> HistoricalKey {
        HistoricalKey { identity: identity.to_string(), series: identity.to_string(), weight: 1 }
    }

    #[test]
    fn all_processes_keep_the_rules_together() {
        let temp = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let process = || History::new(temp.path(), &Gateway::new("h", 1), Arc::new(clock.clone()));
        assert_eq!(process().ask(&key(1)), Turn::Now);
        assert_eq!(process().ask(&key(1)), Turn::In(Duration::from_secs(15)));
        for other in 2..=60 {
            assert_eq!(process().ask(&key(other)), Turn::Now);
        }
        assert_eq!(process().ask(&key(61)), Turn::In(Duration::from_secs(600)));
        clock.advance(Duration::from_secs(500));
        clock.reboot(clock.now().wall + Duration::from_secs(50));
        assert_eq!(process().ask(&key(61)), Turn::In(Duration::from_secs(50)));
        clock.advance(Duration::from_secs(50));
        assert_eq!(process().ask(&key(61)), Turn::Now);
    }

    #[test]
    fn without_the_file_this_process_keeps_them_alone() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        std::fs::write(&file, "").unwrap();
        let history = History::new(&file, &Gateway::new("h", 1), Arc::new(ManualClock::new()));
        assert_eq!(history.ask(&key(1)), Turn::Now);
        assert_eq!(history.ask(&key(1)), Turn::In(Duration::from_secs(15)));
    }

    #[test]
    fn garbage_says_as_much_as_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let history = History::new(temp.path(), &Gateway::new("h", 1), Arc::new(ManualClock::new()));
        assert_eq!(history.ask(&key(1)), Turn::Now);
        std::fs::write(temp.path().join("history-h_1.lock"), "garbage").unwrap();
        assert_eq!(history.ask(&key(1)), Turn::Now);
        assert_eq!(history.ask(&key(1)), Turn::In(Duration::from_secs(15)));
    }
}
