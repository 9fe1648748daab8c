//! Orders: what was asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SecType;
use super::names::tws_names;

/// An order as TWS reports it. Texts are empty, flags `false` and ids 0 where TWS says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Order {
    /// The id that the client gave it, unique to that client only; 0 for an order made in TWS, and for a completed one.
    pub order_id: i32,
    /// The client that placed it; 0 for TWS itself.
    pub client_id: i32,
    /// TWS's own id, unique in the account for ever.
    pub perm_id: i64,
    /// The order id of its parent, as of a bracket's legs.
    pub parent_id: i32,
    /// The `perm_id` of its parent.
    pub parent_perm_id: Option<i64>,
    /// Buy or sell.
    pub action: OrderAction,
    /// How many. Of a completed order: how many were *not* filled, so that what was ordered is this and `filled_quantity`.
    pub total_quantity: f64,
    /// How many were filled; only completed orders have it, for open ones it is in the order status.
    pub filled_quantity: f64,
    /// How much money to spend, instead of a quantity.
    pub cash_qty: Option<f64>,
    /// How many to show at a time, of an iceberg order.
    pub display_size: Option<i32>,
    /// The least to fill at once.
    pub min_qty: Option<i32>,
    /// TWS's order type, e.g. `MKT`, `LMT`, `STP`, `STP LMT`, `TRAIL`, `MIDPRICE`.
    pub order_type: String,
    /// The limit.
    pub lmt_price: Option<f64>,
    /// The stop price of a `STP` or `STP LMT`, the trailing amount of a `TRAIL`, the offset of a pegged order, ...
    pub aux_price: Option<f64>,
    /// The stop price of a trailing order at this time.
    pub trail_stop_price: Option<f64>,
    /// The trailing amount in percent, instead of `aux_price`.
    pub trailing_percent: Option<f64>,
    /// By how much the limit of a `TRAIL LIMIT` is away from its stop price.
    pub lmt_price_offset: Option<f64>,
    /// The offset of a relative order, as a fraction.
    pub percent_offset: Option<f64>,
    /// By how much the price may be worse than the limit, of a discretionary order.
    pub discretionary_amt: Option<f64>,
    /// Which price triggers a stop: 0 default, 1 double bid/ask, 2 last, 3 double last, 4 bid/ask, 7 last or bid/ask,
    /// 8 midpoint.
    pub trigger_method: i32,
    /// How long it is good: `DAY`, `GTC`, `GTD`, `IOC`, `FOK`, `OPG`, ...
    pub tif: String,
    /// From when on it is good, as TWS writes it.
    pub good_after_time: String,
    /// Until when it is good, as TWS writes it.
    pub good_till_date: String,
    /// When it is cancelled by itself, as TWS writes it.
    pub auto_cancel_date: String,
    /// Whether it also trades outside of regular hours.
    pub outside_rth: bool,
    /// Whether it is hidden from the order book.
    pub hidden: bool,
    /// Whether it is filled whole or not at all.
    pub all_or_none: bool,
    /// Whether TWS has sent it on; `false` for one that waits in TWS.
    pub transmit: bool,
    /// Whether it only asks what it would cost.
    pub what_if: bool,
    /// The account.
    pub account: String,
    /// The portfolio model.
    pub model_code: String,
    /// The advisor's account group.
    pub fa_group: String,
    /// How the order is divided in the group.
    pub fa_method: String,
    /// The percentage that the method needs.
    pub fa_percentage: String,
    /// The client's own remark.
    pub order_ref: String,
    /// The one-cancels-all group.
    pub oca_group: String,
    /// What a fill does to the rest of its group: 1 cancels with block, 2 reduces with block, 3 reduces without block; 0 for no
    /// group.
    pub oca_type: i32,
    /// `O` opens a position, `C` closes one; for institutions.
    pub open_close: String,
    /// IBKR's algorithm, e.g. `Vwap` or `Adaptive`.
    pub algo_strategy: String,
    /// The algorithm's parameters by name.
    pub algo_params: BTreeMap<String, String>,
    /// How a combination is routed, by TWS's names.
    pub smart_combo_routing_params: BTreeMap<String, String>,
    /// What kind of hedge it is: `D` delta, `B` beta, `F` currency, `P` pair.
    pub hedge_type: String,
    /// The hedge's parameter, e.g. its ratio.
    pub hedge_param: String,
    /// The volatility of a `VOL` order, in percent.
    pub volatility: Option<f64>,
    /// Of that volatility: 1 daily, 2 annual.
    pub volatility_type: Option<i32>,
    /// The order type that a stop becomes at `trigger_price`.
    pub adjusted_order_type: String,
    /// See `adjusted_order_type`.
    pub trigger_price: Option<f64>,
    /// The stop price from then on.
    pub adjusted_stop_price: Option<f64>,
    /// The limit from then on.
    pub adjusted_stop_limit_price: Option<f64>,
    /// The trailing amount from then on.
    pub adjusted_trailing_amount: Option<f64>,
    /// What has to come true before it is sent, or cancelled.
    pub conditions: Vec<OrderCondition>,
    /// Whether the conditions cancel it instead of sending it.
    pub conditions_cancel_order: bool,
    /// Whether the conditions are also watched outside of regular hours.
    pub conditions_ignore_rth: bool,
    /// The soft dollar tier it is charged by.
    pub soft_dollar_tier: Option<SoftDollarTier>,
    /// Who submitted it, where TWS says.
    pub submitter: String,
}

tws_names! {
    /// Buy or sell.
    OrderAction, "order action" {
        #[default] Buy = "BUY", Sell = "SELL", SellShort = "SSHORT", SellLong = "SLONG",
    }
}

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
        /// Which price, as in [`trigger_method`](Order::trigger_method) of an order.
        trigger_method: i32,
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
        percent: i32,
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
        volume: i32,
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

/// A tier of commissions that pay for research.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct SoftDollarTier {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// How TWS shows it.
    pub display_name: String,
}
