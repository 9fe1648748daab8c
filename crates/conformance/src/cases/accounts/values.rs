//! What accounts are worth is what they have in cash and what their positions are worth.

use std::collections::HashMap;

use ibkr_connect_core::types::{
    AccountSummaryParams, AccountSummaryUpdatesEvent, AccountUpdatesMultiEvent, AccountUpdatesMultiParams,
    PositionsMultiEvent, PositionsMultiParams,
};

use ibkr_connect_core::ErrorKind;
use tokio::task::JoinSet;

use super::{ACCOUNTS, moving, near, take, with};
use crate::Backend;
use crate::support::until;

/// How often each account's sum is looked at.
const LOOKS: usize = 6;

pub(crate) async fn a_summary_adds_up_while_prices_move(backend: &dyn Backend) {
    with(backend, moving(), async |gateway, session| {
        let tags = ["TotalCashValue", "GrossPositionValue", "NetLiquidation"];
        let params =
            AccountSummaryParams::default().with_group("All").with_tags(tags.map(str::to_owned).to_vec());
        let once = session.account_summary(params.clone()).await.unwrap();
        let mut updates = session.account_summary_updates(params).await.unwrap();
        let (mut sums, mut ended) = (Sums::default(), false);
        while sums.looks < LOOKS * ACCOUNTS.len() {
            match updates.next().await.unwrap().unwrap() {
                AccountSummaryUpdatesEvent::Value(value) => {
                    sums.take(&value.account, &value.tag, &value.value, tags);
                }
                AccountSummaryUpdatesEvent::End {} => {
                    assert_eq!(sums.values.len(), once.len(), "each value has come once");
                    ended = true;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(ended && sums.moved, "the first ones end, and some change");
        drop(updates);
        until("the cancels arrive", || gateway.stats().requested("cancelAccountSummary") == 2).await;
    })
    .await;
}

pub(crate) async fn the_money_of_several_accounts_adds_up(backend: &dyn Backend) {
    with(backend, moving(), async |gateway, session| {
        let keys = ["CashBalance", "StockMarketValue", "NetLiquidationByCurrency"];
        let mut updates = session.account_updates_multi(AccountUpdatesMultiParams::default()).await.unwrap();
        let mut sums = Sums::default();
        while sums.looks < LOOKS * ACCOUNTS.len() {
            match updates.next().await.unwrap().unwrap() {
                AccountUpdatesMultiEvent::Value(value) if value.currency.as_deref() == Some("USD") => {
                    sums.take(&value.account, &value.key, &value.value, keys);
                }
                AccountUpdatesMultiEvent::Value(_) | AccountUpdatesMultiEvent::End {} => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(sums.moved, "some change");
        drop(updates);
        until("the cancel arrives", || gateway.stats().requested("cancelAccountUpdatesMulti") == 1).await;
    })
    .await;
}

pub(crate) async fn positions_of_one_account_are_those_of_all(backend: &dyn Backend) {
    with(backend, moving(), async |gateway, session| {
        let params = PositionsMultiParams::default().with_account(ACCOUNTS[1]);
        let mut updates = session.positions_multi(params).await.unwrap();
        let mut held = Vec::new();
        loop {
            match updates.next().await.unwrap().unwrap() {
                PositionsMultiEvent::Position(position) => {
                    assert_eq!((position.account.as_str(), &position.model_code), (ACCOUNTS[1], &None));
                    held.push((position.contract, position.position, position.average_cost));
                }
                PositionsMultiEvent::End {} => break,
                other => panic!("{other:?}"),
            }
        }
        let all = session.positions().await.unwrap().into_iter();
        let here = all.filter(|held| held.account == ACCOUNTS[1]);
        let expected: Vec<_> = here.map(|held| (held.contract, held.position, held.average_cost)).collect();
        assert_eq!(held, expected);
        drop(updates);
        until("the cancel arrives", || gateway.stats().requested("cancelPositionsMulti") == 1).await;
    })
    .await;
}

/// The newest values by account and name, with a look at the third of them whenever it comes: it is the sum of the first
/// two, which come before it.
#[derive(Default)]
struct Sums {
    values: HashMap<(String, String), f64>,
    looks: usize,
    moved: bool,
}

impl Sums {
    fn take(&mut self, account: &str, name: &str, value: &str, [cash, positions, sum]: [&str; 3]) {
        let key = |name: &str| (account.to_owned(), name.to_owned());
        let Ok(value) = value.parse::<f64>() else { return };
        let before = self.values.insert(key(name), value);
        if name == sum {
            let expected = self.values[&key(cash)] + self.values[&key(positions)];
            assert!(near(Some(value), expected), "{account}: {value}, expected {expected}");
            self.moved |= before.is_some_and(|before| before != value);
            self.looks += 1;
        }
    }
}

pub(crate) async fn two_summaries_at_a_time(backend: &dyn Backend) {
    with(backend, moving(), async |gateway, session| {
        let mut requests = JoinSet::new();
        for _ in 0..20 {
            let session = session.clone();
            requests.spawn(async move { session.account_summary(Default::default()).await.unwrap().len() });
        }
        let counts = requests.join_all().await;
        assert_eq!(counts, [AccountSummaryParams::default().tags.len() * ACCOUNTS.len(); 20]);

        let mut first = session.account_summary_updates(Default::default()).await.unwrap();
        let mut second = session.account_summary_updates(Default::default()).await.unwrap();
        take(&mut first, 1).await;
        take(&mut second, 1).await;
        let refused = session.account_summary(Default::default()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Busy, "{refused}");
        let mut third = session.account_summary_updates(Default::default()).await.unwrap();
        assert_eq!(third.next().await.unwrap().unwrap_err().kind(), ErrorKind::Busy);
        drop(first);
        until("there is room", || gateway.stats().requested("cancelAccountSummary") == 21).await;
        session.account_summary(Default::default()).await.unwrap();
        take(&mut second, 30).await;
    })
    .await;
}
