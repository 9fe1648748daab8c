//! `breaker open` and `breaker reset`: the circuit breaker of the Gateway, by hand.

use std::time::Duration;

use ibkr_connect::Config;
use ibkr_connect::resilience::{BreakerState, BreakerStore, Gateway, Note, Policy};
use serde_json::json;

use crate::cli::{BreakerOpen, BreakerReset};
use crate::output::{Format, Output, print_line};

/// `breaker open`
pub(crate) fn open(config: &Config, output: &Output, arguments: &BreakerOpen) -> anyhow::Result<()> {
    let store = store(config);
    let by = note(arguments.reason.as_deref());
    match arguments.length {
        Some(length) => store.force_open_for(by, length)?,
        None => store.force_open(by)?,
    }
    show(config, output, &store)
}

/// `breaker reset`
pub(crate) fn reset(config: &Config, output: &Output, arguments: &BreakerReset) -> anyhow::Result<()> {
    let store = store(config);
    let put_aside = store.reset(&note(arguments.reason.as_deref()))?;
    if let (Format::Table, Some(path)) = (output.format, put_aside) {
        print_line(&format!("the breaker could not be read; its file is now {}", path.display()))?;
    }
    show(config, output, &store)
}

fn store(config: &Config) -> BreakerStore {
    Policy::from(config).breaker_of(gateway(config))
}

fn gateway(config: &Config) -> Gateway {
    Gateway::resolve_target(&config.target())
}

fn note(reason: Option<&str>) -> Note {
    let reason = reason.unwrap_or("no reason given").to_owned();
    Note { actor: "the command line".to_owned(), reason }
}

fn show(config: &Config, output: &Output, store: &BreakerStore) -> anyhow::Result<()> {
    let (gateway, state) = (gateway(config).to_string(), store.state()?);
    match output.format {
        Format::Json => output.json(&json!({ "gateway": gateway, "breaker": state }))?,
        Format::Table => print_line(&format!("circuit breaker of {gateway}: {}", describe(&state)))?,
    }
    Ok(())
}

/// The breaker, if it would hold a connect back now.
pub(crate) fn holds_back(config: &Config) -> Option<BreakerState> {
    let is_closed = |state: &BreakerState| matches!(state, BreakerState::Closed { .. });
    store(config).state().ok().filter(|state| !is_closed(state))
}

/// What the breaker is, as a part of a sentence.
pub(crate) fn describe(state: &BreakerState) -> String {
    match state {
        BreakerState::Closed { failures: 0, .. } => "closed".to_owned(),
        BreakerState::Closed { failures, attempts } => {
            format!("closed, {failures} of the last {attempts} attempts failed")
        }
        BreakerState::Open { retry_in_ms: 0, last_failure } => {
            format!("open, the next attempt finds out{}", because(last_failure.as_deref()))
        }
        BreakerState::Open { retry_in_ms, last_failure } => {
            format!("open for another {}{}", length(*retry_in_ms), because(last_failure.as_deref()))
        }
        BreakerState::HalfOpen { running: 0 } => "half open, the next attempt finds out".to_owned(),
        BreakerState::HalfOpen { .. } => "half open, an attempt is finding out".to_owned(),
        BreakerState::ForcedOpen { left_ms, by, .. } => {
            let until = left_ms.map_or_else(
                || "until it is reset".to_owned(),
                |left| format!("for another {}", length(left)),
            );
            format!("forced open by {}, {until}: {}", by.actor, by.reason)
        }
        BreakerState::Unreadable { reason } => {
            format!("unreadable, so that nobody connects: {reason}; `breaker reset` closes it")
        }
        other => other.as_str().to_owned(),
    }
}

fn because(last_failure: Option<&str>) -> String {
    last_failure.map(|how| format!(" (last failure: {how})")).unwrap_or_default()
}

fn length(ms: u64) -> String {
    format!("{} s", Duration::from_millis(ms).as_secs_f64().ceil())
}
