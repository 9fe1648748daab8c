//! The seeded world behind the answers: instruments, prices, accounts. The same seed gives the same world.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) use black_scholes::Value;
pub(crate) use catalogue::{Hours, Kind, Listing};
pub(crate) use combos::Combo;
pub(crate) use depth::{Book, Row, RowChange, Side};
pub(crate) use histogram::histogram;
pub(crate) use history::{Bar, BarQuery, HistoryError};
pub(crate) use news::{Headline, PROVIDERS};
pub(crate) use options::{Computation, EXCHANGES, MULTIPLIER, OptionListing};
pub(crate) use orders::{Fill, Filled, Working, WorkingKind};
pub(crate) use portfolio::{Account, Holding, Line, Statement, format_cents};
pub(crate) use prices::PricePath;
pub(crate) use quotes::{Quotes, Tick};
pub(crate) use tape::Tape;
pub(crate) use terms::{BarSize, Show, Span};
pub(crate) use ticks::{PastTicks, Sizes, TickKind, Ticks};

use shapes::Shapes;
use tape::{Prices, Second, Summary};

use crate::messages::Contract;
use crate::session::{Refusal, ambiguous, no_definition};

mod black_scholes;
mod catalogue;
mod combos;
mod days;
mod depth;
mod histogram;
mod history;
mod listings;
mod news;
mod options;
mod orders;
mod portfolio;
mod prices;
mod quotes;
pub(crate) mod rules;
mod shapes;
mod tape;
mod terms;
mod ticks;

/// Everything a client can ask about.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) options: Vec<OptionListing>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) settings: Settings,
}

/// What the data services do besides answering.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The symbols without live data.
    pub(crate) unentitled: Vec<String>,
    /// After how many changes a book is thrown away.
    pub(crate) depth_reset_after: Option<u32>,
    /// Whether orders, and questions about them, are refused.
    pub(crate) read_only_api: bool,
    /// Where the Gateway listens.
    pub(crate) port: u16,
}

/// A listing and its price through time.
#[derive(Clone, Debug)]
pub(crate) struct Instrument {
    pub(crate) listing: &'static Listing,
    pub(crate) path: PricePath,
    pub(crate) tape: Tape,
}

impl World {
    pub(crate) fn new(seed: u64, accounts: &[String]) -> Self {
        let instruments = instruments(seed);
        let accounts = (0u64..)
            .zip(accounts)
            .map(|(index, name)| {
                Account::generate(name, &instruments, &mut random(seed, Topic::Account(index)))
            })
            .collect();
        let options = options::chains(&instruments);
        Self { seed, instruments, options, accounts, settings: Settings::default() }
    }

    /// The instruments that fit a possibly partial contract description.
    pub(crate) fn find<'a>(&'a self, wanted: &'a Contract) -> impl Iterator<Item = &'a Instrument> {
        self.instruments.iter().filter(|instrument| instrument.listing.fits(wanted))
    }

    /// The one instrument that fits a description; error 200 if there is none, or more than one.
    pub(crate) fn instrument(&self, req_id: i32, wanted: &Contract) -> Result<&Instrument, Refusal> {
        let mut found = self.instruments.iter().filter(|instrument| instrument.listing.fits(wanted));
        match (found.next(), found.next()) {
            (Some(instrument), None) => Ok(instrument),
            (Some(instrument), Some(_)) => Err(ambiguous(req_id, instrument.listing.symbol)),
            (None, _) => Err(no_definition(req_id)),
        }
    }

    /// The stock whose data a CFD has: TWS names it instead of sending any, and its contract id and exchange are enough to ask for it.
    pub(crate) fn underlying_of_cfd(&self, wanted: &Contract) -> Option<&Instrument> {
        let is_cfd = wanted.sec_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("CFD"));
        let stock = Contract { sec_type: Some("STK".to_owned()), ..wanted.clone() };
        self.instruments.iter().find(|instrument| is_cfd && instrument.listing.fits(&stock))
    }

    /// Whether its live data are subscribed.
    pub(crate) fn is_entitled(&self, instrument: &Instrument) -> bool {
        self.has_live_data(instrument.listing.symbol)
    }

    /// Whether the live data of a symbol are subscribed.
    pub(crate) fn has_live_data(&self, symbol: &str) -> bool {
        !self.settings.unentitled.iter().any(|unentitled| unentitled == symbol)
    }

    /// Ids and names of the accounts, as the wire has them.
    pub(crate) fn account_list(&self) -> String {
        self.accounts.iter().map(|account| account.name.as_str()).collect::<Vec<_>>().join(",")
    }
}

/// What a stream of random numbers is for; each topic has its own, so that adding one changes no other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Topic {
    Price(i32),
    Account(u64),
}

/// The random numbers for one topic of one world.
pub(crate) fn random(seed: u64, topic: Topic) -> ChaCha8Rng {
    let (kind, first, second) = match topic {
        Topic::Price(con_id) => (1u64, i64::from(con_id), 0i64),
        Topic::Account(index) => (2, index.cast_signed(), 0),
    };
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&kind.to_le_bytes());
    key[16..24].copy_from_slice(&first.to_le_bytes());
    key[24..].copy_from_slice(&second.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// All listings, each with a reference price of its own.
fn instruments(seed: u64) -> Vec<Instrument> {
    let (mut taken, shapes) = (BTreeSet::new(), Shapes::new(seed));
    listings::LISTINGS
        .iter()
        .map(|listing| {
            let mut rng = random(seed, Topic::Price(listing.follows()));
            let typical = listing.typical_price * listing.ticks_per_unit;
            let mut ticks = (typical * rng.random_range(0.9..1.1)).round();
            while !taken.insert((ticks / listing.ticks_per_unit * 1e6).round() as i64) {
                ticks += 1.0;
            }
            let path = PricePath::new(ticks, listing.ticks_per_unit, &mut rng);
            Instrument { listing, tape: Tape::new(listing.con_id, path.clone(), shapes.clone()), path }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(seed: u64) -> World {
        World::new(seed, &["DU1".into(), "DU2".into()])
    }

    #[test]
    fn a_seed_is_a_world() {
        assert_eq!(format!("{:?}", world(7)), format!("{:?}", world(7)));
        assert_ne!(format!("{:?}", world(7)), format!("{:?}", world(8)));
    }

    #[test]
    fn reference_prices_are_unique() {
        for seed in 0..50 {
            let world = world(seed);
            let prices: BTreeSet<_> =
                world.instruments.iter().map(|i| i.path.reference().to_bits()).collect();
            assert_eq!(prices.len(), world.instruments.len());
        }
    }

    #[test]
    fn contracts_are_found_by_id_symbol_or_class() {
        let world = world(1);
        let symbols =
            |contract: Contract| -> Vec<&str> { world.find(&contract).map(|i| i.listing.symbol).collect() };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(symbols(Contract { con_id: Some(265_598), ..Default::default() }), ["AAPL"]);
        assert_eq!(
            symbols(Contract { symbol: text("MSFT"), sec_type: text("STK"), ..Default::default() }),
            ["MSFT"]
        );
        assert_eq!(
            symbols(Contract { symbol: text("EUR"), sec_type: text("CASH"), ..Default::default() }),
            ["EUR"]
        );
        assert_eq!(symbols(Contract { sec_type: text("FUT"), ..Default::default() }), ["ES", "ES", "ES"]);
        assert!(
            symbols(Contract { symbol: text("AAPL"), currency: text("EUR"), ..Default::default() })
                .is_empty()
        );
        assert!(
            symbols(Contract { symbol: text("AAPL"), exchange: text("MARS"), ..Default::default() })
                .is_empty()
        );
        assert!(symbols(Contract::default()).is_empty(), "an empty description fits nothing");
    }
}
