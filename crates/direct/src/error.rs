//! ibapi's errors and the connection's end as ours.

use ibkr_connect_core::{Error, ErrorKind};
use ibkr_connect_wire::Reroute;

use crate::retryable::is_retryable;

/// The error of a request that failed, without the operation's name.
pub(crate) fn request_error(error: ibapi::Error) -> Error {
    use ibapi::Error as Ib;
    if let Some(reroute) = reroute(&error) {
        return rerouted(&reroute);
    }
    let kind = match &error {
        Ib::Notice(notice) => {
            let error = Error::new(ErrorKind::GatewayError, notice.message.clone()).with_code(notice.code);
            let error = match advice(notice.code, &notice.message) {
                Some(advice) => error.with_advice(advice),
                None => error,
            };
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

/// The contract to which the Gateway refers in place of an answer.
pub(crate) fn reroute(error: &ibapi::Error) -> Option<Reroute> {
    match error {
        ibapi::Error::Notice(notice) => Reroute::of_details(&notice.advanced_order_reject_json),
        _ => None,
    }
}

/// The data are another contract's, which is to be asked for.
pub(crate) fn rerouted(reroute: &Reroute) -> Error {
    let Reroute { message, contract_id, exchange } = reroute;
    let exchange = if exchange.is_empty() { "SMART" } else { exchange };
    Error::new(ErrorKind::GatewayError, reroute.to_string()).with_code(*message).with_advice(format!(
        "ask for that contract: {{\"con_id\":{contract_id},\"exchange\":{exchange:?}}}, without symbol and type"
    ))
}

/// What can be done about an error of the Gateway's, by its code: <https://interactivebrokers.github.io/tws-api/message_codes.html>.
pub(crate) fn advice(code: i32, text: &str) -> Option<&'static str> {
    const READ_ONLY: &str = "uncheck \"Read-Only API\" in TWS or the Gateway (Configure, API, Settings): with it questions about orders are refused too";
    let is_read_only = text.to_lowercase().contains("read-only");
    Some(match code {
        200 => {
            "check symbol, type, exchange and currency: `ibkr-connect call matching_symbols --params '{\"pattern\":\"AAPL\"}'` finds symbols; futures and options also need an expiry"
        }
        354 | 10_089 | 10_090 | 10_091 | 10_168 | 10_186 => {
            "the account has no live data of this: ask for delayed data (--delayed, market_data_type 3), or subscribe to it in IBKR's Client Portal and share that with the paper account"
        }
        420 | 10_189 => {
            "the account has no live data of this, and single ticks and real-time bars are never delayed: subscribe to it in IBKR's Client Portal and share that with the paper account, or take market_data with market_data_type 3 (delayed)"
        }
        10_092 => {
            "ask where this type has a book: `ibkr-connect call depth_exchanges` lists it; the exchange SMART needs is_smart_depth, any other one needs it false"
        }
        10_197 => {
            "another session of this login has the market data, in TWS, the Client Portal or the mobile app: log out there, or wait until it ends"
        }
        162 => {
            "ask for another duration, bar size or kind (what_to_show), or at another time: IBKR has no such data, the account may not see them, or it is asked too often"
        }
        321 if is_read_only => READ_ONLY,
        321 => {
            "correct what the text names: the Gateway understood the request and found a parameter of it impossible for this contract or account"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reroute_names_the_contract_and_how_to_ask_for_it() {
        let notice = |details: &str| ibapi::Notice {
            request_id: Some(1_500_000_000),
            code: 200,
            message: "refers to contract 8314".to_owned(),
            error_time: None,
            advanced_order_reject_json: details.to_owned(),
        };
        let error = request_error(ibapi::Error::Notice(notice("ibkr-connect:reroute 92 8314 SMART")));
        assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(92)));
        assert!(
            error.message().contains("market depth") && error.message().contains("contract 8314 at SMART")
        );
        assert!(error.advice().unwrap().contains("{\"con_id\":8314,\"exchange\":\"SMART\"}"), "{error:?}");
        assert_eq!(request_error(ibapi::Error::Notice(notice(""))).code(), Some(200));
    }

    #[test]
    fn what_users_meet_first_has_advice() {
        for code in [162, 200, 321, 354, 420, 10_089, 10_091, 10_092, 10_189, 10_197] {
            assert!(advice(code, "whatever").is_some_and(|advice| !advice.is_empty()), "{code}");
        }
        assert_eq!(advice(366, ""), None);
        let text =
            "Error validating request.-'bV' : cause - The API interface is currently in Read-Only mode.";
        assert!(advice(321, text).unwrap().contains("Read-Only API"));
        assert!(!advice(321, "Invalid end date").unwrap().contains("Read-Only API"));
    }
}
