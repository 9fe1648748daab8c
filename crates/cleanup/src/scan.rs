//! Finding zombies: two samples of the kernel's socket table, the owners in between.

use std::thread;
use std::time::Instant;

use serde::{Serialize, Serializer};

use crate::Error;
use crate::judge::{Judge, Judged, Proof, Sample};
use crate::limit::Limit;
use crate::owners::Owners;
use crate::process::Owner;
use crate::socket::{HalfClosed, ZombieClass};
use crate::sys::{self, Source};

/// A half-closed connection with its owners.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Zombie {
    /// The socket.
    pub socket: HalfClosed,
    /// Every process that holds it. Empty for one that nobody has accepted, and where the owner can't be seen: then
    /// [`HalfClosed::uid`] is all that is known.
    pub owners: Vec<Owner>,
    /// It is proved to be a zombie, by [`Proof`].
    pub confirmed: bool,
}

/// What was found on some ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Scan {
    /// Proved to be zombies.
    pub zombies: Vec<Zombie>,
    /// Half closed, but perhaps legitimately or only just now.
    pub candidates: Vec<Zombie>,
    /// What could not be seen.
    pub limits: Vec<Limit>,
}

/// All half-closed sockets of `ports` right now, both sides, from one sample: neither owners nor proof. Half a
/// millisecond.
///
/// # Errors
/// When the socket table can't be read, and for port 0.
pub fn half_closed(ports: &[u16]) -> Result<Vec<HalfClosed>, Error> {
    check(ports)?;
    let rows = Source::open().half_closed()?;
    Ok(rows.iter().filter_map(|row| HalfClosed::from_row(row, ports)).collect())
}

/// The zombies of `ports`, by the default [`Proof`]: at once when nothing is half closed, else after a second.
///
/// # Errors
/// When the socket table can't be read, and for port 0. What merely could not be seen is in [`Scan::limits`].
pub fn scan(ports: &[u16]) -> Result<Scan, Error> {
    scan_with(ports, Proof::default())
}

/// The zombies of `ports`, by a proof of your own.
///
/// # Errors
/// As [`scan`].
pub fn scan_with(ports: &[u16], proof: Proof) -> Result<Scan, Error> {
    let mut watch = Watch::new(ports, proof)?;
    if watch.judge()?.is_empty() {
        return Ok(Scan { limits: watch.source.limit().into_iter().collect(), ..Scan::default() });
    }
    // Without ages from the kernel only waiting shows one.
    let blind = watch.source.limit().is_some();
    thread::sleep(if blind { proof.gap.max(proof.min_age) } else { proof.gap });
    watch.observe()
}

/// Looks at the same ports again and again, and knows what it has seen before.
pub struct Watch {
    ports: Vec<u16>,
    source: Source,
    judge: Judge,
    owners: Owners,
}

impl Watch {
    /// Starts to watch `ports`. The first [`observe`](Self::observe) can't prove anything yet.
    ///
    /// # Errors
    /// For port 0.
    pub fn new(ports: &[u16], proof: Proof) -> Result<Self, Error> {
        check(ports)?;
        let judge = Judge::new(proof, sys::fin_timeout());
        Ok(Self { ports: ports.to_vec(), source: Source::open(), judge, owners: Owners::new() })
    }

    /// Takes a sample and judges it by itself and those before.
    ///
    /// # Errors
    /// As [`scan`].
    pub fn observe(&mut self) -> Result<Scan, Error> {
        let judged = self.judge()?;
        let unseen = judged.iter().filter(|judged| !judged.peer_in_sight).count();
        let mut limits: Vec<Limit> = self.source.limit().into_iter().collect();
        if unseen > 0 {
            limits.push(Limit::PeerOutOfSight { connections: unseen });
        }
        let inodes = judged.iter().map(|judged| judged.socket.inode).filter(|&inode| inode != 0).collect();
        self.owners.look_for(&inodes, &mut limits);
        let zombie = |Judged { socket, confirmed, .. }| Zombie {
            owners: self.owners.of(socket.inode),
            socket,
            confirmed,
        };
        let (zombies, candidates) = judged.into_iter().map(zombie).partition(|zombie| zombie.confirmed);
        Ok(Scan { zombies, candidates, limits })
    }

    fn judge(&mut self) -> Result<Vec<Judged>, Error> {
        let sample = self.sample()?;
        Ok(self.judge.observe(&sample, &self.ports))
    }

    /// The peers are asked for only when something is half closed.
    fn sample(&mut self) -> Result<Sample, Error> {
        let at = Instant::now();
        let mut rows = self.source.half_closed()?;
        rows.retain(|row| HalfClosed::from_row(row, &self.ports).is_some());
        let mut listening = Vec::new();
        if !rows.is_empty() {
            rows.extend(self.source.fin_wait()?);
            for &port in &self.ports {
                if !self.source.listeners(port)?.is_empty() {
                    listening.push(port);
                }
            }
        }
        Ok(Sample { at, rows, listening })
    }
}

fn check(ports: &[u16]) -> Result<(), Error> {
    if ports.contains(&0) { Err(Error::PortZero) } else { Ok(()) }
}

impl Serialize for Zombie {
    /// `{"class","pid","command","fd","local","remote","unread","age_ms","confirmed","inode","cookie","uid","owners"}`; pid,
    /// command and fd are those of the first owner.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            class: ZombieClass,
            pid: Option<u32>,
            command: Option<&'a str>,
            fd: Option<i32>,
            local: String,
            remote: String,
            unread: u32,
            age_ms: Option<u64>,
            confirmed: bool,
            inode: u64,
            cookie: Option<u64>,
            uid: u32,
            owners: &'a [Owner],
        }
        let (socket, owner) = (&self.socket, self.owners.first());
        Json {
            class: socket.class,
            pid: owner.map(|owner| owner.process.pid),
            command: owner.map(|owner| owner.process.command.as_str()),
            fd: owner.map(|owner| owner.fd),
            local: socket.local.to_string(),
            remote: socket.remote.to_string(),
            unread: socket.unread,
            age_ms: socket.age.and_then(|age| u64::try_from(age.as_millis()).ok()),
            confirmed: self.confirmed,
            inode: socket.inode,
            cookie: socket.cookie,
            uid: socket.uid,
            owners: &self.owners,
        }
        .serialize(serializer)
    }
}
