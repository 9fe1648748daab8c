//! Market rules: the steps in which prices move. Their numbers are the simulator's own.

/// From which price on which step holds, as inverse steps.
pub(crate) type Steps = &'static [(f64, f64)];

/// All rules.
const RULES: [(i32, Steps); 5] = [
    (26, &[(0.0, 100.0)]),
    (67, &[(0.0, 4.0)]),
    (239, &[(0.0, 20_000.0)]),
    (580, &[(0.0, 1_000.0)]),
    // Options: cents, and from three dollars on five of them.
    (110, &[(0.0, 100.0), (3.0, 20.0)]),
];

/// The rule of options.
pub(crate) const OPTIONS: i32 = 110;

/// The steps of a rule; `None` if there is no such rule.
pub(crate) fn steps(rule: i32) -> Option<Steps> {
    RULES.into_iter().find(|(number, _)| *number == rule).map(|(_, steps)| steps)
}

/// The rule with one step for all prices, the inverse of `ticks_per_unit`.
pub(crate) fn rule_of(ticks_per_unit: f64) -> i32 {
    RULES.into_iter().find(|(_, steps)| *steps == [(0.0, ticks_per_unit)]).map_or(0, |(number, _)| number)
}

/// The next price of an option downwards, in cents.
pub(crate) fn floor(cents: f64) -> i64 {
    let step = step(cents);
    (cents / step).floor() as i64 * step as i64
}

/// The next price of an option upwards, in cents.
pub(crate) fn ceil(cents: f64) -> i64 {
    let step = step(cents);
    (cents / step).ceil() as i64 * step as i64
}

/// The step of an option's prices, in cents.
fn step(cents: f64) -> f64 {
    if cents < 300.0 { 1.0 } else { 5.0 }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;

    #[test]
    fn prices_of_options_are_those_of_their_rule() {
        for (cents, low, high) in [(0.4, 0, 1), (299.5, 299, 300), (300.0, 300, 300), (673.2, 670, 675)] {
            assert_eq!((floor(cents), ceil(cents)), (low, high));
        }
        assert_eq!(steps(OPTIONS), Some([(0.0, 100.0), (3.0, 20.0)].as_slice()));
    }

    #[test]
    fn every_instrument_has_a_rule() {
        for instrument in World::new(1, &[]).instruments {
            let rule = rule_of(instrument.listing.ticks_per_unit);
            assert_eq!(steps(rule).unwrap(), [(0.0, instrument.listing.ticks_per_unit)]);
        }
    }
}
