//! Combinations: several contracts quoted as one.

use jiff::Timestamp;

use super::{Instrument, OptionListing, Tick, World};
use crate::messages::Contract;
use crate::session::{Refusal, no_definition};

/// A combination, as a `BAG` describes it.
#[derive(Clone, Debug)]
pub(crate) struct Combo {
    legs: Vec<Leg>,
}

/// A leg: how many of what; negative when it is sold.
#[derive(Clone, Debug)]
struct Leg {
    count: i64,
    of: Priced,
}

#[derive(Clone, Debug)]
enum Priced {
    Instrument(Instrument),
    Option(OptionListing),
}

impl World {
    /// The combination that a contract describes.
    pub(crate) fn combo(&self, req_id: i32, wanted: &Contract) -> Result<Combo, Refusal> {
        let invalid = |cause: &str| {
            Refusal::new(
                req_id,
                321,
                format!("Error validating request.-'bO' : cause - Invalid combo: {cause}"),
            )
        };
        if wanted.combo_legs.is_empty() {
            return Err(invalid("it has no legs"));
        }
        let legs = wanted.combo_legs.iter().map(|leg| {
            let ratio = leg.ratio.unwrap_or_default();
            let count = match leg.action.as_deref() {
                Some("BUY") => i64::from(ratio),
                Some("SELL" | "SSHORT") => -i64::from(ratio),
                other => return Err(invalid(&format!("a leg's action is {:?}", other.unwrap_or_default()))),
            };
            if ratio < 1 {
                return Err(invalid(&format!("a leg's ratio is {ratio}")));
            }
            let wanted = Contract { con_id: leg.con_id, ..Default::default() };
            let instrument = self.find(&wanted).next().cloned().map(Priced::Instrument);
            let option = || self.find_options(&wanted).next().cloned().map(Priced::Option);
            let of = instrument.or_else(option).ok_or_else(|| no_definition(req_id))?;
            Ok(Leg { count, of })
        });
        Ok(Combo { legs: legs.collect::<Result<_, _>>()? })
    }
}

impl Combo {
    /// Bid and ask: what is bought counts with its own, what is sold with the other's.
    pub(crate) fn ticks(&self, now: Timestamp, delay: i64) -> Vec<Tick> {
        let (mut bid, mut ask) = (0.0, 0.0);
        for Leg { count, of } in &self.legs {
            let (leg_bid, leg_ask) = of.quote(now, now.as_second() - delay);
            let (low, high) = if *count > 0 { (leg_bid, leg_ask) } else { (leg_ask, leg_bid) };
            bid += *count as f64 * low;
            ask += *count as f64 * high;
        }
        // A sum of decimals is one again.
        let decimal = |price: f64| (price * 1e6).round() / 1e6;
        vec![
            Tick::Price { tick_type: 1, price: decimal(bid), size: 1 },
            Tick::Price { tick_type: 2, price: decimal(ask), size: 1 },
        ]
    }
}

impl Priced {
    fn quote(&self, now: Timestamp, second: i64) -> (f64, f64) {
        match self {
            Self::Instrument(instrument) => {
                let quote = instrument.tape.second(second);
                (instrument.path.price(quote.bid as f64), instrument.path.price(quote.ask as f64))
            }
            Self::Option(option) => {
                let (bid, ask) = option.quote(now, second);
                (bid as f64 / 100.0, ask as f64 / 100.0)
            }
        }
    }
}
