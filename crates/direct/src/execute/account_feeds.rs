//! Positions and account updates, of which a connection has one subscription each.

use std::fmt::Debug;
use std::sync::Arc;

use ibapi::Client;
use ibapi::accounts::types::AccountId;
use ibapi::accounts::{AccountUpdate, PositionUpdate};
use ibapi::subscriptions::Subscription;
use ibkr_connect_core::types::{
    AccountUpdatesEvent, AccountUpdatesParams, AccountUpdatesSnapshot, Position, PositionUpdatesEvent,
};
use ibkr_connect_core::{Error, ErrorKind, Event, EventSender, Result};

use super::cut_short;
use super::forward::next;
use super::shared_feed::{Change, Entry, Seat, SharedFeed, Source, Stay};
use crate::convert;
use crate::error::request_error;
use crate::log;

pub(crate) type Positions = SharedFeed<PositionUpdatesEvent>;
pub(crate) type AccountUpdates = SharedFeed<AccountUpdatesEvent>;

pub(super) async fn positions(client: &Arc<Client>, feed: &Positions) -> Result<Vec<Position>> {
    const COMMAND: &str = "positions";
    let mut seat = join_positions(client, feed, Stay::UntilTheEnd)?;
    let mut positions = Vec::new();
    loop {
        match told(COMMAND, &mut seat).await? {
            PositionUpdatesEvent::Position(position) => positions.push(*position),
            PositionUpdatesEvent::End {} => return Ok(positions),
            PositionUpdatesEvent::Notice { code, message } => log::request_notice(COMMAND, code, &message),
            other => return Err(unexpected(COMMAND, &other)),
        }
    }
}

/// The table has got an event that this file does not know.
fn unexpected(command: &str, event: &impl Debug) -> Error {
    Error::new(ErrorKind::Internal, format!("{command}: {event:?} belongs to no answer"))
}

pub(super) async fn position_updates(
    client: &Arc<Client>,
    feed: &Positions,
    events: &EventSender,
) -> Result<()> {
    let mut seat = join_positions(client, feed, Stay::ForChanges)?;
    loop {
        events.send(Event::PositionUpdates(told("position_updates", &mut seat).await?));
    }
}

pub(super) async fn account_updates_snapshot(
    client: &Arc<Client>,
    feed: &AccountUpdates,
    params: &AccountUpdatesParams,
) -> Result<AccountUpdatesSnapshot> {
    const COMMAND: &str = "account_updates_snapshot";
    let mut seat = join_account_updates(client, feed, params, Stay::UntilTheEnd)?;
    let mut snapshot = AccountUpdatesSnapshot { values: Vec::new(), portfolio: Vec::new(), time: None };
    loop {
        match told(COMMAND, &mut seat).await? {
            AccountUpdatesEvent::Value(value) => snapshot.values.push(value),
            AccountUpdatesEvent::Portfolio(held) => snapshot.portfolio.push(*held),
            AccountUpdatesEvent::Time { time } => snapshot.time = Some(time),
            AccountUpdatesEvent::End {} => return Ok(snapshot),
            AccountUpdatesEvent::Notice { code, message } => log::request_notice(COMMAND, code, &message),
            other => return Err(unexpected(COMMAND, &other)),
        }
    }
}

pub(super) async fn account_updates(
    client: &Arc<Client>,
    feed: &AccountUpdates,
    params: &AccountUpdatesParams,
    events: &EventSender,
) -> Result<()> {
    let mut seat = join_account_updates(client, feed, params, Stay::ForChanges)?;
    loop {
        events.send(Event::AccountUpdates(told("account_updates", &mut seat).await?));
    }
}

async fn told<E: Entry>(command: &str, seat: &mut Seat<E>) -> Result<E> {
    seat.next().await.unwrap_or_else(|| Err(cut_short(command)))
}

fn join_positions(client: &Arc<Client>, feed: &Positions, stay: Stay) -> Result<Seat<PositionUpdatesEvent>> {
    let client = Arc::clone(client);
    feed.join("", stay, async move {
        let rows = client.positions().await.map_err(|error| request_error(PositionRows::COMMAND, error))?;
        Ok(PositionRows(rows))
    })
}

fn join_account_updates(
    client: &Arc<Client>,
    feed: &AccountUpdates,
    params: &AccountUpdatesParams,
    stay: Stay,
) -> Result<Seat<AccountUpdatesEvent>> {
    let managed = client.handshake_managed_accounts();
    let account = account(managed, &params.account)?.to_owned();
    let of_others = if managed.contains(&account) {
        managed.iter().filter(|other| **other != account).cloned().collect()
    } else {
        Vec::new()
    };
    let client = Arc::clone(client);
    feed.join(&account.clone(), stay, async move {
        let rows = client
            .account_updates(&AccountId(account.clone()))
            .await
            .map_err(|error| request_error(AccountRows::COMMAND, error))?;
        Ok(AccountRows { rows, account, of_others })
    })
}

/// The account that is meant. TWS says nothing to who asks for one that it does not know.
fn account<'a>(managed: &'a [String], wanted: &'a str) -> Result<&'a str> {
    let refused = |problem: String| {
        let accounts = managed.join(", ");
        let message = format!("account_updates: {problem}; this login has {accounts}");
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

struct PositionRows(Subscription<PositionUpdate>);

impl Source for PositionRows {
    type Event = PositionUpdatesEvent;
    const COMMAND: &'static str = "positions";

    async fn next(&mut self) -> Result<Option<PositionUpdatesEvent>> {
        Ok(next(Self::COMMAND, &mut self.0).await?.map(convert::position_update))
    }

    async fn cancel(&mut self) {
        self.0.cancel().await;
    }
}

struct AccountRows {
    rows: Subscription<AccountUpdate>,
    account: String,
    /// Whose rows may still come from the subscription before.
    of_others: Vec<String>,
}

impl Source for AccountRows {
    type Event = AccountUpdatesEvent;
    const COMMAND: &'static str = "account_updates";

    async fn next(&mut self) -> Result<Option<AccountUpdatesEvent>> {
        while let Some(item) = next(Self::COMMAND, &mut self.rows).await? {
            let event = convert::account_update(item, &self.account);
            let account = match &event {
                AccountUpdatesEvent::Value(value) => &value.account,
                AccountUpdatesEvent::Portfolio(held) => &held.account,
                _ => return Ok(Some(event)),
            };
            if !self.of_others.contains(account) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    async fn cancel(&mut self) {
        self.rows.cancel().await;
    }
}

impl Entry for PositionUpdatesEvent {
    /// Account and contract.
    type Key = (String, i32);

    fn change(&self) -> Change<Self::Key> {
        match self {
            Self::Position(held) => row(held.position, (held.account.clone(), held.contract.con_id)),
            Self::End {} => Change::End,
            _ => Change::None,
        }
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
}

/// A position of size 0 is closed.
fn row<K>(position: f64, key: K) -> Change<K> {
    if position == 0.0 { Change::Gone(key) } else { Change::Row(key) }
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
