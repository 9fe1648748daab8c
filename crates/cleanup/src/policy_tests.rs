//! The policy over made-up socket tables: no process is harmed here.

use std::path::PathBuf;

use super::*;
use crate::process::Standing;
use crate::socket::HalfClosed;

const ME: u32 = 500;
const SHELL: u32 = 400;
const SESSION: u32 = 450;
const LISTENER: u32 = 300;

fn process(pid: u32, exe: &str) -> Process {
    let name = exe.rsplit('/').next().unwrap().to_owned();
    Process {
        pid,
        start_time: u64::from(pid) * 10,
        exe: Some(PathBuf::from(exe)),
        command: name.clone(),
        args: vec![exe.to_owned()],
        uid: 1000,
        standing: Standing {
            parent: 1,
            group: pid,
            session: SESSION,
            names: vec![name],
            pid_namespace: Some("pid:[1]".to_owned()),
            net_namespace: Some("net:[1]".to_owned()),
        },
    }
}

fn around() -> Surroundings {
    let mut me = process(ME, "/usr/bin/ibkr-connect");
    (me.standing.parent, me.standing.group, me.standing.session) = (SHELL, ME, SESSION);
    Surroundings { me, ancestors: vec![SHELL, 1], listeners: vec![LISTENER] }
}

fn zombie(class: ZombieClass, owners: Vec<Process>) -> Zombie {
    Zombie {
        socket: HalfClosed {
            class,
            port: 4002,
            local: "127.0.0.1:40000".parse().unwrap(),
            remote: "127.0.0.1:4002".parse().unwrap(),
            inode: 77,
            cookie: Some(7),
            uid: 1000,
            unread: 1,
            age: Some(Duration::from_secs(30)),
        },
        owners: owners.into_iter().map(|process| Owner { process, fd: 5 }).collect(),
        confirmed: true,
    }
}

fn client(owners: Vec<Process>) -> Zombie {
    zombie(ZombieClass::ClientHeld, owners)
}

fn naming(names: &[&str]) -> CleanupPolicy {
    CleanupPolicy { named: names.iter().map(|&name| name.to_owned()).collect(), ..CleanupPolicy::default() }
}

/// Names everything, so that only protection can object.
fn generous() -> CleanupPolicy {
    naming(&["python3", "java", "tws", "ibgateway", "socat", "bash", "init", "ibkr-connect", "renamed"])
}

#[test]
fn protection_is_not_overridden_by_naming() {
    let changed = |exe: &str, change: fn(&mut Process)| {
        let mut process = process(600, exe);
        change(&mut process);
        process
    };
    let cases = [
        ("a listener that is no Java", process(LISTENER, "/usr/bin/socat"), Reason::ListensOnPort),
        ("Java by exe", process(600, "/usr/lib/jvm/bin/java"), Reason::Gateway),
        ("Java after an upgrade of its file", process(600, "/opt/jre/bin/javaw"), Reason::Gateway),
        ("Java renamed by comm", changed("/tmp/renamed", |p| p.command = "java".to_owned()), Reason::Gateway),
        (
            "Java by argv[0]",
            changed("/tmp/renamed", |p| p.args = vec!["/x/java".to_owned()]),
            Reason::Gateway,
        ),
        (
            "the Gateway by its class",
            changed("/tmp/renamed", |p| p.args.push("ibgateway.GWClient".to_owned())),
            Reason::Gateway,
        ),
        ("TWS", process(600, "/opt/tws"), Reason::Gateway),
        ("process 1", process(1, "/sbin/init"), Reason::Init),
        ("a parent", process(SHELL, "/bin/bash"), Reason::Ancestor),
        ("the session leader", process(SESSION, "/bin/bash"), Reason::SessionLeader),
        ("a later process with our own pid", changed("/usr/bin/python3", |p| p.pid = ME), Reason::Ancestor),
        (
            "another pid namespace",
            changed("/usr/bin/python3", |p| p.standing.pid_namespace = Some("pid:[2]".to_owned())),
            Reason::OtherNamespace,
        ),
        (
            "another net namespace",
            changed("/usr/bin/python3", |p| p.standing.net_namespace = Some("net:[2]".to_owned())),
            Reason::OtherNamespace,
        ),
        (
            "an unreadable one",
            changed("/usr/bin/python3", |p| p.standing.net_namespace = None),
            Reason::OtherNamespace,
        ),
    ];
    for (name, owner, reason) in cases {
        assert_eq!(decide(&client(vec![owner]), &around(), &generous()), Decision::Leave(reason), "{name}");
    }
}

#[test]
fn the_leader_of_our_process_group_is_spared_also_where_it_leads_no_session() {
    let leader = process(700, "/usr/bin/python3");
    let mut around = around();
    around.me.standing.group = leader.pid;
    assert_eq!(decide(&client(vec![leader]), &around, &generous()), Decision::Leave(Reason::SessionLeader));
}

#[test]
fn nobody_is_touched_who_is_not_listed_by_the_exact_name() {
    let python = || client(vec![process(600, "/usr/bin/python3")]);
    assert_eq!(decide(&python(), &around(), &CleanupPolicy::default()), Decision::Leave(Reason::NotListed));
    assert_eq!(decide(&python(), &around(), &naming(&["python3"])), Decision::CloseOrKill);
    for near in ["python", "python3.12", "ython3", "PYTHON3", "", "/usr/bin/python3"] {
        assert_eq!(
            decide(&python(), &around(), &naming(&[near])),
            Decision::Leave(Reason::NotListed),
            "{near}"
        );
    }
    let contains = client(vec![process(600, "/usr/bin/my-python3-bot")]);
    assert_eq!(decide(&contains, &around(), &naming(&["python3"])), Decision::Leave(Reason::NotListed));
    let mut calls_itself_so = process(600, "/usr/bin/editor");
    calls_itself_so.command = "python3".to_owned();
    calls_itself_so.args = vec!["python3".to_owned()];
    assert_eq!(
        decide(&client(vec![calls_itself_so]), &around(), &naming(&["python3"])),
        Decision::Leave(Reason::NotListed)
    );
}

#[test]
fn registered_workers_pass_but_not_a_later_process_with_their_pid() {
    let worker = process(600, "/usr/bin/anything");
    let mut policy =
        CleanupPolicy { workers: vec![WorkerRecord::of(&worker, 4002)], ..CleanupPolicy::default() };
    assert_eq!(decide(&client(vec![worker.clone()]), &around(), &policy), Decision::CloseOrKill);
    policy.workers[0].start_time += 1;
    assert_eq!(decide(&client(vec![worker]), &around(), &policy), Decision::Leave(Reason::NotListed));
}

#[test]
fn every_owner_of_a_shared_socket_must_pass() {
    let python = process(600, "/usr/bin/python3");
    let policy = naming(&["python3"]);
    let with = |other| decide(&client(vec![python.clone(), other]), &around(), &policy);
    assert_eq!(with(process(601, "/usr/bin/python3")), Decision::CloseOrKill);
    assert_eq!(with(process(601, "/usr/bin/editor")), Decision::Leave(Reason::NotListed));
    assert_eq!(with(process(LISTENER, "/usr/bin/python3")), Decision::Leave(Reason::ListensOnPort));
}

#[test]
fn our_own_is_closed_and_never_killed() {
    let me = around().me;
    assert_eq!(decide(&client(vec![me.clone()]), &around(), &CleanupPolicy::default()), Decision::Close);
    let shared = client(vec![me, process(601, "/usr/bin/editor")]);
    assert_eq!(decide(&shared, &around(), &CleanupPolicy::default()), Decision::Leave(Reason::NotListed));
}

#[test]
fn what_has_no_visible_owner_is_left() {
    assert_eq!(
        decide(&client(vec![]), &around(), &generous()),
        Decision::Leave(Reason::Unattributed { uid: 1000 })
    );
}

#[test]
fn the_gateways_side_is_touched_by_explicit_opt_in_only() {
    let held = zombie(ZombieClass::GatewayHeld, vec![process(LISTENER, "/usr/bin/java")]);
    let strangers = zombie(ZombieClass::GatewayHeld, vec![process(600, "/usr/bin/python3")]);
    let queued = zombie(ZombieClass::GatewayUnaccepted, vec![]);
    for destroy in [Destroy::Never, Destroy::ClientSide, Destroy::BothSides] {
        let policy = CleanupPolicy { destroy, ..generous() };
        let expected = match destroy {
            Destroy::BothSides => Decision::Destroy,
            _ => Decision::Leave(Reason::GatewayHeld),
        };
        assert_eq!(decide(&held, &around(), &policy), expected);
        assert_eq!(decide(&strangers, &around(), &policy), Decision::Leave(Reason::GatewayHeld));
        assert_eq!(decide(&queued, &around(), &policy), Decision::Leave(Reason::GatewayUnaccepted));
    }
}
