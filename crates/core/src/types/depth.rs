//! Order books, and which exchanges are behind books and quotes.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::{Contract, SecType};

/// What [`market_depth`](crate::Session::market_depth) subscribes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct MarketDepthParams {
    /// Of which contract.
    pub contract: Contract,
    /// How many rows on each side.
    pub number_of_rows: u32,
    /// One book over all exchanges, for contracts at `SMART`.
    pub is_smart_depth: bool,
}

impl Default for MarketDepthParams {
    fn default() -> Self {
        Self { contract: Contract::default(), number_of_rows: 5, is_smart_depth: false }
    }
}

/// One event of a book: apply the rows in order to get the book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MarketDepthEvent {
    /// A row changed.
    Row(DepthRow),
    /// TWS has thrown its book away (317): empty yours, it is sent again.
    Reset {},
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code; 92 where the contract has no book itself, as a CFD of a stock, and that of the contract follows that the
        /// text names.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// A change of one row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct DepthRow {
    /// Which side of the book.
    pub side: DepthSide,
    /// Which row of the side, 0 for the best price.
    pub position: u32,
    /// What happens to the row.
    pub operation: DepthOperation,
    /// The price, in the contract's currency; without meaning for a deleted row.
    pub price: Option<f64>,
    /// The size, in shares or contracts; without meaning for a deleted row.
    pub size: Option<f64>,
    /// The market maker, or in smart depth the exchange; `None` in books that have prices only (level 1).
    pub market_maker: Option<String>,
    /// Whether the row is of a book over all exchanges.
    pub is_smart_depth: bool,
}

/// A side of a book.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DepthSide {
    /// What is offered.
    #[default]
    Ask,
    /// What is wanted.
    Bid,
}

/// What happens to a row of a book.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DepthOperation {
    /// It comes in, and those from its position on move back.
    #[default]
    Insert,
    /// It changes.
    Update,
    /// It goes, and those behind it move up.
    Delete,
}

/// An exchange that has market depth.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct DepthExchange {
    /// The exchange.
    pub exchange: String,
    /// The security type, e.g. `STK`.
    pub sec_type: SecType,
    /// The listing exchange; empty for all.
    pub listing_exchange: String,
    /// The service, e.g. `Deep` or `Deep2`.
    pub service_data_type: String,
    /// The group of exchanges it is shown with; `None` for none.
    pub agg_group: Option<String>,
}

/// What [`smart_components`](crate::Session::smart_components) asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct SmartComponentsParams {
    /// The key, from the `bbo_exchange` of market data.
    #[setters(into)]
    pub bbo_exchange: String,
}

/// One exchange behind a smart-routed quote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct SmartComponent {
    /// Its bit in the quote's exchange mask.
    pub bit_number: i32,
    /// The exchange.
    pub exchange: String,
    /// Its letter in `bid_exch`, `ask_exch` and `last_exch`.
    pub exchange_letter: String,
}
