//! What TWS's option model computes.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::{Contract, TickType};

/// What [`calculate_option_price`](crate::Session::calculate_option_price) asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct CalculateOptionPriceParams {
    /// Of which option.
    pub contract: Contract,
    /// The volatility to assume, per year: 0.25 is 25 %.
    pub volatility: f64,
    /// The underlying's price to assume, in the contract's currency.
    pub under_price: f64,
}

/// What [`calculate_implied_volatility`](crate::Session::calculate_implied_volatility) asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct CalculateImpliedVolatilityParams {
    /// Of which option.
    pub contract: Contract,
    /// The option's price to assume, in the contract's currency.
    pub option_price: f64,
    /// The underlying's price to assume, in the contract's currency.
    pub under_price: f64,
}

/// Prices, volatility and Greeks of an option that fit together; `None` is what TWS could not compute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct OptionComputation {
    /// Which computation: `cust_option_computation` for one that was asked for.
    pub tick_type: TickType,
    /// The implied volatility per year: 0.25 is 25 %.
    pub implied_volatility: Option<f64>,
    /// What it was computed on: 0 returns, 1 prices.
    pub tick_attrib: Option<i32>,
    /// Delta: the change of its price with the underlying's by 1.
    pub delta: Option<f64>,
    /// The option's price, in the contract's currency.
    pub option_price: Option<f64>,
    /// The present value of expected dividends, in the contract's currency.
    pub present_value_dividend: Option<f64>,
    /// Gamma: the change of delta with the underlying's price by 1.
    pub gamma: Option<f64>,
    /// Vega, in the contract's currency per percentage point of volatility.
    pub vega: Option<f64>,
    /// Theta, in the contract's currency per day.
    pub theta: Option<f64>,
    /// The underlying's price, in the contract's currency.
    pub underlying_price: Option<f64>,
}

impl Default for OptionComputation {
    /// TWS's model, of which nothing is known.
    fn default() -> Self {
        Self {
            tick_type: TickType::MODEL_OPTION,
            implied_volatility: None,
            tick_attrib: None,
            delta: None,
            option_price: None,
            present_value_dividend: None,
            gamma: None,
            vega: None,
            theta: None,
            underlying_price: None,
        }
    }
}
