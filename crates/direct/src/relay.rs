//! The session's bytes between ibapi and the Gateway, and the end of the socket.

use std::io;
use std::time::Duration;

use ibkr_connect_cleanup::arm_reset;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout};

use crate::dial::acknowledge_at_once;
use crate::ending::Ending;
use crate::guard::ReadOnlyGuard;
use crate::inbound::{Flow, Inbound};
use crate::wiretap::Wiretap;

/// How long the Gateway has to answer our FIN with its own before the socket is reset.
const FIN_GRACE: Duration = Duration::from_millis(500);

const BUFFER: usize = 64 * 1024;

/// Relays until one side ends, closes the Gateway's socket the way that fits, and says how the session was lost. When it ends
/// because this program has closed it, nobody asks.
///
/// # Behavior
/// - With a `guard`, a frame that does more than read ends the session before a byte of it is sent.
/// - What the Gateway says in errors is noted on `tap`.
pub(crate) async fn relay(
    mut gateway: TcpStream,
    mut ibapi: TcpStream,
    guard: Option<ReadOnlyGuard>,
    tap: Wiretap,
) -> Ending {
    let end = {
        let (from_gateway, to_gateway) = gateway.split();
        let (from_ibapi, to_ibapi) = ibapi.split();
        tokio::select! {
            end = inbound(from_gateway, to_ibapi, &tap) => end,
            end = outbound(from_ibapi, to_gateway, guard) => end,
        }
    };
    let last_word = tap.last_word(Instant::now());
    match end {
        End::Gateway(how) => Ending::lost(how, last_word),
        End::Garbage(how) => {
            close_in_order(gateway).await;
            Ending::lost(how, last_word)
        }
        End::Ibapi => {
            close_in_order(gateway).await;
            Ending::lost("ibapi has given the connection up".to_owned(), last_word)
        }
        End::Refused(how) => {
            // The session is broken off: nothing of it may linger at the Gateway.
            let _ = arm_reset(&gateway);
            Ending::lost(how, None)
        }
    }
}

/// Who has ended the session.
enum End {
    /// ibapi: because it was told to, or because it can't go on.
    Ibapi,
    /// The Gateway, or the network to it.
    Gateway(String),
    /// Nobody yet, but what the Gateway sends is not to be read any more.
    Garbage(String),
    /// The guard.
    Refused(String),
}

async fn inbound(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, tap: &Wiretap) -> End {
    let mut buffer = vec![0; BUFFER];
    let (mut frames, mut passed) = (Inbound::default(), Vec::new());
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) => return End::Gateway("the Gateway closed the connection".to_owned()),
            Err(error) => return End::Gateway(describe(&error)),
            Ok(count) => count,
        };
        acknowledge_at_once(from.as_ref());
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            passed.clear();
            let flow = frames.follow(&mut bytes, Instant::now(), tap, &mut passed);
            if to.write_all(&passed).await.is_err() {
                return End::Ibapi;
            }
            match flow {
                Ok(Flow::GoesOn) => {}
                Ok(Flow::Halts) => tap.goes_on().await,
                Err(bad) => return End::Garbage(bad.to_string()),
            }
        }
    }
}

async fn outbound(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut guard: Option<ReadOnlyGuard>) -> End {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return End::Ibapi,
            Ok(count) => count,
        };
        if let Some(Err(refused)) = guard.as_mut().map(|guard| guard.check(&buffer[..count])) {
            return End::Refused(format!("{refused} was about to leave a read-only session"));
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Both ends of a connection.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    fn frame(id: u32) -> [u8; 8] {
        [[0, 0, 0, 4], (id + 200).to_be_bytes()].concat().try_into().unwrap()
    }

    /// What a Gateway reads of `frames`, one after the other, and how the session ends.
    async fn relayed(
        guard: Option<ReadOnlyGuard>,
        frames: &[[u8; 8]],
    ) -> (Vec<u8>, io::Result<usize>, Ending) {
        let (gateway, mut gateways_end) = pair().await;
        let (mut ibapis_end, ibapi) = pair().await;
        let relay = tokio::spawn(relay(gateway, ibapi, guard, Wiretap::default()));
        let mut read = Vec::new();
        for frame in frames {
            ibapis_end.write_all(frame).await.unwrap();
            let mut buffer = [0; 8];
            match gateways_end.read_exact(&mut buffer).await {
                Ok(_) => read.extend(buffer),
                Err(error) => return (read, Err(error), relay.await.unwrap()),
            }
        }
        drop(ibapis_end);
        let end = gateways_end.read(&mut [0]).await;
        (read, end, relay.await.unwrap())
    }

    #[tokio::test]
    async fn what_does_more_than_read_ends_a_read_only_session_before_it_leaves() {
        for id in [3, 4, 14, 15, 19, 21, 58, 69, 109, 150] {
            let (read, end, ending) = relayed(Some(ReadOnlyGuard::new(7)), &[frame(61), frame(id)]).await;
            assert_eq!(read, frame(61), "{id}");
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "{id}");
            let said = ending.reason.to_string();
            assert!(said.ends_with("was about to leave a read-only session"), "{said}");
        }
    }

    #[tokio::test]
    async fn in_a_session_that_trades_everything_passes_and_it_ends_in_order() {
        let (read, end, _) = relayed(None, &[frame(3), frame(109)]).await;
        assert_eq!(read, [frame(3), frame(109)].concat());
        assert_eq!(end.unwrap(), 0);
    }
}
