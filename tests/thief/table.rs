//! The kernel's table of sockets, which every user may read: by sock_diag, ten times as fast as /proc/net/tcp.

use std::os::fd::OwnedFd;

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send, socket};

pub(crate) struct SocketTable(OwnedFd);

/// A port of 127.0.0.1 that somebody listens on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listener {
    pub(crate) port: u16,
    pub(crate) inode: u32,
    pub(crate) uid: u32,
}

impl SocketTable {
    pub(crate) fn open() -> Self {
        Self(socket(AddressFamily::NETLINK, SocketType::RAW, Some(SOCK_DIAG)).unwrap())
    }

    pub(crate) fn listeners(&self) -> Vec<Listener> {
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

/// Of an inet_diag_msg: the source port, where the source address is 127.0.0.1, the user, and the inode.
fn listener(row: &[u8]) -> Option<Listener> {
    let port = u16::from_be_bytes([row[4], row[5]]);
    let number = |at: usize| u32::from_ne_bytes(row[at..at + 4].try_into().unwrap());
    (row[8..12] == [127, 0, 0, 1]).then(|| Listener { port, uid: number(64), inode: number(68) })
}
