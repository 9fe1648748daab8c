//! What must never outlive a session: sockets and child processes.
//!
//! The only crate that spawns, signals or destroys anything, and the only one with `unsafe` (in child/spawn.rs and own_peer.rs). It asks
//! the kernel; it never opens a connection and never binds a port.
//!
//! - [`listening`], [`inspect`]: who listens on a port, and whether they still accept.
//! - [`forwarder`]: whether a program that passes connections on stands before the Gateway.
//! - [`half_closed`], [`scan`], [`Watch`]: zombie connections, proved and with their owners.
//! - [`clean`], [`CleanupPolicy`]: removing them, without ever touching the Gateway's process.
//! - [`Register`]: which processes are our own workers.
//! - [`abort`]: our own sockets end in RST.
//! - [`is_own_peer`]: whether a connection on this machine is this process's own.
//! - [`Child`]: processes that can't outlive their owner.
//! - [`fill_standard_descriptors`]: nothing of ours takes the number of a closed stdin, stdout or stderr.

#![deny(unsafe_code)]

mod abort;
mod child;
mod clean;
mod error;
mod forwarder;
mod judge;
mod limit;
#[cfg(target_os = "linux")]
mod linux;
mod listen;
#[cfg(any(test, not(target_os = "linux")))]
mod lsof;
mod own_peer;
mod owners;
mod policy;
mod process;
mod register;
mod scan;
mod socket;
mod stdio;

#[cfg(target_os = "linux")]
use linux as sys;
#[cfg(not(target_os = "linux"))]
use lsof as sys;

pub use abort::{abort, arm_reset, disarm_reset};
pub use child::{Child, ChildSpec, ExitReport, LineSink, SpawnError};
pub use clean::{CleanupReport, Done, MissingRight, Skipped, clean};
pub use error::Error;
pub use forwarder::{Forwarder, forwarder};
pub use judge::Proof;
pub use limit::Limit;
pub use listen::{ListenState, Listener, inspect, listening};
pub use own_peer::is_own_peer;
pub use policy::{CleanupPolicy, Destroy, Reason, Run};
pub use process::{Owner, Process};
pub use register::{Register, Registration, WorkerRecord};
pub use scan::{Scan, Watch, Zombie, half_closed, scan, scan_with};
pub use socket::{HalfClosed, ZombieClass};
pub use stdio::fill_standard_descriptors;
