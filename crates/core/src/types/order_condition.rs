//! What an order can wait for.

use serde::{Deserialize, Serialize};

use super::SecType;

/// A condition of an order, and how it goes with the next one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "what is new about a condition is new in `Condition`")]
pub struct OrderCondition {
    /// What has to come true.
    pub condition: Condition,
    /// Whether the next condition has to come true too (and), or instead (or).
    pub is_conjunction: bool,
}

/// What an order can wait for. Where there is `is_more`, the value has to be above the bound, else below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// A contract's price.
    Price {
        /// The contract.
        con_id: i32,
        /// Where its price is watched.
        exchange: String,
        /// The bound.
        price: Option<f64>,
        /// Which price, as in [`trigger_method`](super::Order::trigger_method) of an order.
        trigger_method: Option<i32>,
        /// Above or below.
        is_more: bool,
    },
    /// The time.
    Time {
        /// The bound as TWS writes it, e.g. `20261230 14:30:00 US/Eastern`.
        time: String,
        /// After or before.
        is_more: bool,
    },
    /// The account's margin cushion.
    Margin {
        /// The bound in percent.
        percent: Option<i32>,
        /// Above or below.
        is_more: bool,
    },
    /// Any execution of the account.
    Execution {
        /// In contracts of this symbol.
        symbol: String,
        /// And this security type.
        sec_type: SecType,
        /// On this exchange.
        exchange: String,
    },
    /// A contract's volume of the day.
    Volume {
        /// The contract.
        con_id: i32,
        /// Where its volume is watched.
        exchange: String,
        /// The bound.
        volume: Option<i32>,
        /// Above or below.
        is_more: bool,
    },
    /// A contract's change since its last close.
    PercentChange {
        /// The contract.
        con_id: i32,
        /// Where its price is watched.
        exchange: String,
        /// The bound in percent: 2 is 2%.
        percent: Option<f64>,
        /// Above or below.
        is_more: bool,
    },
    /// A condition that is not known here.
    Other {
        /// TWS's number of its kind.
        condition_type: i32,
    },
}
