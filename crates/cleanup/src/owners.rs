//! Who holds a socket. The search through all processes is what a scan costs, so it is made only for sockets whose owners
//! are not known from before.

use std::collections::{HashMap, HashSet};

use crate::limit::Limit;
use crate::process::{Owner, Process};
use crate::sys::{Procs, descriptor_link};

/// Finds owners, and remembers them by the inode of their socket.
pub(crate) struct Owners {
    procs: Procs,
    known: HashMap<u64, Vec<Owner>>,
}

impl Owners {
    pub(crate) fn new() -> Self {
        Self { procs: Procs::system(), known: HashMap::new() }
    }

    /// Learns the owners of the sockets with these inodes and forgets all others.
    ///
    /// Owners known before are only looked at again. A process that was handed the socket since is missed then: before acting
    /// on the answer, ask with new `Owners`.
    pub(crate) fn look_for(&mut self, inodes: &HashSet<u64>, limits: &mut Vec<Limit>) {
        self.known.retain(|inode, owners| {
            inodes.contains(inode)
                && !owners.is_empty()
                && owners.iter().all(|owner| still_holds(owner, *inode))
        });
        let wanted: HashSet<u64> =
            inodes.iter().copied().filter(|inode| !self.known.contains_key(inode)).collect();
        if wanted.is_empty() {
            return;
        }
        match self.procs.holders(&wanted) {
            Err(error) => limits.push(Limit::NoProcesses { reason: error.to_string() }),
            Ok(holders) => {
                if holders.hidden > 0 && wanted.iter().any(|inode| !holders.by_inode.contains_key(inode)) {
                    limits.push(Limit::OwnersHidden { processes: holders.hidden });
                }
                self.learn(holders.by_inode);
            }
        }
    }

    /// The owners of the socket with this inode, as far as they can be seen.
    pub(crate) fn of(&self, inode: u64) -> Vec<Owner> {
        self.known.get(&inode).cloned().unwrap_or_default()
    }

    fn learn(&mut self, found: HashMap<u64, Vec<(u32, i32)>>) {
        let mut processes: HashMap<u32, Option<Process>> = HashMap::new();
        for (inode, holders) in found {
            let owners = holders.into_iter().filter_map(|(pid, fd)| {
                let process = processes.entry(pid).or_insert_with(|| self.procs.process(pid).ok());
                Some(Owner { process: process.clone()?, fd })
            });
            self.known.insert(inode, owners.collect());
        }
    }
}

fn still_holds(owner: &Owner, inode: u64) -> bool {
    // An inode number is not reused while a descriptor of the socket is open, so this is the same one.
    descriptor_link(owner.process.pid, owner.fd) == Some(inode)
}
