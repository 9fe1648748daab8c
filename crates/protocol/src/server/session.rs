//! The loop: one session, its requests and its streams.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ibkr_connect_core::{
    Access, CloseReason, Connection, Connector, Error, ErrorKind, Request, Result, Target, check_access,
};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::input::{Command, Current, Inbox, Message, Open, Opening, answered};
use super::output::Output;
use super::streaming::{self, ready};
use crate::frames::{Answer, Cancelled, Connected, CreditParams, Empty, MAX_IN_FLIGHT, PongFrom};

type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Connection>>> + Send + 'a>>;

/// The state of the loop.
pub(super) struct Server<'a> {
    connector: &'a dyn Connector,
    output: Arc<Output>,
    patience: Duration,
    session: Session<'a>,
    /// The session's connection as the input thread sees it.
    current: Current,
    tasks: JoinSet<Finished>,
    running: HashMap<u64, Running>,
    /// What the running streams were granted since they began.
    credits: HashMap<u64, watch::Sender<u64>>,
}

/// A request or a stream under way.
struct Running {
    task: AbortHandle,
    access: Access,
}

impl Running {
    fn is_running(&self) -> bool {
        !self.task.is_finished()
    }

    /// A trade runs to its end, whoever listens.
    fn is_running_trade(&self) -> bool {
        self.access == Access::Trade && self.is_running()
    }
}

/// Whether there is a Gateway to ask.
enum Session<'a> {
    None,
    Connecting(u64, Connecting<'a>),
    Connected(Arc<dyn Connection>),
    Lost(Error),
}

/// What a task has done when it ends.
enum Finished {
    Work(u64),
    SessionLost(CloseReason, Error),
}

/// Whether the loop goes on.
enum Flow {
    Continue,
    Stop,
}

impl<'a> Server<'a> {
    pub(super) fn new(
        connector: &'a dyn Connector,
        output: Arc<Output>,
        current: Current,
        patience: Duration,
    ) -> Self {
        Self {
            connector,
            output,
            patience,
            session: Session::None,
            current,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            credits: HashMap::new(),
        }
    }

    /// Serves until a shutdown, or the end of the input or the output.
    pub(super) async fn serve(mut self, mut inbox: Inbox) {
        let output = Arc::clone(&self.output);
        let mut broken = pin!(output.broken());
        let collected = Arc::clone(&self.output);
        let flushing = tokio::spawn(async move { collected.flush_when_idle().await });
        loop {
            tokio::select! {
                biased;
                Some(message) = inbox.trades.recv() => {
                    self.receive(message).await;
                }
                message = inbox.others.recv() => {
                    let Some(message) = message else { break };
                    if let Flow::Stop = self.receive(message).await {
                        break;
                    }
                }
                (id, outcome) = self.session.connected() => self.connected(id, outcome),
                Some(finished) = self.tasks.join_next() => self.finished(finished),
                () = &mut broken => break,
            }
        }
        // After a shutdown there is nothing left to end; otherwise nobody listens, and an end in order needs no report.
        let _ = self.wind_down().await;
        flushing.abort();
        output.flush();
    }

    async fn receive(&mut self, Message { id, access, command }: Message) -> Flow {
        let outcome = match command {
            Command::Ping => {
                self.output.answer(&Answer::pong(id, PongFrom::Loop));
                Ok(())
            }
            Command::Cancel(target) => {
                let cancelled = self.cancel(target);
                self.output.answer(&Answer::success(id, Cancelled { cancelled }));
                Ok(())
            }
            Command::Shutdown => {
                match self.wind_down().await {
                    Ok(()) => self.output.answer(&Answer::success(id, Empty {})),
                    Err(error) => self.output.error(id, error),
                }
                return Flow::Stop;
            }
            Command::Connect(target) => self.connect(id, target),
            Command::Request(request, timeout, open) => {
                self.request((id, access), request, timeout, open).await
            }
            Command::Begun(work, open) => {
                self.run((id, access), open, work);
                Ok(())
            }
            Command::Subscribe(opening, open) => self.subscribe((id, access), opening, open),
            Command::Credit(params) => {
                self.grant(params);
                Ok(())
            }
            Command::Panicked(panic) => std::panic::resume_unwind(panic),
        };
        if let Err(error) = outcome {
            self.output.error(id, error);
        }
        Flow::Continue
    }

    fn connect(&mut self, id: u64, target: Target) -> Result<()> {
        self.check_free(id)?;
        match self.session {
            Session::None | Session::Lost(_) => {}
            Session::Connecting(..) | Session::Connected(_) => {
                return Err(Error::new(
                    ErrorKind::InvalidRequest,
                    "this worker is connected or connecting already",
                )
                .with_advice("a worker has one session: shut it down, or start another worker"));
            }
        }
        let connector = self.connector;
        self.session = Session::Connecting(id, Box::pin(async move { connector.connect(&target).await }));
        Ok(())
    }

    fn connected(&mut self, id: u64, outcome: Result<Box<dyn Connection>>) {
        match outcome {
            Ok(connection) => {
                let connection: Arc<dyn Connection> = Arc::from(connection);
                self.output.answer(&Answer::success(id, Connected::from(connection.info())));
                let watched = Arc::clone(&connection);
                self.tasks.spawn(async move {
                    let reason = watched.closed().await;
                    let error = loss(&*watched, &reason).await;
                    Finished::SessionLost(reason, error)
                });
                self.set_session(Session::Connected(connection));
            }
            Err(error) => {
                self.output.error(id, error);
                self.session = Session::None;
            }
        }
    }

    async fn request(
        &mut self,
        (id, access): (u64, Access),
        request: Request,
        timeout: Option<Duration>,
        open: Open,
    ) -> Result<()> {
        let connection = self.admit(id, request.command(), access)?;
        let mut work = answered(id, connection, request, timeout, Arc::clone(&self.output));
        // What is ready at once, or only has to be passed on, need not wait for its turn as a task.
        if ready(work.as_mut()).await.is_none() {
            self.run((id, access), open, work);
        }
        Ok(())
    }

    fn subscribe(&mut self, (id, access): (u64, Access), opening: Opening, open: Open) -> Result<()> {
        let Opening { request, flow, credit } = opening;
        let connection = self.admit(id, request.command(), access)?;
        let output = Arc::clone(&self.output);
        let (credit, granted) = watch::channel(credit);
        // To end a stream that trades is to end its reading.
        self.run((id, Access::Read), open, async move {
            match connection.subscribe(request, flow).await {
                Ok(events) => {
                    drop(connection);
                    output.answer(&Answer::success(id, Empty {}));
                    streaming::forward(id, events, granted, &output).await;
                }
                Err(error) => output.error(id, error),
            }
        });
        self.credits.insert(id, credit);
        Ok(())
    }

    /// Lets a stream go on; one that has ended meanwhile needs nothing.
    fn grant(&self, CreditParams { target, events }: CreditParams) {
        if let Some(credit) = self.credits.get(&target) {
            credit.send_modify(|granted| *granted = granted.saturating_add(events));
        }
    }

    /// The connection, if this may run on it now.
    fn admit(&mut self, id: u64, command: &str, access: Access) -> Result<Arc<dyn Connection>> {
        self.check_free(id)?;
        self.check_room()?;
        let connection = self.session.connection(command)?;
        check_access(connection.info(), command, access)?;
        Ok(connection)
    }

    fn check_free(&self, id: u64) -> Result<()> {
        let connecting = matches!(self.session, Session::Connecting(connecting, _) if connecting == id);
        let running = self.running.get(&id).is_some_and(Running::is_running);
        if connecting || running {
            return Err(Error::new(ErrorKind::Protocol, format!("the id {id} is in use already"))
                .with_advice("give every command an id of its own"));
        }
        Ok(())
    }

    /// Counted here and not where lines are read, because a cancel makes room for what comes after it.
    fn check_room(&mut self) -> Result<()> {
        if self.running.len() >= MAX_IN_FLIGHT {
            while let Some(finished) = self.tasks.try_join_next() {
                self.finished(finished);
            }
        }
        if self.running.len() >= MAX_IN_FLIGHT {
            return Err(Error::new(
                ErrorKind::Busy,
                format!("{MAX_IN_FLIGHT} requests and streams are open at the same time already"),
            )
            .with_advice("wait for some of them, or use another worker"));
        }
        Ok(())
    }

    pub(super) fn run(
        &mut self,
        (id, access): (u64, Access),
        open: Open,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = self.tasks.spawn(async move {
            work.await;
            drop(open);
            Finished::Work(id)
        });
        self.running.insert(id, Running { task, access });
    }

    fn finished(&mut self, finished: Result<Finished, JoinError>) {
        match finished {
            // A later command may have got the same id meanwhile.
            Ok(Finished::Work(id)) => {
                if self.running.get(&id).is_some_and(|running| !running.is_running()) {
                    self.running.remove(&id);
                    self.credits.remove(&id);
                }
            }
            Ok(Finished::SessionLost(reason, error)) => {
                self.output.answer(&Answer::closed(reason, error.clone()));
                self.set_session(Session::Lost(error));
            }
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }

    /// Changes the session, also for the input thread, and gives the one before.
    fn set_session(&mut self, session: Session<'a>) -> Session<'a> {
        let connection = match &session {
            Session::Connected(connection) => Some(Arc::clone(connection)),
            _ => None,
        };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = connection;
        std::mem::replace(&mut self.session, session)
    }

    /// Ends `target`, if it runs and is not a trade. Its task shares this thread, so nothing more of it comes after its `end`.
    pub(super) fn cancel(&mut self, target: u64) -> bool {
        let connecting = matches!(self.session, Session::Connecting(id, _) if id == target);
        if connecting {
            self.session = Session::None;
        }
        if self.running.get(&target).is_some_and(Running::is_running_trade) {
            return false;
        }
        let running = self.running.remove(&target).filter(Running::is_running);
        self.credits.remove(&target);
        if let Some(running) = &running {
            running.task.abort();
        }
        let cancelled = connecting || running.is_some();
        if cancelled {
            self.output.answer(&Answer::end(target));
        }
        cancelled
    }

    /// Ends everything that runs, and the session in order; trades may come to their own end before.
    pub(super) async fn wind_down(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        let connecting = match &self.session {
            Session::Connecting(id, _) => Some(*id),
            _ => None,
        };
        let ids: Vec<u64> = self.running.keys().copied().chain(connecting).collect();
        for id in ids {
            self.cancel(id);
        }
        // Whoever sent a trade that is still running then learns nothing of its end: the link ends.
        let _ = timeout_at(deadline, self.trades_ended()).await;
        self.tasks.abort_all();
        let Session::Connected(connection) = self.set_session(Session::None) else {
            return Ok(());
        };
        timeout_at(deadline, connection.close()).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Timeout,
                format!("the session did not close within {:?}", self.patience),
            ))
        })
    }

    async fn trades_ended(&mut self) {
        while self.running.values().any(Running::is_running_trade) {
            let Some(finished) = self.tasks.join_next().await else { return };
            self.finished(finished);
        }
    }
}

impl Session<'_> {
    /// Waits for the connect that runs, or for ever.
    async fn connected(&mut self) -> (u64, Result<Box<dyn Connection>>) {
        match self {
            Self::Connecting(id, connecting) => (*id, connecting.await),
            _ => pending().await,
        }
    }

    fn connection(&self, command: &str) -> Result<Arc<dyn Connection>> {
        match self {
            Self::Connected(connection) => Ok(Arc::clone(connection)),
            Self::Lost(error) => Err(error.clone()),
            Self::None | Self::Connecting(..) => Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("{command} needs a connection, and there is none yet"),
            )
            .with_advice("send connect first and wait for its success")),
        }
    }
}

/// What everything fails with on a connection that is gone: whoever asks it anything is told at once, with the Gateway's last
/// code, which the reason does not have.
async fn loss(connection: &dyn Connection, reason: &CloseReason) -> Error {
    const AT_ONCE: Duration = Duration::from_secs(1);
    let expected = reason.error();
    let question = connection.request(Request::ServerTime, None);
    match tokio::time::timeout(AT_ONCE, question).await {
        Ok(Err(error)) if error.kind() == expected.kind() => error,
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::{ConnectionInfo, MockConnection, MockConnector};

    use super::*;

    impl<'a> Server<'a> {
        /// One that is connected.
        pub(crate) fn with_session(
            connector: &'a dyn Connector,
            output: Arc<Output>,
            connection: impl Connection + 'static,
            patience: Duration,
        ) -> Self {
            let mut server = Self::new(connector, output, Current::default(), patience);
            server.session = Session::Connected(Arc::new(connection));
            server
        }
    }

    #[test]
    fn what_trades_is_refused_here_too_in_a_read_only_session() {
        let mut connection = MockConnection::new();
        connection.expect_info().return_const(ConnectionInfo::mock());
        let connector = MockConnector::new();
        let output = Arc::new(Output::new(crate::testing::Buffer::with_room(usize::MAX).pipe()));
        let mut server = Server::with_session(&connector, output, connection, Duration::ZERO);
        let refused = server.admit(1, "place_order", Access::Trade).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ReadOnly);
        assert!(server.admit(1, "positions", Access::Read).is_ok());
    }
}
