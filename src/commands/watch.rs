//! `watch`: a supervised session, and a line for each change of its state.

use std::future::pending;
use std::time::Duration;

use ibkr_connect::resilience::{GiveUp, StreamItem, SupervisorOptions};
use ibkr_connect::types::VersionRetirement;
use ibkr_connect::{Config, Event, StreamRequest, Supervisor, SupervisorState};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::interrupt::Interrupt;
use super::runtime;
use crate::cli::Watch;
use crate::log::{Change, Sessions};
use crate::output::{Format, print_json, print_line};

/// Watches until it is interrupted, the time is over, or nothing but another configuration, program or Gateway helps; then closes
/// the session in order.
pub(crate) fn run(
    config: &Config,
    format: Format,
    arguments: &Watch,
    sessions: &Sessions,
) -> anyhow::Result<()> {
    let mut changes = sessions.follow();
    runtime()?.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let options = SupervisorOptions { give_up: GiveUp::WhenPermanent, ..SupervisorOptions::from(config) };
        let supervisor = ibkr_connect::supervise_with(config, options)?;
        show(format, &first())?;
        tokio::select! {
            outcome = follow(format, &mut changes) => return outcome,
            outcome = tell_retirements(format, &supervisor) => return outcome,
            () = given_up(&supervisor) => {}
            () = interrupt.requested() => {}
            () = over(arguments.length) => {}
        }
        let has_given_up = supervisor.state() == SupervisorState::Closed;
        let failure = supervisor.failure().filter(|_| has_given_up);
        close(&supervisor, format, &mut changes).await?;
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    })
}

/// Waits until the supervisor has ended by itself.
async fn given_up(supervisor: &Supervisor) {
    // An error means that it has, too.
    let _ = supervisor.states().wait_for(|state| *state == SupervisorState::Closed).await;
}

/// Shows once what the Gateway says about the end of its version; for ever.
async fn tell_retirements(format: Format, supervisor: &Supervisor) -> anyhow::Result<()> {
    let Ok(mut notices) = supervisor.subscribe(StreamRequest::Notices).await else { return pending().await };
    let mut told = None;
    while let Some(Ok(item)) = notices.next().await {
        let StreamItem::Data(Event::Notices(notice)) = item else { continue };
        let retirement = notice.version_retirement();
        if retirement.is_some() && retirement != told {
            told = retirement;
            told.iter().try_for_each(|retirement| show_retirement(format, retirement))?;
        }
    }
    // The end of the supervisor is told elsewhere.
    pending().await
}

fn show_retirement(format: Format, retirement: &VersionRetirement) -> std::io::Result<()> {
    let now = Timestamp::now();
    match format {
        Format::Json => print_json(&json!({
            "time": format!("{now:.3}"),
            "version_retirement": retirement,
            "detail": retirement.to_string(),
        })),
        Format::Table => print_line(&format!("{now:.3}  {retirement}")),
    }
}

async fn over(length: Option<Duration>) {
    match length {
        Some(length) => sleep(length).await,
        None => pending().await,
    }
}

/// Every supervisor begins with it, which is no change.
fn first() -> Change {
    let connecting = "connecting".to_owned();
    Change { at: Timestamp::now(), state: connecting.clone(), generation: 0, detail: connecting, cause: None }
}

async fn follow(format: Format, changes: &mut UnboundedReceiver<Change>) -> anyhow::Result<()> {
    while let Some(change) = changes.recv().await {
        show(format, &change)?;
    }
    Ok(())
}

async fn close(
    supervisor: &Supervisor,
    format: Format,
    changes: &mut UnboundedReceiver<Change>,
) -> anyhow::Result<()> {
    supervisor.close().await;
    while let Ok(change) = changes.try_recv() {
        show(format, &change)?;
    }
    Ok(())
}

fn show(format: Format, change: &Change) -> std::io::Result<()> {
    let Change { at, state, generation, detail, cause } = change;
    match format {
        Format::Json => print_json(&json!({
            "time": format!("{at:.3}"),
            "state": state,
            "generation": generation,
            "detail": detail,
            "cause": cause,
        })),
        Format::Table => {
            // The detail begins with the state's name where it says more than that.
            let detail = detail.strip_prefix(state.as_str()).unwrap_or(detail).trim_start_matches(": ");
            let more = [Some(detail), cause.as_deref()].into_iter().flatten().filter(|text| !text.is_empty());
            let more = more.collect::<Vec<_>>().join("; ");
            let line = format!("{at:.3}  session {generation:<3}  {state:<15} {more}");
            print_line(line.trim_end())
        }
    }
}
