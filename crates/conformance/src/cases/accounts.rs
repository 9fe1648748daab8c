//! Accounts: whose they are, what they are worth, and that all of it agrees.

mod portfolio;
mod profits;
mod shared;
mod values;

pub(crate) use portfolio::*;
pub(crate) use profits::*;
pub(crate) use shared::*;
pub(crate) use values::*;

use std::time::Duration;

use ibkr_connect_core::literal;
use ibkr_connect_core::types::{FamilyCode, UserInfo};
use ibkr_connect_core::{Session, Subscription};
use ibkr_connect_sim::{SimOptions, Simulator};
use jiff::{SignedDuration, Timestamp};

use crate::Backend;
use crate::cases::data::session;
use crate::support::backend::target;

/// Two of one login.
const ACCOUNTS: [&str; 2] = ["DU7654321", "DU7654322"];

fn two_accounts() -> SimOptions {
    SimOptions { accounts: ACCOUNTS.map(str::to_owned).to_vec(), ..SimOptions::default() }
}

/// In the middle of a trading day.
fn begin() -> Timestamp {
    "2024-07-12T15:00:02Z".parse().unwrap()
}

/// The same, while that day goes by: a second of it every few milliseconds.
fn moving() -> SimOptions {
    SimOptions { replay: Some(begin()), tick_interval: Duration::from_millis(5), ..two_accounts() }
}

/// Runs a case in a session with a Gateway, and looks at what it leaves.
async fn with(backend: &dyn Backend, options: SimOptions, case: impl AsyncFn(&Simulator, &Session)) {
    let gateway = Simulator::start(options).unwrap();
    let session = session(&**backend, &target(gateway.port())).await;
    case(&gateway, &session).await;
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

/// The next events of a stream.
async fn take<T>(events: &mut Subscription<T>, count: usize) -> Vec<T> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(events.next().await.unwrap().unwrap());
    }
    taken
}

/// Equal, to the cent.
fn near(value: Option<f64>, expected: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() < 0.005)
}

pub(crate) async fn the_clock_has_milliseconds(backend: &dyn Backend) {
    let begin = "2024-07-12T15:00:02.789Z".parse().unwrap();
    let options = SimOptions { replay: Some(begin), ..SimOptions::default() };
    with(backend, options, async |_, session| {
        let (exact, time) = tokio::join!(session.server_time_millis(), session.server_time());
        assert_eq!(exact.unwrap(), begin);
        let off = begin.duration_since(time.unwrap());
        assert_eq!(off, SignedDuration::from_millis(789), "the other clock tells whole seconds");
    })
    .await;
}

pub(crate) async fn accounts_of_one_login_are_a_family(backend: &dyn Backend) {
    with(backend, two_accounts(), async |_, session| {
        let code = |account: &str| {
            literal!(FamilyCode { account: account.into(), family_code: Some("F7654321".into()) })
        };
        assert_eq!(session.family_codes().await.unwrap(), ACCOUNTS.map(code));
    })
    .await;
    with(backend, SimOptions::default(), async |_, session| {
        let alone = literal!(FamilyCode { account: "DU1234567".into(), family_code: None });
        assert_eq!(session.family_codes().await.unwrap(), [alone]);
        assert_eq!(session.user_info().await.unwrap(), literal!(UserInfo { white_branding_id: None }));
    })
    .await;
}
