//! The parent's end of the worker's stdin: writing never blocks a caller.
//!
//! A frame is written by whoever sends it, because waking another thread costs more than the write. Only when the pipe
//! is full does a thread take over, for as long as that lasts; meanwhile control frames overtake data.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Which frames go first when the pipe is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Pings, cancels, the shutdown.
    Control,
    /// Everything else.
    Data,
}

/// A queue in front of the pipe that is empty nearly all the time.
#[derive(Debug)]
pub(crate) struct Outbox(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// `None` before the worker has started and after its stdin was closed.
    pipe: Option<Arc<OwnedFd>>,
    control: VecDeque<Frame>,
    data: VecDeque<Frame>,
    /// A frame of which a part is written.
    started: Option<(Vec<u8>, usize)>,
    /// A thread waits for room in the pipe and writes what is queued.
    draining: bool,
}

#[derive(Debug)]
struct Frame {
    id: u64,
    bytes: Vec<u8>,
}

/// Where writing has come to.
enum Progress {
    /// Nothing is queued.
    Idle,
    /// The pipe is full.
    Full(Arc<OwnedFd>),
    /// Nobody reads the pipe any more, or it was closed.
    Closed,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Gives it the pipe, which must be non-blocking.
    pub(crate) fn open(&self, pipe: OwnedFd) {
        self.lock().pipe = Some(Arc::new(pipe));
    }

    /// Writes `bytes`, or queues them if the pipe is full. What is sent to a worker that is gone is dropped: its end is
    /// noticed elsewhere.
    pub(crate) fn send(self: &Arc<Self>, lane: Lane, id: u64, bytes: Vec<u8>) {
        let mut queue = self.lock();
        let frame = Frame { id, bytes };
        match lane {
            Lane::Control => queue.control.push_back(frame),
            Lane::Data => queue.data.push_back(frame),
        }
        if !queue.draining
            && let Progress::Full(pipe) = queue.write()
        {
            queue.draining = true;
            drop(queue);
            self.drain_in_background(pipe);
        }
    }

    /// Takes back the data frame `id`; whether none of it was written yet.
    pub(crate) fn withdraw(&self, id: u64) -> bool {
        let mut queue = self.lock();
        let before = queue.data.len();
        queue.data.retain(|frame| frame.id != id);
        queue.data.len() < before
    }

    /// Closes the pipe and drops what is queued.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.pipe = None;
        queue.clear();
    }

    fn drain_in_background(self: &Arc<Self>, pipe: Arc<OwnedFd>) {
        let outbox = Arc::clone(self);
        let thread = thread::Builder::new().name("ibkr-worker-stdin".to_owned());
        if let Err(error) = thread.spawn(move || outbox.drain(pipe)) {
            // The next send tries again.
            tracing::warn!(%error, "worker_writer_not_started");
            self.lock().draining = false;
        }
    }

    fn drain(&self, mut pipe: Arc<OwnedFd>) {
        loop {
            wait_for_room(&pipe);
            drop(pipe);
            let mut queue = self.lock();
            match queue.write() {
                Progress::Full(full) => pipe = full,
                Progress::Idle | Progress::Closed => {
                    queue.draining = false;
                    return;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Writes until nothing is queued or the pipe is full.
    fn write(&mut self) -> Progress {
        let Some(pipe) = self.pipe.clone() else {
            self.clear();
            return Progress::Closed;
        };
        while let Some((bytes, done)) = self.next() {
            match rustix::io::write(&pipe, &bytes[done..]) {
                Ok(count) if done + count == bytes.len() => {}
                Ok(count) => self.started = Some((bytes, done + count)),
                Err(Errno::INTR) => self.started = Some((bytes, done)),
                Err(Errno::AGAIN) => {
                    self.started = Some((bytes, done));
                    return Progress::Full(pipe);
                }
                Err(_) => {
                    self.pipe = None;
                    self.clear();
                    return Progress::Closed;
                }
            }
        }
        Progress::Idle
    }

    fn next(&mut self) -> Option<(Vec<u8>, usize)> {
        self.started.take().or_else(|| {
            let frame = self.control.pop_front().or_else(|| self.data.pop_front())?;
            Some((frame.bytes, 0))
        })
    }

    fn clear(&mut self) {
        self.control.clear();
        self.data.clear();
        self.started = None;
    }
}

/// Waits until the pipe has room or nobody reads it, but not so long that a closed outbox keeps it open.
fn wait_for_room(pipe: &OwnedFd) {
    const MOST: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let _ = poll(&mut [PollFd::new(pipe, PollFlags::OUT)], Some(&MOST));
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, PipeReader, Read};

    use super::*;

    fn outbox() -> (Arc<Outbox>, PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let outbox = Arc::new(Outbox::new());
        outbox.open(writer.into());
        (outbox, reader)
    }

    fn line(text: &str) -> Vec<u8> {
        format!("{text}\n").into_bytes()
    }

    #[test]
    fn control_overtakes_data_when_the_pipe_is_full_and_nothing_is_torn() {
        let (outbox, reader) = outbox();
        let big = "x".repeat(300_000);
        outbox.send(Lane::Data, 1, line(&big));
        outbox.send(Lane::Data, 2, line("data"));
        outbox.send(Lane::Data, 3, line("withdrawn"));
        outbox.send(Lane::Control, 4, line("control"));
        assert!(outbox.withdraw(3));
        assert!(!outbox.withdraw(1), "it is on its way");
        let lines: Vec<_> = BufReader::new(reader).lines().take(3).map(Result::unwrap).collect();
        assert_eq!(lines, [big.as_str(), "control", "data"]);
    }

    #[test]
    fn closing_ends_the_pipe_also_while_it_is_full() {
        let (outbox, mut reader) = outbox();
        outbox.send(Lane::Data, 1, vec![b'x'; 300_000]);
        outbox.close();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert!(rest.len() < 300_000);
        outbox.send(Lane::Data, 2, line("into the void"));
    }

    #[test]
    fn a_reader_that_is_gone_is_no_error_of_the_sender() {
        let (outbox, reader) = outbox();
        drop(reader);
        outbox.send(Lane::Data, 1, line("nobody there"));
        outbox.send(Lane::Data, 2, line("still nobody"));
    }
}
