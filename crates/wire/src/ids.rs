//! The numbers of TWS's messages that this crate has a use for, and the bodies that begin a session.
//! Source: IBKR's TWS API 10.x.

use prost::Message;

/// The oldest server version that speaks the protobuf dialect for every message.
pub const MIN_SERVER_VERSION: i32 = 213;

/// Added to a message's id when its body is protobuf.
pub const PROTOBUF: u32 = 200;

/// Notices about data farms and the like (2100 to 2199): nothing that a connection ends for.
pub const CHATTER: std::ops::Range<i32> = 2_100..2_200;

/// The ids of requests: what is below is an order's.
pub const REQUEST_IDS: std::ops::RangeFrom<i32> = 1_500_000_000..;

/// Messages from a client.
pub mod outgoing {
    /// StartApi, the message that begins a session, the first with an id.
    pub const START_API: u32 = 71;
}

/// Messages from the Gateway.
pub mod incoming {
    /// OrderStatus.
    pub const ORDER_STATUS: u32 = 3;
    /// ErrorMessage.
    pub const ERROR: u32 = 4;
    /// NextValidId.
    pub const NEXT_VALID_ID: u32 = 9;
    /// ManagedAccounts.
    pub const MANAGED_ACCOUNTS: u32 = 15;
    /// RerouteMarketDataRequest.
    pub const REROUTE_MARKET_DATA: u32 = 91;
    /// RerouteMarketDepthRequest.
    pub const REROUTE_MARKET_DEPTH: u32 = 92;
}

/// Ticks, which are messages from the Gateway too.
pub mod tick {
    /// TickPrice.
    pub const PRICE: u32 = 1;
    /// TickSize.
    pub const SIZE: u32 = 2;
    /// TickOptionComputation.
    pub const OPTION_COMPUTATION: u32 = 21;
    /// TickGeneric.
    pub const GENERIC: u32 = 45;
    /// TickString.
    pub const STRING: u32 = 46;
    /// MarketDataType.
    pub const MARKET_DATA_TYPE: u32 = 58;
    /// TickReqParams.
    pub const REQ_PARAMS: u32 = 81;
}

/// ManagedAccounts: a comma-separated list.
#[derive(Clone, PartialEq, Message)]
pub struct ManagedAccounts {
    /// The list.
    #[prost(string, optional, tag = "1")]
    pub accounts: Option<String>,
}

impl ManagedAccounts {
    /// The accounts in the list; empty for a Gateway that is not logged in yet.
    pub fn names(list: &str) -> Vec<String> {
        list.split(',').map(str::trim).filter(|account| !account.is_empty()).map(str::to_owned).collect()
    }
}

/// NextValidId.
#[derive(Clone, PartialEq, Message)]
pub struct NextValidId {
    /// The lowest id that the client's next order may have.
    #[prost(int32, optional, tag = "1")]
    pub order_id: Option<i32>,
}
