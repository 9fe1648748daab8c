//! Orders and executions.

use std::collections::BTreeMap;

use ibapi::contracts::TagValue;
use ibapi::orders as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    CommissionReport, CompletedOrder, Condition, Execution, ExecutionSide, ExecutionsParams, ExecutionsSide,
    OpenOrder, Order, OrderAction, OrderAllocation, OrderCondition, OrderState, OrderStatus, SoftDollarTier,
    number, set,
};
use ibkr_connect_core::{Error, ErrorKind, Result};

use super::{contract, or_zero, size, tws_time};

/// Without its status, which comes by itself.
pub(crate) fn open_order(data: ib::OrderData) -> OpenOrder {
    let order_id = data.order_id;
    let mut order = order(data.order);
    if order.order_id == 0 {
        order.order_id = order_id;
    }
    literal!(OpenOrder {
        contract: contract(data.contract),
        order,
        order_state: order_state(data.order_state),
        order_status: None,
    })
}

pub(crate) fn completed_order(data: ib::OrderData) -> CompletedOrder {
    literal!(CompletedOrder {
        contract: contract(data.contract),
        order: order(data.order),
        order_state: order_state(data.order_state),
    })
}

fn order(order: ib::Order) -> Order {
    literal!(Order {
        order_id: or_zero(order.order_id),
        client_id: or_zero(order.client_id),
        perm_id: perm_id(order.perm_id).unwrap_or_default(),
        parent_id: or_zero(order.parent_id),
        parent_perm_id: order.parent_perm_id.and_then(perm_id),
        action: action(order.action),
        total_quantity: set(order.total_quantity),
        filled_quantity: set(order.filled_quantity),
        cash_qty: order.cash_qty.and_then(set),
        display_size: order.display_size.filter(|size| *size != 0).and_then(number),
        min_qty: order.min_qty.and_then(number),
        order_type: order.order_type,
        lmt_price: order.limit_price.and_then(set),
        aux_price: order.aux_price.and_then(set),
        trail_stop_price: order.trail_stop_price.and_then(set),
        trailing_percent: order.trailing_percent.and_then(set),
        lmt_price_offset: order.limit_price_offset.and_then(set),
        percent_offset: order.percent_offset.and_then(set),
        discretionary_amt: set(order.discretionary_amt).filter(|amount| *amount != 0.0),
        discretionary_up_to_limit_price: order.discretionary_up_to_limit_price,
        trigger_method: number(order.trigger_method.into()),
        tif: order.tif.as_str().to_owned(),
        good_after_time: order.good_after_time,
        good_till_date: order.good_till_date,
        auto_cancel_date: order.auto_cancel_date,
        auto_cancel_parent: order.auto_cancel_parent,
        active_start_time: order.active_start_time,
        active_stop_time: order.active_stop_time,
        duration: order.duration.and_then(number),
        outside_rth: order.outside_rth,
        include_overnight: order.include_overnight,
        allow_pre_open: order.allow_pre_open,
        ignore_open_auction: order.ignore_open_auction,
        hidden: order.hidden,
        post_only: order.post_only,
        all_or_none: order.all_or_none,
        block_order: order.block_order,
        sweep_to_fill: order.sweep_to_fill,
        not_held: order.not_held,
        transmit: order.transmit,
        deactivate: order.deactivate,
        override_percentage_constraints: order.override_percentage_constraints,
        what_if: order.what_if,
        what_if_type: order.what_if_type.map(Into::into).and_then(number),
        account: order.account,
        model_code: order.model_code,
        customer_account: order.customer_account,
        professional_customer: order.professional_customer,
        settling_firm: order.settling_firm,
        clearing_account: order.clearing_account,
        clearing_intent: order.clearing_intent,
        shareholder: order.shareholder,
        fa_group: order.fa_group,
        fa_method: order.fa_method,
        fa_percentage: order.fa_percentage,
        order_ref: order.order_ref,
        oca_group: order.oca_group,
        oca_type: number(order.oca_type.into()),
        open_close: order.open_close.map(|value| value.as_str().to_owned()).unwrap_or_default(),
        origin: number(order.origin.into()),
        short_sale_slot: number(order.short_sale_slot.into()),
        designated_location: order.designated_location,
        exempt_code: number(order.exempt_code),
        rule_80a: order.rule_80_a.map(|rule| rule.as_str().to_owned()).unwrap_or_default(),
        opt_out_smart_routing: order.opt_out_smart_routing,
        route_marketable_to_bbo: Some(order.route_marketable_to_bbo),
        seek_price_improvement: order.seek_price_improvement,
        use_price_mgmt_algo: Some(order.use_price_mgmt_algo),
        imbalance_only: order.imbalance_only,
        post_to_ats: order.post_to_ats.and_then(number),
        min_trade_qty: order.min_trade_qty.and_then(number),
        min_compete_size: order.min_compete_size.and_then(number),
        compete_against_best_offset: order.compete_against_best_offset.and_then(set),
        mid_offset_at_whole: order.mid_offset_at_whole.and_then(set),
        mid_offset_at_half: order.mid_offset_at_half.and_then(set),
        randomize_size: order.randomize_size,
        randomize_price: order.randomize_price,
        algo_strategy: order.algo_strategy,
        algo_params: by_name(order.algo_params),
        algo_id: order.algo_id,
        smart_combo_routing_params: by_name(order.smart_combo_routing_params),
        order_misc_options: by_name(order.order_misc_options),
        hedge_type: order.hedge_type,
        hedge_param: order.hedge_param,
        hedge_max_size: order.hedge_max_size.and_then(number),
        dont_use_auto_price_for_hedge: order.dont_use_auto_price_for_hedge,
        volatility: order.volatility.and_then(set),
        volatility_type: order.volatility_type.map(Into::into).and_then(number),
        continuous_update: order.continuous_update,
        reference_price_type: order.reference_price_type.map(Into::into).and_then(number),
        delta_neutral_order_type: order.delta_neutral_order_type,
        delta_neutral_aux_price: order.delta_neutral_aux_price.and_then(set),
        delta_neutral_con_id: con_id(order.delta_neutral_con_id),
        delta_neutral_settling_firm: order.delta_neutral_settling_firm,
        delta_neutral_clearing_account: order.delta_neutral_clearing_account,
        delta_neutral_clearing_intent: order.delta_neutral_clearing_intent,
        delta_neutral_open_close: order.delta_neutral_open_close,
        delta_neutral_short_sale: order.delta_neutral_short_sale,
        delta_neutral_short_sale_slot: number(order.delta_neutral_short_sale_slot),
        delta_neutral_designated_location: order.delta_neutral_designated_location,
        starting_price: order.starting_price.and_then(set),
        stock_ref_price: order.stock_ref_price.and_then(set),
        delta: order.delta.and_then(set),
        stock_range_lower: order.stock_range_lower.and_then(set),
        stock_range_upper: order.stock_range_upper.and_then(set),
        reference_contract_id: con_id(order.reference_contract_id),
        reference_exchange_id: order.reference_exchange,
        reference_change_amount: order.reference_change_amount.and_then(set),
        pegged_change_amount: order.pegged_change_amount.and_then(set),
        is_pegged_change_amount_decrease: order.is_pegged_change_amount_decrease,
        ref_futures_con_id: order.ref_futures_con_id.and_then(con_id),
        scale_init_level_size: order.scale_init_level_size.and_then(number),
        scale_subs_level_size: order.scale_subs_level_size.and_then(number),
        scale_price_increment: order.scale_price_increment.and_then(set),
        scale_price_adjust_value: order.scale_price_adjust_value.and_then(set),
        scale_price_adjust_interval: order.scale_price_adjust_interval.and_then(number),
        scale_profit_offset: order.scale_profit_offset.and_then(set),
        scale_auto_reset: order.scale_auto_reset,
        scale_init_position: order.scale_init_position.and_then(number),
        scale_init_fill_qty: order.scale_init_fill_qty.and_then(number),
        scale_random_percent: order.scale_random_percent,
        scale_table: order.scale_table,
        adjusted_order_type: order.adjusted_order_type,
        trigger_price: order.trigger_price.and_then(set),
        adjusted_stop_price: order.adjusted_stop_price.and_then(set),
        adjusted_stop_limit_price: order.adjusted_stop_limit_price.and_then(set),
        adjusted_trailing_amount: order.adjusted_trailing_amount.and_then(set),
        adjustable_trailing_unit: number(order.adjustable_trailing_unit),
        conditions: order.conditions.into_iter().map(condition).collect(),
        conditions_cancel_order: order.conditions_cancel_order,
        conditions_ignore_rth: order.conditions_ignore_rth,
        conditions_include_overnight: order.conditions_include_overnight,
        soft_dollar_tier: Some(soft_dollar_tier(order.soft_dollar_tier))
            .filter(|tier| *tier != SoftDollarTier::default()),
        mifid2_decision_maker: order.mifid2_decision_maker,
        mifid2_decision_algo: order.mifid2_decision_algo,
        mifid2_execution_trader: order.mifid2_execution_trader,
        mifid2_execution_algo: order.mifid2_execution_algo,
        ext_operator: order.ext_operator,
        manual_order_time: order.manual_order_time,
        manual_order_indicator: order.manual_order_indicator.and_then(number),
        solicited: order.solicited,
        is_oms_container: order.is_oms_container,
        advanced_error_override: order.advanced_error_override,
        bond_accrued_interest: order.bond_accrued_interest,
        submitter: order.submitter,
    })
}

/// TWS's parameters.
fn by_name(params: Vec<TagValue>) -> BTreeMap<String, String> {
    params.into_iter().map(|param| (param.tag, param.value)).collect()
}

/// TWS's own id of an order, unless it is TWS's "unset".
fn perm_id(id: i64) -> Option<i64> {
    (id != i64::MAX).then_some(id)
}

/// ibapi makes 0 of a contract that is not named.
fn con_id(id: i32) -> Option<i32> {
    number(id).filter(|id| *id != 0)
}

fn action(action: ib::Action) -> OrderAction {
    match action {
        ib::Action::Buy => OrderAction::Buy,
        ib::Action::Sell => OrderAction::Sell,
        ib::Action::SellShort => OrderAction::SellShort,
        ib::Action::SellLong => OrderAction::SellLong,
    }
}

fn condition(condition: ib::OrderCondition) -> OrderCondition {
    use ib::OrderCondition as Ib;
    let (is_conjunction, condition_type) = (condition.is_conjunction(), condition.condition_type());
    let condition = match condition {
        Ib::Price(of) => Condition::Price {
            con_id: of.contract_id,
            exchange: of.exchange,
            price: set(of.price),
            trigger_method: number(of.trigger_method.into()),
            is_more: of.is_more,
        },
        Ib::Time(of) => Condition::Time { time: of.time, is_more: of.is_more },
        Ib::Margin(of) => Condition::Margin { percent: number(of.percent), is_more: of.is_more },
        Ib::Execution(of) => Condition::Execution {
            symbol: of.symbol,
            sec_type: of.security_type.into(),
            exchange: of.exchange,
        },
        Ib::Volume(of) => Condition::Volume {
            con_id: of.contract_id,
            exchange: of.exchange,
            volume: number(of.volume),
            is_more: of.is_more,
        },
        Ib::PercentChange(of) => Condition::PercentChange {
            con_id: of.contract_id,
            exchange: of.exchange,
            percent: set(of.percent),
            is_more: of.is_more,
        },
        Ib::Unknown(_) => Condition::Other { condition_type },
    };
    OrderCondition { condition, is_conjunction }
}

pub(crate) fn soft_dollar_tier(tier: ib::SoftDollarTier) -> SoftDollarTier {
    literal!(SoftDollarTier { name: tier.name, value: tier.value, display_name: tier.display_name })
}

fn order_state(state: ib::OrderState) -> OrderState {
    literal!(OrderState {
        status: state.status.as_str().to_owned(),
        init_margin_before: state.initial_margin_before.and_then(set),
        maint_margin_before: state.maintenance_margin_before.and_then(set),
        equity_with_loan_before: state.equity_with_loan_before.and_then(set),
        init_margin_change: state.initial_margin_change.and_then(set),
        maint_margin_change: state.maintenance_margin_change.and_then(set),
        equity_with_loan_change: state.equity_with_loan_change.and_then(set),
        init_margin_after: state.initial_margin_after.and_then(set),
        maint_margin_after: state.maintenance_margin_after.and_then(set),
        equity_with_loan_after: state.equity_with_loan_after.and_then(set),
        init_margin_before_outside_rth: state.initial_margin_before_outside_rth.and_then(set),
        maint_margin_before_outside_rth: state.maintenance_margin_before_outside_rth.and_then(set),
        equity_with_loan_before_outside_rth: state.equity_with_loan_before_outside_rth.and_then(set),
        init_margin_change_outside_rth: state.initial_margin_change_outside_rth.and_then(set),
        maint_margin_change_outside_rth: state.maintenance_margin_change_outside_rth.and_then(set),
        equity_with_loan_change_outside_rth: state.equity_with_loan_change_outside_rth.and_then(set),
        init_margin_after_outside_rth: state.initial_margin_after_outside_rth.and_then(set),
        maint_margin_after_outside_rth: state.maintenance_margin_after_outside_rth.and_then(set),
        equity_with_loan_after_outside_rth: state.equity_with_loan_after_outside_rth.and_then(set),
        margin_currency: state.margin_currency,
        commission: state.commission.and_then(set),
        min_commission: state.minimum_commission.and_then(set),
        max_commission: state.maximum_commission.and_then(set),
        commission_currency: state.commission_currency,
        suggested_size: state.suggested_size.and_then(set),
        order_allocations: state.order_allocations.into_iter().map(order_allocation).collect(),
        warning_text: state.warning_text,
        reject_reason: state.reject_reason,
        completed_time: Some(state.completed_time).filter(|text| !text.is_empty()).map(tws_time),
        completed_status: state.completed_status,
    })
}

fn order_allocation(part: ib::OrderAllocation) -> OrderAllocation {
    literal!(OrderAllocation {
        account: part.account,
        position: part.position.and_then(set),
        position_desired: part.position_desired.and_then(set),
        position_after: part.position_after.and_then(set),
        desired_alloc_qty: part.desired_alloc_qty.and_then(set),
        allowed_alloc_qty: part.allowed_alloc_qty.and_then(set),
        is_monetary: part.is_monetary,
    })
}

pub(crate) fn order_status(status: ib::OrderStatus) -> OrderStatus {
    literal!(OrderStatus {
        order_id: or_zero(status.order_id),
        client_id: or_zero(status.client_id),
        perm_id: perm_id(status.perm_id).unwrap_or_default(),
        parent_id: or_zero(status.parent_id),
        status: status.status.as_str().to_owned(),
        filled: size(status.filled),
        remaining: size(status.remaining),
        avg_fill_price: average(status.filled, status.average_fill_price),
        last_fill_price: average(status.filled, status.last_fill_price),
        why_held: status.why_held,
        mkt_cap_price: status.market_cap_price.and_then(set).filter(|price| *price != 0.0),
    })
}

/// TWS sends a price of 0 as long as nothing is filled.
fn average(filled: f64, price: Option<f64>) -> Option<f64> {
    price.and_then(set).filter(|price| *price != 0.0 || filled != 0.0)
}

pub(crate) fn execution(execution: ib::Execution) -> Execution {
    literal!(Execution {
        exec_id: execution.execution_id,
        time: tws_time(execution.time),
        account: execution.account_number,
        exchange: execution.exchange,
        side: match execution.side {
            ib::ExecutionSide::Bought => ExecutionSide::Bought,
            ib::ExecutionSide::Sold => ExecutionSide::Sold,
        },
        shares: size(execution.shares),
        price: set(execution.price),
        cum_qty: size(execution.cumulative_quantity),
        avg_price: set(execution.average_price),
        order_id: or_zero(execution.order_id),
        client_id: or_zero(execution.client_id),
        perm_id: perm_id(execution.perm_id).unwrap_or_default(),
        order_ref: execution.order_reference,
        model_code: execution.model_code,
        is_liquidation: execution.liquidation != 0,
        last_liquidity: match execution.last_liquidity {
            ib::Liquidity::None => None,
            ib::Liquidity::AddedLiquidity => Some(1),
            ib::Liquidity::RemovedLiquidity => Some(2),
            ib::Liquidity::LiquidityRoutedOut => Some(3),
            ib::Liquidity::Unknown(code) => number(code),
        },
        ev_rule: execution.ev_rule,
        ev_multiplier: execution.ev_multiplier.and_then(set),
        is_price_revision_pending: execution.pending_price_revision,
        submitter: execution.submitter,
        opt_exercise_or_lapse_type: None,
    })
}

pub(crate) fn commission_report(report: ib::CommissionReport) -> CommissionReport {
    literal!(CommissionReport {
        exec_id: report.execution_id,
        commission: set(report.commission),
        currency: report.currency,
        realized_pnl: report.realized_pnl.and_then(set),
        bond_yield: report.yields.and_then(set),
        yield_redemption_date: report.yield_redemption_date,
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
        let report =
            ib::CommissionReport { commission: f64::MAX, realized_pnl: Some(f64::MAX), ..Default::default() };
        let report = commission_report(report);
        assert_eq!((report.commission, report.realized_pnl), (None, None));
        let order =
            order(ib::Order { limit_price: Some(f64::NAN), total_quantity: f64::MAX, ..Default::default() });
        assert_eq!((order.lmt_price, order.total_quantity), (None, None));
        assert_eq!((order.display_size, order.discretionary_amt, order.soft_dollar_tier), (None, None, None));
        assert_eq!(order_state(ib::OrderState::default()).completed_time, None);
    }

    #[test]
    fn nothing_filled_has_no_price() {
        let status = |filled, price| {
            let status = ib::OrderStatus { filled, average_fill_price: Some(price), ..Default::default() };
            order_status(status).avg_fill_price
        };
        assert_eq!((status(0.0, 0.0), status(5.0, 0.0), status(5.0, 9.5)), (None, Some(0.0), Some(9.5)));
    }

    #[test]
    fn an_open_order_has_its_id_wherever_it_stands() {
        let order = |outer, inner| {
            let order = ib::Order { order_id: inner, ..Default::default() };
            open_order(ib::OrderData { order_id: outer, order, ..Default::default() }).order.order_id
        };
        assert_eq!((order(7, 0), order(7, 7), order(0, 7)), (7, 7, 7));
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
