//! Which events are newer values of the same field: the one place that decides what may be merged.

use crate::Event;
use crate::types::{MarketDataEvent, PnlEvent, PnlSingleEvent, TickByTickEvent, TickType};

/// Texts that report a trade or a headline each, and no state: RT volume, RT trade volume, news.
const EACH_IS_NEWS: [TickType; 3] = [TickType(48), TickType(77), TickType(62)];

/// A field of a stream. Of two events with the same key, the newer one makes the older one pointless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConflationKey {
    field: &'static str,
    number: i32,
}

impl ConflationKey {
    /// One of the values of this name, told apart by `number`, e.g. a tick type.
    pub const fn new(field: &'static str, number: i32) -> Self {
        Self { field, number }
    }
}

impl Event {
    /// The field whose value this event is; `None` for what must not be merged: news, notices, ends, and whatever carries
    /// more than the state of one field.
    #[doc(hidden)]
    pub fn conflation_key(&self) -> Option<ConflationKey> {
        match self {
            Self::MarketData(event) => market_data(event),
            Self::TickByTick(TickByTickEvent::BidAsk(_)) => Some(ConflationKey::new("bid_ask", 0)),
            Self::TickByTick(TickByTickEvent::Midpoint(_)) => Some(ConflationKey::new("midpoint", 0)),
            Self::Pnl(PnlEvent::Pnl(_)) => Some(ConflationKey::new("pnl", 0)),
            Self::PnlSingle(PnlSingleEvent::Pnl(_)) => Some(ConflationKey::new("pnl", 0)),
            Self::TickByTick(_)
            | Self::RealTimeBars(_)
            | Self::HistoricalBarUpdates(_)
            | Self::MarketDepth(_)
            | Self::AccountSummaryUpdates(_)
            | Self::AccountUpdates(_)
            | Self::AccountUpdatesMulti(_)
            | Self::PositionUpdates(_)
            | Self::PositionsMulti(_)
            | Self::Pnl(_)
            | Self::PnlSingle(_)
            | Self::ContractNews(_)
            | Self::BroadTapeNews(_)
            | Self::Scanner(_)
            | Self::NewsBulletins(_)
            | Self::Notices(_)
            | Self::OrderUpdates(_)
            | Self::DisplayGroupEvents(_)
            | Self::Connectivity(_) => None,
        }
    }
}

fn market_data(event: &MarketDataEvent) -> Option<ConflationKey> {
    let tick = |field, tick_type: &TickType| Some(ConflationKey::new(field, tick_type.0));
    match event {
        MarketDataEvent::Price { tick_type, .. } => tick("price", tick_type),
        MarketDataEvent::Size { tick_type, .. } => tick("size", tick_type),
        MarketDataEvent::Text { tick_type, .. } if EACH_IS_NEWS.contains(tick_type) => None,
        MarketDataEvent::Text { tick_type, .. } => tick("text", tick_type),
        MarketDataEvent::Generic { tick_type, .. } => tick("generic", tick_type),
        MarketDataEvent::OptionComputation { tick_type, .. } => tick("option_computation", tick_type),
        MarketDataEvent::RequestParameters { .. }
        | MarketDataEvent::MarketDataType { .. }
        | MarketDataEvent::Notice { .. }
        | MarketDataEvent::SnapshotEnd {} => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StreamRequest;
    use crate::types::TickByTickParams;

    #[test]
    fn a_trade_and_a_headline_are_no_state() {
        for (name, merges) in
            [("last_timestamp", true), ("rt_volume", false), ("rt_trd_volume", false), ("news_tick", false)]
        {
            let tick_type = name.parse().unwrap();
            let event = Event::MarketData(MarketDataEvent::Text { tick_type, value: String::new() });
            assert_eq!(event.conflation_key().is_some(), merges, "{name}");
        }
    }

    #[test]
    fn a_quote_takes_the_place_of_an_older_one_and_a_trade_does_not() {
        let event = |json: &str| {
            StreamRequest::TickByTick(TickByTickParams::default())
                .event_from_json(json)
                .unwrap()
                .conflation_key()
        };
        let midpoint = event(r#"{"midpoint":{"time":"2026-11-26T14:30:00Z","price":230.25}}"#);
        let quote = event(
            r#"{"bid_ask":{"time":"2026-11-26T14:30:00Z","bid_price":1.0,"ask_price":2.0,"bid_size":1.0,"ask_size":1.0,
            "bid_past_low":false,"ask_past_high":false}}"#,
        );
        assert!(midpoint.is_some() && quote.is_some() && midpoint != quote);
        let trade = event(
            r#"{"trade":{"time":"2026-11-26T14:30:00Z","price":1.0,"size":1.0,"exchange":"","special_conditions":"",
            "past_limit":false,"unreported":false}}"#,
        );
        assert_eq!(trade, None);
    }
}
