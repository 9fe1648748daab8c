//! The accounts: cash, holdings, and the values IBKR derives from them. Money is counted in cents.

use rand::seq::IteratorRandom;
use rand::{Rng, RngExt};

use super::{Instrument, Kind, Listing};

/// One account, with US dollars and a few stocks.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) cash: i64,
    pub(crate) holdings: Vec<Holding>,
}

/// A position, valued at the instrument's reference price.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    pub(crate) listing: &'static Listing,
    pub(crate) quantity: i64,
    pub(crate) price: i64,
    pub(crate) average_cost: i64,
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
        holdings.sort_by_key(|holding| holding.listing.symbol);
        Self { name: name.to_owned(), cash: rng.random_range(1_000_000..25_000_000), holdings }
    }

    pub(crate) fn positions_value(&self) -> i64 {
        self.holdings.iter().map(|holding| holding.quantity * holding.price).sum()
    }

    pub(crate) fn net_liquidation(&self) -> i64 {
        self.cash + self.positions_value()
    }

    /// The value and currency behind an account summary tag; `None` if there is no such tag.
    pub(crate) fn summary(&self, tag: &str) -> Option<(String, &'static str)> {
        let (gross, net) = (self.positions_value(), self.net_liquidation());
        let (initial, maintenance) = (gross / 2, gross / 4);
        let money = |cents: i64| Some((format_cents(cents), "USD"));
        let plain = |text: String| Some((text, ""));
        match tag {
            "AccountType" => plain("INDIVIDUAL".into()),
            "NetLiquidation" | "EquityWithLoanValue" | "PreviousDayEquityWithLoanValue" | "RegTEquity" => {
                money(net)
            }
            "TotalCashValue" | "SettledCash" => money(self.cash),
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

impl Holding {
    fn generate(instrument: &Instrument, rng: &mut impl Rng) -> Self {
        let price = instrument.path.reference_ticks();
        let average_cost = (price as f64 * rng.random_range(0.7..1.2)) as i64;
        Self { listing: instrument.listing, quantity: rng.random_range(1..=40) * 5, price, average_cost }
    }
}

fn format_cents(cents: i64) -> String {
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
                let cents = |tag| account.summary(tag).unwrap().0.replace('.', "").parse::<i64>().unwrap();
                let held: f64 = account.holdings.iter().map(|h| h.quantity as f64 * h.price as f64).sum();
                assert_eq!(cents("NetLiquidation"), cents("TotalCashValue") + cents("GrossPositionValue"));
                assert_eq!(cents("GrossPositionValue") as f64, held);
                assert!((3..=5).contains(&account.holdings.len()));
            }
        }
    }

    #[test]
    fn cents_print_as_dollars() {
        for (cents, text) in [(0, "0.00"), (5, "0.05"), (123_456, "1234.56"), (-5, "-0.05")] {
            assert_eq!(format_cents(cents), text);
        }
    }
}
