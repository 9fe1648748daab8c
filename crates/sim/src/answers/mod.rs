//! What the answers look like on the wire: pure functions from the world to frames.

use jiff::Timestamp;

use crate::framing::Frame;
use crate::messages::{ErrorMessage, Response};
use crate::session::Refusal;

pub(crate) mod account_values;
pub(crate) mod accounts;
pub(crate) mod bulletins;
pub(crate) mod contracts;
pub(crate) mod depth;
pub(crate) mod flood;
pub(crate) mod gateway;
pub(crate) mod history;
pub(crate) mod live_bars;
pub(crate) mod news;
pub(crate) mod news_feed;
pub(crate) mod options;
pub(crate) mod orders;
pub(crate) mod past;
pub(crate) mod pnl;
pub(crate) mod positions;
pub(crate) mod quotes;
pub(crate) mod scanner;
pub(crate) mod ticks;
pub(crate) mod wsh;

/// The notices of a Gateway whose data farms are connected.
pub(crate) const FARM_NOTICES: [(i32, &str); 3] = [
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefnj"),
];

/// An error about one request, or with the id -1 about none.
pub(crate) fn error_frame(refusal: &Refusal, now: Timestamp) -> Frame {
    let message = ErrorMessage {
        id: Some(refusal.req_id),
        error_time: Some(now.as_millisecond()),
        error_code: Some(refusal.code),
        error_msg: Some(refusal.message.clone()),
    };
    message.frame()
}

/// A notice for the whole connection.
pub(crate) fn notice(code: i32, message: &str, now: Timestamp) -> Frame {
    error_frame(&Refusal::new(-1, code, message), now)
}
