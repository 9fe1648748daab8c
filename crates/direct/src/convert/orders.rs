//! Orders and executions.

use ibapi::orders as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    CommissionReport, CompletedOrder, Condition, Execution, ExecutionSide, ExecutionsParams, ExecutionsSide,
    OpenOrder, Order, OrderAction, OrderCondition, OrderState, OrderStatus, SoftDollarTier, set,
};
use ibkr_connect_core::{Error, ErrorKind, Result};

use super::{contract, tws_time};

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
        order_id: order.order_id,
        client_id: order.client_id,
        perm_id: order.perm_id,
        parent_id: order.parent_id,
        parent_perm_id: order.parent_perm_id,
        action: action(order.action),
        total_quantity: set(order.total_quantity).unwrap_or_default(),
        filled_quantity: set(order.filled_quantity).unwrap_or_default(),
        cash_qty: order.cash_qty.and_then(set),
        display_size: order.display_size.filter(|size| *size != 0),
        min_qty: order.min_qty,
        order_type: order.order_type,
        lmt_price: order.limit_price.and_then(set),
        aux_price: order.aux_price.and_then(set),
        trail_stop_price: order.trail_stop_price.and_then(set),
        trailing_percent: order.trailing_percent.and_then(set),
        lmt_price_offset: order.limit_price_offset.and_then(set),
        percent_offset: order.percent_offset.and_then(set),
        discretionary_amt: set(order.discretionary_amt).filter(|amount| *amount != 0.0),
        trigger_method: order.trigger_method.into(),
        tif: order.tif.as_str().to_owned(),
        good_after_time: order.good_after_time,
        good_till_date: order.good_till_date,
        auto_cancel_date: order.auto_cancel_date,
        outside_rth: order.outside_rth,
        hidden: order.hidden,
        all_or_none: order.all_or_none,
        transmit: order.transmit,
        what_if: order.what_if,
        account: order.account,
        model_code: order.model_code,
        fa_group: order.fa_group,
        fa_method: order.fa_method,
        fa_percentage: order.fa_percentage,
        order_ref: order.order_ref,
        oca_group: order.oca_group,
        oca_type: order.oca_type.into(),
        open_close: order.open_close.map(|value| value.as_str().to_owned()).unwrap_or_default(),
        algo_strategy: order.algo_strategy,
        algo_params: order.algo_params.into_iter().map(|param| (param.tag, param.value)).collect(),
        smart_combo_routing_params: order
            .smart_combo_routing_params
            .into_iter()
            .map(|param| (param.tag, param.value))
            .collect(),
        hedge_type: order.hedge_type,
        hedge_param: order.hedge_param,
        volatility: order.volatility.and_then(set),
        volatility_type: order.volatility_type.map(Into::into),
        adjusted_order_type: order.adjusted_order_type,
        trigger_price: order.trigger_price.and_then(set),
        adjusted_stop_price: order.adjusted_stop_price.and_then(set),
        adjusted_stop_limit_price: order.adjusted_stop_limit_price.and_then(set),
        adjusted_trailing_amount: order.adjusted_trailing_amount.and_then(set),
        conditions: order.conditions.into_iter().map(condition).collect(),
        conditions_cancel_order: order.conditions_cancel_order,
        conditions_ignore_rth: order.conditions_ignore_rth,
        soft_dollar_tier: Some(soft_dollar_tier(order.soft_dollar_tier))
            .filter(|tier| *tier != SoftDollarTier::default()),
        submitter: order.submitter,
    })
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
            trigger_method: of.trigger_method.into(),
            is_more: of.is_more,
        },
        Ib::Time(of) => Condition::Time { time: of.time, is_more: of.is_more },
        Ib::Margin(of) => Condition::Margin { percent: of.percent, is_more: of.is_more },
        Ib::Execution(of) => Condition::Execution {
            symbol: of.symbol,
            sec_type: of.security_type.into(),
            exchange: of.exchange,
        },
        Ib::Volume(of) => Condition::Volume {
            con_id: of.contract_id,
            exchange: of.exchange,
            volume: of.volume,
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
        margin_currency: state.margin_currency,
        commission: state.commission.and_then(set),
        min_commission: state.minimum_commission.and_then(set),
        max_commission: state.maximum_commission.and_then(set),
        commission_currency: state.commission_currency,
        suggested_size: state.suggested_size.and_then(set),
        warning_text: state.warning_text,
        reject_reason: state.reject_reason,
        completed_time: Some(state.completed_time).filter(|text| !text.is_empty()).map(tws_time),
        completed_status: state.completed_status,
    })
}

pub(crate) fn order_status(status: ib::OrderStatus) -> OrderStatus {
    literal!(OrderStatus {
        order_id: status.order_id,
        client_id: status.client_id,
        perm_id: status.perm_id,
        parent_id: status.parent_id,
        status: status.status.as_str().to_owned(),
        filled: set(status.filled).unwrap_or_default(),
        remaining: set(status.remaining).unwrap_or_default(),
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
        shares: set(execution.shares).unwrap_or_default(),
        price: set(execution.price),
        cum_qty: set(execution.cumulative_quantity).unwrap_or_default(),
        avg_price: set(execution.average_price),
        order_id: execution.order_id,
        client_id: execution.client_id,
        perm_id: execution.perm_id,
        order_ref: execution.order_reference,
        model_code: execution.model_code,
        is_liquidation: execution.liquidation != 0,
        last_liquidity: match execution.last_liquidity {
            ib::Liquidity::None => 0,
            ib::Liquidity::AddedLiquidity => 1,
            ib::Liquidity::RemovedLiquidity => 2,
            ib::Liquidity::LiquidityRoutedOut => 3,
            ib::Liquidity::Unknown(code) => code,
        },
        ev_rule: execution.ev_rule,
        ev_multiplier: execution.ev_multiplier.and_then(set),
        is_price_revision_pending: execution.pending_price_revision,
        submitter: execution.submitter,
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
        assert_eq!((order.lmt_price, order.total_quantity), (None, 0.0));
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
