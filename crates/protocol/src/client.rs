//! A `Connection` to a server over anything that reads and writes: what a backend over another way calls.
//!
//! Two threads serve one connection: one reads, one keeps the link: its handshake, its deadlines, its heartbeat, its end. None of
//! the futures needs a runtime.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ibkr_connect_core::backend::{Ready, reported, spawn};
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, ConnectionMode, Error, ErrorKind, Phase, PhaseTiming, Result,
    Target, millis,
};

use crate::alarm::after;
use crate::connection::{Deadlines, Holder, LinkConnection};
use crate::frames::{Connected, Hello, PROTOCOL};
use crate::incoming::read;
use crate::link::Link;
use crate::pipe::Pipe;
use crate::timing::Timing;

/// A way to a server, and back.
pub struct Transport {
    /// What the server writes. It must end when the connection does.
    pub reader: Box<dyn Read + Send>,
    /// What the server reads. When it is dropped, the server must see the end of its input.
    pub pipe: Arc<dyn Pipe>,
    /// What the server must show in its hello, if it was given something on another way.
    pub cookie: String,
}

/// Connects through the server at the other end of `transport`. `mode` is the backend's.
///
/// # Errors
/// Those of the server's `connect`; `worker_incompatible` in phase `spawn` for what is not a server of this version; `handshake_timeout`
/// when it does not answer; `disconnected` when it goes away.
pub async fn connect(
    transport: Transport,
    mode: ConnectionMode,
    target: &Target,
    timing: Timing,
) -> Result<Box<dyn Connection>> {
    target.check()?;
    let started = Instant::now();
    let link = Arc::new(Link::new());
    let wanted = Arc::new(Mutex::new(Wanted::Connection));
    let Transport { reader, pipe, cookie } = transport;
    link.open(pipe);
    let reading = Arc::clone(&link);
    spawn("ibkr-link-reader", move || read(&reading, reader))?;
    let deadlines = Deadlines { request: target.request_timeout, grace: timing.request_grace };
    let keeper = Keeper { link: Arc::clone(&link), wanted: Arc::clone(&wanted), timing };
    let owner = Owner { link: Arc::clone(&link), wanted };
    let attempt = Attempt { cookie, mode, target: target.clone(), started };
    let info = reported("ibkr-link-keeper", move |ready| keeper.run(&attempt, ready)).await?;
    Ok(Box::new(LinkConnection::new(link, info, deadlines, owner)))
}

/// What the owner of the connection wants of its keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Connection,
    Close,
    /// Nobody is left who could use it.
    Nothing,
}

/// Wants the connection until it is told otherwise.
#[derive(Debug)]
struct Owner {
    link: Arc<Link>,
    wanted: Arc<Mutex<Wanted>>,
}

impl Owner {
    fn want(&self, wanted: Wanted) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        self.link.expect_end();
    }
}

impl Holder for Owner {
    fn close(&self) {
        self.want(Wanted::Close);
    }

    fn let_go(&self) -> Duration {
        /// Longer than the keeper waits for the server.
        const MOST: Duration = Duration::from_secs(5);
        self.want(Wanted::Nothing);
        MOST
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.want(Wanted::Nothing);
    }
}

/// What is asked of the server first.
struct Attempt {
    cookie: String,
    mode: ConnectionMode,
    target: Target,
    started: Instant,
}

/// The thread that keeps the link.
struct Keeper {
    link: Arc<Link>,
    wanted: Arc<Mutex<Wanted>>,
    timing: Timing,
}

impl Keeper {
    fn run(self, attempt: &Attempt, outcome: Ready<ConnectionInfo>) {
        match self.connect(attempt) {
            Ok(info) => {
                // Nobody there any more: the owner is dropped then, and says so too.
                drop(outcome.send(Ok(info)));
                self.watch();
            }
            Err(error) => {
                self.end(&error, CloseReason::Disconnected(error.message().to_owned()), Ok(()));
                drop(outcome.send(Err(error)));
            }
        }
    }

    fn connect(&self, attempt: &Attempt) -> Result<ConnectionInfo> {
        let hello = self.hello(attempt).map_err(|error| error.in_phase(Phase::Spawn))?;
        check(&hello, &attempt.cookie).map_err(|error| error.in_phase(Phase::Spawn))?;
        let until_hello = PhaseTiming::new(Phase::Spawn, attempt.started.elapsed());
        let connected = self.handshake(attempt)?;
        let phases = [until_hello].into_iter().chain(connected.phases).collect();
        Ok(ibkr_connect_core::literal!(ConnectionInfo {
            mode: attempt.mode,
            client_id: connected.client_id,
            server_version: connected.server_version,
            accounts: connected.accounts,
            readonly: connected.readonly,
            phases,
            connect_ms: millis(attempt.started.elapsed()),
            worker_pid: None,
            zombies: None,
            attempts: Vec::new(),
        }))
    }

    fn hello(&self, attempt: &Attempt) -> Result<Hello> {
        let patience = self.timing.hello.min(attempt.target.timeout);
        let hello = self
            .wait_for(after(attempt.started, patience), || self.link.take_hello())
            .unwrap_or_else(|| {
                Err(Error::new(
                    ErrorKind::HandshakeTimeout,
                    format!("the server said no hello within {patience:?}"),
                ))
            })?;
        hello.map_err(|said| incompatible(format!("its first line is not a hello: {said}")))
    }

    /// Has the server connect. It keeps the deadline itself; ours is for one that hangs.
    fn handshake(&self, attempt: &Attempt) -> Result<Connected> {
        let deadline = after(attempt.started, attempt.target.timeout);
        let timeout = deadline.saturating_duration_since(Instant::now());
        self.link.send_connect(&attempt.target.clone().with_timeout(timeout))?;
        self.wait_for(deadline + self.timing.answer_grace, || self.link.take_connected()).unwrap_or_else(
            || {
                Err(Error::new(
                    ErrorKind::HandshakeTimeout,
                    format!("the server did not answer connect within {:?}", attempt.target.timeout),
                ))
            },
        )?
    }

    /// Waits for something of the server's, until `deadline` or the end of the link.
    fn wait_for<T>(
        &self,
        deadline: Instant,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Option<Result<T, Error>> {
        self.link.alarm().wait_for(deadline, || ready().map(Ok).or_else(|| self.trouble().map(Err)))
    }

    /// Keeps the time until the end.
    fn watch(self) {
        self.link.start_heartbeat(Instant::now(), self.timing.ping);
        loop {
            let now = Instant::now();
            let next = self.link.tick(now);
            if self.wanted() != Wanted::Connection {
                return self.close();
            }
            let trouble = match next {
                Ok(_) => self.trouble(),
                Err(lost) => Some(gone(lost.to_string())),
            };
            if let Some(error) = trouble {
                let how = error.message().to_owned();
                return self.end(&error, CloseReason::Disconnected(how), Ok(()));
            }
            let next = next.ok().flatten();
            self.link.alarm().sleep(next.unwrap_or_else(|| after(now, self.timing.ping)));
        }
    }

    fn wanted(&self) -> Wanted {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the link is of no use any more, if it is.
    fn trouble(&self) -> Option<Error> {
        if let Some(how) = self.link.take_violation() {
            return Some(gone(format!("it broke the protocol: {how}")));
        }
        if self.link.has_ended() {
            return Some(gone("it ended".to_owned()));
        }
        (self.wanted() == Wanted::Nothing).then(|| CloseReason::Requested.error())
    }

    /// Shutdown frame, and then the end of the server's input.
    fn close(self) {
        let closed = CloseReason::Requested.error();
        self.link.refuse(&closed, CloseReason::Requested);
        self.link.fail_all(&closed);
        self.link.send_shutdown();
        let deadline = after(Instant::now(), self.timing.close);
        let ended = self.link.alarm().wait_for(deadline, || self.link.has_ended().then_some(()));
        let outcome = ended.ok_or_else(|| {
            Error::new(
                ErrorKind::Timeout,
                format!("the server did not end its session within {:?}", self.timing.close),
            )
        });
        self.end(&closed, CloseReason::Requested, outcome);
    }

    fn end(&self, error: &Error, reason: CloseReason, outcome: Result<()>) {
        self.link.hang_up();
        self.link.refuse(error, reason);
        self.link.fail_all(error);
        self.link.finish(outcome);
    }
}

/// A server that goes away takes the session with it.
fn gone(how: String) -> Error {
    CloseReason::Disconnected(format!("the server is lost: {how}")).error()
}

fn check(hello: &Hello, cookie: &str) -> Result<()> {
    if hello.protocol != PROTOCOL {
        let (theirs, version) = (hello.protocol, &hello.version);
        return Err(incompatible(format!(
            "it speaks protocol {theirs} (version {version:?}), this program speaks protocol {PROTOCOL}"
        )));
    }
    if hello.cookie != cookie {
        return Err(incompatible("its hello has the wrong cookie".to_owned()));
    }
    Ok(())
}

fn incompatible(how: String) -> Error {
    Error::new(ErrorKind::WorkerIncompatible, format!("that is not a server of this version: {how}"))
        .with_advice("connect to an ibkr-connect of this version")
}
