//! State that processes share: safe files, locks, and one clock.
//!
//! The bottom crate of ours, so that everything that is kept between processes is kept in one way. Reading order:
//! - [`Clock`], [`Moment`], [`Stamp`]: time that neither jumps nor stops, and that a file can carry over a reboot;
//! - [`Dir`]: files that other users can't plant, swap or read;
//! - [`FileLock`]: a lock that the kernel frees when its holder dies;
//! - [`Owner`]: who holds a lock, for people.

#![forbid(unsafe_code)]

mod clock;
mod error;
mod file_lock;
mod files;
mod owner;

#[cfg(any(test, feature = "manual-clock"))]
pub use clock::manual::ManualClock;
pub use clock::{Clock, KernelClock, Moment, Stamp};
pub use error::{Error, Result};
pub use file_lock::{FileLock, POLL, Probe, lock_briefly, poll_interval};
pub use files::Dir;
pub use owner::{Owner, read_note, write_note};
