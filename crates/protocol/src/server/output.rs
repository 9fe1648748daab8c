//! The server's writer, shared by its threads. The reading thread writes at once; what the loop says is collected
//! until it has nothing else to do, because a write costs more than an answer.
//!
//! The loop, and a session that runs on it, never waits for a client that does not read: what the pipe does not take is written by a
//! thread when it does. Until then streams wait, and nothing more is read.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind};
use serde::Serialize;
use tokio::sync::{Notify, Semaphore};

use crate::frames::{Answer, HelloFrame, MAX_DATA, MAX_FRAME, MAX_PART};
use crate::parts::TOO_LONG;
use crate::pipe::Pipe;

/// A writer of whole frames.
pub(super) struct Output {
    state: Mutex<State>,
    /// The pipe is full, or full no more.
    changed: Condvar,
    /// It is full no more.
    room: Notify,
    broken: Notify,
    /// Something is collected.
    collected: Notify,
    /// Whoever has it sends data in parts: one at a time, so that the client keeps no more than one that is not whole.
    pub(super) turn: Semaphore,
    /// How long data in parts may be.
    pub(super) longest_data: usize,
}

/// How data go to the client that are too long for a line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The client takes parts.
    Parts,
    /// It does not: only in one line, of [`MAX_FRAME`] at most.
    Lines,
}

impl Form {
    /// How long a line with data is at most.
    pub(super) fn longest_line(self) -> usize {
        match self {
            Self::Parts => MAX_PART,
            Self::Lines => MAX_FRAME,
        }
    }
}

/// Why something is not a line.
#[derive(Debug)]
pub(super) enum Unfit {
    TooLong,
    NoJson(Error),
}

struct State {
    /// `None` at the end, and when nobody reads any more.
    pipe: Option<Arc<dyn Pipe>>,
    batch: Batch,
    /// How much of the batch the pipe has taken.
    written: usize,
    /// The pipe takes nothing more for now; who writes then is the thread for that.
    is_full: bool,
    /// The reading thread is at work and will flush: the loop need not be woken for that.
    held: bool,
    form: Form,
    /// How often the pipe has taken all that was collected.
    emptied: u64,
}

impl Output {
    pub(super) fn new(pipe: Arc<dyn Pipe>) -> Self {
        let state = State {
            pipe: Some(pipe),
            batch: Batch::default(),
            written: 0,
            is_full: false,
            held: false,
            form: Form::Lines,
            emptied: 0,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            room: Notify::new(),
            broken: Notify::new(),
            collected: Notify::new(),
            turn: Semaphore::new(1),
            longest_data: MAX_DATA,
        }
    }

    /// What the client takes from here on.
    pub(super) fn set_form(&self, form: Form) {
        self.lock().form = form;
    }

    pub(super) fn form(&self) -> Form {
        self.lock().form
    }

    pub(super) fn hello(&self, hello: &HelloFrame) -> io::Result<()> {
        let mut state = self.lock();
        state.batch.push(hello)?;
        self.write(&mut state);
        if state.pipe.is_some() { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Adds an answer, which is short, to what is collected; one longer than the protocol's limit is replaced by an error.
    pub(super) fn answer<D: Serialize>(&self, answer: &Answer<D>) {
        if let Err(unfit) = self.try_answer(answer, MAX_FRAME) {
            self.error(answer.id, unfit.error(MAX_FRAME));
        }
    }

    /// Adds an answer to what is collected, if its line is no longer than that.
    pub(super) fn try_answer<D: Serialize>(&self, answer: &Answer<D>, longest: usize) -> Result<(), Unfit> {
        let mut state = self.lock();
        let is_first = state.batch.0.is_empty();
        state.batch.push_within(answer, longest)?;
        if state.batch.is_full() {
            self.write(&mut state);
        } else if is_first && !state.held {
            self.collected.notify_one();
        }
        Ok(())
    }

    pub(super) fn error(&self, id: u64, error: Error) {
        self.answer(&Answer::error(id, error));
    }

    /// Writes a stream's frames, after what is collected, as soon as the pipe is not full.
    pub(super) async fn write_batch(&self, batch: &Batch) {
        loop {
            let room = self.room.notified();
            if self.has_written(batch) {
                return;
            }
            room.await;
        }
    }

    /// Writes a part, after what is collected, as soon as the pipe is not full. So what comes meanwhile goes before the next one.
    pub(super) async fn write_part(&self, line: Vec<u8>) {
        loop {
            let room = self.room.notified();
            {
                let mut state = self.lock();
                if !state.is_full {
                    state.batch.append(line);
                    return self.write(&mut state);
                }
            }
            room.await;
        }
    }

    fn has_written(&self, batch: &Batch) -> bool {
        let mut state = self.lock();
        if state.is_full {
            return false;
        }
        // Copied only where that saves a write, or the pipe does not take it: mostly neither.
        let taken = if state.batch.0.is_empty() { state.try_write(&batch.0) } else { Ok(0) };
        match taken {
            Ok(taken) if taken == batch.0.len() => {}
            Ok(taken) => {
                state.batch.0.extend_from_slice(&batch.0[taken..]);
                self.write(&mut state);
            }
            Err(_) => self.give_up(&mut state),
        }
        true
    }

    /// Drops the pipe: the client sees the end, though the thread that reads its commands goes on.
    pub(super) fn close(&self) {
        self.lock().close();
        self.changed.notify_all();
    }

    /// Promises a [`flush`](Self::flush) soon.
    pub(super) fn hold(&self) {
        self.lock().held = true;
    }

    /// Writes what is collected, and blocks until the pipe has taken it; not for what others write after that, such as parts.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        state.held = false;
        let emptied = state.emptied;
        self.write(&mut state);
        drop(self.changed.wait_while(state, |state| state.is_full && state.emptied == emptied));
    }

    /// Writes what is collected whenever the loop has done what it had to do.
    pub(super) async fn flush_when_idle(&self) {
        loop {
            self.collected.notified().await;
            tokio::task::yield_now().await;
            self.write(&mut self.lock());
        }
    }

    /// Writes what the pipe did not take, whenever it takes more, until the end. For a thread of its own.
    pub(super) fn write_when_full(&self) {
        /// Not so long that the pipe stays open after the end.
        const AT_MOST: Duration = Duration::from_millis(100);
        loop {
            let is_idle = |state: &mut State| state.pipe.is_some() && !state.is_full;
            let state = self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
            let Some(pipe) = state.pipe.clone() else { return };
            drop(state);
            pipe.wait_writable(AT_MOST);
            drop(pipe);
            let mut state = self.lock();
            state.is_full = false;
            self.write(&mut state);
            if !state.is_full {
                self.changed.notify_all();
                self.room.notify_waiters();
            }
        }
    }

    fn write(&self, state: &mut State) {
        if !state.is_full && state.write().is_err() {
            self.give_up(state);
        }
        if state.is_full {
            self.changed.notify_all();
        }
    }

    /// Nobody reads any more.
    fn give_up(&self, state: &mut State) {
        state.close();
        self.broken.notify_one();
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
    /// Writes what is collected.
    fn write(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.batch.0);
        let taken = self.try_write(&bytes[self.written..]);
        self.batch.0 = bytes;
        self.written += taken?;
        if self.written == self.batch.0.len() {
            self.forget();
        }
        Ok(())
    }

    /// As much of `bytes` as the pipe takes. After the end they go nowhere.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(pipe) = &self.pipe else { return Ok(bytes.len()) };
        let mut written = 0;
        while written < bytes.len() {
            match pipe.try_write(&bytes[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_full = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn close(&mut self) {
        self.pipe = None;
        self.is_full = false;
        self.forget();
    }

    fn forget(&mut self) {
        self.written = 0;
        self.emptied = self.emptied.wrapping_add(1);
        self.batch.clear();
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

    /// Adds an answer; one longer than the protocol's limit is replaced by an error.
    pub(super) fn push_answer<D: Serialize>(&mut self, answer: &Answer<D>) {
        if let Err(unfit) = self.push_within(answer, MAX_FRAME) {
            // An error of a few words can be written as JSON and is short.
            let _ = self.push(&Answer::error(answer.id, unfit.error(MAX_FRAME)));
        }
    }

    /// Adds an event, or gives it back if its line would be longer than that.
    pub(super) fn push_event<D: Serialize>(
        &mut self,
        event: Answer<D>,
        longest: usize,
    ) -> Result<(), Answer<D>> {
        self.push_within(&event, longest).map_err(|_| event)
    }

    fn push_within<D: Serialize>(&mut self, answer: &Answer<D>, longest: usize) -> Result<(), Unfit> {
        let start = self.0.len();
        let written = serde_json::to_writer(Bounded { to: &mut self.0, left: longest }, answer);
        if let Err(error) = written {
            self.0.truncate(start);
            return Err(Unfit::from(error));
        }
        self.0.push(b'\n');
        Ok(())
    }

    fn push(&mut self, frame: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, frame)?;
        self.0.push(b'\n');
        Ok(())
    }

    /// Adds a line, with its memory where there is nothing else.
    fn append(&mut self, line: Vec<u8>) {
        if self.0.is_empty() {
            self.0 = line;
        } else {
            self.0.extend_from_slice(&line);
        }
    }
}

/// Writes so much, and no more.
struct Bounded<'a> {
    to: &'a mut Vec<u8>,
    left: usize,
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(TOO_LONG)?;
        self.to.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<serde_json::Error> for Unfit {
    fn from(error: serde_json::Error) -> Self {
        if error.io_error_kind() == Some(TOO_LONG) {
            return Self::TooLong;
        }
        Self::NoJson(Error::new(ErrorKind::Internal, format!("the answer can't be written as JSON: {error}")))
    }
}

impl Unfit {
    /// What whoever asked is told, where `limit` is the longest that there is.
    pub(super) fn error(self, limit: usize) -> Error {
        match self {
            Self::NoJson(error) => error,
            Self::TooLong => {
                let problem = format!("the answer is too long: the protocol's limit is {limit} bytes");
                Error::new(ErrorKind::InvalidRequest, problem).with_advice(match limit {
                    MAX_FRAME => "ask for less at once, or connect with `parts` (docs/protocol.md)",
                    _ => "ask for less at once",
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};
    use std::thread;

    use ibkr_connect_core::block_on;

    use super::super::CloseOnDrop;
    use super::*;
    use crate::testing::{Buffer, until};

    fn is_pending(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    fn batch(id: u64) -> Batch {
        let mut batch = Batch::default();
        batch.push_answer(&Answer::<()>::end(id));
        batch
    }

    /// The ids of the lines that `buffer` got.
    fn ids(text: &str) -> Vec<u64> {
        let id = |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap();
        text.lines().map(id).collect()
    }

    #[test]
    fn nobody_waits_for_a_client_that_does_not_read_but_streams_and_the_reader_of_commands() {
        let buffer = Buffer::with_room(5);
        let output = Output::new(buffer.pipe());
        thread::scope(|scope| {
            scope.spawn(|| output.write_when_full());
            block_on(output.write_batch(&batch(1)));
            let next = batch(2);
            let mut stream = pin!(output.write_batch(&next));
            assert!(is_pending(stream.as_mut()));
            output.answer(&Answer::<()>::end(3));
            let (begins, has_begun) = std::sync::mpsc::channel::<()>();
            let flushing = scope.spawn(|| {
                drop(begins);
                output.flush();
                output.lock().is_full
            });
            let _ = has_begun.recv();
            assert_eq!(buffer.written().len(), 5);
            assert!(is_pending(stream.as_mut()));
            let mut text = String::new();
            until(|| {
                text += &buffer.take();
                buffer.set_room(7);
                text.matches('\n').count() == 2
            });
            assert!(!flushing.join().unwrap(), "a flush ends when the pipe has taken all");
            buffer.set_room(usize::MAX);
            block_on(stream);
            text += &buffer.take();
            assert_eq!(ids(&text), [1, 3, 2], "whole, and what was collected first");
            output.close();
        });
        assert!(buffer.is_closed());
    }

    #[test]
    fn a_flush_waits_for_what_was_collected_and_not_for_what_is_written_behind_it() {
        let output = Arc::new(Output::new(Buffer::with_room(0).pipe()));
        thread::scope(|scope| {
            let _closing = CloseOnDrop(Arc::clone(&output));
            output.hold();
            output.answer(&Answer::<()>::end(1));
            let flushing = scope.spawn(|| output.flush());
            until(|| !output.lock().held);
            // It has the lock from there on until it waits.
            assert!(output.lock().is_full && !flushing.is_finished());
            // The pipe has taken that, and before the flush is awake it is full again, of a part.
            output.lock().forget();
            output.changed.notify_all();
            until(|| flushing.is_finished());
        });
    }

    #[test]
    fn nobody_waits_for_a_client_that_is_gone() {
        let buffer = Buffer::with_room(5);
        let output = Output::new(buffer.pipe());
        thread::scope(|scope| {
            scope.spawn(|| output.write_when_full());
            block_on(output.write_batch(&batch(1)));
            let next = batch(2);
            let mut stream = pin!(output.write_batch(&next));
            assert!(is_pending(stream.as_mut()));
            buffer.hang_up();
            block_on(async { tokio::join!(stream, output.broken()) });
            output.answer(&Answer::<()>::end(3));
            output.flush();
        });
        assert!(buffer.is_closed(), "the pipe is given up, and its thread has ended");
    }
}
