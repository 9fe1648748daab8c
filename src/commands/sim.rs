//! `sim`: the simulator by itself.

use std::time::Duration;

use ibkr_connect::{Error, ErrorKind};
use ibkr_connect_sim::{Handshakes, SimOptions, Simulator};
use serde_json::json;

use super::interrupt::Interrupt;
use super::runtime;
use crate::cli::{Global, Sim};
use crate::output::{Format, Output, print_line, print_lines};

/// Runs until SIGINT or SIGTERM, then says what it saw.
pub(crate) fn run(global: &Global, output: &Output, arguments: &Sim) -> anyhow::Result<()> {
    let mut options = SimOptions {
        port: port(global.port.as_deref())?,
        seed: arguments.seed,
        faults: arguments.faults.clone(),
        wedge_after: arguments.wedge_after,
        handshakes: if arguments.serial_handshakes { Handshakes::OneByOne } else { Handshakes::AtOnce },
        tick_interval: arguments.tick_interval,
        max_clients: arguments.max_clients,
        over_limit: arguments.over_limit,
        replay: arguments.replay,
        unentitled: arguments.unentitled.clone(),
        read_only_api: arguments.read_only_api,
        depth_reset_after: arguments.depth_reset_after,
        message_rate: arguments.message_rate,
        clock_suppression: clock_suppression(arguments),
        historical_pacing: arguments.historical_pacing,
        client_id_linger: arguments.client_id_linger.unwrap_or_default(),
        ..SimOptions::default()
    };
    if let Some(version) = arguments.server_version {
        options.server_version = version;
    }
    let simulator = Simulator::start(options).map_err(|error| {
        Error::new(
            ErrorKind::Config,
            format!("can't listen on port {}: {error}", global.port.as_deref().unwrap_or("0")),
        )
        .with_advice("choose another --port; 0 takes a free one")
        .with_source(error)
    })?;
    runtime()?.block_on(async {
        // Before the first line, which a caller may answer with a signal.
        let mut interrupt = Interrupt::listen()?;
        match output.format {
            Format::Json => output.json(&json!({ "listening": simulator.addr() }))?,
            Format::Table => print_line(&format!("listening on {}", simulator.addr()))?,
        }
        interrupt.requested().await;
        match output.format {
            Format::Json => output.json(&json!({ "stats": simulator.stats() }))?,
            Format::Table => print_lines(&format!("{:#?}", simulator.stats()))?,
        }
        Ok(())
    })
}

fn clock_suppression(arguments: &Sim) -> Duration {
    if arguments.no_clock_suppression { Duration::ZERO } else { arguments.clock_suppression }
}

/// Unlike a Gateway's, the simulator's port may be 0.
fn port(text: Option<&str>) -> Result<u16, Error> {
    let text = text.unwrap_or("0");
    text.parse().map_err(|_| {
        Error::new(ErrorKind::Config, format!("--port on the command line is {text:?}: expected 0 to 65535"))
            .with_advice("0 takes a free port")
    })
}
