//! An in-memory pipe, for tests of what writes.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::pipe::Pipe;

/// What a pipe has taken, and how much more it takes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    room: usize,
    hung_up: bool,
    closed: bool,
}

impl Buffer {
    pub(crate) fn with_room(room: usize) -> Self {
        let buffer = Self::default();
        buffer.set_room(room);
        buffer
    }

    pub(crate) fn pipe(&self) -> Arc<dyn Pipe> {
        Arc::new(BufferPipe(self.clone()))
    }

    pub(crate) fn set_room(&self, room: usize) {
        self.lock().room = room;
        self.0.changed.notify_all();
    }

    /// Nobody reads any more.
    pub(crate) fn hang_up(&self) {
        self.lock().hung_up = true;
        self.0.changed.notify_all();
    }

    /// Whether the writing end was dropped.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// What was written and not yet taken.
    pub(crate) fn written(&self) -> String {
        String::from_utf8(self.lock().bytes.clone()).unwrap()
    }

    /// Reads it.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.lock().bytes)).unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }
}

#[derive(Debug)]
struct BufferPipe(Buffer);

impl Pipe for BufferPipe {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        let count = bytes.len().min(state.room);
        match (state.hung_up, count) {
            (true, _) => Err(io::ErrorKind::BrokenPipe.into()),
            (false, 0) => Err(io::ErrorKind::WouldBlock.into()),
            (false, _) => {
                state.room -= count;
                state.bytes.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        }
    }

    fn wait_writable(&self, at_most: Duration) {
        let is_full = |state: &mut State| state.room == 0 && !state.hung_up;
        drop(self.0.0.changed.wait_timeout_while(self.0.lock(), at_most, is_full).unwrap());
    }
}

impl Drop for BufferPipe {
    fn drop(&mut self) {
        self.0.lock().closed = true;
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BufferPipe(self.clone()).try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for what another thread does soon.
pub(crate) fn until(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not happen");
        thread::yield_now();
    }
}
