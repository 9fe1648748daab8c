//! The part of the other process.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::support::setting;
use crate::table::{Listener, SocketTable};

/// The variable that tells the thief whose ports to steal: a process.
pub(crate) const PREY: &str = "THIEF_PREY";

/// Its user, where the thief may not look into the process.
pub(crate) const VICTIM: &str = "THIEF_VICTIM";

/// What the thief got.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Haul {
    /// To how many ports it was connected.
    pub(crate) tried: usize,
    /// How many of them said a word to it.
    pub(crate) stolen: usize,
}

/// Whom to steal from, if this process is a thief.
pub(crate) fn prey() -> Option<u64> {
    setting(PREY)
}

/// Steals until the prey has ended, and says what it got.
#[allow(clippy::print_stdout, reason = "how the test hears of it")]
pub(crate) fn steal(prey: u64) {
    let (mut haul, mut seen) = (Haul::default(), HashSet::new());
    let (table, victim) = (SocketTable::open(), setting(VICTIM));
    while is_alive(prey) {
        let new: Vec<_> =
            table.listeners().into_iter().filter(|found| !seen.contains(&found.inode)).collect();
        if new.is_empty() {
            continue;
        }
        let own = if victim.is_none() { sockets_of(prey) } else { HashSet::new() };
        for Listener { port, inode, uid } in new {
            seen.insert(inode);
            let is_prey = victim.map_or_else(|| own.contains(&inode), |victim| u64::from(uid) == victim);
            if is_prey && let Ok(door) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                haul.tried += 1;
                haul.stolen += usize::from(is_let_in(door));
            }
        }
    }
    println!("{}", serde_json::to_string(&haul).unwrap());
}

/// Whether it runs: not a process that has ended and that nobody has asked about.
fn is_alive(process: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z")))
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
