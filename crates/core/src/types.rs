//! The domain in TWS terms: stable JSON, `Option` where TWS says "unset", never NaN, times in UTC (RFC 3339).

mod account;
mod advisor;
mod bar_streams;
mod bars;
mod connectivity;
mod contract;
mod depth;
mod execution;
mod gateway_config;
mod history;
mod market_data;
mod names;
mod notice;
mod order;
mod order_state;
mod quote;
mod tick_type;
mod ticks;
mod tws_time;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;

pub use account::{AccountSummaryParams, AccountSummaryValue, Position};
pub use advisor::{AdvisorConfigParams, AdvisorDataType, DisplayGroupEvent, DisplayGroupEventsParams};
pub use bar_streams::{
    HistoricalBarUpdatesEvent, HistoricalBarUpdatesParams, RealTimeBarKind, RealTimeBarsEvent,
    RealTimeBarsParams,
};
pub use bars::{Bar, BarSize, BarTime, HistoricalBars, HistoricalBarsParams, HistoricalDuration, WhatToShow};
pub use connectivity::{Connectivity, ConnectivityEvent, FarmKind, FarmStatus};
pub use contract::{Contract, ContractDetails};
pub use depth::{
    DepthExchange, DepthOperation, DepthRow, DepthSide, MarketDepthEvent, MarketDepthParams, SmartComponent,
    SmartComponentsParams,
};
pub use execution::{
    CommissionReport, Execution, ExecutionDetails, ExecutionSide, ExecutionsParams, ExecutionsSide,
};
pub use gateway_config::{
    ApiSettings, GatewayConfig, LockAndExitConfig, MessageConfig, PrecautionsConfig, SmartRoutingConfig,
};
pub use history::{
    HeadTimestampParams, HistogramEntry, HistogramParams, HistogramPeriod, HistoricalSchedule,
    HistoricalScheduleParams, ScheduleSession,
};
pub use market_data::{MarketDataEvent, MarketDataParams};
pub use names::UnknownName;
pub use notice::Notice;
pub use order::{Condition, Order, OrderAction, OrderCondition, SoftDollarTier};
pub use order_state::{
    CompletedOrder, CompletedOrdersParams, OpenOrder, OrderState, OrderStatus, OrderUpdatesEvent,
};
pub use quote::{MarketDataType, Quote, QuoteSnapshotParams};
pub use tick_type::TickType;
pub use ticks::{
    BidAskTick, HistoricalTickKind, HistoricalTicks, HistoricalTicksParams, MidpointTick, TickByTickEvent,
    TickByTickParams, TickByTickType, TradeTick,
};
pub use tws_time::TwsTime;

/// `value`, unless it is one of TWS's ways to say "unset": NaN, an infinity or the largest double.
pub fn set(value: f64) -> Option<f64> {
    (value.is_finite() && value.abs() < f64::MAX).then_some(value)
}
