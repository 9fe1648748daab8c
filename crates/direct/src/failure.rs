//! Why there is no connection: what the dial and the handshake say, as errors with a kind and a phase.

use std::io;

use ibkr_connect_core::{Error, ErrorKind, Phase, Result, Target};
use ibkr_connect_wire::ids::{MIN_SERVER_VERSION, ManagedAccounts};
use ibkr_connect_wire::{Complaint, Failure, Reason, Stage};

/// The code with which TWS refuses a client id that is taken.
const CLIENT_ID_IN_USE: i32 = 326;

/// The phase that a stage of the handshake is.
pub(crate) fn phase(stage: Stage) -> Phase {
    match stage {
        Stage::Version => Phase::Version,
        Stage::StartApi => Phase::StartApi,
        Stage::Accounts => Phase::Accounts,
    }
}

/// The host has no address, for this reason.
pub(crate) fn unresolved(target: &Target, cause: Option<io::Error>) -> Error {
    let why = cause.as_ref().map_or_else(|| "it has no address".to_owned(), ToString::to_string);
    let error = Error::new(ErrorKind::Unreachable, format!("can't find the host {:?}: {why}", target.host))
        .in_phase(Phase::Preflight)
        .with_advice("check the spelling of IBKR_HOST and the name service");
    match cause {
        Some(cause) => error.with_source(cause),
        None => error,
    }
}

/// There is no TCP connection, for this reason.
pub(crate) fn not_dialled(target: &Target, error: io::Error) -> Error {
    let address = target.address();
    let (kind, phase, message) = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            (ErrorKind::NotListening, Phase::Tcp, format!("nothing listens on {address}"))
        }
        // The connection was established, or it would have been refused: the reset came before we looked.
        io::ErrorKind::ConnectionReset => {
            (ErrorKind::Rejected, Phase::Version, format!("{address} reset the connection at once"))
        }
        io::ErrorKind::TimedOut => {
            let message = format!("{address} did not answer the TCP connect within {:?}", target.timeout);
            (ErrorKind::Unreachable, Phase::Tcp, message)
        }
        _ => (ErrorKind::Unreachable, Phase::Tcp, format!("can't reach {address}: {error}")),
    };
    Error::new(kind, message).in_phase(phase).with_source(error)
}

/// There is no session, for this reason. Of [`Reason::Silence`] the caller can say more.
pub(crate) fn no_session(failure: Failure, client_id: i32) -> Error {
    let Failure { stage, reason, complaint } = failure;
    let error = match reason {
        Reason::Rejected(how) => match complaint {
            Some(complaint) => {
                let message = format!("the Gateway {how} and said: {}", complaint.text);
                explained(&complaint, Error::new(ErrorKind::Rejected, message))
            }
            None => Error::new(ErrorKind::Rejected, format!("the Gateway {how} during the handshake")),
        },
        Reason::Unexpected(got) => unexpected(&got),
        Reason::ServerTooOld(version) => Error::new(
            ErrorKind::ServerTooOld,
            format!("the Gateway's server version is {version}, and at least {MIN_SERVER_VERSION} is needed"),
        ),
        Reason::ClientIdInUse => {
            let text = format!("client id {client_id} is already in use by another client of this Gateway");
            Error::new(ErrorKind::ClientIdInUse, text).with_code(CLIENT_ID_IN_USE)
        }
        Reason::NoAccounts => no_accounts(),
        Reason::NoOrderIdsLeft(next) => no_order_ids_left(next),
        Reason::BadClient { expected, got } => Error::new(
            ErrorKind::Protocol,
            format!("the client sent {got} where {expected} belongs; nothing of it was passed on"),
        ),
        // The real cause is ibapi's own error, this one only stands in for it.
        Reason::ClientLeft(how) => {
            Error::new(ErrorKind::Disconnected, format!("ibapi left the handshake: it {how}"))
        }
        Reason::Silence => Error::new(ErrorKind::HandshakeTimeout, "the handshake was not finished in time"),
    };
    error.in_phase(phase(stage))
}

/// The accounts in a comma-separated list.
///
/// # Errors
/// `protocol`, retryable, if there is none.
pub(crate) fn accounts_of(list: &str) -> Result<Vec<String>> {
    let accounts = ManagedAccounts::names(list);
    if accounts.is_empty() { Err(no_accounts().in_phase(Phase::Accounts)) } else { Ok(accounts) }
}

/// Adds what a complaint of the Gateway's means.
pub(crate) fn explained(complaint: &Complaint, error: Error) -> Error {
    let error = error.with_code(complaint.code);
    match complaint.code {
        1_100 => error.with_advice(
            "the Gateway has no connection to IBKR: look at its window, its network and IBKR's system status; it says 1102 when the connection is back",
        ),
        10_141 => error.with_advice(
            "log in to the paper trading account in TWS or the Gateway and accept its disclaimer there; the API waits for that",
        ),
        _ => error,
    }
}

fn no_accounts() -> Error {
    unexpected("an empty list of accounts")
        .retryable()
        .with_advice("log in to the Gateway, or wait until its login is complete")
}

fn no_order_ids_left(next: i32) -> Error {
    let message = format!(
        "the Gateway's next order id is {next}, and from 1500000000 on ids are those of requests: a session that trades can't begin"
    );
    Error::new(ErrorKind::Unsupported, message)
        .with_advice("reset the order ids in TWS or the Gateway (Configure, API, Settings: \"Reset API order ID sequence\"), or set IBKR_READONLY=true: a read-only session needs none")
}

/// What is not the protocol.
fn unexpected(got: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the other side sent {got}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(stage: Stage, reason: Reason) -> Error {
        no_session(Failure { stage, reason, complaint: None }, 7)
    }

    #[test]
    fn advice_fits_the_complaint() {
        let usual = Error::new(ErrorKind::Rejected, "closed");
        for (code, expected) in [(1_100, "no connection to IBKR"), (10_141, "disclaimer")] {
            let error = explained(&Complaint { code, text: String::new() }, usual.clone());
            assert_eq!(error.code(), Some(code));
            assert!(error.advice().unwrap().contains(expected), "{error:?}");
        }
        let other = explained(&Complaint { code: 507, text: String::new() }, usual.clone());
        assert_eq!((other.code(), other.advice()), (Some(507), usual.advice()));
    }

    #[test]
    fn each_reason_has_its_kind_and_its_phase() {
        let text = || "something".to_owned();
        for (reason, kind) in [
            (Reason::Rejected(text()), ErrorKind::Rejected),
            (Reason::Unexpected(text()), ErrorKind::Protocol),
            (Reason::ServerTooOld(212), ErrorKind::ServerTooOld),
            (Reason::ClientIdInUse, ErrorKind::ClientIdInUse),
            (Reason::BadClient { expected: "API", got: text() }, ErrorKind::Protocol),
            (Reason::ClientLeft(text()), ErrorKind::Disconnected),
            (Reason::Silence, ErrorKind::HandshakeTimeout),
        ] {
            let error = failure(Stage::Version, reason);
            assert_eq!((error.kind(), error.phase()), (kind, Some(Phase::Version)), "{error}");
        }
        let error = failure(Stage::StartApi, Reason::ClientIdInUse);
        assert_eq!(error.code(), Some(326));
        assert!(error.message().contains("client id 7"), "{error}");
        let complaint = Some(Complaint { code: 1_100, text: "lost".to_owned() });
        let reason = Reason::Rejected("closed the connection".to_owned());
        let error = no_session(Failure { stage: Stage::StartApi, reason, complaint }, 7);
        assert_eq!(error.message(), "the Gateway closed the connection and said: lost");
        assert_eq!(error.code(), Some(1_100));
    }

    #[test]
    fn a_list_of_nobody_is_an_error() {
        let refused = accounts_of(" , ").unwrap_err();
        assert_eq!(refused.to_string(), failure(Stage::Accounts, Reason::NoAccounts).to_string());
        assert_eq!((refused.kind(), refused.phase()), (ErrorKind::Protocol, Some(Phase::Accounts)));
        assert!(refused.is_retryable() && refused.advice().unwrap().starts_with("log in"), "{refused}");
        assert_eq!(accounts_of("DU1,DU2").unwrap(), ["DU1", "DU2"]);
    }

    #[test]
    fn ids_that_are_used_up_say_how_to_get_new_ones() {
        let error = failure(Stage::Accounts, Reason::NoOrderIdsLeft(1_787_000_000));
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unsupported, false));
        assert!(error.message().contains("1787000000"), "{error}");
        assert!(error.advice().unwrap().contains("Reset API order ID sequence"), "{error:?}");
    }
}
