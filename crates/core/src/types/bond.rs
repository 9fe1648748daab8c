//! What TWS knows about a bond.

use serde::{Deserialize, Serialize};

/// What only a bond has; days and times as TWS writes them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct BondDetails {
    /// Its CUSIP, for those who subscribe to CUSIPs.
    pub cusip: String,
    /// Its kind, e.g. `CORP`.
    pub bond_type: String,
    /// The interest it pays in a year, in percent of its face value; `None` where TWS gives none.
    pub coupon: Option<f64>,
    /// The kind of coupon, e.g. `FIXED`.
    pub coupon_type: String,
    /// When it is paid back; `None` where TWS gives no day.
    pub maturity: Option<String>,
    /// When it was issued.
    pub issue_date: String,
    /// What the issuer is rated.
    pub ratings: String,
    /// More about it.
    pub desc_append: String,
    /// Whether the issuer may pay it back early.
    pub callable: bool,
    /// Whether its holder may give it back early.
    pub putable: bool,
    /// Whether it can become stock.
    pub convertible: bool,
    /// The next day of an embedded option.
    pub next_option_date: String,
    /// The kind of that option.
    pub next_option_type: String,
    /// Whether that option is for a part of it.
    pub next_option_partial: bool,
    /// IBKR's notes.
    pub notes: String,
}
