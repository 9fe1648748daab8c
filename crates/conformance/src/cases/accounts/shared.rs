//! Positions and account updates have one subscription per connection, which all who want them share.

use std::time::Duration;

use ibkr_connect_core::types::{
    AccountUpdatesEvent, AccountUpdatesParams, AccountUpdatesSnapshot, PositionUpdatesEvent,
};
use ibkr_connect_core::{ErrorKind, Session, Subscription};

use super::{ACCOUNTS, take};
use crate::Backend;
use crate::cases::data::session;
use crate::support::backend::target;
use crate::support::fake_gateway::played::PlayedGateway;
use crate::support::fake_gateway::wire::{Frame, frame};

/// How long anything may take that is due.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn streams_and_requests_share_the_positions(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let mut first = session.position_updates().await.unwrap();
    gateway.hears(61, b"").await;
    gateway.sends([held(1, "100"), held(2, "200")]);
    assert_eq!(told(&mut first, 2).await, ["1: 100", "2: 200"]);

    let mut second = session.position_updates().await.unwrap();
    assert_eq!(told(&mut second, 2).await, ["1: 100", "2: 200"], "what was downloaded so far");
    let (once, ()) = tokio::join!(session.positions(), async {
        gateway.sends([held(3, "300"), frame!(62 {})]);
    });
    assert_eq!(
        once.unwrap().iter().filter_map(|held| held.position).collect::<Vec<_>>(),
        [100.0, 200.0, 300.0]
    );
    for stream in [&mut first, &mut second] {
        assert_eq!(told(stream, 2).await, ["3: 300", "the end"]);
    }

    gateway.sends([held(2, "0"), held(1, "50")]);
    for stream in [&mut first, &mut second] {
        assert_eq!(told(stream, 2).await, ["2: 0", "1: 50"]);
    }
    let mut late = session.position_updates().await.unwrap();
    assert_eq!(told(&mut late, 3).await, ["1: 50", "3: 300", "the end"], "what was closed is not a position");
    drop(first);
    let once = session.positions().await.unwrap();
    assert_eq!(once.iter().filter_map(|held| held.position).collect::<Vec<_>>(), [50.0, 300.0]);
    gateway.sends([held(3, "-300.5")]);
    for stream in [&mut second, &mut late] {
        assert_eq!(told(stream, 1).await, ["3: -300.5"]);
    }

    drop((second, late));
    gateway.hears(64, b"").await;
    let (once, ()) = tokio::join!(session.positions(), async {
        gateway.hears(61, b"").await;
        gateway.sends([held(7, "700"), frame!(62 {})]);
        gateway.hears(64, b"").await;
    });
    assert_eq!(once.unwrap().len(), 1, "asked anew");
    session.close().await.unwrap();
}

pub(crate) async fn an_account_at_a_time_has_updates(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let [one, other] = ACCOUNTS;
    let (first, second, ()) = tokio::join!(snapshot(&session, one), snapshot(&session, other), async {
        for account in ACCOUNTS {
            gateway.hears(6, &subscribe(account)).await;
            gateway.sends([cash(account, "1.00"), frame!(8 { 1: "15:04" }), frame!(54 { 1: account })]);
            gateway.hears(6, UNSUBSCRIBE).await;
            // What was on its way is the other one's.
            gateway.sends([cash(account, "2.00")]);
        }
    });
    for (snapshot, account) in [(first, one), (second, other)] {
        assert_eq!(snapshot.values.len(), 1, "{snapshot:?}");
        assert_eq!(
            (snapshot.values[0].account.as_str(), snapshot.values[0].value.as_str()),
            (account, "1.00")
        );
    }

    let mut updates = session.account_updates(of(one)).await.unwrap();
    gateway.hears(6, &subscribe(one)).await;
    gateway.sends([cash(one, "3.00"), frame!(54 { 1: one })]);
    take(&mut updates, 2).await;
    let refused = session.account_updates_snapshot(of(other)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy, "{refused}");
    assert!(refused.message().contains(one) && refused.message().contains(other), "{refused}");
    let mut also_refused = session.account_updates(of(other)).await.unwrap();
    assert_eq!(also_refused.next().await.unwrap().unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(snapshot(&session, one).await.values[0].value, "3.00", "from the stream that is open");
    gateway.sends([cash(one, "4.00")]);
    let AccountUpdatesEvent::Value(value) = &take(&mut updates, 1).await[0] else { panic!("a value") };
    assert_eq!(value.value, "4.00");

    drop(updates);
    gateway.hears(6, UNSUBSCRIBE).await;
    let (last, ()) = tokio::join!(snapshot(&session, other), async {
        gateway.hears(6, &subscribe(other)).await;
        gateway.sends([cash(other, "5.00"), frame!(54 { 1: other })]);
        gateway.hears(6, UNSUBSCRIBE).await;
    });
    assert_eq!(last.values[0].value, "5.00");
    session.close().await.unwrap();
}

pub(crate) async fn account_updates_name_an_account_of_the_login(backend: &dyn Backend) {
    let (_gateway, session) = connected(backend).await;
    for account in ["", "DU1"] {
        let refused = session.account_updates_snapshot(of(account)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidRequest, "{refused}");
        assert!(refused.message().contains(&ACCOUNTS.join(", ")), "{refused}");
    }
    session.close().await.unwrap();
}

/// A session with a Gateway whose part the case plays.
async fn connected(backend: &dyn Backend) -> (PlayedGateway, Session) {
    let mut gateway = PlayedGateway::start();
    let target = target(gateway.port());
    let (session, ()) = tokio::join!(session(&**backend, &target), async {
        gateway.hears(17, b"").await;
        gateway.sends([frame!(15 { 1: &*ACCOUNTS.join(",") })]);
    });
    (gateway, session)
}

impl PlayedGateway {
    /// This is what the client sends next.
    async fn hears(&mut self, message: u32, body: &[u8]) {
        let received = self.receive(PATIENCE).await.unwrap_or_else(|| panic!("no message {message} comes"));
        assert_eq!((received.message, received.body.as_slice()), (message, body));
    }

    fn sends<const N: usize>(&self, frames: [Frame; N]) {
        self.send(&frames, -1);
    }
}

/// Ends the account updates.
const UNSUBSCRIBE: &[u8] = &[0x08, 0];

/// Begins those of an account.
fn subscribe(account: &str) -> Vec<u8> {
    [&[0x08, 1, 0x12, account.len() as u8], account.as_bytes()].concat()
}

fn held(con_id: i64, size: &str) -> Frame {
    frame!(61 { 1: ACCOUNTS[0], 2: { 1: con_id, 2: "AAPL", 3: "STK" }, 3: size })
}

fn cash(account: &str, value: &str) -> Frame {
    frame!(6 { 1: "CashBalance", 2: value, 3: "USD", 4: account })
}

fn of(account: &str) -> AccountUpdatesParams {
    AccountUpdatesParams::default().with_account(account.to_owned())
}

async fn snapshot(session: &Session, account: &str) -> AccountUpdatesSnapshot {
    session.account_updates_snapshot(of(account)).await.unwrap()
}

/// The next events in short: contract and size, or the end.
async fn told(events: &mut Subscription<PositionUpdatesEvent>, count: usize) -> Vec<String> {
    let short = |event| match event {
        PositionUpdatesEvent::Position(held) => {
            format!("{}: {}", held.contract.con_id, held.position.unwrap())
        }
        PositionUpdatesEvent::End {} => "the end".to_owned(),
        other => panic!("{other:?}"),
    };
    take(events, count).await.into_iter().map(short).collect()
}
