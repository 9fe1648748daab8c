//! The Gateway's message rate, kept by all processes of this machine together.
//!
//! IBKR allows 50 messages per second and counts all clients of a Gateway; who sends more gets error 100, then a closed
//! socket. 45 per second and bursts of 5 stay below 50 in any second.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ibkr_connect_core::Result;
use ibkr_connect_state::{Clock, Dir, Moment, lock_briefly};
use serde::{Deserialize, Serialize};

use crate::error::unusable_state;
use crate::gateway::Gateway;

/// Messages per second.
const RATE: f64 = 45.0;
/// Messages that may go out at once.
const BURST: f64 = 5.0;
/// Others hold the file for microseconds.
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);
/// The bytes of the file.
const RECORD: usize = 192;

/// A token bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// Tokens at `at`; negative while messages queue.
    level: f64,
    at: Moment,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn full(now: Moment) -> Self {
        Self { level: BURST, at: now }
    }

    /// Takes the token of one message, and says how long the message has to wait for it. Messages queue in the order in
    /// which they took.
    pub(crate) fn take(&mut self, now: Moment) -> Duration {
        let refilled = self.level + now.since(self.at).as_secs_f64() * RATE;
        self.level = refilled.min(BURST) - 1.0;
        self.at = now;
        Duration::try_from_secs_f64(-self.level / RATE).unwrap_or(Duration::ZERO)
    }

    /// How long the next message would have to wait.
    pub(crate) fn wait(&self, now: Moment) -> Duration {
        self.clone().take(now)
    }
}

/// The bucket as it is shared.
#[derive(Debug, Serialize, Deserialize)]
struct Shared {
    boot: String,
    bucket: Bucket,
}

/// The message rate of one Gateway, shared through a file in the state directory.
#[derive(Debug)]
pub struct MessageRate {
    directory: PathBuf,
    name: String,
    clock: Arc<dyn Clock>,
    /// Kept open: this is on the path of every request.
    file: Mutex<Option<File>>,
}

impl MessageRate {
    /// The rate of `gateway`.
    pub fn new(directory: &Path, gateway: &Gateway, clock: Arc<dyn Clock>) -> Self {
        let name = format!("rate-{}.lock", gateway.file_stem());
        Self { directory: directory.to_path_buf(), name, clock, file: Mutex::default() }
    }

    /// Takes the token of one message, and says how long the message has to wait. Some microseconds.
    ///
    /// # Errors
    /// `config`, when the file can't be used; `lock_timeout`, when a stopped process holds it.
    pub fn take(&self) -> Result<Duration> {
        self.take_within(Duration::MAX)
    }

    /// How long the next message would have to wait; takes nothing.
    ///
    /// # Errors
    /// Those of [`take`](Self::take).
    pub fn wait(&self) -> Result<Duration> {
        self.with_bucket(|bucket, now| bucket.wait(now))
    }

    /// Takes the token of one message if it has to wait at most `limit`; says in any case how long it has to.
    ///
    /// # Errors
    /// Those of [`take`](Self::take).
    pub fn take_within(&self, limit: Duration) -> Result<Duration> {
        self.with_bucket(|bucket, now| {
            let wait = bucket.wait(now);
            if wait <= limit { bucket.take(now) } else { wait }
        })
    }

    fn open(&self) -> Result<File, ibkr_connect_state::Error> {
        Dir::private(&self.directory)?.file(&self.name)
    }

    fn with_bucket(&self, change: impl FnOnce(&mut Bucket, Moment) -> Duration) -> Result<Duration> {
        let mut kept = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = |file: &File| file.metadata().is_ok_and(|meta| meta.nlink() == 0);
        let file = match kept.take().filter(|file| !removed(file)) {
            Some(file) => kept.insert(file),
            None => kept.insert(self.open().map_err(unusable_state)?),
        };
        lock_briefly(file, &self.directory.join(&self.name), LOCK_TIMEOUT).map_err(unusable_state)?;
        let wait = self.change_locked(file, change);
        let _ = file.unlock();
        Ok(wait)
    }

    fn change_locked(&self, file: &File, change: impl FnOnce(&mut Bucket, Moment) -> Duration) -> Duration {
        let now = self.clock.now();
        let mut bucket = read(file)
            .filter(|shared| shared.boot == now.boot && shared.bucket.level.is_finite())
            .map_or_else(|| Bucket::full(now.at), |shared| shared.bucket);
        let wait = change(&mut bucket, now.at);
        // A bucket that can't be written is full again for the next one: a full disk doesn't stop requests.
        let _ = write(file, &Shared { boot: now.boot, bucket });
        wait
    }
}

fn read(file: &File) -> Option<Shared> {
    let mut bytes = [0; RECORD];
    let length = file.read_at(&mut bytes, 0).ok()?;
    serde_json::from_slice(&bytes[..length]).ok()
}

/// Always the same length, so that the file need not be cut.
fn write(file: &File, shared: &Shared) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(shared)?;
    bytes.resize(RECORD, b' ');
    file.write_all_at(&bytes, 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use ibkr_connect_state::ManualClock;

    #[test]
    fn all_processes_share_one_rate() {
        let temp = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let gateway = Gateway::new("localhost", 4002);
        let process = || MessageRate::new(temp.path(), &gateway, Arc::new(clock.clone()));
        let waits: Vec<_> = (0..95).map(|_| process().take().unwrap()).collect();
        assert_eq!(waits[..5], [Duration::ZERO; 5]);
        assert_eq!(waits[94], Duration::from_secs(2));
        clock.advance(Duration::from_secs(10));
        assert_eq!(process().take().unwrap(), Duration::ZERO);
    }

    #[test]
    fn garbage_or_a_reboot_is_a_full_bucket() {
        let temp = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let rate = MessageRate::new(temp.path(), &Gateway::new("h", 1), Arc::new(clock.clone()));
        let exhaust = || (0..100).map(|_| rate.take().unwrap()).max().unwrap();
        assert!(exhaust() > Duration::ZERO);
        std::fs::write(temp.path().join("rate-h_1.lock"), "garbage".repeat(100)).unwrap();
        assert_eq!(rate.take().unwrap(), Duration::ZERO);
        assert!(exhaust() > Duration::ZERO);
        clock.reboot(clock.now().wall);
        assert_eq!(rate.take().unwrap(), Duration::ZERO);
        assert!(exhaust() > Duration::ZERO);
        std::fs::remove_file(temp.path().join("rate-h_1.lock")).unwrap();
        assert_eq!(rate.take().unwrap(), Duration::ZERO);
        assert!(temp.path().join("rate-h_1.lock").exists());
    }

    proptest! {
        /// In no second do more than 50 messages leave, however they are asked for.
        #[test]
        fn never_more_than_fifty_in_a_second(gaps in prop::collection::vec(0_u64..100, 1..400)) {
            let mut bucket = Bucket::full(Moment::from_millis(0));
            let mut now = Moment::from_millis(0);
            let mut sent = Vec::new();
            for gap in gaps {
                now = now + Duration::from_millis(gap);
                let wait = bucket.take(now);
                sent.push((now.since(Moment::from_millis(0)) + wait).as_secs_f64());
            }
            sent.sort_by(f64::total_cmp);
            for (index, first) in sent.iter().enumerate() {
                let second = sent[index..].iter().take_while(|&&at| at < first + 0.999).count();
                prop_assert!(second <= 50, "{second}");
            }
        }
    }
}
