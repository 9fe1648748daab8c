//! `call`: every operation of the table, by its name in the worker protocol.

use ibkr_connect::{Config, Error, ErrorKind, EventStream, Request, Session, StreamRequest};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use super::with_session;
use crate::cli::Call;
use crate::output::{Format, Output, indented, print_json, print_lines};
use crate::waits::{Wait, Waits};

/// How long a stream runs that nobody has limited: as good as for ever, and no overflow in sight.
const FOR_EVER: std::time::Duration = std::time::Duration::from_secs(10 * 365 * 86_400);

/// `call COMMAND`
pub(crate) fn call(config: &Config, output: &Output, arguments: &Call) -> anyhow::Result<()> {
    let command = &arguments.command;
    let params = &text(&arguments.params)?;
    if let Some(request) = Request::from_json(command, params).map_err(|error| unusable(command, error))? {
        refuse_limits_of_a_stream(arguments)?;
        return with_session(config, async |session: Session, waits| {
            let reply = session.request(request).await?;
            waits.over();
            Ok(show_reply(output, &reply)?)
        });
    }
    let Some(request) =
        StreamRequest::from_json(command, params).map_err(|error| unusable(command, error))?
    else {
        return Err(unknown(command).into());
    };
    with_session(config, async |session: Session, waits| {
        let events = session.subscribe(request).await?;
        waits.begin(Wait::without_end(format!("the first event of {command}")));
        show_events(output, events, arguments, &waits).await
    })
}

fn show_reply(output: &Output, reply: &impl Serialize) -> std::io::Result<()> {
    match output.format {
        Format::Json => output.json(reply),
        Format::Table => {
            // A second way to write every type would be a hundredth of the program; values of a long answer are many times its text.
            print_lines(&indented(&serde_json::to_string(reply)?))
        }
    }
}

/// One event per line, until the stream ends, enough were shown, the time is over, or the user has seen enough.
async fn show_events(
    output: &Output,
    mut events: EventStream,
    arguments: &Call,
    waits: &Waits,
) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let deadline = Instant::now() + arguments.length.unwrap_or(FOR_EVER);
    for _ in 0..arguments.count.unwrap_or(u64::MAX) {
        let event = tokio::select! {
            event = timeout_at(deadline, events.next()) => event,
            _ = interrupt.recv() => return Ok(()),
        };
        waits.over();
        match event {
            Ok(Some(event)) => match output.format {
                Format::Json => output.json(&event?)?,
                Format::Table => print_json(&event?)?,
            },
            Ok(None) | Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// The text of `--params`: what it says, or what the file or stdin that it names has.
fn text(params: &str) -> Result<String, Error> {
    let (source, read) = match params.strip_prefix('@') {
        Some(file) => (file, std::fs::read_to_string(file)),
        None if params == "-" => ("stdin", std::io::read_to_string(std::io::stdin())),
        None => return Ok(params.to_owned()),
    };
    read.map_err(|error| {
        Error::new(ErrorKind::Config, format!("--params: can't read {source}: {error}"))
            .with_advice("give the parameters as a JSON object, as @FILE, or as - for stdin")
            .with_source(error)
    })
}

/// # Errors
/// `config`, if a flag is given that would do nothing for a request.
fn refuse_limits_of_a_stream(arguments: &Call) -> Result<(), Error> {
    let Call { command, length, count, .. } = arguments;
    let given = [("--for", length.is_some()), ("--count", count.is_some())];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => {
            let message = format!(
                "{flag} on the command line would do nothing: {command} is no stream, it answers once"
            );
            let advice = format!("leave {flag} out; `ibkr-connect commands` says which are streams");
            Err(Error::new(ErrorKind::Config, message).with_advice(advice))
        }
    }
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
