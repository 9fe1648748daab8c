//! Who is at the other end of a connection on the loopback interface: this process, or somebody else.
//!
//! No two connections of a machine have both addresses and both ports in common. So if a descriptor of this process is connected from
//! there to here, it is the other end. That needs no privilege and no look at the socket table, which a sandbox may forbid.
#![allow(unsafe_code, reason = "getsockname and getpeername of numbers that others may close meanwhile")]

use std::fs;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::RawFd;

use libc::{c_int, sockaddr, sockaddr_in, socklen_t};

/// Where the kernel lists the descriptors of this process.
const DESCRIPTORS: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

/// Without that list, these are tried.
const GUESSED: RawFd = 65_536;

/// Whether the connection from `peer` to `local`, an address on this machine, was made by a descriptor of this process.
pub fn is_own_peer(peer: SocketAddrV4, local: SocketAddrV4) -> bool {
    let connects = |descriptor: RawFd| {
        address(descriptor, libc::getpeername) == Some(local)
            && address(descriptor, libc::getsockname) == Some(peer)
    };
    match descriptors() {
        Ok(mut descriptors) => descriptors.any(connects),
        Err(_) => (0..GUESSED).any(connects),
    }
}

fn descriptors() -> io::Result<impl Iterator<Item = RawFd>> {
    let entries = fs::read_dir(DESCRIPTORS)?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

type Ask = unsafe extern "C" fn(c_int, *mut sockaddr, *mut socklen_t) -> c_int;

/// What `ask` says about a descriptor; `None` unless it is an open IPv4 socket that has such an address.
fn address(descriptor: RawFd, ask: Ask) -> Option<SocketAddrV4> {
    // SAFETY: all bits zero is a valid `sockaddr_in`, which is plain numbers.
    let mut address: sockaddr_in = unsafe { mem::zeroed() };
    let mut length = size_of::<sockaddr_in>() as socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `address`, which has as many and outlives the call. Of a number that is
    // closed, or no socket, it says so; nothing is kept of it, so that it may be closed and taken by another file at any time.
    let outcome = unsafe { ask(descriptor, (&raw mut address).cast(), &raw mut length) };
    let is_ipv4 = outcome == 0 && c_int::from(address.sin_family) == libc::AF_INET;
    is_ipv4.then(|| {
        let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
        SocketAddrV4::new(ip, u16::from_be(address.sin_port))
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;
    use crate::{Child, ChildSpec};

    fn v4(address: SocketAddr) -> SocketAddrV4 {
        match address {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(address) => panic!("{address}"),
        }
    }

    fn is_own(accepted: &TcpStream) -> bool {
        is_own_peer(v4(accepted.peer_addr().unwrap()), v4(accepted.local_addr().unwrap()))
    }

    #[test]
    fn a_connection_of_this_process_is_its_own_as_long_as_it_is_open() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let [one, other] = [(); 2].map(|()| TcpStream::connect(address).unwrap());
        let [accepted, also_accepted] = [(); 2].map(|()| listener.accept().unwrap().0);
        assert!(is_own(&accepted) && is_own(&also_accepted));
        drop(one);
        assert!(!is_own(&accepted), "nobody has the other end any more");
        assert!(is_own(&also_accepted));
        drop(other);
    }

    #[test]
    fn a_connection_of_another_process_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stranger = ChildSpec {
            args: vec!["-c".into(), format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read line").into()],
            ..ChildSpec::new("/bin/bash")
        };
        let (_stranger, _stdin, _stdout) = Child::spawn(stranger).unwrap();
        let (strangers, _) = listener.accept().unwrap();
        let mut own = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut owns, _) = listener.accept().unwrap();
        assert!(!is_own(&strangers) && is_own(&owns));
        own.write_all(b"x").unwrap();
        owns.read_exact(&mut [0]).unwrap();
    }

    #[test]
    fn what_is_no_connected_socket_has_no_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let local = v4(listener.local_addr().unwrap());
        assert!(!is_own_peer(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1), local));
        assert_eq!(address(-1, libc::getsockname), None);
        assert_eq!(address(RawFd::MAX, libc::getpeername), None);
    }
}
