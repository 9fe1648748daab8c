//! The server's writer, shared by its two threads. The reading thread writes at once; what the loop says is collected
//! until it has nothing else to do, because a write costs more than an answer.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ibkr_connect_core::{Error, ErrorKind};
use serde::Serialize;
use tokio::sync::Notify;

use crate::frames::{Answer, HelloFrame, MAX_FRAME};

/// A writer of whole frames.
pub(super) struct Output {
    state: Mutex<State>,
    broken: Notify,
    /// Something is collected.
    collected: Notify,
}

struct State {
    writer: Box<dyn Write + Send>,
    batch: Batch,
    /// The reading thread is at work and will flush: the loop need not be woken for that.
    held: bool,
}

impl Output {
    pub(super) fn new(writer: impl Write + Send + 'static) -> Self {
        let state = State { writer: Box::new(writer), batch: Batch::default(), held: false };
        Self { state: Mutex::new(state), broken: Notify::new(), collected: Notify::new() }
    }

    pub(super) fn hello(&self, hello: &HelloFrame) -> io::Result<()> {
        let mut state = self.lock();
        state.batch.push(hello)?;
        state.write()
    }

    /// Adds an answer to what is collected; one longer than the protocol's limit is replaced by an error.
    pub(super) fn answer<D: Serialize>(&self, answer: &Answer<D>) {
        let mut state = self.lock();
        let is_first = state.batch.0.is_empty();
        state.batch.push_answer(answer);
        if state.batch.is_full() {
            self.write(state);
        } else if is_first && !state.held {
            self.collected.notify_one();
        }
    }

    pub(super) fn error(&self, id: u64, error: Error) {
        self.answer(&Answer::error(id, error));
    }

    /// Writes a stream's frames, after what is collected; blocks while the pipe is full.
    pub(super) fn write_batch(&self, batch: &Batch) {
        let mut state = self.lock();
        if state.write_with(batch).is_err() {
            self.broken.notify_one();
        }
    }

    /// Drops the writer: the client sees the end, though the thread that reads its commands goes on.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.writer = Box::new(io::sink());
        state.batch.clear();
    }

    /// Promises a [`flush`](Self::flush) soon.
    pub(super) fn hold(&self) {
        self.lock().held = true;
    }

    /// Writes what is collected; blocks while the pipe is full.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        state.held = false;
        self.write(state);
    }

    /// Writes what is collected whenever the loop has done what it had to do.
    pub(super) async fn flush_when_idle(&self) {
        loop {
            self.collected.notified().await;
            tokio::task::yield_now().await;
            self.write(self.lock());
        }
    }

    fn write(&self, mut state: MutexGuard<'_, State>) {
        if state.write().is_err() {
            self.broken.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when nobody reads any more.
    pub(super) async fn broken(&self) {
        self.broken.notified().await;
    }
}

impl State {
    /// Copies only where that saves a write: mostly nothing is collected.
    fn write_with(&mut self, batch: &Batch) -> io::Result<()> {
        if self.batch.0.is_empty() {
            return self.writer.write_all(&batch.0).and_then(|()| self.writer.flush());
        }
        self.batch.0.extend_from_slice(&batch.0);
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        if self.batch.0.is_empty() {
            return Ok(());
        }
        let written = self.writer.write_all(&self.batch.0).and_then(|()| self.writer.flush());
        self.batch.clear();
        written
    }
}

/// Frames to be written at once.
#[derive(Debug, Default)]
pub(super) struct Batch(Vec<u8>);

impl Batch {
    /// When a batch is large enough to be written.
    const FULL: usize = 64 * 1024;

    pub(super) fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to(2 * Self::FULL);
    }

    fn is_full(&self) -> bool {
        self.0.len() >= Self::FULL
    }

    pub(super) fn push_answer<D: Serialize>(&mut self, answer: &Answer<D>) {
        let start = self.0.len();
        let error = match self.push(answer) {
            Err(error) => {
                Error::new(ErrorKind::Internal, format!("the answer can't be written as JSON: {error}"))
            }
            Ok(()) if self.0.len() - start > MAX_FRAME + 1 => {
                let length = self.0.len() - start;
                let problem = format!("the answer has {length} bytes, the protocol's limit is {MAX_FRAME}");
                Error::new(ErrorKind::InvalidRequest, problem).with_advice("ask for less at once")
            }
            Ok(()) => return,
        };
        self.0.truncate(start);
        // An error of a few words can be written as JSON and is short.
        let _ = self.push(&Answer::error(answer.id, error));
    }

    fn push(&mut self, frame: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, frame)?;
        self.0.push(b'\n');
        Ok(())
    }
}
