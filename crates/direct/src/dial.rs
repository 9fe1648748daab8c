//! From a host name to an established TCP connection that is armed to end in a reset.

use std::io::{self, ErrorKind as Io};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use ibkr_connect_cleanup::{arm_reset, disarm_reset};
use ibkr_connect_core::{Error, ErrorKind, Phase, Result, Target};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

/// How long a silent peer may hold unacknowledged data before the kernel gives the connection up.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Finds the target's addresses; an address literal needs no look-up.
pub(crate) async fn resolve(target: &Target) -> Result<Vec<SocketAddr>> {
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    let unknown = |cause: String| {
        Error::new(ErrorKind::Unreachable, format!("can't find the host {:?}: {cause}", target.host))
            .in_phase(Phase::Preflight)
            .with_advice("check the spelling of IBKR_HOST and the name service")
    };
    let addresses: Vec<_> = lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|error| unknown(error.to_string()).with_source(error))?
        .collect();
    if addresses.is_empty() { Err(unknown("it has no address".to_owned())) } else { Ok(addresses) }
}

/// Connects to the first of `addresses` that answers before `deadline`. Each gets an equal share of what is left.
pub(crate) async fn dial(target: &Target, addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream> {
    let mut last = io::Error::from(Io::AddrNotAvailable);
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match timeout_at(Instant::now() + share, connect(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = Io::TimedOut.into(),
        }
    }
    Err(classify(target, last))
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    arm_reset(&socket)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn classify(target: &Target, error: io::Error) -> Error {
    let address = target.address();
    let (kind, phase, message) = match error.kind() {
        Io::ConnectionRefused => {
            (ErrorKind::NotListening, Phase::Tcp, format!("nothing listens on {address}"))
        }
        // The connection was established, or it would have been refused: the reset came before we looked.
        Io::ConnectionReset => {
            (ErrorKind::Rejected, Phase::Version, format!("{address} reset the connection at once"))
        }
        Io::TimedOut => {
            let message = format!("{address} did not answer the TCP connect within {:?}", target.timeout);
            (ErrorKind::Unreachable, Phase::Tcp, message)
        }
        _ => (ErrorKind::Unreachable, Phase::Tcp, format!("can't reach {address}: {error}")),
    };
    Error::new(kind, message).in_phase(phase).with_source(error)
}

/// Turns the armed socket of a handshake into that of a session: it closes in order, and a dead peer is noticed.
pub(crate) fn settle(stream: impl AsFd) -> io::Result<()> {
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
pub(crate) fn is_local(stream: &TcpStream) -> bool {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) => local.ip() == peer.ip() || peer.ip().is_loopback(),
        _ => false,
    }
}
