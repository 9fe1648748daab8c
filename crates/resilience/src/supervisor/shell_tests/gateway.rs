//! A Gateway in memory, as a connector.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::types::ProofOfLife;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, ConnectionMode, Connector, Error, ErrorKind, Event, EventSender,
    EventStream, FlowControl, Reply, Request, Result, StreamRequest, Target, event_channel,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// What an answer takes.
const ROUND_TRIP: Duration = Duration::from_millis(1);
/// The deadline of a request.
const DEADLINE: Duration = Duration::from_secs(30);

/// The Gateway. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct InMemoryGateway(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    open_questions: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    refusal: Option<Error>,
    mode: GatewayMode,
    connects: usize,
    questions: usize,
    sessions: Vec<watch::Sender<Option<CloseReason>>>,
    streams: Vec<Opened>,
    plans: VecDeque<(StreamRequest, Plan)>,
    /// What it has said before anybody listened.
    kept: Vec<Event>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum GatewayMode {
    #[default]
    Well,
    Mute,
    PingsOnly,
}

/// What becomes of an opening.
#[derive(Debug)]
enum Plan {
    Fails(Error),
    Panics,
}

type Source = Arc<Mutex<Option<Arc<EventSender>>>>;

#[derive(Debug)]
struct Opened {
    request: StreamRequest,
    session: usize,
    /// Dropped when it is cancelled.
    source: Source,
    /// How many of the same request were open then, this one included.
    at_once: usize,
}

impl Opened {
    fn is_cancelled(&self) -> bool {
        self.source().is_none()
    }

    fn source(&self) -> Option<Arc<EventSender>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn finish(&self, kind: ErrorKind) {
        if let Some(source) = self.source() {
            source.finish(Err(Error::new(kind, "as planned")));
        }
    }
}

impl InMemoryGateway {
    /// From now on attempts fail like this, or succeed.
    pub(super) fn refuses(&self, refusal: Option<Error>) {
        self.state().refusal = refusal;
    }

    pub(super) fn falls_mute(&self) {
        let mut state = self.state();
        state.mode = GatewayMode::Mute;
        state.questions = 0;
    }

    pub(super) fn answers_pings_only(&self) {
        self.state().mode = GatewayMode::PingsOnly;
    }

    pub(super) fn answers_again(&self) {
        self.state().mode = GatewayMode::Well;
    }

    /// How many pings it was sent since it is mute, and how many of them still wait.
    pub(super) fn questions(&self) -> (usize, usize) {
        (self.state().questions, self.0.open_questions.load(Ordering::SeqCst))
    }

    pub(super) fn connects(&self) -> usize {
        self.state().connects
    }

    /// All sessions are lost.
    pub(super) fn loses_all(&self) {
        let mut state = self.state();
        state.streams.iter().for_each(|opened| opened.finish(ErrorKind::Disconnected));
        for session in state.sessions.drain(..) {
            session.send_replace(Some(CloseReason::Disconnected("as planned".to_owned())));
        }
    }

    pub(super) fn next_opening_fails(&self, request: &StreamRequest, error: Error) {
        self.state().plans.push_back((request.clone(), Plan::Fails(error)));
    }

    pub(super) fn next_opening_panics(&self, request: &StreamRequest) {
        self.state().plans.push_back((request.clone(), Plan::Panics));
    }

    /// How often such a stream was opened.
    pub(super) fn opened(&self, request: &StreamRequest) -> usize {
        self.state().streams.iter().filter(|opened| opened.request == *request).count()
    }

    /// How many of those were cancelled.
    pub(super) fn cancelled(&self, request: &StreamRequest) -> usize {
        let state = self.state();
        state.streams.iter().filter(|opened| opened.request == *request && opened.is_cancelled()).count()
    }

    pub(super) fn most_at_once(&self, request: &StreamRequest) -> usize {
        let state = self.state();
        state
            .streams
            .iter()
            .filter(|opened| opened.request == *request)
            .map(|opened| opened.at_once)
            .max()
            .unwrap_or(0)
    }

    /// The source of the newest stream of this request.
    #[track_caller]
    pub(super) fn newest(&self, request: &StreamRequest) -> Arc<EventSender> {
        let state = self.state();
        let newest = state.streams.iter().rfind(|opened| opened.request == *request);
        newest.and_then(Opened::source).expect("nobody has asked for it, or it is cancelled")
    }

    /// What every later session is told first.
    pub(super) fn keeps(&self, notices: Vec<Event>) {
        self.state().kept = notices;
    }

    /// Says something to whoever listens.
    pub(super) fn says(&self, notice: Event) {
        self.newest(&StreamRequest::Notices).send(notice);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Connector for InMemoryGateway {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, _: &Target) -> Result<Box<dyn Connection>> {
        sleep(ROUND_TRIP).await;
        let mut state = self.state();
        state.connects += 1;
        if let Some(refusal) = &state.refusal {
            return Err(refusal.clone());
        }
        let (sender, closed) = watch::channel(None);
        state.sessions.push(sender);
        let session = state.connects;
        Ok(Box::new(InMemoryConnection { gateway: self.clone(), info: info(), session, closed }))
    }
}

#[derive(Debug)]
struct InMemoryConnection {
    gateway: InMemoryGateway,
    info: ConnectionInfo,
    session: usize,
    closed: watch::Receiver<Option<CloseReason>>,
}

/// A question that waits, until it is dropped.
struct Question(Arc<Shared>);

impl Question {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open_questions.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.0.open_questions.fetch_sub(1, Ordering::SeqCst);
    }
}

impl InMemoryConnection {
    async fn answer(&self, request: &Request) -> Result<Reply> {
        let is_ping = *request == Request::ProofOfLife;
        sleep(ROUND_TRIP).await;
        let mode = self.gateway.state().mode;
        match mode {
            GatewayMode::Mute => {
                self.gateway.state().questions += usize::from(is_ping);
                let _waits = Question::new(&self.gateway.0);
                pending().await
            }
            GatewayMode::PingsOnly if !is_ping => pending().await,
            _ if is_ping => Ok(Reply::ProofOfLife(ProofOfLife::ManagedAccounts)),
            _ => Ok(Reply::Positions(Vec::new())),
        }
    }
}

#[async_trait]
impl Connection for InMemoryConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        &mut self.info
    }

    async fn request(&self, request: Request, limit: Option<Duration>) -> Result<Reply> {
        let limit = limit.unwrap_or(DEADLINE);
        let late = |_| Err(Error::new(ErrorKind::Timeout, "no answer"));
        timeout(limit, self.answer(&request)).await.unwrap_or_else(late)
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        sleep(ROUND_TRIP).await;
        let mut state = self.gateway.state();
        if state.plans.front().is_some_and(|(planned, _)| *planned == request) {
            match state.plans.pop_front() {
                Some((_, Plan::Fails(error))) => return Err(error),
                _ => {
                    drop(state);
                    panic!("as planned");
                }
            }
        }
        let source = Source::default();
        let cancelled = Arc::clone(&source);
        let cancel = move || drop(cancelled.lock().unwrap_or_else(PoisonError::into_inner).take());
        let (sender, events) = event_channel(flow, cancel);
        if request == StreamRequest::Notices {
            sender.send_all(state.kept.iter().cloned());
        }
        source.lock().unwrap_or_else(PoisonError::into_inner).replace(Arc::new(sender));
        let is_open = |opened: &&Opened| opened.request == request && !opened.is_cancelled();
        let at_once = state.streams.iter().filter(is_open).count() + 1;
        state.streams.push(Opened { request, session: self.session, source, at_once });
        Ok(events)
    }

    async fn closed(&self) -> CloseReason {
        let mut closed = self.closed.clone();
        let reason = closed.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or(CloseReason::Requested)
    }

    async fn close(&self) -> Result<()> {
        let sender = {
            let mut state = self.gateway.state();
            let mine = state.streams.iter().filter(|opened| opened.session == self.session);
            mine.for_each(|opened| opened.finish(ErrorKind::Closed));
            let place = state.sessions.iter().position(|sender| {
                sender.receiver_count() > 0 && {
                    let subscribed = sender.subscribe();
                    subscribed.same_channel(&self.closed)
                }
            });
            place.map(|place| state.sessions.swap_remove(place))
        };
        sender.inspect(|sender| drop(sender.send_replace(Some(CloseReason::Requested))));
        Ok(())
    }
}

pub(crate) fn info() -> ConnectionInfo {
    ConnectionInfo::mock()
}
