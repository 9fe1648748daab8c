//! A row at the simulator: both modes and the command give the same, and what the schema says.

use std::time::Duration;

use ibkr_connect::{ConnectionMode, Request, Session, StreamRequest};
use ibkr_connect_sim::{SimOptions, Simulator};
use jiff::Timestamp;
use serde_json::Value;

use crate::difference::difference;
use crate::row::Row;
use crate::schema;
use crate::support::backend::{Backend, target};
use crate::support::host::{Finished, User};
use crate::support::run;

/// Asks a row in every way.
pub(crate) fn check(row: &Row) -> Result<(), String> {
    let gateway = Simulator::start(SimOptions {
        accounts: vec!["DU1".to_owned(), "DU2".to_owned()],
        seed: 42,
        tick_interval: Duration::from_millis(2),
        replay: Some("2026-07-10T15:00:00Z".parse().unwrap()),
        ..SimOptions::default()
    })
    .unwrap();
    let params = row.simulated.params.as_ref().unwrap_or(&row.params).to_string();
    let ask = |mode| {
        let backend = Backend::new(mode);
        run(async {
            let connection =
                backend.connect(&target(gateway.port())).await.map_err(|error| error.to_string())?;
            let session = Session::new(connection);
            let answers = ask(row, &params, &session).await.map_err(|error| format!("{mode}: {error}"))?;
            session.close().await.map_err(|error| error.to_string())?;
            Ok::<_, String>(answers)
        })
    };
    let direct = ask(ConnectionMode::Direct)?;
    for answer in &direct {
        schema::check(row.operation, schema::answer_of(row.operation), answer)?;
    }
    same(row, "direct and subprocess", &direct, &ask(ConnectionMode::Subprocess)?)?;
    same(row, "direct and the command", &direct, &call(row, &params, gateway.port())?)
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
    let mut arguments = vec!["--port", &port, "--json", "call", row.command(), "--params", params];
    if row.operation.stream {
        arguments.extend(["--count", &count]);
    }
    let user = User::new();
    let called = Finished::of(user.command(arguments));
    user.worker().assert_none_runs();
    if called.code == 0 { Ok(called.json_lines()) } else { Err(format!("{called:?}")) }
}

fn same(row: &Row, who: &str, one: &[Value], other: &[Value]) -> Result<(), String> {
    let comparable = |answers: &[Value]| {
        let answers = Value::Array(answers.to_vec());
        if row.simulated.tells_the_time { without_times(answers) } else { answers }
    };
    let difference = difference(&comparable(one), &comparable(other));
    match difference.as_str() {
        "" if one.iter().all(|answer| answer.to_string().len() > 2) && !one.is_empty() => Ok(()),
        "" => Err(format!("it says nothing: {one:?}")),
        difference => Err(format!("{who} differ:\n{difference}")),
    }
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
