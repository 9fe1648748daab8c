//! The messages: ids and fields, written by hand from the wire, only those the simulator needs.
//!
//! Field names are IBKR's in snake case. Every scalar has explicit presence (`optional`), as on the
//! real wire. Messages that carry nothing but a request id share [`RequestId`].

use prost::Message;

pub(crate) use accounts::*;
pub(crate) use contract::{Contract, ContractDetails};
pub(crate) use gateway::*;
pub(crate) use history::*;
pub(crate) use market_data::*;
pub(crate) use news::*;
pub(crate) use orders::*;
pub(crate) use reference::*;
pub(crate) use requests::*;
pub(crate) use responses::*;

use crate::framing::Frame;

mod accounts;
mod contract;
mod gateway;
mod history;
mod market_data;
mod news;
mod orders;
mod reference;
mod requests;
mod responses;

/// Base ids of what a client sends.
pub(crate) mod request {
    pub(crate) const MARKET_DATA: i32 = 1;
    pub(crate) const CANCEL_MARKET_DATA: i32 = 2;
    pub(crate) const PLACE_ORDER: i32 = 3;
    pub(crate) const CANCEL_ORDER: i32 = 4;
    pub(crate) const OPEN_ORDERS: i32 = 5;
    pub(crate) const ACCOUNT_DATA: i32 = 6;
    pub(crate) const EXECUTIONS: i32 = 7;
    pub(crate) const IDS: i32 = 8;
    pub(crate) const CONTRACT_DATA: i32 = 9;
    pub(crate) const MARKET_DEPTH: i32 = 10;
    pub(crate) const CANCEL_MARKET_DEPTH: i32 = 11;
    pub(crate) const NEWS_BULLETINS: i32 = 12;
    pub(crate) const CANCEL_NEWS_BULLETINS: i32 = 13;
    pub(crate) const AUTO_OPEN_ORDERS: i32 = 15;
    pub(crate) const ALL_OPEN_ORDERS: i32 = 16;
    pub(crate) const MANAGED_ACCOUNTS: i32 = 17;
    pub(crate) const FA: i32 = 18;
    pub(crate) const REPLACE_FA: i32 = 19;
    pub(crate) const HISTORICAL_DATA: i32 = 20;
    pub(crate) const EXERCISE_OPTIONS: i32 = 21;
    pub(crate) const SCANNER_SUBSCRIPTION: i32 = 22;
    pub(crate) const CANCEL_SCANNER_SUBSCRIPTION: i32 = 23;
    pub(crate) const SCANNER_PARAMETERS: i32 = 24;
    pub(crate) const CANCEL_HISTORICAL_DATA: i32 = 25;
    pub(crate) const CURRENT_TIME: i32 = 49;
    pub(crate) const REAL_TIME_BARS: i32 = 50;
    pub(crate) const CANCEL_REAL_TIME_BARS: i32 = 51;
    pub(crate) const CALC_IMPLIED_VOLATILITY: i32 = 54;
    pub(crate) const CALC_OPTION_PRICE: i32 = 55;
    pub(crate) const CANCEL_CALC_IMPLIED_VOLATILITY: i32 = 56;
    pub(crate) const CANCEL_CALC_OPTION_PRICE: i32 = 57;
    pub(crate) const GLOBAL_CANCEL: i32 = 58;
    pub(crate) const MARKET_DATA_TYPE: i32 = 59;
    pub(crate) const POSITIONS: i32 = 61;
    pub(crate) const ACCOUNT_SUMMARY: i32 = 62;
    pub(crate) const CANCEL_ACCOUNT_SUMMARY: i32 = 63;
    pub(crate) const CANCEL_POSITIONS: i32 = 64;
    pub(crate) const DISPLAY_GROUPS: i32 = 67;
    pub(crate) const DISPLAY_GROUP_EVENTS: i32 = 68;
    pub(crate) const CANCEL_DISPLAY_GROUP_EVENTS: i32 = 70;
    pub(crate) const START_API: i32 = 71;
    pub(crate) const SEC_DEF_OPT_PARAMS: i32 = 78;
    pub(crate) const SOFT_DOLLAR_TIERS: i32 = 79;
    pub(crate) const MATCHING_SYMBOLS: i32 = 81;
    pub(crate) const POSITIONS_MULTI: i32 = 74;
    pub(crate) const CANCEL_POSITIONS_MULTI: i32 = 75;
    pub(crate) const ACCOUNT_UPDATES_MULTI: i32 = 76;
    pub(crate) const CANCEL_ACCOUNT_UPDATES_MULTI: i32 = 77;
    pub(crate) const FAMILY_CODES: i32 = 80;
    pub(crate) const MARKET_DEPTH_EXCHANGES: i32 = 82;
    pub(crate) const SMART_COMPONENTS: i32 = 83;
    pub(crate) const NEWS_ARTICLE: i32 = 84;
    pub(crate) const NEWS_PROVIDERS: i32 = 85;
    pub(crate) const HISTORICAL_NEWS: i32 = 86;
    pub(crate) const HEAD_TIMESTAMP: i32 = 87;
    pub(crate) const HISTOGRAM_DATA: i32 = 88;
    pub(crate) const CANCEL_HISTOGRAM_DATA: i32 = 89;
    pub(crate) const CANCEL_HEAD_TIMESTAMP: i32 = 90;
    pub(crate) const MARKET_RULE: i32 = 91;
    pub(crate) const PNL: i32 = 92;
    pub(crate) const CANCEL_PNL: i32 = 93;
    pub(crate) const PNL_SINGLE: i32 = 94;
    pub(crate) const CANCEL_PNL_SINGLE: i32 = 95;
    pub(crate) const HISTORICAL_TICKS: i32 = 96;
    pub(crate) const TICK_BY_TICK: i32 = 97;
    pub(crate) const CANCEL_TICK_BY_TICK: i32 = 98;
    pub(crate) const COMPLETED_ORDERS: i32 = 99;
    pub(crate) const USER_INFO: i32 = 104;
    pub(crate) const WSH_META_DATA: i32 = 100;
    pub(crate) const CANCEL_WSH_META_DATA: i32 = 101;
    pub(crate) const WSH_EVENT_DATA: i32 = 102;
    pub(crate) const CANCEL_WSH_EVENT_DATA: i32 = 103;
    pub(crate) const CURRENT_TIME_IN_MILLIS: i32 = 105;
    pub(crate) const CANCEL_CONTRACT_DATA: i32 = 106;
    pub(crate) const CANCEL_HISTORICAL_TICKS: i32 = 107;
    pub(crate) const CONFIG: i32 = 108;
}

/// The name of a request in IBKR's API; `None` for those the simulator doesn't serve.
pub(crate) fn request_name(id: i32) -> Option<&'static str> {
    Some(match id {
        request::MARKET_DATA => "reqMktData",
        request::CANCEL_MARKET_DATA => "cancelMktData",
        request::PLACE_ORDER => "placeOrder",
        request::CANCEL_ORDER => "cancelOrder",
        request::OPEN_ORDERS => "reqOpenOrders",
        request::ACCOUNT_DATA => "reqAccountUpdates",
        request::EXECUTIONS => "reqExecutions",
        request::IDS => "reqIds",
        request::CONTRACT_DATA => "reqContractDetails",
        request::MARKET_DEPTH => "reqMktDepth",
        request::CANCEL_MARKET_DEPTH => "cancelMktDepth",
        request::NEWS_BULLETINS => "reqNewsBulletins",
        request::CANCEL_NEWS_BULLETINS => "cancelNewsBulletins",
        request::AUTO_OPEN_ORDERS => "reqAutoOpenOrders",
        request::ALL_OPEN_ORDERS => "reqAllOpenOrders",
        request::MANAGED_ACCOUNTS => "reqManagedAccts",
        request::FA => "requestFA",
        request::REPLACE_FA => "replaceFA",
        request::HISTORICAL_DATA => "reqHistoricalData",
        request::EXERCISE_OPTIONS => "exerciseOptions",
        request::SCANNER_SUBSCRIPTION => "reqScannerSubscription",
        request::CANCEL_SCANNER_SUBSCRIPTION => "cancelScannerSubscription",
        request::SCANNER_PARAMETERS => "reqScannerParameters",
        request::CANCEL_HISTORICAL_DATA => "cancelHistoricalData",
        request::CURRENT_TIME => "reqCurrentTime",
        request::REAL_TIME_BARS => "reqRealTimeBars",
        request::CANCEL_REAL_TIME_BARS => "cancelRealTimeBars",
        request::CALC_IMPLIED_VOLATILITY => "calculateImpliedVolatility",
        request::CALC_OPTION_PRICE => "calculateOptionPrice",
        request::CANCEL_CALC_IMPLIED_VOLATILITY => "cancelCalculateImpliedVolatility",
        request::CANCEL_CALC_OPTION_PRICE => "cancelCalculateOptionPrice",
        request::GLOBAL_CANCEL => "reqGlobalCancel",
        request::MARKET_DATA_TYPE => "reqMarketDataType",
        request::POSITIONS => "reqPositions",
        request::ACCOUNT_SUMMARY => "reqAccountSummary",
        request::CANCEL_ACCOUNT_SUMMARY => "cancelAccountSummary",
        request::CANCEL_POSITIONS => "cancelPositions",
        request::DISPLAY_GROUPS => "queryDisplayGroups",
        request::DISPLAY_GROUP_EVENTS => "subscribeToGroupEvents",
        request::CANCEL_DISPLAY_GROUP_EVENTS => "unsubscribeFromGroupEvents",
        request::START_API => "startApi",
        request::SEC_DEF_OPT_PARAMS => "reqSecDefOptParams",
        request::SOFT_DOLLAR_TIERS => "reqSoftDollarTiers",
        request::MATCHING_SYMBOLS => "reqMatchingSymbols",
        request::POSITIONS_MULTI => "reqPositionsMulti",
        request::CANCEL_POSITIONS_MULTI => "cancelPositionsMulti",
        request::ACCOUNT_UPDATES_MULTI => "reqAccountUpdatesMulti",
        request::CANCEL_ACCOUNT_UPDATES_MULTI => "cancelAccountUpdatesMulti",
        request::FAMILY_CODES => "reqFamilyCodes",
        request::MARKET_DEPTH_EXCHANGES => "reqMktDepthExchanges",
        request::SMART_COMPONENTS => "reqSmartComponents",
        request::NEWS_ARTICLE => "reqNewsArticle",
        request::NEWS_PROVIDERS => "reqNewsProviders",
        request::HISTORICAL_NEWS => "reqHistoricalNews",
        request::HEAD_TIMESTAMP => "reqHeadTimestamp",
        request::HISTOGRAM_DATA => "reqHistogramData",
        request::CANCEL_HISTOGRAM_DATA => "cancelHistogramData",
        request::CANCEL_HEAD_TIMESTAMP => "cancelHeadTimestamp",
        request::MARKET_RULE => "reqMarketRule",
        request::PNL => "reqPnL",
        request::CANCEL_PNL => "cancelPnL",
        request::PNL_SINGLE => "reqPnLSingle",
        request::CANCEL_PNL_SINGLE => "cancelPnLSingle",
        request::HISTORICAL_TICKS => "reqHistoricalTicks",
        request::TICK_BY_TICK => "reqTickByTickData",
        request::CANCEL_TICK_BY_TICK => "cancelTickByTickData",
        request::COMPLETED_ORDERS => "reqCompletedOrders",
        request::USER_INFO => "reqUserInfo",
        request::WSH_META_DATA => "reqWshMetaData",
        request::CANCEL_WSH_META_DATA => "cancelWshMetaData",
        request::WSH_EVENT_DATA => "reqWshEventData",
        request::CANCEL_WSH_EVENT_DATA => "cancelWshEventData",
        request::CURRENT_TIME_IN_MILLIS => "reqCurrentTimeInMillis",
        request::CANCEL_CONTRACT_DATA => "cancelContractData",
        request::CANCEL_HISTORICAL_TICKS => "cancelHistoricalTicks",
        request::CONFIG => "reqConfig",
        _ => return None,
    })
}

/// Whether a request could place, change, cancel or exercise an order, or replace advisor data.
pub(crate) fn is_order(id: i32) -> bool {
    use request::*;
    matches!(id, PLACE_ORDER | CANCEL_ORDER | EXERCISE_OPTIONS | GLOBAL_CANCEL | REPLACE_FA)
}

/// Whether a request ends a subscription or a query.
pub(crate) fn is_cancel(id: i32) -> bool {
    use request::*;
    matches!(
        id,
        CANCEL_MARKET_DATA
            | CANCEL_MARKET_DEPTH
            | CANCEL_HISTORICAL_DATA
            | CANCEL_REAL_TIME_BARS
            | CANCEL_ACCOUNT_SUMMARY
            | CANCEL_POSITIONS
            | CANCEL_POSITIONS_MULTI
            | CANCEL_ACCOUNT_UPDATES_MULTI
            | CANCEL_PNL
            | CANCEL_PNL_SINGLE
            | CANCEL_HISTOGRAM_DATA
            | CANCEL_HEAD_TIMESTAMP
            | CANCEL_TICK_BY_TICK
            | CANCEL_CONTRACT_DATA
            | CANCEL_HISTORICAL_TICKS
            | CANCEL_CALC_IMPLIED_VOLATILITY
            | CANCEL_CALC_OPTION_PRICE
            | CANCEL_NEWS_BULLETINS
            | CANCEL_SCANNER_SUBSCRIPTION
            | CANCEL_WSH_META_DATA
            | CANCEL_WSH_EVENT_DATA
    )
}

/// Whether the first field of a request the simulator doesn't serve is its request id.
pub(crate) fn carries_request_id(id: i32) -> bool {
    matches!(id, 52 | 109)
}

/// A message the simulator sends, with its base id.
pub(crate) trait Response: Message + Sized {
    const ID: i32;

    fn frame(&self) -> Frame {
        Frame { id: Self::ID, body: self.encode_to_vec() }
    }
}

macro_rules! responses {
    ($($id:literal => $message:ident)*) => { $(impl Response for $message { const ID: i32 = $id; })* };
}

responses! {
    1 => TickPrice
    2 => TickSize
    3 => OrderStatus
    4 => ErrorMessage
    5 => OpenOrder
    6 => AccountValue
    7 => PortfolioValue
    8 => AccountUpdateTime
    9 => NextValidId
    10 => ContractData
    11 => ExecutionDetails
    12 => MarketDepth
    13 => MarketDepthL2
    14 => NewsBulletin
    15 => ManagedAccounts
    16 => ReceiveFa
    17 => HistoricalData
    21 => TickOptionComputation
    19 => ScannerParameters
    20 => ScannerData
    45 => TickGeneric
    46 => TickString
    49 => CurrentTime
    50 => RealTimeBarTick
    54 => AccountDataEnd
    58 => MarketDataType
    59 => CommissionAndFeesReport
    61 => Position
    63 => AccountSummary
    67 => DisplayGroupList
    68 => DisplayGroupUpdated
    75 => SecDefOptParameter
    77 => SoftDollarTiers
    79 => SymbolSamples
    71 => PositionMulti
    73 => AccountUpdateMulti
    78 => FamilyCodes
    80 => MarketDepthExchanges
    81 => TickReqParams
    82 => SmartComponents
    83 => NewsArticle
    84 => TickNews
    85 => NewsProviders
    86 => HistoricalNews
    87 => HistoricalNewsEnd
    88 => HeadTimestamp
    89 => HistogramData
    90 => HistoricalDataUpdate
    91 => RerouteMarketData
    92 => RerouteMarketDepth
    93 => MarketRule
    94 => Pnl
    95 => PnlSingle
    96 => HistoricalTicks
    97 => HistoricalTicksBidAsk
    98 => HistoricalTicksLast
    99 => TickByTickData
    101 => CompletedOrder
    104 => WshMetaData
    105 => WshEventData
    106 => HistoricalSchedule
    107 => UserInfo
    108 => HistoricalDataEnd
    109 => CurrentTimeInMillis
    110 => ConfigResponse
}

/// Base ids of the ends that carry nothing but a request id, or nothing at all.
pub(crate) mod end {
    pub(crate) const CONTRACT_DATA: i32 = 52;
    pub(crate) const OPEN_ORDERS: i32 = 53;
    pub(crate) const EXECUTIONS: i32 = 55;
    pub(crate) const TICK_SNAPSHOT: i32 = 57;
    pub(crate) const POSITIONS: i32 = 62;
    pub(crate) const ACCOUNT_SUMMARY: i32 = 64;
    pub(crate) const OPTION_CHAIN: i32 = 76;
    pub(crate) const POSITIONS_MULTI: i32 = 72;
    pub(crate) const ACCOUNT_UPDATES_MULTI: i32 = 74;
    pub(crate) const COMPLETED_ORDERS: i32 = 102;
}

/// The end of an answer, with the id of the request if it has one.
pub(crate) fn end_frame(id: i32, req_id: Option<i32>) -> Frame {
    Frame { id, body: RequestId { req_id }.encode_to_vec() }
}
