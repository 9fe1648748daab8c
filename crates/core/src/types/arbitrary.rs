//! Values as TWS may send them, for the property tests: what a derived strategy can't know.

use jiff::Timestamp;
use jiff::civil::Date;
use proptest::prelude::*;

/// A number, TWS's ways to say "unset" and what no JSON can hold.
pub(crate) fn number() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        Just(None),
        any::<f64>().prop_map(Some),
        (-1_000_000_i32..1_000_000).prop_map(|cents| Some(f64::from(cents) / 100.0)),
        prop::sample::select(vec![
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            -0.0,
            0.0,
            -1.0,
            2_147_483_647.0,
            9_223_372_036_854_775_807.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ])
        .prop_map(Some),
    ]
}

/// A number that is always there and finite.
pub(crate) fn quantity() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        (-1_000_000_i32..1_000_000).prop_map(|cents| f64::from(cents) / 100.0),
        prop::sample::select(vec![
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            -0.0,
            0.0,
            2_147_483_647.0,
            9_223_372_036_854_775_807.0,
        ]),
    ]
}

/// A few such numbers.
pub(crate) fn quantities() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(quantity(), 0..4)
}

/// Any instant, the first and the last included.
pub(crate) fn timestamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(Timestamp::MIN),
        Just(Timestamp::MAX),
        Just(Timestamp::UNIX_EPOCH),
        (Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond())
            .prop_map(|nanos| Timestamp::from_nanosecond(nanos).unwrap()),
    ]
}

/// Any instant, or none.
pub(crate) fn maybe_timestamp() -> impl Strategy<Value = Option<Timestamp>> {
    prop::option::of(timestamp())
}

/// Any day, the first and the last included.
pub(crate) fn date() -> impl Strategy<Value = Date> {
    prop_oneof![
        Just(Date::MIN),
        Just(Date::MAX),
        (0_i16..=9_999, 1_i8..=12, 1_i8..=28)
            .prop_map(|(year, month, day)| jiff::civil::date(year, month, day)),
    ]
}

/// Any day, or none.
pub(crate) fn maybe_date() -> impl Strategy<Value = Option<Date>> {
    prop::option::of(date())
}

/// A short list.
pub(crate) fn few<T: Arbitrary>() -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(any::<T>(), 0..4)
}

/// A few days.
pub(crate) fn dates() -> impl Strategy<Value = Vec<Date>> {
    prop::collection::vec(date(), 0..4)
}
