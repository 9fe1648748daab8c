//! Removing zombies: find, decide, do the gentlest thing that works, look again.

mod act;
mod report;

use std::collections::BTreeMap;
use std::collections::HashSet;

use crate::Error;
use crate::policy::{CleanupPolicy, Decision, Destroy, Reason, Run, Surroundings, decide};
use crate::scan::{Zombie, scan_with};
use crate::socket::Row;
use crate::sys::{Procs, Source};
use act::Obstacle;
pub use report::{CleanupReport, Done, MissingRight, Skipped};

/// Removes the zombies of `port` that `policy` allows, and says what was found, done and left.
///
/// # Behavior
/// - A zombie of an allowed process is closed in that process (nobody dies); where that may not be done it is destroyed in
///   the kernel, if the policy says so; then its process gets SIGTERM, and SIGKILL after the grace.
/// - Before each step the process and its descriptor are looked at again: another process with the same pid, or another
///   socket under the same descriptor, is never touched.
/// - Whoever listens on the port, and Java, are never signalled.
/// - Takes a second when something is half closed (the proof), longer when a process uses up its grace.
///
/// # Errors
/// When the sockets or this process itself can't be looked at, and for port 0. What could not be *done* is in the report.
pub fn clean(port: u16, policy: &CleanupPolicy) -> Result<CleanupReport, Error> {
    let scan = scan_with(&[port], policy.proof)?;
    let mut report = CleanupReport::new(port, policy.run, scan);
    if report.found.is_empty() {
        report.verified = true;
        return Ok(report);
    }
    let mut cleaner = Cleaner::new(port, policy)?;
    for zombie in report.found.clone() {
        cleaner.treat(&zombie, &mut report);
    }
    cleaner.verify(&mut report)?;
    Ok(report)
}

struct Cleaner<'a> {
    policy: &'a CleanupPolicy,
    source: Source,
    procs: Procs,
    around: Surroundings,
    /// What became of the processes that were signalled: one may hold many zombies.
    signalled: BTreeMap<u32, Result<(), Obstacle>>,
}

impl<'a> Cleaner<'a> {
    fn new(port: u16, policy: &'a CleanupPolicy) -> Result<Self, Error> {
        let (mut source, procs) = (Source::open(), Procs::system());
        let me = procs.process(std::process::id()).map_err(Error::NoIdentity)?;
        let ancestors = procs.ancestors(&me);
        let inodes: HashSet<u64> = source.listeners(port)?.iter().map(|row| row.inode).collect();
        let holders = procs.holders(&inodes).map_err(Error::NoIdentity)?;
        let listeners = holders.by_inode.values().flatten().map(|&(pid, _)| pid).collect();
        let around = Surroundings { me, ancestors, listeners };
        Ok(Self { policy, source, procs, around, signalled: BTreeMap::new() })
    }

    fn treat(&mut self, zombie: &Zombie, report: &mut CleanupReport) {
        match (decide(zombie, &self.around, self.policy), self.policy.run) {
            (Decision::Leave(reason), _) => report.skip(zombie, reason),
            (_, Run::Dry) => report.skip(zombie, Reason::DryRun),
            (Decision::Destroy, Run::Act) => {
                let outcome = self.destroy(zombie).map(|()| report.destroyed.push(Done::of(zombie)));
                report.note(zombie, outcome);
            }
            (Decision::Close, Run::Act) => {
                let outcome = act::close(&self.procs, zombie).map(|()| report.closed.push(Done::of(zombie)));
                report.note(zombie, outcome);
            }
            (Decision::CloseOrKill, Run::Act) => self.close_or_kill(zombie, report),
        }
    }

    /// Gentle first; what stands in the way of one step leads to the next.
    fn close_or_kill(&mut self, zombie: &Zombie, report: &mut CleanupReport) {
        if zombie.owners.iter().all(|owner| self.signalled.get(&owner.process.pid) == Some(&Ok(()))) {
            return report.killed.push(Done::of(zombie));
        }
        match act::close(&self.procs, zombie) {
            Ok(()) => return report.closed.push(Done::of(zombie)),
            Err(Obstacle::Gone) => return report.skip(zombie, Reason::Vanished),
            Err(obstacle) => report.miss(&obstacle),
        }
        if self.policy.destroy != Destroy::Never {
            match self.destroy(zombie) {
                Ok(()) => return report.destroyed.push(Done::of(zombie)),
                Err(Obstacle::Gone) => return report.skip(zombie, Reason::Vanished),
                Err(obstacle) => report.miss(&obstacle),
            }
        }
        for owner in &zombie.owners {
            let pid = owner.process.pid;
            let grace = self.policy.grace;
            let procs = &self.procs;
            let outcome =
                self.signalled.entry(pid).or_insert_with(|| act::kill(procs, owner, &zombie.socket, grace));
            match outcome {
                Ok(()) => report.killed.push(Done::by(zombie, owner)),
                Err(obstacle) => {
                    let obstacle = obstacle.clone();
                    return report.note(zombie, Err(obstacle));
                }
            }
        }
    }

    fn destroy(&mut self, zombie: &Zombie) -> Result<(), Obstacle> {
        let rows = self.source.half_closed().map_err(|error| Obstacle::Failed(error.to_string()))?;
        let row = rows.iter().find(|row| zombie.socket.is(row)).ok_or(Obstacle::Gone)?;
        self.source.destroy(row).map_err(Obstacle::from_destroy)
    }

    /// Asks the kernel again: what is still half closed remains, whatever was done.
    fn verify(&mut self, report: &mut CleanupReport) -> Result<(), Error> {
        let rows: Vec<Row> = self.source.half_closed()?;
        let still_there = |zombie: &&Zombie| rows.iter().any(|row| zombie.socket.is(row));
        report.remaining = report.found.iter().filter(still_there).cloned().collect();
        report.verified = !report.remaining.iter().any(|zombie| report.was_treated(zombie));
        Ok(())
    }
}
