//! A healthy Gateway for one client, whose part a test plays once the client is connected: it looks at each message and
//! answers it by hand.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::conversation::Conversation;
use super::wire::Frame;
use super::{Behaviour, Stage};

/// A running one. It listens when `start` returns, and stops when it is dropped.
#[derive(Debug)]
pub(crate) struct PlayedGateway {
    port: u16,
    client: Arc<OnceLock<Arc<TcpStream>>>,
    received: mpsc::UnboundedReceiver<Received>,
    reader: Option<JoinHandle<()>>,
}

/// A message of the client.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) message: u32,
    pub(crate) body: Vec<u8>,
}

impl PlayedGateway {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = Arc::new(OnceLock::new());
        let (sender, received) = mpsc::unbounded_channel();
        let accepted = Arc::clone(&client);
        let reader = thread::spawn(move || {
            let stream = Arc::new(listener.accept().unwrap().0);
            accepted.set(Arc::clone(&stream)).unwrap();
            read(stream, &sender);
        });
        Self { port, client, received, reader: Some(reader) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next message of the client, if one comes in time.
    pub(crate) async fn receive(&mut self, patience: Duration) -> Option<Received> {
        timeout(patience, self.received.recv()).await.ok().flatten()
    }

    /// Sends `frames` in one piece, with `id` where the id of a request stands.
    pub(crate) fn send(&self, frames: &[Frame], id: i64) {
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes(id)).collect();
        self.send_bytes(&bytes);
    }

    /// Sends what may be no frame at all.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        let mut client = &**self.client.get().expect("a client");
        client.write_all(bytes).unwrap();
    }

    /// Closes the connection.
    pub(crate) fn hang_up(&self) {
        self.client.get().expect("a client").shutdown(Shutdown::Both).unwrap();
    }
}

impl Drop for PlayedGateway {
    fn drop(&mut self) {
        match self.client.get() {
            // An error means that the client was faster.
            Some(client) => drop(client.shutdown(Shutdown::Both)),
            // Wakes it from its accept.
            None => drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))),
        }
        let ended = self.reader.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))) || thread::panicking(), "the played Gateway panicked");
    }
}

/// How a Gateway ends a session that nobody has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    Closes,
    Resets,
    /// It sends something that is not a frame.
    SendsGarbage,
}

impl PlayedGateway {
    pub(crate) fn breaks_off(&self, how: Break) {
        match how {
            Break::Closes => self.hang_up(),
            // Dissolving a connection is the one way to reset it while the reader still has it open.
            Break::Resets => drop(rustix::net::connect_unspec(&**self.client.get().expect("a client"))),
            Break::SendsGarbage => self.send_bytes(&[0, 0, 0, 3, 0, 0, 0]),
        }
    }
}

/// Shakes hands, and hands on what the client says until it leaves.
fn read(stream: Arc<TcpStream>, received: &mpsc::UnboundedSender<Received>) {
    let stage = Stage::default();
    let conversation = Conversation { stream, behaviour: Behaviour::Healthy, stage: &stage };
    let Ok(None) = conversation.shake_hands() else { return };
    while let Ok((message, body)) = conversation.read_frame() {
        let nobody_listens = received.send(Received { message, body }).is_err();
        if nobody_listens {
            return;
        }
    }
}
