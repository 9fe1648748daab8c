//! The market scanner: contracts that TWS finds and ranks.

use std::collections::BTreeMap;

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::Contract;

/// What [`scanner`](crate::Session::scanner) subscribes to. The codes are those of
/// [`scanner_parameters`](crate::Session::scanner_parameters); `None` filters nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ScannerParams {
    /// How many rows; `None` for TWS's default. TWS has at most 50.
    pub number_of_rows: Option<u8>,
    /// The kind of instrument, e.g. `STK`.
    #[setters(into)]
    pub instrument: String,
    /// Where, e.g. `STK.US.MAJOR`.
    #[setters(into)]
    pub location_code: String,
    /// What is scanned for, e.g. `TOP_PERC_GAIN`.
    #[setters(into)]
    pub scan_code: String,
    /// The lowest price.
    pub above_price: Option<f64>,
    /// The highest price.
    pub below_price: Option<f64>,
    /// The smallest volume of the day, in shares or contracts.
    pub above_volume: Option<i32>,
    /// The smallest average volume of options.
    pub average_option_volume_above: Option<i32>,
    /// The smallest market capitalization, in millions.
    pub market_cap_above: Option<f64>,
    /// The largest market capitalization, in millions.
    pub market_cap_below: Option<f64>,
    /// The lowest rating by Moody's.
    pub moody_rating_above: Option<String>,
    /// The highest rating by Moody's.
    pub moody_rating_below: Option<String>,
    /// The lowest rating by S&P.
    pub sp_rating_above: Option<String>,
    /// The highest rating by S&P.
    pub sp_rating_below: Option<String>,
    /// The first day of maturity, `yyyymmdd`.
    pub maturity_date_above: Option<String>,
    /// The last day of maturity, `yyyymmdd`.
    pub maturity_date_below: Option<String>,
    /// The lowest coupon, in percent.
    pub coupon_rate_above: Option<f64>,
    /// The highest coupon, in percent.
    pub coupon_rate_below: Option<f64>,
    /// Leaves out convertible bonds.
    pub exclude_convertible: bool,
    /// Settings of some scans, e.g. `Annual,true`.
    pub scanner_setting_pairs: Option<String>,
    /// The kind of stock: `CORP`, `ADR`, `ETF`, `REIT` or `CEF`.
    pub stock_type_filter: Option<String>,
    /// Further filters by their codes in the scanner's parameters, e.g. `changePercAbove`.
    pub filter_options: BTreeMap<String, String>,
}

/// One event of a scanner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScannerEvent {
    /// The whole list again, in the order of its ranks.
    Rows(Vec<ScannerRow>),
    /// A warning about this subscription that does not end it; 165 when nothing was found.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// A contract that a scanner found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ScannerRow {
    /// Its rank, 0 for the first.
    pub rank: i32,
    /// The contract.
    pub contract: Contract,
    /// The market name of the product.
    pub market_name: String,
    /// How far it is from what was scanned for, as TWS writes it; most scans have none.
    pub distance: Option<String>,
    /// What it is compared with, as TWS writes it; most scans have none.
    pub benchmark: Option<String>,
    /// What TWS projects of it, as TWS writes it; most scans have none.
    pub projection: Option<String>,
    /// The legs, when it is an exchange for physical; else `None`.
    pub legs: Option<String>,
}
