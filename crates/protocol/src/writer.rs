//! Any writer as a pipe.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::pipe::Pipe;

/// A [`Pipe`] to something that blocks while it writes: a thread writes, out of a buffer of bounded size. Where the operating system
/// can say whether there is room, a pipe without that thread is faster.
#[derive(Debug)]
pub struct WriterPipe(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Nothing more comes.
    is_closed: bool,
    /// Writing has failed.
    is_broken: bool,
}

impl WriterPipe {
    /// A pipe of which at most `capacity` bytes wait for `writer`. Dropping it drops the writer, once it has written what waits.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(writer: impl Write + Send + 'static, capacity: usize) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), capacity: capacity.max(1) });
        let written = Arc::clone(&shared);
        thread::Builder::new().name("ibkr-link-writer".to_owned()).spawn(move || written.write_to(writer))?;
        Ok(Self(shared))
    }
}

impl Pipe for WriterPipe {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        let count = bytes.len().min(self.0.capacity - state.bytes.len());
        if state.is_broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.bytes.extend_from_slice(&bytes[..count]);
        drop(state);
        self.0.changed.notify_all();
        Ok(count)
    }

    fn wait_writable(&self, at_most: Duration) {
        let is_full = |state: &mut State| state.bytes.len() == self.0.capacity && !state.is_broken;
        drop(self.0.changed.wait_timeout_while(self.0.lock(), at_most, is_full));
    }
}

impl Drop for WriterPipe {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn write_to(&self, mut writer: impl Write) {
        while let Some(bytes) = self.take() {
            if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
                self.lock().is_broken = true;
                self.changed.notify_all();
                return;
            }
        }
    }

    /// What is to be written next; `None` when nothing more comes.
    fn take(&self) -> Option<Vec<u8>> {
        let is_idle = |state: &mut State| state.bytes.is_empty() && !state.is_closed;
        let mut state = self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let bytes = std::mem::take(&mut state.bytes);
        drop(state);
        self.changed.notify_all();
        (!bytes.is_empty()).then_some(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};

    use super::*;
    use crate::testing::until;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn everything_arrives_in_order_and_then_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let pipe = WriterPipe::new(writer, 7).unwrap();
        let text = "0123456789".repeat(1_000);
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match pipe.try_write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    pipe.wait_writable(LONG);
                }
            }
        }
        drop(pipe);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn a_reader_that_is_gone_breaks_the_pipe() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let pipe = WriterPipe::new(writer, 7).unwrap();
        until(|| match pipe.try_write(b"x") {
            Ok(_) => false,
            Err(error) => error.kind() == ErrorKind::BrokenPipe,
        });
        pipe.wait_writable(LONG);
    }
}
