//! A client and a server, each as in life, on one paused clock: what they say to each other is carried by hand, and minutes pass in
//! no time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::types::{Contract, MarketDataEvent, MarketDataParams};
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, ConnectionMode, Connector, Error, ErrorKind, Event, EventStream,
    FlowControl, Reply, Request, Result, StreamRequest, Target, event_channel,
};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance, sleep};

use super::input::{Current, Input};
use super::output::Output;
use super::session::Server;
use crate::frames::{Hello, HelloFrame, PROTOCOL};
use crate::incoming::Incoming;
use crate::link::Link;
use crate::testing::Buffer;

const PING: Duration = Duration::from_secs(5);

/// Answers when its clock says so: `managed_accounts` after the request's own timeout. A stream has a hundred events.
#[derive(Debug, Default)]
struct Clockwork {
    dropped: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct ClockworkConnection {
    info: ConnectionInfo,
    dropped: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

#[async_trait]
impl Connector for Clockwork {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        sleep(Duration::from_secs(1)).await;
        let info = ibkr_connect_core::literal!(ConnectionInfo {
            client_id: 7,
            readonly: target.readonly,
            connect_ms: 1_000.0,
            ..ConnectionInfo::mock()
        });
        let (dropped, closed) = (Arc::clone(&self.dropped), Arc::clone(&self.closed));
        Ok(Box::new(ClockworkConnection { info, dropped, closed }))
    }
}

struct CountDrop<'a>(&'a AtomicUsize);

impl Drop for CountDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Connection for ClockworkConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        &mut self.info
    }

    async fn request(&self, _request: Request, timeout: Option<Duration>) -> Result<Reply> {
        let dropped = CountDrop(&self.dropped);
        sleep(timeout.unwrap_or_default()).await;
        std::mem::forget(dropped);
        Ok(Reply::ManagedAccounts(self.info.accounts.clone()))
    }

    async fn subscribe(&self, _request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        let (sender, stream) = event_channel(flow, || {});
        sender.send_all((0..100).map(event));
        sender.finish(Err(Error::new(ErrorKind::Disconnected, "the end")));
        Ok(stream)
    }

    async fn closed(&self) -> CloseReason {
        std::future::pending().await
    }

    async fn close(&self) -> Result<()> {
        self.closed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn event(value: i32) -> Event {
    Event::MarketData(MarketDataEvent::MarketDataType { market_data_type: value })
}

/// What carries lines between the two, and the time.
struct Pair<'a> {
    link: &'a Arc<Link>,
    incoming: Incoming<'a>,
    input: Input,
    output: Arc<Output>,
    commands: Buffer,
    answers: Buffer,
}

impl Pair<'_> {
    /// Carries lines until neither side says anything more.
    async fn settle(&mut self) {
        loop {
            // Enough turns for a task that hands over to the next one.
            for _ in 0..20 {
                yield_now().await;
            }
            let (commands, answers) = (self.commands.take(), self.answers.take());
            if commands.is_empty() && answers.is_empty() {
                return self.incoming.pause();
            }
            commands.lines().for_each(|line| self.input.receive(line.as_bytes()));
            self.output.flush();
            answers.lines().for_each(|line| self.incoming.line(line.as_bytes()).unwrap());
        }
    }

    async fn passes(&mut self, time: Duration) {
        self.settle().await;
        advance(time).await;
        self.link.tick(Instant::now().into_std()).unwrap();
        self.settle().await;
    }

    /// A request that is answered after so many seconds, and waited for as long as the other number says.
    fn request(&self, answered: u64, waited: u64) -> JoinHandle<Result<Reply>> {
        let (link, now) = (Arc::clone(self.link), Instant::now().into_std());
        let (answered, waited) = (Duration::from_secs(answered), Duration::from_secs(waited));
        tokio::spawn(
            async move { link.request(&Request::ManagedAccounts, Some(answered), now + waited).await },
        )
    }

    async fn connect(&mut self) {
        self.output.hello(&HelloFrame { hello: Hello::ours("c".to_owned()) }).unwrap();
        self.settle().await;
        assert_eq!(self.link.take_hello().unwrap().unwrap().protocol, PROTOCOL);
        self.link.send_connect(&Target::default()).unwrap();
        self.passes(Duration::from_millis(999)).await;
        assert!(self.link.take_connected().is_none());
        self.passes(Duration::from_millis(1)).await;
        assert_eq!(self.link.take_connected().unwrap().unwrap().accounts, ["DU1"]);
    }
}

/// Runs `play` between a connected client and a server; says what became of the server's requests and sessions.
async fn between(play: impl AsyncFnOnce(&mut Pair<'_>)) -> [usize; 2] {
    let connector = Clockwork::default();
    let [commands, answers] = [(); 2].map(|()| Buffer::with_room(usize::MAX));
    let link = Arc::new(Link::new());
    link.open(commands.pipe());
    let (output, current) = (Arc::new(Output::new(answers.pipe())), Current::default());
    let (input, inbox) = Input::new(Arc::clone(&output), Arc::clone(&current));
    let server = Server::new(&connector, Arc::clone(&output), current, Duration::from_secs(2));
    let incoming = Incoming::new(&link);
    let mut pair = Pair { link: &link, incoming, input, output, commands, answers };
    tokio::join!(server.serve(inbox), async {
        pair.connect().await;
        play(&mut pair).await;
        // The end of the server's input.
        drop(pair);
    });
    [connector.dropped, connector.closed].map(|count| count.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn answers_come_in_time_and_what_is_too_late_is_cancelled_on_the_other_side() {
    let counts = between(async |pair| {
        let (quick, slow) = (pair.request(3, 10), pair.request(60, 10));
        pair.passes(Duration::from_secs(3)).await;
        assert!(quick.is_finished() && !slow.is_finished());
        pair.passes(Duration::from_millis(6_999)).await;
        assert!(!slow.is_finished());
        pair.passes(Duration::from_millis(1)).await;
        assert!(quick.await.unwrap().is_ok());
        assert_eq!(slow.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    });
    assert_eq!(counts.await, [1, 1], "one was cancelled, and the session was closed");
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_silence_is_no_loss() {
    let counts = between(async |pair| {
        pair.link.start_heartbeat(Instant::now().into_std(), PING);
        for _ in 0..720 {
            pair.passes(PING).await;
        }
    });
    assert_eq!(counts.await, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_comes_within_its_credit_to_its_end() {
    let counts = between(async |pair| {
        let (link, deadline) = (Arc::clone(pair.link), Instant::now().into_std() + PING);
        let params = MarketDataParams::default().with_contract(Contract::stock("AAPL"));
        let flow = FlowControl::Lossless { capacity: 100 };
        let opening =
            tokio::spawn(
                async move { link.subscribe(StreamRequest::MarketData(params), flow, deadline).await },
            );
        pair.settle().await;
        let mut stream = opening.await.unwrap().unwrap();
        for value in 0..100 {
            pair.settle().await;
            assert_eq!(stream.next().await.unwrap().unwrap(), event(value));
        }
        pair.settle().await;
        assert_eq!(stream.next().await.unwrap().unwrap_err().message(), "the end");
        assert!(stream.next().await.is_none());
    });
    assert_eq!(counts.await, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_what_runs_and_the_session() {
    let counts = between(async |pair| {
        let running = pair.request(60, 100);
        pair.settle().await;
        pair.link.expect_end();
        pair.link.fail_all(&CloseReason::Requested.error());
        pair.link.send_shutdown();
        pair.settle().await;
        assert_eq!(running.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    });
    assert_eq!(counts.await, [1, 1]);
}
