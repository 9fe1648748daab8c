//! A backend over a way of its own, as somebody outside would add one: here the bytes go through memory.
//!
//! `ToyConnector` is the whole of it. Its far side serves the scripted connector of these tests; in life that is where a program
//! serves the connector that reaches the Gateway.

mod support;

use std::io::{self, Read, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibkr_connect_core::types::{Contract, MarketDataEvent, MarketDataParams};
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionMode, Connector, Error, ErrorKind, FlowControl, Phase, Request,
    Result, Session, StreamRequest, Target, block_on,
};
use ibkr_connect_protocol::Timing;
use ibkr_connect_protocol::client::{self, Transport};
use ibkr_connect_protocol::server::{self, ServerOptions};
use ibkr_connect_protocol::{Pipe, WriterPipe};
use support::{Scripted, Stage};

const LONG: Duration = Duration::from_secs(20);

/// Connects through a server that it starts on a thread.
#[derive(Debug, Default)]
struct ToyConnector {
    stage: Arc<Stage>,
    timing: Timing,
    server: Far,
}

/// What is at the far end.
#[derive(Debug, Clone, Copy, Default)]
enum Far {
    #[default]
    Server,
    /// Somebody who was told another secret.
    Stranger,
    /// Something that writes this and is silent then.
    Says(&'static str),
    /// Something that hangs up.
    Nobody,
}

#[async_trait]
impl Connector for ToyConnector {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        let (to_server, commands) = memory();
        let (answers, from_server) = memory();
        let (stage, far) = (Arc::clone(&self.stage), self.server);
        thread::spawn(move || far.end(stage, commands, answers));
        let transport = Transport {
            reader: Box::new(from_server),
            pipe: Arc::new(to_server),
            cookie: "a secret".to_owned(),
        };
        client::connect(transport, self.mode(), target, self.timing.clone()).await
    }
}

impl Far {
    fn end(self, stage: Arc<Stage>, commands: MemoryReader, mut answers: MemoryWriter) {
        let cookie = match self {
            Self::Server => "a secret",
            Self::Stranger => "a guess",
            Self::Says(line) => {
                answers.write_all(line.as_bytes()).unwrap();
                // Until the client hangs up.
                drop(io::copy(&mut { commands }, &mut io::sink()));
                return;
            }
            Self::Nobody => return,
        };
        // An error means that the client has gone before the hello.
        let _ = server::run(&Scripted { stage }, commands, Arc::new(answers), ServerOptions::new(cookie));
    }
}

/// A pipe through memory, without a bound: a test of the bounds is elsewhere.
fn memory() -> (MemoryWriter, MemoryReader) {
    let (sender, receiver) = channel();
    (MemoryWriter(Mutex::new(sender)), MemoryReader { receiver, rest: Vec::new() })
}

#[derive(Debug)]
struct MemoryWriter(Mutex<Sender<Vec<u8>>>);

impl Pipe for MemoryWriter {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.lock().unwrap().send(bytes.to_vec());
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn wait_writable(&self, _at_most: Duration) {}
}

impl Write for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryReader {
    receiver: Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

impl Read for MemoryReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            // The end of the sender is the end of the stream.
            self.rest = self.receiver.recv().unwrap_or_default();
        }
        let count = buffer.len().min(self.rest.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

fn connect(toy: &ToyConnector) -> Session {
    Session::new(block_on(toy.connect(&Target::default())).unwrap())
}

fn refused(toy: &ToyConnector, target: &Target) -> Error {
    block_on(toy.connect(target)).unwrap_err()
}

fn details(symbol: &str) -> Request {
    Request::ContractDetails(Contract::stock(symbol))
}

fn wait_until(done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < LONG, "it does not happen");
        thread::yield_now();
    }
}

#[test]
fn it_is_a_backend_as_any_other() {
    let toy = ToyConnector::default();
    let session = connect(&toy);
    assert_eq!(
        (session.info().accounts.as_slice(), session.info().server_version),
        (&["DU1".to_owned()][..], 226)
    );
    assert_eq!(session.info().phases[0].phase, Phase::Spawn, "until the hello");
    assert_eq!(session.blocking().managed_accounts().unwrap(), ["DU1"]);
    let timed = session.with_timeout(Duration::from_millis(1_500));
    assert_eq!(timed.blocking().managed_accounts().unwrap(), ["1.5s"]);
    let contract = Contract::stock("PACED:20000");
    let ticks = session.blocking().market_data(MarketDataParams::default().with_contract(contract)).unwrap();
    let values: Vec<_> = ticks
        .map(|event| match event.unwrap() {
            MarketDataEvent::MarketDataType { market_data_type } => market_data_type,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(values.into_iter().eq(0..20_000));
    session.blocking().close().unwrap();
    session.blocking().close().unwrap();
    assert_eq!(toy.stage.closed.load(Ordering::SeqCst), 1);
    assert_eq!(block_on(session.closed()), CloseReason::Requested);
    assert_eq!(session.blocking().server_time().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn what_is_dropped_is_cancelled_on_the_far_side_and_the_session_closed() {
    let toy = ToyConnector::default();
    let connection = block_on(toy.connect(&Target::default())).unwrap();
    let params = MarketDataParams::default().with_contract(Contract::stock("OPEN:1"));
    let stream =
        block_on(connection.subscribe(StreamRequest::MarketData(params), FlowControl::default())).unwrap();
    drop(stream);
    wait_until(|| toy.stage.cancelled.load(Ordering::SeqCst) == 1);
    drop(connection);
    assert_eq!(toy.stage.closed.load(Ordering::SeqCst), 1, "the drop has waited for it");
}

#[test]
fn a_connect_that_is_given_up_is_given_up_on_the_far_side() {
    let toy = ToyConnector::default();
    let silent = Target::default().with_host("silent");
    let mut connecting = Box::pin(toy.connect(&silent));
    assert!(connecting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    wait_until(|| toy.stage.connecting.load(Ordering::SeqCst));
    drop(connecting);
    wait_until(|| toy.stage.abandoned.load(Ordering::SeqCst) == 1);
}

#[test]
fn the_loss_of_either_is_a_loss() {
    let toy = ToyConnector::default();
    let connection = block_on(toy.connect(&Target::default())).unwrap();
    // The Gateway, says the server.
    drop(block_on(connection.request(details("LOSE"), None)));
    assert_eq!(block_on(connection.closed()), CloseReason::Disconnected("lost by the script".to_owned()));
    let error = block_on(connection.request(details("X"), None)).unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Disconnected, true));

    let toy = ToyConnector::default();
    let connection = block_on(toy.connect(&Target::default())).unwrap();
    // The server itself.
    let error = block_on(connection.request(details("PANIC"), None)).unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Disconnected, false), "{error}");
    assert!(matches!(block_on(connection.closed()), CloseReason::Disconnected(_)));
    block_on(connection.close()).unwrap();
}

#[test]
fn a_request_without_an_answer_and_a_server_that_hangs_have_an_end() {
    let timing =
        Timing { request_grace: Duration::ZERO, close: Duration::from_millis(100), ..Timing::default() };
    let toy = ToyConnector { timing, ..ToyConnector::default() };
    let connection = block_on(toy.connect(&Target::default())).unwrap();
    let unanswered = block_on(connection.request(details("NEVER"), Some(Duration::from_millis(50))));
    assert_eq!(unanswered.unwrap_err().kind(), ErrorKind::Timeout);
    let blocked = block_on(connection.request(details("BLOCK"), Some(Duration::from_millis(50))));
    assert_eq!(blocked.unwrap_err().kind(), ErrorKind::Timeout);
    let forced = block_on(connection.close()).unwrap_err();
    assert_eq!(forced.kind(), ErrorKind::Timeout, "{forced}");
    toy.stage.open_gate();

    let timing = Timing { ping: Duration::from_millis(20), ..Timing::default() };
    let toy = ToyConnector { timing, ..ToyConnector::default() };
    let connection = block_on(toy.connect(&Target::default())).unwrap();
    let waiting = block_on(connection.request(details("BLOCK"), None)).unwrap_err();
    assert!(waiting.message().contains("heartbeat lost (loop)"), "{waiting}");
    toy.stage.open_gate();
}

#[test]
fn what_is_no_server_of_this_version_is_told_so() {
    let target = Target::default();
    let refused_by = |server| {
        let timing = Timing { hello: Duration::from_millis(200), ..Timing::default() };
        refused(&ToyConnector { server, timing, ..ToyConnector::default() }, &target)
    };
    for (server, kind, part) in [
        (Far::Stranger, ErrorKind::WorkerIncompatible, "wrong cookie"),
        (Far::Says("{\"hello\":{\"protocol\":99}}\n"), ErrorKind::WorkerIncompatible, "speaks protocol 99"),
        (Far::Says("SSH-2.0-OpenSSH_9.6\n"), ErrorKind::WorkerIncompatible, "not a hello: SSH-2.0"),
        (Far::Says(""), ErrorKind::HandshakeTimeout, "no hello within 200ms"),
        (Far::Nobody, ErrorKind::Disconnected, "it ended"),
    ] {
        let error = refused_by(server);
        assert_eq!((error.kind(), error.phase()), (kind, Some(Phase::Spawn)), "{server:?}: {error}");
        assert!(error.message().contains(part), "{server:?}: {error}");
    }
}

#[test]
fn a_connect_fails_as_the_far_side_says_or_at_its_deadline() {
    let toy = ToyConnector::default();
    let error = refused(&toy, &Target::default().with_host("refused"));
    assert_eq!((error.kind(), error.phase()), (ErrorKind::NotListening, Some(Phase::Tcp)));
    let error = refused(&toy, &Target::default().with_client_id(Some(-1)));
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let timing = Timing { answer_grace: Duration::from_millis(50), ..Timing::default() };
    let hung = Far::Says("{\"hello\":{\"protocol\":2,\"cookie\":\"a secret\"}}\n");
    let toy = ToyConnector { server: hung, timing, ..ToyConnector::default() };
    let error = refused(&toy, &Target::default().with_timeout(Duration::from_millis(50)));
    assert_eq!(error.kind(), ErrorKind::HandshakeTimeout, "{error}");
}

#[test]
fn anything_that_writes_is_a_pipe_too() {
    let (to_server, commands) = memory();
    let (answers, from_server) = memory();
    let stage = Arc::new(Stage::default());
    let served = Arc::clone(&stage);
    let (ended, end) = channel::<()>();
    thread::spawn(move || {
        Far::Server.end(served, commands, answers);
        drop(ended);
    });
    let transport = Transport {
        reader: Box::new(from_server),
        pipe: Arc::new(WriterPipe::new(to_server, 100).unwrap()),
        cookie: "a secret".to_owned(),
    };
    let target = Target::default();
    let connecting = client::connect(transport, ConnectionMode::Mock, &target, Timing::default());
    let connection = block_on(connecting).unwrap();
    assert!(block_on(connection.request(details(&"X".repeat(50_000)), None)).is_ok());
    block_on(connection.close()).unwrap();
    assert_eq!(end.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected), "it has seen the end");
}
