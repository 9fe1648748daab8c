//! A row at the simulator: both modes and the command give the same, and what the schema says. No order is sent.

use std::time::Duration;

use ibkr_connect::{Request, Session, StreamRequest};
use ibkr_connect_sim::{CLIENT_WITH_ORDERS, SimOptions, Simulator};
use jiff::Timestamp;
use serde_json::Value;

use crate::difference::difference;
use crate::row::{Row, Sameness};
use crate::schema;
use crate::support::backend::{Backend, target};
use crate::support::host::{Finished, User};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::run;

/// Asks a row in every way.
pub(crate) fn check(row: &Row) -> Result<(), String> {
    let gateway = Simulator::start(SimOptions {
        accounts: vec!["DU1".to_owned(), "DU2".to_owned()],
        seed: 42,
        tick_interval: Duration::from_millis(2),
        replay: (row.simulated.sameness != Sameness::Form).then(|| "2026-07-10T15:00:00Z".parse().unwrap()),
        ..SimOptions::default()
    })
    .unwrap();
    let params = row.simulated.params.as_ref().unwrap_or(&row.params).to_string();
    let ask = |mode| {
        let backend = Backend::new(mode);
        run(async {
            let target = target(gateway.port()).with_client_id(Some(CLIENT_WITH_ORDERS));
            let connection = backend.connect(&target).await.map_err(|error| error.to_string())?;
            let session = Session::new(connection);
            let answers = ask(row, &params, &session).await.map_err(|error| format!("{mode}: {error}"))?;
            session.close().await.map_err(|error| error.to_string())?;
            Ok::<_, String>(answers)
        })
    };
    let backends: Vec<_> = REAL_BACKENDS
        .into_iter()
        .map(|mode| Ok((mode.to_string(), ask(mode)?)))
        .collect::<Result<_, String>>()?;
    let command = ("the command".to_owned(), call(row, &params, gateway.port())?);
    let (first, first_answers) = &backends[0];
    says_something(row, first_answers)?;
    for (other, answers) in backends[1..].iter().chain([&command]) {
        says_something(row, answers)?;
        same(row, &format!("{first} and {other}"), first_answers, answers)?;
    }
    let stats = gateway.stats();
    match (stats.orders, stats.unknown_requests) {
        (0, 0) => Ok(()),
        _ => Err(format!("it sent an order, or what the simulator does not serve: {stats:?}")),
    }
}

async fn ask(row: &Row, params: &str, session: &Session) -> ibkr_connect::Result<Vec<Value>> {
    if let Some(request) = Request::from_json(row.command(), params)? {
        return Ok(vec![serde_json::to_value(session.request(request).await?).unwrap()]);
    }
    let request = StreamRequest::from_json(row.command(), params)?.expect("a row is a request or a stream");
    let mut stream = session.subscribe(request).await?;
    let mut events = Vec::new();
    while events.len() < row.simulated.events
        && let Some(event) = stream.next().await
    {
        events.push(serde_json::to_value(event?).unwrap());
    }
    Ok(events)
}

/// `ibkr-connect call`, as a user types it.
fn call(row: &Row, params: &str, port: u16) -> Result<Vec<Value>, String> {
    let (port, count) = (port.to_string(), row.simulated.events.to_string());
    let client = CLIENT_WITH_ORDERS.to_string();
    let mut arguments =
        vec!["--port", &port, "--client-id", &client, "--json", "call", row.command(), "--params", params];
    if row.operation.stream {
        arguments.extend(["--count", &count]);
    }
    let user = User::new();
    let called = Finished::of(user.command(arguments));
    user.worker().assert_none_runs();
    if called.code == 0 { Ok(called.data_lines()) } else { Err(format!("{called:?}")) }
}

fn same(row: &Row, who: &str, one: &[Value], other: &[Value]) -> Result<(), String> {
    let comparable = |answers: &[Value]| {
        let answers = Value::Array(answers.to_vec());
        if row.simulated.sameness == Sameness::ButTimes { without_times(answers) } else { answers }
    };
    let difference = match row.simulated.sameness {
        Sameness::Form => String::new(),
        _ => difference(&comparable(one), &comparable(other)),
    };
    if difference.is_empty() { Ok(()) } else { Err(format!("{who} differ:\n{difference}")) }
}

/// There are answers, they are not empty, and what the schema says.
fn says_something(row: &Row, answers: &[Value]) -> Result<(), String> {
    let is_empty = |answer: &Value| matches!(answer.to_string().as_str(), "null" | "\"\"" | "[]" | "{}");
    if answers.is_empty() || answers.iter().any(is_empty) {
        return Err(format!("it says nothing: {answers:?}"));
    }
    answers
        .iter()
        .try_for_each(|answer| schema::check(row.operation, schema::answer_of(row.operation), answer))
}

/// The same with every time replaced by a word.
fn without_times(value: Value) -> Value {
    match value {
        Value::String(text) if text.parse::<Timestamp>().is_ok() => "a time".into(),
        Value::Array(values) => values.into_iter().map(without_times).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, without_times(value))).collect()
        }
        other => other,
    }
}
