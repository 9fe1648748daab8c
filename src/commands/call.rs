//! `call`: every operation of the table, by its name in the worker protocol.

use ibkr_connect::{Config, Error, ErrorKind, EventStream, Request, Session, StreamRequest};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use super::with_session;
use crate::cli::Call;
use crate::output::{Format, print_json, print_lines};

/// How long a stream runs that nobody has limited: as good as for ever, and no overflow in sight.
const FOR_EVER: std::time::Duration = std::time::Duration::from_secs(10 * 365 * 86_400);

/// `call COMMAND`
pub(crate) fn call(config: &Config, format: Format, arguments: &Call) -> anyhow::Result<()> {
    let Call { command, params, .. } = arguments;
    if let Some(request) = Request::from_json(command, params).map_err(|error| unusable(command, error))? {
        return with_session(config, async |session: Session| {
            Ok(show_reply(format, &session.request(request).await?)?)
        });
    }
    let Some(request) =
        StreamRequest::from_json(command, params).map_err(|error| unusable(command, error))?
    else {
        return Err(unknown(command).into());
    };
    with_session(config, async |session: Session| {
        show_events(session.subscribe(request).await?, arguments).await
    })
}

fn show_reply(format: Format, reply: &impl Serialize) -> std::io::Result<()> {
    match format {
        Format::Json => print_json(reply),
        Format::Table => print_lines(&serde_json::to_string_pretty(reply)?),
    }
}

/// One event per line, until the stream ends, enough were shown, the time is over, or the user has seen enough.
async fn show_events(mut events: EventStream, arguments: &Call) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let deadline = Instant::now() + arguments.length.unwrap_or(FOR_EVER);
    for _ in 0..arguments.count.unwrap_or(u64::MAX) {
        let event = tokio::select! {
            event = timeout_at(deadline, events.next()) => event,
            _ = interrupt.recv() => return Ok(()),
        };
        match event {
            Ok(Some(event)) => print_json(&event?)?,
            Ok(None) | Err(_) => return Ok(()),
        }
    }
    Ok(())
}

fn unusable(command: &str, error: Error) -> Error {
    Error::new(ErrorKind::Config, format!("--params: {}", error.message()))
        .with_advice(format!("`ibkr-connect commands {command}` says what it takes"))
        .with_source(error)
}

/// The command line takes only names of the table, so this is a row that neither requests nor streams know.
fn unknown(command: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("{command:?} is none of this program's commands"))
}
