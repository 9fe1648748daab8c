//! `check`: one connect, told phase by phase.

use std::time::{Duration, Instant};

use ibkr_connect::cleanup::{self, Forwarder};
use ibkr_connect::resilience::{BreakerState, Gateway};
use ibkr_connect::types::VersionRetirement;
use ibkr_connect::{Config, ConnectionInfo, Error, Event, Session, StreamRequest, millis};
use serde_json::json;

use super::breaker;
use super::runtime;
use crate::exit::{self, Failed};
use crate::output::{Format, Output, Verdict, print_line, print_lines, table};
use crate::waits::{Wait, Waits};

/// A Gateway says within this time after the connect what it has to say about itself.
const STARTUP_NOTICES: Duration = Duration::from_millis(300);

/// Connects once, closes, looks at what is left on the port.
pub(crate) fn run(config: &Config, output: &Output) -> anyhow::Result<()> {
    let begun = Instant::now();
    let waits = Waits::start()?;
    let outcome = runtime()?.block_on(async {
        let connector = ibkr_connect::connector(config)?;
        waits.begin(Wait::handshake(&config.target().address(), 1, 1, config.timeout));
        let session = ibkr_connect::session_over(connector.as_ref(), &config.target()).await?;
        waits.over();
        let info = session.info().clone();
        let took = begun.elapsed();
        let retirement = retirement(&session).await;
        session.close().await.map(|()| (info, took, retirement))
    });
    let connect_ms = millis(outcome.as_ref().map_or_else(|_| begun.elapsed(), |(_, took, _)| *took));
    let (outcome, retirement) = match outcome {
        Ok((info, _, retirement)) => (Ok(info), retirement),
        Err(error) => (Err(error), None),
    };
    let zombies = cleanup::half_closed(&[config.port]).ok().map(|sockets| sockets.len());
    let is_here = Gateway::from(&config.target()).is_local();
    let forwarder = if is_here { cleanup::forwarder(config.port).ok().flatten() } else { None };
    let report = Report {
        config,
        connect_ms,
        outcome: &outcome,
        zombies_after: zombies,
        forwarder,
        retirement,
        breaker: breaker::holds_back(config),
    };
    match output.format {
        Format::Json => report.print_json(output)?,
        Format::Table => report.print(output)?,
    }
    outcome.map(|_| ()).map_err(|error| Failed(exit::code(error.kind())).into())
}

/// What the Gateway has said about the end of its version, within the moment in which it says such things.
async fn retirement(session: &Session) -> Option<VersionRetirement> {
    let mut notices = session.subscribe(StreamRequest::Notices).await.ok()?;
    let told = async {
        loop {
            match notices.next().await? {
                Ok(Event::Notices(notice)) => match notice.version_retirement() {
                    Some(retirement) => return Some(retirement),
                    None => continue,
                },
                _ => return None,
            }
        }
    };
    tokio::time::timeout(STARTUP_NOTICES, told).await.ok().flatten()
}

struct Report<'a> {
    config: &'a Config,
    connect_ms: f64,
    outcome: &'a Result<ConnectionInfo, Error>,
    zombies_after: Option<usize>,
    forwarder: Option<Forwarder>,
    retirement: Option<VersionRetirement>,
    /// The circuit breaker, if it would hold programs back.
    breaker: Option<BreakerState>,
}

impl Report<'_> {
    fn print_json(&self, output: &Output) -> std::io::Result<()> {
        let info = self.outcome.as_ref().ok();
        let verdict = self.outcome.as_ref().map_or_else(Verdict::Failed, |_| Verdict::Fine);
        let report = json!({
            "mode": info.map_or(self.config.mode, |info| info.mode),
            "connect_ms": self.connect_ms,
            "client_id": info.map(|info| info.client_id).or(self.config.client_id),
            "server_version": info.map(|info| info.server_version),
            "accounts": info.map(|info| info.accounts.as_slice()).unwrap_or_default(),
            "phases": self.outcome.as_ref().map_or_else(Error::phases, |info| &info.phases),
            "zombies_after": self.zombies_after,
            "forwarder": self.forwarder,
            "version_retirement": self.retirement,
            "breaker": self.breaker,
        });
        output.json_with(verdict, &report)
    }

    fn print(&self, output: &Output) -> std::io::Result<()> {
        let address = self.config.target().address();
        match self.outcome {
            Ok(info) => {
                print_line(&format!("connected to {address} in {:.1} ms", self.connect_ms))?;
                print_line(&format!("  mode            {}", info.mode))?;
                print_line(&format!("  client id       {}", info.client_id))?;
                print_line(&format!("  server version  {}", info.server_version))?;
                print_line(&format!("  accounts        {}", info.accounts.join(", ")))?;
                print_line(&format!("  zombies after   {}", self.zombies()))?;
                let rows = info
                    .phases
                    .iter()
                    .map(|timing| vec![timing.phase.to_string(), format!("{:.3}", timing.ms)]);
                print_lines(&table(&["phase", "ms"], rows).to_string())?;
                self.print_notes(output)
            }
            Err(error) => {
                print_line(&format!("not connected to {address} after {:.1} ms", self.connect_ms))?;
                print_line(&format!("  mode            {}", self.config.mode))?;
                print_line(&format!("  zombies after   {}", self.zombies()))?;
                self.print_notes(output)?;
                exit::explain(error, output);
                Ok(())
            }
        }
    }

    fn print_notes(&self, output: &Output) -> std::io::Result<()> {
        if let Some(forwarder) = &self.forwarder {
            print_line(&format!(
                "note: {forwarder} listens on port {} and passes connections on; what a reset leaves at the Gateway is up to it (README, \
                 \"Behind a forwarder\")",
                self.config.port
            ))?;
        }
        if let Some(breaker) = &self.breaker {
            print_line(&format!(
                "note: the circuit breaker is {}: other connects are held back; {}",
                breaker::describe(breaker),
                output.pasteable("`ibkr-connect breaker reset` closes it")
            ))?;
        }
        match &self.retirement {
            Some(retirement) => print_line(&format!("note: {retirement}")),
            None => Ok(()),
        }
    }

    fn zombies(&self) -> String {
        self.zombies_after
            .map_or_else(|| "unknown: the socket table can't be read".to_owned(), |count| count.to_string())
    }
}
