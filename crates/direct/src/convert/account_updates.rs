//! Account values, positions and profit as they change.

use ibapi::accounts as ib;
use ibapi::subscriptions::SubscriptionItem::{self, Data, Notice};
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    AccountMultiValue, AccountSummaryUpdatesEvent, AccountUpdatesEvent, AccountUpdatesMultiEvent,
    AccountValue, Pnl, PnlEvent, PnlSingle, PnlSingleEvent, PortfolioValue, PositionMulti,
    PositionUpdatesEvent, PositionsMultiEvent, set,
};

use super::accounts::account_key;
use super::{account_summary_value, contract, position, said};

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
        Data(ib::PositionUpdateMulti::Position(row)) => Event::Position(Box::new(literal!(PositionMulti {
            account: row.account,
            model_code: said(row.model_code),
            contract: contract(row.contract),
            position: set(row.position),
            average_cost: set(row.average_cost),
        }))),
        Data(ib::PositionUpdateMulti::PositionEnd) => Event::End {},
        Notice(notice) => Event::Notice { code: notice.code, message: notice.message },
    }
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
            Event::Portfolio(Box::new(literal!(PortfolioValue {
                account: of(row.account),
                contract: contract(row.contract),
                position: set(row.position),
                market_price: set(row.market_price),
                market_value: set(row.market_value),
                average_cost: set(row.average_cost),
                unrealized_pnl: set(row.unrealized_pnl),
                realized_pnl: set(row.realized_pnl),
            })))
        }
        Data(ib::AccountUpdate::UpdateTime(row)) => Event::Time { time: row.timestamp },
        Data(ib::AccountUpdate::End) => Event::End {},
        Notice(notice) => Event::Notice { code: notice.code, message: notice.message },
    }
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
