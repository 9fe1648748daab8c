//! How a simulator is set up.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use crate::Fault;

/// The server versions of the protobuf dialect that the simulator speaks.
pub const SERVER_VERSIONS: RangeInclusive<i32> = 213..=226;

/// The client id that has orders. They are working when it connects, and the price of one follows the market. Other clients have none,
/// but see them.
pub const CLIENT_WITH_ORDERS: i32 = 100;

/// The setup of a [`Simulator`](crate::Simulator). The default is a healthy Gateway on a free port
/// that, like a real one, keeps its end open when a client leaves in mid-handshake.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The server version, within [`SERVER_VERSIONS`]; a client's own maximum lowers it.
    pub server_version: i32,
    /// All data follow from it.
    pub seed: u64,
    /// The managed accounts.
    pub accounts: Vec<String>,
    /// The faults of every connection without an entry in `script`.
    pub faults: Vec<Fault>,
    /// The faults of the first connections, in the order in which they are accepted.
    pub script: Vec<Vec<Fault>>,
    /// Stops accepting while that many zombies are held; the kernel's backlog still completes
    /// TCP handshakes. Field reports say 3 or 4 for a real Gateway.
    pub wedge_after: Option<usize>,
    /// The length of the kernel's accept queue.
    pub backlog: u32,
    /// When a client's FIN leaves a zombie.
    pub hold: Hold,
    /// How many clients shake hands at once. [`Fault::DelayHandshake`] says how long a handshake takes.
    pub handshakes: Handshakes,
    /// How many clients are served at once. IBKR says 32.
    pub max_clients: usize,
    /// What a client sees that comes when `max_clients` are served.
    pub over_limit: OverLimit,
    /// How long a client id stays taken (326) after its client left; one that the Gateway disconnects is freed at once.
    pub client_id_linger: Duration,
    /// The time between the ticks of a market data subscription.
    pub tick_interval: Duration,
    /// Instead of real time: each client's market begins at this moment and moves on by a second per tick, as long as
    /// the client has a subscription. Its streams are then the same every time.
    pub replay: Option<Timestamp>,
    /// Symbols without live data: quotes are refused with 10089 unless delayed ones are asked for, books with 354,
    /// single ticks with 10189, real-time bars with 420, history with 162.
    pub unentitled: Vec<String>,
    /// After how many changes a book is thrown away with 317 and sent again; `None` for never.
    pub depth_reset_after: Option<u32>,
    /// How many messages a second all clients together may send; more are refused with 100, and who exceeds it for
    /// three seconds is thrown out. IBKR's limit is 50; `None` for no limit.
    pub message_rate: Option<usize>,
    /// A question for the time (`reqCurrentTime`, `reqCurrentTimeInMillis`) that comes so soon after the client's last one
    /// stays unanswered, as at a real Gateway (ib_insync#479). Zero answers all.
    pub clock_suppression: Duration,
    /// Whether requests for bars of 30 seconds and less, for ticks and for real-time bars have to keep IBKR's pacing; those that
    /// don't are refused with 162, real-time bars with 420. Longer bars have no pacing.
    pub historical_pacing: bool,
    /// Whether the API is read-only: questions about orders are refused with 321, as orders always are.
    pub read_only_api: bool,
    /// Whether the notices 2104, 2106 and 2158 come with the handshake.
    pub notices: bool,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            port: 0,
            server_version: *SERVER_VERSIONS.end(),
            seed: 1,
            accounts: vec!["DU1234567".into()],
            faults: Vec::new(),
            script: Vec::new(),
            wedge_after: None,
            backlog: 128,
            hold: Hold::MidHandshake,
            handshakes: Handshakes::AtOnce,
            max_clients: 32,
            over_limit: OverLimit::Close,
            client_id_linger: Duration::ZERO,
            tick_interval: Duration::from_millis(100),
            replay: None,
            unentitled: Vec::new(),
            depth_reset_after: None,
            message_rate: None,
            clock_suppression: Duration::from_secs(4),
            historical_pacing: false,
            read_only_api: false,
            notices: true,
        }
    }
}

/// Whether the Gateway keeps its end of a connection open after the client's FIN, so that its socket
/// stays in CLOSE_WAIT. A client's RST always frees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// Closes as soon as the client has.
    Never,
    /// Keeps the socket if the client leaves before its handshake is complete, as a real Gateway does.
    #[default]
    MidHandshake,
    /// Keeps the socket whenever the client leaves.
    Always,
}

/// How many clients shake hands at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handshakes {
    /// As many as come.
    #[default]
    AtOnce,
    /// One. Another client is accepted and hears nothing until the handshake before it is complete or given up.
    OneByOne,
}

/// What a client sees that comes when the Gateway has enough of them. What a real Gateway does is not documented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverLimit {
    /// A reset at once: as near to a refused connection as an accepting socket comes.
    Refuse,
    /// A close at once.
    #[default]
    Close,
    /// Nothing, ever.
    Silence,
}

impl OverLimit {
    /// All of them, with their names on a command line.
    pub const CHOICES: [(&str, Self); 3] =
        [("refuse", Self::Refuse), ("close", Self::Close), ("silence", Self::Silence)];
}

impl FromStr for OverLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let chosen = Self::CHOICES.into_iter().find(|(name, _)| *name == text);
        let expected = || format!("expected one of: {}", Self::CHOICES.map(|(name, _)| name).join(", "));
        chosen.map(|(_, over_limit)| over_limit).ok_or_else(expected)
    }
}
