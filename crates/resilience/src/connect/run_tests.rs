//! The robust connect under virtual time, over a connector that follows a script.

use std::collections::VecDeque;
use std::error::Error as _;
use std::net::TcpListener;
use std::sync::Mutex;

use async_trait::async_trait;
use ibkr_connect_core::config::Region;
use ibkr_connect_core::{Connection, ConnectionInfo, ConnectionMode, Connector, MockConnection, Phase};
use ibkr_connect_state::{ManualClock, Stamp};

use super::*;
use crate::breaker::Note;
use crate::connect::attempts::Attempts;
use crate::connect::connection::RobustConnection;
use crate::connect::dialer::Dialing;

/// The manual clock, which goes on by itself with tokio's virtual time.
#[derive(Debug)]
struct VirtualClock {
    manual: ManualClock,
    start: Instant,
}

impl Clock for VirtualClock {
    fn now(&self) -> Stamp {
        let (now, passed) = (self.manual.now(), self.start.elapsed());
        Stamp { at: now.at + passed, wall: now.wall + passed, ..now }
    }
}

/// What the scripted connector does next.
enum Scene {
    Connect,
    ConnectLate,
    Fail(Error),
    FailLate(Error),
    Hang,
}

/// Follows its script and notes the client ids it was called with.
#[derive(Debug, Default)]
struct Scripted {
    script: Mutex<VecDeque<Scene>>,
    called_with: Mutex<Vec<i32>>,
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scene")
    }
}

#[async_trait]
impl Connector for Scripted {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        self.called_with.lock().unwrap().push(target.client_id.unwrap());
        let scene = self.script.lock().unwrap().pop_front().expect("one attempt too many");
        if matches!(scene, Scene::ConnectLate) {
            sleep(Duration::from_secs(1)).await;
        }
        match scene {
            Scene::Connect | Scene::ConnectLate => {
                let mut connection = MockConnection::new();
                connection.expect_info().return_const(info(target.client_id.unwrap()));
                connection.expect_close().returning(|| Ok(()));
                Ok(Box::new(connection))
            }
            Scene::Fail(error) => Err(error),
            Scene::FailLate(error) => {
                sleep(Duration::from_secs(1)).await;
                Err(error)
            }
            Scene::Hang => std::future::pending().await,
        }
    }
}

fn info(client_id: i32) -> ConnectionInfo {
    serde_json::from_value(serde_json::json!({
        "mode": "mock", "client_id": client_id, "server_version": 226, "accounts": ["DU1"], "readonly": true,
        "phases": [{ "phase": "tcp", "ms": 0.5 }], "connect_ms": 1.0,
    }))
    .unwrap()
}

struct Fixture {
    temp: tempfile::TempDir,
    clock: ManualClock,
    start: Instant,
    connector: Arc<Scripted>,
    breaker: BreakerStore,
    /// Somebody has to listen on a local port.
    _listener: TcpListener,
    target: Target,
}

impl Fixture {
    fn new(script: impl IntoIterator<Item = Scene>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::default().with_port(listener.local_addr().unwrap().port());
        let connector = Scripted { script: Mutex::new(script.into_iter().collect()), ..Scripted::default() };
        let (temp, clock, start) = (tempfile::tempdir().unwrap(), ManualClock::new(), Instant::now());
        let settings = Policy::from(&ibkr_connect_core::Config::default()).breaker;
        let virtual_clock = Arc::new(VirtualClock { manual: clock.clone(), start });
        Self {
            breaker: BreakerStore::new(temp.path(), Gateway::from(&target), settings, virtual_clock),
            temp,
            clock,
            start,
            connector: Arc::new(connector),
            _listener: listener,
            target,
        }
    }

    fn run_with(&self, change: impl FnOnce(&mut Run<Dialing>, &mut Policy)) -> Run<Dialing> {
        let config = ibkr_connect_core::Config::default().with_state_dir(self.temp.path().to_path_buf());
        let mut policy = Policy::from(&config);
        let mut run = Run {
            dialer: Dialing(Arc::clone(&self.connector) as Arc<dyn Connector>),
            policy: Arc::new(policy.clone()),
            clock: Arc::new(VirtualClock { manual: self.clock.clone(), start: self.start }),
            target: self.target.clone(),
            gateway: Gateway::from(&self.target),
            breaker: self.breaker.clone(),
            pacer: None,
            observer: Observer::default(),
            pacing_observer: Observer::default(),
        };
        change(&mut run, &mut policy);
        run.policy = Arc::new(policy);
        run
    }

    fn run(&self) -> Run<Dialing> {
        self.run_with(|_, _| {})
    }

    fn calls(&self) -> Vec<i32> {
        self.connector.called_with.lock().unwrap().clone()
    }
}

fn fail(kind: ErrorKind) -> Scene {
    Scene::Fail(Error::new(kind, "scripted").in_phase(Phase::Version))
}

fn in_use() -> Scene {
    Scene::Fail(Error::new(ErrorKind::ClientIdInUse, "326").in_phase(Phase::StartApi).with_code(326))
}

/// Those who show what a connect waits for see each step, and how long it may take.
#[tokio::test(start_paused = true)]
async fn every_wait_is_told() {
    let fixture = Fixture::new([fail(ErrorKind::HandshakeTimeout), Scene::Connect]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let run =
        fixture.run_with(|run, _| run.observer = Observer::new(move |wait| seen.lock().unwrap().push(wait)));
    let lock = HandshakeLock::of_gateway(fixture.temp.path(), &run.gateway, "first", Arc::clone(&run.clock));
    let guard = lock.try_acquire().unwrap().unwrap();
    let (connected, ()) = tokio::join!(run.connect(), async {
        sleep(Duration::from_secs(3)).await;
        drop(guard);
    });
    drop(connected.unwrap());
    let told = told.lock().unwrap();
    let [turn, first, retry, second] = &told[..] else { panic!("{told:?}") };
    let (timeout, patience) = (run.target.timeout, run.policy.lock_timeout);
    assert!(
        matches!(turn, ConnectWait::Turn { holder, at_most } if holder.contains("(first)") && *at_most == patience),
        "{turn:?}"
    );
    for (wait, number) in [(first, 1), (second, 2)] {
        assert!(
            matches!(wait, ConnectWait::Handshake { attempt, most: 3, at_most } if (*attempt, *at_most) == (number, timeout)),
            "{wait:?}"
        );
    }
    assert!(
        matches!(retry, ConnectWait::Retry { attempt: 2, most: 3, after, .. } if after.kind() == ErrorKind::HandshakeTimeout),
        "{retry:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_can_help_is_tried_again_after_a_growing_wait() {
    let fixture =
        Fixture::new([fail(ErrorKind::HandshakeTimeout), fail(ErrorKind::Rejected), Scene::Connect]);
    let start = Instant::now();
    let connection = RobustConnection::new(fixture.run().connect().await.unwrap());
    let info = connection.info();
    assert_eq!(info.client_id, fixture.calls()[2]);
    let attempts: Vec<_> = info.attempts.iter().map(|attempt| (attempt.kind, attempt.client_id)).collect();
    let kinds = [Some(ErrorKind::HandshakeTimeout), Some(ErrorKind::Rejected), None];
    assert_eq!(attempts, kinds.into_iter().zip(fixture.calls().into_iter().map(Some)).collect::<Vec<_>>());
    assert_eq!(info.attempts[2].phases, info.phases);
    assert!(start.elapsed() <= Duration::from_secs(3), "at most 1 s, then at most 2 s");
}

#[tokio::test(start_paused = true)]
async fn the_error_has_every_attempt() {
    let fixture = Fixture::new([
        fail(ErrorKind::HandshakeTimeout),
        fail(ErrorKind::Rejected),
        fail(ErrorKind::Disconnected),
    ]);
    let error = fixture.run().connect().await.unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Disconnected, Some(Phase::Version)));
    let attempts: &Attempts = error.source().unwrap().downcast_ref().unwrap();
    let kinds: Vec<_> = attempts.attempts().iter().filter_map(|attempt| attempt.kind).collect();
    assert_eq!(kinds, [ErrorKind::HandshakeTimeout, ErrorKind::Rejected, ErrorKind::Disconnected]);
    assert!(attempts.attempts()[1..].iter().all(|attempt| attempt.client_id.is_some()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_help_is_not_tried_again() {
    let fixture = Fixture::new([fail(ErrorKind::ServerTooOld)]);
    let error = fixture.run().connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServerTooOld);
    assert_eq!(fixture.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_loop_meets_an_open_breaker() {
    let fixture = Fixture::new((0..5).map(|_| fail(ErrorKind::HandshakeTimeout)));
    fixture.run().connect().await.unwrap_err();
    let opened = fixture.run().connect().await.unwrap_err();
    assert_eq!(opened.kind(), ErrorKind::HandshakeTimeout);
    assert!(opened.message().contains("is open for another 60 s"), "{opened}");
    for _ in 0..100 {
        let refused = fixture.run().connect().await.unwrap_err();
        assert_eq!((refused.kind(), refused.phase()), (ErrorKind::CircuitOpen, Some(Phase::Preflight)));
    }
    assert_eq!(fixture.calls().len(), 5);
    fixture.clock.advance(Duration::from_secs(60));
    fixture.connector.script.lock().unwrap().push_back(Scene::Connect);
    fixture.run().connect().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn those_in_the_queue_meet_the_breaker_that_opened_meanwhile() {
    let late = || Scene::FailLate(Error::new(ErrorKind::Rejected, "scripted").in_phase(Phase::Version));
    let fixture = Fixture::new((0..20).map(|_| late()));
    let mut queue = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let run = fixture.run_with(|_, policy| policy.max_retries = 0);
        queue.spawn(async move { run.connect().await.map(drop).unwrap_err().kind() });
    }
    let kinds = queue.join_all().await;
    assert_eq!(kinds.iter().filter(|&&kind| kind == ErrorKind::Rejected).count(), 5);
    assert_eq!(kinds.iter().filter(|&&kind| kind == ErrorKind::CircuitOpen).count(), 15);
    assert_eq!(fixture.calls().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn six_hours_of_outage_make_at_most_eighty_handshakes_and_end_soon_after() {
    let fixture = Fixture::new((0..80).map(|_| fail(ErrorKind::HandshakeTimeout)));
    while fixture.start.elapsed() < Duration::from_secs(6 * 3_600) {
        fixture.run().connect().await.unwrap_err();
        // A supervisor's restart loop.
        sleep(Duration::from_secs(30)).await;
    }
    let handshakes = fixture.calls().len();
    assert!((60..=80).contains(&handshakes), "{handshakes}");
    *fixture.connector.script.lock().unwrap() = [Scene::Connect].into();
    let back = Instant::now();
    while fixture.run().connect().await.is_err() {
        sleep(Duration::from_secs(30)).await;
    }
    assert!(back.elapsed() <= Duration::from_secs(330), "{:?}", back.elapsed());
}

/// At a time when the servers of Europe, and of nobody else, may be in their reset for another 45 minutes.
fn in_a_reset_of_europe(fixture: &Fixture) {
    fixture.clock.reboot("2026-03-18T06:00:00Z".parse().unwrap());
}

#[tokio::test(start_paused = true)]
async fn maintenance_neither_opens_the_breaker_nor_lets_a_restart_loop_storm() {
    let fixture = Fixture::new((0..200).map(|_| fail(ErrorKind::Rejected)));
    in_a_reset_of_europe(&fixture);
    let mut restarts = 0;
    while fixture.start.elapsed() < Duration::from_secs(2_400) {
        let run = fixture.run_with(|_, policy| {
            policy.max_retries = 0;
            policy.region = Some(Region::Europe);
        });
        let error = run.connect().await.unwrap_err();
        assert!([ErrorKind::Rejected, ErrorKind::CircuitOpen].contains(&error.kind()), "{error}");
        assert!(error.advice().unwrap().contains("IBKR"), "{error:?}");
        restarts += 1;
        sleep(Duration::from_secs(1)).await;
    }
    let attempts = fixture.calls().len();
    assert!(restarts > 1_000 && (40..=80).contains(&attempts), "{restarts} restarts, {attempts} attempts");
}

#[tokio::test(start_paused = true)]
async fn a_reset_of_nobody_knows_whom_is_named_and_excuses_nothing() {
    for region in [None, Some(Region::Americas), Some(Region::None)] {
        let fixture = Fixture::new((0..5).map(|_| fail(ErrorKind::Rejected)));
        in_a_reset_of_europe(&fixture);
        let run = || fixture.run_with(|_, policy| policy.region = region);
        let error = run().connect().await.unwrap_err();
        assert!(fixture.start.elapsed() <= Duration::from_secs(3), "the usual waits, {region:?}");
        let may_be = error.advice().unwrap().contains("it may be IBKR's reset of its servers (Europe");
        assert_eq!(may_be, region.is_none(), "{error:?}");
        let opened = run().connect().await.unwrap_err();
        assert!(opened.message().contains("is open for another 60 s"), "{opened}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_not_the_gateways_is_no_reset() {
    let fixture = Fixture::new([fail(ErrorKind::WorkerSpawn)]);
    in_a_reset_of_europe(&fixture);
    let error = fixture.run().connect().await.unwrap_err();
    assert!(!error.advice().unwrap().contains("reset"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_local_port_without_listener_is_not_touched() {
    let mut fixture = Fixture::new([]);
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fixture.target.port = unused;
    let error = fixture.run().connect().await.unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::NotListening, Some(Phase::Preflight)));
    assert!(fixture.calls().is_empty());
    fixture.connector.script.lock().unwrap().push_back(Scene::Connect);
    let run = fixture.run_with(|_, policy| policy.port_check = PortCheck::Off);
    run.connect().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_leased_id_in_use_is_replaced_at_most_twice() {
    let fixture = Fixture::new([in_use(), in_use(), Scene::Connect]);
    let start = Instant::now();
    let connection = RobustConnection::new(fixture.run().connect().await.unwrap());
    assert_eq!(start.elapsed(), Duration::ZERO, "another id needs no wait");
    let calls = fixture.calls();
    assert!(calls[0] != calls[1] && calls[1] != calls[2] && calls[0] != calls[2]);
    assert_eq!(connection.info().client_id, calls[2]);
    let fixture = Fixture::new((0..3).map(|_| in_use()));
    let run = fixture.run_with(|_, policy| policy.max_retries = 0);
    let error = run.connect().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::ClientIdInUse, Some(326)));
}

#[tokio::test(start_paused = true)]
async fn a_fixed_id_stays_and_names_its_holder() {
    let mut fixture = Fixture::new([in_use(), Scene::Connect]);
    fixture.target.client_id = Some(7);
    let connection = RobustConnection::new(fixture.run().connect().await.unwrap());
    assert_eq!(fixture.calls(), [7, 7]);
    let error = fixture.run().connect().await.unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::ClientIdInUse, Some(Phase::Preflight)));
    assert!(error.message().contains(&format!("held by pid {}", std::process::id())), "{error}");
    connection.close().await.unwrap();
    fixture.connector.script.lock().unwrap().push_back(Scene::Connect);
    assert!(fixture.run().connect().await.is_ok(), "a closed connection gives its id back");
}

#[tokio::test(start_paused = true)]
async fn one_handshake_at_a_time() {
    let fixture = Fixture::new([Scene::Hang]);
    let (first, second) = (fixture.run(), fixture.run());
    let mut hanging = Box::pin(first.connect());
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut hanging).await.is_err());
    let error = second.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockTimeout);
    assert!(error.message().contains(&format!("held by pid {}", std::process::id())), "{error}");
    drop(hanging);
    fixture.connector.script.lock().unwrap().push_back(Scene::Connect);
    second.connect().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_trial_lets_the_next_one_try() {
    let fixture = Fixture::new((0..5).map(|_| fail(ErrorKind::Rejected)));
    fixture.run().connect().await.unwrap_err();
    fixture.run().connect().await.unwrap_err();
    fixture.clock.advance(Duration::from_secs(60));
    fixture.connector.script.lock().unwrap().extend([Scene::Hang, Scene::Connect]);
    let run = fixture.run();
    assert!(tokio::time::timeout(Duration::from_secs(1), run.connect()).await.is_err());
    run.connect().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_forced_breaker_stops_everything() {
    let fixture = Fixture::new([]);
    let run = fixture.run();
    let note = Note { actor: "ops".to_owned(), reason: "update".to_owned() };
    run.breaker.force_open(note).unwrap();
    let error = run.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CircuitOpen);
    assert!(!error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_trial_that_succeeds_goes_on_at_once() {
    let fixture = Fixture::new((0..5).map(|_| fail(ErrorKind::Rejected)));
    fixture.run().connect().await.unwrap_err();
    fixture.run().connect().await.unwrap_err();
    fixture.clock.advance(Duration::from_secs(60));
    fixture.connector.script.lock().unwrap().extend([Scene::ConnectLate, Scene::Connect]);
    let (first, second) = (fixture.run(), fixture.run());
    let start = Instant::now();
    let (trial, waiting) = tokio::join!(first.connect(), second.connect());
    trial.unwrap();
    waiting.unwrap();
    assert!(start.elapsed() < Duration::from_millis(1_100), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_trial_that_fails_is_refused_at_once() {
    let fixture = Fixture::new((0..5).map(|_| fail(ErrorKind::Rejected)));
    fixture.run().connect().await.unwrap_err();
    fixture.run().connect().await.unwrap_err();
    fixture.clock.advance(Duration::from_secs(60));
    let late = Error::new(ErrorKind::Rejected, "scripted").in_phase(Phase::Version);
    fixture.connector.script.lock().unwrap().push_back(Scene::FailLate(late));
    let (first, second) = (fixture.run(), fixture.run());
    let start = Instant::now();
    let (trial, waiting) = tokio::join!(first.connect(), second.connect());
    assert_eq!(trial.unwrap_err().kind(), ErrorKind::Rejected);
    let refused = waiting.unwrap_err();
    assert!(refused.message().contains("is open for another 120 s"), "{refused}");
    assert!(start.elapsed() < Duration::from_millis(1_100), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_trial_without_the_handshake_lock_is_waited_for_too() {
    let fixture = Fixture::new((0..5).map(|_| fail(ErrorKind::Rejected)));
    fixture.run().connect().await.unwrap_err();
    fixture.run().connect().await.unwrap_err();
    fixture.clock.advance(Duration::from_secs(60));
    let trial = fixture.breaker.admit().unwrap();
    let run = fixture.run();
    let error = run.connect().await.unwrap_err();
    assert!(error.message().contains("another attempt is finding out"), "{error}");
    fixture.connector.script.lock().unwrap().push_back(Scene::Connect);
    let end = async {
        sleep(Duration::from_secs(5)).await;
        trial.settle(Outcome::Success(Duration::ZERO));
        Instant::now()
    };
    let (ended, connected) = tokio::join!(end, async { run.connect().await.map(|_| Instant::now()) });
    assert!(connected.unwrap() - ended <= TRIAL_POLL);
}

#[tokio::test(start_paused = true)]
async fn six_programs_that_meet_a_gateway_that_is_not_ready_stumble_once() {
    let fixture = Fixture::new((0..6).map(|_| fail(ErrorKind::Rejected)));
    let runs: Vec<Run<Dialing>> = (0..6)
        .map(|_| {
            fixture.run_with(|run, policy| {
                policy.max_retries = 0;
                let clock = Arc::clone(&run.clock);
                let settings = policy.breaker.clone();
                run.breaker = BreakerStore::new(fixture.temp.path(), run.gateway.clone(), settings, clock);
            })
        })
        .collect();
    for outcome in futures_of(&runs).await {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Rejected, "everybody has asked");
    }
    let state = fixture.breaker.state().unwrap();
    assert_eq!(state, crate::breaker::BreakerState::Closed { failures: 1, attempts: 1 });
    fixture.connector.script.lock().unwrap().extend((0..6).map(|_| Scene::Connect));
    for outcome in futures_of(&runs).await {
        outcome.unwrap();
    }
}

/// The outcomes of all, which run at the same time.
async fn futures_of(runs: &[Run<Dialing>]) -> Vec<Result<Admitted<Box<dyn Connection>>>> {
    let [a, b, c, d, e, f] = runs else { panic!("six") };
    let (a, b, c, d, e, f) =
        tokio::join!(a.connect(), b.connect(), c.connect(), d.connect(), e.connect(), f.connect());
    vec![a, b, c, d, e, f]
}
