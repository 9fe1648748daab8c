//! ibapi's errors and the connection's end as ours.

use ibkr_connect_core::{Error, ErrorKind};

use crate::retryable::is_retryable;

/// The error of a request that failed.
pub(crate) fn request_error(command: &str, error: ibapi::Error) -> Error {
    use ibapi::Error as Ib;
    let message = format!("{command}: {error}");
    let kind = match &error {
        Ib::Notice(notice) => {
            let message = format!("{command}: {}", notice.message);
            let error = Error::new(ErrorKind::GatewayError, message).with_code(notice.code);
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
    Error::new(kind, message).with_source(error)
}
