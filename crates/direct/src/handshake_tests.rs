//! The handshake between a client and a Gateway that are both played: what passes, and what does not.

use tokio::net::TcpListener;

use super::*;

const HELLO: &[u8] = b"API\0\0\0\0\x09v213..226";
const ACK: &[u8] = b"\0\0\0\x0b226\x002026070";

/// Both ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// The outcome where the client says `said` after its hello and then leaves, and all that the Gateway has heard; it sends `ack` when
/// it has heard a hello.
async fn hears(hello: &[u8], ack: &[u8], said: &[u8]) -> (Result<()>, Vec<u8>) {
    let (mut gateway, mut gateways_end) = pair().await;
    let (mut clients_end, mut ibapi) = pair().await;
    clients_end.write_all(hello).await.unwrap();
    clients_end.write_all(said).await.unwrap();
    clients_end.shutdown().await.unwrap();
    gateways_end.write_all(ack).await.unwrap();
    gateways_end.shutdown().await.unwrap();
    let (caller, mut progress) = (Caller { client_id: 7, readonly: false }, Progress::new());
    progress.enter(Phase::Version);
    let outcome = relay_handshake(&mut gateway, &mut ibapi, caller, &mut progress).await;
    drop(gateway);
    let mut heard = Vec::new();
    // What is unread at the other end makes it a reset.
    let _ = gateways_end.read_to_end(&mut heard).await;
    (outcome, heard)
}

fn frame(id: u32, body: &[u8]) -> Vec<u8> {
    Frame::raw(id, body).as_bytes().to_vec()
}

#[tokio::test]
async fn nothing_passes_before_the_session_but_hello_and_start_api() {
    for id in [3, 203, 249, 309, 4711] {
        let (outcome, heard) = hears(HELLO, ACK, &frame(id, b"x")).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Protocol, "{id}");
        assert_eq!(heard, HELLO, "{id}");
    }
    for hello in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &frame(203, b"an order")] {
        let (outcome, heard) = hears(hello, ACK, b"").await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Protocol);
        assert_eq!(heard, b"");
    }
    let endless = [b"API\0\0\0\x04\x01".as_slice(), &[b'x'; 1_025]].concat();
    assert_eq!(hears(&endless, ACK, b"").await.1, b"", "no range of versions is as long");
}

#[tokio::test]
async fn start_api_passes_in_every_dialect() {
    let text = b"\0\0\0\x0971\x002\x0011\0\0";
    for start_api in [&frame(271, &[8, 11]), &frame(71, b"2\x0011\0\0"), text.as_slice()] {
        let (outcome, heard) = hears(HELLO, ACK, start_api).await;
        assert_eq!(heard, [HELLO, start_api].concat());
        // The Gateway closes then.
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Rejected, Some(Phase::StartApi)), "{error}");
    }
}

#[tokio::test]
async fn what_has_not_the_two_fields_of_a_version_is_skipped() {
    let news = b"\0\0\0\x0e14\x001\x007\x001\0news\0".as_slice();
    let start_api = frame(271, &[8, 11]);
    for before in [news.to_vec(), [news, b"\0\0\0\x04226\0", news].concat()] {
        let (_, heard) = hears(HELLO, &[&before, ACK].concat(), &start_api).await;
        assert_eq!(heard, [HELLO, &start_api].concat());
    }
    let (outcome, heard) = hears(HELLO, news, &start_api).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Protocol, Some(Phase::Version)));
    assert!(error.message().contains(r#""14\01\07\01\0news\0" instead of its version"#), "{error}");
    assert_eq!(heard, HELLO);
}

#[tokio::test]
async fn not_more_is_skipped_than_a_sane_amount() {
    let news = [b"\0\0\x0f\xfc".as_slice(), &[b'x'; 4_092]].concat();
    let start_api = frame(271, &[8, 11]);
    let fits = MAX_BEFORE_VERSION / news.len() - 1;
    let (_, heard) = hears(HELLO, &[&news.repeat(fits), ACK].concat(), &start_api).await;
    assert_eq!(heard, [HELLO, &start_api].concat());
    let (outcome, _) = hears(HELLO, &[&news.repeat(fits + 1), ACK].concat(), &start_api).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Protocol);
}
