//! The domain in TWS terms: stable JSON, `Option` where TWS says "unset", never NaN, times in UTC (RFC 3339).

mod account;
mod account_updates;
mod advisor;
mod bar_streams;
mod bars;
mod bond;
mod combo;
mod connectivity;
mod contract;
mod contract_builders;
mod depth;
mod execution;
mod expiry;
mod fund;
mod gateway_config;
mod history;
mod market_data;
mod names;
mod news;
mod notice;
mod option_model;
mod order;
mod order_condition;
mod order_state;
mod pnl;
mod portfolio;
mod proof_of_life;
mod quote;
mod reference;
mod scanner;
#[cfg(feature = "schema")]
pub(crate) mod schema;
mod sec_type;
mod security_id;
mod tick_type;
mod ticks;
mod tws_time;
mod words;
mod wsh;

pub use account::{AccountSummaryParams, AccountSummaryValue, FamilyCode, Position, UserInfo};
pub use account_updates::{
    AccountMultiValue, AccountSummaryUpdatesEvent, AccountUpdatesMultiEvent, AccountUpdatesMultiParams,
    PositionMulti, PositionsMultiEvent, PositionsMultiParams,
};
pub use advisor::{AdvisorConfigParams, AdvisorDataType, DisplayGroupEvent, DisplayGroupEventsParams};
pub use bar_streams::{
    HistoricalBarUpdatesEvent, HistoricalBarUpdatesParams, RealTimeBarKind, RealTimeBarsEvent,
    RealTimeBarsParams,
};
pub use bars::{
    Bar, BarSize, BarTime, HistoricalBars, HistoricalBarsParams, HistoricalDuration, InvalidDuration,
    WhatToShow,
};
pub use bond::BondDetails;
pub use combo::{ComboLeg, DeltaNeutralContract, LegAction, LegOpenClose};
pub use connectivity::{Connectivity, ConnectivityEvent, FarmKind, FarmStatus};
pub use contract::{Contract, ContractDetails, IneligibilityReason};
pub use contract_builders::OptionRight;
pub use depth::{
    DepthExchange, DepthOperation, DepthRow, DepthSide, MarketDepthEvent, MarketDepthParams, SmartComponent,
    SmartComponentsParams,
};
pub use execution::{
    CommissionReport, Execution, ExecutionDetails, ExecutionSide, ExecutionsParams, ExecutionsSide,
};
pub use expiry::{Expiry, InvalidExpiry};
pub use fund::{EventContractDetails, FundDetails};
pub use gateway_config::{
    ApiSettings, GatewayConfig, LockAndExitConfig, MessageConfig, PrecautionsConfig, SmartRoutingConfig,
};
pub use history::{
    HeadTimestampParams, HistogramEntry, HistogramParams, HistogramPeriod, HistoricalSchedule,
    HistoricalScheduleParams, ScheduleSession,
};
pub use market_data::{MarketDataEvent, MarketDataParams, PriceAttributes};
pub use names::{UnknownName, UnknownNumber};
pub use news::{
    BroadTapeNewsParams, ContractNewsParams, HistoricalNews, HistoricalNewsParams, NewsArticle,
    NewsArticleParams, NewsArticleType, NewsBulletin, NewsEvent, NewsHeadline, NewsProvider,
};
pub use notice::{Notice, VersionRetirement};
pub use option_model::{CalculateImpliedVolatilityParams, CalculateOptionPriceParams, OptionComputation};
pub use order::{Order, OrderAction, SoftDollarTier};
pub use order_condition::{Condition, OrderCondition};
pub use order_state::{
    CompletedOrder, CompletedOrdersParams, OpenOrder, OrderAllocation, OrderState, OrderStatus,
    OrderUpdatesEvent,
};
pub use pnl::{Pnl, PnlEvent, PnlParams, PnlSingle, PnlSingleEvent, PnlSingleParams};
pub use portfolio::{
    AccountUpdatesEvent, AccountUpdatesParams, AccountUpdatesSnapshot, AccountValue, PortfolioValue,
    PositionUpdatesEvent,
};
pub use proof_of_life::ProofOfLife;
pub use quote::{MarketDataType, Quote, QuoteSnapshotParams};
pub use reference::{
    MarketRule, MarketRuleParams, MatchingSymbolsParams, OptionChain, OptionChainParams, PriceIncrement,
    SymbolMatch,
};
pub use scanner::{ScannerEvent, ScannerParams, ScannerRow};
pub use sec_type::{Right, SecType};
pub use security_id::{InvalidSecurityId, SecurityId};
pub use tick_type::TickType;
pub use ticks::{
    BidAskTick, HistoricalTickKind, HistoricalTicks, HistoricalTicksParams, MidpointTick, TickByTickEvent,
    TickByTickParams, TickByTickType, TradeTick,
};
pub use tws_time::TwsTime;
pub use wsh::WshEventsParams;

/// `value`, unless it is one of TWS's ways to say "unset": NaN, an infinity or the largest double.
#[doc(hidden)]
pub fn set(value: f64) -> Option<f64> {
    /// TWS's "unset" is the largest number of all.
    const UNSET_FROM: f64 = 1e308;
    (value.abs() < UNSET_FROM).then_some(value)
}

/// `value`, unless it is TWS's way to say "unset": the largest integer.
#[doc(hidden)]
pub fn number(value: i32) -> Option<i32> {
    (value != i32::MAX).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_NUMBERS: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

    /// TWS's "unset", and what a mistake of ours could let through: JSON has no such numbers, and never gets a text or a huge
    /// number in their place.
    #[test]
    fn what_is_no_number_is_unset_in_json() {
        for lost in NO_NUMBERS {
            let quote = Quote { bid: Some(lost), ask: Some(230.5), ..Quote::default() };
            let json = serde_json::to_value(&quote).unwrap();
            assert_eq!((json["bid"].clone(), json["ask"].as_f64()), (serde_json::Value::Null, Some(230.5)));
            let text = serde_json::to_string(&quote).unwrap();
            assert_eq!(serde_json::from_str::<Quote>(&text).unwrap(), Quote { bid: None, ..quote }, "{text}");
        }
    }

    #[test]
    fn twss_ways_to_say_unset_are_none() {
        for unset in NO_NUMBERS.into_iter().chain([f64::MAX, f64::MIN]) {
            assert_eq!(set(unset), None);
        }
        assert_eq!([i32::MAX, i32::MIN, -1, 0].map(number), [None, Some(i32::MIN), Some(-1), Some(0)]);
        for number in [0.0, -0.0, -1.0, 9_223_372_036_854_775_807.0, f64::MIN_POSITIVE] {
            assert_eq!(set(number), Some(number));
        }
    }
}
