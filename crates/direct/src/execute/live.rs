//! Data that exist live only. Where they are not subscribed, the Gateway says 10089 and nothing else; ibapi lets the stream go on, as one
//! of quotes would with delayed data.

use ibkr_connect_core::Error;

use crate::error::request_error;

/// "Requested market data requires additional subscription for API".
pub(super) const NOT_SUBSCRIBED: i32 = 10089;

/// Whether a notice is all that comes.
pub(super) fn is_refusal(notice: &ibapi::Notice) -> bool {
    notice.code == NOT_SUBSCRIBED
}

/// The error that it is.
pub(super) fn only_live(notice: ibapi::Notice) -> Error {
    request_error(ibapi::Error::Notice(notice)).with_advice(
        "single ticks and real-time bars are never delayed: subscribe to this data in IBKR's Client Portal and share that with the \
         paper account, or take market_data with market_data_type 3 (delayed)",
    )
}
