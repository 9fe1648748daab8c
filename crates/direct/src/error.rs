//! ibapi's errors and the connection's end as ours.

use ibkr_connect_core::{Error, ErrorKind};

use crate::retryable::is_retryable;

/// The error of a request that failed, without the operation's name.
pub(crate) fn request_error(error: ibapi::Error) -> Error {
    use ibapi::Error as Ib;
    let kind = match &error {
        Ib::Notice(notice) => {
            let error = Error::new(ErrorKind::GatewayError, notice.message.clone()).with_code(notice.code);
            return if is_retryable(notice.code, &notice.message) { error.retryable() } else { error };
        }
        Ib::Timeout => ErrorKind::Timeout,
        Ib::ClientIdInUse { .. } => ErrorKind::ClientIdInUse,
        Ib::ConnectionRejected(_) => ErrorKind::Rejected,
        Ib::ServerVersion(..) => ErrorKind::ServerTooOld,
        Ib::InvalidArgument(_) | Ib::HistoricalParseError(_) => ErrorKind::InvalidRequest,
        Ib::NotImplemented => ErrorKind::Unsupported,
        Ib::Io(_)
        | Ib::ConnectionFailed
        | Ib::ConnectionReset
        | Ib::Shutdown
        | Ib::Cancelled
        | Ib::EndOfStream
        | Ib::UnexpectedEndOfStream => ErrorKind::Disconnected,
        _ => ErrorKind::Protocol,
    };
    Error::new(kind, error.to_string()).with_source(error)
}
