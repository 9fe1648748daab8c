//! The command line. Values that are configuration stay texts here: the configuration checks them, whatever source
//! they come from.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use ibkr_connect::config::{Loader, Setting, parse_duration};
use ibkr_connect::operations::OPERATIONS;
use ibkr_connect::types::{BarSize, Expiry, HistoricalDuration, WhatToShow};
use ibkr_connect::{Config, Result};
use ibkr_connect_sim::{Fault, OverLimit};
use jiff::Timestamp;

use crate::exit;
use crate::flags::{CONNECTION_FLAGS, Use};
use crate::log::Unasked;

/// Connect to Interactive Brokers' TWS or Gateway without losing the connection.
///
/// Settings come from flags, the environment (IBKR_CONNECTION_MODE, IBKR_HOST, IBKR_PORT, ...), .env and ibkr.toml in the
/// working directory, and ~/.config/ibkr-connect/ibkr.toml.
#[derive(Debug, Parser)]
#[command(name = "ibkr-connect", version, after_help = exit::TABLE, after_long_help = exit::TABLE)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Refuses connection flags that the command does not take.
    ///
    /// # Errors
    /// `config`, with the first of them.
    pub(crate) fn check_flags(&self) -> Result<()> {
        self.command.uses().check(self.global.given())
    }
}

/// Flags that every command parses; [`Use`] says which of them it takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Global {
    /// Backend: subprocess or direct
    #[arg(long, global = true, value_name = "MODE", allow_hyphen_values = true)]
    mode: Option<String>,
    /// Host of TWS or the Gateway
    #[arg(long, global = true, value_name = "HOST", allow_hyphen_values = true)]
    host: Option<String>,
    /// Its API port
    #[arg(long, global = true, value_name = "PORT", allow_hyphen_values = true)]
    pub(crate) port: Option<String>,
    /// API client id; random if not given
    #[arg(long, global = true, value_name = "ID", allow_hyphen_values = true)]
    client_id: Option<String>,
    /// Deadline of each attempt to connect: seconds, or e.g. 500ms. Further attempts (IBKR_MAX_RETRIES, 2 unless set) and the waits
    /// before them come on top; check and probe make no further ones
    #[arg(long, global = true, value_name = "TIME", allow_hyphen_values = true)]
    timeout: Option<String>,
    /// Read this file instead of ibkr.toml in the working directory; it may set everything
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log more on stderr: -v what happens, -vv in detail; RUST_LOG says the same without it
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print JSON instead of tables: one line, or one per event
    #[arg(long, global = true)]
    json: bool,
}

/// The configuration, and what each part of it was said by.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) settings: Vec<Setting>,
}

impl Global {
    /// Those of [`CONNECTION_FLAGS`](crate::flags::CONNECTION_FLAGS) that were given.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let Self { mode, host, port, client_id, timeout, config, verbose: _, json: _ } = self;
        let given = [mode, host, port, client_id, timeout].map(Option::is_some).into_iter();
        CONNECTION_FLAGS
            .into_iter()
            .zip(given.chain([config.is_some()]))
            .filter_map(|(flag, is_given)| is_given.then_some(flag))
    }

    /// The configuration, with these flags on top.
    pub(crate) fn load(&self) -> Result<Loaded> {
        let mut loader = Loader::new().working_directory().environment();
        if let Some(file) = &self.config {
            loader = loader.file(file);
        }
        for (key, value) in [
            ("connection_mode", &self.mode),
            ("host", &self.host),
            ("port", &self.port),
            ("client_id", &self.client_id),
            ("timeout", &self.timeout),
        ] {
            if let Some(value) = value {
                loader = loader.flag(key, value);
            }
        }
        loader.load_with_settings().map(|(config, settings)| Loaded { config, settings })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the main job without a Gateway: every mode against a built-in simulator
    Demo,
    /// Connect once and say how it went, phase by phase
    Check,
    /// Show the accounts and their values
    Accounts,
    /// Show the positions
    Positions,
    /// Show historical bars
    Bars(Bars),
    /// Show a quote
    Quote(Quote),
    /// Show ticks as they come
    Ticks(Ticks),
    /// Run any operation of the worker protocol and print its answer as JSON
    Call(Call),
    /// List the operations that `call` knows, or describe one
    Commands(Commands),
    /// Find and remove zombie connections on the port, without touching the Gateway
    #[command(subcommand)]
    Zombies(Zombies),
    /// Connect several times in a row and say how often it worked, how fast, and what is left behind
    #[command(after_help = PROBE_HELP)]
    Probe(Probe),
    /// Keep a supervised session up for a while, use it all the time, and measure it
    #[command(after_help = SOAK_HELP)]
    Soak(Soak),
    /// Keep a supervised session up and print a line for each change of its state
    #[command(after_help = WATCH_HELP)]
    Watch(Watch),
    /// Show what your programs share about every Gateway: breaker, handshake lock, client ids, workers
    Status,
    /// Open or reset the circuit breaker of the Gateway at --host and --port, for all your programs
    #[command(subcommand)]
    Breaker(Breaker),
    /// Show every setting with its value and where that comes from
    Settings,
    /// Write a .env with every setting, what it does and its default
    Init(Init),
    /// Print the script that completes commands and flags in a shell
    Completions(Completions),
    /// Print the manual page, or write one for each command
    Man(Man),
    /// Run the simulator by itself, on --port or a free one
    #[command(after_help = format!("Faults:\n{}", Fault::syntax_table()))]
    Sim(Sim),
    /// Serve a parent process; ibkr-connect starts it itself
    #[command(hide = true)]
    Worker,
}

impl Command {
    /// What the user calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Check => "check",
            Self::Accounts => "accounts",
            Self::Positions => "positions",
            Self::Bars(_) => "bars",
            Self::Quote(_) => "quote",
            Self::Ticks(_) => "ticks",
            Self::Call(_) => "call",
            Self::Commands(_) => "commands",
            Self::Zombies(Zombies::List(_)) => "zombies list",
            Self::Zombies(Zombies::Clean(_)) => "zombies clean",
            Self::Probe(_) => "probe",
            Self::Soak(_) => "soak",
            Self::Watch(_) => "watch",
            Self::Status => "status",
            Self::Breaker(Breaker::Open(_)) => "breaker open",
            Self::Breaker(Breaker::Reset(_)) => "breaker reset",
            Self::Settings => "settings",
            Self::Init(_) => "init",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            Self::Sim(_) => "sim",
            Self::Worker => "worker",
        }
    }

    /// The connection flags that it takes.
    fn uses(&self) -> Use {
        match self {
            Self::Soak(Soak { chaos: true, .. }) => Use::of("soak --chaos"),
            _ => Use::of(self.name()),
        }
    }

    /// Whether --host says whom it is about.
    pub(crate) fn is_about_a_gateway(&self) -> bool {
        self.uses().takes("--host")
    }

    /// What it logs if nobody asks for more.
    pub(crate) fn unasked_log(&self) -> Unasked {
        match self {
            Self::Demo => Unasked::Errors,
            // Their requests are made by a supervisor, which tells nobody but the log.
            Self::Soak(_) | Self::Watch(_) => Unasked::Warnings,
            _ => Unasked::WarningsButWaits,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Instrument {
    /// A US stock or ETF like AAPL, or a currency pair like EUR.USD; anything else with --type
    pub(crate) symbol: String,
    /// What it is. CASH: a pair like EUR.USD; IND and CRYPTO need --exchange; FUT needs --exchange and --expiry
    #[arg(long = "type", value_name = "TYPE", ignore_case = true)]
    pub(crate) kind: Option<Kind>,
    /// Where: e.g. IBIS for a German stock, CBOE for SPX, CME for ES, PAXOS for BTC
    #[arg(long, value_name = "NAME")]
    pub(crate) exchange: Option<String>,
    /// In which currency; USD if not given
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
    /// When a future expires: 2026-12, or the day
    #[arg(long, value_name = "MONTH", value_parser = |text: &str| text.parse::<Expiry>())]
    pub(crate) expiry: Option<Expiry>,
}

/// The types of TWS that a few words describe; `call` takes all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum Kind {
    Stk,
    Cash,
    Ind,
    Fut,
    Crypto,
    Cfd,
}

#[derive(Debug, Args)]
pub(crate) struct Quote {
    #[command(flatten)]
    pub(crate) instrument: Instrument,
    /// Delayed data, by 15 to 20 minutes: they need no subscription
    #[arg(long)]
    pub(crate) delayed: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Bars {
    #[command(flatten)]
    pub(crate) instrument: Instrument,
    /// How far back: a number and S, D, W, M or Y
    #[arg(long, default_value = "1 D", value_parser = |text: &str| text.parse::<HistoricalDuration>())]
    pub(crate) duration: HistoricalDuration,
    /// The length of a bar, e.g. "5 mins"
    #[arg(long, default_value = "1 hour", value_parser = |text: &str| text.parse::<BarSize>())]
    pub(crate) bar_size: BarSize,
    /// What the bars are made of; MIDPOINT for currency pairs if not given
    #[arg(long, value_parser = |text: &str| text.parse::<WhatToShow>())]
    pub(crate) what_to_show: Option<WhatToShow>,
    /// Only regular trading hours
    #[arg(long)]
    pub(crate) rth: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ticks {
    #[command(flatten)]
    pub(crate) instrument: Instrument,
    /// Delayed data, by 15 to 20 minutes: they need no subscription
    #[arg(long)]
    pub(crate) delayed: bool,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub(crate) length: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The operation, e.g. positions; `ibkr-connect commands` lists them
    #[arg(value_parser = operation_names(), hide_possible_values = true)]
    pub(crate) command: String,
    /// Its parameters, a JSON object; @FILE reads it from a file, - from stdin
    #[arg(long, value_name = "JSON", default_value = "{}", allow_hyphen_values = true)]
    pub(crate) params: String,
    /// For how long to show a stream's events; until it ends or is interrupted if not given
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) length: Option<Duration>,
    /// How many of a stream's events to show
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Commands {
    /// Describe this one: its parameters with types and defaults
    #[arg(value_parser = operation_names(), hide_possible_values = true)]
    pub(crate) command: Option<String>,
    /// Print the JSON Schema of its parameters and its answer instead; without a name, of all operations
    #[arg(long)]
    pub(crate) schema: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Zombies {
    /// Show the half-closed connections, who holds them, and whether the Gateway still accepts
    List(ZombiesList),
    /// Remove those that may be removed; shows what it would do unless --yes is given
    Clean(ZombiesClean),
}

#[derive(Debug, Args)]
pub(crate) struct ZombiesList {
    /// Look again every two seconds until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ZombiesClean {
    /// Programs whose zombies may be closed and which may be ended for it, by exact name
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) kill: Vec<String>,
    /// Also destroy sockets in the kernel, the Gateway's included (needs CAP_NET_ADMIN)
    #[arg(long)]
    pub(crate) destroy_sockets: bool,
    /// Do it
    #[arg(long)]
    pub(crate) yes: bool,
}

const PROBE_HELP: &str = "\
Each attempt is a single handshake and an orderly close, without retry and whatever the circuit breaker says. It stops \
early where more attempts could make the Gateway accept nobody: when it accepts nobody already, and after two \
handshakes in a row that got no answer.

Exit code: 0 if every attempt succeeded; that of the last failure, as in `check`, if none did; 1 if some did; 8 if there \
are more zombies on the port than before.";

#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// How often to connect, one after the other
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub(crate) attempts: usize,
}

fn operation_names() -> PossibleValuesParser {
    PossibleValuesParser::new(OPERATIONS.iter().map(|operation| operation.command))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a number from 1".to_owned()),
    }
}

const SOAK_HELP: &str = "\
A ping asks the Gateway for something that it answers every time. A fetch asks for the positions, which need no market data subscription. Ctrl-C \
ends it early, with the result so far.

Exit code: 0 if every ping and every fetch was answered, also across reconnects; 1 if one was not; 8 if there are more \
zombies on the port than before; that of the failure, as in `check`, if the first connect fails. With --chaos, failed \
pings and fetches are no failure, but a session that does not come back afterwards is.";

#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// For how long
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = parse_duration)]
    pub(crate) duration: Duration,
    /// How often to ping
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub(crate) ping_every: Duration,
    /// How often to fetch
    #[arg(long, value_name = "TIME", default_value = "17s", value_parser = parse_duration)]
    pub(crate) fetch_every: Duration,
    /// Block the runtime that the pings and fetches run on nearly all the time; their times include it
    #[arg(long)]
    pub(crate) busy: bool,
    /// Against a built-in simulator that fails in random ways, in fast motion
    #[arg(long)]
    pub(crate) chaos: bool,
    /// What happens in the chaos follows from it; random, and printed, if not given
    #[arg(long, value_name = "N", requires = "chaos")]
    pub(crate) seed: Option<u64>,
}

const WATCH_HELP: &str = "\
Every change is shown, however fast they follow each other, and what the Gateway says about the end of its version. The \
session is closed gracefully at the end. A failure that only another configuration, program or Gateway cures ends it; a wedged \
Gateway and a breaker that was forced open are waited for.

Exit code: 0 when it is interrupted or its time is over; that of the failure, as in `check`, if it has given up.

States: connecting, ready, degraded, recovering, circuit_open, gateway_wedged, closed.";

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// For how long; until interrupted if not given
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) length: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Breaker {
    /// Make no attempt to connect until it is reset, or for some time
    Open(BreakerOpen),
    /// Close it and forget all failures
    Reset(BreakerReset),
}

#[derive(Debug, Args)]
pub(crate) struct BreakerOpen {
    /// Why; a program that is refused is told
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// For how long; until it is reset if not given
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) length: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct BreakerReset {
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The file to write; one that is there is left alone
    #[arg(default_value = ".env")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write the pages of all commands into this directory instead
    #[arg(long = "dir", value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// A fault of every connection; may be given several times
    #[arg(long = "fault", value_name = "FAULT")]
    pub(crate) faults: Vec<Fault>,
    /// Accept nobody once this many abandoned connections are held
    #[arg(long, value_name = "N")]
    pub(crate) wedge_after: Option<usize>,
    /// Shake hands with one client at a time; the others hear nothing until it is done
    #[arg(long)]
    pub(crate) serial_handshakes: bool,
    /// Serve this many clients at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) max_clients: usize,
    /// What one client too many sees: refuse (a reset), close or silence
    #[arg(long, value_name = "HOW", default_value = "close")]
    pub(crate) over_limit: OverLimit,
    /// Keep a client id taken for so long after its client left
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) client_id_linger: Option<Duration>,
    /// The time between the ticks of a stream
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = parse_duration)]
    pub(crate) tick_interval: Duration,
    /// Begin each client's market at this time (RFC 3339) and move it by a second per tick: streams that repeat
    #[arg(long, value_name = "TIME")]
    pub(crate) replay: Option<Timestamp>,
    /// A symbol without live data; may be given several times
    #[arg(long, value_name = "SYMBOL")]
    pub(crate) unentitled: Vec<String>,
    /// Refuse questions about orders with 321, as TWS does when its API is read-only
    #[arg(long)]
    pub(crate) read_only_api: bool,
    /// Throw a book away after so many changes, and send it again
    #[arg(long, value_name = "N")]
    pub(crate) depth_reset_after: Option<u32>,
    /// Refuse messages beyond so many a second, all clients together; IBKR's limit is 50
    #[arg(long, value_name = "N")]
    pub(crate) message_rate: Option<usize>,
    /// Leave a question for the time unanswered that comes so soon after the client's last one, as TWS does
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = parse_duration)]
    pub(crate) clock_suppression: Duration,
    /// Answer every question for the time
    #[arg(long, conflicts_with = "clock_suppression")]
    pub(crate) no_clock_suppression: bool,
    /// Refuse requests for bars of 30 seconds and less, ticks and real-time bars that don't keep IBKR's pacing
    #[arg(long)]
    pub(crate) historical_pacing: bool,
    /// The server version, 213 to 226
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(213..=226))]
    pub(crate) server_version: Option<i32>,
    /// All data follow from it
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
