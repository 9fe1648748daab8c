//! The simulator itself: a listening socket on its own thread, and the controls over it.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, SemaphorePermit, broadcast, oneshot};

use crate::connection::serve;
use crate::limits::Limits;
use crate::market::{Settings, World};
use crate::options::SERVER_VERSIONS;
use crate::plan::Plan;
use crate::stats::Ledger;
use crate::{Fault, Handshakes, Hold, OverLimit, SimOptions, Stats};

/// A running Gateway simulator.
///
/// It lives on a thread and a runtime of its own, so a busy or blocked caller never slows it down.
/// Dropping it stops it: every socket is closed and the thread has ended when `drop` returns.
#[derive(Debug)]
pub struct Simulator {
    gateway: Arc<Gateway>,
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts a simulator on 127.0.0.1. It accepts connections when this returns.
    ///
    /// # Errors
    /// If the options are impossible (`InvalidInput`), the port is taken (`AddrInUse`), or the
    /// system refuses a socket or a thread.
    pub fn start(options: SimOptions) -> io::Result<Self> {
        check(&options)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = listen(&options, &runtime)?;
        let addr = listener.local_addr()?;
        let gateway = Arc::new(Gateway::new(&options, addr.port()));
        let (stop, stopped) = oneshot::channel::<()>();
        let acceptor = Acceptor { listener, gateway: gateway.clone(), options };
        let thread = std::thread::Builder::new().name("ibkr-sim".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // Either the stop was sent or its sender dropped; both mean stop.
                    _ = stopped => {}
                    () = acceptor.run() => {}
                }
            });
        })?;
        Ok(Self { gateway, addr, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// What it saw so far.
    pub fn stats(&self) -> Stats {
        self.gateway.ledger.snapshot()
    }

    /// Blocks until the counters fulfil `condition`, at most `timeout`; tells whether they did.
    pub fn wait_until(&self, timeout: Duration, condition: impl Fn(&Stats) -> bool) -> bool {
        self.gateway.ledger.wait_until(timeout, condition)
    }

    /// Closes all connections with FIN, zombies included. Later ones are served.
    pub fn disconnect_all(&self) {
        self.end_all(Ending::Close);
    }

    /// Ends all connections with RST, zombies included. Later ones are served.
    pub fn reset_all(&self) {
        self.end_all(Ending::Reset);
    }

    /// Sends a notice, such as 1100 or 2103, to every connected client, as soon as its
    /// handshake is complete.
    pub fn broadcast_notice(&self, code: i32, message: impl Into<String>) {
        // An error means that nobody is connected, and then nobody is to be told.
        let _ = self.gateway.notices.send(Notice { code, message: message.into() });
    }

    /// Replaces the faults of later connections; a script's entries keep their precedence.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        *self.gateway.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    fn end_all(&self, ending: Ending) {
        // An error means that nobody is connected, and then nothing is to be ended.
        let _ = self.gateway.endings.send(ending);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the simulator's thread panicked");
        }
    }
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) world: Arc<World>,
    pub(crate) ledger: Ledger,
    pub(crate) server_version: i32,
    pub(crate) tick_interval: Duration,
    pub(crate) replay: Option<Timestamp>,
    pub(crate) limits: Mutex<Limits>,
    pub(crate) clock_suppression: Duration,
    pub(crate) sends_notices: bool,
    pub(crate) endings: broadcast::Sender<Ending>,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) max_clients: usize,
    pub(crate) over_limit: OverLimit,
    pub(crate) client_id_linger: Duration,
    turns: Semaphore,
    hold: Hold,
    faults: Mutex<Vec<Fault>>,
}

/// An order to all connections to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Close,
    Reset,
}

/// A notice for all clients.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Gateway {
    fn new(options: &SimOptions, port: u16) -> Self {
        let settings = Settings {
            unentitled: options.unentitled.clone(),
            depth_reset_after: options.depth_reset_after,
            read_only_api: options.read_only_api,
            port,
        };
        Self {
            world: Arc::new(World { settings, ..World::new(options.seed, &options.accounts) }),
            ledger: Ledger::default(),
            server_version: options.server_version,
            tick_interval: options.tick_interval,
            replay: options.replay,
            limits: Mutex::new(Limits::new(options)),
            clock_suppression: options.clock_suppression,
            sends_notices: options.notices,
            endings: broadcast::channel(16).0,
            notices: broadcast::channel(1024).0,
            max_clients: options.max_clients,
            over_limit: options.over_limit,
            client_id_linger: options.client_id_linger,
            turns: Semaphore::new(match options.handshakes {
                Handshakes::AtOnce => Semaphore::MAX_PERMITS,
                Handshakes::OneByOne => 1,
            }),
            hold: options.hold,
            faults: Mutex::new(options.faults.clone()),
        }
    }

    /// Waits for the turn to shake hands, which lasts until the permit is dropped.
    pub(crate) async fn turn(&self) -> SemaphorePermit<'_> {
        if let Ok(turn) = self.turns.try_acquire() {
            return turn;
        }
        self.ledger.update(|stats| stats.queued += 1);
        match self.turns.acquire().await {
            Ok(turn) => turn,
            // Nobody closes it.
            Err(_) => pending().await,
        }
    }

    fn plan(&self, scripted: Option<&Vec<Fault>>) -> Plan {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        Plan::new(scripted.unwrap_or(&faults), self.hold)
    }
}

/// The accept loop.
struct Acceptor {
    listener: TcpListener,
    gateway: Arc<Gateway>,
    options: SimOptions,
}

impl Acceptor {
    async fn run(self) {
        for number in 0.. {
            let stream = self.accept().await;
            let gateway = self.gateway.clone();
            let plan = gateway.plan(self.options.script.get(number));
            tokio::spawn(async move { serve(stream, &gateway, &plan).await });
        }
    }

    /// The next connection; while too many zombies are held, none.
    async fn accept(&self) -> TcpStream {
        let limit = self.options.wedge_after.unwrap_or(usize::MAX);
        loop {
            self.gateway.ledger.below(limit).await;
            let accepted = tokio::select! {
                biased;
                () = self.gateway.ledger.reached(limit) => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => return prompt(stream),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed, trying again");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Turns Nagle's algorithm off: frames leave when they are written, not 40 ms later.
fn prompt(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a client left before it was served");
    }
    stream
}

fn check(options: &SimOptions) -> io::Result<()> {
    let invalid = |message: String| Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    let (min, max) = SERVER_VERSIONS.into_inner();
    if !SERVER_VERSIONS.contains(&options.server_version) {
        return invalid(format!("server_version {} is outside {min}..={max}", options.server_version));
    }
    if options.tick_interval.is_zero() {
        return invalid("tick_interval must be longer than zero".into());
    }
    Ok(())
}

fn listen(options: &SimOptions, runtime: &Runtime) -> io::Result<TcpListener> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Connections of an earlier simulator in TIME_WAIT must not keep its port taken.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    let _context = runtime.enter();
    TcpListener::from_std(socket.into())
}
