//! The handshake between two sockets.

use std::io::{self, ErrorKind};

use ibkr_connect_wire::{Failure, Handshake, Output, Side};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::dial::acknowledge_at_once;

const BUFFER: usize = 16 * 1024;

/// Relays a handshake to its end, or to its deadline.
///
/// # Behavior
/// `follow` sees the handshake after each step. On success the client has been sent everything it needs to finish; what came behind
/// that is the handshake's [rest](Handshake::into_rest).
///
/// # Errors
/// Why there is no session. Nothing that came with it is passed on.
pub async fn shake_hands(
    gateway: &mut TcpStream,
    client: &mut TcpStream,
    handshake: &mut Handshake,
    mut follow: impl FnMut(&Handshake),
) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER];
    let deadline = Instant::from_std(handshake.deadline());
    while let Some(side) = handshake.awaits() {
        let from = match side {
            Side::Client => &mut *client,
            Side::Gateway => {
                acknowledge_at_once(&*gateway);
                &mut *gateway
            }
        };
        let read = tokio::select! {
            biased;
            read = from.read(&mut buffer) => read,
            () = sleep_until(deadline) => {
                handshake.tick(Instant::now().into_std())?;
                continue;
            }
        };
        let mut out = Output::default();
        let taken = match read {
            Ok(0) => Err(handshake.lost(side, "closed the connection".to_owned())),
            Ok(count) => handshake.take(side, &buffer[..count], &mut out),
            Err(error) => Err(handshake.lost(side, how(&error))),
        };
        follow(handshake);
        taken?;
        send(gateway, &out.to_gateway).await.map_err(|error| handshake.lost(Side::Gateway, how(&error)))?;
        send(client, &out.to_client).await.map_err(|error| handshake.lost(Side::Client, how(&error)))?;
    }
    Ok(())
}

async fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() { Ok(()) } else { stream.write_all(bytes).await }
}

fn how(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionReset => "reset the connection".to_owned(),
        _ => format!("broke the connection ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ibkr_connect_wire::{Caller, Frame, Reason, Stage};

    use super::*;
    use crate::session::tests::pair;

    const HELLO: &[u8] = b"API\0\0\0\0\x09v213..226";
    const ACK: &[u8] = b"\0\0\0\x0b226\x002026070";

    fn handshake(patience: Duration) -> Handshake {
        let deadline = Instant::now() + patience;
        Handshake::new(Caller { client_id: 7, readonly: true }, deadline.into_std())
    }

    fn opening() -> Vec<u8> {
        [Frame::raw(215, b"\x0a\x03DU1"), Frame::raw(209, b"\x08\x05")]
            .map(|frame| frame.as_bytes().to_vec())
            .concat()
    }

    #[tokio::test]
    async fn a_handshake_passes_between_two_sockets() {
        let (mut gateway, mut gateways_end) = pair().await;
        let (mut clients_end, mut client) = pair().await;
        let mut handshake = handshake(Duration::from_secs(10));
        let mut stages = vec![handshake.stage()];
        let start_api = Frame::raw(271, b"");
        clients_end.write_all(&[HELLO, start_api.as_bytes()].concat()).await.unwrap();
        gateways_end.write_all(&[ACK, &opening(), b"more"].concat()).await.unwrap();
        let follow = |handshake: &Handshake| stages.push(handshake.stage());
        shake_hands(&mut gateway, &mut client, &mut handshake, follow).await.unwrap();
        assert_eq!(handshake.into_rest().from_gateway, b"more");
        stages.dedup();
        assert_eq!(stages.first(), Some(&Stage::Version));
        let mut heard = vec![0; HELLO.len() + start_api.as_bytes().len()];
        gateways_end.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, [HELLO, start_api.as_bytes()].concat());
        let mut heard = vec![0; ACK.len() + opening().len()];
        clients_end.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, [ACK, &opening()].concat());
    }

    #[tokio::test]
    async fn each_end_of_a_socket_is_named() {
        let (mut gateway, gateways_end) = pair().await;
        let (mut clients_end, mut client) = pair().await;
        clients_end.write_all(HELLO).await.unwrap();
        ibkr_connect_cleanup::arm_reset(&gateways_end).unwrap();
        drop(gateways_end);
        let mut handshake = handshake(Duration::from_secs(10));
        let failure = shake_hands(&mut gateway, &mut client, &mut handshake, |_| {}).await.unwrap_err();
        let Reason::Rejected(how) = failure.reason else { panic!("{failure:?}") };
        assert!(how == "reset the connection" || how.starts_with("broke the connection"), "{how}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_deadline() {
        let (mut gateway, _gateways_end) = pair().await;
        let (_clients_end, mut client) = pair().await;
        let begun = Instant::now();
        let mut handshake = handshake(Duration::from_secs(600));
        let failure = shake_hands(&mut gateway, &mut client, &mut handshake, |_| {}).await.unwrap_err();
        assert_eq!(failure.reason, Reason::Silence);
        assert!(begun.elapsed() >= Duration::from_secs(600), "{:?}", begun.elapsed());
    }
}
