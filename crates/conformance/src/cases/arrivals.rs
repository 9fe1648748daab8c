//! Executions and commissions, which come in any order and mixed with answers to requests: each reaches who asks for it or follows.

use std::time::Duration;

use ibkr_connect_core::Subscription;
use ibkr_connect_core::types::{ExecutionDetails, ExecutionsParams, OrderUpdatesEvent};

use crate::Backend;
use crate::cases::played::{connected, notice};
use crate::support::fake_gateway::message::{ID, Message, message};
use crate::support::fake_gateway::played::Received;
use crate::support::fake_gateway::wire::{Frame, frame};

/// How long anything may take that is due.
const PATIENCE: Duration = Duration::from_secs(10);

/// What names no request.
const UNASKED: i64 = -1;

pub(crate) async fn a_commission_that_overtakes_its_execution_comes_after_it(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let mut updates = session.order_updates().await.unwrap();
    // The stream is open when this is answered.
    let (orders, ()) = tokio::join!(session.open_orders(), async {
        gateway.is_asked(5).await;
        gateway.says([frame!(53 {})]);
    });
    assert_eq!(orders.unwrap(), []);

    gateway.send(&[paid("a.01", 1.0), filled("a.01"), status(), filled("a.01"), paid("a.01", 1.0)], UNASKED);
    gateway.send(&[filled("b.01"), paid("b.01", 2.0), paid("a.01", 1.5), paid("c.01", 3.0)], UNASKED);
    gateway.send(&[filled("a.02"), filled("c.01"), last()], UNASKED);
    let expected =
        ["a.01", "a.01: 1", "status", "b.01", "b.01: 2", "a.01: 1.5", "a.02", "c.01", "c.01: 3", "last"];
    assert_eq!(told(&mut updates).await, expected);
    session.close().await.unwrap();
}

pub(crate) async fn answers_about_executions_are_no_news_and_news_are_no_answers(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let mut updates = session.order_updates().await.unwrap();
    let ask = || session.executions(ExecutionsParams::default());
    let (first, second, ()) = tokio::join!(ask(), ask(), async {
        let one = id_of(&gateway.is_asked(7).await);
        let other = id_of(&gateway.is_asked(7).await);
        // Two answers at once, a fill in the middle of them, and each commission where nobody expects it.
        gateway.send(&[paid("a.01", 1.0), filled("a.01")], one);
        gateway.send(&[filled("a.01"), filled("b.01")], other);
        gateway.send(&[paid("new.01", 9.0), filled("new.01"), foreign("x.01"), paid("x.01", 7.0)], UNASKED);
        gateway.send(&[filled("b.01"), paid("b.01", 2.0)], one);
        gateway.send(&[frame!(55 { 1: ID })], other);
        gateway.send(&[foreign("y.01"), frame!(55 { 1: ID }), paid("y.01", 4.0)], one);
        gateway.send(&[last()], UNASKED);
    });
    assert_eq!(costs(&first.unwrap()), [("a.01", Some(1.0)), ("b.01", Some(2.0)), ("y.01", Some(4.0))]);
    assert_eq!(costs(&second.unwrap()), [("a.01", Some(1.0)), ("b.01", Some(2.0))]);
    assert_eq!(told(&mut updates).await, ["new.01", "new.01: 9", "last"]);
    session.close().await.unwrap();
}

pub(crate) async fn what_another_client_does_to_an_order_is_told(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let (own, other) = (session.info().client_id, 999_999);
    let mut updates = session.order_updates().await.unwrap();
    let (orders, ()) = tokio::join!(session.open_orders(), async {
        gateway.is_asked(5).await;
        gateway.says([frame!(53 {})]);
    });
    assert_eq!(orders.unwrap(), []);
    let status = |perm_id: i64, client: i32, says: &str| frame!(3 { 1: 11, 2: says, 3: "0", 4: "40", 6: perm_id, 9: client });
    gateway.says([status(5, own, "Submitted"), status(6, other, "Submitted"), status(6, other, "Cancelled")]);
    // It has cancelled that of this client, and is named where its own name does not belong.
    gateway.says([status(5, other, "Cancelled"), last()]);
    let mut told = Vec::new();
    while let OrderUpdatesEvent::OrderStatus(of) = next(&mut updates).await {
        told.push((of.perm_id, of.client_id, of.status));
    }
    let [submitted, cancelled] = ["Submitted", "Cancelled"].map(|says| (5, own, says.to_owned()));
    assert_eq!(told, [submitted, cancelled]);
    session.close().await.unwrap();
}

pub(crate) async fn an_answer_of_thousands_of_executions_is_whole(backend: &dyn Backend) {
    const MANY: usize = 3_000;
    let (mut gateway, session) = connected(backend).await;
    let mut updates = session.order_updates().await.unwrap();
    let (all, ()) = tokio::join!(session.executions(ExecutionsParams::default()), async {
        let id = id_of(&gateway.is_asked(7).await);
        // The commissions first, so that none is recognized by its execution.
        for number in 0..MANY {
            gateway.send(&[paid(&number.to_string(), 1.0)], id);
        }
        for number in 0..MANY {
            gateway.send(&[filled(&number.to_string())], id);
        }
        gateway.send(&[frame!(55 { 1: ID }), last()], id);
    });
    let all = all.unwrap();
    assert_eq!(all.len(), MANY);
    assert!(all.iter().all(|details| details.commission_report.is_some()));
    assert_eq!(told(&mut updates).await, ["last"]);
    session.close().await.unwrap();
}

async fn next(updates: &mut Subscription<OrderUpdatesEvent>) -> OrderUpdatesEvent {
    let update = tokio::time::timeout(PATIENCE, updates.next()).await.expect("an update");
    update.expect("no end").unwrap()
}

/// What is told up to the last word, in short.
async fn told(updates: &mut Subscription<OrderUpdatesEvent>) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        told.push(match next(updates).await {
            OrderUpdatesEvent::Execution { execution, .. } => execution.exec_id,
            OrderUpdatesEvent::CommissionReport(report) => {
                format!("{}: {}", report.exec_id, report.commission.unwrap())
            }
            OrderUpdatesEvent::OrderStatus(_) => "status".to_owned(),
            OrderUpdatesEvent::Notice { .. } => {
                told.push("last".to_owned());
                return told;
            }
            other => panic!("{other:?}"),
        });
    }
}

fn costs(executions: &[ExecutionDetails]) -> Vec<(&str, Option<f64>)> {
    let cost = |of: &ExecutionDetails| of.commission_report.as_ref().and_then(|report| report.commission);
    executions.iter().map(|of| (of.execution.exec_id.as_str(), cost(of))).collect()
}

fn filled(exec_id: &str) -> Frame {
    frame!(11 { 1: ID, 2: aapl(), 3: { 1: 11, 2: exec_id, 3: "20260709 10:31:02 US/Eastern", 6: "BOT", 7: "40", 8: 229.5 } })
}

/// One of another client's.
fn foreign(exec_id: &str) -> Frame {
    frame!(11 { 1: ID, 2: aapl(), 3: { 1: 11, 2: exec_id, 6: "BOT", 7: "40", 8: 229.5, 10: 999_999 } })
}

fn paid(exec_id: &str, commission: f64) -> Frame {
    frame!(59 { 1: exec_id, 2: commission, 3: "USD" })
}

fn status() -> Frame {
    frame!(3 { 1: 11, 2: "Filled", 3: "40", 4: "0", 6: 1_900_000_011_i64 })
}

/// A word about an order, behind everything else.
fn last() -> Frame {
    notice(11, 399, "Warning: the last")
}

fn aapl() -> Message {
    message! { 1: 265_598, 2: "AAPL", 3: "STK" }
}

/// The id of a request.
fn id_of(question: &Received) -> i64 {
    message! { 1: ID }.id_in(&question.body).unwrap_or(-1)
}
