//! What the pipe costs: a request through a worker beside a bare pipe with the same JSON, and a connect through each
//! mode beside ibapi alone, all in one run.
//!
//! `cargo bench --bench pipe`. The bench is its own worker: it starts itself again, as `worker` (answers at once),
//! `direct-worker` (connects with ibapi) or `ping-pong` (a line in, a line out).

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use criterion::Criterion;
use ibkr_connect::types::Contract;
use ibkr_connect::{
    CloseReason, Connection, ConnectionInfo, ConnectionMode, Connector, Error, ErrorKind, EventStream,
    FlowControl, Reply, Request, Result, Session, StreamRequest, Target, block_on, config,
};
use ibkr_connect_cleanup::{Child, ChildSpec};
use ibkr_connect_direct::{DirectConnector, HostedConnector};
use ibkr_connect_sim::{SimOptions, Simulator};
use ibkr_connect_subprocess::worker::serve_stdio;
use ibkr_connect_subprocess::{SubprocessConnector, WorkerSpec};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("worker") => serve(&InstantConnector),
        Some("direct-worker") => serve(&HostedConnector),
        Some("ping-pong") => ping_pong().expect("answers until its input ends"),
        _ => {
            let mut criterion = Criterion::default().configure_from_args();
            round_trips(&mut criterion);
            hops(&mut criterion);
            connects(&mut criterion);
            criterion.final_summary();
        }
    }
}

fn serve(connector: &dyn Connector) {
    serve_stdio(connector, config::worker_cookie().as_deref()).expect("serves until its parent is done");
}

/// One request at a time: through a worker that answers at once, and through a bare pipe with JSON of the same size.
fn round_trips(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("round trip");
    let mut bare = BarePipe::start();
    group.bench_function("bare pipe and JSON", |bencher| bencher.iter(|| black_box(bare.round_trip())));

    let session =
        pollster::block_on(worker("worker").connect(&Target::default())).map(Session::new).expect("connects");
    group.bench_function("a request through the worker", |bencher| {
        bencher.iter(|| black_box(session.blocking().server_time()).expect("answers"));
    });
    group.finish();
}

/// A request that direct refuses before it asks the Gateway: to its thread and back, beside a bare channel's round trip
/// to a thread with a runtime of the same kind.
fn hops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hop");
    let (sender, mut inbox) = mpsc::unbounded_channel::<oneshot::Sender<u64>>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            while let Some(reply) = inbox.recv().await {
                let _ = reply.send(1);
            }
        });
    });
    group.bench_function("bare channel", |bencher| {
        bencher.iter(|| {
            let (reply, answer) = oneshot::channel();
            sender.send(reply).expect("is there");
            block_on(answer).expect("answers")
        });
    });

    let simulator = Simulator::start(SimOptions::default()).expect("a free port");
    let target = Target::default().with_port(simulator.port());
    let session = Session::new(block_on(DirectConnector.connect(&target)).expect("connects"));
    let no_right = ibkr_connect::literal!(Contract { right: "NONE".into(), ..Contract::stock("AAPL") });
    group.bench_function("direct", |bencher| {
        bencher.iter(|| {
            let refused = session.blocking().contract_details(no_right.clone()).expect_err("is refused");
            assert_eq!(refused.kind(), ErrorKind::InvalidRequest);
        });
    });
    group.finish();
}

/// A whole session: connect, verify, close. The subprocess includes the start of the process.
fn connects(criterion: &mut Criterion) {
    let simulator = Simulator::start(SimOptions::default()).expect("a free port");
    let target = Target::default().with_port(simulator.port());
    let mut group = criterion.benchmark_group("connect and close");
    group.measurement_time(Duration::from_secs(5));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let address = simulator.addr().to_string();
    group.bench_function("ibapi alone", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let client = ibapi::Client::connect(&address, 1).await.expect("connects");
                client.managed_accounts().await.expect("answers");
                client.disconnect().await;
            });
            assert!(
                simulator.wait_until(Duration::from_secs(5), |stats| stats.active == 0),
                "client id 1 is free"
            );
        });
    });
    let once = |connector: &dyn Connector| {
        pollster::block_on(async { connector.connect(&target).await?.close().await })
            .expect("connects and closes");
    };
    group.bench_function("direct", |bencher| bencher.iter(|| once(&DirectConnector)));
    group.bench_function("subprocess", |bencher| bencher.iter(|| once(&worker("direct-worker"))));
    group.finish();
}

fn worker(role: &str) -> SubprocessConnector {
    SubprocessConnector::new(WorkerSpec { program: this_program(), args: vec![role.into()], env: Vec::new() })
}

fn this_program() -> PathBuf {
    std::env::current_exe().expect("this program has a path")
}

/// The shape and size of a request and its reply in the worker protocol.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    id: u64,
    command: &'a str,
    params: [u8; 0],
}

/// The floor: two processes, two pipes, one JSON line each way, and nothing else.
struct BarePipe {
    stdin: std::process::ChildStdin,
    stdout: BufReader<std::process::ChildStdout>,
    line: String,
    _child: Child,
}

impl BarePipe {
    fn start() -> Self {
        let spec = ChildSpec { args: vec!["ping-pong".into()], ..ChildSpec::new(this_program()) };
        let (child, stdin, stdout) = Child::spawn(spec).expect("starts");
        Self { stdin, stdout: BufReader::new(stdout), line: String::new(), _child: child }
    }

    fn round_trip(&mut self) -> u64 {
        let mut bytes =
            serde_json::to_vec(&Line { id: 1, command: "server_time", params: [] }).expect("serializes");
        bytes.push(b'\n');
        self.stdin.write_all(&bytes).expect("writes");
        self.line.clear();
        self.stdout.read_line(&mut self.line).expect("reads");
        serde_json::from_str::<Line<'_>>(&self.line).expect("parses").id
    }
}

fn ping_pong() -> std::io::Result<()> {
    let mut line = String::new();
    let mut stdin = std::io::stdin().lock();
    let mut stdout = std::io::stdout().lock();
    while stdin.read_line(&mut line)? > 0 {
        let mut answer = serde_json::to_vec(&serde_json::from_str::<Line<'_>>(&line)?)?;
        answer.push(b'\n');
        stdout.write_all(&answer)?;
        stdout.flush()?;
        line.clear();
    }
    Ok(())
}

/// A backend that knows every answer.
#[derive(Debug)]
struct InstantConnector;

#[async_trait]
impl Connector for InstantConnector {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        Ok(Box::new(InstantConnection(ibkr_connect::literal!(ConnectionInfo {
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

    async fn subscribe(&self, request: StreamRequest, _flow: FlowControl) -> Result<EventStream> {
        Err(Error::new(ErrorKind::Unsupported, request.command()))
    }

    async fn closed(&self) -> CloseReason {
        std::future::pending().await
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
