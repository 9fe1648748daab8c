//! The proof that a half-closed socket is a zombie: pure logic over samples of the socket table.
//!
//! A connection that is just closing is half closed for some milliseconds, a legitimate half-close for as long as it
//! likes. A zombie is told from both by all of:
//! - the same socket (cookie and inode) half closed in two samples at least [`Proof::gap`] apart, sending nothing,
//! - half closed for at least [`Proof::min_age`],
//! - its peer gone, or a FIN_WAIT that no process owns: nobody can read what it would still send.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::socket::{HalfClosed, Row, TcpState};

/// What has to be shown before a half-closed socket counts as a zombie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The least time between the two samples.
    pub gap: Duration,
    /// The least time half closed. A well-behaved client closes within 50 ms on a busy machine.
    pub min_age: Duration,
    /// The same where the peer can't be seen (another host or network namespace): its absence proves nothing.
    pub min_age_unseen_peer: Duration,
}

impl Default for Proof {
    /// 1 s, 5 s, and 60 s (after which Linux has dropped an ownerless FIN_WAIT2 on the other side).
    fn default() -> Self {
        Self {
            gap: Duration::from_secs(1),
            min_age: Duration::from_secs(5),
            min_age_unseen_peer: Duration::from_secs(60),
        }
    }
}

/// The closing connections of some ports at one time.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    /// Half-closed sockets with an end on one of the ports, and all in FIN_WAIT.
    pub(crate) rows: Vec<Row>,
    /// The ports somebody listens on here.
    pub(crate) listening: Vec<u16>,
}

/// A half-closed socket and how sure we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) socket: HalfClosed,
    pub(crate) confirmed: bool,
    pub(crate) peer_in_sight: bool,
}

/// Remembers when each half-closed socket was first seen.
#[derive(Debug)]
pub(crate) struct Judge {
    proof: Proof,
    /// How long the kernel keeps an ownerless FIN_WAIT2; `None` when unknown.
    fin_timeout: Option<Duration>,
    seen: HashMap<Identity, Seen>,
}

/// Cookie, inode and addresses: no other socket has them all.
type Identity = (Option<u64>, u64, SocketAddr, SocketAddr);

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    bytes_acked: Option<u64>,
}

impl Judge {
    pub(crate) fn new(proof: Proof, fin_timeout: Option<Duration>) -> Self {
        Self { proof, fin_timeout, seen: HashMap::new() }
    }

    /// Takes the next sample of `ports`; sockets that are no longer in it are forgotten.
    pub(crate) fn observe(&mut self, sample: &Sample, ports: &[u16]) -> Vec<Judged> {
        let before = std::mem::take(&mut self.seen);
        let mut judged = Vec::new();
        for row in &sample.rows {
            let Some(socket) = HalfClosed::from_row(row, ports) else { continue };
            let now = Seen { at: sample.at, bytes_acked: row.bytes_acked };
            let identity = (row.cookie, row.inode, row.local, row.remote);
            // Whatever is still sending starts over.
            let first = before.get(&identity).filter(|seen| seen.bytes_acked == row.bytes_acked);
            let first = first.copied().unwrap_or(now);
            self.seen.insert(identity, first);
            judged.push(self.verdict(socket, first, sample));
        }
        judged
    }

    fn verdict(&self, mut socket: HalfClosed, first: Seen, sample: &Sample) -> Judged {
        let peer = sample.rows.iter().find(|row| row.is_peer_of(&socket));
        let watched = sample.at.saturating_duration_since(first.at);
        let known = [socket.age, self.age_from(peer)].into_iter().flatten().max();
        let age = known.unwrap_or_default().max(watched);
        socket.age = known.map(|known| known.max(watched)).or((watched > Duration::ZERO).then_some(watched));
        let peer_in_sight = peer.is_some() || peer_would_be_visible(&socket, sample);
        let min_age = if peer_in_sight { self.proof.min_age } else { self.proof.min_age_unseen_peer };
        let peer_is_gone = peer.is_none_or(|peer| peer.state == TcpState::FinWait && peer.is_ownerless());
        let confirmed = watched >= self.proof.gap && !watched.is_zero() && age >= min_age && peer_is_gone;
        Judged { socket, confirmed, peer_in_sight }
    }

    /// An ownerless FIN_WAIT2 tells its age by its timer, also where keep-alives hide that of the half-closed end.
    fn age_from(&self, peer: Option<&Row>) -> Option<Duration> {
        let peer = peer.filter(|peer| peer.is_ownerless())?;
        Some(self.fin_timeout?.saturating_sub(peer.expires?))
    }
}

/// Whether a peer that is not in the table is really gone.
fn peer_would_be_visible(socket: &HalfClosed, sample: &Sample) -> bool {
    let (local, remote) = (socket.local.ip(), socket.remote.ip());
    remote.is_loopback() || (local == remote && sample.listening.contains(&socket.port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Family, ZombieClass};

    const PORT: u16 = 4002;
    const GATEWAY: &str = "127.0.0.1:4002";
    const CLIENT: &str = "127.0.0.1:40000";

    fn row(local: &str, remote: &str, state: TcpState) -> Row {
        Row {
            family: Family::V4,
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            interface: 0,
            state,
            inode: 77,
            cookie: Some(7),
            uid: 1000,
            recv_queue: 1,
            send_queue: 0,
            last_ack: Some(Duration::from_secs(30)),
            bytes_acked: Some(10),
            expires: None,
        }
    }

    fn zombie() -> Row {
        row(CLIENT, GATEWAY, TcpState::CloseWait)
    }

    fn orphan() -> Row {
        Row { inode: 0, cookie: Some(8), ..row(GATEWAY, CLIENT, TcpState::FinWait) }
    }

    /// Judges two samples `gap` apart.
    fn judge(first: Vec<Row>, second: Vec<Row>, gap: Duration) -> Vec<Judged> {
        let start = Instant::now();
        let mut judge = Judge::new(Proof::default(), Some(Duration::from_secs(60)));
        judge.observe(&Sample { at: start, rows: first, listening: vec![PORT] }, &[PORT]);
        judge.observe(&Sample { at: start + gap, rows: second, listening: vec![PORT] }, &[PORT])
    }

    fn confirmed(rows: Vec<Row>) -> bool {
        judge(rows.clone(), rows, Duration::from_secs(1))[0].confirmed
    }

    #[test]
    fn a_table_of_cases() {
        let with = |change: fn(&mut Row)| {
            let mut row = zombie();
            change(&mut row);
            row
        };
        let peer = |change: fn(&mut Row)| {
            let mut row = orphan();
            change(&mut row);
            row
        };
        let young = with(|row| row.last_ack = Some(Duration::from_secs(2)));
        let cases: Vec<(&str, Vec<Row>, bool)> = vec![
            ("old, peer an orphan", vec![zombie(), orphan()], true),
            ("old, peer gone", vec![zombie()], true),
            ("too young", vec![young.clone(), orphan()], false),
            (
                "young by keep-alives, old by the peer's timer",
                vec![young.clone(), peer(|row| row.expires = Some(Duration::from_secs(50)))],
                true,
            ),
            ("young by both", vec![young, peer(|row| row.expires = Some(Duration::from_secs(58)))], false),
            (
                "a legitimate half-close: the peer has an owner",
                vec![zombie(), peer(|row| row.inode = 5)],
                false,
            ),
            (
                "remote, 30 s: its peer can't be seen",
                vec![with(|row| row.remote = "10.0.0.9:4002".parse().unwrap())],
                false,
            ),
            (
                "remote, 70 s",
                vec![with(|row| {
                    row.remote = "10.0.0.9:4002".parse().unwrap();
                    row.last_ack = Some(Duration::from_secs(70));
                })],
                true,
            ),
        ];
        for (name, rows, expected) in cases {
            assert_eq!(confirmed(rows), expected, "{name}");
        }
    }

    #[test]
    fn own_address_but_nobody_listens_here_may_be_a_port_mapping() {
        let mut rows = vec![zombie()];
        rows[0].local = "192.168.1.5:40000".parse().unwrap();
        rows[0].remote = "192.168.1.5:4002".parse().unwrap();
        let start = Instant::now();
        for (listening, expected) in [(vec![], false), (vec![PORT], true)] {
            let mut judge = Judge::new(Proof::default(), None);
            for seconds in [0, 1] {
                let sample = Sample {
                    at: start + Duration::from_secs(seconds),
                    rows: rows.clone(),
                    listening: listening.clone(),
                };
                let judged = judge.observe(&sample, &[PORT]);
                assert_eq!(judged[0].confirmed, expected && seconds == 1);
                assert_eq!(judged[0].peer_in_sight, expected);
            }
        }
    }

    #[test]
    fn one_sample_proves_nothing_and_two_must_be_apart() {
        let rows = vec![zombie()];
        assert!(!judge(vec![], rows.clone(), Duration::from_secs(1))[0].confirmed, "first seen now");
        assert!(!judge(rows.clone(), rows.clone(), Duration::from_millis(900))[0].confirmed);
        assert!(!judge(rows.clone(), rows, Duration::ZERO)[0].confirmed);
    }

    #[test]
    fn two_looks_at_the_same_moment_prove_nothing_also_without_a_gap() {
        let proof = Proof { gap: Duration::ZERO, ..Proof::default() };
        let mut judge = Judge::new(proof, Some(Duration::from_secs(60)));
        let at = Instant::now();
        for _ in 0..2 {
            let judged = judge.observe(&Sample { at, rows: vec![zombie()], listening: vec![PORT] }, &[PORT]);
            assert!(!judged[0].confirmed);
        }
    }

    #[test]
    fn a_reused_tuple_is_another_socket() {
        let mut reused = zombie();
        reused.cookie = Some(99);
        assert!(!judge(vec![zombie()], vec![reused], Duration::from_secs(1))[0].confirmed);
        let mut passed_on = zombie();
        passed_on.inode = 78;
        assert!(!judge(vec![zombie()], vec![passed_on], Duration::from_secs(1))[0].confirmed);
    }

    #[test]
    fn a_half_close_that_still_sends_is_none() {
        let mut sending = zombie();
        sending.bytes_acked = Some(11);
        assert!(!judge(vec![zombie()], vec![sending], Duration::from_secs(9))[0].confirmed);
    }

    #[test]
    fn without_ages_the_time_watched_is_the_age() {
        let mut blind = zombie();
        (blind.cookie, blind.last_ack, blind.bytes_acked) = (None, None, None);
        let rows = vec![blind];
        assert!(!judge(rows.clone(), rows.clone(), Duration::from_secs(4))[0].confirmed);
        let judged = judge(rows.clone(), rows, Duration::from_secs(5));
        assert!(judged[0].confirmed);
        assert_eq!(judged[0].socket.age, Some(Duration::from_secs(5)));
    }

    #[test]
    fn the_three_classes() {
        let accepted = row(GATEWAY, CLIENT, TcpState::CloseWait);
        let queued = Row { inode: 0, ..row(GATEWAY, CLIENT, TcpState::CloseWait) };
        let classes: Vec<ZombieClass> = [zombie(), accepted, queued]
            .iter()
            .map(|row| HalfClosed::from_row(row, &[PORT]).unwrap().class)
            .collect();
        assert_eq!(
            classes,
            [ZombieClass::ClientHeld, ZombieClass::GatewayHeld, ZombieClass::GatewayUnaccepted]
        );
        assert_eq!(HalfClosed::from_row(&zombie(), &[4001]), None, "another port");
        assert_eq!(HalfClosed::from_row(&orphan(), &[PORT]), None, "not half closed");
        let both = row("127.0.0.1:4002", "127.0.0.1:4002", TcpState::CloseWait);
        assert_eq!(
            HalfClosed::from_row(&both, &[PORT]).unwrap().class,
            ZombieClass::GatewayHeld,
            "never closed by us"
        );
    }
}
