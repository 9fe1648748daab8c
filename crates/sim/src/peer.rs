//! The socket of one client: frames in, frames out at the planned pace, and how the client left.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use crate::framing::{Decoder, Frame, Greeting, WireError};
use crate::plan::Pace;
use crate::stats::{Ledger, Stats};

/// How long a closed connection waits for the client to close too. Closing earlier would turn
/// whatever the client still sends into an RST and rob it of frames it hasn't read yet.
const LINGER: Duration = Duration::from_secs(1);

/// A connected client.
#[derive(Debug)]
pub(crate) struct Peer<'a> {
    stream: TcpStream,
    decoder: Decoder,
    pace: Pace,
    ledger: &'a Ledger,
}

/// Why a conversation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The simulator closes, with FIN.
    Close,
    /// The simulator resets.
    Reset,
    /// The client closed, with FIN.
    ClientClosed,
    /// The client reset.
    ClientReset,
}

/// Whether the delays for handshake frames apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Handshake,
    Data,
}

impl<'a> Peer<'a> {
    pub(crate) fn new(stream: TcpStream, pace: Pace, ledger: &'a Ledger) -> Self {
        Self { stream, decoder: Decoder::default(), pace, ledger }
    }

    /// The client's greeting.
    pub(crate) async fn greeting(&mut self) -> Result<Greeting, End> {
        self.receive(Decoder::greeting).await
    }

    /// The client's next frame. Nothing is lost if the future is dropped.
    pub(crate) async fn frame(&mut self) -> Result<Frame, End> {
        self.receive(Decoder::next_frame).await
    }

    /// Sends one frame, with the delays planned for its role.
    pub(crate) async fn send(&mut self, bytes: &[u8], role: Role) -> Result<(), End> {
        self.send_and_count(bytes, role, |_| {}).await
    }

    /// Sends one frame; `count` runs before its end leaves, so that no client is ahead of the counters.
    pub(crate) async fn send_and_count(
        &mut self,
        bytes: &[u8],
        role: Role,
        count: impl FnOnce(&mut Stats),
    ) -> Result<(), End> {
        let in_handshake = |delay| if role == Role::Handshake { delay } else { Duration::ZERO };
        let pause = in_handshake(self.pace.mid_handshake_frame);
        self.pause(self.pace.every_frame.max(in_handshake(self.pace.handshake_frame))).await?;
        let mut rest = bytes;
        if !pause.is_zero() {
            let (half, other_half) = bytes.split_at(bytes.len() / 2);
            self.write(half).await?;
            self.pause(pause).await?;
            rest = other_half;
        }
        while !self.pace.every_byte.is_zero() && rest.len() > 1 {
            self.write(&rest[..1]).await?;
            self.pause(self.pace.every_byte).await?;
            rest = &rest[1..];
        }
        self.ledger.update(|stats| {
            stats.frames_out += 1;
            count(stats);
        });
        self.write(rest).await
    }

    /// Sends frames that are no part of the handshake, in one write where no delay is planned.
    pub(crate) async fn send_all(&mut self, frames: &[Frame]) -> Result<(), End> {
        if !self.pace.every_frame.max(self.pace.every_byte).is_zero() {
            for frame in frames {
                self.send(&frame.encode(), Role::Data).await?;
            }
            return Ok(());
        }
        let bytes: Vec<_> = frames.iter().flat_map(Frame::encode).collect();
        self.ledger.update(|stats| stats.frames_out += frames.len());
        self.write(&bytes).await
    }

    /// Waits, but not longer than the client stays.
    pub(crate) async fn pause(&self, duration: Duration) -> Result<(), End> {
        if duration.is_zero() {
            return Ok(());
        }
        tokio::select! {
            end = self.departure() => Err(end),
            () = tokio::time::sleep(duration) => Ok(()),
        }
    }

    /// Waits until the client leaves, without reading: what it sent stays in the kernel, unread.
    pub(crate) async fn departure(&self) -> End {
        // PRIORITY stands for "the other side has closed" without "there is something to read".
        match self.stream.ready(Interest::PRIORITY | Interest::ERROR).await {
            Ok(ready) if ready.is_error() => End::ClientReset,
            Ok(_) => End::ClientClosed,
            Err(error) => end_of(&error),
        }
    }

    /// Waits for the client's RST, after its FIN.
    pub(crate) async fn reset_by_client(&self) {
        // An error of `ready` means the runtime is shutting down, and the socket with it.
        let _ = self.stream.ready(Interest::ERROR).await;
    }

    /// Closes with FIN.
    pub(crate) async fn close(mut self) {
        if self.stream.shutdown().await.is_ok() {
            let mut rest = [0; 1024];
            let drain = async { while self.stream.read(&mut rest).await.is_ok_and(|count| count > 0) {} };
            let _ = tokio::time::timeout(LINGER, drain).await;
        }
    }

    /// Closes with RST.
    pub(crate) fn reset(self) {
        if let Err(error) = self.stream.set_zero_linger() {
            tracing::warn!(%error, "a connection will end with FIN instead of RST");
        }
    }

    async fn receive<T>(
        &mut self,
        decode: impl Fn(&mut Decoder) -> Result<Option<T>, WireError>,
    ) -> Result<T, End> {
        let mut buffer = [0; 4096];
        loop {
            match decode(&mut self.decoder) {
                Ok(Some(message)) => {
                    self.ledger.update(|stats| stats.frames_in += 1);
                    return Ok(message);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "a client is no API client");
                    return Err(End::Close);
                }
            }
            match self.stream.read(&mut buffer).await {
                Ok(0) => return Err(End::ClientClosed),
                Ok(count) => self.decoder.push(&buffer[..count]),
                Err(error) => return Err(end_of(&error)),
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.stream.write_all(bytes).await.map_err(|error| end_of(&error))
    }
}

fn end_of(error: &io::Error) -> End {
    tracing::debug!(%error, "a client is gone");
    End::ClientReset
}
