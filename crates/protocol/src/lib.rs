//! The worker protocol of ibkr-connect: JSON lines between a client, which is a `Connection`, and a server of any `Connector`.
//!
//! `docs/protocol.md` describes the same for programs in other languages. The bytes in between may take any way: the `subprocess`
//! backend is this protocol over the pipes of a child process.
//!
//! To add a backend over another way, such as a socket:
//!
//! 1. On the far side call [`server::run`] with the connector that is to be served and the two ends of the connection.
//! 2. On the near side implement [`Pipe`] for what is written to ([`WriterPipe`] does for anything that writes), and give it, with
//!    what is read from, to [`client::connect`]. That is the whole `connect` of a `Connector`.
//!
//! `tests/toy.rs` in this crate does both over memory.
//!
//! From the bottom: [`frames`] are the lines as types, [`lines`] cuts them out of bytes. A [`Link`] is the client's side as a machine
//! without thread and clock: callers send requests and streams through it, [`Incoming`] gives it the other side's lines, and
//! [`Link::tick`] the time. [`client`] is a thread that drives one; a backend with more to watch, such as a process, has its own.

#![forbid(unsafe_code)]

mod alarm;
pub mod client;
mod connection;
pub mod frames;
mod heartbeat;
mod incoming;
pub mod lines;
mod link;
#[cfg(test)]
mod link_tests;
mod outbox;
mod parts;
mod pipe;
pub mod server;
mod state;
#[cfg(test)]
mod testing;
mod timing;
mod writer;

pub use crate::alarm::{Alarm, after};
pub use crate::connection::{Deadlines, Holder, LinkConnection};
pub use crate::heartbeat::HeartbeatLost;
pub use crate::incoming::{Incoming, read};
pub use crate::link::Link;
pub use crate::outbox::Written;
pub use crate::pipe::Pipe;
pub use crate::timing::Timing;
pub use crate::writer::WriterPipe;
