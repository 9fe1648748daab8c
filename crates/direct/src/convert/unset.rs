//! Which of TWS's numbers say that there is none. NaN and the largest numbers do everywhere: see
//! [`set`](ibkr_connect_core::types::set) and [`number`].

use ibkr_connect_core::types::{Contract, SecType, number, set};

/// TWS's "there is no price".
const NO_PRICE: f64 = -1.0;

/// What the prices of a contract can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prices {
    /// Of one thing: -1 says that there is none, and so does 0 where there is no size at it. Below zero all others are real: oil
    /// has traded at -37.63.
    Outright,
    /// Of a combination: the difference of its legs may be any number.
    Spread,
}

impl Prices {
    pub(crate) fn of(contract: &Contract) -> Self {
        if contract.sec_type == SecType::Combo { Self::Spread } else { Self::Outright }
    }

    /// A price, with the size at it where TWS gives one.
    pub(crate) fn price(self, price: f64, size: Option<f64>) -> Option<f64> {
        let is_nothing = price == 0.0 && size.and_then(self::size).is_none_or(|size| size == 0.0);
        self.bar_price(price).filter(|_| self == Self::Spread || !is_nothing)
    }

    /// A price of a bar, which has no size of its own.
    pub(crate) fn bar_price(self, price: f64) -> Option<f64> {
        set(price).filter(|price| self == Self::Spread || *price != NO_PRICE)
    }
}

/// A size, a volume or a count: below zero there is none.
pub(crate) fn size(size: f64) -> Option<f64> {
    set(size).filter(|size| *size >= 0.0)
}

/// An id, or another number whose 0 says nothing.
pub(crate) fn or_zero(value: i32) -> i32 {
    number(value).unwrap_or_default()
}

/// The entries of a list that TWS writes with separators: one too many makes an empty entry.
pub(crate) fn entries(entries: Vec<String>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
}

/// A text, unless TWS leaves it empty.
pub(crate) fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_bids_at_minus_one_or_at_nothing() {
        let outright = |price, size| Prices::Outright.price(price, size);
        for size in [None, Some(0.0), Some(3.0), Some(f64::NAN)] {
            assert_eq!(outright(-1.0, size), None, "{size:?}");
            assert_eq!(outright(-37.63, size), Some(-37.63), "{size:?}");
        }
        for no_size in [None, Some(0.0), Some(-1.0), Some(f64::MAX)] {
            assert_eq!(outright(0.0, no_size), None, "{no_size:?}");
        }
        assert_eq!(outright(0.0, Some(5.0)), Some(0.0), "somebody gives it away");
    }

    #[test]
    fn only_a_combination_costs_any_number() {
        let contract = |sec_type: &str| Contract::default().with_sec_type(sec_type);
        assert_eq!(Prices::of(&contract("BAG")), Prices::Spread);
        for other in ["", "STK", "FUT", "bag", "FOP"] {
            assert_eq!(Prices::of(&contract(other)), Prices::Outright, "{other}");
        }
        for price in [-1.0, 0.0, -37.63] {
            assert_eq!(Prices::Spread.price(price, Some(0.0)), Some(price));
            assert_eq!(Prices::Spread.price(price, None), Some(price));
        }
        assert_eq!(Prices::Spread.price(f64::MAX, Some(1.0)), None);
    }

    #[test]
    fn a_list_has_no_empty_entries() {
        let list = |text: &str| entries(text.split(',').map(str::to_owned).collect());
        assert_eq!(list("LMT, MKT,,"), ["LMT", "MKT"]);
        assert!(list("").is_empty() && list(" ,").is_empty());
    }

    proptest! {
        #[test]
        fn every_other_price_is_what_tws_says(price in -1e9..1e9_f64, size in proptest::option::of(0.0..1e9_f64)) {
            prop_assume!(price != NO_PRICE && price != 0.0);
            prop_assert_eq!(Prices::Outright.price(price, size), Some(price));
            prop_assert_eq!(Prices::Outright.bar_price(price), Some(price));
        }

        #[test]
        fn no_number_becomes_another(number in any::<f64>(), at in proptest::option::of(any::<f64>())) {
            let given = [
                Prices::Outright.price(number, at), Prices::Spread.price(number, at), Prices::Outright.bar_price(number), size(number),
            ];
            for given in given.into_iter().flatten() {
                prop_assert!(given.is_finite() && given.to_bits() == number.to_bits());
            }
            prop_assert!(size(number).is_none_or(|size| size >= 0.0));
        }
    }
}
