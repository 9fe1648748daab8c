//! A session with a Gateway whose part a case plays.

use std::time::Duration;

use ibkr_connect_core::{Session, Target};

use crate::Backend;
use crate::cases::data::session;
use crate::support::backend::target;
use crate::support::fake_gateway::played::{PlayedGateway, Received};
use crate::support::fake_gateway::wire::{Frame, frame};

/// How long anything may take that is due, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The accounts of the login that is played.
pub(crate) const ACCOUNTS: [&str; 2] = ["DU7654321", "DU7654322"];

pub(crate) async fn connected(backend: &dyn Backend) -> (PlayedGateway, Session) {
    connected_with(backend, |_| {}).await
}

/// The same with another target.
pub(crate) async fn connected_with(
    backend: &dyn Backend,
    change: impl FnOnce(&mut Target),
) -> (PlayedGateway, Session) {
    let mut gateway = PlayedGateway::start();
    let mut target = target(gateway.port());
    change(&mut target);
    let (session, ()) = tokio::join!(session(&**backend, &target), async {
        gateway.is_asked(17).await;
        gateway.says([frame!(15 { 1: &*ACCOUNTS.join(",") })]);
    });
    (gateway, session)
}

impl PlayedGateway {
    /// The client sends this message next.
    pub(crate) async fn is_asked(&mut self, message: u32) -> Received {
        let received = self.receive(PATIENCE).await.unwrap_or_else(|| panic!("no message {message} comes"));
        assert_eq!(received.message, message, "{received:?}");
        received
    }

    /// Sends frames that name no request.
    pub(crate) fn says<const N: usize>(&self, frames: [Frame; N]) {
        self.send(&frames, -1);
    }
}

/// An error about a request, or with the id -1 about none.
pub(crate) fn notice(id: i64, code: i32, text: &str) -> Frame {
    frame!(4 { 1: id, 2: 1_787_000_000_123_i64, 3: code, 4: text })
}
