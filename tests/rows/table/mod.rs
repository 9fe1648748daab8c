//! The entries, area by area, and the contract that most of them are about.
//!
//! The bytes are written from TWS's message tables (docs/tws-protocol.md), not from what the backends or the simulator do.

mod absent;
mod account_feeds;
mod account_updates;
mod accounts;
mod contracts;
mod depth;
mod gateway;
mod history;
mod market_data;
mod news;
mod options;
mod orders;
mod reference;
mod service;
mod ticks;

use serde_json::{Value, json};

use crate::row::Row;
use crate::support::fake_gateway::message::{Message, message};

pub(crate) fn rows() -> Vec<Row> {
    [
        service::rows(),
        accounts::rows(),
        account_updates::rows(),
        account_feeds::rows(),
        contracts::rows(),
        reference::rows(),
        options::rows(),
        history::rows(),
        ticks::rows(),
        market_data::rows(),
        depth::rows(),
        orders::rows(),
        gateway::rows(),
        news::rows(),
        absent::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The contract as a parameter.
fn aapl() -> Value {
    json!({
        "con_id": 265_598, "symbol": "AAPL", "sec_type": "STK", "exchange": "SMART", "primary_exchange": "NASDAQ", "currency": "USD",
    })
}

/// The same on the wire.
fn aapl_message() -> Message {
    message! { 1: 265_598, 2: "AAPL", 3: "STK", 8: "SMART", 9: "NASDAQ", 10: "USD" }
}

/// A contract in an answer, of which `known` is known.
fn contract(known: Value) -> Value {
    with(
        json!({
            "con_id": 0, "symbol": "", "sec_type": "", "last_trade_date_or_contract_month": "", "strike": null, "right": "",
            "multiplier": "", "exchange": "", "primary_exchange": "", "currency": "", "local_symbol": "", "trading_class": "",
            "sec_id_type": "", "sec_id": "", "include_expired": false,
        }),
        known,
    )
}

/// `object` with the fields of `known`, which it has all.
fn with(mut object: Value, known: Value) -> Value {
    let (Value::Object(fields), Value::Object(known)) = (&mut object, known) else {
        unreachable!("both are objects")
    };
    for (name, value) in known {
        assert!(fields.insert(name.clone(), value).is_some(), "there is no {name}");
    }
    object
}
