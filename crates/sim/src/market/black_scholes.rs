//! What an option is worth: the model of Black and Scholes, without dividends. Times are in years.

use std::f64::consts::{PI, SQRT_2};

/// Days of a year, over which an option loses its theta.
const DAYS: f64 = 365.25;

/// Volatilities between which an implied one is searched.
const VOLATILITIES: (f64, f64) = (1e-4, 10.0);

/// An option at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) right: Right,
    pub(crate) spot: f64,
    pub(crate) strike: f64,
    pub(crate) years: f64,
    /// The interest of a year, compounded continuously.
    pub(crate) rate: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Call,
    Put,
}

/// Its value, and how that changes: vega by a percent of volatility, theta by a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) price: f64,
    pub(crate) delta: f64,
    pub(crate) gamma: f64,
    pub(crate) vega: f64,
    pub(crate) theta: f64,
}

impl Model {
    pub(crate) fn value(self, volatility: f64) -> Value {
        let Self { right, spot, strike, years, rate } = self;
        // An option that has expired is worth what exercising it gives.
        let years = years.max(1e-9);
        let deviation = volatility * years.sqrt();
        let d1 = ((spot / strike).ln() + (rate + volatility * volatility / 2.0) * years) / deviation;
        let d2 = d1 - deviation;
        let discounted = strike * (-rate * years).exp();
        let density = (-d1 * d1 / 2.0).exp() / (2.0 * PI).sqrt();
        let decay = spot * density * volatility / (2.0 * years.sqrt());
        let (price, delta, theta) = match right {
            Right::Call => (
                spot * normal(d1) - discounted * normal(d2),
                normal(d1),
                -decay - rate * discounted * normal(d2),
            ),
            Right::Put => (
                discounted * normal(-d2) - spot * normal(-d1),
                normal(d1) - 1.0,
                -decay + rate * discounted * normal(-d2),
            ),
        };
        let gamma = density / (spot * deviation);
        let vega = spot * density * years.sqrt() / 100.0;
        Value { price, delta, gamma, vega, theta: theta / DAYS }
    }

    /// The volatility at which it has this price; `None` if it has it at none.
    pub(crate) fn implied_volatility(self, price: f64) -> Option<f64> {
        let (mut low, mut high) = VOLATILITIES;
        if !(self.value(low).price..=self.value(high).price).contains(&price) {
            return None;
        }
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if self.value(middle).price < price { low = middle } else { high = middle }
        }
        Some(f64::midpoint(low, high))
    }
}

/// The normal distribution.
fn normal(x: f64) -> f64 {
    libm::erfc(-x / SQRT_2) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(right: Right) -> Model {
        Model { right, spot: 100.0, strike: 105.0, years: 0.5, rate: 0.04 }
    }

    #[test]
    fn a_textbook_option_has_its_textbook_price() {
        // John Hull, Options, Futures, and Other Derivatives, the example of the model's chapter.
        let hull = |right| Model { right, spot: 42.0, strike: 40.0, years: 0.5, rate: 0.1 }.value(0.2).price;
        assert!((hull(Right::Call) - 4.76).abs() < 5e-3 && (hull(Right::Put) - 0.81).abs() < 5e-3);
    }

    #[test]
    fn puts_and_calls_have_their_parity() {
        for volatility in [0.05, 0.2, 0.9] {
            let (call, put) = (model(Right::Call).value(volatility), model(Right::Put).value(volatility));
            let parity = 100.0 - 105.0 * (-0.04 * 0.5_f64).exp();
            assert!((call.price - put.price - parity).abs() < 1e-9);
            assert!((call.delta - put.delta - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_greeks_are_the_slopes_of_the_price() {
        for right in [Right::Call, Right::Put] {
            let (model, step) = (model(right), 1e-4);
            let price = |spot, years, volatility| Model { spot, years, ..model }.value(volatility).price;
            let slope = |up: f64, down: f64| (up - down) / (2.0 * step);
            let value = model.value(0.3);
            let delta = slope(price(100.0 + step, 0.5, 0.3), price(100.0 - step, 0.5, 0.3));
            let vega = slope(price(100.0, 0.5, 0.3 + step), price(100.0, 0.5, 0.3 - step)) / 100.0;
            let theta = -slope(price(100.0, 0.5 + step, 0.3), price(100.0, 0.5 - step, 0.3)) / DAYS;
            for (slope, greek) in [(delta, value.delta), (vega, value.vega), (theta, value.theta)] {
                assert!((slope - greek).abs() < 1e-5, "{slope} {greek}");
            }
        }
    }

    #[test]
    fn a_price_tells_its_volatility() {
        for right in [Right::Call, Right::Put] {
            for volatility in [0.1, 0.25, 1.5] {
                let price = model(right).value(volatility).price;
                let implied = model(right).implied_volatility(price).unwrap();
                assert!((implied - volatility).abs() < 1e-9, "{implied}");
            }
            assert_eq!(model(right).implied_volatility(200.0), None);
            assert_eq!(model(right).implied_volatility(-1.0), None);
        }
    }
}
