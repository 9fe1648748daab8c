//! The program that is killed: a supervised session, a stream in it, and questions all the time. It says on stdout how it
//! is, and ends at the first thing that must not happen.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{ChildStdout, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect::resilience::{RestartLimit, SupervisedSession, SupervisorOptions};
use ibkr_connect::types::{Contract, MarketDataParams};
use ibkr_connect::{
    CloseReason, Config, ConnectionMode, Error, ErrorKind, StreamRequest, SupervisedStream, Supervisor,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::PATIENCE;
use crate::support::host::{Running, User};
use crate::tape::Tape;

/// The first argument of a host.
const ROLE: &str = "host";

/// Between two questions: IBKR's limit on messages must not be what is waited for.
const PAUSE: Duration = Duration::from_millis(50);

/// What a host is told.
#[derive(Debug)]
pub(crate) struct HostSetup {
    pub(crate) mode: ConnectionMode,
    pub(crate) port: u16,
    pub(crate) state_dir: PathBuf,
    pub(crate) worker: PathBuf,
}

/// How a host is: a question was answered, and this is what its stream has given by then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Progress {
    asked: Timestamp,
    /// The session that answered.
    session: u64,
    /// The session that the stream is in.
    stream: u64,
    pub(crate) events: u64,
    pub(crate) gaps: u64,
}

/// A running host, as the campaign sees it.
#[derive(Debug)]
pub(crate) struct Host {
    process: Running,
    lines: Receiver<String>,
    last: Option<Progress>,
}

impl Host {
    pub(crate) fn start(user: &User, setup: &HostSetup) -> Self {
        let arguments = setup.arguments();
        let program = std::env::current_exe().unwrap();
        let mut command = user.program(&program, arguments.iter().map(String::as_str));
        let mut process = Running(command.stdout(Stdio::piped()).spawn().unwrap());
        let (sender, lines) = mpsc::channel();
        let stdout = process.0.stdout.take().unwrap();
        thread::spawn(move || forward(stdout, &sender));
        Self { process, lines, last: None }
    }

    /// Waits until a question asked after `killed` is answered, in the session that the stream is in too.
    pub(crate) fn until_well(&mut self, killed: Timestamp) {
        // The host gives up on what takes longer than anybody's patience, and says so.
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line =
                self.lines.recv_timeout(left).unwrap_or_else(|error| panic!("the host hangs: {error}"));
            self.hear(&line);
            if self.last.as_ref().is_some_and(|last| last.asked > killed && last.session == last.stream) {
                return;
            }
        }
    }

    /// What it said last.
    pub(crate) fn last_words(&mut self) -> Option<&Progress> {
        while let Ok(line) = self.lines.try_recv() {
            self.hear(&line);
        }
        self.last.as_ref()
    }

    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.process
    }

    fn hear(&mut self, line: &str) {
        let progress = serde_json::from_str(line).unwrap_or_else(|_| panic!("the host says: {line}"));
        self.last = Some(progress);
    }
}

fn forward(stdout: ChildStdout, lines: &Sender<String>) {
    for line in BufReader::new(stdout).lines() {
        // A line cut short by a kill has no more to say than those before it.
        match line {
            Ok(line) if line.starts_with('{') && !line.ends_with('}') => {}
            Ok(line) => drop(lines.send(line)),
            Err(_) => return,
        }
    }
}

impl HostSetup {
    /// The setup of this process, if it is a host.
    pub(crate) fn of_arguments(arguments: &[String]) -> Option<Self> {
        let [_, role, mode, port, state_dir, worker] = arguments else { return None };
        (role == ROLE).then(|| Self {
            mode: mode.parse().unwrap(),
            port: port.parse().unwrap(),
            state_dir: state_dir.into(),
            worker: worker.into(),
        })
    }

    fn arguments(&self) -> [String; 5] {
        let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let (state_dir, worker) = (path(&self.state_dir), path(&self.worker));
        [ROLE.to_owned(), self.mode.to_string(), self.port.to_string(), state_dir, worker]
    }

    fn supervise(&self) -> ibkr_connect::Result<Supervisor> {
        let config = ibkr_connect::literal!(Config {
            mode: self.mode,
            port: self.port,
            state_dir: self.state_dir.clone(),
            worker_path: Some(self.worker.clone()),
            // Every failure is wanted: none of them may stop the next attempt.
            circuit_failures: u32::MAX,
            ..Config::default()
        });
        let options = SupervisorOptions::from(&config)
            .with_schedule(vec![Duration::from_millis(20)])
            .with_listener_poll(Duration::from_millis(10))
            .with_restarts(RestartLimit::default().with_count(u32::MAX));
        ibkr_connect::supervise_with(&config, options)
    }
}

/// The life of a host: it ends only when something is wrong, or by a kill.
#[allow(clippy::print_stdout, reason = "how the campaign hears of it")]
pub(crate) fn live(setup: &HostSetup) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let supervisor = setup.supervise().unwrap();
    let (tape, seen) = watch::channel(Tape::default());
    let wrong = runtime.block_on(async {
        tokio::select! {
            wrong = listen(&supervisor, &tape) => wrong,
            wrong = ask(&supervisor, &seen) => wrong,
        }
    });
    println!("{wrong}");
    ExitCode::FAILURE
}

/// Reads the stream for ever; says what is wrong with it.
async fn listen(supervisor: &Supervisor, tape: &watch::Sender<Tape>) -> String {
    let mut ticks = match subscribe(supervisor).await {
        Ok(ticks) => ticks,
        Err(wrong) => return wrong,
    };
    loop {
        let item = match timeout(PATIENCE, ticks.next()).await {
            Ok(Some(Ok(item))) => item,
            Ok(ended) => return format!("the stream ended: {ended:?}"),
            Err(_) => return format!("no event for {PATIENCE:?}: {:?}", *tape.borrow()),
        };
        let mut verdict = Ok(());
        tape.send_modify(|tape| verdict = tape.take(&item, ticks.generation()));
        if let Err(wrong) = verdict {
            return wrong;
        }
    }
}

async fn subscribe(supervisor: &Supervisor) -> Result<SupervisedStream, String> {
    let params = MarketDataParams::streaming(Contract::stock("AAPL"));
    loop {
        session(supervisor).await?;
        match supervisor.subscribe(StreamRequest::MarketData(params.clone())).await {
            Ok(ticks) => return Ok(ticks),
            Err(error) if is_loss(&error) => {}
            Err(error) => return Err(format!("subscribing: {error}")),
        }
    }
}

/// Asks for ever; says what is wrong with the answers.
async fn ask(supervisor: &Supervisor, tape: &watch::Receiver<Tape>) -> String {
    let mut end: Option<(u64, JoinHandle<CloseReason>)> = None;
    loop {
        let session = match session(supervisor).await {
            Ok(session) => session,
            Err(wrong) => return wrong,
        };
        if let Err(wrong) = replace(&mut end, &session).await {
            return wrong;
        }
        let asked = Timestamp::now();
        match timeout(PATIENCE, session.ping()).await {
            Ok(Ok(_)) => say(asked, session.generation(), &tape.borrow()),
            Ok(Err(error)) if is_loss(&error) => {}
            Ok(Err(error)) => return format!("an answer: {error}"),
            Err(_) => return format!("a question of session {} hangs", session.generation()),
        }
        sleep(PAUSE).await;
    }
}

/// Whoever waited for the end of an earlier session has learned of it.
async fn replace(
    end: &mut Option<(u64, JoinHandle<CloseReason>)>,
    session: &SupervisedSession,
) -> Result<(), String> {
    let generation = session.generation();
    match end.take() {
        Some((waiting, handle)) if waiting == generation => *end = Some((waiting, handle)),
        earlier => {
            if let Some((waiting, handle)) = earlier
                && timeout(PATIENCE, handle).await.is_err()
            {
                return Err(format!("whoever waits for the end of session {waiting} hangs"));
            }
            let session = session.clone();
            *end = Some((generation, tokio::spawn(async move { session.closed().await })));
        }
    }
    Ok(())
}

async fn session(supervisor: &Supervisor) -> Result<SupervisedSession, String> {
    supervisor.session_within(PATIENCE).await.map_err(|error| format!("no session: {error}"))
}

fn is_loss(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::WorkerCrashed | ErrorKind::Closed)
}

#[allow(clippy::print_stdout, reason = "how the campaign hears of it")]
fn say(asked: Timestamp, session: u64, tape: &Tape) {
    let progress = Progress { asked, session, stream: tape.generation, events: tape.events, gaps: tape.gaps };
    // Panics when the campaign is gone: its host must not stay.
    println!("{}", serde_json::to_string(&progress).unwrap());
}
