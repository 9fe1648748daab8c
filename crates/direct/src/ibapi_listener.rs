//! The loopback port through which ibapi comes to the relay, and nobody else.
//!
//! Every program of this machine can connect to it, and one that watches the socket table can be faster than ibapi. So the kernel is asked
//! whose connection it is: only a socket of this process is let in, everybody else is reset, and the port is closed as soon
//! as ibapi is in.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use ibkr_connect_cleanup::{arm_reset, is_own_peer};
use tokio::net::{TcpListener, TcpStream};

/// An open port.
#[derive(Debug)]
pub(crate) struct IbapiListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl IbapiListener {
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Where ibapi is to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for ibapi, turns everybody else away, and closes the port.
    pub(crate) async fn ibapi(self) -> io::Result<TcpStream> {
        self.first(is_own_peer).await
    }

    /// The first connection that `is_own`, given its two ends.
    async fn first(self, is_own: impl Fn(SocketAddrV4, SocketAddrV4) -> bool) -> io::Result<TcpStream> {
        let mut strangers = 0_u32;
        loop {
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                // It left before it was looked at.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            if let (SocketAddr::V4(peer), SocketAddr::V4(local)) = (peer, self.address)
                && is_own(peer, local)
            {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            strangers += 1;
            if strangers == 1 {
                tracing::warn!(%peer, "relay_stranger");
            }
            // An error is the stranger's end.
            let _ = arm_reset(&stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What a client of the port reads when it is turned away.
    async fn is_reset(stream: &mut TcpStream) -> bool {
        stream.read(&mut [0]).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
    }

    #[tokio::test]
    async fn strangers_are_reset_and_the_port_is_closed_behind_the_right_one() {
        let listener = IbapiListener::open().await.unwrap();
        let address = listener.address();
        let mut strangers = Vec::new();
        for _ in 0..3 {
            strangers.push(TcpStream::connect(address).await.unwrap());
        }
        let mut ibapi = TcpStream::connect(address).await.unwrap();
        let mut late = TcpStream::connect(address).await.unwrap();
        let own = ibapi.local_addr().unwrap();

        let mut let_in = listener.first(|peer, _| SocketAddr::V4(peer) == own).await.unwrap();
        let_in.write_all(b"for ibapi").await.unwrap();
        let mut heard = [0; 9];
        ibapi.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"for ibapi");
        for stranger in &mut strangers {
            assert!(is_reset(stranger).await);
        }
        assert!(is_reset(&mut late).await, "who waits behind it");
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn this_process_is_let_in() {
        let listener = IbapiListener::open().await.unwrap();
        let ibapi = TcpStream::connect(listener.address()).await.unwrap();
        let let_in = listener.ibapi().await.unwrap();
        assert_eq!(let_in.peer_addr().unwrap(), ibapi.local_addr().unwrap());
    }
}
