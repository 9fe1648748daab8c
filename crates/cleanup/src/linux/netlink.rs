//! The kernel's answer to "which TCP sockets": netlink sock_diag. Nothing is connected, nothing is bound.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable, Parseable,
};
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_packet_sock_diag::{SockDiagDestroy, SockDiagMessage};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr as NetlinkAddr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use crate::socket::{Family, Row, TcpState};

/// The kernel answers at once; this only keeps a wait from being endless.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// A dump that the table changed under is asked for again, this often.
const DUMP_ATTEMPTS: usize = 4;
/// The kernel fills up to 32 KiB per read.
const BUFFER_BYTES: usize = 32 * 1024;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `inet_diag_msg.idiag_timer` 3: an ownerless FIN_WAIT2 or a TIME_WAIT.
const TIMER_TIME_WAIT: u8 = 3;
/// Offsets in `struct inet_diag_msg` of what netlink-packet-sock-diag does not pass on for that timer.
const TIMER_OFFSET: usize = 2;
const EXPIRES_OFFSET: usize = 52;
/// Offsets in `struct tcp_info`. Older kernels send a shorter one, so fields are read one by one.
const LAST_ACK_RECV_OFFSET: usize = 56;
const BYTES_ACKED_OFFSET: usize = 120;

/// Which sockets: all, or those with a port on their own end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Any,
    Local(u16),
}

/// An open conversation with the kernel.
pub(crate) struct SockDiag {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl SockDiag {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_SOCK_DIAG)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_TIMEOUT))?;
        socket.connect(&NetlinkAddr::new(0, 0))?;
        Ok(Self { socket, buffer: vec![0; BUFFER_BYTES], sequence: 0 })
    }

    /// All sockets of both families in one of `states` at `end`.
    pub(crate) fn dump(&mut self, end: End, states: &StateFlags) -> io::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for family in [AF_INET, AF_INET6] {
            self.dump_family(&dump_request(family, end, states), &mut rows)?;
        }
        Ok(rows)
    }

    /// Destroys exactly this socket: tuple and cookie must match. Its holder lives on, with a dead descriptor.
    ///
    /// Errors: `EPERM` without CAP_NET_ADMIN, `EOPNOTSUPP` without CONFIG_INET_DIAG_DESTROY, `ENOENT` when it is gone.
    pub(crate) fn destroy(&mut self, row: &Row) -> io::Result<()> {
        let cookie = row.cookie.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let request = exact_request(row, cookie);
        let message = SockDiagDestroy::new(SockDiagMessage::InetRequest(request));
        self.send(NLM_F_REQUEST | NLM_F_ACK, message.into())?;
        self.receive(&mut Vec::new()).map(drop)
    }

    fn dump_family(&mut self, request: &InetRequest, rows: &mut Vec<Row>) -> io::Result<()> {
        let start = rows.len();
        for _ in 0..DUMP_ATTEMPTS {
            rows.truncate(start);
            self.send(NLM_F_REQUEST | NLM_F_DUMP, SockDiagMessage::InetRequest(request.clone()).into())?;
            if self.receive(rows)? == Dump::Whole {
                return Ok(());
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "the socket table kept changing during the dump"))
    }

    fn send<M: NetlinkSerializable>(&mut self, flags: u16, payload: NetlinkPayload<M>) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, payload);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }

    /// Reads until the end of the answer to the last request.
    fn receive(&mut self, rows: &mut Vec<Row>) -> io::Result<Dump> {
        let mut dump = Dump::Whole;
        loop {
            let size = self.receive_datagram()?;
            if let Read::End = read_datagram(&self.buffer[..size], self.sequence, &mut dump, rows)? {
                return Ok(dump);
            }
        }
    }

    fn receive_datagram(&mut self) -> io::Result<usize> {
        loop {
            match self.socket.recv(&mut &mut self.buffer[..], 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the kernel did not answer in 2 s"));
                }
                Ok(size) if size > self.buffer.len() => return Err(invalid("datagram cut off")),
                other => return other,
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Dump {
    Whole,
    /// The table changed: rows may be missing or double.
    Interrupted,
}

/// How far an answer is.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// There is more to come.
    Part,
    End,
}

/// Reads the messages in a datagram that answer the request with this sequence number.
fn read_datagram(mut rest: &[u8], sequence: u32, dump: &mut Dump, rows: &mut Vec<Row>) -> io::Result<Read> {
    while !rest.is_empty() {
        let message = NetlinkBuffer::new_checked(rest).map_err(invalid)?;
        if message.sequence_number() == sequence {
            if message.flags() & NLM_F_DUMP_INTR != 0 {
                *dump = Dump::Interrupted;
            }
            match message.message_type() {
                NLMSG_DONE => return Ok(Read::End),
                NLMSG_ERROR => return acknowledged(message.payload()).map(|()| Read::End),
                _ => rows.extend(row(message.payload())?),
            }
        }
        rest = &rest[aligned(message.length()).min(rest.len())..];
    }
    Ok(Read::Part)
}

fn dump_request(family: u8, end: End, states: &StateFlags) -> InetRequest {
    let mut socket_id = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
    if let End::Local(port) = end {
        socket_id.source_port = port;
    }
    // The age of a half-closed socket comes from tcp_info; a LISTEN dump has no use for it.
    let extensions =
        if states.contains(StateFlags::CLOSE_WAIT) { ExtensionFlags::INFO } else { ExtensionFlags::empty() };
    InetRequest { family, protocol: IPPROTO_TCP, extensions, states: states.clone(), socket_id }
}

fn exact_request(row: &Row, cookie: u64) -> InetRequest {
    let address = |address: SocketAddr| match (row.family, address.ip()) {
        (Family::V6, IpAddr::V4(ip)) => IpAddr::V6(ip.to_ipv6_mapped()),
        (_, ip) => ip,
    };
    InetRequest {
        family: if row.family == Family::V4 { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: row.local.port(),
            destination_port: row.remote.port(),
            source_address: address(row.local),
            destination_address: address(row.remote),
            interface_id: row.interface,
            cookie: cookie.to_ne_bytes(),
        },
    }
}

fn row(payload: &[u8]) -> io::Result<Option<Row>> {
    let response = InetResponse::parse(payload).map_err(invalid)?;
    let header = response.header;
    let family = match header.family {
        AF_INET => Family::V4,
        AF_INET6 => Family::V6,
        _ => return Ok(None),
    };
    let id = header.socket_id;
    let info = response.nlas.iter().find_map(|nla| match nla {
        Nla::TcpInfo(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    let expires =
        (payload.get(TIMER_OFFSET) == Some(&TIMER_TIME_WAIT)).then(|| u32_at(payload, EXPIRES_OFFSET));
    Ok(Some(Row {
        family,
        local: SocketAddr::new(id.source_address.to_canonical(), id.source_port),
        remote: SocketAddr::new(id.destination_address.to_canonical(), id.destination_port),
        interface: id.interface_id,
        state: TcpState::from_kernel(header.state),
        inode: u64::from(header.inode),
        cookie: Some(u64::from_ne_bytes(id.cookie)),
        uid: header.uid,
        recv_queue: header.recv_queue,
        send_queue: header.send_queue,
        last_ack: info.and_then(|info| u32_at(info, LAST_ACK_RECV_OFFSET)).map(milliseconds),
        bytes_acked: info.and_then(|info| u64_at(info, BYTES_ACKED_OFFSET)),
        expires: expires.flatten().map(milliseconds),
    }))
}

/// The payload of NLMSG_ERROR: 0, or a negative errno.
fn acknowledged(payload: &[u8]) -> io::Result<()> {
    match u32_at(payload, 0).map(u32::cast_signed) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(invalid("short acknowledgement")),
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().copied().map(u64::from_ne_bytes)
}

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(u64::from(count))
}

/// Netlink messages start at multiples of four.
fn aligned(length: u32) -> usize {
    (length as usize).next_multiple_of(4)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod fuzz_tests;
