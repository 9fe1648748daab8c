//! Account values, positions and profit as they change.

use ibapi::accounts as ib;
use ibapi::subscriptions::SubscriptionItem::{self, Data, Notice};
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    AccountMultiValue, AccountSummaryUpdatesEvent, AccountUpdatesEvent, AccountUpdatesMultiEvent,
    AccountValue, Pnl, PnlEvent, PnlSingle, PnlSingleEvent, PortfolioValue, PositionMulti,
    PositionUpdatesEvent, PositionsMultiEvent, set,
};
use ibkr_connect_wire::messages as wire;

use super::accounts::account_key;
use super::{account_summary_value, contract, decimal, position, said, text, whole};

pub(crate) fn account_summary_update(
    item: SubscriptionItem<ib::AccountSummaryResult>,
) -> AccountSummaryUpdatesEvent {
    use AccountSummaryUpdatesEvent as Event;
    match item {
        Data(ib::AccountSummaryResult::Summary(row)) => Event::Value(account_summary_value(row)),
        Data(ib::AccountSummaryResult::End) => Event::End {},
        Notice(notice) => Event::Notice { code: notice.code, message: notice.message },
    }
}

pub(crate) fn account_update_multi(
    item: SubscriptionItem<ib::AccountUpdateMulti>,
) -> AccountUpdatesMultiEvent {
    use AccountUpdatesMultiEvent as Event;
    match item {
        Data(ib::AccountUpdateMulti::AccountMultiValue(row)) => Event::Value(literal!(AccountMultiValue {
            account: row.account,
            model_code: said(row.model_code),
            key: account_key(row.key),
            value: row.value,
            currency: said(row.currency),
        })),
        Data(ib::AccountUpdateMulti::End) => Event::End {},
        Notice(notice) => Event::Notice { code: notice.code, message: notice.message },
    }
}

pub(crate) fn position_update_multi(item: SubscriptionItem<ib::PositionUpdateMulti>) -> PositionsMultiEvent {
    use PositionsMultiEvent as Event;
    match item {
        Data(ib::PositionUpdateMulti::Position(row)) => {
            Event::Position(Box::new(position_multi(whole(&row.contract.description))))
        }
        Data(ib::PositionUpdateMulti::PositionEnd) => Event::End {},
        Notice(notice) => Event::Notice { code: notice.code, message: notice.message },
    }
}

fn position_multi(of: wire::PositionMulti) -> PositionMulti {
    literal!(PositionMulti {
        account: text(of.account),
        model_code: of.model_code.and_then(said),
        contract: contract(of.contract.unwrap_or_default()),
        position: decimal(of.position),
        average_cost: of.avg_cost.and_then(set),
    })
}

pub(crate) fn position_update(item: SubscriptionItem<ib::PositionUpdate>) -> PositionUpdatesEvent {
    use PositionUpdatesEvent as Event;
    match item {
        Data(ib::PositionUpdate::Position(row)) => Event::Position(Box::new(position(row))),
        Data(ib::PositionUpdate::PositionEnd) => Event::End {},
        Notice(notice) => Event::Notice { code: notice.code, message: notice.message },
    }
}

/// An update of `account`, whose name a row may leave out.
pub(crate) fn account_update(
    item: SubscriptionItem<ib::AccountUpdate>,
    account: &str,
) -> AccountUpdatesEvent {
    use AccountUpdatesEvent as Event;
    let of = |name: Option<String>| name.and_then(said).unwrap_or_else(|| account.to_owned());
    match item {
        Data(ib::AccountUpdate::AccountValue(row)) => Event::Value(literal!(AccountValue {
            account: of(row.account),
            key: account_key(row.key),
            value: row.value,
            currency: said(row.currency),
        })),
        Data(ib::AccountUpdate::PortfolioValue(row)) => {
            Event::Portfolio(Box::new(portfolio_value(whole(&row.contract.description), of(row.account))))
        }
        Data(ib::AccountUpdate::UpdateTime(row)) => Event::Time { time: row.timestamp },
        Data(ib::AccountUpdate::End) => Event::End {},
        Notice(notice) => Event::Notice { code: notice.code, message: notice.message },
    }
}

fn portfolio_value(of: wire::PortfolioValue, account: String) -> PortfolioValue {
    literal!(PortfolioValue {
        account,
        contract: contract(of.contract.unwrap_or_default()),
        position: decimal(of.position),
        market_price: of.market_price.and_then(set),
        market_value: of.market_value.and_then(set),
        average_cost: of.average_cost.and_then(set),
        unrealized_pnl: of.unrealized_pnl.and_then(set),
        realized_pnl: of.realized_pnl.and_then(set),
    })
}

pub(crate) fn pnl(item: SubscriptionItem<ib::PnL>) -> PnlEvent {
    match item {
        Data(profit) => PnlEvent::Pnl(literal!(Pnl {
            daily_pnl: set(profit.daily_pnl),
            unrealized_pnl: profit.unrealized_pnl.and_then(set),
            realized_pnl: profit.realized_pnl.and_then(set),
        })),
        Notice(notice) => PnlEvent::Notice { code: notice.code, message: notice.message },
    }
}

pub(crate) fn pnl_single(item: SubscriptionItem<ib::PnLSingle>) -> PnlSingleEvent {
    match item {
        Data(profit) => PnlSingleEvent::Pnl(literal!(PnlSingle {
            position: set(profit.position),
            daily_pnl: set(profit.daily_pnl),
            unrealized_pnl: set(profit.unrealized_pnl),
            realized_pnl: set(profit.realized_pnl),
            value: set(profit.value),
        })),
        Notice(notice) => PnlSingleEvent::Notice { code: notice.code, message: notice.message },
    }
}
