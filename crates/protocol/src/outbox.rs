//! The writing end of a link: sending never blocks a caller.
//!
//! A frame is written by whoever sends it, because waking another thread costs more than the write. Only when the pipe
//! is full does a thread take over, for as long as that lasts; meanwhile control frames overtake trades, and trades the rest.

use std::collections::{HashSet, VecDeque};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ibkr_connect_core::Access;

use crate::pipe::Pipe;

/// Which frames go first when the pipe is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Pings, cancels, the shutdown.
    Control,
    /// What changes orders.
    Trade,
    /// Everything else.
    Data,
}

impl From<Access> for Lane {
    fn from(access: Access) -> Self {
        match access {
            Access::Trade => Self::Trade,
            Access::Read => Self::Data,
        }
    }
}

/// How much of a frame has left this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Not a byte, and none will.
    Nothing,
    /// Its beginning.
    Part,
    /// All of it. Whether the other side has read it is not known.
    All,
}

/// A queue in front of the pipe that is empty nearly all the time.
#[derive(Debug)]
pub(crate) struct Outbox(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// `None` before it is opened and after it was closed.
    pipe: Option<Arc<dyn Pipe>>,
    control: VecDeque<Frame>,
    trades: VecDeque<Frame>,
    data: VecDeque<Frame>,
    /// A frame of which a part is written.
    started: Option<Frame>,
    /// The commands that were still here when the pipe closed.
    unsent: HashSet<u64>,
    /// A thread waits for room in the pipe and writes what is queued.
    draining: bool,
}

#[derive(Debug)]
struct Frame {
    lane: Lane,
    id: u64,
    bytes: Vec<u8>,
    written: usize,
}

/// Where writing has come to.
enum Progress {
    /// Nothing is queued.
    Idle,
    /// The pipe is full.
    Full(Arc<dyn Pipe>),
    /// Nobody reads the pipe any more, or it was closed.
    Closed,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    pub(crate) fn open(&self, pipe: Arc<dyn Pipe>) {
        self.lock().pipe = Some(pipe);
    }

    /// Writes `bytes`, or queues them if the pipe is full. What is sent when the other side is gone goes nowhere: that end is
    /// noticed elsewhere.
    pub(crate) fn send(self: &Arc<Self>, lane: Lane, id: u64, bytes: Vec<u8>) {
        let mut queue = self.lock();
        queue.lane(lane).push_back(Frame { lane, id, bytes, written: 0 });
        if !queue.draining
            && let Progress::Full(pipe) = queue.write()
        {
            queue.draining = true;
            drop(queue);
            self.drain_in_background(pipe);
        }
    }

    /// Takes back the command `id` if that is still possible; says how much of it was written.
    pub(crate) fn withdraw(&self, id: u64) -> Written {
        let mut queue = self.lock();
        if queue.started.as_ref().is_some_and(|frame| frame.id == id) {
            return Written::Part;
        }
        for lane in [Lane::Trade, Lane::Data] {
            let frames = queue.lane(lane);
            let before = frames.len();
            frames.retain(|frame| frame.id != id);
            if frames.len() < before {
                return Written::Nothing;
            }
        }
        if queue.unsent.remove(&id) { Written::Nothing } else { Written::All }
    }

    /// Closes the pipe and drops what is queued.
    pub(crate) fn close(&self) {
        self.lock().close();
    }

    fn drain_in_background(self: &Arc<Self>, pipe: Arc<dyn Pipe>) {
        let outbox = Arc::clone(self);
        let thread = thread::Builder::new().name("ibkr-link-writer".to_owned());
        if let Err(error) = thread.spawn(move || outbox.drain(pipe)) {
            // The next send tries again.
            tracing::warn!(%error, "link_writer_not_started");
            self.lock().draining = false;
        }
    }

    fn drain(&self, mut pipe: Arc<dyn Pipe>) {
        /// Not so long that a closed outbox keeps the pipe open.
        const AT_MOST: Duration = Duration::from_millis(100);
        loop {
            pipe.wait_writable(AT_MOST);
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
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Frame> {
        match lane {
            Lane::Control => &mut self.control,
            Lane::Trade => &mut self.trades,
            Lane::Data => &mut self.data,
        }
    }

    /// Writes until nothing is queued or the pipe is full.
    fn write(&mut self) -> Progress {
        let Some(pipe) = self.pipe.clone() else {
            self.close();
            return Progress::Closed;
        };
        while let Some(mut frame) = self.next() {
            let outcome = pipe.try_write(&frame.bytes[frame.written..]);
            frame.written += outcome.as_ref().map_or(0, |count| *count);
            if frame.written < frame.bytes.len() {
                self.put_back(frame);
            }
            match outcome.map_err(|error| error.kind()) {
                Ok(1..) | Err(ErrorKind::Interrupted) => {}
                Err(ErrorKind::WouldBlock) => return Progress::Full(pipe),
                Ok(0) | Err(_) => {
                    self.close();
                    return Progress::Closed;
                }
            }
        }
        Progress::Idle
    }

    fn next(&mut self) -> Option<Frame> {
        let Self { started, control, trades, data, .. } = self;
        started.take().or_else(|| [control, trades, data].into_iter().find_map(VecDeque::pop_front))
    }

    /// A frame of which nothing is written may still be overtaken and withdrawn.
    fn put_back(&mut self, frame: Frame) {
        if frame.written > 0 {
            self.started = Some(frame);
        } else {
            self.lane(frame.lane).push_front(frame);
        }
    }

    fn close(&mut self) {
        self.pipe = None;
        self.control.clear();
        let commands = self.trades.drain(..).chain(self.data.drain(..));
        self.unsent.extend(commands.map(|frame| frame.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Buffer, until};

    fn outbox(room: usize) -> (Arc<Outbox>, Buffer) {
        let buffer = Buffer::with_room(room);
        let outbox = Arc::new(Outbox::new());
        outbox.open(buffer.pipe());
        (outbox, buffer)
    }

    fn line(text: &str) -> Vec<u8> {
        format!("{text}\n").into_bytes()
    }

    /// All lines that the reader of `buffer` gets if it takes a few bytes at a time.
    fn read_slowly(buffer: &Buffer, count: usize) -> Vec<String> {
        let mut text = String::new();
        until(|| {
            text += &buffer.take();
            buffer.set_room(7);
            text.matches('\n').count() == count
        });
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_urgent_overtakes_when_the_pipe_is_full_and_nothing_is_torn() {
        let (outbox, buffer) = outbox(4);
        outbox.send(Lane::Data, 1, line("a longer line"));
        outbox.send(Lane::Data, 2, line("data"));
        outbox.send(Lane::Trade, 3, line("trade 3"));
        outbox.send(Lane::Trade, 4, line("trade 4"));
        outbox.send(Lane::Control, 5, line("control"));
        assert_eq!(read_slowly(&buffer, 5), ["a longer line", "control", "trade 3", "trade 4", "data"]);
    }

    #[test]
    fn a_frame_is_withdrawn_until_its_first_byte_is_written() {
        let (outbox, buffer) = outbox(0);
        outbox.send(Lane::Data, 1, line("of which nothing fits"));
        outbox.send(Lane::Trade, 2, line("trade"));
        assert_eq!([1, 2].map(|id| outbox.withdraw(id)), [Written::Nothing; 2]);
        buffer.set_room(3);
        outbox.send(Lane::Data, 3, line("partly"));
        until(|| buffer.written() == "par");
        assert_eq!(outbox.withdraw(3), Written::Part);
        assert_eq!(read_slowly(&buffer, 1), ["partly"]);
        assert_eq!(outbox.withdraw(3), Written::All);
    }

    #[test]
    fn what_was_written_stays_known_when_the_pipe_has_closed() {
        let (outbox, buffer) = outbox(3);
        outbox.send(Lane::Data, 1, line("partly"));
        outbox.send(Lane::Trade, 2, line("queued"));
        buffer.hang_up();
        outbox.close();
        outbox.send(Lane::Data, 3, line("late"));
        assert_eq!(buffer.take(), "par", "and no more of it");
        assert_eq!(outbox.withdraw(1), Written::Part);
        assert_eq!([2, 3].map(|id| outbox.withdraw(id)), [Written::Nothing; 2]);
        assert_eq!(outbox.withdraw(0), Written::All, "nothing is known of it");
    }

    #[test]
    fn a_reader_that_is_gone_is_no_error_of_the_sender() {
        let (outbox, buffer) = outbox(100);
        buffer.hang_up();
        outbox.send(Lane::Data, 1, line("nobody there"));
        outbox.send(Lane::Data, 2, line("still nobody"));
        assert_eq!([1, 2].map(|id| outbox.withdraw(id)), [Written::Nothing; 2]);
        assert!(buffer.is_closed(), "the pipe is given up");
    }
}
