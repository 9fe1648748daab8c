//! The shared breaker: several stores on one directory, and a clock that jumps.

use std::fs;

use super::*;
use ibkr_connect_state::{DiskFault, ManualClock, ManualDisk, Stamp};

struct Fixture {
    temp: tempfile::TempDir,
    clock: ManualClock,
    disk: ManualDisk,
}

impl Fixture {
    fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap(), clock: ManualClock::new(), disk: ManualDisk::default() }
    }

    /// Another process, as far as the files go.
    fn store(&self) -> BreakerStore {
        self.store_of(Gateway::new("127.0.0.1", 4002))
    }

    fn store_of(&self, gateway: Gateway) -> BreakerStore {
        let clock = Arc::new(self.clock.clone());
        BreakerStore::new(self.temp.path(), gateway, BreakerSettings::default(), clock).on(&self.disk)
    }

    fn fail(&self, times: usize) {
        fail(&self.store(), times);
    }

    fn force(&self) {
        self.store().force_open(ops()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.store().record.path()
    }

    fn name(&self) -> &'static str {
        self.store().state().unwrap().as_str()
    }
}

fn fail(store: &BreakerStore, times: usize) {
    for _ in 0..times {
        store.admit().unwrap().settle(Outcome::Failure("rejected in version".to_owned()));
    }
}

fn ops() -> Note {
    Note { actor: "ops".to_owned(), reason: "update".to_owned() }
}

/// Nobody is admitted, and why.
#[track_caller]
fn refused(store: &BreakerStore, why: &str) {
    for error in [store.check().unwrap_err(), store.admit().unwrap_err()] {
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::CircuitOpen, false), "{error}");
        assert!(error.message().contains(why), "{error}");
        assert!(error.advice().is_some_and(|advice| advice.contains("`ibkr-connect breaker reset`")));
    }
}

#[test]
fn every_process_sees_the_failures_of_all() {
    let shared = Fixture::new();
    shared.fail(5);
    let error = shared.store().admit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CircuitOpen);
    assert!(error.is_retryable());
    assert!(error.message().contains("localhost:4002 is open for another 60 s"), "{error}");
    assert_eq!(Refusal::of_error(&error).unwrap().retry_in(), Some(Duration::from_secs(60)));
    assert!(shared.store().check().is_err());
    shared.clock.advance(Duration::from_secs(60));
    let trial = shared.store().admit().unwrap();
    assert!(trial.is_trial());
    assert_eq!(shared.store().admit().unwrap_err().kind(), ErrorKind::CircuitOpen);
    trial.settle(Outcome::Success(Duration::from_secs(1)));
    assert_eq!(shared.name(), "closed");
}

#[test]
fn a_trial_that_is_dropped_makes_room() {
    let shared = Fixture::new();
    shared.fail(5);
    shared.clock.advance(Duration::from_secs(60));
    drop(shared.store().admit().unwrap());
    assert!(shared.store().admit().unwrap().is_trial());
}

#[test]
fn forced_open_survives_whatever_happens_to_its_file() {
    type Break = fn(&Path);
    let broken: [(&str, Break); 7] = [
        ("is empty", |file| fs::write(file, "").unwrap()),
        ("makes no sense", |file| fs::write(file, "{").unwrap()),
        ("makes no sense", |file| fs::write(file, "{\"version\":2}").unwrap()),
        ("makes no sense", |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() - 10]).unwrap();
        }),
        ("written by a newer version", |file| {
            let text = fs::read_to_string(file).unwrap();
            fs::write(file, text.replace("\"version\":2", "\"version\":3")).unwrap();
        }),
        ("mode 0600", |file| {
            fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        }),
        ("not a regular file", |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }),
    ];
    for (why, break_it) in broken {
        let shared = Fixture::new();
        shared.force();
        break_it(&shared.file());
        refused(&shared.store(), why);
        refused(&shared.store(), &shared.file().display().to_string());
        assert!(matches!(
            Refusal::of_error(&shared.store().admit().unwrap_err()),
            Some(Refusal::Unreadable { path, .. }) if *path == shared.file()
        ));
        assert_eq!(shared.name(), "unreadable");
        let error = shared.store().force_open(ops()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CircuitOpen, "nobody writes over it");
        refused(&shared.store(), why);
        let aside = shared.store().reset(&ops()).unwrap().unwrap();
        assert!(aside.ends_with(shared.file().with_extension("json.bad").file_name().unwrap()), "{aside:?}");
        assert!(aside.exists());
        assert_eq!(shared.name(), "closed");
        assert!(shared.store().admit().is_ok(), "{why}");
    }
}

#[test]
fn a_disk_that_fails_lets_nobody_through() {
    let shared = Fixture::new();
    shared.force();
    shared.disk.set(Some(DiskFault::Unreadable));
    refused(&shared.store(), "os error 5");
    shared.disk.set(None);
    refused(&shared.store(), "forced open by ops: update");
}

#[test]
fn forced_open_survives_a_full_disk_and_what_cannot_be_written_is_not_done() {
    let shared = Fixture::new();
    shared.disk.set(Some(DiskFault::Full));
    let store = shared.store();
    for error in
        [store.force_open(ops()), store.force_open_for(ops(), Duration::from_secs(9))].map(Result::unwrap_err)
    {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("could not be opened, and stays as it is"), "{error}");
        assert!(error.message().contains(&shared.file().display().to_string()), "{error}");
    }
    assert!(store.check().is_ok(), "not opened is not opened");
    shared.disk.set(None);
    shared.force();
    shared.disk.set(Some(DiskFault::Full));
    refused(&shared.store(), "forced open by ops: update");
    assert_eq!(shared.store().reset(&ops()).unwrap_err().kind(), ErrorKind::Config);
    refused(&shared.store(), "forced open by ops: update");
}

#[test]
fn on_a_full_disk_a_process_remembers_its_failures() {
    let shared = Fixture::new();
    shared.disk.set(Some(DiskFault::Full));
    let store = shared.store();
    let clone = store.clone();
    fail(&clone, 5);
    assert_eq!(store.admit().unwrap_err().kind(), ErrorKind::CircuitOpen);
    shared.clock.advance(Duration::from_secs(60));
    let trial = store.admit().unwrap();
    assert!(trial.is_trial() && store.admit().is_err());
    trial.settle(Outcome::Failure("rejected in version".to_owned()));
    assert!(store.check().unwrap_err().message().contains("open for another 120 s"));
    assert_eq!(shared.name(), "closed", "the others can't know");
    shared.disk.set(None);
    assert!(store.admit().is_err());
    assert_eq!(shared.name(), "open", "now they can");
}

#[test]
fn a_stopped_process_loses_no_failure_and_delays_no_look() {
    let shared = Fixture::new();
    let store = shared.store();
    fail(&store, 4);
    let permit = store.admit().unwrap();
    let dir = Dir::private(shared.temp.path()).unwrap();
    let lock = shared.file().with_extension("lock");
    let held = FileLock::try_acquire(&dir, lock.file_name().unwrap().to_str().unwrap()).unwrap().unwrap();
    permit.settle(Outcome::Failure("rejected in version".to_owned()));
    assert!(store.check().unwrap_err().message().contains("is open for another 60 s"));
    assert_eq!(shared.name(), "closed");
    assert_eq!(shared.store().admit().unwrap_err().kind(), ErrorKind::LockTimeout);
    drop(held);
    assert!(store.admit().is_err());
    assert_eq!(shared.name(), "open");
}

#[test]
fn another_machine_or_network_namespace_has_a_breaker_of_its_own() {
    let shared = Fixture::new();
    shared.force();
    let file = shared.file();
    let stem = Gateway::new("localhost", 4002).file_stem();
    let name = file.file_name().unwrap().to_str().unwrap().replace(&stem, "localhost@00000000_4002");
    fs::rename(&file, file.with_file_name(name)).unwrap();
    assert_eq!(shared.name(), "closed");
}

#[test]
fn machines_that_share_a_directory_share_the_breaker_of_a_remote_gateway() {
    let shared = Fixture::new();
    let remote = || Gateway::new("192.0.2.7", 4002);
    fail(&shared.store_of(remote()), 5);
    let now = shared.clock.now();
    // Another machine, up for a year, whose clock is an hour behind.
    let there = Stamp {
        boot: "another".to_owned(),
        at: now.at + Duration::from_secs(31_536_000),
        wall: now.wall - Duration::from_secs(3_600),
    };
    let there = ManualClock::starting(there);
    let settings = BreakerSettings::default();
    let store = BreakerStore::new(shared.temp.path(), remote(), settings, Arc::new(there.clone()));
    assert!(store.admit().is_err());
    for _ in 0..30 {
        shared.clock.advance(Duration::from_secs(1));
        there.advance(Duration::from_secs(1));
        assert!(shared.store_of(remote()).admit().is_err());
        assert!(store.admit().is_err());
    }
    for store in [shared.store_of(remote()), store] {
        let error = store.check().unwrap_err();
        assert!(error.message().contains("open for another 30 s"), "{error}");
    }
}

#[test]
fn a_name_that_is_forced_open_stays_so_when_its_address_changes() {
    let shared = Fixture::new();
    let at = |address: &str| Gateway::at_address("ib-gateway", address, 4002);
    shared.store_of(at("192.0.2.3")).force_open(ops()).unwrap();
    refused(&shared.store_of(at("192.0.2.3")), "ib-gateway:4002 is forced open by ops");
    refused(&shared.store_of(at("192.0.2.4")), "forced open by ops");
    assert_eq!(shared.store_of(at("192.0.2.4")).state().unwrap().as_str(), "forced_open");
    refused(&shared.store_of(Gateway::new("192.0.2.3", 4002)), "forced open by ops");
    refused(&shared.store_of(Gateway::new("ib-gateway", 4002)), "forced open by ops");
    assert!(shared.store_of(Gateway::new("192.0.2.4", 4002)).admit().is_ok(), "not the address");
    shared.store_of(at("192.0.2.4")).reset(&ops()).unwrap();
    assert!(shared.store_of(at("192.0.2.4")).admit().is_ok());
}

#[test]
fn a_record_of_an_older_version_is_not_forgotten() {
    let shared = Fixture::new();
    let old = r#"{ "version": 1, "written": { "boot": "boot 0", "at": 5, "wall": "2026-03-04T14:59:00Z" },
        "memory": { "state": { "name": "forced_open", "since": 5, "by": { "actor": "ops", "reason": "update" } },
        "samples": [], "failed_trials": 0, "last_failure": null } }"#;
    let file = shared.temp.path().join("breaker-localhost_4002.json");
    fs::write(&file, old).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    refused(&shared.store(), "forced open by ops: update");
    shared.store().reset(&ops()).unwrap();
    assert_eq!((shared.name(), fs::read_to_string(&file).unwrap().as_str()), ("closed", old));
}

#[test]
fn half_a_write_leaves_the_old_state() {
    let shared = Fixture::new();
    shared.fail(5);
    fs::write(shared.file().with_extension("json.new"), "{\"vers").unwrap();
    assert_eq!(shared.name(), "open");
    shared.clock.advance(Duration::from_secs(60));
    shared.store().admit().unwrap().settle(Outcome::Success(Duration::ZERO));
    assert_eq!(shared.name(), "closed");
}

#[test]
fn a_reboot_or_a_clock_set_back_never_leaves_it_stuck() {
    let shared = Fixture::new();
    shared.fail(5);
    let then = shared.clock.now().wall;
    shared.clock.reboot(then + Duration::from_secs(20));
    let error = shared.store().check().unwrap_err();
    assert!(error.message().contains("another 40 s"), "{error}");
    shared.clock.reboot(then - Duration::from_secs(1_000_000));
    assert!(shared.store().check().is_err(), "how long the machine was off is anybody's guess");
    shared.clock.advance(Duration::from_secs(60));
    assert!(shared.store().check().is_ok(), "a minute is a minute, whatever the wall clock says");
}

#[test]
fn forced_open_survives_and_says_who() {
    let shared = Fixture::new();
    shared.force();
    shared.clock.reboot("2027-01-01T00:00:00Z".parse().unwrap());
    let error = shared.store().admit().unwrap_err();
    assert!(error.message().contains("forced open by ops: update") && !error.is_retryable(), "{error}");
    shared.clock.set_wall("1970-01-01T00:00:00Z".parse().unwrap());
    refused(&shared.store(), "forced open by ops: update");
    shared.store().reset(&ops()).unwrap();
    assert!(shared.store().admit().is_ok());
}

#[test]
fn a_read_only_look_writes_nothing() {
    let shared = Fixture::new();
    assert_eq!(shared.name(), "closed");
    assert!(!shared.file().exists());
}

#[test]
fn the_wall_clock_and_suspend_change_nothing_within_a_boot() {
    let shared = Fixture::new();
    shared.fail(5);
    for wall in ["2026-03-03T15:00:00Z", "2026-03-05T15:00:00Z"] {
        shared.clock.set_wall(wall.parse().unwrap());
        let error = shared.store().check().unwrap_err();
        assert!(error.message().contains("another 60 s"), "{error}");
    }
    // The machine sleeps for ten minutes.
    shared.clock.advance(Duration::from_secs(600));
    assert!(shared.store().admit().unwrap().is_trial());
}

#[test]
fn parties_that_fail_together_fail_once_and_a_party_fails_as_often_as_it_does() {
    let shared = Fixture::new();
    for _ in 0..6 {
        shared.fail(1);
    }
    assert_eq!(shared.store().state().unwrap(), BreakerState::Closed { failures: 1, attempts: 1 });
    let store = shared.store();
    shared.clock.advance(Duration::from_secs(2));
    fail(&store, 3);
    assert_eq!(store.state().unwrap(), BreakerState::Closed { failures: 4, attempts: 4 });
}

#[test]
fn nonsense_in_the_file_is_clamped() {
    let shared = Fixture::new();
    shared.fail(1);
    let text = fs::read_to_string(shared.file()).unwrap();
    let nonsense = text
        .replace("\"failed_trials\":0", "\"failed_trials\":4294967295")
        .replace("\"at\":1000000,\"good\"", "\"at\":9223372036854775807,\"good\"");
    assert_ne!(nonsense.len(), text.len());
    fs::write(shared.file(), nonsense).unwrap();
    assert_eq!(shared.store().state().unwrap(), BreakerState::Closed { failures: 1, attempts: 1 });
    shared.clock.advance(Duration::from_secs(600));
    assert_eq!(
        shared.store().state().unwrap(),
        BreakerState::Closed { failures: 1, attempts: 1 },
        "still now"
    );
}
