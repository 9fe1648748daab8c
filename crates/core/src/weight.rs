//! What an event takes in memory, as an estimate: events of every tick by their fields, the others by their JSON, which has all of
//! their texts.

use std::io::{self, Write};

use serde::Serialize;

use crate::Event;
use crate::types::{
    AccountUpdatesEvent, Bar, CommissionReport, Contract, Execution, HistoricalBarUpdatesEvent,
    MarketDataEvent, MarketDepthEvent, OpenOrder, OrderStatus, OrderUpdatesEvent, PnlEvent, PnlSingleEvent,
    PortfolioValue, Position, PositionMulti, PositionUpdatesEvent, PositionsMultiEvent, RealTimeBarsEvent,
    ScannerEvent, ScannerRow, TickByTickEvent,
};

impl Event {
    /// In bytes, what it points to included.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.frequent().unwrap_or_else(|| self.boxed() + json_length(self))
    }

    /// What it points to, if its like comes too often for a look at its JSON.
    fn frequent(&self) -> Option<usize> {
        Some(match self {
            Self::MarketData(event) => match event {
                MarketDataEvent::Text { value, .. } => value.len(),
                MarketDataEvent::RequestParameters { bbo_exchange, .. } => bbo_exchange.len(),
                MarketDataEvent::Notice { message, .. } => message.len(),
                MarketDataEvent::Price { .. }
                | MarketDataEvent::Size { .. }
                | MarketDataEvent::Generic { .. }
                | MarketDataEvent::OptionComputation { .. }
                | MarketDataEvent::MarketDataType { .. }
                | MarketDataEvent::SnapshotEnd {} => 0,
            },
            Self::TickByTick(event) => match event {
                TickByTickEvent::Trade(tick) => tick.exchange.len() + tick.special_conditions.len(),
                TickByTickEvent::BidAsk(_) | TickByTickEvent::Midpoint(_) => 0,
                TickByTickEvent::Notice { message, .. } => message.len(),
            },
            Self::MarketDepth(event) => match event {
                MarketDepthEvent::Row(row) => row.market_maker.as_ref().map_or(0, String::len),
                MarketDepthEvent::Reset {} => 0,
                MarketDepthEvent::Notice { message, .. } => message.len(),
            },
            Self::RealTimeBars(RealTimeBarsEvent::Bar(_))
            | Self::Pnl(PnlEvent::Pnl(_))
            | Self::PnlSingle(PnlSingleEvent::Pnl(_)) => 0,
            Self::HistoricalBarUpdates(event) => match event {
                HistoricalBarUpdatesEvent::History { bars } => bars.len() * size_of::<Bar>(),
                HistoricalBarUpdatesEvent::Update(_) | HistoricalBarUpdatesEvent::End { .. } => 0,
                HistoricalBarUpdatesEvent::Notice { message, .. } => message.len(),
            },
            Self::RealTimeBars(_)
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
            | Self::Connectivity(_) => return None,
        })
    }

    /// What it points to, without texts.
    fn boxed(&self) -> usize {
        match self {
            Self::PositionUpdates(PositionUpdatesEvent::Position(_)) => size_of::<Position>(),
            Self::PositionsMulti(PositionsMultiEvent::Position(_)) => size_of::<PositionMulti>(),
            Self::AccountUpdates(AccountUpdatesEvent::Portfolio(_)) => size_of::<PortfolioValue>(),
            Self::OrderUpdates(event) => match event {
                OrderUpdatesEvent::OpenOrder(_) => size_of::<OpenOrder>(),
                OrderUpdatesEvent::OrderStatus(_) => size_of::<OrderStatus>(),
                OrderUpdatesEvent::Execution { .. } => size_of::<Contract>() + size_of::<Execution>(),
                OrderUpdatesEvent::CommissionReport(_) => size_of::<CommissionReport>(),
                OrderUpdatesEvent::OrderBound { .. } | OrderUpdatesEvent::Notice { .. } => 0,
            },
            Self::Scanner(ScannerEvent::Rows(rows)) => rows.len() * size_of::<ScannerRow>(),
            _ => 0,
        }
    }
}

fn json_length(value: &impl Serialize) -> usize {
    let mut length = Length(0);
    // It takes whatever is written; what can't be written as JSON counts as far as it was.
    let _ = serde_json::to_writer(&mut length, value);
    length.0
}

struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NewsBulletin;

    #[cfg(feature = "schema")]
    mod any_event {
        use proptest::prelude::*;
        use serde_json::Value;

        use crate::Event;
        use crate::operation_table;
        use crate::schema::samples::for_all;

        macro_rules! every_stream {
            (
                requests { $($request:tt)+ }
                streams { $( $(#[doc = $doc:literal])+
                    $access:ident $content:ident fn $method:ident($($param:ident: $Params:ty)?) -> $Event:ty = $Variant:ident
                    $(as $Shown:ident)?; )+ }
            ) => {
                $(
                    #[test]
                    fn $method() {
                        for_all(stringify!($method), "event", |json| {
                            counts_texts(&Event::$Variant(serde_json::from_str(&json.to_string())?), json)
                        });
                    }
                )+
            };
        }

        operation_table! { every_stream }

        fn counts_texts(event: &Event, json: &Value) -> Result<(), TestCaseError> {
            let texts = texts(json);
            let weight = event.weight();
            prop_assert!(weight >= size_of::<Event>(), "{event:?} weighs {weight}");
            prop_assert!(weight + NO_TEXTS >= size_of::<Event>() + texts, "{event:?}: {weight} of {texts}");
            Ok(())
        }

        /// The texts of a value, added up.
        fn texts(value: &Value) -> usize {
            match value {
                Value::String(text) => text.len(),
                Value::Array(values) => values.iter().map(texts).sum(),
                Value::Object(fields) => fields.values().map(texts).sum(),
                _ => 0,
            }
        }

        /// Times and names of kinds are texts in JSON and numbers in memory: those of one event are no more than this.
        const NO_TEXTS: usize = 512;
    }

    /// Texts so long that nothing else counts: each in one of the fields that can be long.
    #[test]
    fn a_long_text_counts_wherever_it_is() {
        use crate::types::{DepthRow, TickType, TradeTick};
        let long = "x".repeat(100_000);
        let trade = || {
            serde_json::from_value::<TradeTick>(serde_json::json!({"time": "2026-11-26T14:30:00Z",
            "price": null, "size": null, "exchange": "", "special_conditions": "", "past_limit": false,
            "unreported": false}))
            .unwrap()
        };
        let row = serde_json::from_value::<DepthRow>(serde_json::json!({"side": "ask", "position": 0,
            "operation": "insert", "price": 1.0, "size": 1.0, "market_maker": long, "is_smart_depth": true}))
        .unwrap();
        let events = [
            Event::MarketData(MarketDataEvent::Text { tick_type: TickType(45), value: long.clone() }),
            Event::MarketData(MarketDataEvent::Notice { code: 1, message: long.clone() }),
            Event::MarketData(MarketDataEvent::RequestParameters {
                min_tick: None,
                bbo_exchange: long.clone(),
                snapshot_permissions: None,
                last_price_precision: None,
                last_size_precision: None,
            }),
            Event::TickByTick(TickByTickEvent::Trade(TradeTick { exchange: long.clone(), ..trade() })),
            Event::TickByTick(TickByTickEvent::Trade(TradeTick {
                special_conditions: long.clone(),
                ..trade()
            })),
            Event::TickByTick(TickByTickEvent::Notice { code: 1, message: long.clone() }),
            Event::MarketDepth(MarketDepthEvent::Row(row)),
            Event::MarketDepth(MarketDepthEvent::Notice { code: 1, message: long.clone() }),
            Event::RealTimeBars(RealTimeBarsEvent::Notice { code: 1, message: long.clone() }),
            Event::HistoricalBarUpdates(HistoricalBarUpdatesEvent::Notice { code: 1, message: long.clone() }),
            Event::Pnl(PnlEvent::Notice { code: 1, message: long.clone() }),
            Event::NewsBulletins(NewsBulletin {
                message_id: 1,
                message_type: 1,
                message: long,
                exchange: String::new(),
            }),
        ];
        for event in events {
            assert!((100_000..110_000).contains(&event.weight()), "{}", event.weight());
        }
        let bars = HistoricalBarUpdatesEvent::History { bars: (0..1_000).map(|_| bar()).collect() };
        assert!(Event::HistoricalBarUpdates(bars).weight() >= 1_000 * size_of::<Bar>());
    }

    fn bar() -> Bar {
        let time = Some(crate::types::BarTime::Date(jiff::civil::date(2026, 11, 28)));
        Bar { time, open: None, high: None, low: None, close: None, volume: None, wap: None, count: None }
    }
}
