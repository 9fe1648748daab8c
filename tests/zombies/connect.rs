//! Zombies and a connect: from a wedged Gateway to one that works again, and what `IBKR_ZOMBIE_CLEANUP` makes of those on
//! the port.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use ibkr_connect::config::ZombieCleanup;
use ibkr_connect::{Config, ConnectionMode, ZombieReport};
use ibkr_connect_cleanup::{Register, half_closed};
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::holder::{Counts, Holder, clean, list, proved, python};
use crate::support::backend::{Backend, target};
use crate::support::host::{Finished, Running, User};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::{PATIENCE, run, traces, until};

/// So many zombies wedge it.
const WEDGE_AFTER: usize = 3;

pub(crate) fn a_wedged_gateway_works_again_after_a_restart() {
    let user = User::new();
    let (mut gateway, port) = gateway(&user, 0);
    wedge(port);
    assert_wedged(&user, port);
    kill_process(Pid::from_child(&gateway.0), Signal::TERM).unwrap();
    assert!(gateway.wait(PATIENCE / 2).success());
    let (_gateway, _) = self::gateway(&user, port);
    assert_works(&user, port);
}

pub(crate) fn a_wedged_gateway_works_again_after_a_clean() {
    let user = User::new();
    let (gateway, port) = gateway(&user, 0);
    wedge(port);
    assert_wedged(&user, port);
    for zombie in proved(&user, port, WEDGE_AFTER)["zombies"].as_array().unwrap() {
        assert_eq!((&zombie["class"], &zombie["pid"]), (&"gateway_held".into(), &gateway.0.id().into()));
    }
    let cleaned = clean(&user, port, &["--yes", "--destroy-sockets"]);
    cleaned.assert_counts(Counts { found: WEDGE_AFTER, destroyed: WEDGE_AFTER, ..Counts::default() });
    assert_works(&user, port);
}

pub(crate) fn reports_cleans_or_looks_away(mode: ConnectionMode) {
    let (scene, user) = (Scene::new(), User::new());
    let connect = |zombie_cleanup| {
        let state_dir = scene.state.path().to_owned();
        connect(
            &scene.gateway,
            Config::default().with_mode(mode).with_zombie_cleanup(zombie_cleanup).with_state_dir(state_dir),
        )
    };
    proved(&user, scene.gateway.port(), 1);
    assert_eq!(connect(ZombieCleanup::Off), None);
    assert_eq!(connect(ZombieCleanup::Report), Some(report(1, 0)));
    assert_eq!(half_closed(&[scene.gateway.port()]).unwrap().len(), 1, "a report changes nothing");
    assert_eq!(connect(ZombieCleanup::Clean), Some(report(1, 1)));
    assert_eq!(half_closed(&[scene.gateway.port()]).unwrap(), []);
    assert_eq!(connect(ZombieCleanup::Report), Some(report(0, 0)));
}

pub(crate) fn a_clean_is_in_the_log() {
    let (scene, user) = (Scene::new(), User::new());
    let port = scene.gateway.port().to_string();
    let check = |cleanup: &str, mode: ConnectionMode| {
        let mut command = user.command(["check", "--mode", mode.as_str(), "--port", &port]);
        command.envs([("IBKR_ZOMBIE_CLEANUP", cleanup), ("RUST_LOG", "warn")]);
        command.env("IBKR_STATE_DIR", scene.state.path());
        let finished = Finished::of(command);
        assert_eq!(finished.code, 0, "{finished:?}");
        finished.stderr
    };
    proved(&user, scene.gateway.port(), 1);
    for mode in REAL_BACKENDS {
        assert_eq!(check("off", mode), "", "{mode}");
        let log = check("report", mode);
        for text in ["WARN", "zombies_found", &format!("gateway=localhost:{port}"), "found=1", "removed=0"] {
            assert!(log.contains(text), "{mode}: {text:?} is missing: {log}");
        }
    }
    let log = check("clean", ConnectionMode::Subprocess);
    assert!(log.contains("found=1") && log.contains("removed=1"), "{log}");
    assert_eq!(check("clean", ConnectionMode::Subprocess), "", "nothing is left to say");
}

pub(crate) fn a_look_that_fails_fails_no_connect() {
    let scene = Scene::new();
    let no_directory = scene.state.path().join("file");
    fs::write(&no_directory, "").unwrap();
    for mode in REAL_BACKENDS {
        for zombie_cleanup in [ZombieCleanup::Report, ZombieCleanup::Clean, ZombieCleanup::Off] {
            let config = Config::default()
                .with_mode(mode)
                .with_zombie_cleanup(zombie_cleanup)
                .with_state_dir(no_directory.clone());
            let found = connect(&scene.gateway, config);
            match zombie_cleanup {
                ZombieCleanup::Off => assert_eq!(found, None),
                ZombieCleanup::Report => assert_eq!(found, Some(report(1, 0))),
                ZombieCleanup::Clean => {
                    let problem = found.unwrap().problem.unwrap();
                    assert!(problem.contains("register of workers"), "{problem}");
                }
            }
        }
    }
}

pub(crate) fn a_worker_is_registered_while_it_works() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let state = tempfile::tempdir().unwrap();
    let config = Config::default().with_state_dir(state.path().to_owned());
    let backend = Backend::configured(config);
    let connection = run(backend.connect(&target(gateway.port()))).unwrap();
    let entries = entries(state.path());
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["pid"], connection.info().worker_pid.unwrap());
    assert_eq!(entries[0]["port"], gateway.port());
    run(connection.close()).unwrap();
    drop(connection);
    assert_eq!(self::entries(state.path()), Vec::<Value>::new());
}

pub(crate) fn a_worker_dropped_inside_a_runtime_is_registered_until_it_is_gone() {
    // It keeps its socket, so that closing the session takes its worker half a second.
    let gateway =
        Simulator::start(SimOptions { faults: vec![Fault::Hold], ..SimOptions::default() }).unwrap();
    let state = tempfile::tempdir().unwrap();
    let backend = Backend::configured(Config::default().with_state_dir(state.path().to_owned()));
    let registered = || fs::read_dir(state.path().join("workers")).unwrap().count();
    let mut looks = 0;
    run(async {
        drop(backend.connect(&target(gateway.port())).await.unwrap());
        loop {
            let known = registered();
            if traces::processes(backend.worker().path()).is_empty() {
                break;
            }
            assert_eq!(known, 1, "a worker runs that nobody would find");
            looks += 1;
            tokio::task::yield_now().await;
        }
        until("the entry goes with the worker", || registered() == 0).await;
    });
    assert!(looks > 0, "the drop has waited for the worker");
}

/// A registered process that holds a zombie on the port of a Gateway that works.
struct Scene {
    gateway: Simulator,
    _holder: Holder,
    state: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let script = vec![vec![Fault::CloseBeforeVersion]];
        let gateway = Simulator::start(SimOptions { script, ..SimOptions::default() }).unwrap();
        let holder = Holder::start(python("hold.py", [gateway.port().to_string().as_str(), "1"]));
        run(until("the Gateway has closed", || half_closed(&[gateway.port()]).unwrap().len() == 1));
        let state = tempfile::tempdir().unwrap();
        let registration = Register::open(state.path()).unwrap().add(holder.pid(), gateway.port()).unwrap();
        // As after a crash of the worker's parent.
        std::mem::forget(registration);
        Self { gateway, _holder: holder, state }
    }
}

/// Connects, closes, and gives what the connection says about zombies.
fn connect(gateway: &Simulator, config: Config) -> Option<ZombieReport> {
    let backend = Backend::configured(config);
    run(async {
        let connection = backend.connect(&target(gateway.port())).await.unwrap();
        let zombies = connection.info().zombies.clone();
        connection.close().await.unwrap();
        zombies
    })
}

fn report(found: usize, removed: usize) -> ZombieReport {
    ibkr_connect::literal!(ZombieReport { found, removed, problem: None })
}

fn entries(state: &Path) -> Vec<Value> {
    let files = fs::read_dir(state.join("workers")).unwrap();
    files.map(|file| serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap()).collect()
}

/// A Gateway in a process of its own.
fn gateway(user: &User, port: u16) -> (Running, u16) {
    let after = WEDGE_AFTER.to_string();
    let command = user.command(["sim", "--wedge-after", &after, "--port", &port.to_string()]);
    let (gateway, line) = Running::until_first_line(command);
    let port = line.trim_end().rsplit_once(':').unwrap_or_else(|| panic!("{line:?}")).1.parse().unwrap();
    (gateway, port)
}

/// Clients say hello and leave with FIN in mid-handshake, until the Gateway has had enough.
fn wedge(port: u16) {
    for _ in 0..WEDGE_AFTER {
        TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(b"API\0").unwrap();
    }
    run(until("the Gateway has seen them leave", || {
        let held = half_closed(&[port]).unwrap();
        held.len() == WEDGE_AFTER && held.iter().all(|socket| socket.unread == 0)
    }));
}

fn assert_wedged(user: &User, port: u16) {
    for mode in REAL_BACKENDS {
        let finished = check(user, port, mode);
        let error = &finished.json()["error"];
        assert_eq!((finished.code, &error["kind"]), (8, &"gateway_wedged".into()), "{mode}: {finished:?}");
        assert!(error["advice"].as_str().is_some_and(|advice| advice.contains("estart")), "{error}");
        assert!(finished.took < Duration::from_secs(5), "{mode}: {finished:?}");
    }
    assert_eq!(half_closed(&[port]).unwrap().len(), WEDGE_AFTER, "no attempt made it worse");
}

fn assert_works(user: &User, port: u16) {
    for mode in REAL_BACKENDS {
        let finished = check(user, port, mode);
        assert_eq!((finished.code, &finished.json()["ok"]), (0, &true.into()), "{mode}: {finished:?}");
    }
    assert_eq!(list(user, port).code, 0);
    traces::assert_no_half_closed(port);
    user.worker().assert_none_runs();
}

fn check(user: &User, port: u16, mode: ConnectionMode) -> Finished {
    let port = port.to_string();
    let arguments = ["check", "--json", "--mode", mode.as_str(), "--timeout", "900ms", "--port", &port];
    let mut command = user.command(arguments);
    command.env("IBKR_MAX_RETRIES", "0");
    Finished::of(command)
}
