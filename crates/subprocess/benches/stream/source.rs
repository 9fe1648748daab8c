//! The worker: a backend that knows every answer, and sources of ticks.
//!
//! Their names are symbols: `PACED:N` gives N ticks as fast as they are read, `FLOOD:N` as fast as they can be made,
//! `CLOCK:N` N ticks per second that carry the time. The others carry their number.

use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::types::{MarketDataEvent, PriceAttributes, TickType};
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, ConnectionMode, Connector, Error, ErrorKind, Event, EventSender,
    EventStream, FlowControl, Reply, Request, Result, StreamRequest, Target, block_on, event_channel,
};
use ibkr_connect_subprocess::worker::{COOKIE_VARIABLE, serve_stdio};

pub(crate) fn role(name: &str) -> Option<fn()> {
    (name == "worker").then_some(|| {
        #[allow(clippy::disallowed_methods, reason = "a worker's entry hands the cookie over")]
        let cookie = std::env::var(COOKIE_VARIABLE).ok();
        serve_stdio(&InstantConnector, cookie.as_deref()).expect("serves until its parent is done");
    })
}

#[derive(Debug)]
struct InstantConnector;

#[async_trait]
impl Connector for InstantConnector {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        Ok(Box::new(InstantConnection(ibkr_connect_core::literal!(ConnectionInfo {
            client_id: target.client_id.unwrap_or(1),
            accounts: vec!["DU1234567".to_owned()],
            readonly: target.readonly,
            ..ConnectionInfo::mock()
        }))))
    }
}

#[derive(Debug)]
struct InstantConnection(ConnectionInfo);

#[async_trait]
impl Connection for InstantConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.0
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        &mut self.0
    }

    async fn request(&self, request: Request, _timeout: Option<Duration>) -> Result<Reply> {
        match request {
            Request::ServerTime => Ok(Reply::ServerTime("2026-11-23T22:21:28Z".parse().expect("a time"))),
            other => Err(Error::new(ErrorKind::Unsupported, other.command())),
        }
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        let StreamRequest::MarketData(params) = request else {
            return Err(Error::new(ErrorKind::Unsupported, request.command()));
        };
        let (name, number) = params.contract.symbol.split_once(':').expect("a source and a number");
        let number: u64 = number.parse().expect("a number");
        let (sender, stream) = event_channel(flow, || {});
        match name {
            "PACED" => drop(thread::spawn(move || block_on(paced(&sender, number)))),
            "FLOOD" => drop(thread::spawn(move || flood(&sender, number))),
            _ => drop(tokio::spawn(clock(sender, number))),
        }
        Ok(stream)
    }

    async fn closed(&self) -> CloseReason {
        std::future::pending().await
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

async fn paced(sender: &EventSender, count: u64) {
    let mut numbers = 0..count;
    while !numbers.is_empty() {
        let room = sender.room().await;
        if room == 0 {
            return;
        }
        sender.send_all(numbers.by_ref().take(room.min(64)).map(|number| tick(number as f64)));
    }
    sender.finish(Ok(()));
}

fn flood(sender: &EventSender, count: u64) {
    (0..count).for_each(|number| sender.send(tick(number as f64)));
    sender.finish(Ok(()));
}

async fn clock(sender: EventSender, per_second: u64) {
    // Timers are no finer than a millisecond.
    let (period, burst) = (Duration::from_millis((1_000 / per_second).max(1)), (per_second / 1_000).max(1));
    let mut beats = tokio::time::interval(period);
    while !sender.is_abandoned() {
        beats.tick().await;
        sender.send_all((0..burst).map(|_| tick(crate::now())));
    }
}

fn tick(price: f64) -> Event {
    Event::MarketData(MarketDataEvent::Price {
        tick_type: TickType::BID,
        price: Some(price),
        size: Some(100.0),
        attributes: PriceAttributes::default(),
    })
}
