//! What a file of shared state contains: a record, and what the clocks of its readers make of its moments.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::clock::{FARTHEST_MS, Moment, Stamp};
use crate::place::Place;

/// So many boots are remembered, the last to write first. More don't share a directory at a time.
const MOST_CLOCKS: usize = 16;

/// Something that processes share through a file.
pub trait Shareable: Clone + Debug + PartialEq + Serialize + DeserializeOwned {
    /// The version of its form. A file of a newer one can't be read.
    const VERSION: u32;

    /// Calls `change` with every moment in it.
    fn moments(&mut self, change: &mut dyn FnMut(&mut Moment));

    /// Puts right what no process of ours would write. The moments are not after `now` already.
    fn clamp(&mut self, now: Moment);
}

/// The contents of a file.
///
/// Its moments lie on a time line of its own: the uptime of the boot that wrote it first. Where the uptime of another boot
/// (after a reboot, or of another machine) lies on that line is decided once, by the wall clocks, and kept with it. From
/// then on no wall clock matters, so a clock that was set back delays nothing for ever, and two machines whose clocks differ
/// can use one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record<T> {
    version: u32,
    /// When it was written: its own time, and the boot and wall clock of who wrote it.
    written: Stamp,
    /// Who wrote it, for people.
    #[serde(default)]
    by: Place,
    #[serde(default)]
    clocks: Vec<BootClock>,
    /// Version 1 of the breaker called it memory.
    #[serde(alias = "memory")]
    content: T,
}

/// Where the uptime of a boot lies on the time line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct BootClock {
    boot: String,
    /// What is added to the uptime.
    #[serde(deserialize_with = "shift_ms")]
    shift_ms: i64,
}

/// Where the uptime of a boot lies on the time line of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shift {
    /// As it was decided once.
    Known(i64),
    /// As the wall clocks say now.
    Guessed(i64),
}

/// The part of a file that every version has.
#[derive(Deserialize)]
struct Header {
    version: u32,
}

impl<T: Shareable> Record<T> {
    /// The record in a file.
    ///
    /// # Errors
    /// Why it can't be read: it makes no sense, or a newer version has written it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let Header { version } = serde_json::from_slice(bytes).map_err(|error| senseless(bytes, &error))?;
        if version > T::VERSION {
            let known = T::VERSION;
            return Err(format!(
                "was written by a newer version of ibkr-connect (its form is {version}, {known} is the newest known here)"
            ));
        }
        serde_json::from_slice(bytes).map_err(|error| senseless(bytes, &error))
    }

    /// The contents of a file with this record.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Can't fail: the keys are text.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The first record, written now.
    pub fn first(now: &Stamp, content: T) -> Self {
        let clocks = vec![BootClock { boot: now.boot.clone(), shift_ms: 0 }];
        Self { version: T::VERSION, written: now.clone(), by: Place::here().clone(), clocks, content }
    }

    /// The record that follows this one, written now.
    pub fn next(&self, now: &Stamp, mut content: T) -> Self {
        let (Shift::Known(shift_ms) | Shift::Guessed(shift_ms)) = self.shift(now);
        content.moments(&mut |moment| *moment = moment.shifted(shift_ms));
        let newest = BootClock { boot: now.boot.clone(), shift_ms };
        let others = self.clocks.iter().filter(|clock| clock.boot != now.boot).cloned();
        // A file of version 1 has none: there the time line is its writer's.
        let writer = BootClock { boot: self.written.boot.clone(), shift_ms: 0 };
        let writer = Some(writer).filter(|writer| self.clocks.is_empty() && writer.boot != now.boot);
        Self {
            version: T::VERSION,
            written: Stamp { at: now.at.shifted(shift_ms), ..now.clone() },
            by: Place::here().clone(),
            clocks: [newest].into_iter().chain(others).chain(writer).take(MOST_CLOCKS).collect(),
            content,
        }
    }

    /// What is in it, with the moments on the clock of `now`; none is in the future.
    pub fn content_at(&self, now: &Stamp) -> T {
        let mut content = self.content.clone();
        content.moments(&mut |moment| *moment = self.moment_at(*moment, now));
        content.clamp(now.at);
        content
    }

    /// When it was written, on the clock of `now`.
    pub fn written_at(&self, now: &Stamp) -> Moment {
        self.moment_at(self.written.at, now)
    }

    /// Whether the clock of `now` is known to it, and nothing in it had to be put right. If not, it should be written once
    /// more: for the clock of the boot to count from then on, and for a moment in the future not to be in it for ever.
    pub fn knows(&self, now: &Stamp) -> bool {
        let Shift::Known(shift_ms) = self.shift(now) else { return false };
        let mut content = self.content.clone();
        content.moments(&mut |moment| *moment = moment.shifted(shift_ms.saturating_neg()));
        content == self.content_at(now)
    }

    fn moment_at(&self, moment: Moment, now: &Stamp) -> Moment {
        let (Shift::Known(shift_ms) | Shift::Guessed(shift_ms)) = self.shift(now);
        moment.shifted(shift_ms.saturating_neg()).min(now.at)
    }

    fn shift(&self, now: &Stamp) -> Shift {
        if let Some(clock) = self.clocks.iter().find(|clock| clock.boot == now.boot) {
            return Shift::Known(clock.shift_ms);
        }
        if self.clocks.is_empty() && self.written.boot == now.boot {
            return Shift::Known(0);
        }
        let passed = now.wall.as_millisecond().saturating_sub(self.written.wall.as_millisecond()).max(0);
        Shift::Guessed(possible(self.written.at.shifted(passed).millis_since(now.at)))
    }
}

fn shift_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    i64::deserialize(deserializer).map(possible)
}

fn possible(shift_ms: i64) -> i64 {
    shift_ms.clamp(-FARTHEST_MS, FARTHEST_MS)
}

fn senseless(bytes: &[u8], error: &serde_json::Error) -> String {
    if bytes.trim_ascii().is_empty() { "is empty".to_owned() } else { format!("makes no sense ({error})") }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
