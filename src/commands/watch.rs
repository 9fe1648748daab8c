//! `watch`: a supervised session, and a line for each change of its state.

use std::future::pending;
use std::time::Duration;

use ibkr_connect::config::LogAccounts;
use ibkr_connect::resilience::{
    GiveUp, StreamItem, SupervisorOptions, Transition, TransitionCause, Transitions,
};
use ibkr_connect::types::VersionRetirement;
use ibkr_connect::{Config, Supervisor, SupervisorState};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::sleep;

use super::interrupt::Interrupt;
use super::runtime;
use crate::cli::Watch;
use crate::output::{Format, Output, print_line};

/// Watches until it is interrupted, the time is over, or nothing but another configuration, program or Gateway helps; then closes
/// the session gracefully.
pub(crate) fn run(config: &Config, output: &Output, arguments: &Watch) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let options = SupervisorOptions::from(config).with_give_up(GiveUp::WhenPermanent);
        let supervisor = ibkr_connect::supervise_with(config, options)?;
        let transitions = supervisor.transitions();
        let mut lines = Lines { output, log_accounts: config.log_accounts, transitions, shown: None };
        tokio::select! {
            // Its end is that of the supervisor, which has given up.
            outcome = lines.show() => outcome?,
            outcome = tell_retirements(output, &supervisor) => return outcome,
            () = interrupt.requested() => {}
            () = over(arguments.length) => {}
        }
        let has_given_up = supervisor.state() == SupervisorState::Closed;
        let failure = supervisor.failure().filter(|_| has_given_up);
        supervisor.close().await;
        lines.show().await?;
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    })
}

/// Shows once what the Gateway says about the end of its version; for ever.
async fn tell_retirements(output: &Output, supervisor: &Supervisor) -> anyhow::Result<()> {
    let Ok(mut notices) = supervisor.notices().await else { return pending().await };
    let mut told = None;
    while let Some(Ok(item)) = notices.next().await {
        let StreamItem::Data(notice) = item else { continue };
        let retirement = notice.version_retirement();
        if retirement.is_some() && retirement != told {
            told = retirement;
            told.iter().try_for_each(|retirement| show_retirement(output, retirement))?;
        }
    }
    // The end of the supervisor is told elsewhere.
    pending().await
}

fn show_retirement(output: &Output, retirement: &VersionRetirement) -> std::io::Result<()> {
    let now = Timestamp::now();
    match output.format {
        Format::Json => output.json(&json!({
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

/// The lines about the session.
struct Lines<'a> {
    output: &'a Output,
    log_accounts: LogAccounts,
    transitions: Transitions,
    /// The state of the last line.
    shown: Option<SupervisorState>,
}

impl Lines<'_> {
    /// Shows each change of the state until the supervisor has ended. Attempts that change no state are left out.
    async fn show(&mut self) -> anyhow::Result<()> {
        while let Some(transition) = self.transitions.next().await {
            if self.shown.as_ref() != Some(&transition.state) {
                self.line(&transition)?;
                self.shown = Some(transition.state);
            }
        }
        Ok(())
    }

    fn line(&self, transition: &Transition) -> std::io::Result<()> {
        let Transition { at, generation, state, .. } = transition;
        let cause = failure(&transition.cause).map(|cause| self.log_accounts.text(cause).to_string());
        let (name, detail) = (state.as_str(), state.to_string());
        match self.output.format {
            Format::Json => self.output.json(&json!({
                "time": format!("{at:.3}"),
                "state": name,
                "generation": generation,
                "detail": detail,
                "cause": cause,
            })),
            Format::Table => {
                // The detail begins with the state's name where it says more than that.
                let detail = detail.strip_prefix(name).unwrap_or(&detail).trim_start_matches(": ");
                let more =
                    [Some(detail), cause.as_deref()].into_iter().flatten().filter(|text| !text.is_empty());
                let more = more.collect::<Vec<_>>().join("; ");
                let line = format!("{at:.3}  session {generation:<3}  {name:<15} {more}");
                print_line(line.trim_end())
            }
        }
    }
}

/// Why there is no session. The other causes are in the state's own words.
fn failure(cause: &TransitionCause) -> Option<&TransitionCause> {
    use TransitionCause::{AttemptFailed, SessionEnded, SessionSilent};
    matches!(cause, AttemptFailed(_) | SessionEnded(_) | SessionSilent).then_some(cause)
}
