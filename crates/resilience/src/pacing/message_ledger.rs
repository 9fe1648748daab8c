//! The messages that were sent to a Gateway: on the path of every request.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibkr_connect_core::Error;
use ibkr_connect_state::names::Kept;
use ibkr_connect_state::{Changed, Clock, Error as StateError, InPlace, Moment, Shareable};

use super::bucket::Bucket;
use super::ledger::{Both, Memory};
use super::timer::Timer;
use crate::gateway::Gateway;

/// When a record that is held is tried again: for so long others hold it, unless one of them is stopped.
const TRY_AGAIN_MS: [u64; 7] = [0, 1, 2, 4, 8, 15, 20];
/// How often it is tried to open a record that can't be opened.
const REOPEN: Duration = Duration::from_secs(1);

impl Shareable for Bucket {
    const VERSION: u32 = 1;

    fn moments(&mut self, change: &mut dyn FnMut(&mut Moment)) {
        self.each_moment(change);
    }

    fn clamp(&mut self, now: Moment) {
        self.sanitize(now);
    }
}

/// The messages that were sent to one Gateway. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct MessageLedger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    name: String,
    clock: Arc<dyn Clock>,
    timer: Timer,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    memory: Memory<Bucket>,
    /// Kept open.
    record: Option<InPlace<Bucket>>,
    reopen_at: Moment,
}

/// Why a record can't be changed now.
enum Unavailable {
    /// It has to be opened first.
    Closed,
    /// Another process holds it.
    Held,
    Unusable(StateError),
}

impl MessageLedger {
    pub(crate) fn new(directory: &Path, gateway: &Gateway, clock: Arc<dyn Clock>, timer: Timer) -> Self {
        let memory = Memory::new(Bucket::full(clock.now().at));
        let state = State { memory, record: None, reopen_at: Moment::from_millis(i64::MIN) };
        Self(Arc::new(Inner {
            directory: directory.to_path_buf(),
            name: Kept::Rate.of(&gateway.file_stem()),
            clock,
            timer,
            state: Mutex::new(state),
        }))
    }

    /// Opens the record, which may take as long as a disk takes.
    pub(crate) fn open(&self) {
        self.0.open();
    }

    /// Changes the record, or only what this process remembers if it can't be had soon. `change` is called once.
    pub(crate) async fn change<R>(&self, change: impl Fn(Both<'_, Bucket>, Moment) -> R) -> R {
        let unavailable = match self.0.attempt(&change) {
            Ok(value) => return value,
            Err(unavailable) => unavailable,
        };
        match self.try_again(unavailable, &change).await {
            Ok(value) => value,
            Err(error) => self.0.change_alone(error, change),
        }
    }

    /// Changes the record at once if it can be had, else in the background.
    pub(crate) fn change_soon(&self, change: impl Fn(Both<'_, Bucket>, Moment) + Send + Sync + 'static) {
        if self.0.attempt(&change).is_err() {
            let ledger = self.clone();
            self.0.timer.spawn(async move { ledger.change(change).await });
        }
    }

    /// What `look` sees now, without waiting for the record.
    pub(crate) fn look<R>(&self, look: impl Fn(Both<'_, Bucket>, Moment) -> R) -> R {
        self.0.attempt(&look).unwrap_or_else(|_| {
            let now = self.0.clock.now().at;
            look(self.0.state().memory.both(), now)
        })
    }

    /// Why the limit is kept by this process alone; `Some` once.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.0.state().memory.trouble()
    }

    /// Once more, as soon as that makes sense. Who is alone does not wait: the first one has waited for all.
    async fn try_again<R>(
        &self,
        unavailable: Unavailable,
        change: &impl Fn(Both<'_, Bucket>, Moment) -> R,
    ) -> Result<R, Option<StateError>> {
        match unavailable {
            Unavailable::Closed => {
                let inner = Arc::clone(&self.0);
                self.0.timer.run(move || inner.open()).await.map_err(|_| None)?;
            }
            Unavailable::Held => {}
            Unavailable::Unusable(error) => return Err(Some(error)),
        }
        let tries = if self.0.state().memory.is_alone() { &TRY_AGAIN_MS[..1] } else { &TRY_AGAIN_MS };
        for pause in tries {
            if *pause > 0 {
                self.0.timer.sleep(Duration::from_millis(*pause)).await.map_err(|_| None)?;
            }
            match self.0.attempt(change) {
                Ok(value) => return Ok(value),
                Err(Unavailable::Held) => {}
                Err(Unavailable::Closed) => return Err(None),
                Err(Unavailable::Unusable(error)) => return Err(Some(error)),
            }
        }
        let waited = Duration::from_millis(tries.iter().sum());
        Err(Some(StateError::Locked { path: self.0.directory.join(&self.0.name), waited }))
    }
}

impl Inner {
    fn open(&self) {
        let now = self.clock.now().at;
        if now < self.state().reopen_at {
            return;
        }
        // Without the lock: a request that comes meanwhile must not wait for the disk.
        let opened = InPlace::open(&self.directory, &self.name);
        let mut state = self.state();
        match opened {
            Ok(record) => state.record = Some(record),
            Err(error) => {
                state.reopen_at = now + REOPEN;
                state.memory.be_alone(error);
            }
        }
    }

    /// Changes the record if it can be had at once.
    fn attempt<R>(&self, change: &impl Fn(Both<'_, Bucket>, Moment) -> R) -> Result<R, Unavailable> {
        let State { memory, record, .. } = &mut *self.state();
        if record.as_ref().is_some_and(|record| !record.is_there()) {
            *record = None;
        }
        let record = record.as_ref().ok_or(Unavailable::Closed)?;
        let now = self.clock.now();
        let both = |all: &mut Bucket| {
            let value = change(Both { own: &mut memory.own, all }, now.at);
            (value, all.clone())
        };
        let Changed { value: (value, all), unwritten } =
            record.try_change(&now, both).map_err(Unavailable::Unusable)?.ok_or(Unavailable::Held)?;
        memory.all = all;
        match unwritten {
            None => memory.be_together(),
            // The others don't know; this process does.
            Some(error) => memory.be_alone(error),
        }
        Ok(value)
    }

    fn change_alone<R>(&self, why: Option<StateError>, change: impl Fn(Both<'_, Bucket>, Moment) -> R) -> R {
        let now = self.clock.now().at;
        let memory = &mut self.state().memory;
        if let Some(error) = why {
            memory.be_alone(error);
        }
        change(memory.both(), now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
