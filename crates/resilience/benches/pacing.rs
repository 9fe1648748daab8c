//! What the pacer costs a request that need not wait, beside the floors: the same request without a pacer, and the bucket alone.
//!
//! The clock goes on by a second whenever it is asked, so that no request ever waits.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use ibkr_connect_core::config::Pacing;
use ibkr_connect_core::{
    CloseReason, Config, Connection, ConnectionInfo, ConnectionMode, Connector, EventStream, FlowControl,
    Reply, Request, Result, StreamRequest, Target, block_on,
};
use ibkr_connect_resilience::parts::Bucket;
use ibkr_connect_resilience::parts::{Clock, KernelClock, Moment, Stamp};
use ibkr_connect_resilience::{Policy, PortCheck, RobustConnector};

/// A Gateway that answers at once.
#[derive(Debug)]
struct AtOnce;

#[async_trait]
impl Connector for AtOnce {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        Ok(Box::new(Answering(ibkr_connect_core::literal!(ConnectionInfo {
            client_id: target.client_id.unwrap_or_default(),
            accounts: Vec::new(),
            ..ConnectionInfo::mock()
        }))))
    }
}

#[derive(Debug)]
struct Answering(ConnectionInfo);

#[async_trait]
impl Connection for Answering {
    fn info(&self) -> &ConnectionInfo {
        &self.0
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        &mut self.0
    }

    async fn request(&self, _: Request, _: Option<Duration>) -> Result<Reply> {
        Ok(Reply::NextOrderId(1))
    }

    async fn subscribe(&self, _: StreamRequest, _: FlowControl) -> Result<EventStream> {
        Ok(std::iter::empty().collect())
    }

    async fn closed(&self) -> CloseReason {
        std::future::pending().await
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Goes on by a second whenever it is asked.
#[derive(Debug)]
struct Fast {
    boot: Stamp,
    millis: AtomicI64,
}

impl Clock for Fast {
    fn now(&self) -> Stamp {
        let millis = self.millis.fetch_add(1_000, Ordering::Relaxed);
        Stamp { at: Moment::from_millis(millis), ..self.boot.clone() }
    }
}

fn connection(pacing: Pacing, state: &tempfile::TempDir) -> Box<dyn Connection> {
    let config = Config::default().with_state_dir(state.path().to_owned()).with_pacing(pacing);
    let policy = Policy::from(&config).with_port_check(PortCheck::Off);
    let clock = Fast { boot: KernelClock::default().now(), millis: AtomicI64::new(0) };
    let connector =
        RobustConnector::with_clock(Arc::new(AtOnce) as Arc<dyn Connector>, policy, Arc::new(clock));
    block_on(connector.connect(&config.target())).expect("a connection")
}

fn request(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    let mut bucket = Bucket::full(Moment::default());
    let mut millis = 0;
    group.bench_function("the bucket alone", |bencher| {
        bencher.iter(|| {
            millis += 1_000;
            let now = Moment::from_millis(millis);
            let wait = bucket.wait(now, black_box(1));
            bucket.take(now, 1);
            wait
        });
    });
    let state = tempfile::tempdir().expect("a directory");
    for (name, pacing) in [("without a pacer", Pacing::Unlimited), ("through the pacer", Pacing::Queue)] {
        let connection = connection(pacing, &state);
        group.bench_function(name, |bencher| {
            bencher.iter(|| block_on(connection.request(black_box(Request::NextOrderId), None)));
        });
    }
    group.finish();
}

criterion_group!(benches, request);
criterion_main!(benches);
