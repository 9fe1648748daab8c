//! The port on which direct waits for ibapi is open for everybody on this machine. A thief watches the socket table, is there first
//! when it can, and says ibapi's part: whoever is let in reads the accounts and may send what he likes.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use ibkr_connect_sim::{SimOptions, Simulator};
use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send, socket};
use serde::{Deserialize, Serialize};

use crate::support::host::{Finished, Running, User};
use crate::support::setting;

/// How many connects are to be stolen.
const CONNECTS: usize = 120;

/// How often they are made, until the thief has been fast enough to prove anything.
const ROUNDS: usize = 5;

/// The variable that tells the thief whose ports to steal.
const PREY: &str = "THIEF_PREY";

#[test]
fn nobody_comes_in_by_the_port_of_a_session_in_the_hosts_process() {
    no_connect_is_stolen("direct");
}

#[test]
fn nobody_comes_in_by_the_port_of_a_session_in_a_worker() {
    no_connect_is_stolen("subprocess");
}

fn no_connect_is_stolen(mode: &str) {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let mut tried = 0;
    for _ in 0..ROUNDS {
        let (connected, haul) = steal(&user, mode, gateway.port());
        assert_eq!((connected, haul.stolen), (CONNECTS, 0), "{mode}: {haul:?}");
        tried += haul.tried;
        if tried > 0 {
            break;
        }
    }
    assert!(tried > 0, "the thief is too slow to prove anything");
    // Nobody but the connects has said anything to the Gateway.
    assert_eq!(gateway.stats().orders, 0);
}

/// How many of the connects came about, and what the thief got of them.
fn steal(user: &User, mode: &str, port: u16) -> (usize, Haul) {
    let (port, connects) = (port.to_string(), CONNECTS.to_string());
    let probe = ["--port", &port, "--mode", mode, "--json", "probe", "--attempts", &connects];
    let mut prey = user.command(probe);
    let mut prey = Running(prey.stdout(Stdio::piped()).spawn().unwrap());
    let mut thief = user.program(
        &std::env::current_exe().unwrap(),
        ["--exact", "thief::the_thief", "--ignored", "--nocapture", "--quiet"],
    );
    let thief = Finished::of({
        thief.env(PREY, prey.0.id().to_string());
        thief
    });
    prey.wait(Duration::from_secs(10));
    let mut report = String::new();
    prey.0.stdout.take().unwrap().read_to_string(&mut report).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let haul = thief.stdout.lines().find_map(|line| serde_json::from_str(line).ok());
    let connected = report["successes"].as_u64().unwrap() as usize;
    (connected, haul.unwrap_or_else(|| panic!("{thief:?}")))
}

/// What the thief got.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Haul {
    /// To how many ports it was connected.
    tried: usize,
    /// How many of them said a word to it.
    stolen: usize,
}

/// The part of the other process.
#[test]
#[ignore = "the thief of the tests above, which start it"]
#[allow(clippy::print_stdout, reason = "how the test hears of it")]
fn the_thief() {
    let prey = setting(PREY).expect("somebody to steal from");
    let (mut haul, mut seen) = (Haul::default(), HashSet::new());
    let table = SocketTable::open();
    while fs::exists(format!("/proc/{prey}/fd/0")).unwrap_or(false) {
        let new: Vec<_> = table.listeners().into_iter().filter(|(_, inode)| !seen.contains(inode)).collect();
        if new.is_empty() {
            continue;
        }
        let own = sockets_of(prey);
        for (port, inode) in new {
            seen.insert(inode);
            if own.contains(&inode)
                && let Ok(door) = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            {
                haul.tried += 1;
                haul.stolen += usize::from(is_let_in(door));
            }
        }
    }
    println!("{}", serde_json::to_string(&haul).unwrap());
}

/// The kernel's table of sockets, by sock_diag: ten times as fast as /proc/net/tcp.
struct SocketTable(OwnedFd);

impl SocketTable {
    fn open() -> Self {
        Self(socket(AddressFamily::NETLINK, SocketType::RAW, Some(SOCK_DIAG)).unwrap())
    }

    /// The ports of 127.0.0.1 that somebody listens on, with the inodes of the sockets.
    fn listeners(&self) -> Vec<(u16, u32)> {
        // nlmsghdr: length, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP; inet_diag_req_v2: AF_INET, TCP, LISTEN.
        let mut request = [0_u8; 72];
        request[..8].copy_from_slice(&[72, 0, 0, 0, 20, 0, 0x01, 0x03]);
        request[16..24].copy_from_slice(&[2, 6, 0, 0, 0, 4, 0, 0]);
        send(&self.0, &request, SendFlags::empty()).unwrap();
        let (mut found, mut buffer) = (Vec::new(), [0_u8; 32 * 1024]);
        loop {
            let (length, _) = recv(&self.0, &mut buffer, RecvFlags::empty()).unwrap();
            let mut messages = &buffer[..length];
            while let Some((message, rest)) = split(messages) {
                match message[4] {
                    // NLMSG_DONE
                    3 => return found,
                    20 => found.extend(listener(&message[16..])),
                    other => panic!("sock_diag says {other}"),
                }
                messages = rest;
            }
        }
    }
}

/// The first netlink message, and the rest.
fn split(messages: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_ne_bytes(messages.get(..4)?.try_into().unwrap()) as usize;
    Some((&messages[..length], &messages[length.next_multiple_of(4).min(messages.len())..]))
}

/// Of an inet_diag_msg: the source port, where the source address is 127.0.0.1, and the inode.
fn listener(row: &[u8]) -> Option<(u16, u32)> {
    let port = u16::from_be_bytes([row[4], row[5]]);
    let inode = u32::from_ne_bytes(row[68..72].try_into().unwrap());
    (row[8..12] == [127, 0, 0, 1]).then_some((port, inode))
}

/// Says what ibapi would say, and tells whether anything comes back.
fn is_let_in(mut door: TcpStream) -> bool {
    let said = door.write_all(b"API\0\0\0\0\x09v213..226");
    door.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    match door.read(&mut [0; 64]) {
        Ok(read) => read > 0,
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            panic!("neither let in nor turned away: {said:?}")
        }
        Err(_) => false,
    }
}

/// The inodes of the sockets of a process and its children.
fn sockets_of(process: u64) -> HashSet<u32> {
    let mut processes = vec![process];
    for task in entries(format!("/proc/{process}/task")) {
        let children = fs::read_to_string(task.join("children")).unwrap_or_default();
        processes.extend(children.split_whitespace().filter_map(|child| child.parse::<u64>().ok()));
    }
    let descriptors = processes.into_iter().flat_map(|process| entries(format!("/proc/{process}/fd")));
    let names = descriptors.filter_map(|descriptor| fs::read_link(descriptor).ok());
    names
        .filter_map(|name| name.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

fn entries(directory: String) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .map_or_else(|_| Vec::new(), |entries| entries.flatten().map(|entry| entry.path()).collect())
}
