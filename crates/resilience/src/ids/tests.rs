//! Leases: several applications on one directory.

use std::collections::HashSet;

use ibkr_connect_state::ManualClock;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;

const HOLD: Duration = Duration::from_secs(300);

struct Fixture {
    temp: tempfile::TempDir,
    clock: ManualClock,
    rng: ChaCha8Rng,
}

impl Fixture {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self { temp, clock: ManualClock::new(), rng: ChaCha8Rng::seed_from_u64(3) }
    }

    fn leases(&self, application: &str) -> Leases {
        let gateway = Gateway::new("127.0.0.1", 4002);
        Leases::new(self.temp.path(), gateway, application, Arc::new(self.clock.clone()))
    }

    fn lease(&mut self, application: &str) -> Lease {
        self.leases(application).any(&mut self.rng).unwrap()
    }
}

#[test]
fn the_budget_is_kept_and_shown() {
    let mut machine = Fixture::new();
    let held: Vec<Lease> = (0..SLOTS).map(|_| machine.lease("strategy")).collect();
    let ids: HashSet<i32> = held.iter().map(Lease::client_id).collect();
    assert_eq!(ids.len(), SLOTS);
    assert!(ids.iter().all(|id| DEFAULT_RANGE.contains(id)));
    let slots = machine.leases("status").slots().unwrap();
    assert_eq!(slots.len(), SLOTS);
    assert_eq!(slots[0].owner.as_ref().unwrap().program, "strategy");
    for refused in [machine.leases("x").fixed(7), machine.leases("x").any(&mut machine.rng)] {
        let error = refused.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Rejected, Some(Phase::Preflight)));
    }
    drop(held);
    assert_eq!(machine.leases("status").slots().unwrap(), []);
}

#[test]
fn an_application_gets_its_id_again() {
    let mut machine = Fixture::new();
    let (first, other) = (machine.lease("a").client_id(), machine.lease("b").client_id());
    for _ in 0..5 {
        assert_eq!(machine.lease("a").client_id(), first);
        assert_eq!(machine.lease("b").client_id(), other);
    }
    let held = machine.lease("a");
    assert_ne!(machine.lease("a").client_id(), held.client_id());
}

#[test]
fn a_refused_id_is_left_alone_for_a_while() {
    let mut machine = Fixture::new();
    let lease = machine.lease("a");
    let id = lease.client_id();
    lease.refuse(HOLD);
    let leases = machine.leases("a").with_range(id..id + 1);
    let error = leases.any(&mut machine.rng).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClientIdInUse);
    machine.clock.advance(HOLD);
    assert_eq!(leases.any(&mut machine.rng).unwrap().client_id(), id);
}

#[test]
fn a_refusal_outlives_a_reboot_and_no_wall_clock_makes_it_last() {
    let mut machine = Fixture::new();
    let lease = machine.lease("a");
    let id = lease.client_id();
    lease.refuse(HOLD);
    machine.clock.reboot(machine.clock.now().wall - Duration::from_secs(86_400));
    let leases = machine.leases("a").with_range(id..id + 1);
    assert!(leases.any(&mut machine.rng).is_err());
    machine.clock.advance(HOLD);
    assert_eq!(leases.any(&mut machine.rng).unwrap().client_id(), id);
}

#[test]
fn a_refusal_is_noted_also_where_the_record_makes_no_sense() {
    let mut machine = Fixture::new();
    let lease = machine.lease("a");
    let id = lease.client_id();
    std::fs::write(machine.leases("a").refused.path(), "{").unwrap();
    assert_ne!(machine.lease("b").client_id(), id);
    lease.refuse(HOLD);
    assert!(machine.leases("a").with_range(id..id + 1).any(&mut machine.rng).is_err());
}

#[test]
fn the_id_that_was_held_last_is_tried_first() {
    let mut machine = Fixture::new();
    let held: Vec<Lease> = (0..3).map(|_| machine.lease("a")).collect();
    let ids: Vec<i32> = held.iter().map(Lease::client_id).collect();
    drop(held);
    for id in &ids {
        machine.clock.advance(Duration::from_secs(1));
        drop(machine.leases("a").fixed(*id).unwrap());
    }
    machine.clock.advance(Duration::from_secs(1));
    assert_eq!(machine.lease("a").client_id(), ids[2]);
}

#[test]
fn a_glance_shows_the_clients_also_while_the_registry_is_stuck() {
    let machine = Fixture::new();
    let leases = machine.leases("first");
    let _held = leases.fixed(7).unwrap();
    let seen = leases.glance().unwrap();
    assert_eq!((seen.slots.len(), seen.stuck.is_none()), (1, true));
    let _stopped = leases.open().unwrap();
    let seen = leases.glance().unwrap();
    assert_eq!((seen.slots.len(), seen.slots[0].client_id), (1, 7));
    assert!(matches!(seen.stuck, Some(StateError::Locked { path, .. }) if path.ends_with(REGISTRY)));
}

#[test]
fn a_fixed_id_in_use_names_its_holder() {
    let machine = Fixture::new();
    let held = machine.leases("first").fixed(7).unwrap();
    machine.clock.advance(Duration::from_secs(3));
    let error = machine.leases("second").fixed(7).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClientIdInUse);
    let holder = format!("held by pid {} (first) for 3 s", std::process::id());
    assert!(error.message().contains(&holder), "{error}");
    drop(held);
    assert_eq!(machine.leases("second").fixed(7).unwrap().client_id(), 7);
}

#[test]
fn senseless_files_are_nobodys_ids() {
    let mut machine = Fixture::new();
    let id = machine.lease("a").client_id();
    let dir = machine.temp.path().join(format!("clients-{}", Gateway::new("localhost", 4002).file_stem()));
    std::fs::write(dir.join(client_lock(id)), "garbage").unwrap();
    assert_ne!(machine.lease("a").client_id(), id);
    let error = machine.leases("a").fixed(id).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("is not a file of ibkr-connect"), "{error}");
    let only = machine.leases("a").with_range(id..id + 1).any(&mut machine.rng).unwrap_err();
    assert_eq!(only.message(), error.message());
    assert_eq!(std::fs::read_to_string(dir.join(client_lock(id))).unwrap(), "garbage");
    let private = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    std::fs::write(dir.join("client-x.lock"), "").unwrap();
    private(&dir.join("client-x.lock"));
    assert_eq!(machine.leases("a").slots().unwrap(), []);
}
