//! Connectors around the direct backend that do what a test needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, ConnectionMode, Connector, Error, ErrorKind, EventStream,
    FlowControl, Reply, Request, Result, StreamRequest, Target,
};
use ibkr_connect_direct::DirectConnector;

/// Counts attempts.
#[derive(Debug, Default)]
pub(crate) struct Counting(AtomicUsize);

impl Counting {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Connector for Counting {
    fn mode(&self) -> ConnectionMode {
        DirectConnector.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        DirectConnector.connect(target).await
    }
}

#[derive(Debug, Default)]
pub(crate) struct PanicsOnce(AtomicUsize);

#[async_trait]
impl Connector for PanicsOnce {
    fn mode(&self) -> ConnectionMode {
        DirectConnector.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        assert_ne!(self.0.fetch_add(1, Ordering::SeqCst), 0, "the first attempt panics, as planned");
        DirectConnector.connect(target).await
    }
}

/// Can make a session mute without its socket being lost, which is what a stopped Gateway process looks like, hold back
/// the answer to a subscription, and lose one. Two sessions at once are a panic.
#[derive(Debug, Default)]
pub(crate) struct Muffler {
    connects: AtomicUsize,
    pub(crate) switches: Arc<Switches>,
}

#[derive(Debug, Default)]
pub(crate) struct Switches {
    pub(crate) muted_generation: AtomicUsize,
    pub(crate) losing_generation: AtomicUsize,
    pub(crate) subscribing: tokio::sync::Mutex<()>,
    open: AtomicUsize,
}

#[async_trait]
impl Connector for Muffler {
    fn mode(&self) -> ConnectionMode {
        DirectConnector.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        assert_eq!(self.switches.open.fetch_add(1, Ordering::SeqCst), 0, "the lost session is still open");
        let generation = self.connects.fetch_add(1, Ordering::SeqCst) + 1;
        let inner = DirectConnector.connect(target).await?;
        Ok(Box::new(Muffled { inner, generation, switches: Arc::clone(&self.switches) }))
    }
}

#[derive(Debug)]
struct Muffled {
    inner: Box<dyn Connection>,
    generation: usize,
    switches: Arc<Switches>,
}

impl Muffled {
    fn is(&self, generation: &AtomicUsize) -> bool {
        generation.load(Ordering::SeqCst) == self.generation
    }
}

#[async_trait]
impl Connection for Muffled {
    fn info(&self) -> &ConnectionInfo {
        self.inner.info()
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        self.inner.info_mut()
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        let reply = self.inner.request(request, timeout).await;
        if self.is(&self.switches.muted_generation) {
            std::future::pending::<()>().await;
        }
        reply
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        if !request.is_market_data() {
            return self.inner.subscribe(request, flow).await;
        }
        if self.is(&self.switches.losing_generation) {
            return Err(Error::new(ErrorKind::Disconnected, "lost while subscribing"));
        }
        let events = self.inner.subscribe(request, flow).await;
        drop(self.switches.subscribing.lock().await);
        events
    }

    async fn closed(&self) -> CloseReason {
        self.inner.closed().await
    }

    async fn close(&self) -> Result<()> {
        let closed = self.inner.close().await;
        self.switches.open.fetch_sub(1, Ordering::SeqCst);
        closed
    }
}
