//! Two sockets with a machine of the wire crate between them: a client's, and one of ours to the Gateway.
//!
//! Reading order, which is that of a connection's life: [`dial`], armed to end in a reset; [`shake_hands`]; [`settle`], which disarms;
//! [`relay`], the session and the end of the socket.

#![forbid(unsafe_code)]

mod dial;
mod handshake;
mod session;

pub use dial::{dial, is_local, resolve, settle};
pub use handshake::shake_hands;
pub use session::{End, Tap, relay};
