//! Orders and executions, which travel whole.

use ibapi::orders as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    CommissionReport, CompletedOrder, Condition, Contract, Execution, ExecutionsParams, ExecutionsSide,
    OpenOrder, Order, OrderAllocation, OrderCondition, OrderState, OrderStatus, SoftDollarTier, number, set,
};
use ibkr_connect_core::{Error, ErrorKind, Result};
use ibkr_connect_wire::messages as wire;

use super::{amount, contract, decimal, integer, text, tws_time, whole};

/// Without its status, which comes by itself.
pub(crate) fn open_order(data: ib::OrderData) -> OpenOrder {
    open_order_of(whole(&data.contract.description))
}

fn open_order_of(of: wire::OpenOrder) -> OpenOrder {
    let mut order = order(of.order.unwrap_or_default());
    if order.order_id == 0 {
        order.order_id = integer(of.order_id);
    }
    literal!(OpenOrder {
        contract: contract(of.contract.unwrap_or_default()),
        order,
        order_state: order_state(of.order_state.unwrap_or_default()),
        order_status: None,
    })
}

pub(crate) fn completed_order(data: ib::OrderData) -> CompletedOrder {
    let of: wire::CompletedOrder = whole(&data.contract.description);
    literal!(CompletedOrder {
        contract: contract(of.contract.unwrap_or_default()),
        order: order(of.order.unwrap_or_default()),
        order_state: order_state(of.order_state.unwrap_or_default()),
    })
}

fn order(of: wire::Order) -> Order {
    literal!(Order {
        order_id: integer(of.order_id),
        client_id: integer(of.client_id),
        perm_id: of.perm_id.and_then(perm_id).unwrap_or_default(),
        parent_id: integer(of.parent_id),
        parent_perm_id: of.parent_perm_id.and_then(perm_id),
        action: text(of.action).into(),
        total_quantity: amount(of.total_quantity),
        filled_quantity: amount(of.filled_quantity),
        cash_qty: of.cash_qty.and_then(set),
        display_size: of.display_size.and_then(number).filter(|size| *size > 0),
        min_qty: of.min_qty.and_then(number),
        order_type: text(of.order_type),
        lmt_price: of.lmt_price.and_then(set),
        aux_price: of.aux_price.and_then(set),
        trail_stop_price: of.trail_stop_price.and_then(set),
        trailing_percent: of.trailing_percent.and_then(set),
        lmt_price_offset: of.lmt_price_offset.and_then(set),
        percent_offset: of.percent_offset.and_then(set),
        discretionary_amt: of.discretionary_amt.and_then(set).filter(|amount| *amount != 0.0),
        discretionary_up_to_limit_price: of.discretionary_up_to_limit_price.unwrap_or_default(),
        trigger_method: of.trigger_method.and_then(number),
        tif: text(of.tif),
        good_after_time: text(of.good_after_time),
        good_till_date: text(of.good_till_date),
        auto_cancel_date: text(of.auto_cancel_date),
        auto_cancel_parent: of.auto_cancel_parent.unwrap_or_default(),
        active_start_time: text(of.active_start_time),
        active_stop_time: text(of.active_stop_time),
        duration: of.duration.and_then(number),
        outside_rth: of.outside_rth.unwrap_or_default(),
        include_overnight: of.include_overnight.unwrap_or_default(),
        allow_pre_open: of.allow_pre_open.unwrap_or_default(),
        ignore_open_auction: of.ignore_open_auction.unwrap_or_default(),
        hidden: of.hidden.unwrap_or_default(),
        post_only: of.post_only.unwrap_or_default(),
        all_or_none: of.all_or_none.unwrap_or_default(),
        block_order: of.block_order.unwrap_or_default(),
        sweep_to_fill: of.sweep_to_fill.unwrap_or_default(),
        not_held: of.not_held.unwrap_or_default(),
        transmit: of.transmit.unwrap_or(true),
        deactivate: of.deactivate.unwrap_or_default(),
        override_percentage_constraints: of.override_percentage_constraints.unwrap_or_default(),
        what_if: of.what_if.unwrap_or_default(),
        what_if_type: of.what_if_type.and_then(number),
        account: text(of.account),
        model_code: text(of.model_code),
        customer_account: text(of.customer_account),
        professional_customer: of.professional_customer.unwrap_or_default(),
        settling_firm: text(of.settling_firm),
        clearing_account: text(of.clearing_account),
        clearing_intent: text(of.clearing_intent),
        shareholder: text(of.shareholder),
        fa_group: text(of.fa_group),
        fa_method: text(of.fa_method),
        fa_percentage: text(of.fa_percentage),
        order_ref: text(of.order_ref),
        oca_group: text(of.oca_group),
        oca_type: of.oca_type.and_then(number),
        open_close: text(of.open_close),
        origin: of.origin.and_then(number),
        short_sale_slot: of.short_sale_slot.and_then(number),
        designated_location: text(of.designated_location),
        exempt_code: of.exempt_code.and_then(number),
        rule_80a: text(of.rule_80a),
        opt_out_smart_routing: of.opt_out_smart_routing.unwrap_or_default(),
        route_marketable_to_bbo: of.route_marketable_to_bbo.and_then(flag),
        seek_price_improvement: of.seek_price_improvement.and_then(flag),
        use_price_mgmt_algo: of.use_price_mgmt_algo.and_then(flag),
        imbalance_only: of.imbalance_only.unwrap_or_default(),
        post_to_ats: of.post_to_ats.and_then(number),
        min_trade_qty: of.min_trade_qty.and_then(number),
        min_compete_size: of.min_compete_size.and_then(number),
        compete_against_best_offset: of.compete_against_best_offset.and_then(set),
        mid_offset_at_whole: of.mid_offset_at_whole.and_then(set),
        mid_offset_at_half: of.mid_offset_at_half.and_then(set),
        randomize_size: of.randomize_size.unwrap_or_default(),
        randomize_price: of.randomize_price.unwrap_or_default(),
        algo_strategy: text(of.algo_strategy),
        algo_params: of.algo_params,
        algo_id: text(of.algo_id),
        smart_combo_routing_params: of.smart_combo_routing_params,
        order_misc_options: of.order_misc_options,
        hedge_type: text(of.hedge_type),
        hedge_param: text(of.hedge_param),
        hedge_max_size: of.hedge_max_size.and_then(number),
        dont_use_auto_price_for_hedge: of.dont_use_auto_price_for_hedge.unwrap_or_default(),
        volatility: of.volatility.and_then(set),
        volatility_type: of.volatility_type.and_then(number),
        continuous_update: of.continuous_update.unwrap_or_default(),
        reference_price_type: of.reference_price_type.and_then(number),
        delta_neutral_order_type: text(of.delta_neutral_order_type),
        delta_neutral_aux_price: of.delta_neutral_aux_price.and_then(set),
        delta_neutral_con_id: of.delta_neutral_con_id.and_then(con_id),
        delta_neutral_settling_firm: text(of.delta_neutral_settling_firm),
        delta_neutral_clearing_account: text(of.delta_neutral_clearing_account),
        delta_neutral_clearing_intent: text(of.delta_neutral_clearing_intent),
        delta_neutral_open_close: text(of.delta_neutral_open_close),
        delta_neutral_short_sale: of.delta_neutral_short_sale.unwrap_or_default(),
        delta_neutral_short_sale_slot: of.delta_neutral_short_sale_slot.and_then(number),
        delta_neutral_designated_location: text(of.delta_neutral_designated_location),
        starting_price: of.starting_price.and_then(set),
        stock_ref_price: of.stock_ref_price.and_then(set),
        delta: of.delta.and_then(set),
        stock_range_lower: of.stock_range_lower.and_then(set),
        stock_range_upper: of.stock_range_upper.and_then(set),
        reference_contract_id: of.reference_contract_id.and_then(con_id),
        reference_exchange_id: text(of.reference_exchange_id),
        reference_change_amount: of.reference_change_amount.and_then(set),
        pegged_change_amount: of.pegged_change_amount.and_then(set),
        is_pegged_change_amount_decrease: of.is_pegged_change_amount_decrease.unwrap_or_default(),
        ref_futures_con_id: of.ref_futures_con_id.and_then(con_id),
        scale_init_level_size: of.scale_init_level_size.and_then(number),
        scale_subs_level_size: of.scale_subs_level_size.and_then(number),
        scale_price_increment: of.scale_price_increment.and_then(set),
        scale_price_adjust_value: of.scale_price_adjust_value.and_then(set),
        scale_price_adjust_interval: of.scale_price_adjust_interval.and_then(number),
        scale_profit_offset: of.scale_profit_offset.and_then(set),
        scale_auto_reset: of.scale_auto_reset.unwrap_or_default(),
        scale_init_position: of.scale_init_position.and_then(number),
        scale_init_fill_qty: of.scale_init_fill_qty.and_then(number),
        scale_random_percent: of.scale_random_percent.unwrap_or_default(),
        scale_table: text(of.scale_table),
        adjusted_order_type: text(of.adjusted_order_type),
        trigger_price: of.trigger_price.and_then(set),
        adjusted_stop_price: of.adjusted_stop_price.and_then(set),
        adjusted_stop_limit_price: of.adjusted_stop_limit_price.and_then(set),
        adjusted_trailing_amount: of.adjusted_trailing_amount.and_then(set),
        adjustable_trailing_unit: of.adjustable_trailing_unit.and_then(number),
        conditions: of.conditions.into_iter().map(condition).collect(),
        conditions_cancel_order: of.conditions_cancel_order.unwrap_or_default(),
        conditions_ignore_rth: of.conditions_ignore_rth.unwrap_or_default(),
        conditions_include_overnight: of.conditions_include_overnight.unwrap_or_default(),
        soft_dollar_tier: of.soft_dollar_tier.map(tier).filter(|tier| *tier != SoftDollarTier::default()),
        mifid2_decision_maker: text(of.mifid2_decision_maker),
        mifid2_decision_algo: text(of.mifid2_decision_algo),
        mifid2_execution_trader: text(of.mifid2_execution_trader),
        mifid2_execution_algo: text(of.mifid2_execution_algo),
        ext_operator: text(of.ext_operator),
        manual_order_time: text(of.manual_order_time),
        manual_order_indicator: of.manual_order_indicator.and_then(number),
        solicited: of.solicited.unwrap_or_default(),
        is_oms_container: of.is_oms_container.unwrap_or_default(),
        advanced_error_override: text(of.advanced_error_override),
        bond_accrued_interest: text(of.bond_accrued_interest),
        submitter: text(of.submitter),
    })
}

/// TWS's own id of an order, unless it is TWS's "unset".
fn perm_id(id: i64) -> Option<i64> {
    (id != i64::MAX).then_some(id)
}

/// TWS writes 0 for a contract that is not named.
fn con_id(id: i32) -> Option<i32> {
    number(id).filter(|id| *id != 0)
}

/// TWS's yes and no as a number.
fn flag(value: i32) -> Option<bool> {
    number(value).map(|value| value != 0)
}

fn condition(of: wire::OrderCondition) -> OrderCondition {
    /// TWS's numbers of the kinds.
    const PRICE: i32 = 1;
    const TIME: i32 = 3;
    const MARGIN: i32 = 4;
    const EXECUTION: i32 = 5;
    const VOLUME: i32 = 6;
    const PERCENT_CHANGE: i32 = 7;
    let (con_id, exchange) = (integer(of.con_id), text(of.exchange));
    let is_more = of.is_more.unwrap_or_default();
    let condition = match of.condition_type.unwrap_or_default() {
        PRICE => Condition::Price {
            con_id,
            exchange,
            price: of.price.and_then(set),
            trigger_method: of.trigger_method.and_then(number),
            is_more,
        },
        TIME => Condition::Time { time: text(of.time), is_more },
        MARGIN => Condition::Margin { percent: of.percent.and_then(number), is_more },
        EXECUTION => {
            Condition::Execution { symbol: text(of.symbol), sec_type: text(of.sec_type).into(), exchange }
        }
        VOLUME => Condition::Volume { con_id, exchange, volume: of.volume.and_then(number), is_more },
        PERCENT_CHANGE => {
            Condition::PercentChange { con_id, exchange, percent: of.change_percent.and_then(set), is_more }
        }
        condition_type => Condition::Other { condition_type },
    };
    OrderCondition { condition, is_conjunction: of.is_conjunction_connection.unwrap_or_default() }
}

fn tier(of: wire::SoftDollarTier) -> SoftDollarTier {
    literal!(SoftDollarTier {
        name: text(of.name),
        value: text(of.value),
        display_name: text(of.display_name),
    })
}

pub(crate) fn soft_dollar_tier(tier: ib::SoftDollarTier) -> SoftDollarTier {
    literal!(SoftDollarTier { name: tier.name, value: tier.value, display_name: tier.display_name })
}

fn order_state(of: wire::OrderState) -> OrderState {
    literal!(OrderState {
        status: text(of.status),
        init_margin_before: of.init_margin_before.and_then(set),
        maint_margin_before: of.maint_margin_before.and_then(set),
        equity_with_loan_before: of.equity_with_loan_before.and_then(set),
        init_margin_change: of.init_margin_change.and_then(set),
        maint_margin_change: of.maint_margin_change.and_then(set),
        equity_with_loan_change: of.equity_with_loan_change.and_then(set),
        init_margin_after: of.init_margin_after.and_then(set),
        maint_margin_after: of.maint_margin_after.and_then(set),
        equity_with_loan_after: of.equity_with_loan_after.and_then(set),
        init_margin_before_outside_rth: of.init_margin_before_outside_rth.and_then(set),
        maint_margin_before_outside_rth: of.maint_margin_before_outside_rth.and_then(set),
        equity_with_loan_before_outside_rth: of.equity_with_loan_before_outside_rth.and_then(set),
        init_margin_change_outside_rth: of.init_margin_change_outside_rth.and_then(set),
        maint_margin_change_outside_rth: of.maint_margin_change_outside_rth.and_then(set),
        equity_with_loan_change_outside_rth: of.equity_with_loan_change_outside_rth.and_then(set),
        init_margin_after_outside_rth: of.init_margin_after_outside_rth.and_then(set),
        maint_margin_after_outside_rth: of.maint_margin_after_outside_rth.and_then(set),
        equity_with_loan_after_outside_rth: of.equity_with_loan_after_outside_rth.and_then(set),
        margin_currency: text(of.margin_currency),
        commission: of.commission_and_fees.and_then(set),
        min_commission: of.min_commission_and_fees.and_then(set),
        max_commission: of.max_commission_and_fees.and_then(set),
        commission_currency: text(of.commission_and_fees_currency),
        suggested_size: amount(of.suggested_size),
        order_allocations: of.order_allocations.into_iter().map(order_allocation).collect(),
        warning_text: text(of.warning_text),
        reject_reason: text(of.reject_reason),
        completed_time: of.completed_time.filter(|text| !text.is_empty()).map(tws_time),
        completed_status: text(of.completed_status),
    })
}

fn order_allocation(of: wire::OrderAllocation) -> OrderAllocation {
    literal!(OrderAllocation {
        account: text(of.account),
        position: decimal(of.position),
        position_desired: decimal(of.position_desired),
        position_after: decimal(of.position_after),
        desired_alloc_qty: decimal(of.desired_alloc_qty),
        allowed_alloc_qty: decimal(of.allowed_alloc_qty),
        is_monetary: of.is_monetary.unwrap_or_default(),
    })
}

pub(crate) fn order_status(status: ib::OrderStatus) -> OrderStatus {
    order_status_of(whole(&status.why_held))
}

fn order_status_of(of: wire::OrderStatus) -> OrderStatus {
    let filled = amount(of.filled);
    literal!(OrderStatus {
        order_id: integer(of.order_id),
        client_id: integer(of.client_id),
        perm_id: of.perm_id.and_then(perm_id).unwrap_or_default(),
        parent_id: integer(of.parent_id),
        status: text(of.status),
        filled,
        remaining: amount(of.remaining),
        avg_fill_price: average(filled, of.avg_fill_price),
        last_fill_price: average(filled, of.last_fill_price),
        why_held: text(of.why_held),
        mkt_cap_price: of.mkt_cap_price.and_then(set).filter(|price| *price != 0.0),
    })
}

/// TWS sends a price of 0 as long as nothing is filled.
fn average(filled: Option<f64>, price: Option<f64>) -> Option<f64> {
    price.and_then(set).filter(|price| *price != 0.0 || filled.is_some_and(|filled| filled != 0.0))
}

/// An execution, and of what.
pub(crate) fn execution(data: ib::ExecutionData) -> (Contract, Execution) {
    let of: wire::ExecutionDetails = whole(&data.contract.description);
    (contract(of.contract.unwrap_or_default()), execution_of(of.execution.unwrap_or_default()))
}

fn execution_of(of: wire::Execution) -> Execution {
    literal!(Execution {
        exec_id: text(of.exec_id),
        time: tws_time(text(of.time)),
        account: text(of.acct_number),
        exchange: text(of.exchange),
        side: text(of.side).into(),
        shares: amount(of.shares),
        price: of.price.and_then(set),
        cum_qty: amount(of.cum_qty),
        avg_price: of.avg_price.and_then(set),
        order_id: integer(of.order_id),
        client_id: integer(of.client_id),
        perm_id: of.perm_id.and_then(perm_id).unwrap_or_default(),
        order_ref: text(of.order_ref),
        model_code: text(of.model_code),
        is_liquidation: of.is_liquidation.unwrap_or_default(),
        last_liquidity: of.last_liquidity.and_then(number),
        ev_rule: text(of.ev_rule),
        ev_multiplier: of.ev_multiplier.and_then(set),
        is_price_revision_pending: of.is_price_revision_pending.unwrap_or_default(),
        submitter: text(of.submitter),
        opt_exercise_or_lapse_type: of.opt_exercise_or_lapse_type.and_then(number),
    })
}

pub(crate) fn commission_report(report: ib::CommissionReport) -> CommissionReport {
    commission_report_of(whole(&report.currency))
}

fn commission_report_of(of: wire::CommissionAndFeesReport) -> CommissionReport {
    literal!(CommissionReport {
        exec_id: text(of.exec_id),
        commission: of.commission_and_fees.and_then(set),
        currency: text(of.currency),
        realized_pnl: of.realized_pnl.and_then(set),
        bond_yield: of.bond_yield.and_then(set),
        yield_redemption_date: text(of.yield_redemption_date),
    })
}

pub(crate) fn execution_filter(params: &ExecutionsParams) -> Result<ib::ExecutionFilter> {
    let days = params.last_n_days.unwrap_or_default();
    Ok(ib::ExecutionFilter {
        client_id: params.client_id,
        account_code: params.account.clone(),
        time: params.time.map(|time| time.strftime("%Y%m%d-%H:%M:%S").to_string()).unwrap_or_default(),
        symbol: params.symbol.clone(),
        security_type: params.sec_type.to_string(),
        exchange: params.exchange.clone(),
        side: params.side.map(|side| match side {
            ExecutionsSide::Buy => ib::ExecutionFilterSide::Buy,
            ExecutionsSide::Sell => ib::ExecutionFilterSide::Sell,
        }),
        last_n_days: i32::try_from(days).map_err(|_| {
            Error::new(ErrorKind::InvalidRequest, format!("{days} days are more than TWS has"))
        })?,
        specific_dates: params.specific_dates.iter().map(|day| day.strftime("%Y%m%d").to_string()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tws_leaves_unset_is_none() {
        let report = wire::CommissionAndFeesReport {
            commission_and_fees: Some(f64::MAX),
            realized_pnl: Some(f64::MAX),
            ..Default::default()
        };
        let report = commission_report_of(report);
        assert_eq!((report.commission, report.realized_pnl), (None, None));
        let order = order(wire::Order {
            lmt_price: Some(f64::NAN),
            total_quantity: Some("1.7976931348623157E308".to_owned()),
            display_size: Some(i32::MAX),
            min_qty: Some(i32::MAX),
            parent_perm_id: Some(i64::MAX),
            use_price_mgmt_algo: Some(i32::MAX),
            ..Default::default()
        });
        assert_eq!((order.lmt_price, order.total_quantity, order.parent_perm_id), (None, None, None));
        assert_eq!((order.display_size, order.min_qty, order.use_price_mgmt_algo), (None, None, None));
        assert_eq!((order.discretionary_amt, order.soft_dollar_tier), (None, None));
        assert_eq!(order_state(wire::OrderState::default()).completed_time, None);
    }

    #[test]
    fn words_that_tws_does_not_know_are_kept() {
        let word = |word: &str| Some(word.to_owned());
        let order = order(wire::Order { action: word("FLY"), rule_80a: word("?"), ..Default::default() });
        assert_eq!((order.action.as_str(), order.rule_80a.as_str()), ("FLY", "?"));
        let execution = execution_of(wire::Execution { side: word("LOST"), ..Default::default() });
        assert_eq!(execution.side.as_str(), "LOST");
        let unknown = wire::OrderCondition { condition_type: Some(99), ..Default::default() };
        assert_eq!(condition(unknown).condition, Condition::Other { condition_type: 99 });
    }

    #[test]
    fn nothing_filled_has_no_price() {
        let status = |filled: &str, price| {
            let filled = Some(filled.to_owned());
            order_status_of(wire::OrderStatus { filled, avg_fill_price: Some(price), ..Default::default() })
                .avg_fill_price
        };
        assert_eq!((status("0", 0.0), status("5", 0.0), status("5", 9.5)), (None, Some(0.0), Some(9.5)));
    }

    #[test]
    fn an_open_order_has_its_id_wherever_it_stands() {
        let order = |outer, inner| {
            let order = Some(wire::Order { order_id: inner, ..Default::default() });
            open_order_of(wire::OpenOrder { order_id: outer, order, ..Default::default() }).order.order_id
        };
        assert_eq!((order(Some(7), None), order(Some(7), Some(7)), order(None, Some(7))), (7, 7, 7));
    }

    #[test]
    fn a_filter_is_written_as_tws_reads_it() {
        let params = ExecutionsParams::default()
            .with_time(Some("2026-11-25T13:30:00.9Z".parse().unwrap()))
            .with_side(Some(ExecutionsSide::Sell))
            .with_last_n_days(Some(7))
            .with_specific_dates(vec![jiff::civil::date(2026, 11, 24)]);
        let filter = execution_filter(&params).unwrap();
        assert_eq!((filter.time.as_str(), filter.last_n_days), ("20261125-13:30:00", 7));
        assert_eq!(filter.specific_dates, ["20261124"]);
        assert_eq!(filter.side, Some(ib::ExecutionFilterSide::Sell));

        let params = ExecutionsParams::default().with_last_n_days(Some(u32::MAX));
        let error = execution_filter(&params).unwrap_err();
        assert!(error.message().contains("4294967295 days are more than TWS has"), "{error}");
    }
}
