//! The accounts: cash, holdings, and the values IBKR derives from them. Money is counted in cents.

use rand::seq::IteratorRandom;
use rand::{Rng, RngExt};

use super::{Instrument, Kind};

/// One account, with US dollars and a few stocks.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) cash: i64,
    pub(crate) holdings: Vec<Holding>,
}

/// A position. Nobody trades in it, so that its size and cost stay as they are.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    pub(crate) instrument: Instrument,
    pub(crate) quantity: i64,
    pub(crate) average_cost: i64,
}

/// An account as it is worth at one moment: each position at the price of the last trade.
#[derive(Clone, Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) account: &'a Account,
    pub(crate) lines: Vec<Line<'a>>,
}

/// A position at its price.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) holding: &'a Holding,
    pub(crate) price: i64,
    /// At which the day before ended.
    pub(crate) prior_close: i64,
}

impl Account {
    pub(crate) fn generate(name: &str, instruments: &[Instrument], rng: &mut impl Rng) -> Self {
        let count = rng.random_range(3..=5);
        let stocks = instruments.iter().filter(|instrument| instrument.listing.kind == Kind::Stock);
        let mut holdings: Vec<_> = stocks
            .sample(rng, count)
            .into_iter()
            .map(|instrument| Holding::generate(instrument, rng))
            .collect();
        holdings.sort_by_key(|holding| holding.instrument.listing.symbol);
        Self { name: name.to_owned(), cash: rng.random_range(1_000_000..25_000_000), holdings }
    }

    /// What it is worth at a unix time.
    pub(crate) fn at(&self, second: i64) -> Statement<'_> {
        let lines = self.holdings.iter().map(|holding| Line {
            holding,
            price: holding.instrument.last_price(second),
            prior_close: holding.instrument.prior_close(second),
        });
        Statement { account: self, lines: lines.collect() }
    }
}

impl Holding {
    fn generate(instrument: &Instrument, rng: &mut impl Rng) -> Self {
        let price = instrument.path.reference_ticks();
        let average_cost = (price as f64 * rng.random_range(0.7..1.2)) as i64;
        Self { instrument: instrument.clone(), quantity: rng.random_range(1..=40) * 5, average_cost }
    }
}

impl Line<'_> {
    pub(crate) fn market_value(&self) -> i64 {
        self.holding.quantity * self.price
    }

    pub(crate) fn unrealized(&self) -> i64 {
        self.holding.quantity * (self.price - self.holding.average_cost)
    }

    /// Its profit since the day before ended.
    pub(crate) fn daily(&self) -> i64 {
        self.holding.quantity * (self.price - self.prior_close)
    }
}

impl Statement<'_> {
    pub(crate) fn positions_value(&self) -> i64 {
        self.lines.iter().map(Line::market_value).sum()
    }

    pub(crate) fn net_liquidation(&self) -> i64 {
        self.account.cash + self.positions_value()
    }

    pub(crate) fn unrealized(&self) -> i64 {
        self.lines.iter().map(Line::unrealized).sum()
    }

    pub(crate) fn daily(&self) -> i64 {
        self.lines.iter().map(Line::daily).sum()
    }

    /// The value and currency behind an account summary tag; `None` if there is no such tag.
    pub(crate) fn summary(&self, tag: &str) -> Option<(String, &'static str)> {
        let (gross, net, cash) = (self.positions_value(), self.net_liquidation(), self.account.cash);
        let (initial, maintenance) = (gross / 2, gross / 4);
        let yesterday = net - self.daily();
        let money = |cents: i64| Some((format_cents(cents), "USD"));
        let plain = |text: String| Some((text, ""));
        match tag {
            "AccountType" => plain("INDIVIDUAL".into()),
            "NetLiquidation" | "EquityWithLoanValue" | "RegTEquity" => money(net),
            "PreviousDayEquityWithLoanValue" => money(yesterday),
            "TotalCashValue" | "SettledCash" => money(cash),
            "AccruedCash" => money(0),
            "GrossPositionValue" | "SecuritiesGPValue" => money(gross),
            "InitMarginReq" | "FullInitMarginReq" | "LookAheadInitMarginReq" | "RegTMargin" => money(initial),
            "MaintMarginReq" | "FullMaintMarginReq" | "LookAheadMaintMarginReq" => money(maintenance),
            "AvailableFunds" | "FullAvailableFunds" | "LookAheadAvailableFunds" | "SMA" => {
                money(net - initial)
            }
            "ExcessLiquidity" | "FullExcessLiquidity" | "LookAheadExcessLiquidity" => {
                money(net - maintenance)
            }
            "BuyingPower" => money(4 * (net - initial)),
            "Cushion" => plain(format!("{:.6}", (net - maintenance) as f64 / net as f64)),
            "Leverage" => plain(format!("{:.2}", gross as f64 / net as f64)),
            "HighestSeverity" | "LookAheadNextChange" => plain("0".into()),
            "DayTradesRemaining" => plain("-1".into()),
            _ => None,
        }
    }
}

pub(crate) fn format_cents(cents: i64) -> String {
    format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;

    #[test]
    fn net_liquidation_is_cash_plus_positions() {
        for seed in 0..20 {
            let world = World::new(seed, &["DU1".into(), "DU2".into(), "DU3".into()]);
            for account in &world.accounts {
                let statement = account.at(1_720_796_402 + 3600 * seed.cast_signed());
                let cents = |tag| statement.summary(tag).unwrap().0.replace('.', "").parse::<i64>().unwrap();
                let held: i64 = statement.lines.iter().map(|line| line.holding.quantity * line.price).sum();
                assert_eq!(cents("NetLiquidation"), cents("TotalCashValue") + cents("GrossPositionValue"));
                assert_eq!(cents("GrossPositionValue"), held);
                assert!((3..=5).contains(&account.holdings.len()));
            }
        }
    }

    #[test]
    fn profit_is_the_difference_in_value() {
        let world = World::new(5, &["DU1".into()]);
        let now = 1_720_796_402;
        let (today, later) = (world.accounts[0].at(now), world.accounts[0].at(now + 600));
        let gained = later.net_liquidation() - today.net_liquidation();
        assert_ne!(gained, 0, "prices move");
        assert_eq!(later.daily() - today.daily(), gained);
        assert_eq!(later.unrealized() - today.unrealized(), gained);
    }

    #[test]
    fn cents_print_as_dollars() {
        for (cents, text) in [(0, "0.00"), (5, "0.05"), (123_456, "1234.56"), (-5, "-0.05")] {
            assert_eq!(format_cents(cents), text);
        }
    }
}
