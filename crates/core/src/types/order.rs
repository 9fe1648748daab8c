//! Orders: what was asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::OrderCondition;
use super::words::tws_words;

/// An order as TWS reports it. Numbers are `None`, texts empty, flags `false` and ids 0 where TWS says nothing.
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
    /// The order id of its parent, as of a bracket's legs; 0 for none.
    pub parent_id: i32,
    /// The `perm_id` of its parent.
    pub parent_perm_id: Option<i64>,
    /// Buy or sell.
    pub action: OrderAction,
    /// How many. Of a completed order: how many were *not* filled, so that what was ordered is this and `filled_quantity`.
    pub total_quantity: Option<f64>,
    /// How many were filled.
    pub filled_quantity: Option<f64>,
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
    /// Whether a relative order's discretion reaches up to its limit.
    pub discretionary_up_to_limit_price: bool,
    /// Which price triggers a stop: 0 default, 1 double bid/ask, 2 last, 3 double last, 4 bid/ask, 7 last or bid/ask, 8
    /// midpoint.
    pub trigger_method: Option<i32>,
    /// How long it is good: `DAY`, `GTC`, `GTD`, `IOC`, `FOK`, `OPG`, ...
    pub tif: String,
    /// From when on it is good, as TWS writes it.
    pub good_after_time: String,
    /// Until when it is good, as TWS writes it.
    pub good_till_date: String,
    /// When it is cancelled by itself, as TWS writes it.
    pub auto_cancel_date: String,
    /// Whether its parent is cancelled when it is.
    pub auto_cancel_parent: bool,
    /// From when on a scale order is worked, as TWS writes it.
    pub active_start_time: String,
    /// Until when a scale order is worked, as TWS writes it.
    pub active_stop_time: String,
    /// For how many seconds it is good.
    pub duration: Option<i32>,
    /// Whether it also trades outside of regular hours.
    pub outside_rth: bool,
    /// Whether it also trades in the overnight session.
    pub include_overnight: bool,
    /// Whether it may trade before the open.
    pub allow_pre_open: bool,
    /// Whether it stays out of the opening auction.
    pub ignore_open_auction: bool,
    /// Whether it is hidden from the order book.
    pub hidden: bool,
    /// Whether it may only add liquidity.
    pub post_only: bool,
    /// Whether it is filled whole or not at all.
    pub all_or_none: bool,
    /// Whether it is an ISE block order.
    pub block_order: bool,
    /// Whether it takes the best prices of all exchanges at once.
    pub sweep_to_fill: bool,
    /// Whether it is for IBDARK, and the price is left to the broker.
    pub not_held: bool,
    /// Whether TWS has sent it on; `false` for one that waits in TWS. An order that TWS reports without saying so is sent.
    pub transmit: bool,
    /// Whether TWS keeps it without working it.
    pub deactivate: bool,
    /// Whether TWS's limits on prices and sizes are overridden.
    pub override_percentage_constraints: bool,
    /// Whether it only asks what it would cost.
    pub what_if: bool,
    /// What it asks: 0 all checks of an order, 1 only the margin.
    pub what_if_type: Option<i32>,
    /// The account.
    pub account: String,
    /// The portfolio model.
    pub model_code: String,
    /// The customer's account, for orders of brokers.
    pub customer_account: String,
    /// Whether that customer is a professional.
    pub professional_customer: bool,
    /// The firm that settles it; for institutions.
    pub settling_firm: String,
    /// The account that it is cleared into; for institutions.
    pub clearing_account: String,
    /// Where it is cleared: `IB`, `Away`, or `PTA` for post-trade allocation.
    pub clearing_intent: String,
    /// What the customer says about being an insider, e.g. `Not an insider or substantial shareholder`.
    pub shareholder: String,
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
    /// What a fill does to the rest of its group: 1 cancels with block, 2 reduces with block, 3 reduces without block; 0
    /// for no group.
    pub oca_type: Option<i32>,
    /// `O` opens a position, `C` closes one; for institutions.
    pub open_close: String,
    /// Whose it is: 0 the customer's, 1 the firm's.
    pub origin: Option<i32>,
    /// Where the stock of a short sale comes from: 0 for none, 1 the clearing broker, 2 a third party.
    pub short_sale_slot: Option<i32>,
    /// The third party of slot 2.
    pub designated_location: String,
    /// The exemption from the short-sale rule, as TWS numbers them; -1 for none.
    pub exempt_code: Option<i32>,
    /// The kind of trader by NYSE's rule 80A, e.g. `I` for an individual.
    pub rule_80a: String,
    /// Whether it goes where it is directed, although its exchange is `SMART`.
    pub opt_out_smart_routing: bool,
    /// Whether a marketable part goes to the best bid or offer.
    pub route_marketable_to_bbo: Option<bool>,
    /// Whether TWS looks for a better price.
    pub seek_price_improvement: Option<bool>,
    /// Whether TWS manages its price.
    pub use_price_mgmt_algo: Option<bool>,
    /// Whether it only trades against an auction's imbalance.
    pub imbalance_only: bool,
    /// For how many milliseconds it is posted to IBKR's ATS before it goes on.
    pub post_to_ats: Option<i32>,
    /// The least to trade against one order at IBKR's ATS.
    pub min_trade_qty: Option<i32>,
    /// The least size of a resting order that it competes with at IBKR's ATS.
    pub min_compete_size: Option<i32>,
    /// By how much it is better than the best price at IBKR's ATS; `None` also for competing up to the midpoint.
    pub compete_against_best_offset: Option<f64>,
    /// How far from the midpoint it is where that is a whole tick.
    pub mid_offset_at_whole: Option<f64>,
    /// How far from the midpoint it is where that is half a tick.
    pub mid_offset_at_half: Option<f64>,
    /// Whether its size is varied at random.
    pub randomize_size: bool,
    /// Whether its price is varied at random.
    pub randomize_price: bool,
    /// IBKR's algorithm, e.g. `Vwap` or `Adaptive`.
    pub algo_strategy: String,
    /// The algorithm's parameters by name.
    pub algo_params: BTreeMap<String, String>,
    /// The id that its algorithm's orders have together.
    pub algo_id: String,
    /// How a combination is routed, by TWS's names.
    pub smart_combo_routing_params: BTreeMap<String, String>,
    /// TWS's further options by name.
    pub order_misc_options: BTreeMap<String, String>,
    /// What kind of hedge it is: `D` delta, `B` beta, `F` currency, `P` pair.
    pub hedge_type: String,
    /// The hedge's parameter, e.g. its ratio.
    pub hedge_param: String,
    /// The largest size of the hedge.
    pub hedge_max_size: Option<i32>,
    /// Whether a hedge keeps its own price.
    pub dont_use_auto_price_for_hedge: bool,
    /// The volatility of a `VOL` order, in percent.
    pub volatility: Option<f64>,
    /// Of that volatility: 1 daily, 2 annual.
    pub volatility_type: Option<i32>,
    /// Whether a `VOL` order follows the underlying's price.
    pub continuous_update: bool,
    /// The price that it follows: 1 the average of bid and ask, 2 the bid of a call bought or the ask of one sold, and so
    /// on.
    pub reference_price_type: Option<i32>,
    /// The type of the order that hedges a `VOL` order's delta; TWS says `None` for none.
    pub delta_neutral_order_type: String,
    /// That order's `aux_price`.
    pub delta_neutral_aux_price: Option<f64>,
    /// The contract that hedges.
    pub delta_neutral_con_id: Option<i32>,
    /// As `settling_firm`, of that order.
    pub delta_neutral_settling_firm: String,
    /// As `clearing_account`, of that order.
    pub delta_neutral_clearing_account: String,
    /// As `clearing_intent`, of that order.
    pub delta_neutral_clearing_intent: String,
    /// As `open_close`, of that order.
    pub delta_neutral_open_close: String,
    /// Whether that order sells short.
    pub delta_neutral_short_sale: bool,
    /// As `short_sale_slot`, of that order.
    pub delta_neutral_short_sale_slot: Option<i32>,
    /// As `designated_location`, of that order.
    pub delta_neutral_designated_location: String,
    /// The starting price of an order at BOX.
    pub starting_price: Option<f64>,
    /// The underlying's price that a `VOL` or pegged-to-stock order is computed from.
    pub stock_ref_price: Option<f64>,
    /// The delta of a pegged-to-stock order.
    pub delta: Option<f64>,
    /// The underlying's price below which a pegged order is cancelled.
    pub stock_range_lower: Option<f64>,
    /// The underlying's price above which a pegged order is cancelled.
    pub stock_range_upper: Option<f64>,
    /// The contract that a pegged-to-benchmark order follows.
    pub reference_contract_id: Option<i32>,
    /// Where that contract's price is watched.
    pub reference_exchange_id: String,
    /// By how much that price has to change.
    pub reference_change_amount: Option<f64>,
    /// By how much the order's price changes then.
    pub pegged_change_amount: Option<f64>,
    /// Whether the order's price falls when that price rises.
    pub is_pegged_change_amount_decrease: bool,
    /// The future that an order pegged to it follows.
    pub ref_futures_con_id: Option<i32>,
    /// The size of a scale order's first component.
    pub scale_init_level_size: Option<i32>,
    /// The size of its further components.
    pub scale_subs_level_size: Option<i32>,
    /// The price between components.
    pub scale_price_increment: Option<f64>,
    /// By how much the prices are moved each time.
    pub scale_price_adjust_value: Option<f64>,
    /// After how many seconds they are moved.
    pub scale_price_adjust_interval: Option<i32>,
    /// The profit that a component is closed at.
    pub scale_profit_offset: Option<f64>,
    /// Whether a component starts anew when it is closed.
    pub scale_auto_reset: bool,
    /// The position that the order begins with.
    pub scale_init_position: Option<i32>,
    /// How many are filled when the order begins.
    pub scale_init_fill_qty: Option<i32>,
    /// Whether the sizes are varied at random.
    pub scale_random_percent: bool,
    /// The components as a table, as TWS writes it.
    pub scale_table: String,
    /// The order type that a stop becomes at `trigger_price`; TWS says `None` for none.
    pub adjusted_order_type: String,
    /// See `adjusted_order_type`.
    pub trigger_price: Option<f64>,
    /// The stop price from then on.
    pub adjusted_stop_price: Option<f64>,
    /// The limit from then on.
    pub adjusted_stop_limit_price: Option<f64>,
    /// The trailing amount from then on.
    pub adjusted_trailing_amount: Option<f64>,
    /// What that amount is: 0 money, 1 percent.
    pub adjustable_trailing_unit: Option<i32>,
    /// What has to come true before it is sent, or cancelled.
    pub conditions: Vec<OrderCondition>,
    /// Whether the conditions cancel it instead of sending it.
    pub conditions_cancel_order: bool,
    /// Whether the conditions are also watched outside of regular hours.
    pub conditions_ignore_rth: bool,
    /// Whether the conditions are also watched in the overnight session.
    pub conditions_include_overnight: bool,
    /// The soft dollar tier it is charged by.
    pub soft_dollar_tier: Option<SoftDollarTier>,
    /// Who decided to trade, by MiFID II.
    pub mifid2_decision_maker: String,
    /// Which algorithm decided to trade, by MiFID II.
    pub mifid2_decision_algo: String,
    /// Who executes it, by MiFID II.
    pub mifid2_execution_trader: String,
    /// Which algorithm executes it, by MiFID II.
    pub mifid2_execution_algo: String,
    /// Who operates the program, for exchanges that want to know.
    pub ext_operator: String,
    /// When a person placed it, as TWS writes it.
    pub manual_order_time: String,
    /// Whether a person placed it: 0 a program did, 1 a person.
    pub manual_order_indicator: Option<i32>,
    /// Whether the broker solicited it.
    pub solicited: bool,
    /// Whether it only holds orders of an order management system.
    pub is_oms_container: bool,
    /// The rejections that it overrides, by TWS's codes.
    pub advanced_error_override: String,
    /// A bond's accrued interest, as TWS writes it.
    pub bond_accrued_interest: String,
    /// Who submitted it, where TWS says.
    pub submitter: String,
}

tws_words! {
    /// Buy or sell.
    OrderAction {
        /// TWS says neither.
        Unset,
        /// `BUY`
        Buy = "BUY",
        /// `SELL`
        Sell = "SELL",
        /// `SSHORT`: sell short; for institutions.
        SellShort = "SSHORT",
        /// `SLONG`: sell what is held elsewhere; for institutions.
        SellLong = "SLONG",
    }
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
