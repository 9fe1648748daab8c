//! The worker's writer, shared by its two threads. Whoever has something to say writes it at once.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use ibkr_connect_core::{Error, ErrorKind};
use serde::Serialize;
use tokio::sync::Notify;

use crate::wire::{Answer, HelloFrame, MAX_FRAME};

/// A writer of whole frames.
pub(super) struct Output {
    writer: Mutex<Box<dyn Write + Send>>,
    broken: Notify,
}

impl Output {
    pub(super) fn new(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Mutex::new(Box::new(writer)), broken: Notify::new() }
    }

    pub(super) fn hello(&self, hello: &HelloFrame) -> io::Result<()> {
        let mut batch = Batch::default();
        batch.push(hello)?;
        self.try_write(&batch)
    }

    /// Writes an answer; what is longer than the protocol's limit is answered with an error instead.
    pub(super) fn answer<D: Serialize>(&self, answer: &Answer<D>) {
        let mut batch = Batch::default();
        batch.push_answer(answer);
        self.write(&batch);
    }

    pub(super) fn error(&self, id: u64, error: Error) {
        self.answer(&Answer::error(id, error));
    }

    /// Writes what is collected; blocks while the pipe is full.
    pub(super) fn write(&self, batch: &Batch) {
        if self.try_write(batch).is_err() {
            self.broken.notify_one();
        }
    }

    fn try_write(&self, batch: &Batch) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&batch.0)?;
        writer.flush()
    }

    /// Resolves when nobody reads any more.
    pub(super) async fn broken(&self) {
        self.broken.notified().await;
    }
}

/// Frames to be written at once.
#[derive(Debug, Default)]
pub(super) struct Batch(Vec<u8>);

impl Batch {
    /// How much memory is kept from one batch to the next.
    const KEPT: usize = 128 * 1024;

    pub(super) fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to(Self::KEPT);
    }

    pub(super) fn push_answer<D: Serialize>(&mut self, answer: &Answer<D>) {
        let start = self.0.len();
        let problem = match self.push(answer) {
            Err(error) => format!("the answer can't be written as JSON: {error}"),
            Ok(()) if self.0.len() - start > MAX_FRAME + 1 => {
                format!("the answer has {} bytes, the protocol's limit is {MAX_FRAME}", self.0.len() - start)
            }
            Ok(()) => return,
        };
        self.0.truncate(start);
        let error = Error::new(ErrorKind::Protocol, problem).with_advice("ask for less at once");
        // An error of a few words can be written as JSON and is short.
        let _ = self.push(&Answer::error(answer.id, error));
    }

    fn push(&mut self, frame: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, frame)?;
        self.0.push(b'\n');
        Ok(())
    }
}
