//! The Gateway has no data of the contract that was asked for, and names another one that has: the data of a CFD are its underlying's.
//! It sends nothing else. A client that knows no such message would wait for ever, so it is given an error that says the same.
//! Source of the numbers: IBKR's TWS API 10.x.

use prost::Message;

use crate::error_frame::ErrorMessage;
use crate::ids::{REQUEST_IDS, incoming};

/// "No security definition has been found for the request": with this code ibapi sends no cancel. The request is over, for its id may
/// be used again at once.
const REQUEST_IS_OVER: i32 = 200;

/// What stands before the contract where an error has details.
const MARK: &str = "ibkr-connect:reroute";

/// RerouteMarketDepthRequest.
const DEPTH: i32 = incoming::REROUTE_MARKET_DEPTH as i32;

/// A contract that the Gateway names in place of the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reroute {
    /// The number of TWS's message: 91 for market data, 92 for market depth.
    pub message: i32,
    /// IBKR's id of the contract.
    pub contract_id: i32,
    /// Where it is to be asked for; empty if the Gateway names no place.
    pub exchange: String,
}

/// RerouteMarketDataRequest, and RerouteMarketDepthRequest.
#[derive(Clone, PartialEq, Message)]
struct Body {
    #[prost(int32, optional, tag = "1")]
    request_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    contract_id: Option<i32>,
    /// Bytes, for a Gateway may write it in the encoding of its machine.
    #[prost(bytes = "vec", optional, tag = "3")]
    exchange: Option<Vec<u8>>,
}

impl Reroute {
    /// Whether a message names another contract, by its id without the protobuf mark.
    pub(crate) fn is_message(id: u32) -> bool {
        matches!(id, incoming::REROUTE_MARKET_DATA | incoming::REROUTE_MARKET_DEPTH)
    }

    /// The message as an error about the request; `None` for what is about no request, or names no contract.
    pub(crate) fn as_error(message: u32, body: &[u8]) -> Option<ErrorMessage> {
        let Body { request_id, contract_id, exchange } = Body::decode(body).ok()?;
        let request_id = request_id.filter(|id| REQUEST_IDS.contains(id))?;
        let contract_id = contract_id.filter(|id| *id > 0)?;
        let exchange = String::from_utf8_lossy(&exchange.unwrap_or_default()).trim().to_owned();
        let reroute = Self { message: i32::try_from(message).ok()?, contract_id, exchange };
        let error = ErrorMessage::new(request_id, REQUEST_IS_OVER, &reroute.to_string());
        Some(error.with_details(&reroute.details()))
    }

    /// The contract that an error of the relay's names, by its details; `None` for any other error's.
    pub fn of_details(details: &str) -> Option<Self> {
        let (message, contract) = details.strip_prefix(MARK)?.trim_start().split_once(' ')?;
        let (contract_id, exchange) = contract.split_once(' ')?;
        Some(Self {
            message: message.parse().ok()?,
            contract_id: contract_id.parse().ok()?,
            exchange: exchange.to_owned(),
        })
    }

    fn details(&self) -> String {
        format!("{MARK} {} {} {}", self.message, self.contract_id, self.exchange)
    }
}

impl std::fmt::Display for Reroute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let data = if self.message == DEPTH { "market depth" } else { "market data" };
        write!(f, "TWS has no {data} of this contract itself and refers to contract {}", self.contract_id)?;
        if self.exchange.is_empty() { Ok(()) } else { write!(f, " at {}", self.exchange) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request_id: i32, contract_id: i32, exchange: &[u8]) -> Vec<u8> {
        let (request_id, contract_id) = (Some(request_id), Some(contract_id));
        Body { request_id, contract_id, exchange: Some(exchange.to_vec()) }.encode_to_vec()
    }

    #[test]
    fn a_reroute_is_an_error_about_its_request_that_names_the_contract() {
        let cases = [(91, "SMART", "market data"), (92, "IBKR ATS", "market depth"), (91, "", "8314")];
        for (message, exchange, told) in cases {
            let error = Reroute::as_error(message, &body(1_500_000_007, 8_314, exchange.as_bytes())).unwrap();
            assert_eq!((error.id(), error.code()), (1_500_000_007, REQUEST_IS_OVER));
            assert!(error.text().contains(told) && error.text().contains("contract 8314"), "{error:?}");
            let reroute = Reroute::of_details(&error.details()).unwrap();
            let message = message as i32;
            assert_eq!(reroute, Reroute { message, contract_id: 8_314, exchange: exchange.to_owned() });
        }
        let odd = Reroute::as_error(91, &body(1_500_000_007, 8_314, b" \xd6SE ")).unwrap();
        assert_eq!(Reroute::of_details(&odd.details()).unwrap().exchange, "\u{fffd}SE");
    }

    #[test]
    fn what_is_about_no_request_or_names_no_contract_is_none() {
        let order_id = 1_499_999_999;
        for (request_id, contract_id) in
            [(-1, 8_314), (order_id, 8_314), (1_500_000_000, 0), (1_500_000_000, -5)]
        {
            assert_eq!(Reroute::as_error(91, &body(request_id, contract_id, b"SMART")), None);
        }
        assert!(Reroute::as_error(91, &body(1_500_000_000, 8_314, b"SMART")).is_some());
        for body in [b"".as_slice(), b"\x08", b"91\x001\x008314\x00SMART\0"] {
            assert_eq!(Reroute::as_error(91, body), None, "{body:?}");
        }
    }

    #[test]
    fn only_what_we_have_written_is_read_as_details() {
        let others = ["", MARK, "{\"reject\":1}", "ibkr-connect:reroute 91 x SMART", "91 8314 SMART"];
        for details in others {
            assert_eq!(Reroute::of_details(details), None, "{details:?}");
        }
    }
}
