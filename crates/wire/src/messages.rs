//! The messages that come from the Gateway, with every field that it sends, as protobuf.
//!
//! Fields have TWS's names in snake case; docs/tws-protocol.md says what they mean. A field that TWS leaves out is `None`, and one
//! that it sends is as it was sent: what stands for "unset" is still in it. Source of the numbers: IBKR's TWS API 10.x, server
//! version 226.

#![expect(missing_docs, reason = "the names are TWS's, and so are their meanings")]

use std::collections::BTreeMap;

mod accounts;
mod contracts;
mod gateway;
mod history;
mod market_data;
mod news;
mod orders;

pub use accounts::*;
pub use contracts::*;
pub use gateway::*;
pub use history::*;
pub use market_data::*;
pub use news::*;
pub use orders::*;

/// A kind of message, as the Gateway sends it.
#[derive(Debug)]
pub struct Layout {
    /// TWS's name of the message.
    pub name: &'static str,
    /// Its fields, by their numbers.
    pub fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its number on the wire.
    pub tag: u32,
    /// Its name, in snake case.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether there can be several.
    pub repeated: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text, which may well be a decimal number.
    Text,
    /// A number of eight bytes.
    Double,
    /// An integer.
    Int32,
    /// An integer, such as a time or a permanent id.
    Int64,
    /// Yes or no.
    Bool,
    /// Another message.
    Message(&'static Layout),
    /// Texts by their names.
    Map,
}

/// A message whose fields can be listed.
pub trait Described {
    /// Its name and its fields.
    const LAYOUT: &'static Layout;
}

/// What a field of this type holds.
trait Held {
    const KIND: Kind;
    const REPEATED: bool = false;
}

impl Held for Option<String> {
    const KIND: Kind = Kind::Text;
}

impl Held for Option<f64> {
    const KIND: Kind = Kind::Double;
}

impl Held for Option<i32> {
    const KIND: Kind = Kind::Int32;
}

impl Held for Option<i64> {
    const KIND: Kind = Kind::Int64;
}

impl Held for Option<bool> {
    const KIND: Kind = Kind::Bool;
}

impl<T: Described> Held for Option<T> {
    const KIND: Kind = Kind::Message(T::LAYOUT);
}

impl<T: Described> Held for Vec<T> {
    const KIND: Kind = Kind::Message(T::LAYOUT);
    const REPEATED: bool = true;
}

impl Held for Vec<String> {
    const KIND: Kind = Kind::Text;
    const REPEATED: bool = true;
}

impl Held for Vec<f64> {
    const KIND: Kind = Kind::Double;
    const REPEATED: bool = true;
}

impl Held for BTreeMap<String, String> {
    const KIND: Kind = Kind::Map;
}

/// Messages for prost, and the list of their fields from the same text.
macro_rules! messages {
    ($(
        pub struct $Name:ident {
            $(
                #[prost(tag = $tag:tt, $($how:tt)*)]
                pub $field:ident: $Type:ty,
            )*
        }
    )+) => { $(
        #[doc = concat!("TWS's ", stringify!($Name), ".")]
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct $Name {
            $(
                #[prost(tag = $tag, $($how)*)]
                pub $field: $Type,
            )*
        }

        impl $crate::messages::Described for $Name {
            const LAYOUT: &'static $crate::messages::Layout = &$crate::messages::Layout {
                name: stringify!($Name),
                fields: &[$(
                    $crate::messages::Field {
                        tag: $tag,
                        name: stringify!($field),
                        kind: <$Type as $crate::messages::Held>::KIND,
                        repeated: <$Type as $crate::messages::Held>::REPEATED,
                    },
                )*],
            };
        }
    )+ };
}
use messages;

/// Which message an id stands for, without the protobuf mark.
macro_rules! incoming {
    ($( $id:literal $Name:ident )+) => {
        /// The messages that have data, by their ids without the protobuf mark. End marks and what begins a session are not among them.
        pub const INCOMING: &[(u32, &Layout)] = &[$( ($id, $Name::LAYOUT) ),+];
    };
}

incoming! {
    1 TickPrice
    2 TickSize
    3 OrderStatus
    5 OpenOrder
    6 AccountValue
    7 PortfolioValue
    8 AccountUpdateTime
    10 ContractData
    11 ExecutionDetails
    12 MarketDepth
    13 MarketDepthL2
    14 NewsBulletin
    15 ManagedAccounts
    16 ReceiveFA
    17 HistoricalData
    18 ContractData
    19 ScannerParameters
    20 ScannerData
    21 TickOptionComputation
    45 TickGeneric
    46 TickString
    49 CurrentTime
    50 RealTimeBarTick
    58 MarketDataType
    59 CommissionAndFeesReport
    61 Position
    63 AccountSummary
    67 DisplayGroupList
    68 DisplayGroupUpdated
    71 PositionMulti
    73 AccountUpdateMulti
    75 SecDefOptParameter
    77 SoftDollarTiers
    78 FamilyCodes
    79 SymbolSamples
    80 MarketDepthExchanges
    81 TickReqParams
    82 SmartComponents
    83 NewsArticle
    84 TickNews
    85 NewsProviders
    86 HistoricalNews
    88 HeadTimestamp
    89 HistogramData
    90 HistoricalDataUpdate
    93 MarketRule
    94 PnL
    95 PnLSingle
    96 HistoricalTicks
    97 HistoricalTicksBidAsk
    98 HistoricalTicksLast
    99 TickByTickData
    100 OrderBound
    101 CompletedOrder
    104 WshMetaData
    105 WshEventData
    106 HistoricalSchedule
    107 UserInfo
    108 HistoricalDataEnd
    109 CurrentTimeInMillis
    110 ConfigResponse
}
