//! Positions and account updates, of which a connection has one subscription each.

use std::sync::Arc;

use ibapi::Client;
use ibapi::accounts::types::AccountId;
use ibapi::accounts::{AccountUpdate, PositionUpdate};
use ibapi::subscriptions::Subscription;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::{
    AccountUpdatesEvent, AccountUpdatesParams, AccountUpdatesSnapshot, Notice, Position, PositionUpdatesEvent,
};
use ibkr_connect_core::{Error, ErrorKind, Result};

use super::asker::Asker;
use super::shared_subscription::{Change, Entry, Interest, Opener, SharedSubscription, Source, Subscriber};
use crate::convert;
use crate::error::request_error;
use crate::followers::Follower;
use crate::items::next;
use crate::notices::Notices;
use crate::wiretap::Wiretap;
use ibkr_connect_wire::Family;

pub(crate) type Positions = SharedSubscription<PositionUpdatesEvent>;
pub(crate) type AccountUpdates = SharedSubscription<AccountUpdatesEvent>;

pub(super) async fn positions(asker: &Asker) -> Result<Vec<Position>> {
    let rows =
        join_positions(asker, Interest::Snapshot)?.download(&asker.notes, asker.shared.log_accounts).await?;
    let positions = rows.into_iter().filter_map(|row| match row {
        PositionUpdatesEvent::Position(position) => Some(*position),
        _ => None,
    });
    Ok(positions.collect())
}

pub(super) async fn position_updates<'a>(
    asker: &'a Asker,
    events: Events<'a, PositionUpdatesEvent>,
) -> Result<Carrying<'a>> {
    let subscriber = join_positions(asker, Interest::Updates)?;
    carry(asker, subscriber, events).await
}

pub(super) async fn account_updates_snapshot(
    asker: &Asker,
    params: &AccountUpdatesParams,
) -> Result<AccountUpdatesSnapshot> {
    let rows = join_account_updates(asker, params, Interest::Snapshot)?
        .download(&asker.notes, asker.shared.log_accounts)
        .await?;
    let mut snapshot = ibkr_connect_core::literal!(AccountUpdatesSnapshot {
        values: Vec::new(),
        portfolio: Vec::new(),
        time: None
    });
    for row in rows {
        match row {
            AccountUpdatesEvent::Value(value) => snapshot.values.push(value),
            AccountUpdatesEvent::Portfolio(held) => snapshot.portfolio.push(*held),
            AccountUpdatesEvent::Time { time } => snapshot.time = Some(time),
            _ => {}
        }
    }
    Ok(snapshot)
}

pub(super) async fn account_updates<'a>(
    asker: &'a Asker,
    params: &AccountUpdatesParams,
    events: Events<'a, AccountUpdatesEvent>,
) -> Result<Carrying<'a>> {
    let subscriber = join_account_updates(asker, params, Interest::Updates)?;
    carry(asker, subscriber, events).await
}

/// Passes on what a subscriber is told, once the Gateway has been asked.
async fn carry<'a, E: Entry>(
    asker: &'a Asker,
    mut subscriber: Subscriber<E>,
    events: Events<'a, E>,
) -> Result<Carrying<'a>> {
    subscriber.opened(&asker.notes).await;
    Ok(Box::pin(async move {
        loop {
            events.send(subscriber.next().await?);
        }
    }))
}

fn join_positions(asker: &Asker, interest: Interest) -> Result<Subscriber<PositionUpdatesEvent>> {
    let opener = PositionsOpener { client: Arc::clone(asker.client()), tap: asker.shared.tap.clone() };
    asker.shared.positions.join("", interest, opener)
}

fn join_account_updates(
    asker: &Asker,
    params: &AccountUpdatesParams,
    interest: Interest,
) -> Result<Subscriber<AccountUpdatesEvent>> {
    let managed = asker.handshake_managed_accounts();
    let account = account(managed, &params.account)?.to_owned();
    let of_others = if managed.contains(&account) {
        managed.iter().filter(|other| **other != account).cloned().collect()
    } else {
        Vec::new()
    };
    let (client, tap) = (Arc::clone(asker.client()), asker.shared.tap.clone());
    let notices = asker.shared.notices.clone();
    let opener = AccountOpener { client, tap, notices, account: account.clone(), of_others };
    asker.shared.account_updates.join(&account, interest, opener)
}

/// The account that is meant. TWS does not answer a request for an unknown account.
fn account<'a>(managed: &'a [String], wanted: &'a str) -> Result<&'a str> {
    let refused = |problem: String| {
        let accounts = managed.join(", ");
        let message = format!("{problem}; this login has {accounts}");
        Err(Error::new(ErrorKind::InvalidRequest, message))
    };
    let is_managed = |name: &str| managed.iter().any(|account| account == name);
    match (wanted, managed) {
        ("", [only]) => Ok(only),
        ("", _) => refused("the account is empty".to_owned()),
        (wanted, _) if is_managed(wanted) => Ok(wanted),
        // All accounts of an advisor.
        (wanted, _) if wanted.strip_suffix('A').is_some_and(is_managed) => Ok(wanted),
        (wanted, _) => refused(format!("there is no account {wanted:?}")),
    }
}

struct PositionsOpener {
    client: Arc<Client>,
    tap: Wiretap,
}

impl Opener for PositionsOpener {
    type Source = PositionRows;

    async fn open(&self) -> Result<PositionRows> {
        let rows = self.client.positions().await;
        rows.map(PositionRows).map_err(request_error)
    }

    fn frames(&self) -> u64 {
        self.tap.frames(Family::Positions)
    }
}

struct PositionRows(Subscription<PositionUpdate>);

impl Source for PositionRows {
    type Event = PositionUpdatesEvent;

    async fn next(&mut self) -> Result<Option<PositionUpdatesEvent>> {
        Ok(next(&mut self.0).await?.map(convert::position_update))
    }

    async fn cancel(&mut self) {
        self.0.cancel().await;
    }
}

struct AccountOpener {
    client: Arc<Client>,
    tap: Wiretap,
    notices: Notices,
    account: String,
    /// Whose rows may still come from the subscription before.
    of_others: Vec<String>,
}

impl Opener for AccountOpener {
    type Source = AccountRows;

    async fn open(&self) -> Result<AccountRows> {
        self.tap.expect_account_end(&self.account);
        let notices = self.notices.follow_from_now();
        let rows = self.client.account_updates(&AccountId(self.account.clone())).await;
        let rows = rows.map_err(request_error)?;
        let (account, of_others) = (self.account.clone(), self.of_others.clone());
        Ok(AccountRows { rows, notices, account, is_named: of_others.is_empty(), of_others })
    }

    fn frames(&self) -> u64 {
        self.tap.frames(Family::AccountUpdates)
    }
}

/// Notices about account updates, which name no request: who follows those would wait for what does not come. 2100: TWS has ended
/// them. 2101: another client has those of another account.
const UNSUBSCRIBED: [i32; 2] = [2100, 2101];

struct AccountRows {
    rows: Subscription<AccountUpdate>,
    notices: Follower<Notice>,
    account: String,
    of_others: Vec<String>,
    /// Whether a row has said that it is about this account. The time, which names none, may be another one's until then.
    is_named: bool,
}

impl AccountRows {
    /// Whether it belongs to the account that was asked for.
    fn is_ours(&mut self, event: &AccountUpdatesEvent) -> bool {
        let account = match event {
            AccountUpdatesEvent::Value(value) => &value.account,
            AccountUpdatesEvent::Portfolio(held) => &held.account,
            AccountUpdatesEvent::Time { .. } => return self.is_named,
            _ => return true,
        };
        let is_ours = !self.of_others.contains(account);
        self.is_named |= is_ours;
        is_ours
    }
}

impl Source for AccountRows {
    type Event = AccountUpdatesEvent;

    async fn next(&mut self) -> Result<Option<AccountUpdatesEvent>> {
        loop {
            tokio::select! {
                biased;
                item = next(&mut self.rows) => {
                    let Some(item) = item? else { return Ok(None) };
                    let event = convert::account_update(item, &self.account);
                    if self.is_ours(&event) {
                        return Ok(Some(event));
                    }
                }
                Ok(Some(Notice { code, message, .. })) = self.notices.next() => {
                    if UNSUBSCRIBED.contains(&code) {
                        return Ok(Some(AccountUpdatesEvent::Notice { code, message }));
                    }
                }
            }
        }
    }

    async fn cancel(&mut self) {
        self.rows.cancel().await;
    }
}

impl Entry for PositionUpdatesEvent {
    /// Account and contract.
    type Key = (String, i32);

    const COMMAND: &'static str = "positions";

    fn change(&self) -> Change<Self::Key> {
        match self {
            Self::Position(held) => row(held.position, (held.account.clone(), held.contract.con_id)),
            Self::End {} => Change::End,
            _ => Change::None,
        }
    }

    fn notice(&self) -> Option<(i32, &str)> {
        if let Self::Notice { code, message } = self { Some((*code, message)) } else { None }
    }
}

/// What tells the rows of account updates apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum AccountKey {
    Value { account: String, key: String, currency: Option<String> },
    Portfolio { account: String, con_id: i32 },
    Time,
}

impl Entry for AccountUpdatesEvent {
    type Key = AccountKey;

    const COMMAND: &'static str = "account_updates";

    fn change(&self) -> Change<AccountKey> {
        match self {
            Self::Value(value) => Change::Row(AccountKey::Value {
                account: value.account.clone(),
                key: value.key.clone(),
                currency: value.currency.clone(),
            }),
            Self::Portfolio(held) => {
                let (account, con_id) = (held.account.clone(), held.contract.con_id);
                row(held.position, AccountKey::Portfolio { account, con_id })
            }
            Self::Time { .. } => Change::Row(AccountKey::Time),
            Self::End {} => Change::End,
            _ => Change::None,
        }
    }

    fn notice(&self) -> Option<(i32, &str)> {
        if let Self::Notice { code, message } = self { Some((*code, message)) } else { None }
    }
}

/// A position of size 0 is closed.
/// A position of no size is gone; one whose size TWS does not give is not.
fn row<K>(position: Option<f64>, key: K) -> Change<K> {
    if position == Some(0.0) { Change::Gone(key) } else { Change::Row(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_may_be_left_out_where_there_is_but_one() {
        let one = ["DU1".to_owned()];
        let two = ["F1".to_owned(), "DU2".to_owned()];
        assert_eq!(account(&one, "").unwrap(), "DU1");
        assert_eq!(account(&two, "DU2").unwrap(), "DU2");
        assert_eq!(account(&two, "F1A").unwrap(), "F1A");
        for (wanted, problem) in [("", "the account is empty"), ("DU3", "there is no account \"DU3\"")] {
            let error = account(&two, wanted).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(problem) && error.message().contains("F1, DU2"), "{error}");
        }
    }
}
