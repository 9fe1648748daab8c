//! The shared breaker: several stores on one directory, and a clock that jumps.

use std::fs;

use super::*;
use ibkr_connect_state::ManualClock;

struct Fixture {
    temp: tempfile::TempDir,
    clock: ManualClock,
}

impl Fixture {
    fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap(), clock: ManualClock::new() }
    }

    /// Another process, as far as the files go.
    fn store(&self) -> BreakerStore {
        let clock = Arc::new(self.clock.clone());
        let gateway = Gateway::new("127.0.0.1", 4002);
        BreakerStore::new(self.temp.path(), gateway, BreakerSettings::default(), clock)
    }

    fn fail(&self, times: usize) {
        for _ in 0..times {
            self.store().admit().unwrap().settle(Outcome::Failure("rejected in version".to_owned()));
        }
    }

    fn file(&self) -> PathBuf {
        self.temp.path().join(self.store().file("json"))
    }

    fn name(&self) -> &'static str {
        self.store().state().unwrap().as_str()
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
fn a_corrupt_file_is_a_closed_breaker() {
    let shared = Fixture::new();
    for garbage in ["", "{", "{\"version\":1}", "\u{0}\u{0}\u{0}"] {
        shared.fail(5);
        assert_eq!(shared.name(), "open");
        fs::write(shared.file(), garbage).unwrap();
        assert_eq!(shared.name(), "closed", "{garbage:?}");
        shared.store().reset(&Note { actor: "test".to_owned(), reason: "next".to_owned() }).unwrap();
    }
    shared.fail(5);
    let newer = fs::read_to_string(shared.file()).unwrap().replace("\"version\": 1", "\"version\": 2");
    fs::write(shared.file(), newer).unwrap();
    assert_eq!(shared.name(), "closed");
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
    let by = Note { actor: "ops".to_owned(), reason: "update".to_owned() };
    shared.store().force_open(by.clone()).unwrap();
    shared.clock.reboot("2027-01-01T00:00:00Z".parse().unwrap());
    let error = shared.store().admit().unwrap_err();
    assert!(error.message().contains("forced open by ops: update") && !error.is_retryable(), "{error}");
    shared.store().reset(&by).unwrap();
    assert!(shared.store().admit().is_ok());
}

#[test]
fn a_read_only_look_writes_nothing() {
    let shared = Fixture::new();
    assert_eq!(shared.name(), "closed");
    assert!(!shared.file().exists());
}
