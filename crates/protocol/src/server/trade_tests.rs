//! Trades on the server's side. No row of the table trades yet, so the access is the test's choice.

use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::{Access, ConnectionInfo, MockConnection, MockConnector, Reply, Request};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::input::{Command, Current, Input, Message};
use super::output::Output;
use super::session::Server;
use crate::frames::Answer;
use crate::testing::Buffer;

const PATIENCE: Duration = Duration::from_secs(2);

fn connection() -> MockConnection {
    let mut connection = MockConnection::new();
    connection.expect_info().return_const(ibkr_connect_core::literal!(ConnectionInfo {
        readonly: false,
        ..ConnectionInfo::mock()
    }));
    connection.expect_request().returning(|_, _| Ok(Reply::ManagedAccounts(Vec::new())));
    connection.expect_close().returning(|| Ok(()));
    connection
}

/// Each line's id and status.
fn answers(buffer: &Buffer) -> Vec<(u64, String)> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["id"].as_u64().unwrap(), line["status"].as_str().unwrap().to_owned())
    };
    buffer.take().lines().map(line).collect()
}

fn answer(id: u64, status: &str) -> (u64, String) {
    (id, status.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_trade_is_taken_before_the_questions_that_wait() {
    let (buffer, connector) = (Buffer::with_room(usize::MAX), MockConnector::new());
    let output = Arc::new(Output::new(buffer.pipe()));
    let (input, inbox) = Input::new(Arc::clone(&output), Current::default());
    for (id, access) in [(1, Access::Read), (2, Access::Trade), (3, Access::Read), (4, Access::Trade)] {
        let command = Command::Request(Request::ManagedAccounts, None, input.open());
        input.pass_on(Message { id, access, command });
    }
    drop(input);
    Server::with_session(&connector, output, connection(), PATIENCE).serve(inbox).await;
    assert_eq!(answers(&buffer), [2, 4, 1, 3].map(|id| answer(id, "success")));
}

#[tokio::test(start_paused = true)]
async fn a_trade_can_not_be_cancelled_and_comes_to_its_end_before_the_session_does() {
    let (buffer, connector) = (Buffer::with_room(usize::MAX), MockConnector::new());
    let output = Arc::new(Output::new(buffer.pipe()));
    let (input, _inbox) = Input::new(Arc::clone(&output), Current::default());
    let mut server = Server::with_session(&connector, Arc::clone(&output), connection(), PATIENCE);
    for (id, access) in [(1, Access::Trade), (2, Access::Read)] {
        let output = Arc::clone(&output);
        server.run((id, access), input.open(), async move {
            sleep(PATIENCE / 2).await;
            output.answer(&Answer::success(id, ()));
        });
    }
    assert!(!server.cancel(1));
    assert!(server.cancel(2));
    let started = Instant::now();
    server.wind_down().await.unwrap();
    output.flush();
    assert_eq!(answers(&buffer), [answer(2, "end"), answer(1, "success")]);
    assert_eq!(started.elapsed(), PATIENCE / 2);
}

#[tokio::test(start_paused = true)]
async fn a_trade_without_an_end_does_not_keep_the_session() {
    let (buffer, connector) = (Buffer::with_room(usize::MAX), MockConnector::new());
    let output = Arc::new(Output::new(buffer.pipe()));
    let (input, _inbox) = Input::new(Arc::clone(&output), Current::default());
    let mut server = Server::with_session(&connector, Arc::clone(&output), connection(), PATIENCE);
    let (kept, aborted) = oneshot::channel::<()>();
    server.run((1, Access::Trade), input.open(), async move {
        std::future::pending::<()>().await;
        drop(kept);
    });
    let started = Instant::now();
    server.wind_down().await.unwrap();
    assert_eq!(started.elapsed(), PATIENCE);
    aborted.await.unwrap_err();
    output.flush();
    assert!(answers(&buffer).is_empty(), "its outcome is not known");
}
