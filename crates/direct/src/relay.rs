//! The session's bytes between ibapi and the Gateway, and the end of the socket.

use std::io;
use std::time::Duration;

use ibkr_connect_cleanup::arm_reset;
use ibkr_connect_core::CloseReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use crate::dial::acknowledge_at_once;
use crate::wire::OrderGuard;

/// How long the Gateway has to answer our FIN with its own before the socket is reset.
const FIN_GRACE: Duration = Duration::from_millis(500);

const BUFFER: usize = 64 * 1024;

/// Relays until one side ends, and closes the Gateway's socket the way that fits.
///
/// # Behavior
/// With a `guard`, a frame that trades ends the session before a byte of it is sent.
pub(crate) async fn relay(
    mut gateway: TcpStream,
    mut ibapi: TcpStream,
    guard: Option<OrderGuard>,
) -> CloseReason {
    let end = {
        let (from_gateway, to_gateway) = gateway.split();
        let (from_ibapi, to_ibapi) = ibapi.split();
        tokio::select! {
            end = inbound(from_gateway, to_ibapi) => end,
            end = outbound(from_ibapi, to_gateway, guard) => end,
        }
    };
    match end {
        End::Requested => {
            close_in_order(gateway).await;
            CloseReason::Requested
        }
        End::Gateway(how) => CloseReason::Disconnected(how),
        End::Refused(how) => {
            // The session is broken off: nothing of it may linger at the Gateway.
            let _ = arm_reset(&gateway);
            CloseReason::Disconnected(how)
        }
    }
}

enum End {
    /// ibapi closed its end because we told it to.
    Requested,
    /// The Gateway, or the network to it.
    Gateway(String),
    /// The guard.
    Refused(String),
}

async fn inbound(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> End {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) => return End::Gateway("the Gateway closed the connection".to_owned()),
            Err(error) => return End::Gateway(describe(&error)),
            Ok(count) => {
                acknowledge_at_once(from.as_ref());
                if to.write_all(&buffer[..count]).await.is_err() {
                    return End::Requested;
                }
            }
        }
    }
}

async fn outbound(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut guard: Option<OrderGuard>) -> End {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return End::Requested,
            Ok(count) => count,
        };
        if let Some(Err(refused)) = guard.as_mut().map(|guard| guard.check(&buffer[..count])) {
            return End::Refused(format!("{} was about to leave a read-only session", refused.0));
        }
        if let Err(error) = to.write_all(&buffer[..count]).await {
            return End::Gateway(describe(&error));
        }
        acknowledge_at_once(to.as_ref());
    }
}

/// Our FIN, then the Gateway's; a Gateway that does not answer gets a reset, so that it keeps no zombie.
async fn close_in_order(mut gateway: TcpStream) {
    if gateway.shutdown().await.is_err() {
        return;
    }
    // From here on, ending at any moment is a reset, also by SIGKILL.
    let _ = arm_reset(&gateway);
    let mut rest = vec![0; BUFFER];
    let _ = timeout(FIN_GRACE, async { while gateway.read(&mut rest).await.is_ok_and(|count| count > 0) {} })
        .await;
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset => "the Gateway reset the connection".to_owned(),
        io::ErrorKind::TimedOut => "the Gateway's host did not answer any more".to_owned(),
        _ => format!("the connection to the Gateway broke: {error}"),
    }
}
