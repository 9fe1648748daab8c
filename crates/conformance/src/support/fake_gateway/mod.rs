//! A Gateway that misbehaves in one chosen way. It shares no code with the simulator or the backends: bytes written
//! by hand over `std::net`, a thread per connection.
//!
//! Like the real one it keeps its socket when a client leaves in mid-handshake, so that a connector that leaves with
//! FIN instead of RST is convicted by a CLOSE_WAIT.

mod conversation;
pub(crate) mod damage;
pub(crate) mod message;
pub(crate) mod played;
pub(crate) mod wire;

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use socket2::{Domain, Socket, Type};

use self::conversation::Conversation;

/// What goes wrong. Up to its fault every one of them is healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Healthy,
    NeverAccepts,
    /// As [`NeverAccepts`](Self::NeverAccepts), with the accept queue full: the kernel drops the SYN.
    NeverAcceptsAndIsFull,
    AcceptsAndStaysSilent,
    ClosesBeforeVersion,
    ResetsBeforeVersion,
    ClosesInMidVersion,
    AnswersInHttp,
    SendsNoNumberAsVersion,
    SendsVersion212,
    /// Sends this as its version.
    SendsAsVersion(&'static str),
    /// A piece of news comes before its version (nautilus#1191).
    SendsNewsBeforeItsVersion,
    /// The same without an end.
    SendsNewsInsteadOfItsVersion,
    /// Its time zone and its notices are in Latin-1 and GBK.
    WritesInOtherEncodings,
    /// One byte per interval.
    DripsItsVersion(Duration),
    SendsItsVersionInPieces(Duration),
    ClosesAfterVersion,
    StaysSilentAfterVersion,
    ClosesAfterStartApi,
    ResetsAfterStartApi,
    SendsFrameLength(u32),
    SendsUndecodableAccounts,
    RefusesTheClientId,
    Refuses(i32),
    /// Sends notices without a pause, and nothing else.
    OnlyChatters,
    SendsOnlyAccounts,
    SendsOnlyNextValidId,
    SendsAccounts(&'static str),
    SendsNextValidId(i64),
    /// Sends hundreds of orders before the accounts, as to a master client.
    FloodsWithOrders,
    /// Sends so many farm notices before the accounts.
    FloodsWithNotices(usize),
    /// Sends errors with so long a text instead of its accounts.
    SendsErrorsWithoutEnd(usize),
    /// Sends orders and errors, big ones, up to so many bytes, and then nothing.
    SendsOtherThings(usize),
    /// Says this before its accounts.
    SaysBeforeItsAccounts(i32, &'static str),
    /// Says this after its accounts and order id.
    SaysAfterItsAccounts(i32, &'static str),
    /// Says this, and never more than farm notices after it.
    SaysOnly(i32, &'static str),
    SendsNextValidIdFirst,
    StaysSilentAfterHandshake,
    ClosesDuringVerify,
    ComplainsDuringVerify,
    /// Answers its first questions for the accounts with complaints about something else.
    ComplainsFirst(usize),
    /// Answers every question with a complaint about something else.
    OnlyComplains,
    /// Answers no question but that for its time.
    KnowsOnlyTheTime,
    /// Complains about something else without a pause and answers nothing; its words are so long.
    ComplainsWithoutEnd(usize),
    /// Reads nothing once it has answered the verifying question, and keeps its socket.
    StopsReading,
    /// Keeps its socket after the client's FIN, also after a healthy session.
    NeverCloses,
    /// Answers questions about its accounts and no other.
    KnowsOnlyItsAccounts,
    /// Closes at the first question that is not about its accounts.
    ClosesAtAQuestion,
    /// Answers a question for positions with three, one per interval.
    SpreadsItsPositions(Duration),
    /// Everything that it says has this text in it: names, accounts, notices, errors.
    SaysEverywhere(&'static str),
    /// Damages what it sends in random ways, which follow from this number.
    SendsDamage(u64),
    /// Answers a request for market data with so many ticks, as fast as they are taken; each says its number.
    FloodsWithTicks(u64),
    /// Answers each request for market data but the first with so many ticks of so many bytes each, and then sends a small one to
    /// the first.
    FloodsAllButTheFirst {
        ticks: usize,
        length: usize,
    },
    /// Answers a question for bars with so many of them, in one frame.
    AnswersWithBars(usize),
    /// Answers a question for the scanners' parameters with so many lines of XML, in one frame.
    AnswersWithXml(usize),
}

use Behaviour::*;

/// A running fake. It listens when `start` returns, and stops when it is dropped.
#[derive(Debug)]
pub(crate) struct FakeGateway {
    port: u16,
    stage: Arc<Stage>,
    acceptor: Option<JoinHandle<()>>,
    _in_the_queue: Option<(Socket, Option<TcpStream>)>,
}

impl FakeGateway {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        // A backlog of 0 has room for one.
        socket.listen(if behaviour == NeverAcceptsAndIsFull { 0 } else { 128 }).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let stage = Arc::new(Stage::default());
        let mut gateway = Self { port: address.port(), stage, acceptor: None, _in_the_queue: None };
        match behaviour {
            NeverAccepts => gateway._in_the_queue = Some((socket, None)),
            NeverAcceptsAndIsFull => {
                let first = TcpStream::connect(address).unwrap();
                gateway._in_the_queue = Some((socket, Some(first)));
            }
            _ => {
                let stage = Arc::clone(&gateway.stage);
                gateway.acceptor = Some(thread::spawn(move || accept(&socket.into(), behaviour, &stage)));
            }
        }
        gateway
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        self.stage.end();
        if let Some(acceptor) = self.acceptor.take() {
            // Wakes it from its accept.
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
            let ended = acceptor.join();
            assert!(ended.is_ok() || thread::panicking(), "the fake Gateway panicked");
        }
    }
}

fn accept(listener: &TcpListener, behaviour: Behaviour, stage: &Stage) {
    thread::scope(|scope| {
        for stream in listener.incoming() {
            let stream = Arc::new(stream.unwrap());
            if !stage.enter(&stream) {
                return;
            }
            scope.spawn(move || Conversation { stream, behaviour, stage }.hold());
        }
    });
}

/// What all conversations share: the end of the play.
#[derive(Debug, Default)]
struct Stage {
    state: Mutex<StageState>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct StageState {
    over: bool,
    /// How often something was sent that is damaged.
    damaged: u64,
    streams: Vec<Weak<TcpStream>>,
}

impl Stage {
    /// Whether the play still goes on; then `stream` is broken off at its end.
    fn enter(&self, stream: &Arc<TcpStream>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.streams.push(Arc::downgrade(stream));
        !state.over
    }

    /// What decides how the next message is damaged.
    fn dice(&self, seed: u64) -> StdRng {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.damaged += 1;
        StdRng::seed_from_u64(seed.wrapping_add(state.damaged))
    }

    fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.over = true;
        for stream in state.streams.iter().filter_map(Weak::upgrade) {
            // An error means that the client was faster.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.ended.notify_all();
    }

    /// Waits, at most until the end.
    fn pause(&self, length: Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ended.wait_timeout_while(state, length, |state| !state.over));
    }
}
