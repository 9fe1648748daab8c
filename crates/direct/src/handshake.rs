//! The handshake, seen from between ibapi and the Gateway: bytes are passed on, phases and refusals are noticed.
//!
//! ibapi gives up silently when more than 100 other messages come before the accounts, as they do for a master
//! client; so those are held back until the handshake is complete.

use ibkr_connect_core::{Error, ErrorKind, Phase, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::dial::acknowledge_at_once;
use crate::progress::Progress;
use crate::wire::{
    ErrorMessage, Frame, FrameError, MIN_SERVER_VERSION, ManagedAccounts, NextValidId, incoming, read_ack,
    read_frame,
};

/// The code with which TWS refuses a client id that is taken.
const CLIENT_ID_IN_USE: i32 = 326;

/// How much may be held back until the accounts are known.
const MAX_HELD: usize = 16 << 20;

/// Relays the handshake to its end.
///
/// # Behavior
/// `progress` follows the phases. On success ibapi has received everything it needs to finish, and both streams
/// stand at a frame boundary.
pub(crate) async fn relay_handshake(
    gateway: &mut TcpStream,
    ibapi: &mut TcpStream,
    client_id: i32,
    progress: &mut Progress,
) -> Result<()> {
    let mut handshake = Handshake { gateway, ibapi, client_id, progress };
    handshake.exchange_versions().await?;
    handshake.start_api().await
}

struct Handshake<'a> {
    gateway: &'a mut TcpStream,
    ibapi: &'a mut TcpStream,
    client_id: i32,
    progress: &'a mut Progress,
}

impl Handshake<'_> {
    async fn exchange_versions(&mut self) -> Result<()> {
        let mut hello = b"API\0".to_vec();
        self.ibapi.read_exact(&mut hello).await.map_err(ibapi_gone)?;
        hello.extend(read_ack(self.ibapi).await.map_err(ibapi_frame)?.as_bytes());
        self.send(&hello).await?;

        let ack = read_ack(self.gateway).await.map_err(|error| self.unreadable(error))?;
        self.progress.heard = true;
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

    fn server_version(&self, ack: &[u8]) -> Result<i32> {
        let text = String::from_utf8_lossy(ack);
        let version = text.split('\0').next().unwrap_or_default();
        version.parse().map_err(|_| self.protocol(format!("{:?} instead of its version", cut(&text))))
    }

    async fn start_api(&mut self) -> Result<()> {
        let start_api = read_frame(self.ibapi).await.map_err(ibapi_frame)?;
        self.send(start_api.as_bytes()).await?;

        let mut missing = Missing { accounts: true, order_id: true };
        let mut held = Vec::new();
        while missing.accounts || missing.order_id {
            acknowledge_at_once(&*self.gateway);
            let frame = read_frame(self.gateway).await.map_err(|error| self.unreadable(error))?;
            if self.is_part_of_handshake(&frame, &mut missing)? {
                self.ibapi.write_all(frame.as_bytes()).await.map_err(ibapi_gone)?;
            } else if held.len() + frame.as_bytes().len() > MAX_HELD {
                return Err(self.protocol(format!("{MAX_HELD} bytes of other messages before the accounts")));
            } else {
                held.extend_from_slice(frame.as_bytes());
            }
        }
        self.ibapi.write_all(&held).await.map_err(ibapi_gone)
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = self.gateway.write_all(bytes).await;
        acknowledge_at_once(&*self.gateway);
        sent.map_err(|error| self.refused(&format!("broke the connection ({error})")))
    }

    fn is_part_of_handshake(&mut self, frame: &Frame, missing: &mut Missing) -> Result<bool> {
        match frame.id() {
            incoming::MANAGED_ACCOUNTS => {
                let accounts: ManagedAccounts = self.decode(frame, "accounts")?;
                if accounts.accounts.unwrap_or_default().trim_matches([',', ' ']).is_empty() {
                    self.progress.enter(Phase::Accounts);
                    return Err(self
                        .protocol("an empty list of accounts".to_owned())
                        .retryable()
                        .with_advice("log in to the Gateway, or wait until its login is complete"));
                }
                missing.accounts = false;
            }
            incoming::NEXT_VALID_ID => {
                let next: NextValidId = self.decode(frame, "next order id")?;
                if next.order_id.unwrap_or_default() <= 0 {
                    return Err(self.protocol(format!("{:?} as the next order id", next.order_id)));
                }
                missing.order_id = false;
            }
            incoming::ERROR => self.listen(frame)?,
            _ => return Ok(false),
        }
        if missing.accounts != missing.order_id && self.progress.phase() == Phase::StartApi {
            self.progress.enter(Phase::Accounts);
        }
        Ok(true)
    }

    /// Takes note of what the Gateway says about the session: refusals end it, the rest explains a close.
    fn listen(&mut self, frame: &Frame) -> Result<()> {
        let error: ErrorMessage = self.decode(frame, "error message")?;
        let (code, message) = (error.code.unwrap_or_default(), error.message.unwrap_or_default());
        if code == CLIENT_ID_IN_USE {
            let text =
                format!("client id {} is already in use by another client of this Gateway", self.client_id);
            return Err(Error::new(ErrorKind::ClientIdInUse, text)
                .in_phase(self.progress.phase())
                .with_code(code));
        }
        if !(2_100..2_200).contains(&code) {
            self.progress.complaint = Some((code, message));
        }
        Ok(())
    }

    fn decode<M: prost::Message + Default>(&self, frame: &Frame, what: &str) -> Result<M> {
        frame
            .decode()
            .map_err(|error| self.protocol(format!("an undecodable {what} ({error})")).with_source(error))
    }

    fn unreadable(&self, error: FrameError) -> Error {
        match error {
            FrameError::Lost(how) => self.refused(&how),
            FrameError::BadLength { length, head } => self
                .protocol(format!("{:?}, a frame length of {length}", cut(&String::from_utf8_lossy(&head)))),
        }
    }

    fn refused(&self, how: &str) -> Error {
        let phase = self.progress.phase();
        let error = match &self.progress.complaint {
            Some((code, complaint)) => {
                Error::new(ErrorKind::Rejected, format!("the Gateway {how} and said: {complaint}"))
                    .with_code(*code)
            }
            None => Error::new(ErrorKind::Rejected, format!("the Gateway {how} during the handshake")),
        };
        error.in_phase(phase)
    }

    fn protocol(&self, got: String) -> Error {
        Error::new(ErrorKind::Protocol, format!("the other side sent {got}")).in_phase(self.progress.phase())
    }
}

struct Missing {
    accounts: bool,
    order_id: bool,
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// ibapi's end of the relay failed: the real cause is ibapi's own error, this one only stands in for it.
fn ibapi_gone(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Disconnected, format!("ibapi left the handshake: {error}")).with_source(error)
}

fn ibapi_frame(error: FrameError) -> Error {
    Error::new(ErrorKind::Disconnected, format!("ibapi left the handshake: {error:?}"))
}
