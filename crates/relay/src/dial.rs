//! From a host name to an established TCP connection that is armed to end in a reset.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use ibkr_connect_cleanup::{arm_reset, disarm_reset};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

/// How long a silent peer may hold unacknowledged data before the kernel gives the connection up.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Finds a host's addresses, in the order of the name service; an address literal needs no look-up.
///
/// # Errors
/// Those of the look-up; there may be no address as well.
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    Ok(lookup_host((host, port)).await?.collect())
}

/// Connects to the first of `addresses` that answers before `deadline`. Each gets an equal share of what is left.
///
/// # Behavior
/// From before the SYN on, whatever ends the connection ends it in a reset, SIGKILL included; see [`settle`].
///
/// # Errors
/// The last address's; `TimedOut` where it did not answer.
pub async fn dial(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match timeout_at(Instant::now() + share, connect(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    arm_reset(&socket)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Turns the armed socket of a handshake into that of a session: it closes gracefully, and a dead peer is noticed.
///
/// # Errors
/// Those of the socket's options.
pub fn settle(stream: impl AsFd) -> io::Result<()> {
    let stream = stream.as_fd();
    disarm_reset(stream)?;
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    rustix::net::sockopt::set_tcp_keepidle(stream, USER_TIMEOUT / 2)?;
    rustix::net::sockopt::set_tcp_keepintvl(stream, USER_TIMEOUT / 6)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(
        stream,
        u32::try_from(USER_TIMEOUT.as_millis()).unwrap_or(u32::MAX),
    )?;
    Ok(())
}

/// Asks the kernel to acknowledge the next segment at once. A Gateway that writes a message in several pieces without
/// TCP_NODELAY waits for that acknowledgement, 40 ms if it is delayed. The kernel forgets the wish with every exchange.
pub(crate) fn acknowledge_at_once(stream: impl AsFd) {
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Whether the connection stays on this machine, so that its other end is in our own socket table.
pub fn is_local(stream: &TcpStream) -> bool {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) => local.ip() == peer.ip() || peer.ip().is_loopback(),
        _ => false,
    }
}
