//! Ending our own sockets so that the Gateway keeps nothing: RST in place of FIN.
//!
//! A FIN during the handshake is what makes the Gateway's zombie: its process sees a half-closed socket and does not
//! close its own end. A reset removes both ends at once.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// From now on closing `socket`, also by the kernel after a SIGKILL, sends RST in place of FIN (`SO_LINGER` on, 0 s).
///
/// # Errors
/// The error of `setsockopt(SO_LINGER)`: `socket` is not a socket, or already closed.
pub fn arm_reset(socket: impl AsFd) -> io::Result<()> {
    Ok(set_socket_linger(socket, Some(Duration::ZERO))?)
}

/// Undoes [`arm_reset`]: closing `socket` sends FIN again, after what is still to be sent.
///
/// # Errors
/// The error of `setsockopt(SO_LINGER)`: `socket` is not a socket, or already closed.
pub fn disarm_reset(socket: impl AsFd) -> io::Result<()> {
    Ok(set_socket_linger(socket, None)?)
}

/// Gives up a connection. Given the socket itself, it is closed on return and the peer sees RST; given a reference,
/// that happens when its owner closes it. The reset goes out when the last descriptor of the socket is closed:
/// duplicates elsewhere delay it.
///
/// # Errors
/// The error of `setsockopt(SO_LINGER)`; a socket given by value is closed all the same, then with FIN.
pub fn abort(socket: impl AsFd) -> io::Result<()> {
    arm_reset(&socket)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn an_aborted_socket_ends_in_a_reset() {
        let (client, mut server) = pair();
        abort(client).unwrap();
        let error = server.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_disarmed_socket_ends_in_a_fin() {
        let (client, mut server) = pair();
        arm_reset(&client).unwrap();
        disarm_reset(&client).unwrap();
        drop(client);
        assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn an_armed_socket_resets_when_it_is_merely_dropped() {
        let (client, mut server) = pair();
        arm_reset(&client).unwrap();
        drop(client);
        assert_eq!(server.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn what_is_no_socket_is_an_error() {
        let (reader, _writer) = io::pipe().unwrap();
        assert!(arm_reset(reader).is_err());
    }
}
