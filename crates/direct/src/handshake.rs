//! The handshake, seen from between ibapi and the Gateway: bytes are passed on, phases and refusals are noticed.
//!
//! ibapi gives up silently when more than 100 other messages come before the accounts, and errors count among them. So it gets
//! the accounts and the next order id first, and then what else was said meanwhile, in its order.

use ibkr_connect_core::{Error, ErrorKind, Phase, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::dial::acknowledge_at_once;
use crate::opening::Opening;
use crate::progress::Progress;
use crate::wire::{Frame, FrameError, MIN_SERVER_VERSION, START_API, read_frame, read_text};

/// How much may come after startApi until the accounts and the next order id are known, all messages together.
const MAX_OPENING: usize = 8 << 20;

/// How much may come before the version. A Gateway can send a piece of news there (nautilus#1191); IBKR's own client skips it.
const MAX_BEFORE_VERSION: usize = 64 << 10;

/// The longest hello that makes sense: a range of versions.
const MAX_HELLO: usize = 1_024;

/// Who shakes hands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) client_id: i32,
    pub(crate) readonly: bool,
}

/// Relays the handshake to its end.
///
/// # Behavior
/// `progress` follows the phases. On success ibapi has received everything it needs to finish, and both streams
/// stand at a frame boundary. From ibapi nothing passes but its hello and startApi. What is kept meanwhile is bounded.
pub(crate) async fn relay_handshake(
    gateway: &mut (impl Socket + AsyncRead + AsyncWrite + Unpin),
    ibapi: &mut (impl AsyncRead + AsyncWrite + Unpin),
    caller: Caller,
    progress: &mut Progress,
) -> Result<()> {
    let mut handshake = Handshake { gateway, ibapi, caller, progress };
    handshake.exchange_versions().await?;
    handshake.start_api().await
}

/// What a handshake needs of a socket besides reading and writing.
pub(crate) trait Socket {
    /// See [`acknowledge_at_once`].
    fn acknowledge_at_once(&self);
}

impl Socket for TcpStream {
    fn acknowledge_at_once(&self) {
        acknowledge_at_once(self);
    }
}

struct Handshake<'a, G, I> {
    gateway: &'a mut G,
    ibapi: &'a mut I,
    caller: Caller,
    progress: &'a mut Progress,
}

impl<G: Socket + AsyncRead + AsyncWrite + Unpin, I: AsyncRead + AsyncWrite + Unpin> Handshake<'_, G, I> {
    async fn exchange_versions(&mut self) -> Result<()> {
        let mut hello = vec![0; 4];
        self.ibapi.read_exact(&mut hello).await.map_err(ibapi_gone)?;
        if hello != *b"API\0" {
            return Err(not_ours("API", &format!("{hello:?}")));
        }
        hello.extend(read_text(self.ibapi, MAX_HELLO).await.map_err(ibapi_frame)?.as_bytes());
        self.send(&hello).await?;

        let ack = self.acknowledgement().await?;
        let version = self.server_version(ack.payload())?;
        if version < MIN_SERVER_VERSION {
            let message = format!(
                "the Gateway's server version is {version}, and at least {MIN_SERVER_VERSION} is needed"
            );
            return Err(Error::new(ErrorKind::ServerTooOld, message).in_phase(Phase::Version));
        }
        self.progress.enter(Phase::StartApi);
        self.ibapi.write_all(ack.as_bytes()).await.map_err(ibapi_gone)
    }

    /// The first message that has the acknowledgement's two fields.
    async fn acknowledgement(&mut self) -> Result<Frame> {
        let mut left = MAX_BEFORE_VERSION;
        loop {
            let frame = read_text(self.gateway, left).await.map_err(|error| self.unreadable(error))?;
            if fields(frame.payload()).count() == 2 {
                return Ok(frame);
            }
            left -= frame.as_bytes().len();
            self.progress.skip(&cut(&String::from_utf8_lossy(frame.payload())));
        }
    }

    fn server_version(&self, ack: &[u8]) -> Result<i32> {
        let text = String::from_utf8_lossy(ack);
        let version = text.split('\0').next().unwrap_or_default();
        version.parse().map_err(|_| self.protocol(format!("{:?} instead of its version", cut(&text))))
    }

    async fn start_api(&mut self) -> Result<()> {
        let start_api = read_frame(self.ibapi, MAX_HELLO).await.map_err(ibapi_frame)?;
        if !is_start_api(&start_api) {
            return Err(not_ours("startApi", &format!("message {}", start_api.id())));
        }
        self.send(start_api.as_bytes()).await?;

        let mut opening = Opening::new(self.caller);
        let mut left = MAX_OPENING;
        while !opening.is_complete() {
            self.gateway.acknowledge_at_once();
            let frame = read_frame(self.gateway, left).await.map_err(|error| self.unreadable(error))?;
            left -= frame.as_bytes().len();
            opening.take(frame, self.progress)?;
        }
        for bytes in opening.in_ibapis_order() {
            self.ibapi.write_all(bytes).await.map_err(ibapi_gone)?;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = self.gateway.write_all(bytes).await;
        self.gateway.acknowledge_at_once();
        sent.map_err(|error| self.refused(&format!("broke the connection ({error})")))
    }

    fn unreadable(&self, error: FrameError) -> Error {
        match (error, self.progress.skipped()) {
            (FrameError::Lost(how), Some(skipped)) => {
                self.protocol(format!("{skipped:?} instead of its version, and {how}"))
            }
            (FrameError::Lost(how), None) => self.refused(&how),
            (FrameError::TooLong { length }, _) if self.progress.phase() == Phase::Version => {
                self.protocol(format!("a message of {length} bytes instead of its version"))
            }
            (FrameError::TooLong { .. }, _) => {
                self.protocol(format!("{MAX_OPENING} bytes of other messages before the accounts"))
            }
            (FrameError::BadLength { length, head }, _) => self
                .protocol(format!("{:?}, a frame length of {length}", cut(&String::from_utf8_lossy(&head)))),
        }
    }

    fn refused(&self, how: &str) -> Error {
        let error = match self.progress.complaint() {
            Some(complaint) => complaint.explain(Error::new(
                ErrorKind::Rejected,
                format!("the Gateway {how} and said: {}", complaint.text),
            )),
            None => Error::new(ErrorKind::Rejected, format!("the Gateway {how} during the handshake")),
        };
        error.in_phase(self.progress.phase())
    }

    fn protocol(&self, got: String) -> Error {
        unexpected(got).in_phase(self.progress.phase())
    }
}

/// In any dialect: by its id, or as a text.
fn is_start_api(frame: &Frame) -> bool {
    frame.id() == START_API || frame.payload().starts_with(b"71\0")
}

/// The fields of a text, each of which ends with a NUL.
fn fields(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    payload.strip_suffix(&[0]).unwrap_or(payload).split(|byte| *byte == 0)
}

/// What is not the protocol.
pub(crate) fn unexpected(got: String) -> Error {
    Error::new(ErrorKind::Protocol, format!("the other side sent {got}"))
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Nothing of what ibapi says in a handshake is let through unread.
fn not_ours(expected: &str, got: &str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!("the client sent {got} where {expected} belongs; nothing of it was passed on"),
    )
}

/// ibapi's end of the relay failed: the real cause is ibapi's own error, this one only stands in for it.
fn ibapi_gone(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Disconnected, format!("ibapi left the handshake: {error}")).with_source(error)
}

fn ibapi_frame(error: FrameError) -> Error {
    Error::new(ErrorKind::Disconnected, format!("ibapi left the handshake: {error:?}"))
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
