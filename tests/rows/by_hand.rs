//! A row at the Gateway that is played by hand: answered, given up, refused, and met with silence.

use std::time::Duration;

use ibkr_connect::{ConnectionMode, Error, ErrorKind, EventStream, Request, StreamRequest};
use serde::Serialize;
use serde_json::Value;

use crate::difference::difference;
use crate::play::{Outcome, PATIENCE, Play, REFUSAL, Take, give_up, meanwhile, soon};
use crate::row::Row;
use crate::schema;
use crate::support::backend::Backend;
use crate::support::run;

/// Plays a row in one mode.
pub(crate) fn check(row: &Row, mode: ConnectionMode) -> Outcome {
    schema::check(row.operation, "params", &row.params)?;
    let backend = Backend::new(mode);
    run(async {
        let play = Play::begin(row, &backend).await?;
        if row.operation.stream { stream(row, play).await } else { request(row, play).await }
    })?;
    backend.worker().assert_none_runs();
    Ok(())
}

async fn request(row: &Row, mut play: Play<'_>) -> Outcome {
    let request = parsed(Request::from_json(row.command(), &row.params.to_string()))?;
    let session = play.session.clone();
    let ask = || session.request(request.clone());

    let answered = async {
        let reply = meanwhile(ask(), play.exchange(Take::Answers)).await?;
        compare(row, &[reply.map_err(|error| format!("it failed: {error}"))?])?;
        for frame in &row.afterwards {
            play.hear_about_it(frame).await?;
        }
        play.fence(None).await
    };
    in_scene("answered", answered).await?;

    let given_up = async {
        give_up(ask(), play.exchange(Take::Hears)).await?;
        if let Some(cancel) = &row.cancel {
            play.hear_about_it(cancel).await?;
        }
        play.answer_late();
        for frame in row.afterwards.iter().filter(|_| row.read_to_its_end) {
            play.hear_about_it(frame).await?;
        }
        play.fence(None).await
    };
    in_scene("given up", given_up).await?;

    if row.refusable {
        let refused = async {
            is_refusal(meanwhile(ask(), play.exchange(Take::Refuses)).await?)?;
            play.fence(row.cancel.as_ref()).await
        };
        in_scene("refused", refused).await?;
    }
    if !row.asked_seldom {
        in_scene("met with silence", silence(row, &request, &mut play)).await?;
    }
    soon("the close", session.close()).await?.map_err(|error| error.to_string())
}

/// The Gateway says something about the question and does not answer it.
async fn silence(row: &Row, request: &Request, play: &mut Play<'_>) -> Outcome {
    let session = play.session.clone();
    let mut limit = Duration::from_millis(100);
    loop {
        let hasty = session.with_timeout(limit);
        let (outcome, said) =
            tokio::join!(soon("the end", hasty.request(request.clone())), play.exchange_words());
        let (error, (code, text)) = (outcome?.err().ok_or("it is answered")?, said?);
        play.fence(row.cancel.as_ref()).await?;
        if error.kind() == ErrorKind::Timeout
            && error.code() == Some(code)
            && error.message().contains(text)
            && error.advice().is_some()
        {
            return Ok(());
        }
        // On a busy machine, its time may be over before the Gateway has said anything.
        limit *= 4;
        if limit > PATIENCE {
            return Err(format!("expected a timeout with {code} {text:?}, found {error:?}"));
        }
    }
}

async fn stream(row: &Row, mut play: Play<'_>) -> Outcome {
    let request = parsed(StreamRequest::from_json(row.command(), &row.params.to_string()))?;
    let session = play.session.clone();
    let open = async || {
        let opened = soon("the stream", session.subscribe(request.clone())).await?;
        opened.map_err(|error| format!("it does not open: {error}"))
    };

    let answered = async {
        let mut events = open().await?;
        if row.asks_nothing() {
            play.round_trip(None).await?;
        }
        play.exchange(Take::Answers).await?;
        let mut given = Vec::new();
        for _ in &row.gives {
            given.push(
                next(&mut events).await?.ok_or("it ended")?.map_err(|error| format!("it failed: {error}"))?,
            );
        }
        compare(row, &given)?;
        if row.ends
            && let Some(more) = next(&mut events).await?
        {
            return Err(format!("it does not end, but goes on: {more:?}"));
        }
        drop(events);
        for frame in row.afterwards.iter().chain(row.cancel.iter().filter(|_| !row.ends)) {
            play.hear_about_it(frame).await?;
        }
        play.answer_late();
        play.fence(None).await
    };
    in_scene("answered", answered).await?;

    if row.refusable {
        let refused = async {
            let mut events = open().await?;
            play.exchange(Take::Refuses).await?;
            is_refusal(next(&mut events).await?.ok_or("it ended")?)?;
            if let Some(more) = next(&mut events).await? {
                return Err(format!("it goes on: {more:?}"));
            }
            drop(events);
            play.fence(row.cancel.as_ref()).await
        };
        in_scene("refused", refused).await?;
    }
    soon("the close", session.close()).await?.map_err(|error| error.to_string())
}

async fn in_scene(name: &str, scene: impl Future<Output = Outcome>) -> Outcome {
    scene.await.map_err(|problem| format!("{name}: {problem}"))
}

fn parsed<T>(request: Result<Option<T>, Error>) -> Outcome<T> {
    request.map_err(|error| error.to_string())?.ok_or_else(|| "the table has it twice".to_owned())
}

async fn next(events: &mut EventStream) -> Outcome<Option<Result<ibkr_connect::Event, Error>>> {
    soon("the next event", events.next()).await
}

/// The answers are, to the last digit, those of the row, and what the schema says.
fn compare(row: &Row, answers: &[impl Serialize]) -> Outcome {
    let answers: Vec<_> = answers.iter().map(|answer| serde_json::to_value(answer).unwrap()).collect();
    for answer in &answers {
        schema::check(row.operation, schema::answer_of(row.operation), answer)?;
    }
    let difference = difference(&Value::Array(row.gives.clone()), &Value::Array(answers));
    if difference.is_empty() { Ok(()) } else { Err(format!("what it gives differs:\n{difference}")) }
}

fn is_refusal(outcome: Result<impl std::fmt::Debug, Error>) -> Outcome {
    let (code, text) = REFUSAL;
    match outcome {
        Err(error)
            if error.kind() == ErrorKind::GatewayError
                && error.code() == Some(code)
                && error.message().contains(text) =>
        {
            Ok(())
        }
        other => Err(format!("expected {code} {text:?}, found {other:?}")),
    }
}
