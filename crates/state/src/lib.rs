//! State that processes share: safe files, locks, records, and one clock.
//!
//! The bottom crate of ours, so that everything that is kept between processes is kept in one way. Reading order:
//! - [`Clock`], [`Moment`], [`Stamp`]: time that neither jumps nor stops, and that a file can carry over a reboot;
//! - [`Place`]: the machine, network and process ids that a process knows;
//! - [`Dir`]: files that other users can't plant, swap or read; [`names`]: how they are called;
//! - [`FileLock`]: a lock that the kernel frees when its holder dies, with a [`Note`] of its [`Holder`] for people;
//! - [`Record`]: what a file contains, for every boot that reads it; [`Shared`]: a record in a file of its own;
//!   [`InPlace`]: one that changes with every request.

#![forbid(unsafe_code)]

mod clock;
mod disk;
mod error;
mod file_lock;
mod files;
mod holder;
mod in_place;
pub mod names;
mod note;
mod place;
mod record;
mod shared;

#[cfg(any(test, feature = "manual"))]
pub use clock::manual::ManualClock;
pub use clock::{Clock, KernelClock, Moment, Stamp, boot};
#[cfg(any(test, feature = "manual"))]
pub use disk::manual::{DiskFault, ManualDisk};
pub use disk::{Disk, KernelDisk};
pub use error::{Error, Result};
pub use file_lock::{FileLock, POLL, Probe, poll_interval};
pub use files::Dir;
pub use holder::Holder;
pub use in_place::InPlace;
pub use note::{Note, read_note};
pub use place::{Place, digest};
pub use record::{Record, Shareable};
pub use shared::{Changed, Mergeable, Shared, Visit};
