//! Options: chains on a few underlyings, priced by a model with a smile, quoted around it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::black_scholes::{Model, Right, Value};
use super::{Instrument, Tick, World, rules};
use crate::messages::{Contract, ContractDetails};

/// The symbols that have options, with the steps between their strikes and their volatility.
const UNDERLYINGS: [(&str, f64, f64); 4] =
    [("AAPL", 5.0, 0.28), ("MSFT", 10.0, 0.24), ("SPY", 10.0, 0.17), ("SPX", 100.0, 0.16)];

/// Third Fridays.
const EXPIRATIONS: [&str; 3] = ["20271217", "20280121", "20281215"];

/// Strikes on either side of the reference price.
const STRIKES: i32 = 8;

/// The first contract id of an option; the simulator's own.
const FIRST_CON_ID: i32 = 700_000_000;

/// When an option expires, in UTC, on the last day it trades.
const EXPIRY_HOUR: i8 = 20;

/// Seconds of a year.
const YEAR: f64 = 365.25 * 86_400.0;

/// The interest of a year.
const RATE: f64 = 0.04;

/// Shares of an option.
pub(crate) const MULTIPLIER: f64 = 100.0;

/// An option as it is listed.
#[derive(Clone, Debug)]
pub(crate) struct OptionListing {
    pub(crate) con_id: i32,
    pub(crate) underlying: Instrument,
    pub(crate) expiration: &'static str,
    pub(crate) strike: f64,
    pub(crate) right: Right,
    /// The volatility at the money.
    volatility: f64,
}

/// What the model says, with the price it says it of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Computation {
    pub(crate) volatility: Option<f64>,
    pub(crate) value: Option<Value>,
    pub(crate) price: f64,
    pub(crate) spot: f64,
}

/// All options on these instruments.
pub(super) fn chains(instruments: &[Instrument]) -> Vec<OptionListing> {
    let mut con_ids = FIRST_CON_ID..;
    let mut options = Vec::new();
    for (symbol, step, volatility) in UNDERLYINGS {
        for underlying in instruments.iter().filter(|one| one.listing.symbol == symbol) {
            let middle = (underlying.path.reference() / step).round();
            for expiration in EXPIRATIONS {
                for strike in (-STRIKES..=STRIKES).map(|steps| (middle + f64::from(steps)) * step) {
                    for (right, con_id) in [Right::Call, Right::Put].into_iter().zip(&mut con_ids) {
                        let underlying = underlying.clone();
                        options.push(OptionListing {
                            con_id,
                            underlying,
                            expiration,
                            strike,
                            right,
                            volatility,
                        });
                    }
                }
            }
        }
    }
    options
}

impl World {
    /// The options that fit a possibly partial description.
    pub(crate) fn find_options<'a>(
        &'a self,
        wanted: &'a Contract,
    ) -> impl Iterator<Item = &'a OptionListing> {
        self.options.iter().filter(|option| option.fits(wanted))
    }
}

impl OptionListing {
    /// Whether every field given fits; a description needs an id, or a symbol and a kind.
    pub(crate) fn fits(&self, wanted: &Contract) -> bool {
        if let Some(con_id) = wanted.con_id.filter(|con_id| *con_id != 0) {
            return con_id == self.con_id;
        }
        let fits = |field: &Option<String>, ours: &[&str]| match field.as_deref() {
            None | Some("") => true,
            Some(text) => ours.iter().any(|our| our.eq_ignore_ascii_case(text)),
        };
        let date = wanted.last_trade_date_or_contract_month.as_deref().unwrap_or_default();
        let symbol = self.symbol();
        let rights: &[&str] = match self.right {
            Right::Call => &["C", "CALL"],
            Right::Put => &["P", "PUT"],
        };
        wanted.sec_type.as_deref() == Some("OPT")
            && wanted.symbol.as_deref().is_some_and(|text| text.eq_ignore_ascii_case(symbol))
            && fits(&wanted.right, rights)
            && fits(&wanted.currency, &["USD"])
            && fits(&wanted.exchange, &EXCHANGES)
            && fits(&wanted.trading_class, &[symbol])
            && fits(&wanted.local_symbol, &[&self.local_symbol()])
            && wanted.strike.is_none_or(|strike| strike == 0.0 || strike == self.strike)
            && self.expiration.starts_with(date)
    }

    pub(crate) fn symbol(&self) -> &'static str {
        self.underlying.listing.symbol
    }

    /// As OCC spells it: the symbol in six places, the day, the right, the strike in thousandths.
    fn local_symbol(&self) -> String {
        let (right, _) = self.spelled_right();
        let thousandths = (self.strike * 1000.0).round();
        format!("{:<6}{}{right}{thousandths:08}", self.symbol(), &self.expiration[2..])
    }

    fn spelled_right(&self) -> (&'static str, &'static str) {
        match self.right {
            Right::Call => ("C", "CALL"),
            Right::Put => ("P", "PUT"),
        }
    }

    pub(crate) fn contract(&self) -> Contract {
        let text = |text: &str| Some(text.to_owned());
        Contract {
            con_id: Some(self.con_id),
            symbol: text(self.symbol()),
            sec_type: text("OPT"),
            last_trade_date_or_contract_month: text(self.expiration),
            strike: Some(self.strike),
            right: text(self.spelled_right().0),
            multiplier: Some(MULTIPLIER),
            exchange: text("SMART"),
            currency: text("USD"),
            local_symbol: Some(self.local_symbol()),
            trading_class: text(self.symbol()),
            last_trade_date: text(self.expiration),
            ..Default::default()
        }
    }

    pub(crate) fn details(&self, today: Date) -> ContractDetails {
        let text = |text: &str| Some(text.to_owned());
        let rules = vec![rules::OPTIONS.to_string(); EXCHANGES.len()];
        ContractDetails {
            market_name: text(self.symbol()),
            min_tick: text("0.01"),
            valid_exchanges: Some(EXCHANGES.join(",")),
            contract_month: text(&self.expiration[..6]),
            under_con_id: Some(self.underlying.listing.con_id),
            under_symbol: text(self.symbol()),
            under_sec_type: text(self.underlying.listing.sec_type()),
            market_rule_ids: Some(rules.join(",")),
            real_expiration_date: text(self.expiration),
            min_size: text("1"),
            size_increment: text("1"),
            suggested_size_increment: text("1"),
            ..self.underlying.listing.details(today)
        }
    }

    /// The model at a moment, with any price of the underlying.
    pub(crate) fn model(&self, spot: f64, now: Timestamp) -> Model {
        let day = Date::strptime("%Y%m%d", self.expiration).unwrap_or(Date::MAX);
        let end = TimeZone::UTC.to_timestamp(day.at(EXPIRY_HOUR, 0, 0, 0)).unwrap_or(Timestamp::MAX);
        let seconds = end.as_second() - now.as_second();
        Model { right: self.right, spot, strike: self.strike, years: seconds as f64 / YEAR, rate: RATE }
    }

    /// The middle between the underlying's bid and ask.
    pub(crate) fn spot(&self, second: i64) -> f64 {
        let quote = self.underlying.tape.second(second);
        self.underlying.path.price((quote.bid + quote.ask) as f64 / 2.0)
    }

    /// The volatility of this strike: the farther from the money, the higher.
    fn smile(&self, spot: f64) -> f64 {
        let moneyness = (self.strike / spot).ln();
        self.volatility * (1.0 + 0.8 * moneyness * moneyness - 0.15 * moneyness)
    }

    /// What the model says.
    pub(crate) fn computation(&self, now: Timestamp, second: i64) -> Computation {
        let spot = self.spot(second);
        let volatility = self.smile(spot);
        let value = self.model(spot, now).value(volatility);
        Computation { volatility: Some(volatility), value: Some(value), price: value.price, spot }
    }

    /// What a price says, by the model.
    pub(crate) fn implied(&self, price: f64, spot: f64, now: Timestamp) -> Computation {
        let model = self.model(spot, now);
        let volatility = model.implied_volatility(price);
        Computation { volatility, value: volatility.map(|volatility| model.value(volatility)), price, spot }
    }

    /// Bid and ask in cents: half a percent, and at least a cent, around the model, to the next step of the market rule.
    pub(crate) fn quote(&self, now: Timestamp, second: i64) -> (i64, i64) {
        let price = self.computation(now, second).price.max(0.0) * 100.0;
        let half = (price * 0.005).max(1.0);
        let bid = (price - half).max(0.0);
        (rules::floor(bid), rules::ceil(price + half))
    }

    /// Bid and ask as ticks, each with what it says, and the model's own.
    pub(crate) fn ticks(&self, now: Timestamp, delay: i64) -> Vec<Tick> {
        let second = now.as_second() - delay;
        let (bid, ask) = self.quote(now, second);
        let price = |cents: i64| cents as f64 / 100.0;
        let spot = self.spot(second);
        vec![
            Tick::Price { tick_type: 1, price: price(bid), size: 10 },
            Tick::Price { tick_type: 2, price: price(ask), size: 10 },
            Tick::Computation { tick_type: 10, computation: self.implied(price(bid), spot, now) },
            Tick::Computation { tick_type: 11, computation: self.implied(price(ask), spot, now) },
            Tick::Computation { tick_type: 13, computation: self.computation(now, second) },
        ]
    }
}

/// Where options trade.
pub(crate) const EXCHANGES: [&str; 3] = ["SMART", "CBOE", "AMEX"];

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-07-10T15:00:00Z".parse().unwrap()
    }

    #[test]
    fn an_option_is_quoted_around_its_model() {
        for option in World::new(3, &[]).options {
            let second = now().as_second();
            let (bid, ask) = option.quote(now(), second);
            let price = option.computation(now(), second).price * 100.0;
            assert!(bid as f64 <= price && price <= ask as f64 && bid < ask, "{bid} {price} {ask}");
        }
    }

    #[test]
    fn contract_ids_are_unique_and_local_symbols_too() {
        let world = World::new(3, &[]);
        let ids: std::collections::BTreeSet<_> = world.options.iter().map(|one| one.con_id).collect();
        let names: std::collections::BTreeSet<_> =
            world.options.iter().map(OptionListing::local_symbol).collect();
        assert_eq!((ids.len(), names.len()), (world.options.len(), world.options.len()));
        assert!(names.iter().all(|name| name.len() == 21), "{names:?}");
    }

    #[test]
    fn a_description_finds_what_fits() {
        let world = World::new(3, &[]);
        let count = |contract: Contract| world.find_options(&contract).count();
        let text = |text: &str| Some(text.to_owned());
        let aapl = Contract { symbol: text("AAPL"), sec_type: text("OPT"), ..Default::default() };
        let all = (2 * STRIKES as usize + 1) * EXPIRATIONS.len() * 2;
        assert_eq!(count(aapl.clone()), all);
        assert_eq!(count(Contract { right: text("C"), ..aapl.clone() }), all / 2);
        let month = Contract { last_trade_date_or_contract_month: text("202801"), ..aapl.clone() };
        assert_eq!(count(month), all / 3);
        assert_eq!(count(Contract { strike: Some(1.0), ..aapl }), 0);
        assert_eq!(count(world.options[7].contract()), 1);
    }
}
