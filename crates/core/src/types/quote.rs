//! A whole quote, and of which kind it is.

use derive_setters::Setters;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, MarketDataEvent, TickType, UnknownNumber};

/// Which data a request for quotes wants; TWS's number in JSON.
///
/// TWS keeps this per connection. A session asks anew before each request that wants another kind than the one before,
/// so each gets its own; but TWS may change open streams along, and says so in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("enum" = [1, 2, 3, 4])))]
#[serde(try_from = "i32", into = "i32")]
pub enum MarketDataType {
    /// 1: live, which may need a subscription.
    #[default]
    Live = 1,
    /// 2: the last quote before the market closed.
    Frozen = 2,
    /// 3: delayed by 15 to 20 minutes, where live is not subscribed.
    Delayed = 3,
    /// 4: the last delayed quote before the market closed.
    DelayedFrozen = 4,
}

impl From<MarketDataType> for i32 {
    fn from(kind: MarketDataType) -> Self {
        kind as Self
    }
}

impl TryFrom<i32> for MarketDataType {
    type Error = UnknownNumber;

    fn try_from(number: i32) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::Live),
            2 => Ok(Self::Frozen),
            3 => Ok(Self::Delayed),
            4 => Ok(Self::DelayedFrozen),
            _ => Err(UnknownNumber::new(
                number,
                "a market data type",
                "1 (live), 2 (frozen), 3 (delayed) or 4 (delayed-frozen)",
            )),
        }
    }
}

/// What [`quote_snapshot`](crate::Session::quote_snapshot) asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct QuoteSnapshotParams {
    /// Of which contract.
    pub contract: Contract,
    /// Which kind of data.
    pub market_data_type: MarketDataType,
    /// A regulatory snapshot over all US exchanges, for which IBKR takes a fee.
    pub regulatory_snapshot: bool,
}

/// A quote. What TWS has not sent, or says there is none of, is `None`. Delayed values stand where live ones do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Quote {
    /// Which kind of data it is: 1 live, 2 frozen, 3 delayed, 4 delayed-frozen; `None` if TWS doesn't say, as for live.
    pub market_data_type: Option<i32>,
    /// The highest bid, in the contract's currency.
    pub bid: Option<f64>,
    /// Shares or contracts at the bid.
    pub bid_size: Option<f64>,
    /// The lowest ask, in the contract's currency.
    pub ask: Option<f64>,
    /// Shares or contracts at the ask.
    pub ask_size: Option<f64>,
    /// The last trade's price, in the contract's currency.
    pub last: Option<f64>,
    /// The last trade's size, in shares or contracts.
    pub last_size: Option<f64>,
    /// When the last trade was, to the second.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub last_time: Option<Timestamp>,
    /// The day's open, in the contract's currency.
    pub open: Option<f64>,
    /// The day's high, in the contract's currency.
    pub high: Option<f64>,
    /// The day's low, in the contract's currency.
    pub low: Option<f64>,
    /// The previous day's close, in the contract's currency.
    pub close: Option<f64>,
    /// The day's volume, in shares or contracts.
    pub volume: Option<f64>,
    /// Whether trading is halted; `None` if TWS doesn't say.
    pub halted: Option<bool>,
    /// The smallest price increment, in the contract's currency.
    pub min_tick: Option<f64>,
    /// The key for [`smart_components`](crate::Session::smart_components).
    pub bbo_exchange: Option<String>,
}

impl Quote {
    /// Takes one event of market data in; the newest value wins, events without a field here change nothing.
    pub fn apply(&mut self, event: &MarketDataEvent) {
        match event {
            MarketDataEvent::Price { tick_type, price, size, .. } => {
                self.apply_price(*tick_type, *price, *size);
            }
            MarketDataEvent::Size { tick_type, size } => {
                if let Some(field) = self.size_field(*tick_type) {
                    *field = *size;
                }
            }
            MarketDataEvent::Text { tick_type: TickType(45 | 88), value } => {
                self.last_time = value.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
            }
            // -1 says that TWS doesn't know.
            MarketDataEvent::Generic { tick_type: TickType(49 | 90), value } => {
                self.halted = value.filter(|value| *value >= 0.0).map(|value| value > 0.0);
            }
            MarketDataEvent::MarketDataType { market_data_type } => {
                self.market_data_type = Some(*market_data_type);
            }
            MarketDataEvent::RequestParameters { min_tick, bbo_exchange, .. } => {
                self.min_tick = *min_tick;
                self.bbo_exchange = Some(bbo_exchange.clone()).filter(|key| !key.is_empty());
            }
            _ => {}
        }
    }

    fn apply_price(&mut self, tick_type: TickType, price: Option<f64>, size: Option<f64>) {
        let (field, its_size) = match tick_type.0 {
            1 | 66 => (&mut self.bid, Some(&mut self.bid_size)),
            2 | 67 => (&mut self.ask, Some(&mut self.ask_size)),
            4 | 68 => (&mut self.last, Some(&mut self.last_size)),
            6 | 72 => (&mut self.high, None),
            7 | 73 => (&mut self.low, None),
            9 | 75 => (&mut self.close, None),
            14 | 76 => (&mut self.open, None),
            _ => return,
        };
        *field = price;
        if let (Some(its_size), Some(_)) = (its_size, size) {
            *its_size = size;
        }
    }

    fn size_field(&mut self, tick_type: TickType) -> Option<&mut Option<f64>> {
        match tick_type.0 {
            0 | 69 => Some(&mut self.bid_size),
            3 | 70 => Some(&mut self.ask_size),
            5 | 71 => Some(&mut self.last_size),
            8 | 74 => Some(&mut self.volume),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::PriceAttributes;
    use super::*;

    fn quote(events: &[MarketDataEvent]) -> Quote {
        let mut quote = Quote::default();
        events.iter().for_each(|event| quote.apply(event));
        quote
    }

    fn price(tick_type: i32, price: f64, size: Option<f64>) -> MarketDataEvent {
        let attributes = PriceAttributes::default();
        MarketDataEvent::Price { tick_type: TickType(tick_type), price: Some(price), size, attributes }
    }

    #[test]
    fn the_newest_value_wins_and_a_price_brings_its_size() {
        let quote = quote(&[
            price(1, 9.0, Some(100.0)),
            price(1, 9.5, Some(300.0)),
            price(2, 10.0, None),
            MarketDataEvent::Size { tick_type: TickType(3), size: Some(200.0) },
            MarketDataEvent::Price {
                tick_type: TickType::LAST,
                price: None,
                size: Some(0.0),
                attributes: PriceAttributes::default(),
            },
        ]);
        assert_eq!((quote.bid, quote.bid_size), (Some(9.5), Some(300.0)));
        assert_eq!((quote.ask, quote.ask_size), (Some(10.0), Some(200.0)));
        assert_eq!((quote.last, quote.last_size), (None, Some(0.0)));
    }

    #[test]
    fn delayed_values_stand_where_live_ones_do() {
        let quote = quote(&[
            MarketDataEvent::MarketDataType { market_data_type: 3 },
            price(68, 9.0, Some(100.0)),
            price(75, 8.0, None),
            MarketDataEvent::Text { tick_type: TickType(88), value: "1795444200".into() },
        ]);
        assert_eq!((quote.market_data_type, quote.last, quote.close), (Some(3), Some(9.0), Some(8.0)));
        assert_eq!(quote.last_time, Timestamp::from_second(1_795_444_200).ok());
    }

    #[test]
    fn a_market_data_type_is_twss_number() {
        for number in 1..=4 {
            let kind: MarketDataType = serde_json::from_str(&number.to_string()).unwrap();
            assert_eq!(i32::from(kind), number);
        }
        let error = serde_json::from_str::<MarketDataType>("5").unwrap_err().to_string();
        assert!(error.starts_with("5 is not a market data type; expected 1 (live)"), "{error}");
    }
}
