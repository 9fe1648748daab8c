//! All rows at once at a Gateway that is played by hand and answers none, when the session is lost: each of them learns it by the
//! same name, whether its question is out, waits for its turn, or comes later.

use std::sync::Arc;
use std::time::Duration;

use ibkr_connect::{CloseReason, ConnectionMode, Error, ErrorKind, Request, Session, StreamRequest};
use libtest_mimic::{Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinSet;

use crate::play::{Outcome, connect, soon};
use crate::row::Row;
use crate::support::backend::Backend;
use crate::support::fake_gateway::played::{Break, PlayedGateway};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::run;

/// How a session is lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Gateway(Break),
    Worker,
}

pub(crate) fn trials(rows: &[Arc<Row>]) -> Vec<Trial> {
    let of = |mode| {
        let gateway = [Break::Closes, Break::Resets, Break::SendsGarbage].map(Loss::Gateway);
        let worker = (mode == ConnectionMode::Subprocess).then_some(Loss::Worker);
        gateway.into_iter().chain(worker).map(move |loss| (mode, loss))
    };
    let losses = REAL_BACKENDS.into_iter().flat_map(of);
    losses.map(|(mode, loss)| trial(rows.to_vec(), mode, loss)).collect()
}

fn trial(rows: Vec<Arc<Row>>, mode: ConnectionMode, loss: Loss) -> Trial {
    Trial::test(format!("lost::{mode}::{loss:?}"), move || check(&rows, mode, loss).map_err(Failed::from))
}

fn check(rows: &[Arc<Row>], mode: ConnectionMode, loss: Loss) -> Outcome {
    let backend = Backend::new(mode);
    run(async {
        let (mut gateway, session) = connect(&backend).await?;
        let asking = ask_all(rows, &session);
        hear_some(&mut gateway).await?;
        lose(&session, &gateway, loss);
        learn(asking, &session, loss).await?;
        soon("the close", session.close()).await?.map_err(|error| error.to_string())
    })?;
    backend.worker().assert_none_runs();
    Ok(())
}

/// What became of a row: none was ended by the loss if it was answered before.
type End = (&'static str, Option<Error>);

/// Asks each operation of the table once. Two questions of one kind could refuse each other.
fn ask_all(rows: &[Arc<Row>], session: &Session) -> JoinSet<End> {
    let mut asking = JoinSet::new();
    let mut asked = Vec::new();
    for row in rows {
        if asked.contains(&row.command()) {
            continue;
        }
        asked.push(row.command());
        let (row, session) = (Arc::clone(row), session.clone());
        if row.operation.stream {
            asking.spawn(stream(row, session));
        } else {
            asking.spawn(request(row, session));
        }
    }
    asking
}

async fn request(row: Arc<Row>, session: Session) -> End {
    let request = Request::from_json(row.command(), &row.params.to_string()).unwrap().unwrap();
    (row.command(), session.request(request).await.err())
}

async fn stream(row: Arc<Row>, session: Session) -> End {
    let request = StreamRequest::from_json(row.command(), &row.params.to_string()).unwrap().unwrap();
    let mut events = match session.subscribe(request).await {
        Ok(events) => events,
        Err(error) => return (row.command(), Some(error)),
    };
    while let Some(event) = events.next().await {
        if let Err(error) = event {
            return (row.command(), Some(error));
        }
    }
    (row.command(), None)
}

/// Waits until many questions are out. The others wait for their turn behind them.
async fn hear_some(gateway: &mut PlayedGateway) -> Outcome {
    const SOME: usize = 30;
    for count in 0..SOME {
        let received = gateway.receive(Duration::from_secs(5)).await;
        received.ok_or_else(|| format!("only {count} questions of all rows come"))?;
    }
    Ok(())
}

fn lose(session: &Session, gateway: &PlayedGateway, loss: Loss) {
    match loss {
        Loss::Gateway(how) => gateway.breaks_off(how),
        Loss::Worker => {
            let pid =
                session.info().worker_pid.and_then(|pid| Pid::from_raw(pid.try_into().unwrap())).unwrap();
            kill_process(pid, Signal::KILL).unwrap();
        }
    }
}

async fn learn(mut asking: JoinSet<End>, session: &Session, loss: Loss) -> Outcome {
    let kind = match loss {
        Loss::Gateway(_) => ErrorKind::Disconnected,
        Loss::Worker => ErrorKind::WorkerCrashed,
    };
    let is_loss = |error: &Error| error.kind() == kind && error.code().is_none() && error.is_retryable();
    let mut wrong = Vec::new();
    while let Some(end) = soon("the end of a row", asking.join_next()).await? {
        let (command, error) = end.map_err(|panic| panic.to_string())?;
        // What the handshake has told already needs no answer.
        if !error.as_ref().map_or(command == "managed_accounts", is_loss) {
            wrong.push(format!("{command}: {error:?}"));
        }
    }
    let reason = soon("the reason", session.closed()).await?;
    let is_reason = match loss {
        Loss::Gateway(_) => matches!(reason, CloseReason::Disconnected(_)),
        Loss::Worker => matches!(reason, CloseReason::WorkerExited(_)),
    };
    if !is_reason {
        wrong.push(format!("the reason: {reason:?}"));
    }
    match session.managed_accounts().await {
        Err(error) if is_loss(&error) => {}
        other => wrong.push(format!("a later question: {other:?}")),
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("not by the name of the loss:\n{}", wrong.join("\n"))) }
}
