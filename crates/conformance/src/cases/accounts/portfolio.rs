//! The portfolio agrees with the positions, and the account's values with the portfolio, while prices move.

use std::collections::BTreeMap;

use ibkr_connect_core::types::{
    AccountUpdatesEvent, AccountUpdatesParams, AccountValue, PortfolioValue, Position, PositionUpdatesEvent,
};
use tokio::task::JoinSet;

use super::{ACCOUNTS, moving, near, with};
use crate::Backend;
use crate::support::until;

/// How many updates are looked at.
const LOOKS: usize = 8;

pub(crate) async fn a_portfolio_adds_up_while_prices_move(backend: &dyn Backend) {
    with(backend, moving(), async |gateway, session| {
        let held = positions_of(ACCOUNTS[0], session.positions().await.unwrap());
        let params = AccountUpdatesParams::default().with_account(ACCOUNTS[0]);
        let mut updates = session.account_updates(params.clone()).await.unwrap();
        let (mut account, mut worth) = (Account::default(), Vec::new());
        while worth.len() < LOOKS {
            match updates.next().await.unwrap().unwrap() {
                AccountUpdatesEvent::Value(value) => account.value(value),
                AccountUpdatesEvent::Portfolio(held) => account.portfolio(*held),
                // It comes after what has changed.
                AccountUpdatesEvent::Time { time } => {
                    assert!(time.starts_with("15:"), "{time}");
                    worth.push(account.checked(&held));
                }
                AccountUpdatesEvent::End {} => assert_eq!(worth.len(), 1, "after the first time"),
                other => panic!("{other:?}"),
            }
        }
        worth.dedup();
        assert!(worth.len() > LOOKS / 2, "prices move: {worth:?}");

        let snapshot = session.account_updates_snapshot(params).await.unwrap();
        let mut known = Account::default();
        snapshot.values.into_iter().for_each(|value| known.value(value));
        snapshot.portfolio.into_iter().for_each(|held| known.portfolio(held));
        known.checked(&held);
        assert!(snapshot.time.is_some());
        assert_eq!(gateway.stats().requested("reqAccountUpdates"), 1, "the snapshot is of the stream");
        drop(updates);
        until("the end arrives", || gateway.stats().requested("reqAccountUpdates") == 2).await;
    })
    .await;
}

pub(crate) async fn many_ask_for_positions_at_once(backend: &dyn Backend) {
    with(backend, moving(), async |gateway, session| {
        let mut questions = JoinSet::new();
        for number in 0..12 {
            let session = session.clone();
            questions.spawn(async move {
                if number % 3 > 0 {
                    return session.positions().await.unwrap();
                }
                let mut updates = session.position_updates().await.unwrap();
                let mut positions = Vec::new();
                while let PositionUpdatesEvent::Position(held) = updates.next().await.unwrap().unwrap() {
                    positions.push(*held);
                }
                positions
            });
        }
        let answers = questions.join_all().await;
        for account in ACCOUNTS {
            let held = positions_of(account, answers[0].clone());
            assert!((3..=5).contains(&held.len()), "{held:?}");
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        until("each subscription ends", || {
            let stats = gateway.stats();
            stats.requested("reqPositions") == stats.requested("cancelPositions")
        })
        .await;
    })
    .await;
}

fn positions_of(account: &str, positions: Vec<Position>) -> Vec<Position> {
    positions.into_iter().filter(|held| held.account == account).collect()
}

/// What account updates have told.
#[derive(Default)]
struct Account {
    values: BTreeMap<String, f64>,
    portfolio: BTreeMap<i32, PortfolioValue>,
}

impl Account {
    fn value(&mut self, AccountValue { account, key, value, currency, .. }: AccountValue) {
        assert_eq!(account, ACCOUNTS[0]);
        if let (Ok(value), Some("USD")) = (value.parse(), currency.as_deref()) {
            self.values.insert(key, value);
        }
    }

    fn portfolio(&mut self, held: PortfolioValue) {
        assert_eq!(held.account, ACCOUNTS[0]);
        self.portfolio.insert(held.contract.con_id, held);
    }

    /// What the account is worth, in cents.
    fn checked(&self, positions: &[Position]) -> i64 {
        assert_eq!(self.portfolio.len(), positions.len());
        for held in positions {
            let row = &self.portfolio[&held.contract.con_id];
            assert_eq!((row.position, row.average_cost), (held.position, held.average_cost));
            let size = held.position.unwrap();
            let (price, cost) = (row.market_price.unwrap(), held.average_cost.unwrap());
            assert!(near(row.market_value, size * price), "{row:?}");
            assert!(near(row.unrealized_pnl, size * (price - cost)), "{row:?}");
            assert_eq!(row.realized_pnl, Some(0.0));
        }
        let sum = |of: fn(&PortfolioValue) -> Option<f64>| -> f64 {
            self.portfolio.values().map(|row| of(row).unwrap()).sum()
        };
        let (value, unrealized) = (sum(|row| row.market_value), sum(|row| row.unrealized_pnl));
        let known = |key: &str| self.values.get(key).copied();
        let cash = known("TotalCashValue").unwrap();
        assert!(near(known("CashBalance"), cash));
        assert!(near(known("StockMarketValue"), value) && near(known("GrossPositionValue"), value));
        assert!(near(known("UnrealizedPnL"), unrealized), "{unrealized}, {:?}", self.values);
        assert!(near(known("NetLiquidation"), cash + value), "{cash} {value}, {:?}", self.values);
        (known("NetLiquidation").unwrap() * 100.0).round() as i64
    }
}
