//! Which events are newer values of the same field: the one place that decides what may be merged.

use crate::Event;
use crate::types::{MarketDataEvent, PnlEvent, PnlSingleEvent, TickType};

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
    pub fn conflation_key(&self) -> Option<ConflationKey> {
        match self {
            Self::MarketData(event) => market_data(event),
            Self::Pnl(PnlEvent::Pnl(_)) => Some(ConflationKey::new("pnl", 0)),
            Self::PnlSingle(PnlSingleEvent::Pnl(_)) => Some(ConflationKey::new("pnl", 0)),
            _ => None,
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
}
