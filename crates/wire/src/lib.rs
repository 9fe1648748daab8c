//! The TWS wire as bytes and time in, decisions out. No sockets, no files, no clock.
//!
//! Reading order: [`Frame`] and [`FrameReader`]; [`Handshake`], from a client's hello to the first messages of a session;
//! [`Outbound`], what may leave a session, and [`Inbound`], what comes in, with the errors and end marks that an [`Observer`] hears of.
//! The relay crate puts sockets around them.

#![forbid(unsafe_code)]

mod error_frame;
mod failure;
mod family;
mod frame;
mod guard;
mod handshake;
pub mod ids;
mod inbound;
pub mod messages;
mod opening;
mod outbound;
mod own_orders;
mod repair;
mod reroute;
pub mod times;
mod zones;

pub use error_frame::{ErrorMessage, LONGEST_TEXT};
pub use failure::{Complaint, Failure, Reason, Stage};
pub use family::{Family, Part};
pub use frame::{Frame, FrameError, FrameReader, MAX_LENGTH, base_id};
pub use guard::{GuardPolicy, Refused, binds_orders};
pub use handshake::{Handshake, Output, Rest, Side};
pub use inbound::{BadFrame, EndMark, Flow, Inbound, Observer};
pub use opening::Caller;
pub use outbound::{Outbound, Refusal};
pub use repair::{NO_DECIMAL, REPAIRS, Repair, Rule, carried, carried_tick, decimal, packed};
pub use reroute::Reroute;
pub use zones::by_name as zone_by_name;
