//! The handshake lock: one handshake at a time, across all processes of the user.
//!
//! The kernel's lock is the truth; the note inside the file is for people.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Phase, Result, millis};
use ibkr_connect_state::names::Kept;
use ibkr_connect_state::{Clock, Dir, Error as StateError, FileLock, Holder, Note, Probe, poll_interval};
use tokio::time::{Instant, sleep};

use crate::error::unusable_state;
use crate::gateway::Gateway;

/// The lock that serializes handshakes.
#[derive(Debug, Clone)]
pub struct HandshakeLock {
    directory: Directory,
    name: String,
    program: String,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone)]
enum Directory {
    Private(PathBuf),
    Shared(PathBuf),
}

impl HandshakeLock {
    /// The lock of one Gateway, in the state directory.
    pub fn of_gateway(directory: &Path, gateway: &Gateway, program: &str, clock: Arc<dyn Clock>) -> Self {
        let name = Kept::Handshake.of(&gateway.file_stem());
        Self {
            directory: Directory::Private(directory.to_path_buf()),
            name,
            program: program.to_owned(),
            clock,
        }
    }

    /// The lock file that the user chose.
    ///
    /// # Errors
    /// `config`, when the path names no file.
    pub fn at(path: &Path, program: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(unusable_state(StateError::unusable(path, "is not a name for a lock file")));
        };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = Directory::Shared(parent.unwrap_or(Path::new(".")).to_path_buf());
        Ok(Self { directory, name: name.to_owned(), program: program.to_owned(), clock })
    }

    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// `config`, when the file can't be used safely.
    pub fn try_acquire(&self) -> Result<Option<HandshakeGuard>> {
        let Some(lock) = FileLock::try_acquire(&self.open()?, &self.name).map_err(unusable_state)? else {
            return Ok(None);
        };
        if lock.read_note::<Holder>().is_ok_and(|note| note == Note::Foreign) {
            return Err(foreign(&self.path()));
        }
        if let Err(error) = lock.note(&Holder::this_process(&self.program, self.clock.now())) {
            // Only people miss the note, e.g. on a full disk.
            tracing::warn!(lock = %self.path().display(), %error, "handshake_lock_unwritable");
        }
        Ok(Some(HandshakeGuard { lock }))
    }

    /// Waits for the lock. Dropping the future gives up. Needs a tokio runtime with time.
    ///
    /// # Errors
    /// `lock_timeout`, naming the holder; `config`, when the file can't be used safely.
    pub async fn acquire(&self, timeout: Duration) -> Result<HandshakeGuard> {
        self.acquire_or_tell(timeout, |_| {}).await
    }

    /// The same; if somebody else has it, `busy` is told who, once.
    pub(crate) async fn acquire_or_tell(
        &self,
        timeout: Duration,
        busy: impl FnOnce(String) + Send,
    ) -> Result<HandshakeGuard> {
        let start = Instant::now();
        let mut busy = Some(busy);
        loop {
            let guard = self.try_acquire()?;
            let waited = start.elapsed();
            if let Some(guard) = guard {
                let lock = self.path();
                tracing::debug!(lock = %lock.display(), waited_ms = millis(waited), "handshake_lock_acquired");
                return Ok(guard);
            }
            if let Some(busy) = busy.take() {
                let holder = self.name_of_holder();
                tracing::info!(lock = %self.path().display(), holder, "handshake_lock_busy");
                busy(holder);
            }
            if waited >= timeout {
                return Err(self.timed_out(timeout));
            }
            sleep(poll_interval(waited).min(timeout - waited)).await;
        }
    }

    /// Who holds the lock, if somebody does and has said so. Takes nothing.
    ///
    /// # Errors
    /// `config`, when the file can't be used safely.
    pub fn holder(&self) -> Result<Option<Holder>> {
        // Looking makes nothing, no directory either.
        if !self.path().exists() {
            return Ok(None);
        }
        match FileLock::probe(&self.open()?, &self.name).map_err(unusable_state)? {
            Probe::Held(Note::Foreign) => Err(foreign(&self.path())),
            Probe::Held(note) => Ok(note.known()),
            Probe::Free => Ok(None),
        }
    }

    fn open(&self) -> Result<Dir> {
        match &self.directory {
            Directory::Private(path) => Dir::private(path),
            Directory::Shared(path) => Dir::shared(path),
        }
        .map_err(unusable_state)
    }

    fn path(&self) -> PathBuf {
        let (Directory::Private(path) | Directory::Shared(path)) = &self.directory;
        path.join(&self.name)
    }

    fn name_of_holder(&self) -> String {
        match self.holder() {
            Ok(Some(owner)) => owner.describe(&self.clock.now()),
            _ => "another process".to_owned(),
        }
    }

    fn timed_out(&self, timeout: Duration) -> Error {
        let holder = self.name_of_holder();
        let path = self.path();
        let message =
            format!("no turn to shake hands within {timeout:?}: {} is held by {holder}", path.display());
        Error::new(ErrorKind::LockTimeout, message).in_phase(Phase::Preflight).with_advice(
            "wait for that process or end it; raise IBKR_LOCK_TIMEOUT if many programs start at once",
        )
    }
}

/// The handshake lock, held until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct HandshakeGuard {
    lock: FileLock,
}

impl Drop for HandshakeGuard {
    fn drop(&mut self) {
        // The next holder writes its own note; an empty one misleads nobody in between.
        let _ = self.lock.clear_note();
    }
}

fn foreign(path: &Path) -> Error {
    let why = "is not a lock file of ibkr-connect: there is something else in it, which is left as it is";
    unusable_state(StateError::unusable(path, why)).with_advice("name another file in IBKR_LOCK_FILE_PATH")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use ibkr_connect_state::ManualClock;
    use ibkr_connect_state::POLL;

    fn lock_in(dir: &Path, clock: &ManualClock, program: &str) -> HandshakeLock {
        HandshakeLock::of_gateway(dir, &Gateway::new("localhost", 4002), program, Arc::new(clock.clone()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_taker_is_told_who_holds_it() {
        let temp = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let guard = lock_in(temp.path(), &clock, "first").try_acquire().unwrap().unwrap();
        clock.advance(Duration::from_secs(12));
        let second = lock_in(temp.path(), &clock, "second");
        assert_eq!(second.holder().unwrap().unwrap().program, "first");
        let error = second.acquire(Duration::from_secs(30)).await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::LockTimeout, Some(Phase::Preflight)));
        let holder = format!("held by pid {} (first) for 12 s", std::process::id());
        assert!(error.message().contains(&holder), "{error}");
        drop(guard);
        assert_eq!(second.holder().unwrap(), None);
        assert!(second.acquire(Duration::ZERO).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_gets_it_soon_after_the_release() {
        let temp = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let lock = lock_in(temp.path(), &clock, "a");
        let guard = lock.try_acquire().unwrap().unwrap();
        let release = async {
            sleep(Duration::from_secs(3)).await;
            drop(guard);
            Instant::now()
        };
        let (released, acquired) = tokio::join!(release, async {
            lock.acquire(Duration::from_secs(30)).await.map(|guard| (guard, Instant::now()))
        });
        assert!(acquired.unwrap().1 - released <= POLL);
    }

    #[test]
    fn a_released_lock_names_nobody() {
        let temp = tempfile::tempdir().unwrap();
        let lock = lock_in(temp.path(), &ManualClock::new(), "a");
        let guard = lock.try_acquire().unwrap().unwrap();
        assert!(fs::read_to_string(lock.path()).unwrap().contains("\"program\":\"a\""));
        drop(guard);
        assert_eq!(fs::read_to_string(lock.path()).unwrap(), "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_with_something_else_in_it_is_refused_and_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new());
        for contents in ["-----BEGIN PRIVATE KEY-----", "{\"pid\": 1}", "# notes\n"] {
            let path = temp.path().join("key.pem");
            fs::write(&path, contents).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            let lock = HandshakeLock::at(&path, "a", clock.clone()).unwrap();
            for error in
                [lock.try_acquire().unwrap_err(), lock.acquire(Duration::from_secs(1)).await.unwrap_err()]
            {
                assert_eq!(error.kind(), ErrorKind::Config);
                assert!(error.message().contains("key.pem: is not a lock file of ibkr-connect"), "{error}");
            }
            assert_eq!(lock.holder().unwrap(), None);
            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
        }
    }

    #[test]
    fn a_chosen_path_may_lie_in_a_sticky_directory_only() {
        let temp = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new());
        let path = temp.path().join("made/on/demand/my.lock");
        let lock = HandshakeLock::at(&path, "a", clock.clone()).unwrap();
        assert!(lock.try_acquire().unwrap().is_some());
        assert!(path.exists());
        let error = HandshakeLock::at(Path::new("/"), "a", clock).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
