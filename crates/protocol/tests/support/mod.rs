//! A connector whose behaviour is chosen by the host and the symbols that it is asked for.

#![allow(dead_code, reason = "each test binary uses its part of the stage")]

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::types::{MarketDataEvent, PriceAttributes, TickType};
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, ConnectionMode, Connector, Error, ErrorKind, Event, EventSender,
    EventStream, FlowControl, Phase, PhaseTiming, Reply, Request, Result, StreamRequest, Target, block_on,
    event_channel,
};
use tokio::sync::watch;

pub(crate) const TIME: &str = "\"2026-11-23T12:00:00Z\"";

/// What the connector and its connections share with the test.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    open: Mutex<bool>,
    opened: Condvar,
    pub(crate) blocked: AtomicBool,
    pub(crate) connecting: AtomicBool,
    pub(crate) abandoned: AtomicUsize,
    pub(crate) closed: AtomicUsize,
    pub(crate) cancelled: Arc<AtomicUsize>,
    pub(crate) sent: Arc<AtomicUsize>,
}

impl Stage {
    /// Lets go what is blocked by `BLOCK`.
    pub(crate) fn open_gate(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn block(&self) {
        self.blocked.store(true, Ordering::SeqCst);
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }
}

/// `connect` by host: `refused` fails, `silent` never ends, anything else succeeds.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    pub(crate) stage: Arc<Stage>,
}

#[async_trait]
impl Connector for Scripted {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        match target.host.as_str() {
            "refused" => {
                Err(Error::new(ErrorKind::NotListening, "refused by the script").in_phase(Phase::Tcp))
            }
            "silent" => {
                let _guard = CountDrop(&self.stage.abandoned);
                self.stage.connecting.store(true, Ordering::SeqCst);
                pending().await
            }
            "exit" => std::process::exit(3),
            "panic" => panic!("the script panics"),
            "stop" => stop_myself(),
            _ => Ok(Box::new(ScriptedConnection::new(Arc::clone(&self.stage), target))),
        }
    }
}

struct CountDrop<'a>(&'a AtomicUsize);

impl Drop for CountDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct ScriptedConnection {
    stage: Arc<Stage>,
    info: ConnectionInfo,
    lost: watch::Sender<bool>,
}

impl ScriptedConnection {
    fn new(stage: Arc<Stage>, target: &Target) -> Self {
        let info = ibkr_connect_core::literal!(ConnectionInfo {
            client_id: target.client_id.unwrap_or(77),
            readonly: target.readonly,
            phases: vec![PhaseTiming::new(Phase::Tcp, Duration::from_micros(250))],
            connect_ms: 1.5,
            ..ConnectionInfo::mock()
        });
        Self { stage, info, lost: watch::Sender::new(false) }
    }
}

#[async_trait]
impl Connection for ScriptedConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        &mut self.info
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        if *self.lost.borrow() {
            return Err(Error::new(ErrorKind::Disconnected, "lost by the script"));
        }
        match &request {
            Request::ServerTime => request.reply_from_json(TIME),
            Request::ManagedAccounts => Ok(Reply::ManagedAccounts(match timeout {
                Some(timeout) => vec![format!("{timeout:?}")],
                None => self.info.accounts.clone(),
            })),
            Request::ContractDetails(contract) => self.act(&contract.symbol).await,
            other => Err(Error::new(ErrorKind::Unsupported, format!("{} is not scripted", other.command()))),
        }
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        let StreamRequest::MarketData(params) = request else {
            return Err(Error::new(ErrorKind::Unsupported, "not scripted"));
        };
        let (symbol, count) =
            params.contract.symbol.split_once(':').unwrap_or((&params.contract.symbol, "0"));
        let count: i32 = count.parse().unwrap();
        let cancelled = Arc::clone(&self.stage.cancelled);
        let (sender, stream) = event_channel(flow, move || {
            cancelled.fetch_add(1, Ordering::SeqCst);
        });
        match symbol {
            "REFUSED" => return Err(Error::new(ErrorKind::GatewayError, "no such contract").with_code(200)),
            "FLOOD" => {
                let sent = Arc::clone(&self.stage.sent);
                thread::spawn(move || {
                    while !sender.is_abandoned() {
                        sender.send(event(1));
                        sent.fetch_add(1, Ordering::SeqCst);
                    }
                });
                return Ok(stream);
            }
            "PACED" => {
                thread::spawn(move || block_on(paced(&sender, count)));
                return Ok(stream);
            }
            "LONG" => {
                let text = "x".repeat(17 * 1024 * 1024);
                let long = MarketDataEvent::Text { tick_type: TickType::BID, value: text };
                sender.send_all([event(1), Event::MarketData(long), event(2)]);
                std::mem::forget(sender);
                return Ok(stream);
            }
            "QUOTES" => (0..count).for_each(|value| sender.send(quote(value))),
            _ => (0..count).for_each(|value| sender.send(event(value))),
        }
        match symbol {
            "OPEN" => std::mem::forget(sender),
            "FAIL" => sender.finish(Err(Error::new(ErrorKind::Disconnected, "the stream broke"))),
            _ => sender.finish(Ok(())),
        }
        Ok(stream)
    }

    async fn closed(&self) -> CloseReason {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(|lost| *lost).await {
            Ok(_) => CloseReason::Disconnected("lost by the script".to_owned()),
            Err(_) => CloseReason::Requested,
        }
    }

    async fn close(&self) -> Result<()> {
        self.stage.closed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl ScriptedConnection {
    async fn act(&self, symbol: &str) -> Result<Reply> {
        match symbol {
            "NEVER" => pending::<()>().await,
            // After the first poll it runs on the loop, wherever it began.
            "BLOCK" => {
                tokio::task::yield_now().await;
                self.stage.block();
            }
            "LOSE" => drop(self.lost.send_replace(true)),
            "HUGE" => return Ok(Reply::ManagedAccounts(vec!["x".repeat(17 * 1024 * 1024)])),
            "PRINT" => print_on_stdout("a stray print\n"),
            "EXIT" => std::process::exit(3),
            "PANIC" => panic!("the script panics"),
            "STOP" => stop_myself(),
            _ => {}
        }
        Ok(Reply::ContractDetails(Vec::new()))
    }
}

/// As many events as are wanted, as fast as they are read.
async fn paced(sender: &EventSender, count: i32) {
    let mut values = 0..count;
    while !values.is_empty() {
        let room = sender.room().await;
        if room == 0 {
            return;
        }
        sender.send_all(values.by_ref().take(room).map(event));
    }
    sender.finish(Ok(()));
}

/// A bid for an even value, an ask for an odd one.
fn quote(value: i32) -> Event {
    let tick_type = if value % 2 == 0 { TickType::BID } else { TickType::ASK };
    let (price, attributes) = (Some(value.into()), PriceAttributes::default());
    Event::MarketData(MarketDataEvent::Price { tick_type, price, size: None, attributes })
}

fn event(value: i32) -> Event {
    Event::MarketData(MarketDataEvent::MarketDataType { market_data_type: value })
}

fn stop_myself() -> ! {
    let me = rustix::process::getpid();
    loop {
        rustix::process::kill_process(me, rustix::process::Signal::STOP).unwrap();
    }
}

#[allow(clippy::print_stdout, reason = "that is what is tested")]
fn print_on_stdout(text: &str) {
    print!("{text}");
    std::io::Write::flush(&mut std::io::stdout()).unwrap();
}
