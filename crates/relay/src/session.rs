//! The session's bytes between the client and the Gateway, and the end of the socket.

use std::future::Future;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibkr_connect_cleanup::arm_reset;
use ibkr_connect_wire::{BadFrame, Flow, Inbound, Observer, Outbound, Refusal, Rest, Side};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::dial::acknowledge_at_once;

/// How long the Gateway may take to answer our FIN with its own.
const FIN_GRACE: Duration = Duration::from_millis(500);

const BUFFER: usize = 64 * 1024;

/// How many bytes of answers of ours may wait for the end of a frame of the Gateway's. Until they are sent, nothing more of the
/// client is read.
const MOST_ANSWERS: usize = 64 * 1024;

/// Who listens in on a session.
pub trait Tap: Observer + Sync {
    /// What comes from the Gateway waits for this behind an end mark that [halts](ibkr_connect_wire::EndMark::Halts).
    fn resumed(&self) -> impl Future<Output = ()> + Send;

    /// A message of the client's did not leave; the client is told.
    fn refused(&self, refusal: &Refusal);
}

/// Who has ended a session.
#[derive(Debug)]
pub enum End {
    /// The client: because it was told to, or because it can't go on.
    Client,
    /// The Gateway has closed the connection.
    Closed,
    /// The Gateway, or the network to it, has broken the connection.
    Broken(io::Error),
    /// Nobody, but what this side sends can't be read any more.
    BadFrame(Side, BadFrame),
}

/// Relays a session to its end, and closes the connection to the Gateway.
///
/// # Behavior
/// - It begins with what came behind the handshake already.
/// - A message that may not leave is answered to the client, and the session goes on.
/// - The end is our FIN, half a second for the Gateway's, then a reset. A client that sends what is not a frame ends it with a reset at once:
///   nothing of that may linger at the Gateway.
pub async fn relay(
    mut gateway: TcpStream,
    mut client: TcpStream,
    outbound: Outbound,
    tap: &impl Tap,
    rest: Rest,
) -> End {
    let (answers, inbound) = (Answers::default(), Inbound::of_client(outbound.client_id()));
    let end = {
        let (from_gateway, to_gateway) = gateway.split();
        let (from_client, to_client) = client.split();
        tokio::select! {
            end = carry_in(from_gateway, to_client, rest.from_gateway, inbound, tap, &answers) => end,
            end = carry_out(from_client, to_gateway, rest.from_client, outbound, tap, &answers) => end,
        }
    };
    match &end {
        End::Closed | End::Broken(_) => {}
        End::Client | End::BadFrame(Side::Gateway, _) => close_gracefully(gateway).await,
        End::BadFrame(Side::Client, _) => {
            // An error means that there is no connection any more.
            let _ = arm_reset(&gateway);
        }
    }
    end
}

/// Answers of ours, until they can be put between two frames of the Gateway's.
#[derive(Debug, Default)]
struct Answers {
    bytes: Mutex<Vec<u8>>,
    given: Notify,
    taken: Notify,
}

impl Answers {
    fn give(&self, refusal: &Refusal) {
        self.bytes().extend_from_slice(refusal.answer().as_bytes());
        self.given.notify_one();
    }

    fn take(&self) -> Vec<u8> {
        let bytes = std::mem::take(&mut *self.bytes());
        self.taken.notify_one();
        bytes
    }

    /// Waits until there is room for more; the end of the session ends the wait.
    async fn room(&self) {
        while self.bytes().len() >= MOST_ANSWERS {
            self.taken.notified().await;
        }
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn carry_in(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    rest: Vec<u8>,
    mut frames: Inbound,
    tap: &impl Tap,
    answers: &Answers,
) -> End {
    let mut passed = Vec::new();
    let mut buffer = rest;
    let mut count = buffer.len();
    loop {
        let mut bytes = &buffer[..count];
        if frames.passes(count) {
            if to.write_all(bytes).await.is_err() {
                return End::Client;
            }
            bytes = &[];
        }
        while !bytes.is_empty() {
            passed.clear();
            // A long answer is kept no longer than it takes.
            passed.shrink_to(2 * BUFFER);
            let flow = frames.follow(&mut bytes, Instant::now().into_std(), tap, &mut passed);
            if to.write_all(&passed).await.is_err() {
                return End::Client;
            }
            match flow {
                Ok(Flow::GoesOn) => {}
                Ok(Flow::Halts) => tap.resumed().await,
                Err(bad) => return End::BadFrame(Side::Gateway, bad),
            }
        }
        buffer.resize(BUFFER, 0);
        count = tokio::select! {
            read = from.read(&mut buffer) => match read {
                Ok(0) => return End::Closed,
                Ok(count) => count,
                Err(error) => return End::Broken(error),
            },
            () = answers.given.notified(), if frames.is_between_frames() => {
                if to.write_all(&answers.take()).await.is_err() {
                    return End::Client;
                }
                0
            }
        };
        acknowledge_at_once(from.as_ref());
    }
}

async fn carry_out(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    rest: Vec<u8>,
    mut frames: Outbound,
    tap: &impl Tap,
    answers: &Answers,
) -> End {
    let mut passed = Vec::new();
    let mut buffer = rest;
    let mut count = buffer.len();
    loop {
        passed.clear();
        let followed = frames.follow(&buffer[..count], &mut passed);
        if let Err(error) = to.write_all(&passed).await {
            return End::Broken(error);
        }
        acknowledge_at_once(to.as_ref());
        match followed {
            Ok(refusals) => {
                for refusal in &refusals {
                    answers.room().await;
                    tap.refused(refusal);
                    answers.give(refusal);
                }
            }
            Err(bad) => return End::BadFrame(Side::Client, bad),
        }
        buffer.resize(BUFFER, 0);
        count = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return End::Client,
            Ok(count) => count,
        };
    }
}

/// Our FIN, then the Gateway's; a Gateway that does not answer gets a reset, so that it keeps no zombie.
async fn close_gracefully(mut gateway: TcpStream) {
    if gateway.shutdown().await.is_err() {
        return;
    }
    // From here on, ending at any moment is a reset, also by SIGKILL.
    let _ = arm_reset(&gateway);
    let mut rest = vec![0; BUFFER];
    let _ = timeout(FIN_GRACE, async { while gateway.read(&mut rest).await.is_ok_and(|count| count > 0) {} })
        .await;
}

#[cfg(test)]
pub(crate) mod tests {
    use ibkr_connect_wire::{EndMark, ErrorMessage, Family, Frame, GuardPolicy};
    use tokio::net::TcpListener;

    use super::*;

    /// Both ends of a connection.
    pub(crate) async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    /// Notes what did not leave.
    #[derive(Default)]
    struct Refused(Mutex<Vec<u32>>);

    impl Observer for Refused {
        fn hear(&self, _: std::time::Instant, _: &ErrorMessage) {}

        fn count(&self, _: Family) {}

        fn end_mark(&self, _: std::time::Instant, _: Family, _: Option<&str>) -> EndMark {
            EndMark::Passes
        }
    }

    impl Tap for Refused {
        async fn resumed(&self) {}

        fn refused(&self, refusal: &Refusal) {
            self.0.lock().unwrap().push(refusal.refused.id);
        }
    }

    fn frame(id: u32) -> Vec<u8> {
        Frame::raw(id + 200, &[8, 42]).as_bytes().to_vec()
    }

    struct Relayed {
        client: TcpStream,
        gateway: TcpStream,
        relay: tokio::task::JoinHandle<(End, Vec<u32>)>,
    }

    async fn relayed(policy: GuardPolicy, rest: Rest) -> Relayed {
        let (near_gateway, gateway) = pair().await;
        let (client, near_client) = pair().await;
        let relay = tokio::spawn(async move {
            let tap = Refused::default();
            let end = relay(near_gateway, near_client, Outbound::new(policy, 7), &tap, rest).await;
            (end, tap.0.into_inner().unwrap())
        });
        Relayed { client, gateway, relay }
    }

    async fn reads(stream: &mut TcpStream, expected: &[u8]) {
        let mut read = vec![0; expected.len()];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(read, expected);
    }

    #[tokio::test]
    async fn what_does_more_than_read_does_not_leave_and_the_session_goes_on() {
        let mut session = relayed(GuardPolicy::ReadOnly, Rest::default()).await;
        let ids = [3, 4, 14, 15, 19, 21, 58, 69, 109, 150];
        for id in ids {
            session.client.write_all(&[frame(61), frame(id), frame(62)].concat()).await.unwrap();
            reads(&mut session.gateway, &[frame(61), frame(62)].concat()).await;
            let mut head = [0; 4];
            session.client.read_exact(&mut head).await.unwrap();
            let mut answer = vec![0; u32::from_be_bytes(head) as usize];
            session.client.read_exact(&mut answer).await.unwrap();
            let error = ErrorMessage::read(&answer[4..]).unwrap();
            assert_eq!((&answer[..4], error.id(), error.code()), (&[0, 0, 0, 204][..], 42, 321), "{id}");
        }
        drop(session.client);
        assert_eq!(session.gateway.read(&mut [0]).await.unwrap(), 0, "a FIN");
        let (end, refused) = session.relay.await.unwrap();
        assert!(matches!(end, End::Client), "{end:?}");
        assert_eq!(refused, ids);
    }

    #[tokio::test]
    async fn an_answer_of_ours_comes_between_two_frames_of_the_gateways() {
        let mut session = relayed(GuardPolicy::ReadOnly, Rest::default()).await;
        let row = Frame::raw(252, &[b'x'; 100]).as_bytes().to_vec();
        session.gateway.write_all(&row[..50]).await.unwrap();
        reads(&mut session.client, &row[..50]).await;
        session.client.write_all(&[frame(3), frame(61)].concat()).await.unwrap();
        reads(&mut session.gateway, &frame(61)).await;
        session.gateway.write_all(&row[50..]).await.unwrap();
        reads(&mut session.client, &row[50..]).await;
        let mut head = [0; 8];
        session.client.read_exact(&mut head).await.unwrap();
        assert_eq!(head[4..], [0, 0, 0, 204]);
    }

    #[tokio::test]
    async fn a_long_answer_passes_whole_and_so_does_what_follows_it() {
        let mut session = relayed(GuardPolicy::ReadOnly, Rest::default()).await;
        let body: Vec<u8> = (0..1_000_003_u32).map(|number| number.to_le_bytes()[0]).collect();
        let long = Frame::raw(252, &body).as_bytes().to_vec();
        let sent = [frame(62), long, frame(62)].concat();
        let (mut writer, bytes) = (session.gateway, sent.clone());
        let writing = tokio::spawn(async move { writer.write_all(&bytes).await.map(|()| writer) });
        reads(&mut session.client, &sent).await;
        drop(writing.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn in_a_session_that_trades_everything_passes_and_it_ends_gracefully() {
        let mut session = relayed(GuardPolicy::Trading, Rest::default()).await;
        let messages = [frame(3), frame(109)].concat();
        session.client.write_all(&messages).await.unwrap();
        reads(&mut session.gateway, &messages).await;
        drop(session.client);
        assert_eq!(session.gateway.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_is_no_frame_ends_it() {
        let mut session = relayed(GuardPolicy::Trading, Rest::default()).await;
        session.client.write_all(&[0; 8]).await.unwrap();
        let error = session.gateway.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(matches!(session.relay.await.unwrap().0, End::BadFrame(Side::Client, _)));

        let mut session = relayed(GuardPolicy::Trading, Rest::default()).await;
        session.gateway.write_all(&[0; 8]).await.unwrap();
        assert_eq!(session.gateway.read(&mut [0]).await.unwrap(), 0, "a FIN");
        drop(session.gateway);
        assert!(matches!(session.relay.await.unwrap().0, End::BadFrame(Side::Gateway, _)));
    }

    #[tokio::test]
    async fn what_came_behind_the_handshake_goes_first() {
        let rest = Rest { from_client: frame(61)[..5].to_vec(), from_gateway: frame(62)[..5].to_vec() };
        let mut session = relayed(GuardPolicy::ReadOnly, rest).await;
        session.client.write_all(&frame(61)[5..]).await.unwrap();
        reads(&mut session.gateway, &frame(61)).await;
        session.gateway.write_all(&frame(62)[5..]).await.unwrap();
        reads(&mut session.client, &frame(62)).await;
    }

    #[tokio::test]
    async fn a_client_that_is_refused_without_end_fills_no_memory() {
        let answers = Answers::default();
        let refusal = Refusal { refused: ibkr_connect_wire::Refused { id: 3 }, request_id: Some(42) };
        let mut given = 0;
        while timeout(Duration::ZERO, answers.room()).await.is_ok() {
            answers.give(&refusal);
            given += 1;
        }
        let bytes = answers.take();
        assert!(
            bytes.len() < MOST_ANSWERS + 1_000 && given > 100,
            "{given} answers of {} bytes",
            bytes.len()
        );
        answers.room().await;

        let mut session = relayed(GuardPolicy::ReadOnly, Rest::default()).await;
        let row = Frame::raw(252, &[b'x'; 100]).as_bytes().to_vec();
        session.gateway.write_all(&row[..50]).await.unwrap();
        reads(&mut session.client, &row[..50]).await;
        let orders = frame(3).repeat(5_000);
        session.client.write_all(&orders).await.unwrap();
        session.gateway.write_all(&row[50..]).await.unwrap();
        reads(&mut session.client, &row[50..]).await;
        let answer = refusal.answer().as_bytes().to_vec();
        reads(&mut session.client, &answer.repeat(5_000)).await;
    }
}
