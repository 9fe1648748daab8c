//! Who listens on a port and whether they still accept, without touching the port.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::Error;
use crate::forwarder::{Forwarder, of_listener};
use crate::process::Process;
use crate::socket::Row;
use crate::sys::{Procs, Source};

/// How long a connection may wait in the accept queue before its listener counts as stuck. A live accept loop takes it
/// within microseconds.
const STUCK_AFTER: Duration = Duration::from_secs(1);

/// What the kernel says about a port. Known without a connection and without a bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenState {
    /// Nobody listens in this network namespace.
    NotListening,
    /// Somebody listens.
    Listening(Listener),
    /// Somebody listens but has not accepted the same waiting connection in two samples: its accept loop is stuck.
    Wedged(Listener),
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// The address it listens on.
    pub local: SocketAddr,
    /// Its process; `None` when it was not asked for, may not be seen, or is in another pid namespace.
    pub owner: Option<Process>,
    /// The user it belongs to.
    pub uid: u32,
    /// How many connections wait to be accepted.
    pub queue: u32,
    /// How many may wait (the backlog; one more fits). `None` when only /proc/net/tcp could be read.
    pub queue_limit: Option<u32>,
    pub(crate) inode: u64,
}

impl ListenState {
    /// The listener, if there is one.
    pub fn listener(&self) -> Option<&Listener> {
        match self {
            Self::NotListening => None,
            Self::Listening(listener) | Self::Wedged(listener) => Some(listener),
        }
    }

    /// The program that passes connections on to the Gateway, if that is who listens; see [`forwarder`](crate::forwarder()).
    pub fn forwarder(&self) -> Option<Forwarder> {
        self.listener().and_then(of_listener)
    }
}

/// Whether somebody listens on `port`: one question to the kernel (tens of microseconds), without owner and without
/// waiting, so never [`ListenState::Wedged`]. A queue that is not empty is worth [`inspect`].
///
/// # Errors
/// When the socket table can't be read, and for port 0.
pub fn listening(port: u16) -> Result<ListenState, Error> {
    let listener = deepest(&mut Source::open(), port)?;
    Ok(listener.map_or(ListenState::NotListening, ListenState::Listening))
}

/// The same with the listener's process, and with a second sample a second later if connections wait to be accepted.
///
/// # Errors
/// When the socket table can't be read, and for port 0.
pub fn inspect(port: u16) -> Result<ListenState, Error> {
    let mut source = Source::open();
    let Some(first) = deepest(&mut source, port)? else { return Ok(ListenState::NotListening) };
    if first.queue == 0 {
        return Ok(ListenState::Listening(with_owner(first)));
    }
    let before = Queue::sample(&mut source, port, &first)?;
    thread::sleep(STUCK_AFTER);
    let Some(second) = deepest(&mut source, port)? else { return Ok(ListenState::NotListening) };
    let after = Queue::sample(&mut source, port, &second)?;
    let second = with_owner(second);
    Ok(if after.is_stuck_since(&before) {
        ListenState::Wedged(second)
    } else {
        ListenState::Listening(second)
    })
}

/// Who listens on `port`, with its process, without waiting.
pub(crate) fn listener_with_owner(port: u16) -> Result<Option<Listener>, Error> {
    Ok(deepest(&mut Source::open(), port)?.map(with_owner))
}

/// The accept queue at one moment.
#[derive(Default)]
struct Queue {
    /// The connections in it.
    waiting: Vec<Row>,
    /// How many more places are taken. A connection that its client has reset while it waited has no row any more, but
    /// keeps its place until it is accepted.
    reset: usize,
}

impl Queue {
    fn sample(source: &mut Source, port: u16, listener: &Listener) -> Result<Self, Error> {
        let waiting = source.unaccepted(port)?;
        // What comes and goes meanwhile must not pass for a connection that was reset.
        let length = deepest(source, port)?.map_or(0, |again| again.queue.min(listener.queue));
        let reset = (length as usize).saturating_sub(waiting.len());
        Ok(Self { waiting, reset })
    }

    /// A busy listener may have a queue in both samples; a stuck one has the same connection in it, or one that nobody
    /// can see, which a live accept loop would have taken too.
    fn is_stuck_since(&self, before: &Self) -> bool {
        let same =
            |row: &Row| before.waiting.iter().any(|old| old.cookie == row.cookie && old.remote == row.remote);
        self.waiting.iter().any(same) || (self.reset > 0 && before.reset > 0)
    }
}

/// Of several listeners (one per family or address) the one with most connections waiting.
fn deepest(source: &mut Source, port: u16) -> Result<Option<Listener>, Error> {
    if port == 0 {
        return Err(Error::PortZero);
    }
    let rows = source.listeners(port)?;
    Ok(rows.iter().max_by_key(|row| row.recv_queue).map(|row| Listener {
        local: row.local,
        owner: None,
        uid: row.uid,
        queue: row.recv_queue,
        queue_limit: row.cookie.map(|_| row.send_queue),
        inode: row.inode,
    }))
}

fn with_owner(mut listener: Listener) -> Listener {
    let procs = Procs::system();
    let holders = procs.holders(&[listener.inode].into()).unwrap_or_default();
    let pids = holders.by_inode.get(&listener.inode);
    // A forked child may hold it too: the oldest process is the one that opened it.
    let owners = pids.into_iter().flatten().filter_map(|&(pid, _)| procs.process(pid).ok());
    listener.owner = owners.min_by_key(|process| process.start_time);
    listener
}

impl Serialize for ListenState {
    /// `{"state","pid","command","queue","queue_limit"}`
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            state: &'a str,
            pid: Option<u32>,
            command: Option<&'a str>,
            queue: Option<u32>,
            queue_limit: Option<u32>,
        }
        let state = match self {
            Self::NotListening => "not_listening",
            Self::Listening(_) => "listening",
            Self::Wedged(_) => "wedged",
        };
        let listener = self.listener();
        let owner = listener.and_then(|listener| listener.owner.as_ref());
        Json {
            state,
            pid: owner.map(|owner| owner.pid),
            command: owner.map(|owner| owner.command.as_str()),
            queue: listener.map(|listener| listener.queue),
            queue_limit: listener.and_then(|listener| listener.queue_limit),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_listener_is_seen_with_its_process_and_queue() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ListenState::Listening(found) = inspect(port).unwrap() else { panic!("not listening") };
        assert_eq!(found.owner.as_ref().unwrap().pid, std::process::id());
        assert_eq!((found.queue, found.local), (0, listener.local_addr().unwrap()));
        assert!(found.queue_limit.unwrap() > 0);
        drop(listener);
        assert_eq!(listening(port).unwrap(), ListenState::NotListening);
    }

    #[test]
    fn a_connection_that_was_reset_while_it_waited_is_one_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let gone = TcpStream::connect(("127.0.0.1", port)).unwrap();
        crate::abort(gone).unwrap();
        assert!(matches!(inspect(port).unwrap(), ListenState::Wedged(found) if found.queue == 1));
    }

    #[test]
    fn a_connection_that_nobody_accepts_is_a_stuck_accept_loop() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _waiting = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let ListenState::Wedged(found) = inspect(port).unwrap() else { panic!("not wedged") };
        assert_eq!(found.queue, 1);
        let json = serde_json::to_value(ListenState::Wedged(found)).unwrap();
        assert_eq!(
            (json["state"].as_str(), json["pid"].as_u64()),
            (Some("wedged"), Some(u64::from(std::process::id())))
        );
    }

    #[test]
    fn a_dual_stack_listener_is_seen() {
        let Ok(listener) = TcpListener::bind("[::]:0") else { return eprintln_no_ipv6() };
        let state = listening(listener.local_addr().unwrap().port()).unwrap();
        assert!(state.listener().is_some());
    }

    #[allow(clippy::print_stderr, reason = "a test that can't run says so")]
    fn eprintln_no_ipv6() {
        eprintln!("NOT TESTED: this machine has no IPv6");
    }

    #[test]
    fn port_zero_is_an_error() {
        assert!(matches!(listening(0), Err(Error::PortZero)));
    }
}
